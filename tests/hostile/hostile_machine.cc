// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "hostile/hostile_machine.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <vrdma_protocol.h>

#include <array>
#include <memory>
#include <stdexcept>
#include <thread>
#include <utility>

#include "hostile/machine.h"
#include "hostile/memory_attacks.h"
#include "vhost/protocol/vhost_user.h"

namespace vrdma::hostile {
namespace {

using vhost::Request;

// A command that is not answered soon is left to itself, as the back channel's answers may be
// wrong or missing.
constexpr int kPatienceMilliseconds = 20;

// The VMM's end of the back channel: answers each request as the session's temper has it.
class BackChannel {
  public:
    enum class Temper { kObedient, kRefuses, kLies, kSilent, kBabbles };

    BackChannel(Machine& machine, Choices& choices)
        : machine_(machine),
          temper_(
              choices.pick({Temper::kObedient, Temper::kObedient, Temper::kObedient,
                            Temper::kRefuses, Temper::kLies, Temper::kSilent, Temper::kBabbles})),
          choices_(choices.number()),
          thread_([this] { run(); }) {}
    ~BackChannel() {
        ::shutdown(machine_.backend_requests().fd(), SHUT_RDWR);
        thread_.join();
    }
    BackChannel(const BackChannel&) = delete;
    BackChannel& operator=(const BackChannel&) = delete;

  private:
    void run() {
        try {
            while (true) {
                pollfd request{machine_.backend_requests().fd(), POLLIN, 0};
                if (::poll(&request, 1, -1) != 1) {
                    continue;
                }
                answer(machine_.backend_requests().receive());
            }
        } catch (const std::runtime_error&) {
            // The channel's end.
        }
    }

    void answer(const test::FakeBackendRequests::Request& request) {
        test::FakeShm& shm = machine_.shm_region();
        uint64_t result = 0;
        const bool maps = request.type() == vhost::BackendRequest::kShmemMap;
        if (maps) {
            result = static_cast<uint64_t>(
                shm.map(request.mapping, request.fds.empty() ? -1 : request.fds[0].get()));
        } else if (request.type() == vhost::BackendRequest::kShmemUnmap) {
            result = static_cast<uint64_t>(shm.unmap(request.mapping));
        }
        switch (temper_) {
            case Temper::kSilent:
                return;
            case Temper::kRefuses:
                result = choices_.odd_number();
                break;
            case Temper::kLies:
                if (choices_.one_in(4)) {
                    test::FakeBackendRequests::Request other{};
                    other.header.request = static_cast<uint32_t>(choices_.below(12));
                    machine_.backend_requests().reply(other, choices_.number());
                    return;
                }
                break;
            case Temper::kBabbles:
                machine_.backend_requests().reply(request, result);
                break;
            case Temper::kObedient:
                break;
        }
        if ((request.header.flags & vhost::kFlagNeedReply) != 0) {
            machine_.backend_requests().reply(request, result);
        }
    }

    Machine& machine_;
    const Temper temper_;
    RandomChoices choices_;
    std::thread thread_;
};

// The guest's view of a ring's part that the VMM named.
std::byte* host(Machine& machine, uint64_t vmm_address, uint64_t size) {
    return machine.memory().host(vmm_address - test::FakeMemory::vmm_address(0), size);
}

// One of the virtqueues that run, or null.
test::DriverQueue* some_queue(Machine& machine, Choices& choices) {
    auto& queues = machine.queues();
    if (queues.empty()) {
        return nullptr;
    }
    auto chosen = queues.begin();
    std::advance(chosen, choices.below(queues.size()));
    return chosen->second.get();
}

// Overwrites a virtqueue's own memory: descriptors that loop, point outside or are too long,
// indices that jump.
void spoil_virtqueue(Machine& machine, Choices& choices) {
    test::DriverQueue* const chosen = some_queue(machine, choices);
    if (chosen == nullptr) {
        return;
    }
    test::DriverQueue& queue = *chosen;
    const vhost::RingLayout& layout = queue.layout();
    const uint64_t size = layout.size;
    std::byte* const descriptors = host(machine, layout.descriptors, size * 16);
    std::byte* const driver = host(machine, layout.driver, 4);
    const auto put = [](std::byte* at, uint32_t value) {
        std::atomic_ref(*reinterpret_cast<uint32_t*>(at)).store(value, std::memory_order_relaxed);
    };
    for (uint64_t count = 1 + choices.below(64); count != 0; --count) {
        std::byte* const entry = descriptors + choices.below(size) * 16;
        switch (choices.below(6)) {
            case 0:  // the length
                put(entry + 8, choices.odd_number());
                break;
            case 1:  // flags and next, or id and flags
                put(entry + 12,
                    static_cast<uint32_t>(choices.below(size) << 16 | choices.below(8)));
                break;
            case 2:
                put(entry + 12, static_cast<uint32_t>(choices.number()));
                break;
            case 3:  // a place in this memory
                put(entry, static_cast<uint32_t>(0x10000 + choices.below(1 << 22)));
                put(entry + 4, 0);
                break;
            case 4:
                put(entry + choices.below(4) * 4, static_cast<uint32_t>(choices.number()));
                break;
            default:  // index and flags of what is available
                put(driver, static_cast<uint32_t>(choices.number()));
        }
    }
    queue.kick();
}

void restart_queue(Machine& machine, Choices& choices) {
    const auto index = static_cast<uint32_t>(
        choices.below(VRDMA_VQ_COMPLETION + machine.options().completion_queues + 1));
    if (machine.queues().contains(index)) {
        machine.vmm().stop_queue(index);
        machine.queues().erase(index);
    }
    // Large rings are sparse in memory only as long as nobody writes to them.
    machine.start_queue(index, static_cast<uint16_t>(1 << choices.below(11)));
}

// Makes as much available as a ring has room for, in chains as long as they can be.
void flood_queue(Machine& machine, Choices& choices) {
    test::DriverQueue* const chosen = some_queue(machine, choices);
    if (chosen == nullptr) {
        return;
    }
    test::DriverQueue& queue = *chosen;
    const bool writes = choices.one_in(2);
    const auto length = choices.pick<uint64_t>({0, 1, 7, 8, 64});
    const uint64_t piece = machine.memory().regions().front()->start;
    try {
        for (uint16_t i = 0; i < queue.size(); ++i) {
            std::vector<test::Buffer> buffers(
                1 + choices.below(queue.size()),
                test::Buffer{piece, static_cast<uint32_t>(length), writes});
            queue.add(buffers);
        }
    } catch (const std::runtime_error&) {
        // The ring is full, as it should be.
    }
    queue.kick();
}

// A message with a payload that is right, nearly right or garbage.
void odd_message(Machine& machine, Choices& choices) {
    test::FakeVmm& vmm = machine.vmm();
    const auto& region = *machine.memory().regions().front();
    switch (choices.below(8)) {
        case 0: {
            const std::array<uint32_t, 2> state{static_cast<uint32_t>(choices.below(80)),
                                                choices.odd_number()};
            vmm.acknowledged(choices.pick({Request::kSetVringNum, Request::kSetVringBase,
                                           Request::kSetVringEnable}),
                             std::as_bytes(std::span(state)));
            break;
        }
        case 1: {
            vhost::RingLayout layout;
            layout.size = 16;
            const auto place = [&] {
                return choices.one_in(2) ? choices.number()
                                         : test::FakeMemory::vmm_address(
                                               region.start + choices.below(region.size + 8192));
            };
            layout.descriptors = place();
            layout.driver = place();
            layout.device = place();
            vmm.set_addresses(static_cast<uint32_t>(choices.below(80)), layout);
            break;
        }
        case 2: {
            vhost::VuSingleRegion single{0, region.describe()};
            uint64_t* const words = &single.region.guest_address;
            words[choices.below(4)] =
                choices.one_in(2) ? choices.number() : words[0] + choices.odd_number();
            const int fd = region.file.get();
            vmm.acknowledged(choices.pick({Request::kAddMemReg, Request::kRemMemReg}),
                             std::as_bytes(std::span(&single, 1)), std::span(&fd, 1));
            break;
        }
        case 3: {
            vhost::VuMemoryTable table{};
            table.region_count = static_cast<uint32_t>(choices.below(10));
            std::array<int, 8> fds{};
            fds.fill(region.file.get());
            for (auto& entry : table.regions) {
                entry = {choices.number(), choices.odd_number(), choices.number(),
                         choices.below(8192)};
            }
            const size_t count = std::min<size_t>(table.region_count, 8);
            vmm.acknowledged(
                Request::kSetMemTable,
                std::as_bytes(std::span(&table, 1)).first(8 + count * sizeof(table.regions[0])),
                std::span(fds).first(count));
            break;
        }
        case 4: {
            const FileDescriptor event(
                ::eventfd(0, EFD_CLOEXEC | (choices.one_in(2) ? EFD_NONBLOCK : 0)));
            if (choices.one_in(2)) {
                // A write of more blocks.
                ::eventfd_write(event.get(), UINT64_MAX - 1);
            }
            vmm.set_vring_fd(choices.pick({Request::kSetVringKick, Request::kSetVringCall,
                                           Request::kSetVringErr}),
                             static_cast<uint32_t>(choices.below(80)),
                             choices.one_in(4) ? -1 : event.get());
            break;
        }
        case 5:
            vmm.get_config(choices.odd_number(), static_cast<uint32_t>(choices.below(300)));
            break;
        case 6: {
            std::vector<std::byte> bytes(choices.below(16));
            choices.fill(bytes);
            vmm.set_config(static_cast<uint32_t>(choices.below(80)), bytes);
            break;
        }
        default: {
            std::vector<std::byte> payload(choices.below(64));
            choices.fill(payload);
            vmm.send(static_cast<Request>(choices.below(45)), payload);
        }
    }
}

}  // namespace

void HostileMachine::session(const std::atomic<bool>& stop) {
    ++sessions_;
    try {
        attack(stop);
    } catch (const std::runtime_error&) {
        // The server has closed the connection, or a ring is full: the next session.
    }
}

void HostileMachine::attack(const std::atomic<bool>& stop) {
    if (choices_.one_in(16)) {
        test::FakeVmm vmm(socket_);
        std::vector<std::byte> bytes(choices_.below(256));
        choices_.fill(bytes);
        vmm.send_raw(bytes);
        return;
    }
    Machine machine(socket_, {.ram = uint64_t{4} << 20,
                              .ram_file = choices_.pick(
                                  {MemoryFile::kSealed, MemoryFile::kUnsealed, MemoryFile::kTmpfs}),
                              .shm = uint64_t{8} << 20,
                              .shm_holes = PROT_READ | PROT_WRITE,
                              .packed = choices_.one_in(2),
                              .queue_size = choices_.pick<uint16_t>({8, 32, 256}),
                              .completion_queues = 1 + static_cast<uint32_t>(choices_.below(3)),
                              .patience = kPatienceMilliseconds});
    const BackChannel channel(machine, choices_);
    machine.start();
    Attacker guest(machine, choices_);
    for (const Target& target : targets_) {
        guest.aim_at(target.qp_number, target.gid);
    }
    // A session's VMM does nothing as a rule, so that its guest gets far.
    bool has_memory = true;
    const auto vmm_attacks = choices_.pick<uint64_t>({0, 0, 32, 8});
    for (uint64_t steps = choices_.below(500); steps != 0 && !stop.load(); --steps) {
        ++attacks_;
        if (!has_memory) {
            guest.step_without_memory();
            continue;
        }
        if (vmm_attacks == 0 || !choices_.one_in(vmm_attacks)) {
            guest.step();
            continue;
        }
        switch (choices_.below(9)) {
            case 0:
            case 1:
                spoil_virtqueue(machine, choices_);
                break;
            case 2:
                restart_queue(machine, choices_);
                break;
            case 3:
                flood_queue(machine, choices_);
                break;
            case 4:
                odd_message(machine, choices_);
                break;
            case 5:
            case 6:
                has_memory = take_memory_away(machine, choices_);
                break;
            case 7:
                if (test::DriverQueue* const queue = some_queue(machine, choices_)) {
                    queue->make_eventfds_block();
                }
                break;
            default:
                machine.vmm().send(choices_.pick(
                    {Request::kResetDevice, Request::kSetOwner, Request::kResetOwner}));
                guest.forget();
        }
    }
    if (choices_.one_in(4)) {
        std::vector<std::byte> bytes(choices_.below(64));
        choices_.fill(bytes);
        machine.vmm().send_raw(bytes);
    }
}

}  // namespace vrdma::hostile
