// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The memory of a guest's rings, which the guest makes the daemon touch.
#include <sys/stat.h>

#include "budget.h"
#include "fixture.h"

namespace vrdma::embedded::test {
namespace {

constexpr uint64_t kLimit = uint64_t{8} << 20;
constexpr uint32_t kCqe = 16383;  // a ring of 1 MiB and a page

class RingBytesTest : public SteppedRnic {
  protected:
    RingBytesTest() { guest_.port->set_budgets({.ring_bytes = &bytes_}); }

    Result<std::unique_ptr<rnic::CompletionQueue>> create_cq(uint32_t cqe) {
        rxe_create_cq_resp response{};
        rnic::Udata udata{.in = {}, .out = std::as_writable_bytes(std::span(&response, 1))};
        rnic::CqAttributes attributes{.cqe = cqe, .comp_vector = 0, .flags = 0};
        auto cq = guest_.context->create_cq(next_handle_++, attributes, udata);
        if (cq) {
            where_ = response.mi;
        }
        return cq;
    }

    Result<void> resize(rnic::CompletionQueue& cq, uint32_t cqe) {
        rxe_resize_cq_resp response{};
        rnic::Udata udata{.in = {}, .out = std::as_writable_bytes(std::span(&response, 1))};
        auto result = cq.resize(cqe, udata);
        if (result) {
            where_ = response.mi;
        }
        return result;
    }

    // Bytes of memory that the file of the rings takes.
    uint64_t resident() {
        struct stat status {};
        EXPECT_EQ(::fstat(guest_.context->mmap(where_.offset, where_.size)->fd, &status), 0);
        return static_cast<uint64_t>(status.st_blocks) * 512;
    }

    LimitLog log_{"alice", vrdma::test::silent_logger()};
    Budget bytes_{"ring_bytes", "bytes of rings", kLimit, log_};
    Guest guest_{*rnic, "alice", 1};
    mminfo where_{};  // the ring that was made last
    uint32_t next_handle_ = 100;
};

TEST_F(RingBytesTest, AreChargedUntilTheQueueIsGoneAndRefusedBeyondTheLimit) {
    std::vector<std::unique_ptr<rnic::CompletionQueue>> cqs;
    for (;;) {
        auto cq = create_cq(kCqe);
        if (!cq) {
            EXPECT_EQ(cq.error(), Errno{EDQUOT});
            break;
        }
        cqs.push_back(std::move(*cq));
        ASSERT_LE(bytes_.used(), kLimit);
        EXPECT_EQ(bytes_.used(), rnic->counters().ring_bytes);
    }
    EXPECT_EQ(cqs.size(), 7U) << "each has a page for its header";
    EXPECT_EQ(bytes_.times_reached(), 1U);
    cqs.pop_back();
    EXPECT_TRUE(create_cq(kCqe));
    cqs.clear();
    EXPECT_EQ(bytes_.used(), 0U);
}

TEST_F(RingBytesTest, OfAGuestAtItsLimitDoNotTouchAnother) {
    bytes_.set_limit(1);
    EXPECT_EQ(create_cq(kCqe).error(), Errno{EDQUOT});
    Guest other(*rnic, "bob", 2);
    EXPECT_NE(other.make_cq(kCqe).object, nullptr);
}

TEST_F(RingBytesTest, OfQueuePairsAndSharedReceiveQueuesAreChargedToo) {
    ClientCq cq = guest_.make_cq(1);
    const uint64_t before = bytes_.used();
    {
        const ClientQp qp = guest_.make_qp(cq, cq);
        EXPECT_GT(bytes_.used(), before);
        const uint64_t with_qp = bytes_.used();
        const ClientSrq srq = guest_.make_srq(100, 1);
        EXPECT_GT(bytes_.used(), with_qp);
        EXPECT_EQ(bytes_.used(), rnic->counters().ring_bytes);
    }
    EXPECT_EQ(bytes_.used(), before);
}

TEST_F(RingBytesTest, AQueueThatIsResizedNeedsRoomForBothRings) {
    const auto cq = std::move(*create_cq(kCqe));
    bytes_.set_limit(bytes_.used() + 4096);
    const uint64_t before = bytes_.used();
    EXPECT_EQ(resize(*cq, kCqe).error(), Errno{EDQUOT});
    EXPECT_EQ(bytes_.used(), before) << "it keeps the old ring";
    EXPECT_TRUE(resize(*cq, 1));
    EXPECT_LT(bytes_.used(), before);
}

// An index by which all elements seem to wait has all of them copied to the new ring.
TEST_F(RingBytesTest, AForgedConsumerIndexTouchesNoMoreThanTheGuestMayHave) {
    std::vector<std::unique_ptr<rnic::CompletionQueue>> cqs;
    for (unsigned i = 0; i < 100; ++i) {
        auto cq = create_cq(kCqe);
        if (!cq) {
            continue;
        }
        cqs.push_back(std::move(*cq));
        ClientRing(*guest_.context, where_).header()->consumer_index = 1;
        (void)resize(*cqs.back(), kCqe);
        ASSERT_LE(resident(), kLimit);
    }
    EXPECT_GT(resident(), kLimit / 2) << "the copies did touch the memory";
}

}  // namespace
}  // namespace vrdma::embedded::test
