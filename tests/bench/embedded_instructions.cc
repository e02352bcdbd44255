// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Sends messages one by one through the embedded RNIC, stepping its engine, so that
// valgrind can count what one message costs:
//
//   valgrind --tool=callgrind --toggle-collect='vrdma::embedded::Worker::poll_once()'
//            embedded_instructions write 64 1000
//
// collects the engine alone, from its look at the doorbell to the completion; the
// total divided by the number of messages is instructions per message.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "connection.h"

namespace {

using namespace vrdma::embedded;

[[noreturn]] void usage() {
    std::fputs("usage: embedded_instructions write|send|send-with-event|read BYTES MESSAGES\n",
               stderr);
    std::exit(2);
}

[[noreturn]] void unexpected(const char* what) {
    std::fprintf(stderr, "embedded_instructions: %s\n", what);
    std::exit(1);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4) {
        usage();
    }
    const std::string_view operation = argv[1];
    const auto bytes = static_cast<uint32_t>(std::strtoul(argv[2], nullptr, 10));
    const unsigned long messages = std::strtoul(argv[3], nullptr, 10);
    if (bytes == 0 || messages == 0) {
        usage();
    }

    bench::Connection connection(size_t{bytes} + 4096, std::make_shared<bench::CountedClock>());
    test::SendWr wr{.remote_address = connection.b.mr.iova,
                    .rkey = connection.b.mr.rkey(),
                    .sges = {connection.a.mr.sge(0, bytes)}};
    // The receiver waits for completion events.
    const bool waits = operation == "send-with-event";
    const bool send = waits || operation == "send";
    if (send) {
        wr.opcode = WrOpcode::kSend;
    } else if (operation == "write") {
        wr.opcode = WrOpcode::kRdmaWrite;
    } else if (operation == "read") {
        wr.opcode = WrOpcode::kRdmaRead;
    } else {
        usage();
    }
    const Sge receive = connection.b.mr.sge(0, bytes);
    for (unsigned long i = 0; i < messages; ++i) {
        if (send) {
            connection.b.qp.post_recv(i, std::span(&receive, 1));
        }
        if (waits) {
            connection.b.recv_cq.arm(VRDMA_CQ_ARM_NEXT);
        }
        connection.a.qp.post_send(wr);
        do {
        } while (connection.a.send_cq.ring.empty() && connection.rnic->poll_once());
        const auto wc = connection.a.send_cq.poll();
        if (!wc || wc->status != 0) {
            unexpected("the message did not complete");
        }
        if (send && !connection.b.recv_cq.poll()) {
            unexpected("the message did not arrive");
        }
        if (waits && connection.b.guest.sink.completions_of(connection.b.recv_cq.handle) != i + 1) {
            unexpected("there was no completion event");
        }
    }
    return 0;
}
