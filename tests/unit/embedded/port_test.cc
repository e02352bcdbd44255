// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Ports, contexts and their objects: what they report, what they may have, and that
// nothing is left of them.
#include <rdma/ib_user_ioctl_verbs.h>

#include <algorithm>
#include <fstream>

#include "fixture.h"
#include "rnic/embedded/rings/ring_memory.h"

namespace vrdma::embedded::test {
namespace {

class Ports : public SteppedRnic {
  protected:
    Result<uint32_t> try_cq(Guest& guest, uint32_t handle, uint32_t cqe, size_t room = 64) {
        std::vector<std::byte> out(room);
        rnic::Udata udata{.in = {}, .out = out};
        rnic::CqAttributes attributes{.cqe = cqe, .comp_vector = 0, .flags = 0};
        auto cq = guest.context->create_cq(handle, attributes, udata);
        if (!cq) {
            return fail(cq.error());
        }
        EXPECT_EQ(udata.out_written, sizeof(rxe_create_cq_resp));
        return attributes.cqe;
    }
    static rnic::QpCapabilities small_cap() { return {15, 15, 1, 1, 0}; }
    Errno qp_error(End& end, uint8_t type, const rnic::QpCapabilities& cap) {
        std::vector<std::byte> out(64);
        rnic::Udata udata{.in = {}, .out = out};
        rnic::Context::QpInit init;
        init.pd = &end.guest.pd();
        init.send_cq = end.send_cq.object.get();
        init.recv_cq = end.recv_cq.object.get();
        init.qp_type = type;
        init.cap = cap;
        auto qp = end.guest.context->create_qp(500, init, udata);
        return qp ? Errno{0} : qp.error();
    }
};

TEST_F(Ports, DeviceIsOneThatLibrxeKnows) {
    const auto attributes = rnic->attributes();
    EXPECT_EQ(attributes.driver_id, static_cast<uint32_t>(RDMA_DRIVER_RXE));
    EXPECT_EQ(attributes.uverbs_abi_version, 2u);
    EXPECT_EQ(attributes.max_send_sge, 32u);
    EXPECT_GE(attributes.max_qp_wr, 16384u);
    EXPECT_GE(attributes.max_cqe, 65536u);
    EXPECT_LE(attributes.max_qp, uint32_t{VRDMA_DB_MAX_HANDLES});
    EXPECT_TRUE(attributes.has_srq);
    EXPECT_FALSE(attributes.cq_doorbell);
}

TEST_F(Ports, WhatIsNotThereIsNotAdvertised) {
    const auto attributes = rnic->attributes();
    EXPECT_EQ(attributes.device_cap_flags &
                  (IB_UVERBS_DEVICE_MEM_WINDOW_TYPE_2A | IB_UVERBS_DEVICE_AUTO_PATH_MIG),
              0u);
}

TEST_F(Ports, PortIsActive) {
    Guest guest(*rnic, "alice", 1);
    const auto port = guest.port->query_port();
    EXPECT_EQ(port.state, 4u);
    EXPECT_EQ(port.active_mtu, kMtu4096);
    EXPECT_EQ(port.gid_tbl_len, 256u);
    EXPECT_EQ(port.pkey_tbl_len, 1u);
    EXPECT_GE(port.max_msg_sz, 1u << 30);
}

TEST_F(Ports, EveryCapabilityLimitCanBeUsedToTheFull) {
    End end(*rnic, "alice", 1);
    const auto attributes = rnic->attributes();
    auto qp = end.guest.make_qp(end.send_cq, end.recv_cq,
                                {.send_wr = attributes.max_qp_wr,
                                 .recv_wr = attributes.max_qp_wr,
                                 .sge = attributes.max_send_sge,
                                 .inline_data = attributes.max_inline_data});
    EXPECT_GE(qp.cap.max_send_wr, attributes.max_qp_wr);
    EXPECT_EQ(qp.cap.max_send_sge, attributes.max_send_sge);
    EXPECT_EQ(qp.cap.max_inline_data, attributes.max_inline_data);
    EXPECT_GE(try_cq(end.guest, 600, attributes.max_cqe).value(), attributes.max_cqe);
    auto srq = end.guest.make_srq(attributes.max_srq_wr, attributes.max_srq_sge);
    EXPECT_GE(srq.object->query().value().max_wr, attributes.max_srq_wr);
}

TEST_F(Ports, WhatExceedsALimitIsRefused) {
    End end(*rnic, "alice", 1);
    const auto limits = rnic->attributes();
    EXPECT_EQ(try_cq(end.guest, 600, 0).error(), Errno{EINVAL});
    EXPECT_EQ(try_cq(end.guest, 600, limits.max_cqe + 1).error(), Errno{EINVAL});
    auto cap = small_cap();
    cap.max_send_wr = limits.max_qp_wr + 1;
    EXPECT_EQ(qp_error(end, 2, cap), Errno{EINVAL});
    cap = small_cap();
    cap.max_recv_wr = 0xffffffff;
    EXPECT_EQ(qp_error(end, 2, cap), Errno{EINVAL});
    cap = small_cap();
    cap.max_send_sge = 33;
    EXPECT_EQ(qp_error(end, 2, cap), Errno{EINVAL});
    cap = small_cap();
    cap.max_recv_sge = 0xffffffff;
    EXPECT_EQ(qp_error(end, 2, cap), Errno{EINVAL});
    cap = small_cap();
    cap.max_inline_data = limits.max_inline_data + 1;
    EXPECT_EQ(qp_error(end, 2, cap), Errno{EINVAL});
}

TEST_F(Ports, QueuePairTypesThatAreNotThereAreNotSupported) {
    End end(*rnic, "alice", 1);
    for (uint8_t type : {0, 5, 8, 9, 255}) {
        EXPECT_EQ(qp_error(end, type, small_cap()), Errno{EOPNOTSUPP}) << int{type};
    }
}

TEST_F(Ports, UdataTooSmallForTheAnswerIsRefused) {
    Guest guest(*rnic, "alice", 1);
    EXPECT_EQ(try_cq(guest, 600, 15, sizeof(rxe_create_cq_resp) - 1).error(), Errno{EINVAL});
}

TEST_F(Ports, HandleOutOfRangeOrInUseIsRefused) {
    Guest guest(*rnic, "alice", 1);
    EXPECT_EQ(try_cq(guest, VRDMA_DB_MAX_HANDLES, 15).error(), Errno{EINVAL});
    auto cq = guest.make_cq(15);
    EXPECT_EQ(try_cq(guest, cq.handle, 15).error(), Errno{EINVAL});
}

TEST_F(Ports, MappingIsGivenOnlyWithinTheRingsOfTheContext) {
    Guest guest(*rnic, "alice", 1);
    EXPECT_EQ(guest.context->mmap(0, 4096).error(), Errno{EINVAL});
    auto cq = guest.make_cq(15);  // at offset 0, as the only ring
    ASSERT_TRUE(guest.context->mmap(0, 4096).has_value());
    EXPECT_EQ(guest.context->mmap(1, 4095).error(), Errno{EINVAL});
    EXPECT_EQ(guest.context->mmap(0, 0).error(), Errno{EINVAL});
    EXPECT_EQ(guest.context->mmap(0, uint64_t{1} << 40).error(), Errno{EINVAL});
    EXPECT_EQ(guest.context->mmap(~uint64_t{0} << 12, 8192).error(), Errno{EINVAL});
    cq = ClientCq{};
    EXPECT_EQ(guest.context->mmap(0, 4096).error(), Errno{EINVAL});
}

TEST_F(Ports, MemoryOfADestroyedRingStartsAsZerosInTheNext) {
    Guest guest(*rnic, "alice", 1);
    {
        auto cq = guest.make_cq(15);
        std::memset(cq.ring.element(0), 0xee, size_t{16} * 64);
        cq.ring.header()->producer_index = 9;
    }
    auto cq = guest.make_cq(15);
    EXPECT_EQ(cq.ring.header()->producer_index, 0u);
    EXPECT_EQ(*cq.ring.element(3), std::byte{0});
}

TEST_F(Ports, QueuePairNumbersAreUniqueAcrossGuests) {
    End a(*rnic, "alice", 1);
    End b(*rnic, "bob", 2);
    EXPECT_NE(a.qp.number(), b.qp.number());
    EXPECT_GT(a.qp.number(), 1u);
    EXPECT_EQ(a.qp.number() >> 24, 0u);
}

TEST_F(Ports, NumberOfADestroyedQueuePairIsNotTheNextOne) {
    End a(*rnic, "alice", 1);
    uint32_t old;
    {
        auto qp = a.guest.make_qp(a.send_cq, a.recv_cq);
        old = qp.number();
    }
    auto qp = a.guest.make_qp(a.send_cq, a.recv_cq);
    EXPECT_NE(qp.number(), old);
}

TEST_F(Ports, GidsOutsideTheTableAreRefused) {
    Guest guest(*rnic, "alice", 1);
    EXPECT_TRUE(guest.port->add_gid(255, Guest::gid_of(7), 2).has_value());
    EXPECT_EQ(guest.port->add_gid(256, Guest::gid_of(8), 2).error(), Errno{EINVAL});
    EXPECT_EQ(guest.port->del_gid(256).error(), Errno{EINVAL});
    EXPECT_EQ(guest.port->add_gid(3, rnic::Gid{}, 2).error(), Errno{EINVAL});
}

TEST_F(Ports, GidReplacedByAnotherIsNoLongerReached) {
    End a(*rnic, "alice", 1);
    End b(*rnic, "bob", 2);
    ASSERT_TRUE(b.guest.port->add_gid(0, Guest::gid_of(3), 2));
    connect(a.qp, b.qp, {.retry_cnt = 0});
    a.qp.post_send({.opcode = WrOpcode::kRdmaWrite,
                    .remote_address = b.mr.iova,
                    .rkey = b.mr.rkey(),
                    .sges = {a.mr.sge(0, 8)}});
    settle();
    clock->advance(1'000'000'000);
    settle();
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kRetryExceeded);
}

TEST_F(Ports, AddressHandleNeedsAnAddressOfItsOwn) {
    Guest guest(*rnic, "alice", 1);
    std::array<std::byte, sizeof(rxe_create_ah_resp)> out;
    rnic::Udata udata{.in = {}, .out = out};
    auto attributes = guest.path_to(Guest::gid_of(2));
    attributes.sgid_index = 9;
    EXPECT_EQ(guest.context->create_ah(guest.pd(), attributes, udata).error(), Errno{EINVAL});
    attributes = guest.path_to(Guest::gid_of(2));
    attributes.port = 2;
    EXPECT_EQ(guest.context->create_ah(guest.pd(), attributes, udata).error(), Errno{EINVAL});
}

TEST_F(Ports, EverythingIsCountedAndNothingIsLeft) {
    const auto before = rnic->counters();
    EXPECT_EQ(before, EmbeddedCounters{});
    {
        End a(*rnic, "alice", 1);
        auto srq = a.guest.make_srq(15, 1);
        auto ah = a.guest.make_ah(a.guest.gid());
        const auto during = rnic->counters();
        EXPECT_EQ(during.ports, 1u);
        EXPECT_EQ(during.contexts, 1u);
        EXPECT_EQ(during.protection_domains, 1u);
        EXPECT_EQ(during.memory_regions, 1u);
        EXPECT_EQ(during.completion_queues, 2u);
        EXPECT_EQ(during.queue_pairs, 1u);
        EXPECT_EQ(during.shared_receive_queues, 1u);
        EXPECT_EQ(during.address_handles, 1u);
        EXPECT_GE(during.ring_bytes, 5u * 4096);
    }
    EXPECT_EQ(rnic->counters(), before);
}

TEST_F(Ports, PeerThatDisappearsInMidTransferEndsItInRetryExceeded) {
    End a(*rnic, "alice", 1, {}, 4 << 20);
    const auto only_alice = rnic->counters();
    auto b = std::make_unique<End>(*rnic, "bob", 2, QpOptions{}, 4 << 20);
    connect(a.qp, b->qp, {.timeout = 14, .retry_cnt = 1});
    settle();
    a.qp.post_send({.opcode = WrOpcode::kRdmaWrite,
                    .remote_address = b->mr.iova,
                    .rkey = b->mr.rkey(),
                    .sges = {a.mr.sge(0, 4 << 20)}});
    ASSERT_TRUE(rnic->poll_once());
    ASSERT_TRUE(a.send_cq.ring.empty());
    b.reset();
    EXPECT_EQ(rnic->counters(), only_alice);
    for (int i = 0; i < 2; ++i) {
        settle();
        EXPECT_TRUE(a.send_cq.ring.empty());
        clock->advance(4096ull << 14);
    }
    settle();
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kRetryExceeded);
}

TEST_F(Ports, SenderThatDisappearsInMidTransferLeavesTheReceiverIntact) {
    auto a = std::make_unique<End>(*rnic, "alice", 1, QpOptions{}, 4 << 20);
    End b(*rnic, "bob", 2, {}, 4 << 20);
    connect(a->qp, b.qp);
    settle();
    b.post_recv(1, 0, 4 << 20);
    a->qp.post_send({.opcode = WrOpcode::kSend, .sges = {a->mr.sge(0, 4 << 20)}});
    ASSERT_TRUE(rnic->poll_once());
    a.reset();
    settle();
    EXPECT_FALSE(b.recv_cq.poll().has_value());
    EXPECT_EQ(b.qp.state(), QpState::kReadyToSend);
    rnic::QpAttributes error;
    error.qp_state = static_cast<uint8_t>(QpState::kError);
    ASSERT_TRUE(b.qp.modify(kAttrState, error));
    settle();
    const auto wc = only_completion(b.recv_cq);
    EXPECT_EQ(wc.wr_id, 1u);
    EXPECT_EQ(status_of(wc), WcStatus::kFlushed);
}

TEST_F(Ports, LimitsOfOnePortAreItsOwn) {
    EmbeddedConfig config;
    config.threads = 0;
    config.limits.max_cq = 2;
    auto small = make_embedded_rnic(config, vrdma::test::silent_logger());
    Guest a(*small, "alice", 1);
    Guest b(*small, "bob", 2);
    auto first = a.make_cq(15);
    auto second = a.make_cq(15);
    EXPECT_EQ(try_cq(a, 600, 15).error(), Errno{ENOMEM});
    EXPECT_TRUE(try_cq(b, 600, 15).has_value());
    second = ClientCq{};
    EXPECT_TRUE(try_cq(a, 600, 15).has_value());
}

TEST_F(Ports, RingMemoryOfAContextIsBounded) {
    EmbeddedConfig config;
    config.threads = 0;
    config.limits.ring_bytes_per_context = uint64_t{64} * 1024;
    auto small = make_embedded_rnic(config, vrdma::test::silent_logger());
    Guest a(*small, "alice", 1);
    EXPECT_EQ(try_cq(a, 600, 4095).error(), Errno{ENOMEM});
    EXPECT_TRUE(try_cq(a, 600, 255).has_value());
    EXPECT_EQ(small->counters().completion_queues, 0u);
}

// A guest may have a thousand contexts, and a daemon two dozen guests.
TEST_F(Ports, AContextWithoutRingsTakesNoAddressSpaceAndOneWithFewTakesLittle) {
    Guest a(*rnic, "alice", 1);
    const auto address_space = [] {
        uint64_t pages = 0;
        std::ifstream("/proc/self/statm") >> pages;
        return pages * 4096;
    };
    const uint64_t before = address_space();
    std::vector<std::unique_ptr<rnic::Context>> contexts;
    for (int i = 0; i < 500; ++i) {
        rnic::Udata udata;
        contexts.push_back(a.port->alloc_context(udata).value());
    }
    EXPECT_LT(address_space() - before, uint64_t{500} << 20);
    // Rings of all sizes still find room, in parts that grow.
    auto limit = EmbeddedLimits().ring_bytes_per_context;
    auto memory = RingMemory::create(limit).value();
    std::vector<RingRange> ranges;
    uint64_t sum = 0;
    for (uint64_t size = 4096; size <= uint64_t{256} << 20; size *= 2) {
        ranges.push_back(memory->allocate(size).value());
        sum += size;
        *ranges.back().data() = std::byte{1};
        ranges.back().data()[size - 1] = std::byte{2};
        EXPECT_TRUE(memory->covers(ranges.back().offset(), size));
        EXPECT_LE(memory->mapped(), std::max<uint64_t>(4 * sum, 2 << 20));
    }
    EXPECT_EQ(memory->used(), sum);
    const uint64_t mapped = memory->mapped();
    ranges.clear();
    for (uint64_t size = 4096; size <= uint64_t{256} << 20; size *= 2) {
        ranges.push_back(memory->allocate(size).value());
        EXPECT_EQ(*ranges.back().data(), std::byte{0});
    }
    EXPECT_EQ(memory->mapped(), mapped);
    EXPECT_EQ(memory->allocate(limit).error(), Errno{ENOMEM});
}

TEST_F(Ports, LimitsThatTheAbiCannotExpressAreRefusedAtTheStart) {
    EmbeddedConfig config;
    config.limits.max_qp = VRDMA_DB_MAX_HANDLES + 1;
    EXPECT_THROW(make_embedded_rnic(config, vrdma::test::silent_logger()), std::invalid_argument);
}

TEST_F(Ports, WithoutADoorbellAreaAPortStaysSilent) {
    End a(*rnic, "alice", 1);
    connect(a.qp, a.guest.gid(), a.qp.number());
    a.guest.port->set_doorbells(nullptr, -1);
    a.send_cq.arm(VRDMA_CQ_ARM_NEXT);
    a.qp.post_send({.opcode = WrOpcode::kRdmaWrite,
                    .remote_address = a.mr.iova,
                    .rkey = a.mr.rkey(),
                    .sges = {a.mr.sge(64, 8)}});
    settle();
    EXPECT_EQ(a.guest.sink.completions_of(a.send_cq.handle), 0u);
    a.guest.port->set_doorbells(a.guest.area.get(), -1);  // what was rung is found now
    settle();
    EXPECT_TRUE(a.send_cq.poll().has_value());
}

}  // namespace
}  // namespace vrdma::embedded::test
