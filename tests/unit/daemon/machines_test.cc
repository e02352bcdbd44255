// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Virtual machines that come and go while the program vrdmad runs, under its seccomp filter.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

#include "program_fixture.h"
#include "support/fake_memory.h"
#include "support/fake_vmm.h"

namespace vrdma::daemon {
namespace {

using testing::HasSubstr;
using vhost::Request;

class MachinesTest : public ProgramTest {
  protected:
    std::string machine(const std::string& name, const std::string& more = "") const {
        return "[[vm]]\nname = \"" + name + "\"\nsocket = \"" + path(name) + "\"\n" + more;
    }
    void reload(Program& program, const std::string& text, const std::string& says) const {
        write_config(text);
        program.signal(SIGHUP);
        program.wait_printed(says);
    }
    static void expect_served(test::FakeVmm& vmm) {
        EXPECT_GT(vmm.ask_u64(Request::kGetQueueNum), 0U);
    }
    void expect_serves(const std::string& name) const {
        test::FakeMemory memory;
        test::FakeVmm vmm(path(name));
        vmm.negotiate();
        EXPECT_TRUE(vmm.share(memory));
        expect_served(vmm);
    }

    static size_t descriptors(const Program& program) {
        const std::string folder = "/proc/" + std::to_string(program.pid()) + "/fd";
        return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
    }
    static void wait_receivers(const Program& program, size_t count) {
        while (receivers_of(program.pid()).size() != count) {
            std::this_thread::yield();
        }
    }
};

TEST_F(MachinesTest, AMachineThatIsNewInTheFileIsServedAndTheOthersGoOn) {
    Program program({"--config", write_config(machine("a"))});
    program.wait_printed("serves 1 virtual machine(s)");
    test::FakeVmm first(path("a"));
    first.negotiate();
    reload(program, machine("a") + machine("b"), "now; new: b");
    expect_serves("b");
    expect_served(first);
    program.signal(SIGTERM);
    EXPECT_EQ(program.wait(), 0);
    EXPECT_FALSE(std::filesystem::exists(path("b")));
}

TEST_F(MachinesTest, AMachineThatLeavesTheFileIsDisconnectedAndItsSocketIsGone) {
    Program program({"--config", write_config(machine("a") + machine("b"))});
    program.wait_printed("serves 2 virtual machine(s)");
    test::FakeVmm first(path("a"));
    first.negotiate();
    test::FakeVmm second(path("b"));
    second.negotiate();
    reload(program, machine("a"), "now; gone: b");
    second.wait_disconnected();
    EXPECT_FALSE(std::filesystem::exists(path("b")));
    expect_served(first);
    wait_receivers(program, 1);
}

TEST_F(MachinesTest, AMistakeInTheFileChangesNoMachineAndNamesItsLine) {
    const std::string file = write_config(machine("a"));
    Program program({"--config", file});
    program.wait_printed("serves");
    test::FakeVmm first(path("a"));
    first.negotiate();
    // The last one of three machines cannot be: its folder is missing.
    reload(program, machine("b") + machine("c") + machine("no/such/folder/d"),
           "nothing has changed: " + file + ":7:1: ");
    program.wait_printed("No such file or directory");
    expect_served(first);
    EXPECT_FALSE(std::filesystem::exists(path("b")));
    EXPECT_FALSE(std::filesystem::exists(path("c")));
    reload(program, machine("a") + machine("b") + machine("b"),
           "nothing has changed: " + file + ":7:1: two virtual machines are named 'b'");
    reload(program, machine("a") + machine("b", "socket_group = \"no-such-group\"\n"),
           "nothing has changed: " + file + ":4:1: the virtual machine 'b': 'socket_group'");
    expect_served(first);
    EXPECT_FALSE(std::filesystem::exists(path("b")));
}

TEST_F(MachinesTest, AMachineWithNewAddressesIsDisconnectedAndServedAnewOnItsSocket) {
    Program program({"--config", write_config(machine("a") + machine("b"))});
    program.wait_printed("serves");
    test::FakeVmm first(path("a"));
    first.negotiate();
    test::FakeVmm second(path("b"));
    second.negotiate();
    reload(program, machine("a") + machine("b", "mac = \"52:54:00:00:00:01\"\n"),
           "now; disconnected, to come back with what changed: b");
    second.wait_disconnected();
    expect_serves("b");
    expect_served(first);
    wait_receivers(program, 2);
}

TEST_F(MachinesTest, AMachineThatGetsAnotherNameKeepsItsSocket) {
    Program program({"--config", write_config(machine("a"))});
    program.wait_printed("serves");
    const auto inode = [&] {
        struct stat status {};
        ::stat(path("a").c_str(), &status);
        return status.st_ino;
    };
    const ino_t before = inode();
    reload(program, "[[vm]]\nname = \"z\"\nsocket = \"" + path("a") + "\"\n",
           "now; new: z; gone: a");
    EXPECT_EQ(inode(), before);
    expect_serves("a");
}

TEST_F(MachinesTest, ASocketDoesNotGoToAnotherUserAndTheWayThatIsNamedWorks) {
    const std::string given = "socket_user = \"" + std::to_string(::geteuid()) + "\"\n";
    Program program({"--config", write_config(machine("a"))});
    program.wait_printed("serves");
    reload(program, machine("a", given), "take the virtual machine 'a' out, reload, and put it in");
    reload(program, "", "now; gone: a");
    reload(program, machine("a", given), "now; new: a");
    expect_serves("a");
}

TEST_F(MachinesTest, ADaemonWithoutMachinesWaitsForThem) {
    Program program({"--config", write_config("")});
    program.wait_printed("serves 0 virtual machine(s)");
    program.wait_printed("it waits for them");
    reload(program, machine("a"), "now; new: a");
    expect_serves("a");
    reload(program, "", "now; gone: a");
    program.signal(SIGTERM);
    EXPECT_EQ(program.wait(), 0);
}

TEST_F(MachinesTest, WithoutMachinesAndWithoutAWayForThemToComeItDoesNotStart) {
    const auto [status, output] = run({"--rnic", "embedded"});
    EXPECT_EQ(status, 1);
    EXPECT_THAT(output, HasSubstr("none can come later"));
    Program program({"--control-socket", path("control")});
    program.wait_printed("serves 0 virtual machine(s)");
}

TEST_F(MachinesTest, MachinesThatCameAndWentLeaveNothingBehind) {
    Program program({"--config", write_config(machine("a"))});
    program.wait_printed("serves");
    reload(program, machine("a") + machine("b0"), "new: b0");
    reload(program, machine("a"), "gone: b0");
    const size_t before = descriptors(program);
    for (int i = 1; i < 20; ++i) {
        const std::string name = "b" + std::to_string(i);
        reload(program, machine("a") + machine(name), "new: " + name);
        expect_serves(name);
        reload(program, machine("a"), "gone: " + name);
    }
    EXPECT_EQ(descriptors(program), before);
    wait_receivers(program, 1);
}

TEST_F(MachinesTest, TheBrokerEndsWithTheDaemonHoweverThatEnds) {
    Program program({"--config", write_config(machine("a"))});
    program.wait_printed("serves");
    const pid_t broker = broker_of(program.pid());
    ASSERT_GT(broker, 0);
    program.signal(SIGKILL);
    program.wait();
    while (std::filesystem::exists("/proc/" + std::to_string(broker)) &&
           process_state(broker) != "Z") {
        std::this_thread::yield();
    }
}

TEST_F(MachinesTest, WithoutItsBrokerTheDaemonServesAndSaysWhyNoMachineComes) {
    Program program({"--config", write_config(machine("a"))});
    program.wait_printed("serves");
    ::kill(broker_of(program.pid()), SIGKILL);
    reload(program, machine("a") + machine("b"), "(vrdma-broker) has ended; restart vrdmad");
    expect_serves("a");
}

}  // namespace
}  // namespace vrdma::daemon
