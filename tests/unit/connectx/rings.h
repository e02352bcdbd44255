// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Rings of the modelled ConnectX, as libmlx5 writes and reads them, with libmlx5's own layouts.
#pragma once

#include <infiniband/mlx5dv.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <type_traits>
#include <vector>

#include "fake_host.h"

namespace vrdma::connectx {

using Bytes = std::vector<uint8_t>;

enum Type : unsigned { kRc = 0, kUc = 1, kUd = 2 };
enum State : unsigned { kRts = 3, kSqError = 4, kError = 6 };

constexpr uint32_t kQkey = 0x11111111;
constexpr uint32_t kMulticastQpn = 0xffffff;
constexpr size_t kBlock = 64;

// A work request of a send queue, behind the control segment.
class Request {
  public:
    explicit Request(uint8_t opcode) : opcode(opcode) {}

    Request& data(uint64_t address, uint32_t lkey, uint32_t length);
    // Data in the request itself; the length that it claims may be another.
    Request& inline_data(const Bytes& bytes, std::optional<uint32_t> claimed = {});
    Request& remote(uint64_t address, uint32_t rkey);
    Request& atomic(uint64_t swap_add, uint64_t compare);
    Request& datagram(const FakePath& path, uint8_t service_level = 0);
    Request& raw(const Bytes& bytes);

    uint8_t opcode;
    uint8_t flags = MLX5_WQE_CTRL_CQ_UPDATE;
    uint32_t immediate = 0;
    // What the control segment says in place of what is right.
    std::optional<uint32_t> qpn;
    std::optional<uint16_t> index;
    std::optional<uint8_t> segments;

    Bytes body;

  private:
    template <typename Segment>
    Request& add(const Segment& segment) {
        static_assert(std::is_trivially_copyable_v<Segment>);
        const auto* bytes = reinterpret_cast<const uint8_t*>(&segment);
        body.insert(body.end(), bytes, bytes + sizeof(segment));
        return *this;
    }
};

class Machine;

// A queue pair with a completion queue of its own.
class QueuePair {
  public:
    QueuePair(Machine& machine, Type type, unsigned cq_log, bool may_overrun);

    void connect(const FakePath& path);
    // Puts a request into the ring, and tells nobody.
    void write(const Request& request);
    // Says in the doorbell record how far the send queue is posted, and rings.
    void ring();
    void post(const Request& request) {
        write(request);
        ring();
    }
    void post_receive(uint64_t address, uint32_t lkey, uint32_t length);
    // The next entry of the completion queue, if the adapter has written it.  It is the adapter's
    // again.
    std::optional<mlx5_cqe64> poll();
    // That of an entry with an error.
    static uint8_t syndrome(const mlx5_cqe64& cqe);
    unsigned state() const;
    FakePath here(bool global = false) const;

    FakeQp qp;
    FakeCq cq;
    uint16_t posted = 0;  // blocks of the send queue
    uint16_t receives = 0;
    uint32_t polled = 0;

  private:
    Machine& machine_;
};

// A host with a protection domain, an event queue and memory that a key is for.
class Machine {
  public:
    static constexpr unsigned kPages = 8;

    explicit Machine(uint16_t lid);
    ~Machine() { fake_host_free(host); }
    Machine(const Machine&) = delete;
    Machine& operator=(const Machine&) = delete;

    QueuePair make(Type type, unsigned cq_log = 6, bool may_overrun = false) {
        return {*this, type, cq_log, may_overrun};
    }
    uint8_t* memory(uint64_t at) const { return fake_host_memory(host) + at; }
    void put(uint64_t at, const Bytes& bytes) const;
    Bytes get(uint64_t at, size_t size) const;
    // The kinds of events since the last call (enum mlx5_event).
    std::vector<uint8_t> events();
    unsigned violations() const { return fake_host_violations(host); }

    FakeHost* const host;
    const uint16_t lid;
    const uint32_t uar;
    const uint32_t pd;
    uint64_t eq_ring = 0;
    const uint32_t eq;
    const uint64_t data;  // kPages pages
    const uint32_t key;

  private:
    uint32_t events_ = 0;
};

// Two queue pairs of one machine that are connected.
struct Loop {
    explicit Loop(Type type = kRc, unsigned cq_log = 6, bool may_overrun = false);

    Machine machine;
    QueuePair a;
    QueuePair b;
};

}  // namespace vrdma::connectx
