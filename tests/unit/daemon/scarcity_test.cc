// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The program vrdmad with VMMs that hang, and when it runs out of something.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <vrdma_check.h>

#include <csignal>
#include <fstream>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "file_descriptor.h"
#include "program_fixture.h"
#include "support/driver_queue.h"
#include "support/fake_backend_requests.h"
#include "support/fake_memory.h"
#include "support/fake_vmm.h"
#include "support/places.h"

namespace vrdma::daemon {
namespace {

using testing::HasSubstr;
using testing::Not;

using HungVmmsTest = ProgramTest;
using ScarcityTest = ProgramTest;

// Bytes that the program has mapped (VmSize of proc(5), in pages).
rlim_t address_space(const Program& program) {
    rlim_t pages = 0;
    std::ifstream("/proc/" + std::to_string(program.pid()) + "/statm") >> pages;
    return pages * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE));
}

// Takes from the running program what is above `most`.
void limit(const Program& program, __rlimit_resource resource, rlim_t most) {
    const rlimit limits{most, most};
    EXPECT_EQ(::prlimit(program.pid(), resource, &limits, nullptr), 0);
}

// A VMM and its guest on the real socket, with a control queue that runs.
class Guest {
  public:
    explicit Guest(const std::string& socket)
        : vmm(socket), features(vmm.negotiate()), channel(vmm.open_backend_requests()) {
        EXPECT_TRUE(vmm.share(memory));
        const __le64 size = htole64(1 << 20);
        EXPECT_TRUE(
            vmm.set_config(offsetof(vrdma_config, shm_size), std::as_bytes(std::span(&size, 1))));
        start_queue(VRDMA_VQ_CONTROL);
    }

    test::DriverQueue& start_queue(uint32_t index) {
        auto& queue = queues[index] = test::DriverQueue::create(memory, 16, features);
        vmm.start_queue(index, *queue);
        return *queue;
    }

    test::DriverQueue& control() { return *queues.at(VRDMA_VQ_CONTROL); }

    // Makes a command available, without a kick.
    void submit(uint16_t opcode, uint32_t response_size) {
        const vrdma_cmd_empty command = request(opcode);
        control().add({{memory.store(std::as_bytes(std::span(&command, 1))), sizeof(command)},
                       {memory.allocate(response_size), response_size, true}});
    }

    // Whether the daemon executes a command.
    bool is_served() {
        const vrdma_cmd_empty command = request(VRDMA_CMD_QUERY_DEVICE);
        const auto answer = control().transact(std::as_bytes(std::span(&command, 1)),
                                               sizeof(vrdma_rsp_query_device));
        return answer.size() == sizeof(vrdma_rsp_query_device);
    }

    test::FakeMemory memory;
    test::FakeVmm vmm;
    uint64_t features;
    std::unique_ptr<test::FakeBackendRequests> channel;
    std::map<uint32_t, std::unique_ptr<test::DriverQueue>> queues;

  private:
    static vrdma_cmd_empty request(uint16_t opcode) {
        vrdma_cmd_empty command{};
        command.hdr.opcode = htole16(opcode);
        command.hdr.length = htole32(sizeof(command));
        command.hdr.uctx = htole32(VRDMA_NO_HANDLE);
        return command;
    }
};

// A VMM whose eventfds block whoever writes to them, and one that answers no request to map, with
// a command in hand; one that has sent half a message, and one that reads no answers.
TEST_F(HungVmmsTest, SigtermEndsItCleanlyWhateverTheVmmsDo) {
    std::vector<std::string> arguments;
    for (const char* name : {"blocks", "stopped", "silent", "deaf"}) {
        arguments.insert(arguments.end(), {"--vm", vm(name) + ",name=" + name});
    }
    Program program(arguments);
    program.wait_printed("serves 4 virtual machine(s)");

    Guest blocks(path("blocks"));
    blocks.start_queue(VRDMA_VQ_EVENT).make_eventfds_block();
    blocks.control().make_eventfds_block();
    blocks.submit(VRDMA_CMD_QUERY_DEVICE, sizeof(vrdma_rsp_query_device));
    blocks.control().kick();
    while (!blocks.control().take_used()) {
        std::this_thread::yield();
    }

    Guest stopped(path("stopped"));
    stopped.submit(VRDMA_CMD_MAP_DOORBELLS, sizeof(vrdma_rsp_map_doorbells));
    stopped.control().kick();
    EXPECT_EQ(stopped.channel->receive().type(), vhost::BackendRequest::kShmemMap);

    test::FakeVmm silent(path("silent"));
    silent.send_raw(std::vector<std::byte>(7));

    test::FakeVmm deaf(path("deaf"));
    const vhost::VuHeader question{static_cast<uint32_t>(vhost::Request::kGetFeatures),
                                   vhost::kVersion, 0};
    for (int i = 0; i < 200; ++i) {  // no more answers than its socket holds
        deaf.send_raw(std::as_bytes(std::span(&question, 1)));
    }

    program.signal(SIGTERM);
    EXPECT_EQ(program.wait(), 0);
    EXPECT_THAT(program.printed(), Not(HasSubstr("a thread does not end")));
}

TEST_F(ScarcityTest, DescriptorsThatRunOutCostTheVmmThatTakesThem) {
    Program program({"--vm", vm("honest") + ",name=honest", "--vm", vm("greedy") + ",name=greedy"});
    program.wait_printed("serves 2 virtual machine(s)");
    Guest honest(path("honest"));
    limit(program, RLIMIT_NOFILE, 80);
    EXPECT_THROW(
        {
            Guest greedy(path("greedy"));
            for (uint32_t i = VRDMA_VQ_COMPLETION; i < VRDMA_VQ_COMPLETION + 64; ++i) {
                greedy.start_queue(i);
            }
        },
        std::runtime_error);
    program.wait_printed("LimitNOFILE");
    EXPECT_TRUE(honest.is_served());
    Guest next(path("greedy"));
    EXPECT_TRUE(next.is_served()) << "what the connection had is free";
    program.signal(SIGTERM);
    EXPECT_EQ(program.wait(), 0);
}

TEST_F(ScarcityTest, AddressSpaceThatRunsOutCostsTheVmmThatTakesIt) {
    Program program({"--vm", vm("honest") + ",name=honest", "--vm", vm("greedy") + ",name=greedy"});
    program.wait_printed("serves 2 virtual machine(s)");
    Guest honest(path("honest"));
    Guest greedy(path("greedy"));
    constexpr uint64_t kLarge = uint64_t{1} << 30;
    limit(program, RLIMIT_AS, address_space(program) + kLarge / 2);
    EXPECT_FALSE(greedy.vmm.add_region(greedy.memory.add_region(uint64_t{1} << 32, kLarge)));
    program.wait_printed("Cannot allocate memory");
    EXPECT_TRUE(greedy.is_served());
    EXPECT_TRUE(honest.is_served());
    program.signal(SIGTERM);
    EXPECT_EQ(program.wait(), 0);
}

// Whoever cannot be written to, as a full disk, takes the log away and no more.
TEST_F(ScarcityTest, ALogThatCannotBeWrittenEndsNothing) {
    const FileDescriptor full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
    const std::string socket = path("a.sock");
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::dup2(full.get(), STDOUT_FILENO);
        ::dup2(full.get(), STDERR_FILENO);
        const std::string argument = "socket=" + socket;
        ::execl(test::kVrdmad, test::kVrdmad, "--log-level", "trace", "--vm", argument.c_str(),
                nullptr);
        ::_exit(127);
    }
    for (int round = 0; round < 3; ++round) {
        std::unique_ptr<test::FakeVmm> vmm;
        while (vmm == nullptr) {
            try {
                vmm = std::make_unique<test::FakeVmm>(socket);
            } catch (const std::runtime_error&) {  // it does not listen yet
                ASSERT_EQ(::waitpid(pid, nullptr, WNOHANG), 0) << "it has ended";
                std::this_thread::yield();
            }
        }
        EXPECT_NE(vmm->negotiate(), 0U);
    }
    ::kill(pid, SIGTERM);
    int status = -1;
    EXPECT_EQ(::waitpid(pid, &status, 0), pid);
    EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace vrdma::daemon
