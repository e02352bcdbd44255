// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "hostile/choices.h"
#include "hostile/guest_verbs.h"
#include "hostile/machine.h"
#include "rxe_client.h"

namespace vrdma::hostile {

// One guest that does nothing but transfers, with one queue pair.
class HonestGuest {
  public:
    static constexpr uint64_t kMemory = uint64_t{256} << 10;

    HonestGuest(const std::string& socket, uint8_t address, bool packed);

    void connect(const HonestGuest& peer);
    std::span<std::byte> memory();
    embedded::Sge sge(uint64_t offset, uint32_t length) const;

    // Waits for the completion of the work request `wr_id`.  Throws unless it is a success.
    void wait(embedded::test::ClientCq& cq, uint64_t wr_id);
    void post_send(const embedded::test::SendWr& wr);
    void post_recv(uint64_t wr_id, uint64_t offset, uint32_t length);

    embedded::test::ClientCq send_cq;
    embedded::test::ClientCq recv_cq;
    uint32_t rkey() const { return mr_.rkey; }
    uint32_t qp_number() const { return qp_.number; }
    const rnic::Gid& gid() const { return gid_; }

  private:
    void arm(embedded::test::ClientCq& cq);

    Machine machine_;
    GuestVerbs verbs_{machine_};
    rnic::Gid gid_;
    uint32_t uctx_ = 0;
    uint64_t memory_ = 0;
    GuestVerbs::Mr mr_{};
    GuestVerbs::Qp qp_{};
    embedded::test::ClientQp client_;
};

// Two guests that write, read and send to each other, and compare what arrives.
class HonestPair {
  public:
    HonestPair(const std::string& name, const std::string& socket, const std::string& peer_socket,
               uint8_t address, uint64_t seed);

    // One transfer.  Throws std::runtime_error when it fails, or what arrives is wrong.
    void transfer();

    uint64_t transfers() const { return transfers_; }
    uint64_t bytes() const { return bytes_; }
    const std::string& name() const { return name_; }
    const HonestGuest& a() const { return a_; }
    const HonestGuest& b() const { return b_; }

  private:
    const std::string name_;
    RandomChoices choices_;
    HonestGuest a_;
    HonestGuest b_;
    uint64_t transfers_ = 0;
    uint64_t bytes_ = 0;
};

}  // namespace vrdma::hostile
