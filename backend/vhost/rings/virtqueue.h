// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// A virtqueue as the device sees it, split or packed (virtio 1.2, 2.7 and 2.8).
#pragma once

#include <spdlog/logger.h>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "file_descriptor.h"
#include "memory/guest_memory.h"
#include "result.h"
#include "vhost/rings/descriptor_chain.h"
#include "vhost/rings/eventfd_signaller.h"
#include "vhost/rings/packed_ring.h"
#include "vhost/rings/ring_layout.h"
#include "vhost/rings/split_ring.h"

namespace vrdma::vhost {

// Every method may be called from any thread.  A ring on which the driver does
// something that the specification forbids fails: that is logged once, the VMM's error
// eventfd is signalled, and from then on nothing in it is touched until it is set up
// anew.  No other ring notices.
class Virtqueue {
  public:
    // `signaller` outlives the queue.
    Virtqueue(uint16_t index, EventfdSignaller& signaller, std::shared_ptr<spdlog::logger> logger);
    Virtqueue(const Virtqueue&) = delete;
    Virtqueue& operator=(const Virtqueue&) = delete;

    // --- for the device, between start_queue() and stop_queue() ---

    uint16_t index() const { return index_; }

    // The oldest chain that the driver made available, or none.  The errors all mean
    // that the ring has failed.
    Result<std::optional<DescriptorChain>> pop();

    // Gives a chain back as used, `written` bytes of its writable part written.  Chains may
    // be given back in any order.  The driver learns of it by notify().
    void push(DescriptorChain&& chain, uint32_t written);

    // Gives a chain back as if it had never been taken: pop() returns it again, before
    // any later one, here or after the ring was stopped and resumed.  Chains may be given
    // back in any order.
    void unpop(DescriptorChain&& chain);

    // Interrupts the driver if it wants that for what was pushed since the last call.
    // Returns whether it interrupted the driver.
    bool notify();

    // Asks the driver for kicks.  True when chains have become available meanwhile, for which no
    // kick may come: go on with pop().
    bool enable_notifications();

    // Tells the driver that it need not kick (it still may).
    void disable_notifications();

    // The eventfd that each kick of the driver's writes to; it does not change between
    // start_queue() and stop_queue().  Nobody reads it or writes to it here, since the VMM can
    // make both block: wait for it edge-triggered.
    int kick_fd() const { return kick_.get(); }

    // Why the ring has failed; empty when it has not.
    std::string failure() const;

    // --- for the connection ---

    // Lays the ring out in `memory` and begins at `base`, as SET_VRING_BASE has it.
    // EINVAL for a layout that the specification forbids, EFAULT when it is not in memory; the
    // error eventfd is signalled then.
    Result<void> set_up(const RingLayout& layout, uint32_t base,
                        std::shared_ptr<const memory::GuestMemory> memory);

    // Ends what set_up() began and says where to resume, as GET_VRING_BASE has it.
    uint32_t tear_down();

    // Finds the ring in `memory`.  When the ring is not there it fails, and the result is false.
    bool change_memory(std::shared_ptr<const memory::GuestMemory> memory);

    // Set the eventfds; an invalid descriptor stands for none.
    void set_kick(FileDescriptor kick);
    void set_call(FileDescriptor call);
    void set_error(FileDescriptor error);

    // These, borrowed; -1 for none.
    int call_fd() const;
    int error_fd() const;

  private:
    using Ring = std::variant<std::monostate, SplitRing, PackedRing>;

    template <typename Function>
    auto with_ring(Function function);
    static Result<Ring> make_ring(const RingLayout& layout, uint32_t base,
                                  const memory::GuestMemory& memory);
    Result<void> fail_locked(const char* what);
    Result<std::optional<DescriptorChain>> take_locked();
    void push_locked(DescriptorChain& chain, uint32_t written);
    void recycle_locked(DescriptorChain& chain);
    void resume_positions_locked();
    void signal(const FileDescriptor& eventfd);
    void signal_call_locked();

    const uint16_t index_;
    EventfdSignaller& signaller_;
    const std::shared_ptr<spdlog::logger> logger_;
    FileDescriptor kick_;  // changes only while the device does not run the queue

    mutable std::mutex mutex_;  // guards all members below
    FileDescriptor call_;
    FileDescriptor error_;
    RingLayout layout_;
    std::shared_ptr<const memory::GuestMemory> memory_;
    Ring ring_;
    const char* failure_ = nullptr;  // null while the ring has not failed
    uint64_t next_sequence_ = 0;
    uint32_t taken_ = 0;        // chains that the device holds
    uint32_t slots_ = 0;        // descriptors of the chains taken and not yet pushed
    bool unsignalled_ = false;  // something was pushed since the last notify()
    bool missed_call_ = false;  // the driver wanted an interrupt while there was no call_
    std::vector<DescriptorChain> unpopped_;                 // latest first
    std::vector<std::vector<memory::HostRange>> recycled_;  // spares pop() an allocation
};

}  // namespace vrdma::vhost
