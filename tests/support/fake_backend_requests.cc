// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "support/fake_backend_requests.h"

#include <sys/mman.h>
#include <sys/socket.h>

#include <cerrno>
#include <span>
#include <stdexcept>

#include "support/socket_io.h"

namespace vrdma::test {

FakeShm::FakeShm(uint64_t size, int holes) : size_(size), holes_(holes) {
    void* data = ::mmap(nullptr, size, holes, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (data == MAP_FAILED) {
        throw std::runtime_error("cannot reserve a shared memory region");
    }
    data_ = static_cast<std::byte*>(data);
}

FakeShm::~FakeShm() {
    ::munmap(data_, size_);
}

bool FakeShm::valid(const vhost::ShmemMapping& mapping) const {
    return mapping.length != 0 && mapping.length % 4096 == 0 && mapping.region_offset % 4096 == 0 &&
           mapping.region_offset < size_ && mapping.length <= size_ - mapping.region_offset;
}

int FakeShm::map(const vhost::ShmemMapping& mapping, int fd) {
    if (!valid(mapping) || fd < 0) {
        return EINVAL;
    }
    const int protection =
        PROT_READ | ((mapping.flags & vhost::kShmemWritable) != 0 ? PROT_WRITE : 0);
    void* data = ::mmap(data_ + mapping.region_offset, mapping.length, protection,
                        MAP_SHARED | MAP_FIXED, fd, static_cast<off_t>(mapping.fd_offset));
    changes_.fetch_add(1, std::memory_order_release);
    return data == MAP_FAILED ? errno : 0;
}

int FakeShm::unmap(const vhost::ShmemMapping& mapping) {
    if (!valid(mapping)) {
        return EINVAL;
    }
    void* data = ::mmap(data_ + mapping.region_offset, mapping.length, holes_,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    changes_.fetch_add(1, std::memory_order_release);
    return data == MAP_FAILED ? errno : 0;
}

FakeBackendRequests::~FakeBackendRequests() {
    ::shutdown(socket_.get(), SHUT_RDWR);
    if (thread_.joinable()) {
        thread_.join();
    }
}

void FakeBackendRequests::serve(FakeShm& shm) {
    thread_ = std::thread([this, &shm] {
        try {
            answer_until_closed(shm);
        } catch (const std::runtime_error&) {
            // Closed in the middle of a request or of its answer.
        }
    });
}

void FakeBackendRequests::answer_until_closed(FakeShm& shm) {
    while (true) {
        // Waits for as long as it takes; the destructor and the peer end it.
        char byte = 0;
        if (::recv(socket_.get(), &byte, 1, MSG_PEEK) <= 0) {
            return;
        }
        const Request request = receive();
        int result = 0;
        switch (request.type()) {
            case vhost::BackendRequest::kShmemMap:
                result = shm.map(request.mapping, request.fds.empty() ? -1 : request.fds[0].get());
                ++maps_;
                break;
            case vhost::BackendRequest::kShmemUnmap:
                result = shm.unmap(request.mapping);
                ++unmaps_;
                break;
            case vhost::BackendRequest::kConfigChange:
                ++config_changes_;
                break;
        }
        if (held_.load() && left_.load() == 0) {
            holds_.store(true);
            held_.wait(true);
            holds_.store(false);
        } else if (held_.load()) {
            --left_;
        }
        if ((request.header.flags & vhost::kFlagNeedReply) != 0) {
            reply(request, static_cast<uint64_t>(result));
        }
    }
}

FakeBackendRequests::Request FakeBackendRequests::receive() {
    Request request{};
    receive_all(socket_.get(), std::as_writable_bytes(std::span(&request.header, 1)), &request.fds);
    if (request.header.size > sizeof(request.mapping)) {
        throw std::runtime_error("a back-end request is too long");
    }
    receive_all(socket_.get(),
                std::as_writable_bytes(std::span(&request.mapping, 1)).first(request.header.size),
                &request.fds);
    return request;
}

void FakeBackendRequests::reply(const Request& request, uint64_t value) {
    const vhost::VuReply reply{
        {request.header.request, vhost::kVersion | vhost::kFlagReply, sizeof(uint64_t)}, value};
    send_all(socket_.get(), std::as_bytes(std::span(&reply, 1)));
}

}  // namespace vrdma::test
