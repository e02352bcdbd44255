// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The program vrdmactl beside the program vrdmad, under vrdmad's seccomp filter.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "../daemon/program_fixture.h"
#include "commanding_guest.h"
#include "control_fixture.h"
#include "support/fake_vmm.h"
#include "support/places.h"

namespace vrdma::daemon {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsSupersetOf;
using testing::Not;
using testing::StartsWith;

constexpr int kRefused = 1;
constexpr int kUsage = 2;
constexpr int kNotReachable = 3;

std::string ctl_path() {
    return test::kVrdmactl;
}

// The words of a shell's answer, one a line.
std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) {
        lines.push_back(line);
    }
    return lines;
}

class VrdmactlTest : public ProgramTest {
  protected:
    std::string socket() const { return path("c"); }

    // Status and output of a shell's command.
    static std::pair<int, std::string> shell(const std::string& command) {
        FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
        std::string output;
        char part[4096];
        for (size_t count; (count = std::fread(part, 1, sizeof(part), pipe)) > 0;) {
            output.append(part, count);
        }
        const int status = ::pclose(pipe);
        return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, output};
    }
    std::pair<int, std::string> ctl(const std::string& arguments) const {
        return shell(ctl_path() + " --socket " + socket() + " " + arguments);
    }
    json ctl_json(const std::string& arguments) const {
        const auto [status, output] = ctl("--json " + arguments);
        EXPECT_EQ(status, 0) << output;
        return json::parse(output, nullptr, false);
    }

    // A daemon with the guests a and b, by a file.
    std::string config(const std::string& more = "") const {
        std::string text = "[daemon]\ncontrol_socket = \"" + socket() + "\"\n";
        for (const std::string name : {"a", "b"}) {
            text += "[[vm]]\nname = \"" + name + "\"\nsocket = \"" + path(name) + "\"\n";
        }
        return write_config(text + more);
    }
};

TEST_F(VrdmactlTest, EachCommandTellsWhatTheDaemonSays) {
    const std::string file = config();
    Program program({"--config", file});
    program.wait_printed("serves 2");
    const auto expect = [&](const std::string& arguments, const auto& matcher) {
        const auto [status, output] = ctl(arguments);
        EXPECT_EQ(status, 0) << arguments << ": " << output;
        EXPECT_THAT(output, matcher) << arguments;
    };
    expect("list", AllOf(StartsWith("GUEST"), HasSubstr("a      absent  " + path("a"))));
    expect("show b", AllOf(HasSubstr("guest:"), HasSubstr("queue_pairs"), HasSubstr("REACHED")));
    expect("stats", AllOf(HasSubstr("REGISTERED"), HasSubstr("absent")));
    expect("top --once --interval 0.05", HasSubstr("MB OUT/s"));
    expect("limits", AllOf(HasSubstr("b      queue_pairs"), HasSubstr("8192")));
    expect("limits a queue_pairs=7 weight=2", HasSubstr("queue_pairs                        7"));
    expect("log-level", AllOf(HasSubstr("rnic"), HasSubstr("info")));
    expect("log-level debug --subsystem vhost", HasSubstr("vhost      debug"));
    expect("version", AllOf(HasSubstr("vrdmad "), HasSubstr("administrator")));
    expect("events", testing::IsEmpty());
    expect("reload", HasSubstr("the virtual machines and limits are those of " + file + " now"));
    EXPECT_EQ(ctl_json("limits a").at("guests")[0].at("limits").at("queue_pairs").at("limit"), 8192)
        << "the file's again";
    program.signal(SIGTERM);
    EXPECT_EQ(program.wait(), 0);
    EXPECT_FALSE(std::filesystem::exists(socket()));
}

TEST_F(VrdmactlTest, DrainWaitsUntilTheGuestHasNothing) {
    Program program({"--config", config()});
    program.wait_printed("serves 2");
    ControlClient follower(socket());
    follower.result("events", {{"follow", true}});
    test::CommandingGuest guest(path("a"));
    const uint32_t uctx = guest.alloc_ucontext();
    auto drained = std::async(std::launch::async, [&] { return ctl("drain a --wait"); });
    while (follower.document().at("params").at("event") != "drained") {
    }
    guest.dealloc_ucontext(uctx);
    EXPECT_EQ(drained.get(),
              (std::pair<int, std::string>{0, "the guest 'a' gets nothing new; it has nothing\n"}));
}

TEST_F(VrdmactlTest, DrainGivesUpWhenItsTimeIsOverAndSaysWhatIsLeft) {
    Program program({"--config", config()});
    program.wait_printed("serves 2");
    test::CommandingGuest guest(path("a"));
    guest.alloc_ucontext();
    const auto [status, output] = ctl("drain a --wait --seconds 0.01");
    EXPECT_EQ(status, 1);
    EXPECT_THAT(output, HasSubstr("still has 1 contexts after 0.01 seconds; it stays drained"));
    EXPECT_EQ(ctl("drain b --wait --seconds 0.01").first, 0) << "it has nothing";
    EXPECT_EQ(ctl("drain a --off --wait").first, 2);
    EXPECT_EQ(ctl("drain a --seconds 1").first, 2);
}

TEST_F(VrdmactlTest, ADumpHasWhatAReportOfAFaultNeeds) {
    Program program({"--config", config()});
    program.wait_printed("serves 2");
    test::CommandingGuest guest(path("a"));
    const uint32_t uctx = guest.alloc_ucontext();
    const json dump = ctl_json("dump");
    EXPECT_TRUE(dump.at("vrdmad").contains("compiler"));
    EXPECT_NE(dump.at("kernel").at("release"), "");
    EXPECT_EQ(dump.at("process").at("NoNewPrivs"), "1");
    EXPECT_EQ(dump.at("process").at("Seccomp"), "2");
    EXPECT_TRUE(dump.at("process").contains("CapEff"));
    EXPECT_TRUE(dump.at("log_level").at("subsystems").contains("rnic"));
    EXPECT_EQ(dump.at("events").at(0).at("event"), "connected");
    EXPECT_EQ(dump.at("stats").at("rnic").at("name"), "embedded");
    EXPECT_FALSE(dump.at("doctor").empty());
    const json& first = dump.at("stats").at("guests").at(0);
    EXPECT_EQ(first.at("configuration").at("gids"), json::array());
    const json& contexts = first.at("object_list").at("contexts");
    EXPECT_EQ(contexts.at("count"), 1);
    EXPECT_EQ(contexts.at("objects").at(0), (json{{"handle", uctx}}));
    EXPECT_EQ(first.at("object_list").at("queue_pairs").at("count"), 0);
    EXPECT_EQ(dump.at("stats").at("guests").at(1).at("object_list"), json::object())
        << "without a VMM";
}

TEST_F(VrdmactlTest, ALibvirtDomainIsPrintedForAGuestOfTheDaemon) {
    Program program({"--config", config("mac = \"52:54:00:77:00:02\"\n")});
    program.wait_printed("serves 2");
    const auto [status, output] = ctl("libvirt-xml b --full web1 --preload /lib/p.so");
    EXPECT_EQ(status, 0) << output;
    EXPECT_THAT(output, AllOf(HasSubstr("<name>web1</name>"), HasSubstr("path=" + path("b") + "'"),
                              HasSubstr("<mac address='52:54:00:77:00:02'/>"),
                              HasSubstr("name='LD_PRELOAD' value='/lib/p.so'")));
    const auto [pieces_status, pieces] = ctl("libvirt-xml a --preload /lib/p.so");
    EXPECT_EQ(pieces_status, 0) << pieces;
    EXPECT_THAT(pieces, AllOf(HasSubstr("path=" + path("a") + "'"), HasSubstr("memfd"),
                              Not(HasSubstr("<name>"))));
    EXPECT_EQ(ctl("libvirt-xml nobody").first, kRefused);
}

TEST_F(VrdmactlTest, ALibvirtThatIsNotThereIsNamed) {
    Program program({"--config", config()});
    program.wait_printed("serves 2");
    const std::string nowhere = " --connect 'qemu:///system?socket=/nonexistent/sock'";
    const auto [status, output] = ctl("libvirt-attach web1 a" + nowhere);
    EXPECT_EQ(status, kNotReachable) << output;
    EXPECT_THAT(output, HasSubstr("libvirt is not reachable at qemu:///system?socket="));
    EXPECT_EQ(ctl("libvirt-attach web1 nobody" + nowhere).first, kRefused);
    EXPECT_EQ(ctl("libvirt-attach web1 a --live --prepare" + nowhere).first, kUsage);
    EXPECT_EQ(ctl("libvirt-detach web1 a --live --dry-run" + nowhere).first, kUsage);
    EXPECT_EQ(ctl("libvirt-detach web1 /run/forgotten.sock" + nowhere).first, kNotReachable);
}

TEST_F(VrdmactlTest, TheDoctorOfGuestsIsTheScriptOfTheDriversPackage) {
    const std::string root = path("root");
    std::filesystem::create_directories(root + "/usr/bin");
    const auto [absent, said] = ctl("doctor --guest --root " + root);
    EXPECT_EQ(absent, kRefused);
    EXPECT_THAT(said, HasSubstr("run 'vrdma-doctor' there"));
    std::filesystem::copy(test::in_source("frontend/vrdma-doctor"), root + "/usr/bin/vrdma-doctor");
    const auto [status, output] = ctl("doctor --guest --root " + root);
    EXPECT_EQ(status, kRefused) << output;
    EXPECT_THAT(output, HasSubstr("this virtual machine has no vrdma-pci"));
}

TEST_F(VrdmactlTest, GuestsAreAddedDrainedAndRemoved) {
    Program program({"--config", config()});
    program.wait_printed("serves 2");
    const auto expect = [&](const std::string& arguments, const auto& matcher) {
        const auto [status, output] = ctl(arguments);
        EXPECT_EQ(status, 0) << arguments << ": " << output;
        EXPECT_THAT(output, matcher) << arguments;
    };
    expect("add c socket=" + path("c.sock") + " gids=10.77.0.3,fd00::/64 network=7 queue_pairs=5",
           HasSubstr("until the next reload or restart"));
    const json guest = ctl_json("show c");
    EXPECT_EQ(guest.at("configuration").at("gids").size(), 2U);
    EXPECT_EQ(guest.at("configuration").at("network"), "7");
    EXPECT_EQ(guest.at("limits").at("queue_pairs").at("limit"), 5);
    expect("addresses c", AllOf(StartsWith("GUEST  MAC  NETWORK"), HasSubstr("c"),
                                HasSubstr("10.77.0.3"), HasSubstr(",fd00::/64")));
    expect("addresses", AllOf(HasSubstr("a        -        -  any"), HasSubstr("the first")));
    EXPECT_EQ(ctl_json("addresses c").at("guests").at(0).at("network"), "7");
    expect("drain c", HasSubstr("the guest 'c' gets nothing new; it has nothing"));
    expect("list", HasSubstr("c      absent, drained"));
    expect("drain c --off", HasSubstr("'c' is not drained"));
    expect("remove c", HasSubstr("the guest 'c' is not served any more"));
    EXPECT_FALSE(std::filesystem::exists(path("c.sock")));
    EXPECT_EQ(ctl("remove c").first, 1);
    EXPECT_EQ(ctl("add c socket").first, 2);
    const auto [status, output] = ctl("add c socket=" + path("a"));
    EXPECT_EQ(status, 1);
    EXPECT_THAT(output, HasSubstr("nothing has changed: two virtual machines have the socket"));
}

TEST_F(VrdmactlTest, TheDoctorLooksAtTheDaemonAndAtTheFolderThatItIsGiven) {
    Program program({"--config", config()});
    program.wait_printed("serves 2");
    const auto [status, output] = ctl("doctor --root " + path("nothing"));
    EXPECT_EQ(status, 1);
    EXPECT_THAT(output, HasSubstr("ok       vrdmad: version " VRDMA_VERSION
                                  ", 2 guest(s), RNIC 'embedded'"));
    EXPECT_THAT(output, HasSubstr("error    KVM: there is no /dev/kvm"));
    EXPECT_THAT(output, HasSubstr("vrdmactl: doctor: errors: "));
}

TEST_F(VrdmactlTest, JsonIsWhatTheDaemonAnswers) {
    Program program({"--config", config()});
    program.wait_printed("serves 2");
    EXPECT_EQ(ctl_json("list").at("guests").size(), 2U);
    EXPECT_EQ(ctl_json("show a").at("name"), "a");
    EXPECT_EQ(ctl_json("stats").at("rnic").at("name"), "embedded");
    EXPECT_EQ(ctl_json("top --once --interval 0.05").at("guests").size(), 2U);
    EXPECT_EQ(ctl_json("version").at("protocol"), 1);
}

TEST_F(VrdmactlTest, EventsAreFollowed) {
    Program program({"--config", config()});
    program.wait_printed("serves 2");
    int output[2];
    ASSERT_EQ(::pipe2(output, O_CLOEXEC), 0);
    const pid_t follower = ::fork();
    if (follower == 0) {
        ::dup2(output[1], STDOUT_FILENO);
        ::execl(test::kVrdmactl, test::kVrdmactl, "--socket", socket().c_str(), "events",
                "--follow", nullptr);
        ::_exit(127);
    }
    ::close(output[1]);
    { const test::FakeVmm vmm(path("b")); }
    std::string seen;
    char part[512];
    while (seen.find("b disconnected") == std::string::npos) {
        const ssize_t count = ::read(output[0], part, sizeof(part));
        ASSERT_GT(count, 0) << seen;
        seen.append(part, static_cast<size_t>(count));
    }
    EXPECT_THAT(seen, HasSubstr("b connected"));
    ::kill(follower, SIGKILL);
    ::waitpid(follower, nullptr, 0);
    ::close(output[0]);
    EXPECT_THAT(ctl("events").second, HasSubstr("b disconnected"));
}

TEST_F(VrdmactlTest, WhatTheDaemonRefusesIsStatus1) {
    Program program({"--config", config()});
    program.wait_printed("serves 2");
    const auto expect = [&](const std::string& arguments, const std::string& text) {
        const auto [status, output] = ctl(arguments);
        EXPECT_EQ(status, kRefused) << output;
        EXPECT_THAT(output, AllOf(StartsWith("vrdmactl: "), HasSubstr(text)));
    };
    expect("show c", "there is no guest 'c'; there are a, b");
    expect("limits a queue_pair=3", "there is no limit 'queue_pair'; there are ");
    expect("log-level loud", "unknown log level 'loud'");
    const std::string file = config("[limits]\nqueue_pairs = -1\n");
    expect("reload", "nothing has changed: " + file + ":");
}

TEST_F(VrdmactlTest, AMistakeInTheCommandLineIsStatus2) {
    for (const char* arguments :
         {"", "frobnicate", "show", "--frobnicate list", "limits a b", "limits a x=y",
          "log-level --subsystem rnic", "top --interval -1", "completion fish"}) {
        const auto [status, output] = ctl(arguments);
        EXPECT_EQ(status, kUsage) << arguments << ": " << output;
        EXPECT_NE(output, "") << arguments;
    }
    EXPECT_EQ(ctl("--help").first, 0);
    EXPECT_EQ(ctl("limits --help").first, 0);
    EXPECT_EQ(ctl("--version").first, 0);
}

TEST_F(VrdmactlTest, ADaemonThatIsNotThereIsStatus3) {
    auto [status, output] = ctl("list");
    EXPECT_EQ(status, kNotReachable);
    EXPECT_THAT(output, HasSubstr("there is no control socket " + socket() + ": start vrdmad"));
    {
        Program killed({"--config", config()});
        killed.wait_printed("serves 2");
        killed.signal(SIGKILL);
        killed.wait();
    }
    std::tie(status, output) = ctl("list");
    EXPECT_EQ(status, kNotReachable);
    EXPECT_THAT(output, HasSubstr("nobody listens at " + socket()));
}

TEST_F(VrdmactlTest, TheVariableNamesTheSocketToo) {
    Program program({"--config", config()});
    program.wait_printed("serves 2");
    const auto [status, output] = shell("VRDMACTL_SOCKET=" + socket() + " " + ctl_path() + " list");
    EXPECT_EQ(status, 0) << output;
}

TEST_F(VrdmactlTest, AServicesRuntimeFolderHasTheSocketByDefault) {
    ASSERT_EQ(::setenv("RUNTIME_DIRECTORY", (path("") + ":/elsewhere").c_str(), 1), 0);
    Program program({"--vm", vm("a.sock")});
    ASSERT_EQ(::unsetenv("RUNTIME_DIRECTORY"), 0);
    program.wait_printed("serves 1");
    EXPECT_EQ(shell(ctl_path() + " --socket " + path("control.sock") + " list").first, 0);
}

TEST_F(VrdmactlTest, AnUnknownGroupIsNamedAtTheStart) {
    const std::string file = write_config(
        "[daemon]\ncontrol_group = \"vrdma-nobody\"\n[[vm]]\n"
        "socket = \"" +
        path("a") + "\"\n");
    const auto [status, output] = run({"--config", file, "--check"});
    EXPECT_EQ(status, 1);
    EXPECT_THAT(output, HasSubstr("'control_group' in [daemon] is 'vrdma-nobody'"));
}

// The commands as the program's own help lists them.
std::vector<std::string> commands() {
    std::vector<std::string> names;
    bool inside = false;
    const std::string command = ctl_path() + " --help";
    FILE* pipe = ::popen(command.c_str(), "r");
    char line[512];
    while (std::fgets(line, sizeof(line), pipe) != nullptr) {
        const std::string text(line);
        if (inside && text.starts_with("  ") && text.size() > 2 && text[2] != ' ') {
            names.push_back(text.substr(2, text.find(' ', 2) - 2));
        }
        inside = text.starts_with("Subcommands:") || (inside && text.starts_with(" "));
    }
    ::pclose(pipe);
    return names;
}

class CompletionTest : public VrdmactlTest {
  protected:
    // What bash offers after the words, of which the last is being written.
    std::vector<std::string> offered(const std::string& words) const {
        const std::string script = "PATH=" + std::string(path("")) + ":$PATH; eval \"$(" +
                                   ctl_path() + " completion bash)\"; COMP_WORDS=(vrdmactl " +
                                   words +
                                   "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _vrdmactl; "
                                   "printf '%s\\n' \"${COMPREPLY[@]}\"";
        std::filesystem::create_directories(directory_);
        std::error_code exists;
        std::filesystem::create_symlink(test::kVrdmactl, path("vrdmactl"), exists);
        std::string quoted = "bash -c '";
        for (const char c : script) {
            quoted += c == '\'' ? "'\\''" : std::string(1, c);
        }
        return lines_of(shell(quoted + "'").second);
    }
};

TEST_F(CompletionTest, OffersEveryCommandAndItsOptions) {
    const auto all = commands();
    ASSERT_GE(all.size(), 10U);
    EXPECT_THAT(offered("\"\""), IsSupersetOf(all));
    EXPECT_THAT(offered("--"), IsSupersetOf({"--json", "--socket", "--help"}));
    EXPECT_THAT(offered("li"), testing::UnorderedElementsAre("list", "limits", "libvirt-xml",
                                                             "libvirt-attach", "libvirt-detach"));
    EXPECT_THAT(offered("--json events --f"), testing::ElementsAre("--follow"));
    EXPECT_THAT(offered("--socket list top --o"), testing::ElementsAre("--once"));
    EXPECT_THAT(offered("log-level de"), testing::ElementsAre("debug"));
}

TEST_F(CompletionTest, OffersTheGuestsThatThereAre) {
    Program program({"--config", config()});
    program.wait_printed("serves 2");
    EXPECT_THAT(offered("--socket " + socket() + " show \"\""), IsSupersetOf({"a", "b"}));
    EXPECT_THAT(offered("--socket " + socket() + " log-level info --subsystem r"),
                testing::ElementsAre("rnic"));
}

TEST_F(CompletionTest, TheScriptForZshNamesEveryCommand) {
    const auto [status, script] = shell(ctl_path() + " completion zsh");
    EXPECT_EQ(status, 0);
    EXPECT_THAT(script, StartsWith("#compdef vrdmactl\n"));
    for (const std::string& command : commands()) {
        EXPECT_THAT(script, HasSubstr("'" + command + ":"));
        EXPECT_THAT(script, HasSubstr("        " + command + ")\n"));
    }
}

// The vrdmad of a test is no service.
TEST_F(VrdmactlTest, AnUpgradeWithoutSystemdIsCheckedAndSaysHowItIsDone) {
    Program program({"--config", config()});
    program.wait_printed("serves 2 virtual machine(s)");
    const auto [status, output] = ctl("upgrade");
    EXPECT_EQ(status, kRefused);
    EXPECT_THAT(output, HasSubstr("can go on with the guests"));
    EXPECT_THAT(output, HasSubstr(std::string(test::kVrdmad) + " --config " + path("vrdmad.toml") +
                                  " --control-socket " + socket() + " --take-over\n"));
    program.wait_printed("another vrdmad has seen that it can take the guests over");

    // As it says.
    Program next({"--config", config(), "--control-socket", socket(), "--take-over"});
    next.wait_printed("serves 2 virtual machine(s)");
    EXPECT_EQ(program.wait(), 0);
    EXPECT_EQ(ctl_json("version").at("taken_over").at("version"), VRDMA_VERSION);
}

TEST_F(VrdmactlTest, AnUpgradeToWhatDoesNotUnderstandChangesNothing) {
    const std::string installed = path("vrdmad");
    std::filesystem::copy_file(test::kVrdmad, installed);
    Program program({"--config", config()}, FileDescriptor(), installed.c_str());
    program.wait_printed("serves 2 virtual machine(s)");
    std::filesystem::remove(installed);
    std::ofstream(installed) << "#!/bin/sh\necho \"what is this: $*\"; exit 1\n";
    std::filesystem::permissions(installed, std::filesystem::perms::owner_all);

    const auto [status, output] = ctl("upgrade");
    EXPECT_EQ(status, kRefused);
    EXPECT_THAT(output, HasSubstr(installed + " cannot go on with the guests: what is this: "));
    EXPECT_THAT(output, HasSubstr("nothing has changed"));
    EXPECT_EQ(ctl("list").first, 0);
}

}  // namespace
}  // namespace vrdma::daemon
