// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// What lines of the log are about, beside their texts.
#include "log_fields.h"

#include <gtest/gtest.h>
#include <spdlog/sinks/base_sink.h>

#include <memory>
#include <string>
#include <vector>

#include "command_fixture.h"

namespace vrdma::device {
namespace {

// Keeps what each line is about.
class FieldSink final : public spdlog::sinks::base_sink<std::mutex> {
  public:
    struct Line {
        std::string guest;
        std::string verb;
        int error;
        bool operator==(const Line&) const = default;
    };
    std::vector<Line> lines;

  private:
    void sink_it_(const spdlog::details::log_msg&) override {
        const LogFields& fields = LogScope::fields();
        lines.push_back({std::string(fields.guest), std::string(fields.verb), fields.error});
    }
    void flush_() override {}
};

class LogFieldsTest : public CommandTest {
  protected:
    LogFieldsTest() { logger_->sinks() = {sink_}; }
    const std::shared_ptr<FieldSink> sink_ = std::make_shared<FieldSink>();
};

TEST_F(LogFieldsTest, AVerbThatReachesALimitIsNamedWithItsGuestAndErrno) {
    Limits limits;
    limits.contexts = 0;
    make_verbs({}, limits);
    const int error = ask(make<vrdma_cmd_empty>(VRDMA_CMD_ALLOC_UCONTEXT)).first;
    EXPECT_NE(error, 0);
    ASSERT_EQ(sink_->lines.size(), 1U);
    EXPECT_EQ(sink_->lines.front(), (FieldSink::Line{"guest", "alloc_ucontext", error}));
}

TEST_F(LogFieldsTest, AMalformedRequestIsNamedWithItsVerbAndErrno) {
    auto request = make<vrdma_cmd_empty>(VRDMA_CMD_ALLOC_PD);
    request.hdr.length = 0;
    EXPECT_EQ(ask(request).first, EINVAL);
    ASSERT_EQ(sink_->lines.size(), 1U);
    EXPECT_EQ(sink_->lines.front(), (FieldSink::Line{"guest", "alloc_pd", EINVAL}));
}

TEST_F(LogFieldsTest, ALineAfterAVerbIsAboutNone) {
    uctx();
    logger_->info("a line of this thread");
    EXPECT_EQ(sink_->lines.back(), (FieldSink::Line{"", "", 0}));
}

}  // namespace
}  // namespace vrdma::device
