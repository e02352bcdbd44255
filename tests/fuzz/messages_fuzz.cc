// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// A VMM that sends anything, with descriptors of several kinds.
#include <fuzzer/FuzzedDataProvider.h>
#include <spdlog/logger.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "support/driver_queue.h"
#include "support/fake_memory.h"
#include "support/signaller.h"
#include "support/socket_io.h"
#include "vhost/server/connection.h"

namespace vrdma::test {
namespace {

// Uses its rings when they start, on the connection's own thread.
class FuzzDevice : public vhost::Device {
  public:
    uint64_t features() const override { return 0xf; }
    uint16_t queue_count() const override { return 3; }
    Result<void> read_config(uint32_t offset, std::span<std::byte> out) override {
        if (offset > config_.size() || out.size() > config_.size() - offset) {
            return fail(EINVAL);
        }
        std::copy_n(config_.begin() + offset, out.size(), out.begin());
        return {};
    }
    Result<void> write_config(uint32_t offset, std::span<const std::byte> in) override {
        if (offset > config_.size() || in.size() > config_.size() - offset) {
            return fail(EINVAL);
        }
        std::copy(in.begin(), in.end(), config_.begin() + offset);
        return {};
    }
    void connected() override {}
    void disconnected() override {}
    void features_negotiated(uint64_t) override {}
    void memory_changed(std::shared_ptr<const memory::GuestMemory>) override {}
    void start_queue(uint16_t index, vhost::Virtqueue& queue) override {
        if (index >= queue_count()) {
            __builtin_trap();
        }
        for (int i = 0; i < 20; ++i) {
            auto chain = queue.pop();
            if (!chain || !*chain) {
                break;
            }
            queue.push(std::move(**chain), 0);
        }
        queue.notify();
        queue.enable_notifications();
    }
    void stop_queue(uint16_t) override {}
    void reset() override {}
    void backend_requests_ready(std::shared_ptr<vhost::BackendRequests> channel) override {
        if (!channel->config_changed()) {
            __builtin_trap();
        }
    }

  private:
    std::array<std::byte, 64> config_{};
};

void fuzz_messages(const uint8_t* data, size_t size) {
    FuzzedDataProvider input(data, size);
    FakeMemory memory(1 << 16, 0);
    const FileDescriptor event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    const SocketPair backend_requests = make_socket_pair();
    SocketPair pair = make_socket_pair();

    // All messages are sent before the first is handled: one thread is enough, and the end of
    // the stream ends the loop.
    constexpr int kBufferSize = 1 << 20;
    ::setsockopt(pair.ours.get(), SOL_SOCKET, SO_SNDBUF, &kBufferSize, sizeof(kBufferSize));
    for (int count = 0; count < 64 && input.remaining_bytes() != 0; ++count) {
        std::vector<std::byte> bytes;
        if (input.ConsumeIntegralInRange(0, 15) == 0) {
            bytes = input.ConsumeBytes<std::byte>(input.ConsumeIntegralInRange<size_t>(0, 64));
        } else {
            const auto request = input.ConsumeIntegralInRange<uint32_t>(0, 44);
            const bool need_reply = input.ConsumeBool();
            const auto payload =
                input.ConsumeBytes<std::byte>(input.ConsumeIntegralInRange<size_t>(0, 300));
            const vhost::VuHeader header{request,
                                         vhost::kVersion | (need_reply ? vhost::kFlagNeedReply : 0),
                                         static_cast<uint32_t>(payload.size())};
            const auto* head = reinterpret_cast<const std::byte*>(&header);
            bytes.assign(head, head + sizeof(header));
            bytes.insert(bytes.end(), payload.begin(), payload.end());
        }
        const int kinds[] = {memory.regions()[0]->file.get(), event.get(),
                             backend_requests.theirs.get()};
        const std::vector<int> fds(input.ConsumeIntegralInRange<size_t>(0, 10),
                                   input.PickValueInArray(kinds));
        send_all(pair.ours.get(), bytes, fds);
    }
    ::shutdown(pair.ours.get(), SHUT_WR);

    FuzzDevice device;
    vhost::EventLoop loop;
    const vhost::Machine machine{.logger = std::make_shared<spdlog::logger>("fuzz"),
                                 .memory = std::make_shared<vhost::RegionMapper>(),
                                 .receiver = nullptr};
    auto connection =
        std::make_unique<vhost::Connection>(std::move(pair.theirs), FileDescriptor(), device, loop,
                                            signaller(), machine, [&loop] { loop.stop(); });
    loop.run();
}

}  // namespace
}  // namespace vrdma::test

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    vrdma::test::fuzz_messages(data, size);
    return 0;
}
