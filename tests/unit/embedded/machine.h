// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// A guest whose objects can move from one RNIC to the next, as they do when the daemon is replaced.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "fixture.h"
#include "state/device.pb.h"
#include "state/files.h"
#include "support/fake_memory.h"

namespace vrdma::embedded::test {

// All that a guest has in one RNIC.  What depends on others is destroyed before them.
struct Estate {
    std::unique_ptr<rnic::Port> port;
    std::unique_ptr<rnic::Context> context;
    std::unique_ptr<rnic::ProtectionDomain> pd;
    std::vector<std::unique_ptr<rnic::MemoryRegion>> mrs;
    std::vector<std::unique_ptr<rnic::CompletionQueue>> cqs;
    std::vector<std::unique_ptr<rnic::SharedReceiveQueue>> srqs;
    std::vector<std::unique_ptr<rnic::AddressHandle>> ahs;
    std::vector<std::unique_ptr<rnic::QueuePair>> qps;
    std::vector<std::unique_ptr<rnic::MemoryWindow>> mws;
};

// A state and its files, as they have arrived.
struct Arrived {
    state::Session session;
    std::vector<FileDescriptor> files;
};

class Machine {
  public:
    static constexpr uint64_t kRamStart = 0x100000;
    static constexpr uint64_t kRamSize = 16 << 20;
    static constexpr uint32_t kHalf = 1 << 20;  // bytes: of the region's two runs of memory
    static constexpr uint32_t kAccess = kAllAccess | kAccessMwBind;

    Machine(rnic::Rnic& rnic, const std::string& name, uint8_t address);

    ClientCq& add_cq(uint32_t cqe = 63, uint32_t comp_vector = 0);
    ClientQp& add_qp(const QpOptions& options = {}, ClientSrq* srq = nullptr,
                     ClientCq* recv_cq = nullptr);
    // Destroys the last queue pair.
    void drop_qp();
    ClientSrq& add_srq(uint32_t max_wr = 15, uint32_t max_sge = 2);
    ClientAh& add_ah(const rnic::Gid& to);
    rnic::MemoryWindow& add_mw(uint8_t type);
    ClientMr& add_dma_mr();
    // Its description is at `description` in the RAM.
    ClientMr& add_fast_mr(uint32_t max_pages, uint64_t& description);
    ClientMr& mr() { return mrs.front(); }
    ClientCq& send_cq() { return cqs.at(0); }
    ClientCq& recv_cq() { return cqs.at(1); }

    // These are of the first region, in whose middle its memory begins anew.
    void fill(uint32_t offset, const std::vector<std::byte>& bytes);
    std::vector<std::byte> bytes(uint32_t offset, uint32_t length) const;

    // The state of all that there is.
    Arrived save() const;
    // The same with a file of rings of its own, which holds what the rings do now.
    Arrived save_copy() const;
    // Makes all of it again in another RNIC, in a pause.
    Result<Estate> restore(rnic::Rnic& rnic, Arrived arrived);
    // Uses what restore() has made from here on.
    void use(Estate estate);

    vrdma::test::FakeMemory ram{kRamSize, kRamStart};
    Guest guest;
    std::vector<Estate> formers;
    std::deque<ClientMr> mrs;
    std::deque<ClientCq> cqs;
    std::deque<ClientSrq> srqs;
    std::deque<ClientAh> ahs;
    std::deque<ClientQp> qps;
    std::deque<std::unique_ptr<rnic::MemoryWindow>> mws;

  private:
    Estate take_all();

    struct Parents {
        uint32_t recv_cq;
        int srq;  // -1: none
    };
    const std::string name_;
    std::array<uint64_t, 2> halves_{};  // where the region is in the RAM
    std::vector<Parents> parents_;      // by QP
};

// Two guests of an RNIC that is stepped, and that is replaced by another one.
class HandOver : public SteppedRnic {
  protected:
    // All that there is goes to a successor, in the order of `machines`.  `on_the_way` may change
    // what arrives of each.
    using OnTheWay = std::function<void(const Machine& machine, Arrived& arrived)>;
    void hand_over(
        const std::vector<Machine*>& machines,
        const OnTheWay& on_the_way = [](const Machine&, Arrived&) {});
    void hand_over() { hand_over({&alice, &bob}); }
    std::unique_ptr<EmbeddedRnic> make_rnic() const;

    SendWr write_wr(uint32_t local, uint32_t remote, uint32_t length) {
        return {.wr_id = 7,
                .opcode = WrOpcode::kRdmaWrite,
                .remote_address = bob.mr().iova + remote,
                .rkey = bob.mr().rkey(),
                .sges = {alice.mr().sge(local, length)}};
    }
    SendWr send_wr(uint32_t local, uint32_t length) {
        return {.wr_id = 7, .opcode = WrOpcode::kSend, .sges = {alice.mr().sge(local, length)}};
    }

    Machine alice{*rnic, "alice", 1};
    Machine bob{*rnic, "bob", 2};

  private:
    std::vector<std::unique_ptr<rnic::Rnic::Pause>> pauses_;
};

}  // namespace vrdma::embedded::test
