// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/embedded/contexts/traffic.h"

#include <array>

namespace vrdma::embedded {
namespace {

struct Kind {
    WrOpcode opcode;
    vrdma_counter counter;
};

constexpr std::array kKinds{
    Kind{WrOpcode::kSend, VRDMA_COUNTER_RDMA_SENDS},
    Kind{WrOpcode::kSendWithImmediate, VRDMA_COUNTER_RDMA_SENDS},
    Kind{WrOpcode::kSendWithInvalidate, VRDMA_COUNTER_RDMA_SENDS},
    Kind{WrOpcode::kRdmaWrite, VRDMA_COUNTER_RDMA_WRITES},
    Kind{WrOpcode::kRdmaWriteWithImmediate, VRDMA_COUNTER_RDMA_WRITES},
    Kind{WrOpcode::kRdmaRead, VRDMA_COUNTER_RDMA_READS},
    Kind{WrOpcode::kCompareAndSwap, VRDMA_COUNTER_RDMA_ATOMICS},
    Kind{WrOpcode::kFetchAndAdd, VRDMA_COUNTER_RDMA_ATOMICS},
};

// The bytes that went to the one who answers, or came from there.
uint64_t bytes_of(const Kind& kind, const Traffic& traffic) {
    constexpr uint64_t kAtomicBytes = 8;
    return kind.counter == VRDMA_COUNTER_RDMA_ATOMICS ? traffic.messages(kind.opcode) * kAtomicBytes
                                                      : traffic.bytes(kind.opcode);
}

}  // namespace

void add_traffic(rnic::Counters& counters, const Traffic& requested, const Traffic& answered,
                 const Received& received) {
    for (const Kind& kind : kKinds) {
        const bool answer_has_data =
            kind.counter == VRDMA_COUNTER_RDMA_READS || kind.counter == VRDMA_COUNTER_RDMA_ATOMICS;
        const auto there = answer_has_data ? VRDMA_COUNTER_RCVD_BYTES : VRDMA_COUNTER_SENT_BYTES;
        const auto back = answer_has_data ? VRDMA_COUNTER_SENT_BYTES : VRDMA_COUNTER_RCVD_BYTES;
        counters[kind.counter] += requested.messages(kind.opcode);
        counters[VRDMA_COUNTER_SENT_PKTS] += requested.messages(kind.opcode);
        counters[VRDMA_COUNTER_RCVD_PKTS] += answered.messages(kind.opcode);
        counters[there] += bytes_of(kind, requested);
        counters[back] += bytes_of(kind, answered);
    }
    counters[VRDMA_COUNTER_RDMA_RECVS] += received.messages.value();
    counters[VRDMA_COUNTER_RCVD_PKTS] += received.messages.value();
    counters[VRDMA_COUNTER_RCVD_BYTES] += received.bytes.value();
}

}  // namespace vrdma::embedded
