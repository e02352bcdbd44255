// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/embedded/verbs/qp_transitions.h"

#include <array>

namespace vrdma::embedded {
namespace {

struct Masks {
    uint32_t required;
    uint32_t optional;
};

struct Transition {
    QpState from;
    QpState to;
    Masks rc;
    Masks uc;
    Masks ud;
};

constexpr uint32_t kPath = kAttrAddressVector | kAttrPathMtu | kAttrDestQpn | kAttrRqPsn;
constexpr uint32_t kMigration = kAttrAlternatePath | kAttrPathMigration;
constexpr uint32_t kConnected = kAttrPkeyIndex | kAttrPort | kAttrAccessFlags;
constexpr uint32_t kDatagram = kAttrPkeyIndex | kAttrPort | kAttrQkey;
// QP 1 is made for its port.
constexpr Masks kGsiToInit{kAttrPkeyIndex | kAttrQkey, kAttrPort};
constexpr uint32_t kResume = kAttrCurrentState | kAttrAccessFlags | kMigration;

constexpr std::array kTransitions{
    Transition{QpState::kReset, QpState::kInit, {kConnected, 0}, {kConnected, 0}, {kDatagram, 0}},
    Transition{QpState::kInit, QpState::kInit, {0, kConnected}, {0, kConnected}, {0, kDatagram}},
    Transition{QpState::kInit,
               QpState::kReadyToReceive,
               {kPath | kAttrMaxDestRdAtomic | kAttrMinRnrTimer,
                kAttrAlternatePath | kAttrAccessFlags | kAttrPkeyIndex},
               {kPath, kAttrAlternatePath | kAttrAccessFlags | kAttrPkeyIndex},
               {0, kAttrPkeyIndex | kAttrQkey}},
    Transition{QpState::kReadyToReceive,
               QpState::kReadyToSend,
               {kAttrTimeout | kAttrRetryCount | kAttrRnrRetry | kAttrSqPsn | kAttrMaxRdAtomic,
                kResume | kAttrMinRnrTimer},
               {kAttrSqPsn, kResume},
               {kAttrSqPsn, kAttrCurrentState | kAttrQkey}},
    Transition{QpState::kReadyToSend,
               QpState::kReadyToSend,
               {0, kResume | kAttrMinRnrTimer},
               {0, kResume},
               {0, kAttrCurrentState | kAttrQkey}},
    Transition{QpState::kReadyToSend,
               QpState::kSendQueueDrained,
               {0, kAttrSqdNotify},
               {0, kAttrSqdNotify},
               {0, kAttrSqdNotify}},
    Transition{QpState::kSendQueueDrained,
               QpState::kReadyToSend,
               {0, kResume | kAttrMinRnrTimer},
               {0, kResume},
               {0, kAttrCurrentState | kAttrQkey}},
    Transition{QpState::kSendQueueDrained,
               QpState::kSendQueueDrained,
               {0, kAttrPort | kAttrAddressVector | kAttrTimeout | kAttrRetryCount | kAttrRnrRetry |
                       kAttrMaxRdAtomic | kAttrMaxDestRdAtomic | kAttrAccessFlags | kAttrPkeyIndex |
                       kAttrMinRnrTimer | kMigration},
               {0, kAttrAddressVector | kAttrAccessFlags | kAttrPkeyIndex | kMigration},
               {0, kAttrPkeyIndex | kAttrQkey}},
};

// The one transition that reliable connections lack: their send errors are fatal.
constexpr Transition kRecovery{QpState::kSendQueueError,
                               QpState::kReadyToSend,
                               {0, 0},
                               {0, kAttrCurrentState | kAttrAccessFlags},
                               {0, kAttrCurrentState | kAttrQkey}};

const Masks& masks(const Transition& transition, QpType type) {
    switch (type) {
        case QpType::kRc:
            return transition.rc;
        case QpType::kUc:
            return transition.uc;
        case QpType::kGsi:
            if (transition.from == QpState::kReset) {
                return kGsiToInit;
            }
            break;
        case QpType::kUd:
        case QpType::kXrcInitiator:  // not offered
        case QpType::kXrcTarget:
            break;
    }
    return transition.ud;
}

bool fits(const Masks& masks, uint32_t attr_mask) {
    return (attr_mask & masks.required) == masks.required &&
           (attr_mask & ~(masks.required | masks.optional | kAttrState)) == 0;
}

}  // namespace

bool transition_allowed(QpType type, QpState from, QpState to, uint32_t attr_mask) {
    if (to == QpState::kReset || to == QpState::kError) {
        return fits({0, 0}, attr_mask);
    }
    if (from == kRecovery.from && to == kRecovery.to) {
        return type != QpType::kRc && fits(masks(kRecovery, type), attr_mask);
    }
    for (const Transition& transition : kTransitions) {
        if (transition.from == from && transition.to == to) {
            return fits(masks(transition, type), attr_mask);
        }
    }
    return false;
}

}  // namespace vrdma::embedded
