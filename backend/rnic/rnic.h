// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// An RNIC at the level of verbs, with the vendor's private bytes (udata) passed
// through.  The device layer owns the object tables, checks ownership and counts
// references, so an implementation may take for granted that
//  - objects passed to a verb belong to the context that the verb is called on,
//  - an object is destroyed only when no other one refers to it any more (an MR, MW,
//    AH, SRQ or QP before its PD, a QP before its CQs and SRQ, an SRQ of XRC before its CQ, all
//    before the context; SRQs of XRC and target QPs before their domain).
// It may take nothing for granted about attribute values and udata.
//
// Destroying the C++ object destroys the RNIC's; that cannot fail.
//
// Verbs that an RNIC need not have answer EOPNOTSUPP here; DeviceAttributes says which
// ones it has, and the others are not called.
//
// Threads: the verbs of one Port are called by one thread at a time; different
// ports by different threads concurrently.  EventSink is called from any thread.
#pragma once

#include <vrdma_counters.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "result.h"
#include "rnic/attributes.h"
#include "rnic/port_budgets.h"
#include "rnic/traffic_limits.h"
#include "rnic/ucma.h"

struct vrdma_doorbell_area;  // common/vrdma_doorbell.h
struct vrdma_udata_pointer;  // common/vrdma_udata.h

// What travels to the daemon's successor (state/device.proto, docs/state.md).
namespace vrdma::state {
class Ah;
class Context;
class Cq;
class FilesToSend;
class Mr;
class Mw;
class Pd;
class Port;
class Qp;
class ReceivedFiles;
class Srq;
class UcmaFile;
class Xrcd;
}  // namespace vrdma::state

namespace vrdma::rnic {

// Guest memory behind the user pointer at `offset` of a verb's udata.
struct UdataRegion {
    uint16_t offset = 0;
    uint64_t length = 0;  // bytes; the sum of the pieces
    std::vector<memory::PinnedRange> pieces;
};

// The vendor's private bytes of one verb.
struct Udata {
    std::span<const std::byte> in;
    std::span<std::byte> out;             // room for the answer
    size_t out_written = 0;               // set by the verb
    std::span<UdataRegion> regions = {};  // the verb may take the pieces away
};

enum class AsyncEventType {
    kCqError,
    kQpFatal,
    kQpRequestError,
    kQpAccessError,
    kCommunicationEstablished,
    kSqDrained,
    kQpLastWqeReached,
    kSrqError,
    kSrqLimitReached,
    kPortActive,
    kPortError,
    kGidChange,
    kLidChange,
    kPkeyChange,
    kSmChange,
    kClientReregister,
    kIwCm,         // IwCm::next_event() has something
    kUcma,         // UcmaFile: GET_EVENT has something
    kDeviceFatal,  // the RNIC is gone: let go of all that it gave, soon
};

// Where an RNIC reports what happens by itself.  The functions must not block and
// may be called from any thread, also while a verb of the same port is running.
class EventSink {
  public:
    virtual ~EventSink() = default;
    // The armed CQ with this handle has a completion; one event per arming.
    virtual void completion(uint32_t comp_vector, uint32_t cq_handle) = 0;
    // `handle` is that of the CQ, QP, SRQ or UcmaFile concerned, or the port number.
    virtual void async_event(AsyncEventType type, uint32_t handle) = 0;
    // The host has changed: has Port::host_changed() called soon, on the thread of the verbs.
    virtual void host_changed() {}
};

class ProtectionDomain {
  public:
    virtual ~ProtectionDomain() = default;
    // save() of each kind of object writes what the RNIC needs to have the object again: the part
    // `rnic` of its state, and those attributes that the device does not know.  Between
    // Rnic::pause() and the end of the pause.  EOPNOTSUPP from an RNIC whose objects end with the
    // daemon.
    virtual Result<void> save(state::Pd&) const { return fail(EOPNOTSUPP); }
};

class MemoryRegion {
  public:
    virtual ~MemoryRegion() = default;
    virtual uint32_t lkey() const = 0;
    virtual uint32_t rkey() const = 0;

    // Changes what `changes` says to what `attributes` and `pd` (null unless it changes)
    // are; the keys may be others afterwards. After a failure all is as before.
    virtual Result<void> reregister(
        const MrChanges& /*changes*/, ProtectionDomain* /*pd*/,
        // NOLINTNEXTLINE(performance-unnecessary-value-param): RNICs keep it
        MrAttributes /*attributes*/, Udata& /*udata*/) {
        return fail(EOPNOTSUPP);
    }

    // Asked before DEREG_MR destroys the region: an error, EBUSY for instance, when memory
    // windows are bound to it. It is destroyed without being asked when its context ends.
    virtual Result<void> deregister() { return {}; }
    virtual Result<void> save(state::Mr&) const { return fail(EOPNOTSUPP); }
};

class MemoryWindow {
  public:
    virtual ~MemoryWindow() = default;
    virtual uint32_t rkey() const = 0;  // as it was allocated
    virtual Result<void> save(state::Mw&) const { return fail(EOPNOTSUPP); }
};

class CompletionQueue {
  public:
    virtual ~CompletionQueue() = default;
    // `cqe` is the number of entries that is wanted, and then the number that there is. No
    // completion gets lost; EINVAL when those that wait would not fit.
    virtual Result<void> resize(uint32_t& /*cqe*/, Udata& /*udata*/) { return fail(EOPNOTSUPP); }
    virtual Result<void> save(state::Cq&) const { return fail(EOPNOTSUPP); }
};

class SharedReceiveQueue {
  public:
    virtual ~SharedReceiveQueue() = default;
    virtual Result<void> modify(uint32_t attr_mask, const SrqAttributes& attributes,
                                Udata& udata) = 0;
    virtual Result<SrqAttributes> query() = 0;
    virtual Result<void> save(state::Srq&) const { return fail(EOPNOTSUPP); }
};

class QueuePair {
  public:
    virtual ~QueuePair() = default;
    virtual uint32_t qp_num() const = 0;
    // attr_mask: enum ib_qp_attr_mask.  EINVAL for what IBTA 1.4, 11.2.5.2 forbids.
    virtual Result<void> modify(uint32_t attr_mask, const QpAttributes& attributes,
                                Udata& udata) = 0;
    virtual Result<QpAttributes> query() = 0;

    // `gid` is a multicast GID. The device layer attaches once and detaches what is attached;
    // destroying the queue pair ends what there is.
    virtual Result<void> attach_mcast(const Gid& /*gid*/, uint16_t /*lid*/) {
        return fail(EOPNOTSUPP);
    }
    virtual Result<void> detach_mcast(const Gid& /*gid*/, uint16_t /*lid*/) {
        return fail(EOPNOTSUPP);
    }
    virtual Result<void> save(state::Qp&) const { return fail(EOPNOTSUPP); }
};

class XrcDomain;

class AddressHandle {
  public:
    virtual ~AddressHandle() = default;
    virtual Result<void> save(state::Ah&) const { return fail(EOPNOTSUPP); }
};

// The memory behind a mapping of the RNIC into the guest.
struct MmapSource {
    int fd = -1;           // borrowed from the context
    uint64_t offset = 0;   // bytes, page-aligned
    uint32_t caching = 0;  // VRDMA_MMAP_*
};

// One guest user context.  Destroying it releases all that it still owns.
class Context {
  public:
    virtual ~Context() = default;

    // The file and offset behind (offset, length) of the guest's uverbs file: `offset`
    // is one that an earlier verb put into udata.  EINVAL when there is none such.
    virtual Result<MmapSource> mmap(uint64_t offset, uint64_t length) = 0;

    virtual Result<std::unique_ptr<ProtectionDomain>> alloc_pd(Udata& udata) = 0;
    virtual Result<std::unique_ptr<MemoryRegion>> reg_mr(ProtectionDomain& pd,
                                                         MrAttributes attributes, Udata& udata) = 0;
    // The guest's kernel uses this verb.  EOPNOTSUPP unless the attributes say `kernel_verbs`.
    virtual Result<std::unique_ptr<MemoryRegion>> get_dma_mr(ProtectionDomain&,
                                                             const DmaMrAttributes&) {
        return fail(EOPNOTSUPP);
    }
    // NOLINTNEXTLINE(performance-unnecessary-value-param): RNICs keep it
    virtual Result<std::unique_ptr<MemoryRegion>> alloc_mr(ProtectionDomain&, FastMrAttributes) {
        return fail(EOPNOTSUPP);
    }
    // `type`: 1 or 2 (IBTA 1.4, 10.6.7.2), EINVAL for others.
    virtual Result<std::unique_ptr<MemoryWindow>> alloc_mw(ProtectionDomain& /*pd*/,
                                                           uint8_t /*type*/, Udata& /*udata*/) {
        return fail(EOPNOTSUPP);
    }
    // `handle` is the guest's name of the object: the one in the doorbell area and in
    // events.  The attributes come back as they really are.
    virtual Result<std::unique_ptr<CompletionQueue>> create_cq(uint32_t handle,
                                                               CqAttributes& attributes,
                                                               Udata& udata) = 0;
    virtual Result<std::unique_ptr<SharedReceiveQueue>> create_srq(uint32_t handle,
                                                                   ProtectionDomain& pd,
                                                                   SrqAttributes& attributes,
                                                                   Udata& udata) = 0;
    struct XrcSrqInit {
        ProtectionDomain* pd = nullptr;
        XrcDomain* xrcd = nullptr;
        CompletionQueue* cq = nullptr;
        SrqAttributes attributes;  // in: wanted, out: there
        uint32_t srq_num = 0;      // out
    };
    // A shared receive queue of XRC. The domain is one of the same port.
    virtual Result<std::unique_ptr<SharedReceiveQueue>> create_xrc_srq(uint32_t /*handle*/,
                                                                       XrcSrqInit& /*init*/,
                                                                       Udata& /*udata*/) {
        return fail(EOPNOTSUPP);
    }
    struct QpInit {
        ProtectionDomain* pd = nullptr;
        CompletionQueue* send_cq = nullptr;
        CompletionQueue* recv_cq = nullptr;  // null for an initiator of XRC
        SharedReceiveQueue* srq = nullptr;   // optional
        uint8_t qp_type = 0;                 // enum ib_uverbs_qp_type
        bool sq_sig_all = false;
        uint32_t create_flags = 0;
        QpCapabilities cap;  // in: wanted, out: there
    };
    virtual Result<std::unique_ptr<QueuePair>> create_qp(uint32_t handle, QpInit& init,
                                                         Udata& udata) = 0;
    virtual Result<std::unique_ptr<AddressHandle>> create_ah(ProtectionDomain& pd,
                                                             const AhAttributes& attributes,
                                                             Udata& udata) = 0;

    virtual Result<void> save(state::Context&, state::FilesToSend&) const {
        return fail(EOPNOTSUPP);
    }
    // These make an object of what its save() wrote, with the numbers and keys that it had, before
    // the port does anything: a port that is new, between Rnic::pause() and the end of the pause.
    // Objects come in the order of dependence, and those that they refer to are given.  EINVAL for
    // a state that none of its kind can have, EEXIST for a number or a key that is taken.
    virtual Result<std::unique_ptr<ProtectionDomain>> restore_pd(const state::Pd&) {
        return fail(EOPNOTSUPP);
    }
    virtual Result<std::unique_ptr<MemoryRegion>> restore_mr(ProtectionDomain&, const state::Mr&,
                                                             const memory::GuestMemory&) {
        return fail(EOPNOTSUPP);
    }
    virtual Result<std::unique_ptr<CompletionQueue>> restore_cq(const state::Cq&) {
        return fail(EOPNOTSUPP);
    }
    virtual Result<std::unique_ptr<SharedReceiveQueue>> restore_srq(ProtectionDomain&,
                                                                    const state::Srq&) {
        return fail(EOPNOTSUPP);
    }
    virtual Result<std::unique_ptr<SharedReceiveQueue>> restore_xrc_srq(const state::Srq&) {
        return fail(EOPNOTSUPP);
    }
    // Only the pointers of `init` count.
    virtual Result<std::unique_ptr<QueuePair>> restore_qp(const QpInit& /*init*/,
                                                          const state::Qp&) {
        return fail(EOPNOTSUPP);
    }
    virtual Result<std::unique_ptr<AddressHandle>> restore_ah(ProtectionDomain&, const state::Ah&) {
        return fail(EOPNOTSUPP);
    }
    // After the queue pairs and the regions, to which the window may be bound.
    virtual Result<std::unique_ptr<MemoryWindow>> restore_mw(ProtectionDomain&, const state::Mw&) {
        return fail(EOPNOTSUPP);
    }
};

// A domain of extended reliable connections (IBTA 1.4, annex A14). It belongs to the port, not to a
// context: those of a guest share it.
class XrcDomain {
  public:
    virtual ~XrcDomain() = default;
    // A queue pair that receives for the shared receive queues of the domain, and stays when the
    // guest process that made it ends. It takes sq_sig_all, create_flags and cap of `init`.
    virtual Result<std::unique_ptr<QueuePair>> create_target_qp(uint32_t handle,
                                                                Context::QpInit& init) = 0;

    // As of the other objects.
    virtual Result<void> save(state::Xrcd&, state::FilesToSend&) const { return fail(EOPNOTSUPP); }
    virtual Result<std::unique_ptr<QueuePair>> restore_target_qp(const state::Qp&) {
        return fail(EOPNOTSUPP);
    }
};

// By enum vrdma_counter.
using Counters = std::array<uint64_t, VRDMA_COUNTER_COUNT>;

// What an RNIC's own threads have done for one port since it was opened.
struct PortActivity {
    struct FailedCompletions {
        const char* status;  // as of enum ibv_wc_status, in small letters, without IBV_WC_
        uint64_t count;
    };
    uint64_t turns = 0;          // in which a thread found work of the guest by looking
    uint64_t nanoseconds = 0;    // that these took, by an estimate
    uint64_t notifications = 0;  // of the guest, which woke a thread that slept
    std::vector<FailedCompletions> failed_completions{};  // those that there have been
};

class IwCm;  // rnic/iw_cm.h

// One virtual device's access to the RNIC.  Contexts must be gone before it.
class Port {
  public:
    virtual ~Port() = default;

    virtual PortAttributes query_port() = 0;
    // QUERY_DEVICE's private answer, for the library; most RNICs have none.
    virtual Result<void> query_device(Udata&) { return {}; }
    // What the guest has sent and received, on an RNIC whose attributes say `has_counters`.
    virtual Result<Counters> query_counters() { return fail(EOPNOTSUPP); }
    // Nothing for an RNIC that does its work by itself.  Waits for nobody.
    virtual std::optional<PortActivity> query_activity() { return std::nullopt; }
    // `vlan` is the id of the VLAN whose netdev has the address.
    virtual Result<void> add_gid(uint32_t index, const Gid& gid, uint32_t type,
                                 uint16_t vlan = kNoVlan) = 0;
    virtual Result<void> del_gid(uint32_t index) = 0;
    // The tables of a port on InfiniBand, whose entries are the host's.  EINVAL for an index that
    // the table does not have; an empty entry is zero.
    virtual Result<Gid> query_gid(uint32_t /*index*/) { return fail(EOPNOTSUPP); }
    virtual Result<uint16_t> query_pkey(uint32_t /*index*/) { return fail(EOPNOTSUPP); }
    // The port looks again at what it has from the host (EventSink::host_changed()).
    virtual void host_changed() {}
    virtual Result<std::unique_ptr<Context>> alloc_context(Udata& udata) = 0;

    // As of the objects.  restore() gives the port its GIDs and its counts.
    virtual Result<void> save(state::Port&, state::FilesToSend&) const { return fail(EOPNOTSUPP); }
    virtual Result<void> restore(const state::Port&, state::ReceivedFiles&) {
        return fail(EOPNOTSUPP);
    }
    virtual Result<std::unique_ptr<Context>> restore_context(const state::Context&,
                                                             state::ReceivedFiles&) {
        return fail(EOPNOTSUPP);
    }

    // A domain of an RNIC whose attributes say `has_xrc`.
    virtual Result<std::unique_ptr<XrcDomain>> alloc_xrcd() { return fail(EOPNOTSUPP); }
    virtual Result<std::unique_ptr<XrcDomain>> restore_xrcd(const state::Xrcd&,
                                                            state::ReceivedFiles&) {
        return fail(EOPNOTSUPP);
    }

    // The connections of an RNIC whose attributes say `iw_cm`; null otherwise.
    virtual IwCm* iw_cm() { return nullptr; }

    // The guest's memory, for the regions of its kernel; told anew when it changes, null
    // when there is none.
    // NOLINTNEXTLINE(performance-unnecessary-value-param): RNICs keep it
    virtual void set_memory(std::shared_ptr<const memory::GuestMemory>) {}

    // Opens a file of ucma, on an RNIC whose attributes say `ucma`.
    virtual Result<std::unique_ptr<UcmaFile>> open_ucma_file(const UcmaFileInit&) {
        return fail(EOPNOTSUPP);
    }
    virtual Result<std::unique_ptr<UcmaFile>> restore_ucma_file(const UcmaFileInit&,
                                                                const state::UcmaFile&,
                                                                state::ReceivedFiles&) {
        return fail(EOPNOTSUPP);
    }

    // The device's doorbell area, `area` in this process, and an eventfd (borrowed,
    // or -1 for none) that becomes readable when the guest notifies.  The RNIC keeps
    // area->polling.  The area outlives the port; the fd until the next call.
    virtual void set_doorbells(vrdma_doorbell_area* area, int notify_fd) = 0;

    // Changes what the guest may have of the RNIC's work, from now on; a new port has the defaults
    // of TrafficLimits. A guest over its rate waits, its work stays in its queues. Any thread,
    // also while a verb of the port runs. EINVAL unless is_valid(); EOPNOTSUPP from an RNIC that
    // does the work by itself.
    virtual Result<void> set_traffic_limits(const TrafficLimits&) { return fail(EOPNOTSUPP); }

    // What the port charges for the host's memory that its guest takes. Called before any verb; a
    // port that is not told has no limit. The budgets outlive the port.
    virtual void set_budgets(const PortBudgets&) {}
};

// How many objects of a kind are alive in an RNIC.
struct LiveObjectCount {
    std::string_view kind;
    uint64_t count = 0;
};

// What the operator says about one guest's addresses.
struct GuestAdmission {
    std::string network{};  // guests of different networks do not know each other's addresses
    // Whether the guest may use an address; none: it may use any.
    std::function<bool(const Gid&)> allows{};
    // The address that is announced for the machine on the RNIC's netdev, if any.
    std::optional<Gid> announced{};
    // On InfiniBand: its partition keys.  Empty: the first one of the RNIC's port.
    std::vector<uint16_t> pkeys{};
};

// An RNIC.  All functions may be called from any thread.
class Rnic {
  public:
    virtual ~Rnic() = default;

    virtual std::string name() const = 0;
    virtual DeviceAttributes attributes() const = 0;

    // The fields of udata that are user pointers.  They never change.
    virtual std::span<const vrdma_udata_pointer> udata_pointers() const = 0;

    // The objects that the RNIC holds for all ports together, by its own count.
    virtual std::vector<LiveObjectCount> live_objects() const = 0;

    // Returns once each thread that serves all ports has come to the end of what it was doing, by
    // which a watchdog sees that none of them hangs.  At once if there are no such threads.
    virtual void wait_for_threads() {}

    // What holds for the ports of `guest` that are opened from now on; there is none now.  A guest
    // that was never admitted has the rules of GuestAdmission{}.
    virtual void admit(const std::string& /*guest*/, const GuestAdmission& /*admission*/) {}

    // Forgets a guest, of which there is no port now.
    virtual void dismiss(const std::string& /*guest*/) {}

    // `guest` names the virtual machine in logs; `sink` outlives the port.
    virtual Result<std::unique_ptr<Port>> open_port(const std::string& guest, EventSink& sink) = 0;

    // As long as the result lives the RNIC does no work of a guest's, so that all objects can be
    // saved or restored as of one moment.  No verb runs meanwhile.  An RNIC that does its work by
    // itself goes on with it.
    class Pause {
      public:
        virtual ~Pause() = default;
    };
    virtual std::unique_ptr<Pause> pause() { return nullptr; }
};

}  // namespace vrdma::rnic
