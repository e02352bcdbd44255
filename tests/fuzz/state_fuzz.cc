// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// What a guest has as its daemon's successor gets it, with changes that the input decides. Whatever
// they are: the successor refuses the guest, or serves it; the honest guests beside it keep what
// they have, and in the end all that the guest held is free.
#include <fcntl.h>
#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <random>
#include <vector>

#include "device/verbs/object_state.h"
#include "hostile/bare_machine.h"
#include "hostile/guest_verbs.h"
#include "rnic/embedded/embedded_rnic.h"
#include "rnic/verbs_abi.h"
#include "rxe_client.h"
#include "state/device.pb.h"
#include "state/files.h"
#include "support/captured_log.h"
#include "support/changed_message.h"

namespace {

using namespace vrdma;
using hostile::BareMachine;
using hostile::GuestVerbs;
using hostile::require;

constexpr int kMaxChanges = 8;
constexpr int kSlices = 64;
constexpr uint64_t kBytes = 4096;

std::unique_ptr<embedded::EmbeddedRnic> make_rnic() {
    embedded::EmbeddedConfig config;
    config.threads = 0;
    return embedded::make_embedded_rnic(config, test::silent_logger());
}

// A guest that writes to itself.
struct Honest {
    explicit Honest(embedded::EmbeddedRnic& rnic)
        : guest(rnic, "honest", 9),
          mr(guest.reg_mr(memory, embedded::kAccessLocalWrite | embedded::kAccessRemoteWrite)),
          cq(guest.make_cq(15)),
          qp(guest.make_qp(cq, cq)),
          peer(guest.make_qp(cq, cq)) {
        embedded::test::connect(qp, peer);
    }

    embedded::test::Guest guest;
    std::vector<std::byte> memory = std::vector<std::byte>(2 * kBytes);
    embedded::test::ClientMr mr;
    embedded::test::ClientCq cq;
    embedded::test::ClientQp qp;
    embedded::test::ClientQp peer;
};

// A guest with an object of each kind, and what a successor gets of it.  The honest guest has the
// numbers that it has in the successor's RNIC as well.
class Predecessor {
  public:
    Predecessor() : rnic_(make_rnic()), honest_(*rnic_), machine_(*rnic_, "a"), verbs_(machine_) {
        make_objects();
        const auto pause = rnic_->pause();
        require(device::save_objects(machine_.verbs(), session_, files_).has_value());
    }

    const state::Session& session() const { return session_; }
    const memory::GuestMemory& memory() const { return machine_.guest_memory(); }
    std::vector<FileDescriptor> files() const {
        std::vector<FileDescriptor> copies;
        for (const int fd : files_.all()) {
            copies.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
        }
        return copies;
    }

  private:
    void make_objects() {
        verbs_.map_doorbells();
        rnic::Gid gid{};
        gid[10] = gid[11] = 0xff;
        gid[15] = 1;
        verbs_.add_gid(0, gid);
        const uint32_t uctx = verbs_.alloc_ucontext();
        const uint32_t pd = verbs_.alloc_pd(uctx);
        const uint64_t memory = machine_.memory().allocate(kBytes, kBytes);
        verbs_.reg_mr(uctx, pd, memory, kBytes, memory,
                      rnic::kAccessLocalWrite | rnic::kAccessRemoteWrite);
        const uint32_t cq = verbs_.create_cq(uctx, 15, 0).handle;
        const auto qp = verbs_.create_qp(uctx, {.pd = pd,
                                                .send_cq = cq,
                                                .recv_cq = cq,
                                                .type = static_cast<uint8_t>(rnic::QpType::kRc),
                                                .send_wr = 7,
                                                .recv_wr = 7,
                                                .sge = 1,
                                                .inline_data = 0});
        connect(uctx, qp, gid);
        verbs_.create_srq(uctx, pd, 7);
        verbs_.alloc_mw(uctx, pd, 1);
        verbs_.create_ah(uctx, pd, gid);
    }

    // To itself.
    void connect(uint32_t uctx, const GuestVerbs::Qp& qp, const rnic::Gid& gid) {
        vrdma_qp_attr attributes{};
        attributes.qp_state = static_cast<uint8_t>(rnic::QpState::kInit);
        attributes.port = 1;
        attributes.qp_access_flags = htole32(rnic::kAccessRemoteWrite);
        verbs_.modify_qp(
            uctx, qp.handle,
            rnic::kAttrState | rnic::kAttrPkeyIndex | rnic::kAttrPort | rnic::kAttrAccessFlags,
            attributes);
        attributes.qp_state = static_cast<uint8_t>(rnic::QpState::kReadyToReceive);
        attributes.path_mtu = 3;
        attributes.dest_qp_num = htole32(qp.number);
        attributes.ah = GuestVerbs::path_to(gid);
        verbs_.modify_qp(uctx, qp.handle,
                         rnic::kAttrState | rnic::kAttrAddressVector | rnic::kAttrPathMtu |
                             rnic::kAttrDestQpn | rnic::kAttrRqPsn | rnic::kAttrMaxDestRdAtomic |
                             rnic::kAttrMinRnrTimer,
                         attributes);
        attributes.qp_state = static_cast<uint8_t>(rnic::QpState::kReadyToSend);
        verbs_.modify_qp(uctx, qp.handle,
                         rnic::kAttrState | rnic::kAttrTimeout | rnic::kAttrRetryCount |
                             rnic::kAttrRnrRetry | rnic::kAttrSqPsn | rnic::kAttrMaxRdAtomic,
                         attributes);
    }

    std::unique_ptr<embedded::EmbeddedRnic> rnic_;
    Honest honest_;
    BareMachine machine_;
    GuestVerbs verbs_;
    state::Session session_;
    state::FilesToSend files_;
};

// The successor's RNIC, with an honest guest.
class Successor {
  public:
    Successor() : rnic_(make_rnic()), honest_(*rnic_) {}

    // Whether the guest is served.
    bool take(const state::Session& session, std::vector<FileDescriptor> files,
              const memory::GuestMemory& memory) {
        transfer();
        const auto before = rnic_->counters();
        bool restored = false;
        {
            auto pause = rnic_->pause();
            BareMachine machine(*rnic_, "a");
            state::ReceivedFiles received(std::move(files));
            device::Restoring restoring{
                .verbs = machine.verbs(), .files = received, .memory = memory};
            restored = device::restore_objects(restoring, session).has_value();
            pause.reset();
            for (int i = 0; i < kSlices; ++i) {
                rnic_->poll_once();
            }
            transfer();
        }
        require(rnic_->counters() == before);
        return restored;
    }

  private:
    void transfer() {
        honest_.memory[0] = static_cast<std::byte>(++fill_);
        require(honest_.qp.post_send({.wr_id = fill_,
                                      .opcode = embedded::WrOpcode::kRdmaWrite,
                                      .remote_address = honest_.mr.iova + kBytes,
                                      .rkey = honest_.mr.rkey(),
                                      .sges = {honest_.mr.sge(0, 8)}}));
        std::optional<ib_uverbs_wc> wc;
        for (int slices = 0; !wc; ++slices) {
            require(slices < 10'000);
            rnic_->poll_once();
            wc = honest_.cq.poll();
        }
        require(wc->wr_id == fill_ && wc->status == 0 &&
                honest_.memory[kBytes] == honest_.memory[0]);
    }

    std::unique_ptr<embedded::EmbeddedRnic> rnic_;
    Honest honest_;
    uint64_t fill_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const Predecessor kPredecessor;
    static Successor successor;
    FuzzedDataProvider input(data, size);
    state::Session session = kPredecessor.session();
    int changes = 0;
    for (; input.remaining_bytes() != 0 && changes < kMaxChanges; ++changes) {
        std::minstd_rand random(1U + input.ConsumeIntegral<uint16_t>());
        test::change_some(session, random);
    }
    const bool served = successor.take(session, kPredecessor.files(), kPredecessor.memory());
    require(served || changes != 0);
    return 0;
}
