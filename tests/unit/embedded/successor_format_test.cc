// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// What a vrdmad of a former version has written is understood (docs/state.md, "Versions").
#include <google/protobuf/text_format.h>

#include <array>
#include <fstream>
#include <iterator>
#include <string>

#include "machine.h"
#include "support/places.h"

namespace vrdma::embedded::test {
namespace {

// A guest that has one of each object, and the other side of its connection.  What of it is written
// is the same each time.
class SuccessorFormat : public HandOver {
  protected:
    SuccessorFormat() {
        EXPECT_TRUE(srq.post(11, std::array{alice.mr().sge(4096, 4096)}));
        connect(a, b, {.min_rnr_timer = 9, .timeout = 11, .retry_cnt = 5});
        alice.add_mw(1);
        alice.add_ah(a.query().ah.dgid);
    }

    static std::string text_of(const state::Session& session) {
        std::string text;
        google::protobuf::TextFormat::PrintToString(session, &text);
        return text;
    }
    static std::string former(const std::string& file) {
        std::ifstream stream(vrdma::test::in_source("tests/unit/embedded/states/") + file);
        return {std::istreambuf_iterator<char>(stream), {}};
    }

    ClientSrq& srq = alice.add_srq();
    ClientQp& a = alice.add_qp({}, &srq);
    ClientQp& b = bob.add_qp();
};

// The file is alice's state by vrdmad 0.1.0, for whose fixture this is.  A build that writes more
// still reads it; a new file beside it is for what is new.
TEST_F(SuccessorFormat, AStateOfVrdmad010IsTakenUp) {
    hand_over({&alice, &bob}, [&](const Machine& machine, Arrived& arrived) {
        if (&machine == &alice) {
            ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(
                former("vrdmad-0.1.0.textproto"), &arrived.session));
        }
    });
    const rnic::QpAttributes after = a.query();
    EXPECT_EQ(after.dest_qp_num, b.number());
    EXPECT_EQ(after.timeout, 11U);
    EXPECT_EQ(after.retry_cnt, 5U);

    const auto sent = pattern(1000);
    bob.fill(0, sent);
    b.post_send({.wr_id = 7, .opcode = WrOpcode::kSend, .sges = {bob.mr().sge(0, 1000)}});
    settle();
    EXPECT_EQ(status_of(only_completion(bob.send_cq())), WcStatus::kSuccess);
    const auto received = only_completion(alice.recv_cq());
    EXPECT_EQ(status_of(received), WcStatus::kSuccess);
    EXPECT_EQ(received.wr_id, 11U);
    EXPECT_EQ(alice.bytes(4096, 1000), sent);
}

// What this build writes, an earlier one may be given: it refuses a field that it does not know.
TEST_F(SuccessorFormat, NothingIsWrittenThatVrdmad010DoesNotKnow) {
    state::Session known;
    ASSERT_TRUE(
        google::protobuf::TextFormat::ParseFromString(former("vrdmad-0.1.0.textproto"), &known));
    EXPECT_EQ(text_of(alice.save().session), text_of(known));
}

}  // namespace
}  // namespace vrdma::embedded::test
