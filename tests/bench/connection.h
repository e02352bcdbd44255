// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <sys/mman.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <utility>

#include "rnic/embedded/embedded_rnic.h"
#include "rxe_client.h"
#include "support/captured_log.h"

namespace vrdma::embedded::bench {

// Memory of a guest: shared, page-aligned and touched, as a VM's RAM is.
class GuestRam {
  public:
    explicit GuestRam(size_t size) : size_(size) {
        void* data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
        if (data == MAP_FAILED) {
            throw std::bad_alloc();
        }
        data_ = static_cast<std::byte*>(data);
    }
    ~GuestRam() { ::munmap(data_, size_); }
    GuestRam(const GuestRam&) = delete;
    GuestRam& operator=(const GuestRam&) = delete;

    std::span<std::byte> bytes() const { return {data_, size_}; }

  private:
    std::byte* data_;
    size_t size_;
};

struct End {
    End(rnic::Rnic& rnic, const std::string& name, uint8_t address, size_t size)
        : guest(rnic, name, address),
          ram(size),
          mr(guest.reg_mr(ram.bytes(), kAccessLocalWrite | kAccessRemoteWrite | kAccessRemoteRead)),
          send_cq(guest.make_cq(1023)),
          recv_cq(guest.make_cq(1023)),
          qp(guest.make_qp(send_cq, recv_cq, {.send_wr = 255, .recv_wr = 255})) {}

    test::Guest guest;
    GuestRam ram;
    test::ClientMr mr;
    test::ClientCq send_cq;
    test::ClientCq recv_cq;
    test::ClientQp qp;
};

// For programs whose instructions are counted. Callgrind makes all work slow, and what the RNIC
// does about slow work would depend on the machine. So each reading is 100 ns later than the one
// before; the machine's clock is read all the same, since that takes instructions of the RNIC.
class CountedClock final : public Clock {
  public:
    uint64_t now_ns() override {
        const auto read = std::chrono::steady_clock::now().time_since_epoch().count();
        asm volatile("" : : "r"(read));
        return now_ns_ += 100;
    }
    void sleep_ns(uint64_t) override {}

  private:
    uint64_t now_ns_ = 0;
};

// Two guests of one RNIC that is stepped, connected with each other.  Everything runs
// on the calling thread, so what is measured is the work, not the scheduler.
struct Connection {
    explicit Connection(size_t size, std::shared_ptr<Clock> clock = nullptr)
        : rnic(make_embedded_rnic({.threads = 0, .clock = std::move(clock)},
                                  vrdma::test::silent_logger())),
          a(*rnic, "alice", 1, size),
          b(*rnic, "bob", 2, size) {
        test::connect(a.qp, b.qp);
        while (rnic->poll_once()) {
        }
    }

    std::unique_ptr<EmbeddedRnic> rnic;
    End a;
    End b;
};

}  // namespace vrdma::embedded::bench
