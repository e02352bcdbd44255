// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vrdma_check.h>

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "device/limits.h"
#include "device/objects/handle_table.h"
#include "device/shm/shm_mapper.h"
#include "device/verbs/objects.h"
#include "memory/guest_memory.h"
#include "rate_limited_log.h"
#include "rnic/rnic.h"

namespace vrdma::device {

// How many objects of each kind a guest holds.
struct ObjectCounts {
    uint32_t contexts = 0;
    uint32_t protection_domains = 0;
    uint32_t memory_regions = 0;
    uint32_t memory_windows = 0;
    uint32_t completion_queues = 0;
    uint32_t shared_receive_queues = 0;
    uint32_t queue_pairs = 0;
    uint32_t address_handles = 0;
    uint32_t multicast_attachments = 0;
    uint32_t ucma_files = 0;
    uint32_t mappings = 0;
    uint64_t registered_bytes = 0;
};

// The doorbell area of the device, as the shared memory region maps it.
struct DoorbellMemory {
    int fd = -1;
    uint64_t length = 0;  // bytes
};

// What a request carries besides its fixed structure.
struct Call {
    uint32_t uctx = VRDMA_NO_HANDLE;
    rnic::Udata udata;
    std::span<const vrdma_run> runs{};  // of a memory region; a private copy
    MemoryUse lasting{};                // of udata.regions, what the new object keeps
    bool cancelled = false;  // set by a verb that waits for the shared memory region in vain
};

// The control verbs of one virtual device: objects by handle, their owners, their
// references and quotas.  Every function answers one command; requests are private
// copies whose own check (vrdma_check.h) has passed.  Not thread-safe.
class Verbs {
  public:
    struct Options {
        std::string guest;  // named in logs
        Limits limits;
        rnic::DeviceAttributes attributes;
        std::span<const vrdma_udata_pointer> udata_pointers{};  // the RNIC's
    };

    // Everything referred to outlives the object.  `memory` gives guest memory as it
    // is at the moment of the call.
    Verbs(Options options, rnic::Port& port, ShmMapper& shm, DoorbellMemory doorbells,
          std::function<std::shared_ptr<const memory::GuestMemory>()> memory,
          std::shared_ptr<spdlog::logger> logger);
    ~Verbs();
    Verbs(const Verbs&) = delete;
    Verbs& operator=(const Verbs&) = delete;

    ObjectCounts counts() const;

    // Destroys everything and takes it out of the shared memory region, which otherwise goes as a
    // whole. The doorbell area stays mapped.
    void release_all();

    std::span<const vrdma_udata_pointer> udata_pointers() const { return options_.udata_pointers; }

    // What the device offers, VRDMA_F_* as a mask.
    uint64_t features() const { return features_; }

    // The host memory behind the runs, which must sum up to `length`.  EINVAL or EFAULT.
    Result<std::vector<memory::PinnedRange>> pin(std::span<const vrdma_run> runs,
                                                 uint64_t length) const;

    Result<void> query_device(Call& call, const vrdma_cmd_empty& request,
                              vrdma_rsp_query_device& response);
    Result<void> query_port(Call& call, const vrdma_cmd_query_port& request,
                            vrdma_rsp_query_port& response);
    Result<void> add_gid(Call& call, const vrdma_cmd_gid& request, vrdma_rsp_empty& response);
    Result<void> del_gid(Call& call, const vrdma_cmd_gid& request, vrdma_rsp_empty& response);
    Result<void> map_doorbells(Call& call, const vrdma_cmd_empty& request,
                               vrdma_rsp_map_doorbells& response);
    Result<void> query_udata_pointer(Call& call, const vrdma_cmd_query_udata_pointer& request,
                                     vrdma_rsp_query_udata_pointer& response);
    Result<void> alloc_ucontext(Call& call, const vrdma_cmd_empty& request,
                                vrdma_rsp_handle& response);
    Result<void> dealloc_ucontext(Call& call, const vrdma_cmd_handle& request,
                                  vrdma_rsp_empty& response);
    Result<void> mmap(Call& call, const vrdma_cmd_mmap& request, vrdma_rsp_mmap& response);
    Result<void> munmap(Call& call, const vrdma_cmd_munmap& request, vrdma_rsp_empty& response);
    Result<void> alloc_pd(Call& call, const vrdma_cmd_empty& request, vrdma_rsp_handle& response);
    Result<void> dealloc_pd(Call& call, const vrdma_cmd_handle& request, vrdma_rsp_empty& response);
    Result<void> reg_mr(Call& call, const vrdma_cmd_reg_mr& request, vrdma_rsp_reg_mr& response);
    Result<void> rereg_mr(Call& call, const vrdma_cmd_rereg_mr& request,
                          vrdma_rsp_reg_mr& response);
    Result<void> dereg_mr(Call& call, const vrdma_cmd_handle& request, vrdma_rsp_empty& response);
    Result<void> get_dma_mr(Call& call, const vrdma_cmd_get_dma_mr& request,
                            vrdma_rsp_reg_mr& response);
    Result<void> alloc_mr(Call& call, const vrdma_cmd_alloc_mr& request,
                          vrdma_rsp_reg_mr& response);
    Result<void> alloc_mw(Call& call, const vrdma_cmd_alloc_mw& request,
                          vrdma_rsp_alloc_mw& response);
    Result<void> dealloc_mw(Call& call, const vrdma_cmd_handle& request, vrdma_rsp_empty& response);
    Result<void> create_cq(Call& call, const vrdma_cmd_create_cq& request,
                           vrdma_rsp_create_cq& response);
    Result<void> resize_cq(Call& call, const vrdma_cmd_resize_cq& request,
                           vrdma_rsp_resize_cq& response);
    Result<void> destroy_cq(Call& call, const vrdma_cmd_handle& request, vrdma_rsp_empty& response);
    Result<void> create_srq(Call& call, const vrdma_cmd_create_srq& request,
                            vrdma_rsp_create_srq& response);
    Result<void> modify_srq(Call& call, const vrdma_cmd_modify_srq& request,
                            vrdma_rsp_empty& response);
    Result<void> query_srq(Call& call, const vrdma_cmd_handle& request,
                           vrdma_rsp_query_srq& response);
    Result<void> destroy_srq(Call& call, const vrdma_cmd_handle& request,
                             vrdma_rsp_empty& response);
    Result<void> create_qp(Call& call, const vrdma_cmd_create_qp& request,
                           vrdma_rsp_create_qp& response);
    Result<void> modify_qp(Call& call, const vrdma_cmd_modify_qp& request,
                           vrdma_rsp_empty& response);
    Result<void> query_qp(Call& call, const vrdma_cmd_query_qp& request,
                          vrdma_rsp_query_qp& response);
    Result<void> destroy_qp(Call& call, const vrdma_cmd_handle& request, vrdma_rsp_empty& response);
    Result<void> create_ah(Call& call, const vrdma_cmd_create_ah& request,
                           vrdma_rsp_handle& response);
    Result<void> query_ah(Call& call, const vrdma_cmd_handle& request,
                          vrdma_rsp_query_ah& response);
    Result<void> destroy_ah(Call& call, const vrdma_cmd_handle& request, vrdma_rsp_empty& response);
    Result<void> attach_mcast(Call& call, const vrdma_cmd_mcast& request,
                              vrdma_rsp_empty& response);
    Result<void> detach_mcast(Call& call, const vrdma_cmd_mcast& request,
                              vrdma_rsp_empty& response);
    Result<void> iw_connect(Call& call, const vrdma_cmd_iw_connect& request,
                            vrdma_rsp_empty& response);
    Result<void> iw_listen(Call& call, const vrdma_cmd_iw_listen& request,
                           vrdma_rsp_empty& response);
    Result<void> iw_accept(Call& call, const vrdma_cmd_iw_accept& request,
                           vrdma_rsp_empty& response);
    Result<void> iw_reject(Call& call, const vrdma_cmd_iw_reject& request,
                           vrdma_rsp_empty& response);
    Result<void> iw_close(Call& call, const vrdma_cmd_handle& request, vrdma_rsp_empty& response);
    Result<void> iw_get_event(Call& call, const vrdma_cmd_empty& request,
                              vrdma_rsp_iw_event& response);
    Result<void> ucma_open(Call& call, const vrdma_cmd_ucma_open& request,
                           vrdma_rsp_handle& response);
    Result<void> ucma_close(Call& call, const vrdma_cmd_handle& request, vrdma_rsp_empty& response);
    Result<void> ucma_command(Call& call, const vrdma_cmd_ucma_command& request,
                              vrdma_rsp_ucma_command& response);

  private:
    // A free handle of a kind, or EDQUOT and a log line that names the limit.
    template <typename Object>
    Result<uint32_t> reserve(HandleTable<Object>& table, const char* kind);

    // The object, if the calling context owns it; EINVAL otherwise.
    template <typename Object>
    Result<Object*> owned(HandleTable<Object>& table, const Call& call, uint32_t handle);

    // Where an object is to be made that belongs to a protection domain.
    struct Place {
        rnic::Context* context = nullptr;
        PdObject* pd = nullptr;
        uint32_t handle = 0;
    };
    // Errors as of context(), owned() and reserve().
    template <typename Object>
    Result<Place> place_in_pd(const Call& call, uint32_t wire_pd, HandleTable<Object>& table,
                              const char* kind);

    Result<rnic::Context*> context(const Call& call);
    Result<rnic::IwCm*> connections();
    Result<void> check_room(const MemoryUse& memory);
    void hold(const MemoryUse& memory);
    void let_go(const MemoryUse& memory);
    Result<uint64_t> map_shm(Call& call, int fd, uint64_t offset, uint64_t length);
    void insert_mr(uint32_t handle, MrObject mr, vrdma_rsp_reg_mr& response);
    void release_mr(MrObject& mr);
    void release_srq(SrqObject& srq);
    void release_qp(QpObject& qp);
    void release_context(uint32_t handle);

    const Options options_;
    const uint64_t features_;
    rnic::Port& port_;
    ShmMapper& shm_;
    const DoorbellMemory doorbells_;
    std::function<std::shared_ptr<const memory::GuestMemory>()> memory_;
    RateLimitedLog log_;

    HandleTable<ContextObject> contexts_;
    HandleTable<PdObject> pds_;
    HandleTable<MrObject> mrs_;
    HandleTable<MwObject> mws_;
    HandleTable<CqObject> cqs_;
    HandleTable<SrqObject> srqs_;
    HandleTable<QpObject> qps_;
    HandleTable<AhObject> ahs_;
    HandleTable<UcmaFileObject> ucma_files_;
    std::map<uint64_t, MappingObject> mappings_;  // by shared memory offset
    uint64_t registered_bytes_ = 0;
    uint64_t registered_runs_ = 0;
    uint32_t multicast_attachments_ = 0;
    bool doorbells_mapped_ = false;
    uint64_t doorbells_offset_ = 0;
};

}  // namespace vrdma::device
