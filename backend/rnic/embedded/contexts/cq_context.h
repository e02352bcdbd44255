// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <atomic>
#include <cstdint>

#include "rnic/embedded/contexts/cq_arming.h"
#include "rnic/embedded/contexts/port_context.h"
#include "rnic/embedded/rings/ring.h"
#include "rnic/embedded/rings/rxe_abi.h"
#include "rnic/embedded/sync/spin_lock.h"

namespace vrdma::embedded {

struct Completion {
    uint64_t wr_id = 0;
    WcStatus status = WcStatus::kSuccess;
    WcOpcode opcode = WcOpcode::kSend;
    uint32_t byte_length = 0;
    uint32_t immediate = 0;
    uint32_t qp_number = 0;
    uint32_t source_qp = 0;
    uint32_t flags = 0;
    uint16_t vlan = 0;  // with kWcWithVlan
    uint8_t packet_type = 0;
    bool solicited = false;
};

// The data path's end of a completion queue. Completions come from any worker: from that of the
// queue pairs and from those of their peers.
class CqContext {
  public:
    CqContext(PortContext& port, uint32_t handle, uint32_t comp_vector, ProducerRing ring,
              bool failed = false)
        : ring_(std::move(ring)),
          failed_(failed),
          handle_(handle),
          comp_vector_(comp_vector),
          port_(port) {}

    // False when the queue has overflowed, now or earlier (IBTA 1.4, 11.6.3.1): its queue pairs
    // are then to go to the error state.
    [[nodiscard]] bool push(const Completion& completion) {
        lock_.lock();
        std::byte* element = failed_ ? nullptr : ring_.back();
        if (element == nullptr) [[unlikely]] {
            return overflow();
        }
        write(element, completion);
        ring_.push();
        lock_.unlock();
        // Sequentially consistent, after the equally ordered store of the producer index: pairs
        // with the full barrier between the driver's store of the arming and its look for
        // completions that came before it (common/vrdma_doorbell.h).
        const bool solicited = completion.solicited || completion.status != WcStatus::kSuccess;
        if (!arming_.knows(solicited)) [[unlikely]] {
            notify(solicited);
        }
        return true;
    }

    bool failed() const { return failed_.load(std::memory_order_relaxed); }
    const Ring& ring() const { return ring_.ring(); }
    // The place of the completion that comes next. Called in a Pause.
    uint32_t index() const { return ring_.end(); }
    uint32_t handle() const { return handle_; }
    uint32_t comp_vector() const { return comp_vector_; }

    // Takes the completions that wait along to `ring` and leaves the old one in its place, while
    // workers go on. False, with nothing changed, when there are too many. Called by the thread of
    // the verbs.
    bool move_to(Ring& ring) { return RingMove(ring_, ring, lock_).run(lock_, kMostToMove); }
    CqArming& arming() { return arming_; }

    // The guest has armed the CQ, and completions came before of which no event told: sends the
    // event if they still wait (common/vrdma_doorbell.h).
    void look_for_missed();

  private:
    static void write(std::byte* element, const Completion& completion) {
        ib_uverbs_wc wc;
        wc.wr_id = completion.wr_id;
        wc.status = static_cast<uint32_t>(completion.status);
        wc.opcode = static_cast<uint32_t>(completion.opcode);
        wc.vendor_err = 0;
        wc.byte_len = completion.byte_length;
        wc.ex.imm_data = completion.immediate;
        wc.qp_num = completion.qp_number;
        wc.src_qp = completion.source_qp;
        wc.wc_flags = completion.flags;
        wc.pkey_index = 0;
        wc.slid = completion.vlan;
        wc.sl = completion.packet_type;
        wc.dlid_path_bits = 0;
        wc.port_num = rnic::kGuestPort;
        wc.reserved = 0;
        memory::copy_to_guest(element, wc);
    }
    void notify(bool solicited);
    bool overflow();

    static constexpr uint32_t kMostToMove = 131071;

    SpinLock lock_;
    ProducerRing ring_;
    std::atomic<bool> failed_{false};
    CqArming arming_;
    const uint32_t handle_;
    const uint32_t comp_vector_;
    PortContext& port_;
};

}  // namespace vrdma::embedded
