// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "daemon/logging/journal_sink.h"

#include <endian.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "daemon/logging/log_levels.h"
#include "file_descriptor.h"
#include "log_fields.h"
#include "rate_limited_logger.h"
#include "support/captured_log.h"

namespace vrdma::daemon {
namespace {

using testing::Contains;
using testing::Key;
using testing::Not;
using testing::Pair;
using Fields = std::map<std::string, std::string>;

// The fields of an entry whose values all have their lengths before them.
Fields fields_of(std::string entry) {
    Fields fields;
    while (!entry.empty()) {
        const size_t end = entry.find('\n');
        uint64_t size = 0;
        std::memcpy(&size, entry.data() + end + 1, sizeof(size));
        size = le64toh(size);
        fields[entry.substr(0, end)] = entry.substr(end + 1 + sizeof(size), size);
        EXPECT_EQ(entry.at(end + 1 + sizeof(size) + size), '\n');
        entry.erase(0, end + 1 + sizeof(size) + size + 1);
    }
    return fields;
}

// Has a socket in the journal's place.
class JournalSinkTest : public testing::Test {
  protected:
    JournalSinkTest() { open_journal(); }
    ~JournalSinkTest() override { std::filesystem::remove_all(folder_); }

    static std::filesystem::path make_folder() {
        char pattern[] = "/tmp/vrdma-journal-test-XXXXXX";
        return ::mkdtemp(pattern);
    }

    void open_journal() {
        std::filesystem::remove(path_);
        journal_ = FileDescriptor(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path_.native().copy(address.sun_path, sizeof(address.sun_path) - 1);
        ASSERT_EQ(
            ::bind(journal_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
            0);
    }

    // The entry that waits; none has no fields.
    Fields taken() {
        std::string entry(4096, '\0');
        const ssize_t size = ::recv(journal_.get(), entry.data(), entry.size(), MSG_DONTWAIT);
        entry.resize(size < 0 ? 0 : static_cast<size_t>(size));
        return fields_of(entry);
    }

    const std::filesystem::path folder_ = make_folder();
    const std::filesystem::path path_ = folder_ / "journal";
    FileDescriptor journal_;
    test::CapturedLog otherwise_;
    const LogLevels levels_{std::make_shared<JournalSink>(path_, LogLevels::kLoggerName,
                                                          otherwise_.logger()->sinks().front()),
                            spdlog::level::info};
};

TEST_F(JournalSinkTest, ALineHasItsTextPrioritySubsystemAndTheProgramsName) {
    levels_.logger("rnic")->warn("it is slow");
    EXPECT_EQ(taken(), (Fields{{"MESSAGE", "it is slow"},
                               {"PRIORITY", "4"},
                               {"SYSLOG_IDENTIFIER", "vrdmad"},
                               {"SUBSYSTEM", "rnic"}}));
}

TEST_F(JournalSinkTest, ALineOfAMachinesLoggerNamesTheGuest) {
    rate_limited(*levels_.logger("device"), "web1")->error("its device is gone");
    const Fields fields = taken();
    EXPECT_THAT(fields, Contains(Pair("GUEST", "web1")));
    EXPECT_THAT(fields, Contains(Pair("PRIORITY", "3")));
    EXPECT_THAT(fields, Not(Contains(Key("VERB"))));
    EXPECT_THAT(fields, Not(Contains(Key("ERRNO"))));
}

TEST_F(JournalSinkTest, ALineInAVerbHasTheVerbAndItsErrno) {
    {
        const LogScope verb({.guest = "web1", .verb = "reg_mr"});
        const LogScope failure({.error = ENOMEM});
        levels_.logger("rnic")->warn("no");
    }
    EXPECT_THAT(taken(), testing::IsSupersetOf(
                             Fields{{"GUEST", "web1"}, {"VERB", "reg_mr"}, {"ERRNO", "12"}}));
    levels_.logger("rnic")->warn("after the verb");
    const Fields after = taken();
    EXPECT_THAT(after, Not(Contains(Key("GUEST"))));
    EXPECT_THAT(after, Not(Contains(Key("VERB"))));
}

TEST_F(JournalSinkTest, ALineFeedInATextBeginsNoField) {
    levels_.logger("daemon")->info("one\nGUEST=other");
    const Fields fields = taken();
    EXPECT_THAT(fields, Contains(Pair("MESSAGE", "one\nGUEST=other")));
    EXPECT_THAT(fields, Not(Contains(Key("GUEST"))));
}

TEST_F(JournalSinkTest, ALineOfALoggerWithANameBeginsWithTheName) {
    levels_.logger("vhost")->clone("web1")->info("the VMM has disconnected");
    EXPECT_THAT(taken(), Contains(Pair("MESSAGE", "web1: the VMM has disconnected")));
}

TEST_F(JournalSinkTest, AJournalThatIsStartedAnewGetsTheLinesFromThenOn) {
    open_journal();
    levels_.logger("daemon")->info("still here");
    EXPECT_THAT(taken(), Contains(Pair("MESSAGE", "still here")));
}

TEST_F(JournalSinkTest, ALineThatTheJournalDoesNotTakeGoesToTheOtherSink) {
    std::filesystem::remove(path_);
    levels_.logger("daemon")->info("nobody listens");
    EXPECT_EQ(otherwise_.count("nobody listens"), 1U);
}

TEST_F(JournalSinkTest, AFileIsTheJournalsStreamIfTheVariableHasItsDeviceAndInode) {
    struct stat status {};
    ASSERT_EQ(::fstat(journal_.get(), &status), 0);
    const std::string right = fmt::format("{}:{}", status.st_dev, status.st_ino);
    EXPECT_TRUE(is_journal_stream(journal_.get(), right.c_str()));
    EXPECT_FALSE(is_journal_stream(journal_.get(), "0:0"));
    EXPECT_FALSE(is_journal_stream(journal_.get(), nullptr));
    EXPECT_FALSE(is_journal_stream(-1, right.c_str()));
}

}  // namespace
}  // namespace vrdma::daemon
