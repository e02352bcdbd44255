// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// What vrdma has to know of an RNIC's kernel driver so that the driver's user library can drive the
// RNIC from a guest.  The table is data, one entry for each driver.  docs/adding-an-rnic.md says
// where each value comes from.
#pragma once

#include <rdma/ib_user_ioctl_verbs.h>
#include <vrdma_commands.h>
#include <vrdma_udata.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace vrdma::uverbs {

// The pointers in the entries are written in the byte order of the wire.
static_assert(std::endian::native == std::endian::little);

enum class Transport {
    kRoce,
    kInfiniBand,
    kIwarp,
    kByNodeType,  // one of these for each device: the kernel's node_type says which
};

// What an entry has been held against.
enum class Tested {
    kFromSources,  // the sources of kernel and library alone
    kOnModel,      // the lab's suites have passed on a model of the device
    kOnDevice,     // the lab's suites have passed on the device itself, or on the software RNIC
};

// The state in the words of the log and of docs/adding-an-rnic.md.
std::string_view to_string(Tested tested);

// How the user library tells the RNIC of something.
enum class Signal {
    kMappedMemory,  // by a store to memory that it maps: nobody else has anything to do
    kSystemCall,    // by a command of the uverbs file
};

// The private bytes of one verb.  A verb without such an entry has none.
struct UdataLengths {
    uint16_t opcode = 0;  // enum vrdma_opcode
    uint16_t in_min = 0;  // bytes
    uint16_t in_max = 0;
    uint16_t out_max = 0;
};

// Bits of a verb's private bytes that ask for what vrdma does not forward.
struct WithheldBits {
    enum class Action {
        kClear,    // the library can do without, and learns so from the answer
        kDecline,  // EOPNOTSUPP: the library tries each time, and then does without
        kRefuse,   // EOPNOTSUPP: no library asks for it in a guest
        kHide,     // bits of the answer: the library does without what they announce
    };
    uint16_t opcode = 0;
    Action action = Action::kClear;
    uint16_t offset = 0;              // where the field with the bits is
    uint8_t size = sizeof(uint64_t);  // of the field, in bytes, at most 8
    uint64_t bits = 0;
};

// How the guest has to map memory of the uverbs file at offsets with (offset & mask) == value.
struct MmapRule {
    uint64_t mask = 0;
    uint64_t value = 0;
    uint32_t caching = VRDMA_MMAP_CACHED;
    // The driver lets users read the memory only.  Guests do not get it: KVM stops a virtual
    // machine that writes to memory which the VMM may not write (docs/adding-an-rnic.md).
    bool read_only = false;
};

// An offset for mmap() that the driver gives out: the u64 at `offset` of a verb's answer.  The
// guest has to map the memory there with this `caching`.
struct MmapKey {
    uint16_t opcode = 0;  // enum vrdma_opcode
    uint16_t offset = 0;
    uint32_t caching = VRDMA_MMAP_CACHED;
};

// The devices that an entry describes, where it does not describe all that its driver drives: a u32
// of GET_CONTEXT's answer, under a mask, has one of these values.
struct DeviceModels {
    uint16_t offset = 0;
    uint32_t mask = 0;
    std::span<const uint32_t> values;  // none: all devices
    std::string_view names;            // "BCM57508"
};

// A scale that is the device's: the scale of the first term of the pointer at `pointer_offset` is
// the u32 at `answer_offset` of GET_CONTEXT's answer.
struct DeviceScale {
    uint16_t opcode = 0;
    uint16_t pointer_offset = 0;
    uint16_t answer_offset = 0;
};

struct VendorEntry {
    rdma_driver_id driver_id{};
    std::string_view name;  // the kernel module's
    std::span<const uint32_t> abi_versions;
    Tested tested = Tested::kFromSources;
    Transport transport = Transport::kRoce;
    Signal doorbell = Signal::kMappedMemory;   // new work requests in a send queue
    Signal cq_arming = Signal::kMappedMemory;  // ibv_req_notify_cq
    std::span<const UdataLengths> udata;
    std::span<const vrdma_udata_pointer> pointers;
    std::span<const WithheldBits> withheld;
    std::span<const MmapRule> mmap;  // the first rule that fits holds; without one: cached
    std::span<const MmapKey> mmap_keys = {};
    // Offsets that neither `mmap` has nor a verb of `mmap_keys` has told this context are refused:
    // the driver would map what is not the context's own, or what nobody may write.
    bool maps_only_listed = false;
    // An offset that is nobody's.  A driver that maps something there maps whatever a VMM with the
    // context's file asks for, and its RNIC is not given to guests.  0: not looked at.
    uint64_t foreign_offset = 0;
    DeviceModels models = {};
    std::span<const DeviceScale> device_scales = {};
    // Why guests cannot be given such an RNIC, a clause for the operator; empty when they can.
    std::string_view obstacle = {};
    bool srq_only_grows = false;  // making one smaller is not safe for the host
    bool resizes_cqs = false;     // with what `udata` and `pointers` say
    // The driver takes REG_MR's `start` for the address of the region, whatever hca_va says, and
    // may read memory of the process that executes its POST_SEND.  The guest's memory is therefore
    // placed at the guest's own addresses.
    bool regions_by_start = false;
    // The library keeps the path of an address handle in its own memory and copies it into each UD
    // request, so the RNIC gets the guest's own GID index and destination.
    bool ah_in_user_memory = false;
    // What guests get of QUERY_DEVICE's private answer: the bits that are set here.  The size is
    // that of the driver's structure.  Empty: guests get no private answer.
    std::span<const std::byte> query_device_answer{};
    // GET_CONTEXT's private bytes for a context of the daemon's own.
    std::span<const std::byte> own_context;
    size_t own_context_answer = 0;  // bytes
    // CREATE_QP's private bytes for a target queue pair of XRC in a context of the daemon's own,
    // with no memory of the guest's.  Empty: guests get no XRC.
    std::span<const std::byte> target_qp{};

    // Whether the library needs somebody to make system calls for it while messages are on their
    // way.
    bool needs_system_calls() const {
        return doorbell == Signal::kSystemCall || cq_arming == Signal::kSystemCall;
    }
    const UdataLengths& lengths(uint16_t opcode) const;
    // The rule for memory at this offset of the uverbs file, or null.
    const MmapRule* find_mmap_rule(uint64_t mmap_offset) const;
    // That rule; the default rule when none fits.
    const MmapRule& mmap_rule(uint64_t mmap_offset) const;
};

// The entry's pointers on the device that has answered GET_CONTEXT with `answer`.  Returns nothing
// when the answer is too short for them.
std::optional<std::vector<vrdma_udata_pointer>> pointers_on_device(
    const VendorEntry& vendor, std::span<const std::byte> answer);

// Whether the entry describes the device that has answered GET_CONTEXT with `answer`.
bool describes_device(const VendorEntry& vendor, std::span<const std::byte> answer);

// The entries of all drivers.
std::span<const VendorEntry* const> vendor_table();

// The entry of a driver, or null.
const VendorEntry* find_vendor(uint32_t driver_id);

extern const VendorEntry kRxeEntry;
extern const VendorEntry kSiwEntry;
extern const VendorEntry kMlx5Entry;
extern const VendorEntry kMlx4Entry;
extern const VendorEntry kBnxtReEntry;
extern const VendorEntry kIrdmaEntry;
extern const VendorEntry kCxgb4Entry;
extern const VendorEntry kHnsEntry;

}  // namespace vrdma::uverbs
