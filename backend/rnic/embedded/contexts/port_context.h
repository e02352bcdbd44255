// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <vrdma_doorbell.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "rnic/embedded/contexts/ah_table.h"
#include "rnic/embedded/contexts/call_queue.h"
#include "rnic/embedded/contexts/cq_arming.h"
#include "rnic/embedded/contexts/port_activity.h"
#include "rnic/embedded/contexts/traffic.h"
#include "rnic/embedded/fabric/gid_table.h"
#include "rnic/embedded/fabric/vlan.h"
#include "rnic/embedded/keys/key_space.h"
#include "rnic/embedded/rings/rxe_abi.h"
#include "rnic/embedded/sync/handle_table.h"
#include "rnic/rnic.h"

namespace vrdma::embedded {

class CqContext;  // known here by its address only
class PortWork;   // likewise
class QpContext;  // likewise

// The data path's state of one port. Everything but the atomic flag changes in a Pause only.
class PortContext {
  public:
    // `guest` is the machine's name in logs. The port is in `network`, of the operator's networks.
    // `calls` are those of the port's home worker, which polls its doorbells and executes its send
    // queues.
    PortContext(std::string guest, uint32_t network, rnic::EventSink& sink, CallQueue& calls)
        : guest_(std::move(guest)), network_(network), sink_(sink), calls_(calls) {}
    PortContext(const PortContext&) = delete;
    PortContext& operator=(const PortContext&) = delete;

    const std::string& guest() const { return guest_; }
    uint32_t network() const { return network_; }
    rnic::EventSink& sink() const { return sink_; }
    // Makes the home worker look at `qp` soon. Any thread.
    void call(QpLink& qp) { calls_.call(qp); }
    // What the home worker keeps of the port, or null.
    PortWork* work() const { return work_; }
    void set_work(PortWork* work) { work_ = work; }

    KeySpace& keys() { return keys_; }
    const KeySpace& keys() const { return keys_; }
    AhTable& address_handles() { return address_handles_; }
    const AhTable& address_handles() const { return address_handles_; }

    bool has_gid(uint32_t index) const { return index < gids_.size() && gids_[index].has_value(); }
    const rnic::Gid& gid(uint32_t index) const { return gids_[index]->gid; }  // has_gid() only
    // The VLAN that is sent to from the GID.
    uint16_t vlan(uint32_t index) const {
        return has_gid(index) ? gids_[index]->vlan : rnic::kNoVlan;
    }
    // Where the GID is looked for that a message from this one names.
    Segment segment(uint32_t index) const { return {network_, vlan(index)}; }
    // Whether the port takes frames of the VLAN: one of its GIDs is there.
    bool is_in_vlan(uint16_t vlan) const {
        return std::ranges::any_of(
            gids_, [vlan](const auto& entry) { return entry && same_vlan(entry->vlan, vlan); });
    }
    void set_gid(uint32_t index, const rnic::Gid& gid, uint16_t vlan) {
        gids_[index] = GidEntry{gid, vlan};
        ++address_generation_;
    }
    void clear_gid(uint32_t index) {
        gids_[index].reset();
        ++address_generation_;
    }
    // Grows when the port's addresses change. A connection is of two ports, and the sum of theirs
    // tells whether it still is: no other guest makes it look for its peer again.
    uint64_t address_generation() const { return address_generation_; }

    // Queue pairs by handle; null where there is none.
    std::span<QpContext* const> qps() const { return qps_.entries(); }
    bool has_qp(uint32_t handle) const { return qps_.at(handle) != nullptr; }
    using QpRoom = HandleTable<QpContext*>::Room;
    QpRoom make_room_for_qp(uint32_t handle) const { return qps_.make_room(handle); }
    void add_qp(uint32_t handle, QpContext& qp, QpRoom& room) { qps_.set(handle, &qp, room); }
    // Nothing happens for a queue pair that could not be added.
    void remove_qp(uint32_t handle) { qps_.clear(handle); }
    // QP 1, or null.
    QpContext* gsi() const { return gsi_; }
    void set_gsi(QpContext* qp) { gsi_ = qp; }

    PortActivity& activity() { return activity_; }
    const PortActivity& activity() const { return activity_; }
    ErrorCounts& errors() { return errors_; }
    const ErrorCounts& errors() const { return errors_; }
    // What the queue pairs have counted that are gone.
    const rnic::Counters& past_traffic() const { return past_traffic_; }
    rnic::Counters& past_traffic() { return past_traffic_; }

    // The doorbell area, guest-controlled, and the eventfd that the guest notifies; null and -1
    // when there is none.
    vrdma_doorbell_area* area() const { return area_; }
    int notify_fd() const { return notify_fd_; }
    void set_doorbells(vrdma_doorbell_area* area, int notify_fd) {
        area_ = area;
        notify_fd_ = notify_fd;
        for (uint32_t handle = 0; handle < cqs_.entries().size(); ++handle) {
            if (const CqEntry entry = cqs_.at(handle); entry.cq != nullptr) {
                entry.arming->use(area, handle);
            }
        }
    }
    bool has_cq(uint32_t handle) const { return cq(handle) != nullptr; }
    // Null when there is none.
    CqContext* cq(uint32_t handle) const { return cqs_.at(handle).cq; }
    struct CqEntry {
        CqContext* cq = nullptr;
        CqArming* arming = nullptr;
    };
    using CqRoom = HandleTable<CqEntry>::Room;
    CqRoom make_room_for_cq(uint32_t handle) const { return cqs_.make_room(handle); }
    void add_cq(uint32_t handle, CqContext& cq, CqArming& arming, CqRoom& room) {
        cqs_.set(handle, {&cq, &arming}, room);
        arming.use(area_, handle);
    }
    void remove_cq(uint32_t handle) { cqs_.clear(handle); }

    // Tells that a CQ of the port has overflowed. The home worker puts the queue pairs of that CQ
    // into the error state soon. Any worker.
    void report_failed_cq() {
        has_failed_cq_.store(true, std::memory_order_release);
        calls_.call_for_failed_cq();
    }
    bool take_failed_cq() { return has_failed_cq_.exchange(false, std::memory_order_acquire); }

  private:
    struct GidEntry {
        rnic::Gid gid;
        uint16_t vlan;
    };

    const std::string guest_;
    const uint32_t network_;
    rnic::EventSink& sink_;
    CallQueue& calls_;
    PortWork* work_ = nullptr;
    vrdma_doorbell_area* area_ = nullptr;
    int notify_fd_ = -1;
    KeySpace keys_;
    AhTable address_handles_;
    HandleTable<QpContext*> qps_;
    QpContext* gsi_ = nullptr;
    HandleTable<CqEntry> cqs_;
    std::array<std::optional<GidEntry>, kGidTableLength> gids_;
    uint64_t address_generation_ = 0;
    std::atomic<bool> has_failed_cq_{false};
    ErrorCounts errors_;
    PortActivity activity_;
    rnic::Counters past_traffic_{};
};

}  // namespace vrdma::embedded
