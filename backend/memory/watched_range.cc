// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "memory/watched_range.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <mutex>
#include <utility>

namespace vrdma::memory {

// One place of a table.  The handler may read a place while another thread changes it.
struct WatchSlot {
    std::atomic<uint32_t> version = 0;  // odd while the members below change
    std::atomic<uintptr_t> begin = 0;
    std::atomic<uintptr_t> end = 0;
    std::atomic<const Watch*> watch = nullptr;
    WatchSlot* next_free = nullptr;  // guarded by the table's mutex
};

struct WatchBlock {
    std::array<WatchSlot, 512> slots;
    std::atomic<WatchBlock*> next = nullptr;
};

// The ranges of one kind.  Reading takes no lock.  Blocks are never freed.
class WatchTable {
  public:
    WatchSlot* add(uintptr_t begin, uintptr_t end, const Watch* watch) {
        const std::lock_guard lock(mutex_);
        if (free_ == nullptr) {
            add_block_locked();
        }
        WatchSlot* slot = std::exchange(free_, free_->next_free);
        set(*slot, begin, end, watch);
        return slot;
    }

    void remove(WatchSlot* slot) {
        const std::lock_guard lock(mutex_);
        set(*slot, 0, 0, nullptr);
        slot->next_free = std::exchange(free_, slot);
    }

    // The range with `address`.  Whoever touches the address keeps the range in the table.
    const Watch* find(uintptr_t address) const {
        for (const WatchBlock* block = blocks_.load(std::memory_order_acquire); block != nullptr;
             block = block->next.load(std::memory_order_acquire)) {
            for (const WatchSlot& slot : block->slots) {
                // Pairs with the stores in set(): whoever sees one of a change's values also sees
                // that the version was odd, so the version is the same before and after only if
                // what lies between is one range's.
                const uint32_t version = slot.version.load(std::memory_order_acquire);
                const uintptr_t begin = slot.begin.load(std::memory_order_acquire);
                const uintptr_t end = slot.end.load(std::memory_order_acquire);
                const Watch* watch = slot.watch.load(std::memory_order_acquire);
                if (version % 2 == 0 && address >= begin && address < end &&
                    slot.version.load(std::memory_order_relaxed) == version) {
                    return watch;
                }
            }
        }
        return nullptr;
    }

  private:
    static void set(WatchSlot& slot, uintptr_t begin, uintptr_t end, const Watch* watch) {
        const uint32_t version = slot.version.load(std::memory_order_relaxed);
        slot.version.store(version + 1, std::memory_order_relaxed);
        // No fences, which ThreadSanitizer does not know: each store comes after the version's.
        slot.begin.store(begin, std::memory_order_release);
        slot.end.store(end, std::memory_order_release);
        slot.watch.store(watch, std::memory_order_release);
        slot.version.store(version + 2, std::memory_order_release);
    }

    void add_block_locked() {
        auto* block = new WatchBlock;
        for (WatchSlot& slot : block->slots) {
            slot.next_free = std::exchange(free_, &slot);
        }
        block->next.store(blocks_.load(std::memory_order_relaxed), std::memory_order_relaxed);
        blocks_.store(block, std::memory_order_release);
    }

    std::mutex mutex_;  // guards the free places, and changes
    WatchSlot* free_ = nullptr;
    std::atomic<WatchBlock*> blocks_ = nullptr;
};

namespace {

// The signal is the process's, so these are, too.
constinit WatchTable own_ranges;
constinit WatchTable kernels_ranges;
struct sigaction action_before {};

}  // namespace

struct Watch {
    WatchedAddresses addresses;
    FileLabel file{};
    std::shared_ptr<FaultReport> report;
    WatchTable* table = nullptr;
    WatchSlot* slot = nullptr;
};

namespace {

// One fault replaces as much as this around the page, so that a copy through many bad pages costs
// few signals.
constexpr uintptr_t kReplacedAtOnce = 2 << 20;

// From this number of faults on a whole range is replaced: each replaced part costs a mapping, of
// which the process can have only so many (vm.max_map_count).
constexpr uint32_t kFaultsUntilWhole = 256;

bool put_zeros(uintptr_t begin, uintptr_t end) {
    void* const place = reinterpret_cast<void*>(begin);
    return ::mmap(place, end - begin, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) != MAP_FAILED;
}

// Lets the thread go on that has faulted at `address`.  Only calls what a handler may call.
bool replace(const Watch& watch, uintptr_t address, bool hardware) {
    const auto begin = reinterpret_cast<uintptr_t>(watch.addresses.begin);
    const uintptr_t end = begin + watch.addresses.size;
    const uint64_t offset = watch.addresses.file_offset + (address - begin);
    const uint32_t before =
        watch.report->add(reinterpret_cast<const void*>(address), offset, hardware, watch.file);
    // Huge pages are replaced as a whole: the kernel does not split their mappings.
    const uintptr_t part = std::max<uintptr_t>(kReplacedAtOnce, watch.addresses.page_size);
    const uintptr_t part_begin = std::max(address - address % part, begin);
    const uintptr_t part_end = std::min(address - address % part + part, end);
    if (before < kFaultsUntilWhole && put_zeros(part_begin, part_end)) {
        return true;
    }
    return put_zeros(begin, end);
}

// Whether the thread may go on.
bool handle_fault(const siginfo_t& info) {
    const auto address = reinterpret_cast<uintptr_t>(info.si_addr);
    const bool hardware = info.si_code == BUS_MCEERR_AR || info.si_code == BUS_MCEERR_AO;
    if (!hardware && info.si_code != BUS_ADRERR && info.si_code != BUS_OBJERR) {
        return false;  // sent by a process (kill(2)), or an address that is not aligned
    }
    const Watch* watch = own_ranges.find(address);
    if (watch == nullptr) {
        watch = kernels_ranges.find(address);
    }
    if (watch == nullptr) {
        return false;
    }
    // The action is optional for memory that nobody touches now: an access later faults again.
    return info.si_code == BUS_MCEERR_AO || replace(*watch, address, hardware);
}

void on_bus_error(int signal, siginfo_t* info, void* context) {
    const int error = errno;
    if (handle_fault(*info)) {
        errno = error;
        return;
    }
    errno = error;
    // As if this handler were not there.
    if ((action_before.sa_flags & SA_SIGINFO) != 0) {
        action_before.sa_sigaction(signal, info, context);
        return;
    }
    if (action_before.sa_handler != SIG_DFL && action_before.sa_handler != SIG_IGN) {
        action_before.sa_handler(signal);
        return;
    }
    struct sigaction action {};
    action.sa_handler = SIG_DFL;
    ::sigaction(signal, &action, nullptr);
    // A fault happens again when the handler has returned.  A signal that was sent does not.
    if (info->si_code <= 0) {
        ::raise(signal);
    }
}

void install_handler() {
    struct sigaction action {};
    action.sa_sigaction = on_bus_error;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    ::sigemptyset(&action.sa_mask);
    ::sigaction(SIGBUS, &action, &action_before);
}

}  // namespace

WatchedRange::WatchedRange(const WatchedAddresses& addresses, Accesses accesses,
                           const FileLabel& file, std::shared_ptr<FaultReport> report)
    : watch_(std::make_unique<Watch>(
          Watch{.addresses = addresses,
                .file = file,
                .report = std::move(report),
                .table = accesses == Accesses::kOwn ? &own_ranges : &kernels_ranges,
                .slot = nullptr})) {
    static std::once_flag installed;
    std::call_once(installed, install_handler);
    const auto begin = reinterpret_cast<uintptr_t>(addresses.begin);
    watch_->slot = watch_->table->add(begin, begin + addresses.size, watch_.get());
}

WatchedRange::WatchedRange() = default;

WatchedRange::WatchedRange(WatchedRange&& other) noexcept = default;

WatchedRange& WatchedRange::operator=(WatchedRange&& other) noexcept {
    std::swap(watch_, other.watch_);
    return *this;
}

WatchedRange::~WatchedRange() {
    if (watch_ != nullptr) {
        watch_->table->remove(watch_->slot);
    }
}

}  // namespace vrdma::memory
