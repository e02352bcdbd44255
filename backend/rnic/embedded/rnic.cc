// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include <infiniband/verbs.h>
#include <rdma/ib_user_ioctl_verbs.h>
#include <vrdma_doorbell.h>
#include <vrdma_udata.h>

#include <array>
#include <cstddef>
#include <stdexcept>

#include "rnic/embedded/embedded_rnic.h"
#include "rnic/embedded/port.h"
#include "rnic/embedded/rings/rxe_abi.h"
#include "rnic/embedded/rnic_state.h"
#include "rnic/live_objects.h"

namespace vrdma::embedded {
namespace {

constexpr uint32_t kRxeUverbsAbi = 2;
constexpr uint64_t kSystemImageGuid = 0x0276726400000001;  // locally administered

// MODIFY_SRQ: librxe wants the struct mminfo of a resized queue there.
constexpr std::array kPointers{
    vrdma_udata_pointer{
        .opcode = VRDMA_CMD_MODIFY_SRQ,
        .offset = offsetof(rxe_modify_srq_cmd, mmap_info_addr),
        .flags = 0,
        .length = sizeof(mminfo),
        .terms = {},
    },
};

void check(const EmbeddedLimits& limits) {
    // A key has 24 bits for the index, one of which tells windows from regions; handles of queues
    // are doorbell numbers.
    if (limits.max_mr >= 1u << 23 || limits.max_mw >= 1u << 23 ||
        limits.max_qp > VRDMA_DB_MAX_HANDLES || limits.max_cq > VRDMA_DB_MAX_HANDLES) {
        throw std::invalid_argument("embedded RNIC: limit out of range");
    }
}

// Holds all workers outside the gate.
class EnginePause final : public rnic::Rnic::Pause {
  public:
    explicit EnginePause(std::shared_ptr<RnicState> state)
        : state_(std::move(state)), stop_(state_->engine.gate()) {}

  private:
    const std::shared_ptr<RnicState> state_;
    const Gate::Stop stop_;
};

class Rnic final : public EmbeddedRnic {
  public:
    Rnic(const EmbeddedConfig& config, std::shared_ptr<spdlog::logger> logger)
        : name_(config.name), state_(std::make_shared<RnicState>(config, std::move(logger))) {}

    std::string name() const override { return name_; }
    rnic::DeviceAttributes attributes() const override;
    void admit(const std::string& guest, const rnic::GuestAdmission& admission) override {
        state_->guests.admit(guest, admission);
    }
    void dismiss(const std::string& guest) override { state_->guests.dismiss(guest); }
    Result<std::unique_ptr<rnic::Port>> open_port(const std::string& guest,
                                                  rnic::EventSink& sink) override {
        return std::make_unique<EmbeddedPort>(state_, guest, sink);
    }
    std::span<const vrdma_udata_pointer> udata_pointers() const override { return kPointers; }
    EmbeddedCounters counters() const override {
        EmbeddedCounters counters{rnic::counts_of(state_->usage)};
        counters.ring_bytes = state_->usage.ring_bytes;
        return counters;
    }
    std::vector<rnic::LiveObjectCount> live_objects() const override {
        auto list = rnic::list_of(state_->usage);
        list.push_back({"ring_bytes", state_->usage.ring_bytes});
        return list;
    }
    std::chrono::nanoseconds paused() const override { return state_->engine.paused(); }
    uint64_t pauses() const override { return state_->engine.pauses(); }
    void wait_for_threads() override { const Gate::Pause pause(state_->engine.gate()); }
    std::unique_ptr<rnic::Rnic::Pause> pause() override {
        return std::make_unique<EnginePause>(state_);
    }
    bool poll_once() override { return state_->engine.poll_once(); }

  private:
    const std::string name_;
    const std::shared_ptr<RnicState> state_;
};

// The RNIC reports itself as the kernel's rxe does.
rnic::DeviceAttributes Rnic::attributes() const {
    const EmbeddedLimits& limits = state_->limits;
    rnic::DeviceAttributes a;
    a.node_guid = kSystemImageGuid;
    a.sys_image_guid = kSystemImageGuid;
    a.max_mr_size = ~uint64_t{0};
    a.page_size_cap = 0xfffff000;
    a.device_cap_flags = IB_UVERBS_DEVICE_CURR_QP_STATE_MOD | IB_UVERBS_DEVICE_SYS_IMAGE_GUID |
                         IB_UVERBS_DEVICE_RC_RNR_NAK_GEN | IB_UVERBS_DEVICE_MEM_MGT_EXTENSIONS |
                         IB_UVERBS_DEVICE_SRQ_RESIZE | IB_UVERBS_DEVICE_MEM_WINDOW |
                         IB_UVERBS_DEVICE_MEM_WINDOW_TYPE_2B;
    a.vendor_id = 0xffffff;
    a.max_qp = limits.max_qp;
    a.max_qp_wr = limits.max_qp_wr;
    a.max_send_sge = kMaxSge;
    a.max_recv_sge = kMaxSge;
    a.max_sge_rd = kMaxSge;
    a.max_cq = limits.max_cq;
    a.max_cqe = limits.max_cqe;
    a.max_mr = limits.max_mr;
    a.max_mw = limits.max_mw;
    a.max_mcast_grp = kMaxGroups;
    a.max_mcast_qp_attach = kMaxGroupMembers;
    a.max_pd = limits.max_pd;
    a.max_qp_rd_atom = kMaxRdAtomic;
    a.max_res_rd_atom = kMaxRdAtomic * limits.max_qp;
    a.max_qp_init_rd_atom = kMaxRdAtomic;
    a.atomic_cap = IBV_ATOMIC_HCA;
    a.max_ah = limits.max_ah;
    a.max_srq = limits.max_srq;
    a.max_srq_wr = limits.max_srq_wr;
    a.max_srq_sge = kMaxSge;
    a.max_pkeys = 1;
    a.local_ca_ack_delay = 15;
    a.max_inline_data = kMaxInline;
    a.max_fast_reg_pages = kMaxFastRegPages;
    a.driver_id = RDMA_DRIVER_RXE;
    a.uverbs_abi_version = kRxeUverbsAbi;
    a.has_srq = true;
    a.has_mw = true;
    a.has_rereg_mr = true;
    a.has_resize_cq = true;
    a.has_mcast = true;
    a.kernel_verbs = true;
    a.has_counters = true;
    return a;
}

}  // namespace

std::unique_ptr<EmbeddedRnic> make_embedded_rnic(const EmbeddedConfig& config,
                                                 std::shared_ptr<spdlog::logger> logger) {
    check(config.limits);
    return std::make_unique<Rnic>(config, std::move(logger));
}

}  // namespace vrdma::embedded
