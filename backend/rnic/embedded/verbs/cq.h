// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <linux/types.h>

#include <cstdint>
#include <memory>
#include <optional>

#include "rnic/embedded/live_count.h"
#include "rnic/embedded/rings/ring.h"
#include "rnic/embedded/sync/spin_lock.h"
#include "rnic/rnic.h"
#include "rnic/verbs_abi.h"

namespace vrdma::embedded {

struct PortState;
class Engine;

struct Completion {
    uint64_t wr_id = 0;
    WcStatus status = WcStatus::kSuccess;
    WcOpcode opcode = WcOpcode::kSend;
    uint32_t byte_length = 0;
    uint32_t immediate = 0;
    uint32_t qp_number = 0;
    uint32_t source_qp = 0;
    uint32_t flags = 0;
    bool solicited = false;
};

// Completions come from any worker: the queue pairs' own and their peers'.
class Cq final : public rnic::CompletionQueue {
  public:
    // `memory`, of which `ring` is, is where it is resized.
    Cq(Engine& engine, PortState& port, uint32_t handle, uint32_t comp_vector,
       std::shared_ptr<RingMemory> memory, Ring ring, LiveCount count, LiveCount bytes);
    ~Cq() override;

    Result<void> resize(uint32_t& cqe, rnic::Udata& udata) override;

    // False when the queue has overflowed, now or earlier (IBTA 1.4, 11.6.3.1): its
    // queue pairs are then to go to the error state.
    [[nodiscard]] bool push(const Completion& completion) {
        lock_.lock();
        std::byte* element = failed_ ? nullptr : ring_.back();
        if (element == nullptr) [[unlikely]] {
            return overflow();
        }
        write(element, completion);
        ring_.push();
        lock_.unlock();
        // Sequentially consistent, after the equally ordered store of the producer
        // index: pairs with the full barrier between the driver's store of the arming
        // and its look for completions that came before it (common/vrdma_doorbell.h).
        const __le32 arming = memory::load(arming_, std::memory_order_seq_cst);
        if (arming != 0) [[unlikely]] {
            notify(arming, completion.solicited || completion.status != WcStatus::kSuccess);
        }
        return true;
    }

    bool failed() const { return failed_.load(std::memory_order_relaxed); }
    mminfo info() const { return ring_.ring().info(); }
    uint32_t capacity() const { return ring_.ring().mask(); }
    uint32_t handle() const { return handle_; }

    // The port's doorbell area has come, moved or gone.  In a Pause.
    void use_arming(__le32* arming) { arming_ = arming != nullptr ? arming : &never_armed_; }

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
        wc.slid = 0;
        wc.sl = 0;
        wc.dlid_path_bits = 0;
        wc.port_num = 1;
        wc.reserved = 0;
        memory::copy_to_guest(element, wc);
    }
    void notify(__le32 arming, bool solicited);
    bool overflow();

    SpinLock lock_;
    ProducerRing ring_;
    std::atomic<bool> failed_{false};
    __le32* arming_ = &never_armed_;  // guest-controlled
    __le32 never_armed_ = 0;
    uint32_t handle_;
    uint32_t comp_vector_;
    Engine& engine_;
    PortState& port_;
    LiveCount count_;
    std::shared_ptr<RingMemory> memory_;
    std::optional<LiveCount> bytes_;
};

}  // namespace vrdma::embedded
