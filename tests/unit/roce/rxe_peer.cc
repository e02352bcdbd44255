// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rxe_peer.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>

namespace vrdma::roce {

Tap::Tap(const std::string& name, const char* log_path)
    : fd_(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC)) {
    ifreq request{};
    request.ifr_flags = IFF_TAP | IFF_NO_PI;
    name.copy(request.ifr_name, IFNAMSIZ - 1);
    if (fd_ < 0 || ::ioctl(fd_, TUNSETIFF, &request) != 0) {
        throw std::system_error(errno, std::generic_category(),
                                "cannot open the tap device " + name);
    }
    if (log_path != nullptr) {
        log_ = std::fopen(log_path, "w");
    }
}

Tap::~Tap() {
    ::close(fd_);
    if (log_ != nullptr) {
        std::fclose(log_);
    }
}

void Tap::write(const uint8_t* frame, size_t size) {
    note("to rxe", frame, size);
    if (::write(fd_, frame, size) < 0) {
        std::perror("a frame was not taken");
    }
}

Bytes Tap::read() {
    Bytes frame(65536);
    const ssize_t size = ::read(fd_, frame.data(), frame.size());
    frame.resize(size > 0 ? static_cast<size_t>(size) : 0);
    if (!frame.empty()) {
        note("of rxe", frame.data(), frame.size());
    }
    return frame;
}

void Tap::note(const char* way, const uint8_t* frame, size_t size) {
    if (log_ != nullptr) {
        std::fprintf(log_, "%s ", way);
        for (size_t i = 0; i < size; ++i) {
            std::fprintf(log_, "%02x", frame[i]);
        }
        std::fputc('\n', log_);
    }
}

Rxe::Rxe(const std::string& name) : bytes(kMemory) {
    int count = 0;
    ibv_device** all = ibv_get_device_list(&count);
    for (int i = 0; i < count; ++i) {
        if (name == ibv_get_device_name(all[i])) {
            context = ibv_open_device(all[i]);
        }
    }
    ibv_free_device_list(all);
    if (context == nullptr) {
        throw std::runtime_error("there is no RNIC " + name);
    }
    pd = ibv_alloc_pd(context);
    mr = ibv_reg_mr(pd, bytes.data(), bytes.size(),
                    IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ |
                        IBV_ACCESS_REMOTE_ATOMIC);
    cq = ibv_create_cq(context, 512, nullptr, nullptr, 0);
}

Rxe::~Rxe() {
    ibv_destroy_cq(cq);
    ibv_dereg_mr(mr);
    ibv_dealloc_pd(pd);
    ibv_close_device(context);
}

int Rxe::gid_index(const uint8_t* gid) const {
    for (int i = 0; i < 32; ++i) {
        ibv_gid found{};
        if (ibv_query_gid(context, 1, i, &found) == 0 &&
            std::memcmp(found.raw, gid, kRoceGidBytes) == 0) {
            return i;
        }
    }
    return -1;
}

}  // namespace vrdma::roce
