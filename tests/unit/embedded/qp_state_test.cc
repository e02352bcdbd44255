// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The states of a queue pair and how it gets from one to another (IBTA 1.4, 10.3.1
// and 11.2.5.2).
#include <algorithm>
#include <optional>

#include "fixture.h"
#include "rnic/embedded/verbs/qp_transitions.h"

namespace vrdma::embedded::test {
namespace {

using rnic::AsyncEventType;

constexpr std::array kStates{QpState::kReset,
                             QpState::kInit,
                             QpState::kReadyToReceive,
                             QpState::kReadyToSend,
                             QpState::kSendQueueDrained,
                             QpState::kSendQueueError,
                             QpState::kError};

// The attributes that each transition needs at least, by type; nullopt: no such transition.
std::optional<uint32_t> required(QpType type, QpState from, QpState to) {
    const bool rc = type == QpType::kRc;
    const bool ud = is_datagram(type);
    if (to == QpState::kReset || to == QpState::kError) {
        return 0;
    }
    if (from == QpState::kReset && to == QpState::kInit) {
        const uint32_t port = type == QpType::kGsi ? 0 : kAttrPort;
        return kAttrPkeyIndex | port | (ud ? kAttrQkey : kAttrAccessFlags);
    }
    if (from == QpState::kInit && to == QpState::kReadyToReceive) {
        if (ud) {
            return 0;
        }
        return kAttrAddressVector | kAttrPathMtu | kAttrDestQpn | kAttrRqPsn |
               (rc ? kAttrMaxDestRdAtomic | kAttrMinRnrTimer : 0);
    }
    if (from == QpState::kReadyToReceive && to == QpState::kReadyToSend) {
        return kAttrSqPsn |
               (rc ? kAttrTimeout | kAttrRetryCount | kAttrRnrRetry | kAttrMaxRdAtomic : 0);
    }
    if (from == QpState::kSendQueueError && to == QpState::kReadyToSend && rc) {
        return std::nullopt;
    }
    const auto sends = {QpState::kReadyToSend, QpState::kSendQueueDrained,
                        QpState::kSendQueueError};
    const bool resumes =
        to == QpState::kReadyToSend && std::count(sends.begin(), sends.end(), from);
    const bool drains = to == QpState::kSendQueueDrained &&
                        (from == QpState::kReadyToSend || from == QpState::kSendQueueDrained);
    const bool stays = from == QpState::kInit && to == QpState::kInit;
    if (resumes || drains || stays) {
        return 0;
    }
    return std::nullopt;
}

class Transitions : public ::testing::TestWithParam<QpType> {};
INSTANTIATE_TEST_SUITE_P(Types, Transitions,
                         ::testing::Values(QpType::kGsi, QpType::kRc, QpType::kUc, QpType::kUd));

TEST_P(Transitions, ExistExactlyWhereTheSpecificationHasThem) {
    for (QpState from : kStates) {
        for (QpState to : kStates) {
            const auto mask = required(GetParam(), from, to);
            EXPECT_EQ(transition_allowed(GetParam(), from, to, mask.value_or(0) | kAttrState),
                      mask.has_value())
                << static_cast<int>(from) << " to " << static_cast<int>(to);
        }
    }
}

TEST_P(Transitions, NeedEachOfTheirRequiredAttributes) {
    for (QpState from : kStates) {
        for (QpState to : kStates) {
            const uint32_t mask = required(GetParam(), from, to).value_or(0);
            for (uint32_t bit = 1; bit <= kAttrDestQpn; bit <<= 1) {
                if ((mask & bit) == 0) {
                    continue;
                }
                EXPECT_FALSE(transition_allowed(GetParam(), from, to, (mask & ~bit) | kAttrState))
                    << static_cast<int>(from) << " to " << static_cast<int>(to) << " without "
                    << bit;
            }
        }
    }
}

TEST_P(Transitions, RefuseAttributesThatBelongToOthers) {
    for (QpState from : kStates) {
        for (QpState to : kStates) {
            const auto mask = required(GetParam(), from, to);
            if (!mask) {
                continue;
            }
            // A queue pair's capabilities can never be changed here.
            EXPECT_FALSE(
                transition_allowed(GetParam(), from, to, *mask | kAttrState | kAttrCapabilities));
        }
    }
    EXPECT_FALSE(
        transition_allowed(GetParam(), QpState::kInit, QpState::kReset, kAttrState | kAttrQkey));
}

class QueuePairState : public TwoGuests {
  protected:
    static rnic::QpAttributes state(QpState to) {
        rnic::QpAttributes attributes;
        attributes.qp_state = static_cast<uint8_t>(to);
        return attributes;
    }
    void expect_invalid(uint32_t mask, const rnic::QpAttributes& attributes) {
        const auto before = a.qp.state();
        const auto result = a.qp.modify(mask, attributes);
        ASSERT_FALSE(result.has_value());
        EXPECT_EQ(result.error(), Errno{EINVAL});
        EXPECT_EQ(a.qp.state(), before);
    }
};

TEST_F(QueuePairState, StartsInReset) {
    EXPECT_EQ(a.qp.state(), QpState::kReset);
}

TEST_F(QueuePairState, QueryReturnsWhatWasSet) {
    connect(a.qp, b.qp, {.min_rnr_timer = 9, .timeout = 13, .retry_cnt = 5, .rnr_retry = 6});
    const auto attributes = a.qp.query();
    EXPECT_EQ(attributes.qp_state, static_cast<uint8_t>(QpState::kReadyToSend));
    EXPECT_EQ(attributes.dest_qp_num, b.qp.number());
    EXPECT_EQ(attributes.path_mtu, kMtu4096);
    EXPECT_EQ(attributes.min_rnr_timer, 9);
    EXPECT_EQ(attributes.timeout, 13);
    EXPECT_EQ(attributes.retry_cnt, 5);
    EXPECT_EQ(attributes.rnr_retry, 6);
    EXPECT_EQ(attributes.ah.dgid, b.guest.gid());
    EXPECT_EQ(attributes.cap.max_send_wr, a.qp.cap.max_send_wr);
}

TEST_F(QueuePairState, IllegalTransitionIsRefused) {
    expect_invalid(kAttrState, state(QpState::kReadyToSend));
    expect_invalid(kAttrState, state(QpState::kSendQueueDrained));
}

TEST_F(QueuePairState, UnknownStateIsRefused) {
    rnic::QpAttributes attributes;
    attributes.qp_state = 7;
    expect_invalid(kAttrState, attributes);
}

TEST_F(QueuePairState, CurrentStateMustBeTheRealOne) {
    connect(a.qp, b.qp);
    rnic::QpAttributes attributes = state(QpState::kReadyToSend);
    attributes.cur_qp_state = static_cast<uint8_t>(QpState::kReadyToReceive);
    expect_invalid(kAttrState | kAttrCurrentState, attributes);
    attributes.cur_qp_state = static_cast<uint8_t>(QpState::kReadyToSend);
    EXPECT_TRUE(a.qp.modify(kAttrState | kAttrCurrentState, attributes));
}

TEST_F(QueuePairState, AccessFlagsForOperationsThatDoNotExistAreTaken) {
    rnic::QpAttributes init = state(QpState::kInit);
    init.port = 1;
    init.qp_access_flags = kAccessRemoteWrite | 1u << 8 | 1u << 9;  // IBTA FLUSH, both kinds
    ASSERT_TRUE(a.qp.modify(kAttrState | kAttrPkeyIndex | kAttrPort | kAttrAccessFlags, init));
    EXPECT_EQ(a.qp.query().qp_access_flags, init.qp_access_flags);
}

TEST_F(QueuePairState, AttributeValuesOutOfRangeAreRefused) {
    const uint32_t to_init_mask = kAttrState | kAttrPkeyIndex | kAttrPort | kAttrAccessFlags;
    rnic::QpAttributes init = state(QpState::kInit);
    init.port = 2;
    expect_invalid(to_init_mask, init);
    init.port = 1;
    init.pkey_index = 1;
    expect_invalid(to_init_mask, init);
    init.pkey_index = 0;

    to_init(a.qp);
    rnic::QpAttributes rtr = state(QpState::kReadyToReceive);
    rtr.path_mtu = kMtu4096;
    rtr.ah = a.guest.path_to(b.guest.gid());
    const uint32_t to_rtr_mask = kAttrState | kAttrAddressVector | kAttrPathMtu | kAttrDestQpn |
                                 kAttrRqPsn | kAttrMaxDestRdAtomic | kAttrMinRnrTimer;
    auto bad = rtr;
    bad.path_mtu = 6;
    expect_invalid(to_rtr_mask, bad);
    bad = rtr;
    bad.path_mtu = 0;
    expect_invalid(to_rtr_mask, bad);
    bad = rtr;
    bad.dest_qp_num = 1 << 24;
    expect_invalid(to_rtr_mask, bad);
    bad = rtr;
    bad.min_rnr_timer = 32;
    expect_invalid(to_rtr_mask, bad);
    bad = rtr;
    bad.max_dest_rd_atomic = 129;
    expect_invalid(to_rtr_mask, bad);
    bad = rtr;
    bad.ah.sgid_index = 5;  // no address there
    expect_invalid(to_rtr_mask, bad);
    EXPECT_TRUE(a.qp.modify(to_rtr_mask, rtr));
}

TEST_F(QueuePairState, NothingIsSentBeforeReadyToSend) {
    to_init(a.qp);
    to_rtr(a.qp, b.guest.gid(), b.qp.number());
    connect(b.qp, a.guest.gid(), a.qp.number());
    a.qp.post_send(write_wr(0, 0, 16));
    settle();
    EXPECT_FALSE(a.send_cq.poll().has_value());
    to_rts(a.qp);
    settle();
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kSuccess);
}

TEST_F(QueuePairState, FirstMessageInReadyToReceiveEstablishesTheCommunication) {
    to_init(b.qp);
    to_rtr(b.qp, a.guest.gid(), a.qp.number());
    connect(a.qp, b.guest.gid(), b.qp.number());
    a.qp.post_send(write_wr(0, 0, 16));
    a.qp.post_send(write_wr(0, 0, 16));
    settle();
    EXPECT_EQ(b.guest.sink.events(AsyncEventType::kCommunicationEstablished, b.qp.handle), 1u);
}

TEST_F(QueuePairState, InInitNothingIsReceived) {
    to_init(b.qp);
    connect(a.qp, b.guest.gid(), b.qp.number(), {.retry_cnt = 0});
    a.qp.post_send(write_wr(0, 0, 16));
    settle();
    clock->advance(1'000'000'000);
    settle();
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kRetryExceeded);
}

TEST_F(QueuePairState, ResetForgetsWhatWasPosted) {
    connect(a.qp, b.qp);
    a.post_recv(1, 0, 16);
    a.qp.enqueue_send(write_wr(0, 0, 16));
    ASSERT_TRUE(a.qp.modify(kAttrState, state(QpState::kReset)));
    connect(a.qp, b.guest.gid(), b.qp.number());
    a.qp.ring_doorbell();
    settle();
    EXPECT_FALSE(a.send_cq.poll().has_value());
    EXPECT_FALSE(a.recv_cq.poll().has_value());
    EXPECT_TRUE(a.qp.send_ring.empty());
}

TEST_F(QueuePairState, ResetEndsAnError) {
    connect(a.qp, b.qp);
    SendWr bad = write_wr(0, 0, 16);
    bad.sges[0].key = 0;
    a.qp.post_send(bad);
    settle();
    ASSERT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kLocalProtectionError);
    ASSERT_TRUE(a.qp.modify(kAttrState, state(QpState::kReset)));
    connect(a.qp, b.guest.gid(), b.qp.number());
    a.qp.post_send(write_wr(0, 0, 16));
    settle();
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kSuccess);
}

TEST_F(QueuePairState, ErrorFlushesWhatIsPosted) {
    connect(a.qp, b.qp);
    for (uint64_t i = 0; i < 5; ++i) {
        a.post_recv(i, 0, 16);
    }
    ASSERT_TRUE(a.qp.modify(kAttrState, state(QpState::kError)));
    settle();
    for (uint64_t i = 0; i < 5; ++i) {
        const auto wc = a.recv_cq.poll();
        ASSERT_TRUE(wc.has_value());
        EXPECT_EQ(wc->wr_id, i);
        EXPECT_EQ(status_of(*wc), WcStatus::kFlushed);
        EXPECT_EQ(wc->qp_num, a.qp.number());
    }
}

TEST_F(QueuePairState, DrainedQueueHoldsItsRequestsUntilItMaySendAgain) {
    connect(a.qp, b.qp);
    rnic::QpAttributes drained = state(QpState::kSendQueueDrained);
    drained.en_sqd_async_notify = 1;
    ASSERT_TRUE(a.qp.modify(kAttrState | kAttrSqdNotify, drained));
    settle();
    EXPECT_EQ(a.guest.sink.events(AsyncEventType::kSqDrained, a.qp.handle), 1u);
    a.qp.post_send(write_wr(0, 0, 16));
    settle();
    EXPECT_FALSE(a.send_cq.poll().has_value());
    ASSERT_TRUE(a.qp.modify(kAttrState, state(QpState::kReadyToSend)));
    settle();
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kSuccess);
}

struct Draining : TwoGuests {
    Draining() : TwoGuests({}, 2 << 20) { connect(a.qp, b.qp); }
};

TEST_F(Draining, FinishesTheMessageThatHasBegunAndThenReports) {
    settle();
    a.qp.enqueue_send(write_wr(0, 0, 2 << 20));
    a.qp.enqueue_send(write_wr(0, 0, 16));
    a.qp.ring_doorbell();
    ASSERT_TRUE(rnic->poll_once());
    rnic::QpAttributes drained;
    drained.qp_state = static_cast<uint8_t>(QpState::kSendQueueDrained);
    drained.en_sqd_async_notify = 1;
    ASSERT_TRUE(a.qp.modify(kAttrState | kAttrSqdNotify, drained));
    EXPECT_EQ(a.qp.query().sq_draining, 1);
    EXPECT_EQ(a.guest.sink.events(rnic::AsyncEventType::kSqDrained, a.qp.handle), 0u);
    settle();
    EXPECT_EQ(a.qp.query().sq_draining, 0);
    EXPECT_EQ(a.guest.sink.events(rnic::AsyncEventType::kSqDrained, a.qp.handle), 1u);
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kSuccess);
}

}  // namespace
}  // namespace vrdma::embedded::test
