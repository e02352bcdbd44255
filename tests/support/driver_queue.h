// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "file_descriptor.h"
#include "support/fake_memory.h"
#include "vhost/rings/ring_layout.h"

namespace vrdma::test {

// A buffer of a descriptor chain.
struct Buffer {
    uint64_t address;
    uint32_t length;
    bool device_writes = false;
};

// A descriptor that need not make sense.
struct RawDescriptor {
    uint64_t address = 0;
    uint32_t length = 0;
    uint16_t flags = 0;
    uint16_t next = 0;  // split only
};

struct Used {
    uint16_t id;
    uint32_t written;
    bool operator==(const Used&) const = default;
};

// The driver's side of a virtqueue, in guest memory, as a guest kernel has it.
class DriverQueue {
  public:
    // A split or a packed ring, as VIRTIO_F_RING_PACKED in `features` says.
    static std::unique_ptr<DriverQueue> create(FakeMemory& memory, uint16_t size,
                                               uint64_t features);
    virtual ~DriverQueue() = default;
    DriverQueue(const DriverQueue&) = delete;
    DriverQueue& operator=(const DriverQueue&) = delete;

    // Makes a chain available and returns its id.  Throws when the ring is full.
    virtual uint16_t add(std::span<const Buffer> buffers, bool indirect = false) = 0;
    uint16_t add(std::initializer_list<Buffer> buffers, bool indirect = false) {
        return add(std::span(buffers.begin(), buffers.size()), indirect);
    }

    // The next chain that the device gave back.
    virtual std::optional<Used> take_used() = 0;

    // Whether the device asks for a kick for what was added since the last one.
    virtual bool kick_wanted() = 0;
    void kick();

    // Kicks if that is wanted; returns whether it was.
    bool publish();

    // Asks for an interrupt at the next used chain, or for none.
    virtual void enable_interrupts() = 0;
    virtual void disable_interrupts() = 0;

    // Whether an interrupt came since the last call.
    bool interrupted();

    // Whether the device side reported the ring broken since the last call.
    bool error_signalled();

    // Does to the eventfds what a VMM that was taken over can do: clears O_NONBLOCK and fills the
    // counters, so that a write to any of them blocks.  Kicks come from the kernel from then on, as
    // when a guest writes to its doorbell.
    void make_eventfds_block();

    // Waits for the interrupt of a chain that comes back.  Throws when none comes for long.
    Used wait_used();

    // Sends `request` in one buffer and returns what the device answers in another one.
    std::vector<std::byte> transact(std::span<const std::byte> request, size_t response_size);

    // Makes available what is no proper chain: descriptors in consecutive slots of the ring
    // from its beginning, for a ring that was not used yet.
    virtual void forge(std::span<const RawDescriptor> descriptors) = 0;

    // Bytes of an indirect table with these descriptors in it.
    static std::vector<std::byte> table(std::span<const RawDescriptor> descriptors, bool packed);

    const vhost::RingLayout& layout() const { return layout_; }
    uint16_t size() const { return layout_.size; }

    // The base for SET_VRING_BASE of a ring that was not used yet.
    virtual uint32_t initial_base() const = 0;

    int kick_fd() const { return kick_.get(); }
    int call_fd() const { return call_.get(); }
    int error_fd() const { return error_.get(); }

  protected:
    DriverQueue(FakeMemory& memory, uint16_t size, uint64_t features);

    FakeMemory& memory_;
    vhost::RingLayout layout_;

  private:
    FileDescriptor kick_;
    FileDescriptor call_;
    FileDescriptor error_;
    bool eventfds_block_ = false;
};

}  // namespace vrdma::test
