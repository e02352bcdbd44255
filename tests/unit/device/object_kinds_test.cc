// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// What the table of object kinds promises of each of them.
#include "device/object_kinds.h"

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "command_fixture.h"

namespace vrdma::device {
namespace {

class ObjectKindsTest : public CommandTest {
  protected:
    ObjectKindsTest() {
        attributes_.ucma = true;
        shm_.refuse = 0;
    }

    // Anew, with nothing created.
    void begin(const Limits& limits) {
        make_verbs({}, limits);
        context_ = pd_ = cq_ = qp_ = std::nullopt;
        groups_ = 0;
    }

    // Objects that those of other kinds need, created once.
    uint32_t context() {
        return once(context_, [&] { return uctx(); });
    }
    uint32_t pd() {
        return once(pd_, [&] { return CommandTest::pd(context()); });
    }
    uint32_t cq() {
        return once(cq_, [&] { return CommandTest::cq(context()); });
    }
    uint32_t qp() {
        return once(qp_, [&] { return ask(qp_request()).second; });
    }

    template <typename Create>
    static uint32_t once(std::optional<uint32_t>& handle, Create create) {
        if (!handle) {
            handle = create();
        }
        return *handle;
    }

    vrdma_cmd_create_qp qp_request() {
        auto request = make<vrdma_cmd_create_qp>(VRDMA_CMD_CREATE_QP, context());
        request.pd = htole32(pd());
        request.send_cq = request.recv_cq = htole32(cq());
        request.srq = htole32(VRDMA_NO_HANDLE);
        request.qp_type = 2;  // IB_QPT_RC
        return request;
    }

    template <typename Request>
    int in_pd(uint16_t opcode, std::function<void(Request&)> fill = {}) {
        auto request = make<Request>(opcode, context());
        request.pd = htole32(pd());
        if (fill) {
            fill(request);
        }
        return ask(request).first;
    }

    int create_mr() {
        const vrdma_run run{.gpa = htole64(kRam), .length = htole64(4096)};
        return ask_bytes(reg_mr(context(), pd(), 4096, 1, std::span(&run, 1))).first;
    }

    int attach() {
        auto request = make<vrdma_cmd_mcast>(VRDMA_CMD_ATTACH_MCAST, context());
        request.qp = htole32(qp());
        request.gid[0] = 0xff;
        request.gid[15] = ++groups_;
        return ask(request).first;
    }

    int map() {
        auto request = make<vrdma_cmd_mmap>(VRDMA_CMD_MMAP, context());
        request.offset = htole64(state_.mmap_offset);
        request.length = htole64(VRDMA_SHM_PAGE_SIZE);
        return ask(request).first;
    }

    // How the guest creates one of each kind, by the kind's key; the verb's status.
    const std::map<std::string, std::function<int()>> create_{
        {"contexts", [&] { return ask(make<vrdma_cmd_empty>(VRDMA_CMD_ALLOC_UCONTEXT)).first; }},
        {"protection_domains",
         [&] { return ask(make<vrdma_cmd_empty>(VRDMA_CMD_ALLOC_PD, context())).first; }},
        {"xrc_domains", [&] { return ask(make<vrdma_cmd_empty>(VRDMA_CMD_ALLOC_XRCD)).first; }},
        {"memory_regions", [&] { return create_mr(); }},
        {"memory_windows",
         [&] {
             return in_pd<vrdma_cmd_alloc_mw>(VRDMA_CMD_ALLOC_MW,
                                              [](auto& request) { request.type = 1; });
         }},
        {"completion_queues",
         [&] {
             auto request = make<vrdma_cmd_create_cq>(VRDMA_CMD_CREATE_CQ, context());
             request.cqe = htole32(1);
             return ask(request).first;
         }},
        {"shared_receive_queues",
         [&] {
             return in_pd<vrdma_cmd_create_srq>(VRDMA_CMD_CREATE_SRQ,
                                                [](auto& request) { request.max_wr = htole32(1); });
         }},
        {"queue_pairs", [&] { return ask(qp_request()).first; }},
        {"address_handles",
         [&] {
             return in_pd<vrdma_cmd_create_ah>(VRDMA_CMD_CREATE_AH,
                                               [](auto& request) { request.attr.port = 1; });
         }},
        {"multicast_attachments", [&] { return attach(); }},
        {"ucma_files", [&] { return ask(make<vrdma_cmd_ucma_open>(VRDMA_CMD_UCMA_OPEN)).first; }},
        {"mappings", [&] { return map(); }},
    };

  private:
    std::optional<uint32_t> context_;
    std::optional<uint32_t> pd_;
    std::optional<uint32_t> cq_;
    std::optional<uint32_t> qp_;
    uint8_t groups_ = 0;
};

TEST_F(ObjectKindsTest, EachHasItsLimitAndItsCount) {
    for (const ObjectKind& kind : kObjectKinds) {
        SCOPED_TRACE(kind.key);
        ASSERT_TRUE(create_.contains(kind.key)) << "say above how one is created";
        Limits limits;
        limits.*kind.limit = 2;
        begin(limits);
        EXPECT_EQ(create_.at(kind.key)(), 0);
        EXPECT_EQ(verbs_->counts().*kind.count, 1U);
        EXPECT_EQ(create_.at(kind.key)(), 0);
        EXPECT_EQ(create_.at(kind.key)(), EDQUOT);
        EXPECT_EQ(verbs_->counts().*kind.count, 2U);
    }
}

TEST_F(ObjectKindsTest, TheRnicsOwnLimitCountsWhereItIsLower) {
    const rnic::DeviceAttributes attributes = attributes_;
    for (const ObjectKind& kind : kObjectKinds) {
        if (kind.rnic_limit == nullptr) {
            continue;
        }
        SCOPED_TRACE(kind.key);
        attributes_ = attributes;
        attributes_.*kind.rnic_limit = 1;
        begin({});
        EXPECT_EQ(create_.at(kind.key)(), 0);
        EXPECT_EQ(create_.at(kind.key)(), EDQUOT);
        EXPECT_EQ(verbs_->counts().*kind.count, 1U);
    }
}

TEST_F(ObjectKindsTest, ALimitThatIsRaisedCountsAtOnceAndOneThatIsLoweredTakesNothingAway) {
    for (const ObjectKind& kind : kObjectKinds) {
        SCOPED_TRACE(kind.key);
        Limits limits;
        limits.*kind.limit = 1;
        begin(limits);
        EXPECT_EQ(create_.at(kind.key)(), 0);
        EXPECT_EQ(create_.at(kind.key)(), EDQUOT);
        limits.*kind.limit = 3;
        budgets_->set_limits(limits);
        EXPECT_EQ(create_.at(kind.key)(), 0);
        limits.*kind.limit = 1;
        budgets_->set_limits(limits);
        EXPECT_EQ(create_.at(kind.key)(), EDQUOT);
        EXPECT_EQ(verbs_->counts().*kind.count, 2U);
        const auto budgets = budgets_->all();
        const auto budget = std::ranges::find(budgets, std::string(kind.key), &Budget::key);
        ASSERT_NE(budget, budgets.end());
        EXPECT_EQ((*budget)->times_reached(), 2U);
        EXPECT_EQ((*budget)->used(), 2U);
    }
}

TEST_F(ObjectKindsTest, AGuestAtItsLimitDoesNotTouchAnother) {
    GuestBudgets other("other", {}, attributes_, logger_);
    for (const ObjectKind& kind : kObjectKinds) {
        SCOPED_TRACE(kind.key);
        Limits limits;
        limits.*kind.limit = 1;
        begin(limits);
        EXPECT_EQ(create_.at(kind.key)(), 0);
        EXPECT_EQ(create_.at(kind.key)(), EDQUOT);
        for (const Budget* budget : other.all()) {
            EXPECT_EQ(budget->used(), 0U) << budget->key();
            EXPECT_EQ(budget->times_reached(), 0U) << budget->key();
        }
    }
}

TEST(ObjectKindLimit, IsTheLowestOfAllAndAtLeastOne) {
    rnic::DeviceAttributes attributes;
    attributes.max_qp = 100;
    Limits limits;
    limits.queue_pairs = 50;
    EXPECT_EQ(object_limit(object_kind::queue_pairs, limits, attributes), 50U);
    limits.queue_pairs = 200;
    EXPECT_EQ(object_limit(object_kind::queue_pairs, limits, attributes), 100U);
    limits.queue_pairs = attributes.max_qp = UINT32_MAX;
    EXPECT_EQ(object_limit(object_kind::queue_pairs, limits, attributes),
              uint32_t{VRDMA_DB_MAX_HANDLES});
    attributes.max_qp = 0;
    EXPECT_EQ(object_limit(object_kind::queue_pairs, limits, attributes), 1U);
}

TEST(ObjectKindLimit, OfAGuestThatGetsNothingNewIsNone) {
    rnic::DeviceAttributes attributes;
    attributes.max_qp = 100;
    Limits limits;
    limits.queue_pairs = 0;
    EXPECT_EQ(object_limit(object_kind::queue_pairs, limits, attributes), 0U);
}

}  // namespace
}  // namespace vrdma::device
