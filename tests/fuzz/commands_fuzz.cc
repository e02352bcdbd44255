// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Commands of a guest, one chain each, through the dispatcher and the verbs to an RNIC that
// keeps count.
#include <fuzzer/FuzzedDataProvider.h>
#include <linux/virtio_config.h>
#include <spdlog/logger.h>
#include <vrdma_check.h>

#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include "device/command_dispatcher.h"
#include "support/commands.h"
#include "support/driver_queue.h"
#include "support/fake_memory.h"
#include "support/fake_rnic.h"
#include "support/fake_shm_mapper.h"
#include "support/signaller.h"
#include "vhost/protocol/vhost_user.h"
#include "vhost/rings/virtqueue.h"

namespace vrdma::device {
namespace {

using test::Buffer;
using test::DriverQueue;
using test::FakeMemory;

constexpr uint64_t kRamStart = 0x10000;
constexpr uint64_t kRamSize = 1 << 20;
constexpr uint16_t kQueueSize = 16;

void require(bool condition) {
    if (!condition) {
        __builtin_trap();
    }
}

// A number that a request may have: a handle of a context, objects of it, and quantities around
// every limit.
uint32_t small_number(FuzzedDataProvider& input) {
    return input.PickValueInArray<uint32_t>(
        {0, 0, 0, 1, 1, 2, 3, 4, 5, 64, 4096, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff});
}

// A user pointer at the start of the udata of some verbs.
constexpr uint64_t kPointerLength = 0x1008;
std::array<vrdma_udata_pointer, 4> make_pointers() {
    std::array<vrdma_udata_pointer, 4> pointers{};
    constexpr std::array kOpcodes{VRDMA_CMD_ALLOC_PD, VRDMA_CMD_REG_MR, VRDMA_CMD_CREATE_CQ,
                                  VRDMA_CMD_CREATE_SRQ};
    for (size_t i = 0; i < pointers.size(); ++i) {
        pointers[i].opcode = htole16(kOpcodes[i]);
        pointers[i].length = htole64(kPointerLength);
    }
    pointers[2].flags = htole32(VRDMA_UDATA_POINTER_LASTING);
    pointers[3].flags = htole32(VRDMA_UDATA_POINTER_LASTING | VRDMA_UDATA_POINTER_PAGES);
    pointers[3].terms[0].count = VRDMA_COUNT_MAX_WR | VRDMA_COUNT_ROUND;
    pointers[3].terms[0].scale = VRDMA_SCALE_MAX_SGE;
    pointers[3].terms[0].scale_b = htole32(16);
    return pointers;
}

// Regions, right or nearly so, and their runs.
void add_regions(FuzzedDataProvider& input, std::vector<std::byte>& request) {
    vrdma_cmd_hdr header;
    std::memcpy(&header, request.data(), sizeof(header));
    const auto count = input.ConsumeIntegralInRange<uint16_t>(0, VRDMA_MAX_UDATA_REGIONS);
    header.region_count = htole16(count);
    std::memcpy(request.data(), &header, sizeof(header));
    const auto append = [&](const auto& value) {
        const auto bytes = std::as_bytes(std::span(&value, 1));
        request.insert(request.end(), bytes.begin(), bytes.end());
    };
    std::vector<vrdma_run> runs;
    for (uint16_t i = 0; i < count; ++i) {
        const auto length = input.PickValueInArray<uint64_t>({kPointerLength, 0x2000, 0});
        append(vrdma_udata_region{.offset = htole16(input.ConsumeIntegralInRange<uint16_t>(0, 1)),
                                  .reserved = 0,
                                  .run_count = htole32(1),
                                  .length = htole64(length)});
        runs.push_back({.gpa = htole64(kRamStart + small_number(input) % kRamSize),
                        .length = htole64(length)});
    }
    for (const vrdma_run& run : runs) {
        append(run);
    }
}

template <typename Request>
void set_runs(std::vector<std::byte>& request, uint32_t count, uint64_t length) {
    Request typed;
    std::memcpy(&typed, request.data(), sizeof(typed));
    typed.run_count = htole32(count);
    typed.length = htole64(length);
    std::memcpy(request.data(), &typed, sizeof(typed));
}

std::vector<std::byte> make_request(FuzzedDataProvider& input, const test::CommandShape& shape) {
    std::vector<std::byte> request(shape.request);
    // Words, as nearly every field is one; raw bytes now and then.
    for (size_t i = 0; i + 4 <= request.size(); i += 4) {
        const uint32_t word =
            input.ConsumeBool() ? small_number(input) : input.ConsumeIntegral<uint8_t>() << 12;
        std::memcpy(&request[i], &word, sizeof(word));
    }
    vrdma_cmd_hdr header{};
    header.opcode = htole16(shape.opcode);
    header.length = htole32(shape.request);
    header.uctx = htole32(small_number(input));
    header.udata_in_len = htole16(input.ConsumeIntegralInRange<uint16_t>(0, 40));
    header.udata_out_len = htole16(input.ConsumeIntegralInRange<uint16_t>(0, 40));
    if (shape.opcode != VRDMA_CMD_CREATE_CQ && input.ConsumeBool()) {
        header.udata_in_len = header.udata_out_len = 0;
    }
    std::memcpy(request.data(), &header, sizeof(header));
    request.resize(request.size() + le16toh(header.udata_in_len));
    if (le16toh(header.udata_in_len) >= sizeof(uint64_t) && input.ConsumeBool()) {
        const uint64_t pointer = htole64(small_number(input));
        std::memcpy(&request[shape.request], &pointer, sizeof(pointer));
        add_regions(input, request);
    }
    if (shape.opcode == VRDMA_CMD_REG_MR || shape.opcode == VRDMA_CMD_REREG_MR) {
        const auto count = input.ConsumeIntegralInRange<uint32_t>(0, 4);
        uint64_t length = 0;
        for (uint32_t i = 0; i < count; ++i) {
            const vrdma_run run{
                .gpa = htole64(kRamStart + input.ConsumeIntegralInRange<uint64_t>(0, kRamSize)),
                .length = htole64(input.ConsumeIntegralInRange<uint64_t>(0, 0x8000))};
            length += le64toh(run.length);
            const auto bytes = std::as_bytes(std::span(&run, 1));
            request.insert(request.end(), bytes.begin(), bytes.end());
        }
        if (shape.opcode == VRDMA_CMD_REG_MR) {
            set_runs<vrdma_cmd_reg_mr>(request, count, length);
        } else {
            set_runs<vrdma_cmd_rereg_mr>(request, count, length);
        }
    }
    if (shape.opcode == VRDMA_CMD_ALLOC_MR) {
        // One page more than there may be, and a description that may be too short for it.
        vrdma_cmd_alloc_mr alloc_mr;
        std::memcpy(&alloc_mr, request.data(), sizeof(alloc_mr));
        const auto pages = input.ConsumeIntegralInRange<uint32_t>(0, 17);
        alloc_mr.max_pages = htole32(pages);
        alloc_mr.run_count = htole32(1);
        std::memcpy(request.data(), &alloc_mr, sizeof(alloc_mr));
        const vrdma_run run{
            .gpa = htole64(kRamStart + input.ConsumeIntegralInRange<uint64_t>(0, kRamSize)),
            .length = htole64(sizeof(vrdma_fast_reg) + pages * sizeof(uint64_t) -
                              (input.ConsumeBool() ? 0 : 1))};
        const auto bytes = std::as_bytes(std::span(&run, 1));
        request.insert(request.end(), bytes.begin(), bytes.end());
    }
    if (shape.opcode == VRDMA_CMD_ATTACH_MCAST || shape.opcode == VRDMA_CMD_DETACH_MCAST) {
        request[offsetof(vrdma_cmd_mcast, gid)] = std::byte{0xff};
    }
    // One request in eight has a mistake.
    if (input.ConsumeIntegralInRange(0, 7) == 0 && !request.empty()) {
        const auto at = input.ConsumeIntegralInRange<size_t>(0, request.size() - 1);
        request[at] = std::byte{input.ConsumeIntegral<uint8_t>()};
        request.resize(input.ConsumeIntegralInRange<size_t>(0, request.size() + 8));
    }
    return request;
}

class Guest {
  public:
    Guest(FuzzedDataProvider& input, Verbs& verbs, FakeMemory& memory)
        : input_(input), verbs_(verbs), memory_(memory) {
        require(queue_.set_up(driver_->layout(), driver_->initial_base(), memory_.as_guest_memory())
                    .has_value());
    }
    ~Guest() { queue_.tear_down(); }
    Guest(const Guest&) = delete;
    Guest& operator=(const Guest&) = delete;

    // The request in pieces that the input chooses, and room for the answer.
    void send(std::span<const std::byte> request, uint32_t room) {
        const uint64_t in = kRamStart + kRamSize / 2;
        const uint64_t out = in + kRamSize / 4;
        std::vector<Buffer> buffers;
        std::copy(request.begin(), request.end(), memory_.host(in, request.size() + 1));
        size_t begin = 0;
        while (begin < request.size()) {
            const size_t left = request.size() - begin;
            const size_t piece =
                buffers.size() == 3 ? left : input_.ConsumeIntegralInRange<size_t>(1, left);
            buffers.push_back({in + begin, static_cast<uint32_t>(piece)});
            begin += piece;
        }
        if (room != 0) {
            buffers.push_back({out, room, true});
        }
        if (buffers.empty()) {
            return;
        }
        driver_->add(buffers);
        auto popped = queue_.pop();
        require(popped && *popped);
        vhost::DescriptorChain chain = std::move(**popped);
        const auto outcome = dispatcher_.execute(chain, verbs_);
        require(outcome.written <= room);
        if (outcome.written >= sizeof(vrdma_rsp_hdr)) {
            const auto* header = memory_.at<vrdma_rsp_hdr>(out);
            require(vrdma_rsp_hdr_valid(header, le32toh(header->length), UINT16_MAX) != 0);
            require(le32toh(header->length) + le32toh(header->udata_len) == outcome.written);
        }
        queue_.push(std::move(chain), outcome.written);
        require(driver_->take_used().has_value());
    }

  private:
    static constexpr uint64_t kFeatures = vhost::bit(VIRTIO_F_VERSION_1);

    FuzzedDataProvider& input_;
    Verbs& verbs_;
    FakeMemory& memory_;
    std::unique_ptr<DriverQueue> driver_ = DriverQueue::create(memory_, kQueueSize, kFeatures);
    std::shared_ptr<spdlog::logger> logger_ = std::make_shared<spdlog::logger>("fuzz");
    vhost::Virtqueue queue_{0, test::signaller(), logger_};
    CommandDispatcher dispatcher_{"guest", logger_};
};

void fuzz_commands(const uint8_t* data, size_t size) {
    FuzzedDataProvider input(data, size);
    FakeMemory memory(kRamSize, kRamStart);
    FakeRnicState state;
    test::FakeShmMapper shm;
    const bool doorbells_at_end = [&] {
        FakePort port(state, &FakeRnicState::ports, "port");
        Limits limits;
        limits.contexts = 4;
        limits.protection_domains = limits.memory_regions = limits.completion_queues = 5;
        limits.shared_receive_queues = limits.queue_pairs = limits.address_handles = 5;
        limits.memory_windows = 5;
        limits.multicast_attachments = 3;
        limits.mappings = 6;
        limits.registered_bytes = 0x20000;
        limits.mr_runs = 8;
        limits.total_mr_runs = 10;
        rnic::DeviceAttributes attributes = FakeRnic().attributes();
#define VRDMA_MAYBE(name, bit, attribute) attributes.attribute = input.ConsumeBool();
        VRDMA_FEATURES(VRDMA_MAYBE)
#undef VRDMA_MAYBE
        auto guest_memory = memory.as_guest_memory();
        const auto pointers = make_pointers();
        GuestBudgets budgets("guest", limits, attributes, std::make_shared<spdlog::logger>("fuzz"));
        Verbs verbs({.budgets = budgets, .attributes = attributes, .udata_pointers = pointers},
                    port, shm, {.fd = 3, .length = VRDMA_SHM_PAGE_SIZE},
                    [&] { return guest_memory; });
        Guest guest(input, verbs, memory);
        while (input.remaining_bytes() != 0) {
            if (input.ConsumeIntegralInRange(0, 15) == 0) {
                state.refuse = input.PickValueInArray({ENOMEM, EINVAL, ECANCELED});
            }
            shm.refuse = input.ConsumeIntegralInRange(0, 4) == 0
                             ? input.PickValueInArray({ENOMEM, ENOTCONN, ECANCELED})
                             : 0;
            if (input.ConsumeIntegralInRange(0, 15) == 0) {
                const auto raw =
                    input.ConsumeBytes<std::byte>(input.ConsumeIntegralInRange<size_t>(0, 0x200));
                guest.send(raw, input.ConsumeIntegralInRange<uint32_t>(0, 0x200));
                continue;
            }
            const test::CommandShape& shape =
                test::kCommandShapes[input.ConsumeIntegralInRange<size_t>(
                    0, test::kCommandShapes.size() - 1)];
            const auto request = make_request(input, shape);
            const bool enough = input.ConsumeIntegralInRange(0, 15) != 0;
            guest.send(request, enough ? shape.response + 40
                                       : input.ConsumeIntegralInRange<uint32_t>(0, 64));
            const ObjectCounts counts = verbs.counts();
            require(static_cast<int>(counts.contexts) == state.contexts);
            require(static_cast<int>(counts.protection_domains) == state.pds);
            require(static_cast<int>(counts.memory_regions) == state.mrs);
            require(static_cast<int>(counts.memory_windows) == state.mws);
            require(counts.multicast_attachments <= limits.multicast_attachments);
            require(static_cast<int>(counts.completion_queues) == state.cqs);
            require(static_cast<int>(counts.shared_receive_queues) == state.srqs);
            require(static_cast<int>(counts.queue_pairs) == state.qps + state.targets);
            require(static_cast<int>(counts.xrc_domains) == state.xrcds);
            require(static_cast<int>(counts.address_handles) == state.ahs);
        }
        // The contexts take with them all that is theirs.
        for (uint32_t handle = 0; handle < limits.contexts; ++handle) {
            vrdma_cmd_handle request{};
            request.hdr.opcode = htole16(VRDMA_CMD_DEALLOC_UCONTEXT);
            request.hdr.length = htole32(sizeof(request));
            request.handle = htole32(handle);
            guest.send(std::as_bytes(std::span(&request, 1)), sizeof(vrdma_rsp_empty));
        }
        const ObjectCounts counts = verbs.counts();
        require(
            counts.contexts == 0 && counts.protection_domains == 0 && counts.memory_regions == 0 &&
            counts.memory_windows == 0 && counts.completion_queues == 0 &&
            counts.multicast_attachments == 0 && counts.shared_receive_queues == 0 &&
            static_cast<int>(counts.queue_pairs) == state.targets && counts.address_handles == 0 &&
            counts.mappings == 0 && counts.registered_bytes == 0);
        require(shm.mapped.size() <= 1);
        return shm.mapped.size() == 1;
    }();
    // The doorbell area is the device's own, and goes with the shared memory region.
    require(shm.mapped.size() == (doorbells_at_end ? 1 : 0));
    require(state.ports == 0 && state.contexts == 0 && state.pds == 0 && state.mrs == 0 &&
            state.mws == 0 && state.cqs == 0 && state.srqs == 0 && state.qps == 0 &&
            state.ahs == 0);
}

}  // namespace
}  // namespace vrdma::device

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    vrdma::device::fuzz_commands(data, size);
    return 0;
}
