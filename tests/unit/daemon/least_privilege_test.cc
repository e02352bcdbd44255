// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// What the running vrdmad may still do, by what the kernel says of its threads.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <linux/capability.h>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "daemon/confinement/seccomp_filter.h"
#include "program_fixture.h"
#include "support/fake_vmm.h"

namespace vrdma::daemon {
namespace {

using testing::Each;
using testing::HasSubstr;

class LeastPrivilegeTest : public ProgramTest {
  protected:
    // The values that a key of proc(5)'s "status" has, one a thread.
    static std::vector<std::string> of_threads(const Program& program, const std::string& key) {
        std::vector<std::string> values;
        const std::string tasks = "/proc/" + std::to_string(program.pid()) + "/task";
        for (const auto& task : std::filesystem::directory_iterator(tasks)) {
            std::ifstream status(task.path() / "status");
            for (std::string line; std::getline(status, line);) {
                if (line.starts_with(key + ":\t")) {
                    values.push_back(line.substr(key.size() + 2));
                }
            }
        }
        return values;
    }
};

TEST_F(LeastPrivilegeTest, EveryThreadHasTheFilterAndNoNewPrivileges) {
    Program program({"--vm", vm("a.sock"), "--vm", vm("b.sock"), "--threads", "2",
                     "--status-socket", path("status.sock")});
    program.wait_printed("serves 2 virtual machine(s)");
    const auto filters = of_threads(program, "Seccomp");
    EXPECT_GE(filters.size(), 6U);  // the main thread, two workers, two machines, the status
    EXPECT_THAT(filters, Each("2"));
    EXPECT_THAT(of_threads(program, "NoNewPrivs"), Each("1"));
}

TEST_F(LeastPrivilegeTest, TheOperatorMaySwitchTheFilterOff) {
    const std::string file =
        write_config("[daemon]\nseccomp = \"off\"\n[[vm]]\nsocket = \"" + path("a.sock") + "\"\n");
    Program program({"--config", file});
    program.wait_printed("serves 1 virtual machine(s)");
    EXPECT_THAT(program.printed(), HasSubstr("there is no seccomp filter"));
    EXPECT_THAT(of_threads(program, "Seccomp"), Each("0"));
}

TEST_F(LeastPrivilegeTest, TheEmbeddedRnicKeepsNoCapabilityButThoseOfFiles) {
    Program program({"--vm", vm("a.sock")});
    program.wait_printed("serves");
    constexpr uint64_t kFiles = CAP_TO_MASK(CAP_CHOWN) | CAP_TO_MASK(CAP_DAC_OVERRIDE) |
                                CAP_TO_MASK(CAP_DAC_READ_SEARCH) | CAP_TO_MASK(CAP_FOWNER);
    for (const char* set : {"CapPrm", "CapEff", "CapInh", "CapAmb"}) {
        for (const std::string& value : of_threads(program, set)) {
            EXPECT_EQ(std::stoull(value, nullptr, 16) & ~kFiles, 0U) << set << " " << value;
        }
    }
}

TEST_F(LeastPrivilegeTest, AVmmIsServedUnderTheFilter) {
    Program program({"--vm", vm("a.sock")});
    program.wait_printed("serves");
    for (int i = 0; i < 2; ++i) {
        test::FakeMemory memory;
        test::FakeVmm vmm(path("a.sock"));
        vmm.negotiate();
        EXPECT_TRUE(vmm.share(memory));
    }
    program.signal(SIGTERM);
    EXPECT_EQ(program.wait(), 0);
    EXPECT_FALSE(std::filesystem::exists(path("a.sock")));
}

}  // namespace
}  // namespace vrdma::daemon
