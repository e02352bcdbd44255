// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <functional>
#include <memory>
#include <numeric>
#include <vector>

#include "rnic/embedded/embedded_rnic.h"
#include "rxe_client.h"
#include "support/captured_log.h"

namespace vrdma::embedded::test {

// A clock that stands still until it is told otherwise.
class FakeClock : public Clock {
  public:
    uint64_t now_ns() override {
        if (on_read) {
            on_read();
        }
        return now_;
    }
    void advance(uint64_t nanoseconds) { now_ += nanoseconds; }
    // Called before the clock is read, and may have it go on.
    std::function<void()> on_read;
    void sleep_ns(uint64_t duration) override { slept_ += duration; }
    // What verbs have waited for.
    uint64_t slept_ns() const { return slept_; }

  private:
    uint64_t now_ = 1'000'000'000;
    uint64_t slept_ = 0;
};

// An RNIC that works only when it is stepped, and the clock that it goes by.
class SteppedRnic : public ::testing::Test {
  protected:
    SteppedRnic() {
        EmbeddedConfig config;
        config.threads = 0;
        config.clock = clock;
        rnic = make_embedded_rnic(config, vrdma::test::silent_logger());
    }

    // Steps until there is nothing left to do.
    void settle() {
        for (unsigned rounds = 0; rnic->poll_once(); ++rounds) {
            ASSERT_LT(rounds, 100'000u) << "the engine never comes to rest";
        }
    }

    std::shared_ptr<FakeClock> clock = std::make_shared<FakeClock>();
    std::unique_ptr<EmbeddedRnic> rnic;
};

// Memory with a pattern that tells every offset from its neighbours.
inline std::vector<std::byte> pattern(size_t size, unsigned seed = 1) {
    std::vector<std::byte> bytes(size);
    uint32_t x = seed * 2654435761u + 1;
    for (auto& byte : bytes) {
        x = x * 1664525u + 1013904223u;
        byte = static_cast<std::byte>(x >> 24);
    }
    return bytes;
}

constexpr uint32_t kAllAccess =
    kAccessLocalWrite | kAccessRemoteWrite | kAccessRemoteRead | kAccessRemoteAtomic;

// One end of a connection: a guest with memory, a CQ for each direction and a QP.
struct End {
    End(rnic::Rnic& rnic, const std::string& name, uint8_t address, const QpOptions& options = {},
        size_t memory_size = size_t{64} * 1024)
        : guest(rnic, name, address),
          memory(memory_size),
          mr(guest.reg_mr(memory, kAllAccess)),
          send_cq(guest.make_cq(63)),
          recv_cq(guest.make_cq(63)),
          qp(guest.make_qp(send_cq, recv_cq, options)) {}

    void fill(size_t offset, const std::vector<std::byte>& bytes) {
        std::memcpy(memory.data() + offset, bytes.data(), bytes.size());
    }
    std::vector<std::byte> bytes(size_t offset, size_t length) const {
        return {memory.begin() + static_cast<ptrdiff_t>(offset),
                memory.begin() + static_cast<ptrdiff_t>(offset + length)};
    }
    void post_recv(uint64_t wr_id, uint64_t offset, uint32_t length) {
        ASSERT_TRUE(qp.post_recv(wr_id, std::array{mr.sge(offset, length)}));
    }

    Guest guest;
    std::vector<std::byte> memory;
    ClientMr mr;
    ClientCq send_cq;
    ClientCq recv_cq;
    ClientQp qp;
};

// Two guests with one queue pair each, not connected yet.
class TwoGuests : public SteppedRnic {
  protected:
    explicit TwoGuests(const QpOptions& options = {}, size_t memory_size = size_t{64} * 1024)
        : a(*rnic, "alice", 1, options, memory_size), b(*rnic, "bob", 2, options, memory_size) {}

    SendWr write_wr(uint64_t local, uint64_t remote, uint32_t length) const {
        return {.wr_id = 7,
                .opcode = WrOpcode::kRdmaWrite,
                .remote_address = b.mr.iova + remote,
                .rkey = b.mr.rkey(),
                .sges = {a.mr.sge(local, length)}};
    }
    SendWr read_wr(uint64_t local, uint64_t remote, uint32_t length) const {
        SendWr wr = write_wr(local, remote, length);
        wr.opcode = WrOpcode::kRdmaRead;
        return wr;
    }
    SendWr send_wr(uint64_t local, uint32_t length) const {
        return {.wr_id = 7, .opcode = WrOpcode::kSend, .sges = {a.mr.sge(local, length)}};
    }

    End a;
    End b;
};

// The one completion that is there.
inline ib_uverbs_wc only_completion(ClientCq& cq) {
    const auto wc = cq.poll();
    EXPECT_TRUE(wc.has_value()) << "no completion";
    EXPECT_FALSE(cq.poll().has_value()) << "more than one completion";
    return wc.value_or(ib_uverbs_wc{});
}

inline WcStatus status_of(const ib_uverbs_wc& wc) {
    return static_cast<WcStatus>(wc.status);
}
inline WcOpcode opcode_of(const ib_uverbs_wc& wc) {
    return static_cast<WcOpcode>(wc.opcode);
}

}  // namespace vrdma::embedded::test
