// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "daemon/service/service_manager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <atomic>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>

#include "daemon/service/watchdog.h"
#include "fake_service_manager.h"
#include "file_descriptor.h"
#include "program_fixture.h"

namespace vrdma::daemon {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

class ServiceManagerTest : public ProgramTest {
  protected:
    std::string heard() const { return manager_.heard(); }
    bool silent() const { return manager_.silent(); }

    FakeServiceManager manager_{path("notify")};
};

TEST_F(ServiceManagerTest, WithoutAManagerNothingIsTold) {
    ::unsetenv("NOTIFY_SOCKET");
    const ServiceManager manager;
    manager.ready();
    EXPECT_TRUE(silent());
    EXPECT_FALSE(manager.watchdog());
}

TEST_F(ServiceManagerTest, AManagerThatCannotBeReachedIsNamed) {
    ::setenv("NOTIFY_SOCKET", path("none").c_str(), 1);
    try {
        const ServiceManager manager;
        FAIL() << "it was reached";
    } catch (const std::runtime_error& error) {
        EXPECT_THAT(error.what(), HasSubstr(path("none")));
    }
}

TEST_F(ServiceManagerTest, TheWatchdogIsThisProcesssOnly) {
    ::setenv("WATCHDOG_USEC", "2000000", 1);
    EXPECT_EQ(ServiceManager().watchdog(), 2s);
    ::setenv("WATCHDOG_PID", "1", 1);
    EXPECT_FALSE(ServiceManager().watchdog());
    ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
    EXPECT_EQ(ServiceManager().watchdog(), 2s);
    ::setenv("WATCHDOG_USEC", "often", 1);
    EXPECT_FALSE(ServiceManager().watchdog());
}

TEST_F(ServiceManagerTest, TheWatchdogSpeaksAfterEachProofThatTheDaemonServes) {
    ::setenv("WATCHDOG_USEC", "2", 1);
    const ServiceManager manager;
    std::atomic<int> proofs = 0;
    const Watchdog watchdog(manager, [&] { ++proofs; });
    for (int told = 1; told <= 3; ++told) {
        EXPECT_EQ(heard(), "WATCHDOG=1");
        EXPECT_GE(proofs, told);
    }
}

TEST_F(ServiceManagerTest, TheWatchdogIsSilentWhileTheDaemonHangs) {
    ::setenv("WATCHDOG_USEC", "2", 1);
    const ServiceManager manager;
    std::mutex hanging;
    std::atomic<bool> asked = false;
    std::unique_lock lock(hanging);
    const Watchdog watchdog(manager, [&] {
        asked = true;
        asked.notify_all();
        const std::lock_guard wait(hanging);
    });
    asked.wait(false);
    EXPECT_TRUE(silent());
    lock.unlock();
    EXPECT_EQ(heard(), "WATCHDOG=1");
}

TEST_F(ServiceManagerTest, AStoredFileIsKeptBeforeTheCallReturns) {
    const ServiceManager manager;
    const FileDescriptor file(::memfd_create("file", MFD_CLOEXEC));
    std::thread hearing([&] {
        const auto stored = manager_.receive();
        EXPECT_EQ(stored.text, "FDSTORE=1\nFDNAME=name\nFDPOLL=0");
        EXPECT_TRUE(stored.file.valid());
        EXPECT_EQ(manager_.heard(), "BARRIER=1");
    });
    EXPECT_TRUE(manager.store("name", FileDescriptor(::dup(file.get()))));
    hearing.join();
}

TEST_F(ServiceManagerTest, WithoutAManagerNothingIsStored) {
    ::unsetenv("NOTIFY_SOCKET");
    ServiceManager manager;
    EXPECT_EQ(manager.store("name", FileDescriptor(::dup(0))), tl::unexpected(Errno{ENOTCONN}));
    EXPECT_FALSE(manager.take_stored("name").valid());
}

TEST_F(ServiceManagerTest, VrdmadIsReadyWhenAVmmMayConnectAndSaysWhenItStops) {
    ::setenv("WATCHDOG_USEC", "60000000", 1);
    Program program({"--vm", vm("a.sock")});
    std::string first = heard();
    std::string second = heard();
    if (first == "WATCHDOG=1") {
        std::swap(first, second);
    }
    EXPECT_EQ(first, "READY=1");
    EXPECT_EQ(second, "WATCHDOG=1");
    EXPECT_TRUE(std::filesystem::is_socket(path("a.sock")));
    program.signal(SIGTERM);
    EXPECT_EQ(heard(), "STOPPING=1");
    manager_.serve_stop();
    EXPECT_EQ(program.wait(), 0);
}

}  // namespace
}  // namespace vrdma::daemon
