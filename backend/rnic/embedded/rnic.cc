// SPDX-License-Identifier: Apache-2.0
#include <rdma/ib_user_ioctl_verbs.h>
#include <vrdma_udata.h>

#include <array>
#include <cstddef>
#include <cstdlib>

#include "rnic/embedded/embedded_rnic.h"
#include "rnic/embedded/engine.h"
#include "rnic/embedded/port.h"
#include "rnic/verbs_abi.h"

namespace vrdma::embedded {
namespace {

constexpr uint32_t kRxeUverbsAbi = 2;
constexpr uint64_t kSystemImageGuid = 0x0276726400000001;  // locally administered

// MODIFY_SRQ: where librxe wants the struct mminfo of a resized queue.
constexpr std::array kPointers{
    vrdma_udata_pointer{
        .opcode = VRDMA_CMD_MODIFY_SRQ,
        .offset = offsetof(rxe_modify_srq_cmd, mmap_info_addr),
        .flags = 0,
        .length = sizeof(mminfo),
        .terms = {},
    },
};

class Rnic final : public EmbeddedRnic {
  public:
    Rnic(const EmbeddedConfig& config, std::shared_ptr<spdlog::logger> logger)
        : name_(config.name), engine_(std::make_shared<Engine>(config, std::move(logger))) {}

    std::string name() const override { return name_; }
    rnic::DeviceAttributes attributes() const override;
    Result<std::unique_ptr<rnic::Port>> open_port(const std::string& guest,
                                                  rnic::EventSink& sink) override {
        return std::make_unique<EmbeddedPort>(engine_, guest, sink);
    }
    std::span<const vrdma_udata_pointer> udata_pointers() const override { return kPointers; }
    EmbeddedCounters counters() const override;
    std::vector<rnic::LiveObjectCount> live_objects() const override;
    bool poll_once() override {
        bool busy = false;
        for (auto& worker : engine_->workers) busy |= worker->poll_once();
        return busy;
    }

  private:
    std::string name_;
    std::shared_ptr<Engine> engine_;
};

// As the kernel's rxe reports itself.
rnic::DeviceAttributes Rnic::attributes() const {
    const EmbeddedLimits& limits = engine_->limits;
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
    a.atomic_cap = 1;  // IB_ATOMIC_HCA
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
    return a;
}

std::vector<rnic::LiveObjectCount> Rnic::live_objects() const {
    const EmbeddedCounters now = counters();
    return {
        {"ports", now.ports},
        {"contexts", now.contexts},
        {"protection_domains", now.protection_domains},
        {"memory_regions", now.memory_regions},
        {"memory_windows", now.memory_windows},
        {"completion_queues", now.completion_queues},
        {"shared_receive_queues", now.shared_receive_queues},
        {"queue_pairs", now.queue_pairs},
        {"address_handles", now.address_handles},
        {"ring_bytes", now.ring_bytes},
    };
}

EmbeddedCounters Rnic::counters() const {
    const LiveObjects& live = engine_->live;
    return {.ports = live.ports,
            .contexts = live.contexts,
            .protection_domains = live.protection_domains,
            .memory_regions = live.memory_regions,
            .memory_windows = live.memory_windows,
            .completion_queues = live.completion_queues,
            .shared_receive_queues = live.shared_receive_queues,
            .queue_pairs = live.queue_pairs,
            .address_handles = live.address_handles,
            .ring_bytes = live.ring_bytes};
}

}  // namespace

std::unique_ptr<EmbeddedRnic> make_embedded_rnic(const EmbeddedConfig& config,
                                                 std::shared_ptr<spdlog::logger> logger) {
    return std::make_unique<Rnic>(config, std::move(logger));
}

}  // namespace vrdma::embedded
