// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The embedded RNIC through its rings, beside memcpy in the same run.  The engine is
// stepped on the benchmark's own thread: a message's time is the guest's posting and
// polling plus the engine's work, without any waiting for another CPU.
#include <benchmark/benchmark.h>

#include <cstring>

#include "connection.h"

namespace vrdma::embedded::bench {
namespace {

constexpr int64_t kMiB = 1 << 20;
// So much memory is gone through in turn that every size misses the caches alike.
constexpr size_t kWorkingSet = 64 * kMiB;

void sizes(benchmark::internal::Benchmark* bench) {
    for (const int64_t size : {int64_t{2}, int64_t{64}, int64_t{4096}, int64_t{65536}, kMiB}) {
        bench->Arg(size);
    }
}

void BM_Memcpy(benchmark::State& state) {
    const auto size = static_cast<size_t>(state.range(0));
    const GuestRam from(kWorkingSet);
    const GuestRam to(kWorkingSet);
    size_t offset = 0;
    for (auto _ : state) {
        std::memcpy(to.bytes().data() + offset, from.bytes().data() + offset, size);
        benchmark::ClobberMemory();
        offset = offset + 2 * size <= kWorkingSet ? offset + size : 0;
    }
    state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_Memcpy)->Apply(sizes);

// One message at a time, or `batch` at a time under one doorbell.
void transfer(benchmark::State& state, WrOpcode opcode, unsigned batch) {
    const auto size = static_cast<uint32_t>(state.range(0));
    Connection connection(kWorkingSet);
    size_t offset = 0;
    const bool receives = opcode == WrOpcode::kSend;
    test::SendWr wr{.opcode = opcode, .rkey = connection.b.mr.rkey(), .sges = {Sge{}}};
    for (auto _ : state) {
        for (unsigned i = 0; i < batch; ++i) {
            wr.remote_address = connection.b.mr.iova + offset;
            wr.sges[0] = connection.a.mr.sge(offset, size);
            const Sge receive = connection.b.mr.sge(offset, size);
            if (receives) {
                connection.b.qp.post_recv(0, std::span(&receive, 1));
            }
            connection.a.qp.enqueue_send(wr);
            offset = offset + size_t{2} * size <= kWorkingSet ? offset + size : 0;
        }
        connection.a.qp.ring_doorbell();
        for (unsigned done = 0; done < batch;) {
            if (const auto wc = connection.a.send_cq.poll()) {
                if (wc->status != 0) {
                    state.SkipWithError("a message failed");
                }
                ++done;
            } else {
                connection.rnic->poll_once();
            }
        }
        for (unsigned i = 0; receives && i < batch; ++i) {
            if (!connection.b.recv_cq.poll()) {
                state.SkipWithError("a message did not arrive");
            }
        }
    }
    state.SetBytesProcessed(state.iterations() * batch * state.range(0));
    state.SetItemsProcessed(state.iterations() * batch);
}

constexpr unsigned kBatch = 16;

void BM_WriteOne(benchmark::State& state) {
    transfer(state, WrOpcode::kRdmaWrite, 1);
}
void BM_SendOne(benchmark::State& state) {
    transfer(state, WrOpcode::kSend, 1);
}
void BM_ReadOne(benchmark::State& state) {
    transfer(state, WrOpcode::kRdmaRead, 1);
}
void BM_WriteBatch(benchmark::State& state) {
    transfer(state, WrOpcode::kRdmaWrite, kBatch);
}
void BM_SendBatch(benchmark::State& state) {
    transfer(state, WrOpcode::kSend, kBatch);
}
void BM_ReadBatch(benchmark::State& state) {
    transfer(state, WrOpcode::kRdmaRead, kBatch);
}
BENCHMARK(BM_WriteOne)->Apply(sizes);
BENCHMARK(BM_SendOne)->Apply(sizes);
BENCHMARK(BM_ReadOne)->Apply(sizes);
BENCHMARK(BM_WriteBatch)->Apply(sizes);
BENCHMARK(BM_SendBatch)->Apply(sizes);
BENCHMARK(BM_ReadBatch)->Apply(sizes);

}  // namespace
}  // namespace vrdma::embedded::bench
