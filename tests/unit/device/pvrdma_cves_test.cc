// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The published errors of QEMU's pvrdma (hw/rdma), one case each under its name.  A comment says
// what the error was, and how the same error would look in this device.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/virtio_ring.h>

#include <array>
#include <cstddef>
#include <filesystem>
#include <string_view>
#include <vector>

#include "command_fixture.h"
#include "fixture.h"
#include "rnic/embedded/embedded_rnic.h"
#include "support/split_driver_queue.h"
#include "virtual_device_fixture.h"

namespace vrdma::device {
namespace {

size_t open_files() {
    const std::filesystem::directory_iterator files("/proc/self/fd");
    return static_cast<size_t>(std::distance(begin(files), end(files)));
}

// A guest's commands, executed by the embedded RNIC.
class PvrdmaCve : public CommandTest {
  protected:
    PvrdmaCve() {
        embedded::EmbeddedConfig config;
        config.threads = 0;
        rnic_ = embedded::make_embedded_rnic(config, logger_);
        embedded_port_ = std::move(rnic_->open_port("guest", sink_).value());
        embedded_port_->set_memory(memory_.as_guest_memory());
        verbs_ = std::make_unique<Verbs>(Verbs::Options{.budgets = *budgets_,
                                                        .attributes = rnic_->attributes(),
                                                        .udata_pointers = rnic_->udata_pointers()},
                                         *embedded_port_, shm_,
                                         DoorbellMemory{.fd = 3, .length = VRDMA_SHM_PAGE_SIZE},
                                         [this] { return memory_.as_guest_memory(); });
    }
    ~PvrdmaCve() override {
        verbs_.reset();
        embedded_port_.reset();
        EXPECT_EQ(rnic_->counters(), embedded::EmbeddedCounters{}) << "something has leaked";
    }

    // Room for what librxe is told of a ring.
    static constexpr uint16_t kUdataRoom = 64;

    vrdma_cmd_create_cq cq_request(uint32_t context, uint32_t cqe) {
        auto request = make<vrdma_cmd_create_cq>(VRDMA_CMD_CREATE_CQ, context);
        request.hdr.udata_out_len = htole16(kUdataRoom);
        request.cqe = htole32(cqe);
        return request;
    }
    vrdma_cmd_create_qp qp_request(uint32_t context, uint32_t pd, uint32_t cq) {
        auto request = make<vrdma_cmd_create_qp>(VRDMA_CMD_CREATE_QP, context);
        request.hdr.udata_out_len = htole16(kUdataRoom);
        request.pd = htole32(pd);
        request.send_cq = request.recv_cq = htole32(cq);
        request.srq = htole32(VRDMA_NO_HANDLE);
        request.qp_type = IB_UVERBS_QPT_RC;
        request.cap.max_send_wr = request.cap.max_recv_wr = htole32(16);
        request.cap.max_send_sge = request.cap.max_recv_sge = htole32(1);
        return request;
    }

    test::RecordingSink sink_;
    std::unique_ptr<embedded::EmbeddedRnic> rnic_;
    std::unique_ptr<rnic::Port> embedded_port_;
};

// pvrdma_realize() leaked what it had made when a later step of the device's start failed.  Here:
// a session, a port or a descriptor left over when the RNIC gives a guest no port, once for each
// time that the guest tries.
class PvrdmaCveSession : public VirtualDeviceTest {
  protected:
    // Nobody answers a kick that has no effect: the device's threads have time for many answers.
    void give_time() {
        for (int i = 0; i < 200; ++i) {
            EXPECT_NE(vmm_->ask_u64(vhost::Request::kGetQueueNum), 0U) << "the connection lives";
        }
    }
};
INSTANTIATE_TEST_SUITE_P(Rings, PvrdmaCveSession, testing::Bool(),
                         [](const auto& info) { return info.param ? "Packed" : "Split"; });

TEST_P(PvrdmaCveSession, CVE_2018_20123) {
    const auto try_once = [&] {
        disconnect();
        connect();
        start_queues();
        EXPECT_NE(
            ask<vrdma_rsp_handle>(bytes(make<vrdma_cmd_empty>(VRDMA_CMD_ALLOC_UCONTEXT))).first,
            0U);
        queues_.clear();
    };
    rnic_.refuse_ports = ENOMEM;
    try_once();
    const size_t files = open_files();
    for (int i = 0; i < 8; ++i) {
        try_once();
    }
    EXPECT_EQ(open_files(), files);
    EXPECT_EQ(rnic_.state.ports, 0);
    rnic_.refuse_ports = 0;
    disconnect();
    connect();
    start_queues();
    EXPECT_NE(alloc_ucontext(), VRDMA_NO_HANDLE);
}

// The number of scatter/gather entries in a work request was taken from the guest's ring and ran
// over an array of the backend's.  Here: the embedded RNIC copies entries of a ring's element into
// an array of as many as the queue was made for.
class PvrdmaCveRings : public embedded::test::TwoGuests {
  protected:
    PvrdmaCveRings() { connect(a.qp, b.qp); }

    static constexpr size_t kNumSge = 12;  // in rxe_dma_info
};

TEST_F(PvrdmaCveRings, CVE_2018_20124) {
    using namespace embedded;
    using namespace embedded::test;
    const auto untouched = b.memory;
    for (const uint32_t count :
         {a.qp.cap.max_send_sge + 1, kMaxSge + 1, 0x10000001U, 0xffffffffU}) {
        std::byte* element = a.qp.send_ring.back();
        write_send_wqe(element, write_wr(0, 0, 16));
        std::memcpy(element + offsetof(rxe_send_wqe, dma) + kNumSge, &count, sizeof(count));
        a.qp.send_ring.push();
        a.qp.ring_doorbell();
        settle();
        EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kLocalQpOperationError) << count;
        EXPECT_EQ(b.memory, untouched);
        ASSERT_TRUE(a.qp.modify(kAttrState, {}));
        ASSERT_TRUE(b.qp.modify(kAttrState, {}));
        connect(a.qp, b.qp);

        // The same in a receive request, which the sender's message meets.
        std::byte* receive = b.qp.recv_ring.back();
        write_recv_wqe(receive, 1, std::array{b.mr.sge(0, 16)});
        std::memcpy(receive + offsetof(rxe_recv_wqe, dma) + kNumSge, &count, sizeof(count));
        b.qp.recv_ring.push();
        a.qp.post_send(send_wr(0, 16));
        settle();
        EXPECT_NE(status_of(only_completion(a.send_cq)), WcStatus::kSuccess) << count;
        EXPECT_EQ(b.memory, untouched);
        while (b.recv_cq.poll()) {
        }
        ASSERT_TRUE(a.qp.modify(kAttrState, {}));
        ASSERT_TRUE(b.qp.modify(kAttrState, {}));
        connect(a.qp, b.qp);
    }
}

// create_cq_ring() and create_qp_rings() allocated as many entries as the guest said, or used a
// page directory that could not be mapped.  Here: rings are the daemon's memory, sized by the
// guest's numbers.
TEST_F(PvrdmaCve, CVE_2018_20125) {
    const uint32_t context = uctx();
    const uint32_t my_pd = pd(context);
    const auto before = rnic_->counters();
    for (const uint32_t huge :
         {0U, rnic_->attributes().max_cqe + 1, 0x04000001U, 0x80000000U, 0xffffffffU}) {
        EXPECT_EQ(ask(cq_request(context, huge)).first, EINVAL) << huge;
    }
    const uint32_t my_cq = ask(cq_request(context, 16)).second;
    const auto with_cq = rnic_->counters();
    for (const uint32_t huge : {0x00100001U, 0x01000001U, 0x80000001U, 0xffffffffU}) {
        for (__le32 vrdma_qp_cap::*field :
             {&vrdma_qp_cap::max_send_wr, &vrdma_qp_cap::max_recv_wr, &vrdma_qp_cap::max_send_sge,
              &vrdma_qp_cap::max_recv_sge, &vrdma_qp_cap::max_inline_data}) {
            auto request = qp_request(context, my_pd, my_cq);
            request.cap.*field = htole32(huge);
            EXPECT_EQ(ask(request).first, EINVAL) << huge;
        }
    }
    EXPECT_EQ(rnic_->counters(), with_cq);
    EXPECT_GT(with_cq.ring_bytes, before.ring_bytes);
    EXPECT_EQ(ask(qp_request(context, my_pd, my_cq)).first, 0);
}

// create_cq() and create_qp() leaked the rings when a later step failed.  Here: rings, numbers and
// references that a verb took before it failed, at the RNIC's end or at the answer's.
TEST_F(PvrdmaCve, CVE_2018_20126) {
    const uint32_t context = uctx();
    const uint32_t my_pd = pd(context);
    const uint32_t my_cq = ask(cq_request(context, 16)).second;
    const auto before = rnic_->counters();
    const auto counts = verbs_->counts();
    for (int i = 0; i < 100; ++i) {
        auto no_udata = qp_request(context, my_pd, my_cq);  // the RNIC cannot tell of the rings
        no_udata.hdr.udata_out_len = 0;
        EXPECT_EQ(ask(no_udata).first, EINVAL);
        auto wrong_type = qp_request(context, my_pd, my_cq);
        wrong_type.qp_type = IB_UVERBS_QPT_RAW_PACKET;
        EXPECT_NE(ask(wrong_type).first, 0);
        auto no_cq = qp_request(context, my_pd, my_cq);
        no_cq.recv_cq = htole32(my_cq + 1);
        EXPECT_EQ(ask(no_cq).first, EINVAL);
        auto cq_without_udata = cq_request(context, 16);
        cq_without_udata.hdr.udata_out_len = 0;
        EXPECT_EQ(ask(cq_without_udata).first, EINVAL);
    }
    EXPECT_EQ(rnic_->counters(), before);
    EXPECT_EQ(verbs_->counts().queue_pairs, counts.queue_pairs);
    EXPECT_EQ(verbs_->counts().completion_queues, counts.completion_queues);
    // A reference left behind would keep these alive.
    auto destroy = make<vrdma_cmd_handle>(VRDMA_CMD_DESTROY_CQ, context);
    destroy.handle = htole32(my_cq);
    EXPECT_EQ(ask(destroy).first, 0);
    auto dealloc = make<vrdma_cmd_handle>(VRDMA_CMD_DEALLOC_PD, context);
    dealloc.handle = htole32(my_pd);
    EXPECT_EQ(ask(dealloc).first, 0);
}

// The doorbell page had a write function and none for reads, which a guest called.  Here: a message
// or a command without a function behind it.  Each command of the protocol is sent to an RNIC that
// has no optional verb.
TEST_F(CommandTest, CVE_2018_20191) {
    attributes_ = {};
    attributes_.max_pd = attributes_.max_cq = attributes_.max_qp = attributes_.max_mr = 8;
    make_verbs();
    const uint32_t context = uctx();
    const auto send = [&](uint16_t opcode, size_t size) {
        std::vector<std::byte> request(size);
        const vrdma_cmd_hdr header{.opcode = htole16(opcode),
                                   .region_count = 0,
                                   .length = htole32(static_cast<uint32_t>(size)),
                                   .uctx = htole32(context),
                                   .udata_in_len = 0,
                                   .udata_out_len = 0};
        std::memcpy(request.data(), &header, sizeof(header));
        return ask_bytes(request).first;
    };
    // A command whose feature the RNIC lacks never gets to the RNIC.
#define VRDMA_SEND(NAME, name, opcode, request, response, feature, flags) \
    const int name = send(VRDMA_CMD_##NAME, sizeof(request));             \
    if (std::string_view(#feature) != "VRDMA_NO_FEATURE") {               \
        EXPECT_NE(name, 0) << #NAME;                                      \
    }
    VRDMA_COMMANDS(VRDMA_SEND)
#undef VRDMA_SEND
    const auto is_known = [](uint32_t opcode) {
        return std::ranges::any_of(test::kCommandShapes,
                                   [&](const auto& shape) { return shape.opcode == opcode; });
    };
    for (uint32_t opcode = 0; opcode <= UINT16_MAX; opcode += 7) {
        if (!is_known(opcode)) {
            ASSERT_EQ(send(static_cast<uint16_t>(opcode), sizeof(vrdma_cmd_empty)), EOPNOTSUPP)
                << opcode;
        }
    }
}

TEST_P(PvrdmaCveSession, CVE_2018_20191) {
    // The configuration space is read and written at each offset with each size.
    const auto space = vmm_->get_config(0, sizeof(vrdma_config));
    ASSERT_EQ(space.size(), sizeof(vrdma_config));
    for (uint32_t offset = 0; offset <= sizeof(vrdma_config) + 4; ++offset) {
        for (const uint32_t size : {1U, 2U, 4U, 8U}) {
            const auto part = vmm_->get_config(offset, size);
            if (offset + size <= sizeof(vrdma_config)) {
                EXPECT_TRUE(std::ranges::equal(part, std::span(space).subspan(offset, size)));
            } else {
                EXPECT_TRUE(part.empty()) << offset << ' ' << size;
            }
        }
    }
}

// A ring's reader looked at a wrong return value for ever.  Here: a ring whose descriptors lead to
// each other, and work queues whose indexes never meet.  Each look ends, by counts and not by time.
TEST_F(CommandTest, CVE_2018_20216) {
    auto driver = test::DriverQueue::create(memory_, 4, vhost::bit(VIRTIO_F_VERSION_1));
    vhost::Virtqueue queue(VRDMA_VQ_CONTROL, test::signaller(), logger_);
    ASSERT_TRUE(queue.set_up(driver->layout(), driver->initial_base(), memory_.as_guest_memory()));
    // Long buffers: a reader that did not count descriptors would end at 2^32 bytes, and say so.
    constexpr uint32_t kLong = 8 << 20;
    driver->forge(std::array{test::RawDescriptor{kRam, kLong, VRING_DESC_F_NEXT, 1},
                             test::RawDescriptor{kRam, kLong, VRING_DESC_F_NEXT, 0}});
    EXPECT_EQ(queue.pop().error(), Errno{EPROTO});
    EXPECT_THAT(queue.failure(), testing::HasSubstr("loops"));
    EXPECT_EQ(queue.pop().error(), Errno{EPROTO});
    queue.tear_down();
}

TEST_F(PvrdmaCveRings, CVE_2018_20216) {
    using namespace embedded::test;
    // No more rounds than the rings have elements, and a few for their ends.
    const uint32_t most = 4 * (a.qp.send_ring.mask() + 1 + b.qp.recv_ring.mask() + 1);
    for (const uint32_t index : {0x7fffffffU, 0x80000000U, 0xfffffff7U, 0xffffffffU}) {
        a.qp.send_ring.header()->producer_index = index;
        b.qp.recv_ring.header()->producer_index = ~index;
        a.send_cq.ring.header()->consumer_index = index + 3;
        a.qp.ring_doorbell();
        uint32_t rounds = 0;
        while (rnic->poll_once()) {
            ASSERT_LT(++rounds, most) << "the engine never comes to rest";
        }
        a.send_cq.ring.header()->consumer_index = a.send_cq.ring.header()->producer_index;
        ASSERT_TRUE(a.qp.modify(embedded::kAttrState, {}));
        ASSERT_TRUE(b.qp.modify(embedded::kAttrState, {}));
        connect(a.qp, b.qp);
    }
}

// Regions, once with the embedded RNIC, which compares length and pieces as well, and once with an
// RNIC that believes what the device gives it.
class PvrdmaCveRegions : public PvrdmaCve, public testing::WithParamInterface<bool> {
  protected:
    PvrdmaCveRegions() {
        if (GetParam()) {
            make_verbs();
        }
    }
};
INSTANTIATE_TEST_SUITE_P(Rnics, PvrdmaCveRegions, testing::Bool(),
                         [](const auto& info) { return info.param ? "Believes" : "Embedded"; });

// The pages of a region were mapped by the guest's page list, and unmapped by the guest's length,
// which reached beyond them.  Here: a region whose length and runs differ.
TEST_P(PvrdmaCveRegions, CVE_2021_3582) {
    const uint32_t context = uctx();
    const uint32_t my_pd = pd(context);
    const std::array<vrdma_run, 2> runs{{{.gpa = htole64(kRam), .length = htole64(4096)},
                                         {.gpa = htole64(kRam + 65536), .length = htole64(4096)}}};
    const auto with_access = [&](uint64_t length, uint32_t run_count,
                                 std::span<const vrdma_run> list) {
        return ask_bytes(reg_mr(context, my_pd, length, run_count, list)).first;
    };
    for (const uint64_t length :
         {uint64_t{0}, uint64_t{1}, uint64_t{4096}, uint64_t{8191}, uint64_t{8193},
          uint64_t{1} << 32, (uint64_t{1} << 32) + 8192, UINT64_MAX}) {
        EXPECT_NE(with_access(length, 2, runs), 0) << length;
    }
    EXPECT_EQ(with_access(8192, 1, std::span(runs).first(1)), EINVAL);
    EXPECT_EQ(verbs_->counts().memory_regions, 0U);
    EXPECT_EQ(verbs_->counts().registered_bytes, 0U);
    EXPECT_EQ(with_access(8192, 2, runs), 0);
    EXPECT_EQ(verbs_->counts().registered_bytes, 8192U);
}

// The size of a device ring was computed from the guest's number of pages without a check, and
// wrapped.  Here: a number of runs or of entries whose product with a size wraps in 32 bits, and
// runs whose sum wraps in 64.
TEST_F(PvrdmaCve, CVE_2021_3607) {
    const uint32_t context = uctx();
    const uint32_t my_pd = pd(context);
    const std::array<vrdma_run, 2> runs{{{.gpa = htole64(kRam), .length = htole64(4096)},
                                         {.gpa = htole64(kRam), .length = htole64(0) - 4096}}};
    for (const uint32_t count : {0x10000001U, 0x80000001U, UINT32_MAX}) {
        // More than the limit mr_runs.
        EXPECT_EQ(ask_bytes(reg_mr(context, my_pd, 4096, count, std::span(runs).first(1))).first,
                  ENOMEM)
            << count;
    }
    EXPECT_EQ(ask_bytes(reg_mr(context, my_pd, 0, 2, runs)).first, EINVAL);
    const auto before = rnic_->counters();
    // 64 bytes an entry: these are 64 bytes in 32 bits.
    for (const uint32_t cqe : {0x04000001U, 0x08000001U, 0x40000001U}) {
        EXPECT_EQ(ask(cq_request(context, cqe)).first, EINVAL) << cqe;
    }
    EXPECT_EQ(rnic_->counters(), before);
}

// When the n-th page of a ring could not be mapped, the error path unmapped pages that never were.
// Here: a region whose last run is not in memory, and a virtqueue with one part that is not; what
// was there stays usable, and what was taken for the failed one is given back.
TEST_P(PvrdmaCveRegions, CVE_2021_3608) {
    const uint32_t context = uctx();
    const uint32_t my_pd = pd(context);
    const uint64_t end = kRam + (16 << 20);
    for (size_t bad = 0; bad < 3; ++bad) {
        std::array<vrdma_run, 3> runs;
        for (size_t i = 0; i < runs.size(); ++i) {
            runs[i] = {.gpa = htole64(i == bad ? end : kRam + i * 65536), .length = htole64(4096)};
        }
        EXPECT_NE(ask_bytes(reg_mr(context, my_pd, uint64_t{3} * 4096, 3, runs)).first, 0) << bad;
        EXPECT_EQ(verbs_->counts().memory_regions, 0U);
        EXPECT_EQ(verbs_->counts().registered_bytes, 0U);
    }
    for (uint64_t vhost::RingLayout::*part :
         {&vhost::RingLayout::descriptors, &vhost::RingLayout::driver,
          &vhost::RingLayout::device}) {
        vhost::RingLayout layout = driver_->layout();
        layout.*part = test::FakeMemory::vmm_address(end);
        vhost::Virtqueue queue(1, test::signaller(), logger_);
        EXPECT_FALSE(queue.set_up(layout, 0, memory_.as_guest_memory()));
        queue.tear_down();
        EXPECT_TRUE(queue.set_up(driver_->layout(), 0, memory_.as_guest_memory()));
        queue.tear_down();
    }
    EXPECT_EQ(ask(cq_request(context, 16)).first, 0) << "the guest's memory is still there";
}

// Commands ran before the guest had given the shared buffers, or after it had taken them away: use
// after free.  Here: a queue that is kicked without memory, after its memory left, or while it is
// stopped.
TEST_P(PvrdmaCveSession, CVE_2022_1050) {
    start_queues();
    alloc_ucontext();
    const auto commands = device_->status().commands;
    // Stopped: what the driver makes available is not looked at, kick or not.
    const uint32_t base = vmm_->stop_queue(VRDMA_VQ_CONTROL);
    submit(bytes(make<vrdma_cmd_empty>(VRDMA_CMD_ALLOC_UCONTEXT)), sizeof(vrdma_rsp_handle));
    control().kick();
    give_time();
    EXPECT_EQ(device_->status().commands, commands);
    // Without memory the queue is not served either, whatever the VMM says of its addresses.
    for (const auto& region : memory_.regions()) {
        EXPECT_TRUE(vmm_->remove_region(*region));
    }
    vmm_->set_addresses(VRDMA_VQ_CONTROL, control().layout());
    vmm_->set_vring_fd(vhost::Request::kSetVringKick, VRDMA_VQ_CONTROL, control().kick_fd());
    vmm_->enable_queue(VRDMA_VQ_CONTROL, true);
    control().kick();
    give_time();
    EXPECT_EQ(device_->status().commands, commands);
    vmm_->stop_queue(VRDMA_VQ_CONTROL);
    // Memory that leaves while the queue runs takes the queue with it.
    EXPECT_TRUE(vmm_->share(memory_));
    vmm_->start_queue(VRDMA_VQ_CONTROL, control(), base);
    control().wait_used();
    EXPECT_EQ(device_->status().commands, commands + 1);
    for (const auto& region : memory_.regions()) {
        EXPECT_TRUE(vmm_->remove_region(*region));
    }
    submit(bytes(make<vrdma_cmd_empty>(VRDMA_CMD_ALLOC_UCONTEXT)), sizeof(vrdma_rsp_handle));
    control().kick();
    give_time();
    const uint32_t next = vmm_->stop_queue(VRDMA_VQ_CONTROL);
    EXPECT_EQ(device_->status().commands, commands + 1);
    // With its memory back it goes on where it was, and the command that waited is executed.
    EXPECT_TRUE(vmm_->share(memory_));
    vmm_->start_queue(VRDMA_VQ_CONTROL, control(), next);
    control().kick();
    control().wait_used();
    EXPECT_EQ(device_->status().commands, commands + 2);
}

// The number of a ring's pages was not held against the page that lists them, so the ring's reader
// went beyond.  Here: a ring that does not fit into the guest's memory, and a head that is not in
// the ring.
TEST_F(CommandTest, CVE_2023_1544) {
    const uint64_t end = kRam + (16 << 20);
    for (const uint16_t size : {uint16_t{0}, uint16_t{3}, uint16_t{32769}, uint16_t{65535}}) {
        vhost::RingLayout layout = driver_->layout();
        layout.size = size;
        vhost::Virtqueue queue(1, test::signaller(), logger_);
        EXPECT_EQ(queue.set_up(layout, 0, memory_.as_guest_memory()).error(), Errno{EINVAL})
            << size;
    }
    for (const uint64_t room : {uint64_t{16}, uint64_t{16} * 15, uint64_t{16} * 16 - 16}) {
        vhost::RingLayout layout = driver_->layout();
        layout.descriptors = test::FakeMemory::vmm_address(end - room);
        vhost::Virtqueue queue(1, test::signaller(), logger_);
        EXPECT_EQ(queue.set_up(layout, 0, memory_.as_guest_memory()).error(), Errno{EFAULT})
            << room;
    }
    vhost::RingLayout fits = driver_->layout();
    fits.descriptors = test::FakeMemory::vmm_address(end - uint64_t{16} * 16);
    vhost::Virtqueue last(1, test::signaller(), logger_);
    EXPECT_TRUE(last.set_up(fits, 0, memory_.as_guest_memory()));
    last.tear_down();

    auto driver = test::DriverQueue::create(memory_, 16, vhost::bit(VIRTIO_F_VERSION_1));
    for (const uint16_t head : {uint16_t{16}, uint16_t{17}, uint16_t{0x7fff}, uint16_t{0xffff}}) {
        vhost::Virtqueue queue(1, test::signaller(), logger_);
        ASSERT_TRUE(queue.set_up(driver->layout(), 0, memory_.as_guest_memory()));
        dynamic_cast<test::SplitDriverQueue&>(*driver).make_available(head);
        EXPECT_EQ(queue.pop().error(), Errno{EPROTO}) << head;
        EXPECT_THAT(queue.failure(), testing::HasSubstr("out of range")) << head;
        queue.tear_down();
        driver = test::DriverQueue::create(memory_, 16, vhost::bit(VIRTIO_F_VERSION_1));
    }
}

}  // namespace
}  // namespace vrdma::device
