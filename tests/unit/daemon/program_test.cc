// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The program vrdmad, run as its operator runs it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "file_descriptor.h"
#include "program_fixture.h"

namespace vrdma::daemon {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// The document of the status socket at `path`.
nlohmann::json ask_status(const std::string& path) {
    const FileDescriptor client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    EXPECT_EQ(::connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    std::string document;
    char buffer[4096];
    for (ssize_t count; (count = ::read(client.get(), buffer, sizeof(buffer))) > 0;) {
        document.append(buffer, static_cast<size_t>(count));
    }
    return nlohmann::json::parse(document);
}

// A limit of the only virtual machine, by the status socket at `path`.
uint64_t limit(const std::string& path, const std::string& key) {
    return ask_status(path).at("vms").at(0).at("limits").at(key).at("limit");
}

TEST_F(ProgramTest, HelpNamesEveryOption) {
    const auto [status, output] = run({"--help"});
    EXPECT_EQ(status, 0);
    for (const char* option :
         {"--config", "--check", "--vm", "--rnic", "--threads", "--spin-us", "--log-level",
          "--status-socket", "--control-socket", "--seccomp", "--version"}) {
        EXPECT_THAT(output, HasSubstr(option));
    }
}

TEST_F(ProgramTest, VersionIsPrinted) {
    const auto [status, output] = run({"--version"});
    EXPECT_EQ(status, 0);
    EXPECT_THAT(output, StartsWith("vrdmad "));
}

TEST_F(ProgramTest, CheckAcceptsAValidConfigurationWithoutServing) {
    const std::string file = write_config("[[vm]]\nsocket = \"" + path("a.sock") + "\"\n");
    const auto [status, output] = run({"--config", file, "--check"});
    EXPECT_EQ(status, 0);
    EXPECT_THAT(output, HasSubstr("valid"));
    EXPECT_FALSE(std::filesystem::exists(path("a.sock")));
}

TEST_F(ProgramTest, CheckNamesFileAndLineOfAMistake) {
    const std::string file = write_config("[rnic]\nthreads = \"many\"\n");
    const auto [status, output] = run({"--config", file, "--check"});
    EXPECT_EQ(status, 1);
    EXPECT_THAT(output, StartsWith("vrdmad: " + file + ":2:"));
}

TEST_F(ProgramTest, AConfigurationThatIsNotThereIsNamed) {
    const auto [status, output] = run({"--config", path("none.toml")});
    EXPECT_EQ(status, 1);
    EXPECT_THAT(output, HasSubstr("none.toml: cannot read the configuration: No such file"));
}

TEST_F(ProgramTest, AnUnknownRnicIsNamedWithThoseThereAre) {
    const auto [status, output] = run({"--rnic", "mlx7_0", "--vm", vm("a.sock")});
    EXPECT_EQ(status, 1);
    EXPECT_THAT(output, HasSubstr("unknown RNIC 'mlx7_0'; there is 'embedded'"));
    EXPECT_THAT(output, HasSubstr("of this host (/sys/class/infiniband):"));
}

TEST_F(ProgramTest, CheckLooksForTheRnicToo) {
    const auto [status, output] = run({"--rnic", "mlx7_0", "--vm", vm("a.sock"), "--check"});
    EXPECT_EQ(status, 1);
    EXPECT_THAT(output, HasSubstr("unknown RNIC 'mlx7_0'"));
}

TEST_F(ProgramTest, TheEmbeddedRnicKnowsAddressRules) {
    const auto [status, output] = run({"--vm", vm("a.sock") + ",name=a,network=red", "--check"});
    EXPECT_EQ(status, 0) << output;
}

TEST_F(ProgramTest, AnUnknownOptionIsRefused) {
    EXPECT_NE(run({"--frobnicate"}).first, 0);
}

TEST_F(ProgramTest, ASocketThatCannotBeMadeIsNamed) {
    const auto [status, output] = run({"--vm", vm("no/such/folder/a.sock")});
    EXPECT_EQ(status, 1);
    EXPECT_THAT(output, HasSubstr("no/such/folder/a.sock"));
    EXPECT_THAT(output, HasSubstr("No such file or directory"));
}

TEST_F(ProgramTest, SigtermEndsItCleanlyAndRemovesItsSockets) {
    Program program({"--vm", vm("a.sock"), "--status-socket", path("status.sock")});
    program.wait_printed("serves 1 virtual machine(s)");
    EXPECT_TRUE(std::filesystem::is_socket(path("a.sock")));
    program.signal(SIGTERM);
    EXPECT_EQ(program.wait(), 0);
    EXPECT_FALSE(std::filesystem::exists(path("a.sock")));
    EXPECT_FALSE(std::filesystem::exists(path("status.sock")));
}

TEST_F(ProgramTest, SighupTakesNewLimitsFromTheFile) {
    const std::string head = "[[vm]]\nname = \"a\"\nsocket = \"" + path("a.sock") + "\"\n";
    const std::string file = write_config(head);
    Program program({"--config", file, "--status-socket", path("s")});
    program.wait_printed("serves");
    EXPECT_EQ(limit(path("s"), "queue_pairs"), 8192);
    write_config(head + "[vm.limits]\nqueue_pairs = 5\n");
    program.signal(SIGHUP);
    program.wait_printed("SIGHUP: the virtual machines and limits are those of " + file + " now");
    EXPECT_EQ(limit(path("s"), "queue_pairs"), 5);
    program.signal(SIGTERM);
    EXPECT_EQ(program.wait(), 0);
}

TEST_F(ProgramTest, SighupWithAMistakeInTheFileChangesNothingAndSaysWhere) {
    const std::string head = "[[vm]]\nname = \"a\"\nsocket = \"" + path("a.sock") + "\"\n";
    const std::string file = write_config(head);
    Program program({"--config", file, "--status-socket", path("s")});
    program.wait_printed("serves");
    write_config(head + "[vm.limits]\nqueue_pairs = 5\ncommands_per_second = -2\n");
    program.signal(SIGHUP);
    program.wait_printed("SIGHUP: nothing has changed: " + file + ":6:");
    program.wait_printed("'commands_per_second' must be an integer from 0 to");
    EXPECT_EQ(limit(path("s"), "queue_pairs"), 8192);
    write_config(head + "[vm.limits]\nqueue_pair = 5\n");
    program.signal(SIGHUP);
    program.wait_printed("unknown key 'queue_pair' in limits; it knows");
    EXPECT_EQ(limit(path("s"), "queue_pairs"), 8192);
}

TEST_F(ProgramTest, SighupSaysWhatCannotChangeAndChangesTheRest) {
    const std::string vm = "[[vm]]\nname = \"a\"\nsocket = \"" + path("a.sock") + "\"\n";
    const std::string file = write_config(vm);
    Program program({"--config", file, "--status-socket", path("s")});
    program.wait_printed("serves");
    write_config("[rnic]\nthreads = 2\n[limits]\nqueue_pairs = 6\n" + vm);
    program.signal(SIGHUP);
    program.wait_printed(
        "SIGHUP: [rnic] cannot change while vrdmad runs and stays as it was; "
        "restart vrdmad");
    program.wait_printed("SIGHUP: the virtual machines and limits are those of");
    EXPECT_EQ(limit(path("s"), "queue_pairs"), 6);
}

TEST_F(ProgramTest, SighupWithoutAFileIsNoReasonToStop) {
    Program program({"--vm", vm("a.sock")});
    program.wait_printed("serves");
    program.signal(SIGHUP);
    program.wait_printed("SIGHUP: there is no configuration file to read again");
    program.signal(SIGTERM);
    EXPECT_EQ(program.wait(), 0);
}

TEST_F(ProgramTest, ASocketOfADaemonThatWasKilledIsReplaced) {
    {
        Program killed({"--vm", vm("a.sock"), "--status-socket", path("status.sock")});
        killed.wait_printed("serves");
        killed.signal(SIGKILL);
        EXPECT_EQ(killed.wait(), 128 + SIGKILL);
    }
    ASSERT_TRUE(std::filesystem::exists(path("a.sock")));
    Program program({"--vm", vm("a.sock"), "--status-socket", path("status.sock")});
    program.wait_printed("serves");
}

TEST_F(ProgramTest, ASocketThatAnotherDaemonServesIsRefused) {
    Program first({"--vm", vm("a.sock")});
    first.wait_printed("serves");
    const auto [status, output] = run({"--vm", vm("a.sock")});
    EXPECT_EQ(status, 1);
    EXPECT_THAT(output, HasSubstr("a.sock"));
    EXPECT_TRUE(std::filesystem::is_socket(path("a.sock"))) << "it still belongs to the first";
}

TEST_F(ProgramTest, TheStatusSocketAnswersWithJson) {
    Program program({"--vm", vm("a.sock") + ",name=guest1", "--status-socket", path("s")});
    program.wait_printed("serves");
    const auto status = ask_status(path("s"));
    EXPECT_EQ(status.at("rnic"), "embedded");
    EXPECT_EQ(status.at("vms").at(0).at("name"), "guest1");
    EXPECT_EQ(status.at("vms").at(0).at("connected"), false);
    EXPECT_EQ(status.at("rnic_objects").at("queue_pairs"), 0);
}

}  // namespace
}  // namespace vrdma::daemon
