// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "support/fake_vmm.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "support/socket_io.h"

namespace vrdma::test {
namespace {

using vhost::Request;

template <typename T>
std::span<const std::byte> bytes_of(const T& value) {
    return std::as_bytes(std::span(&value, 1));
}

}  // namespace

FakeVmm::FakeVmm(const std::string& path)
    : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof(address.sun_path)) {
        throw std::runtime_error("the socket's path is too long");
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    if (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) !=
        0) {
        throw std::runtime_error(fmt::format("connect {}: {}", path, std::strerror(errno)));
    }
}

uint64_t FakeVmm::negotiate(uint64_t wanted) {
    const uint64_t features = ask_u64(Request::kGetFeatures) & wanted;
    if (features & vhost::bit(vhost::kFeatureProtocolFeatures)) {
        const uint64_t protocol = ask_u64(Request::kGetProtocolFeatures);
        send(Request::kSetProtocolFeatures, bytes_of(protocol));
    }
    send(Request::kSetOwner);
    send(Request::kSetFeatures, bytes_of(features));
    return features;
}

bool FakeVmm::share(const FakeMemory& memory) {
    vhost::VuMemoryTable table{};
    std::vector<int> fds;
    for (const auto& region : memory.regions()) {
        table.regions[table.region_count++] = region->describe();
        fds.push_back(region->file.get());
    }
    const size_t size = offsetof(vhost::VuMemoryTable, regions) +
                        table.region_count * sizeof(vhost::VuMemoryRegion);
    return acknowledged(Request::kSetMemTable, bytes_of(table).first(size), fds);
}

bool FakeVmm::add_region(const FakeMemory::Region& region) {
    const int fd = region.file.get();
    return acknowledged(Request::kAddMemReg, bytes_of(vhost::VuSingleRegion{0, region.describe()}),
                        std::span(&fd, 1));
}

bool FakeVmm::remove_region(const FakeMemory::Region& region) {
    return acknowledged(Request::kRemMemReg, bytes_of(vhost::VuSingleRegion{0, region.describe()}));
}

void FakeVmm::start_queue(uint32_t index, const DriverQueue& queue, std::optional<uint32_t> base) {
    const bool started =
        set_vring(Request::kSetVringNum, index, queue.size()) &&
        set_vring(Request::kSetVringBase, index, base.value_or(queue.initial_base())) &&
        set_addresses(index, queue.layout()) &&
        set_vring_fd(Request::kSetVringCall, index, queue.call_fd()) &&
        set_vring_fd(Request::kSetVringErr, index, queue.error_fd()) &&
        set_vring_fd(Request::kSetVringKick, index, queue.kick_fd()) && enable_queue(index, true);
    if (!started) {
        throw std::runtime_error(fmt::format("queue {} does not start", index));
    }
}

uint32_t FakeVmm::stop_queue(uint32_t index) {
    const auto reply = ask(Request::kGetVringBase, bytes_of(vhost_vring_state{index, 0}));
    vhost_vring_state state{};
    if (reply.size() != sizeof(state)) {
        throw std::runtime_error("GET_VRING_BASE is answered with something else");
    }
    std::memcpy(&state, reply.data(), sizeof(state));
    return state.num;
}

bool FakeVmm::enable_queue(uint32_t index, bool enable) {
    return set_vring(Request::kSetVringEnable, index, enable ? 1 : 0);
}

bool FakeVmm::set_vring(Request request, uint32_t index, uint32_t value) {
    return acknowledged(request, bytes_of(vhost_vring_state{index, value}));
}

bool FakeVmm::set_addresses(uint32_t index, const vhost::RingLayout& layout) {
    vhost_vring_addr address{};
    address.index = index;
    address.desc_user_addr = layout.descriptors;
    address.avail_user_addr = layout.driver;
    address.used_user_addr = layout.device;
    return acknowledged(Request::kSetVringAddr, bytes_of(address));
}

bool FakeVmm::set_vring_fd(Request request, uint32_t index, int fd) {
    const uint64_t value = index | (fd < 0 ? vhost::kVringNoFd : 0);
    return acknowledged(request, bytes_of(value), std::span(&fd, fd < 0 ? 0 : 1));
}

std::vector<std::byte> FakeVmm::get_config(uint32_t offset, uint32_t size) {
    const vhost::VuConfigHeader header{offset, size, 0};
    std::vector<std::byte> payload(sizeof(header) + size);
    std::memcpy(payload.data(), &header, sizeof(header));
    auto reply = ask(Request::kGetConfig, payload);
    if (reply.size() < sizeof(header)) {
        return {};
    }
    return {reply.begin() + sizeof(header), reply.end()};
}

bool FakeVmm::set_config(uint32_t offset, std::span<const std::byte> bytes) {
    const vhost::VuConfigHeader header{offset, static_cast<uint32_t>(bytes.size()), 0};
    std::vector<std::byte> payload(sizeof(header));
    std::memcpy(payload.data(), &header, sizeof(header));
    payload.insert(payload.end(), bytes.begin(), bytes.end());
    return acknowledged(Request::kSetConfig, payload);
}

std::unique_ptr<FakeBackendRequests> FakeVmm::open_backend_requests() {
    SocketPair pair = make_socket_pair();
    const int theirs = pair.theirs.get();
    if (!acknowledged(Request::kSetBackendReqFd, {}, std::span(&theirs, 1))) {
        throw std::runtime_error("SET_BACKEND_REQ_FD is refused");
    }
    return std::make_unique<FakeBackendRequests>(std::move(pair.ours));
}

void FakeVmm::send(Request request, std::span<const std::byte> payload, std::span<const int> fds,
                   uint32_t flags) {
    const vhost::VuHeader header{static_cast<uint32_t>(request), flags,
                                 static_cast<uint32_t>(payload.size())};
    std::vector<std::byte> bytes(sizeof(header));
    std::memcpy(bytes.data(), &header, sizeof(header));
    bytes.insert(bytes.end(), payload.begin(), payload.end());
    send_raw(bytes, fds);
}

std::vector<std::byte> FakeVmm::ask(Request request, std::span<const std::byte> payload) {
    send(request, payload);
    return receive_reply(request);
}

uint64_t FakeVmm::ask_u64(Request request) {
    const auto payload = ask(request);
    uint64_t value = 0;
    if (payload.size() != sizeof(value)) {
        throw std::runtime_error("a reply is no integer");
    }
    std::memcpy(&value, payload.data(), sizeof(value));
    return value;
}

bool FakeVmm::acknowledged(Request request, std::span<const std::byte> payload,
                           std::span<const int> fds) {
    send(request, payload, fds, vhost::kVersion | vhost::kFlagNeedReply);
    const auto reply = receive_reply(request);
    uint64_t value = 0;
    if (reply.size() != sizeof(value)) {
        throw std::runtime_error("an acknowledgement is no integer");
    }
    std::memcpy(&value, reply.data(), sizeof(value));
    return value == 0;
}

void FakeVmm::send_raw(std::span<const std::byte> bytes, std::span<const int> fds) {
    send_all(socket_.get(), bytes, fds);
}

std::vector<std::byte> FakeVmm::receive_reply(Request request) {
    vhost::VuHeader header{};
    receive_all(socket_.get(), std::as_writable_bytes(std::span(&header, 1)));
    if (header.request != static_cast<uint32_t>(request) ||
        header.flags != (vhost::kVersion | vhost::kFlagReply)) {
        throw std::runtime_error(fmt::format("a reply to {} was expected, this is one to {}",
                                             static_cast<uint32_t>(request), header.request));
    }
    std::vector<std::byte> payload(header.size);
    receive_all(socket_.get(), payload);
    return payload;
}

void FakeVmm::wait_disconnected() {
    std::byte buffer[256];
    ssize_t got = 0;
    do {
        wait_readable(socket_.get(), "the end of the connection");
        got = ::recv(socket_.get(), buffer, sizeof(buffer), 0);
    } while (got > 0);
}

}  // namespace vrdma::test
