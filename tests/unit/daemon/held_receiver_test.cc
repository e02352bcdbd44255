// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The program vrdmad with VMMs that hold whoever receives from them, in a wait of the kernel's that
// no signal ends: only the receiver of that virtual machine waits.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "file_descriptor.h"
#include "program_fixture.h"
#include "support/fake_memory.h"
#include "support/fake_vmm.h"
#include "support/fuse_server.h"
#include "support/socket_io.h"

namespace vrdma::daemon {
namespace {

using testing::HasSubstr;
using testing::Not;
using vhost::Request;

// A page that does not answer: whoever touches it waits, until this object ends.
class SilentPage {
  public:
    SilentPage() : faults_(static_cast<int>(::syscall(SYS_userfaultfd, O_CLOEXEC))) {
        uffdio_api api{};
        api.api = UFFD_API;
        uffdio_register range{};
        range.range = {reinterpret_cast<uint64_t>(page_), kSize};
        range.mode = UFFDIO_REGISTER_MODE_MISSING;
        silent_ = faults_ && ::ioctl(faults_.get(), UFFDIO_API, &api) == 0 &&
                  ::ioctl(faults_.get(), UFFDIO_REGISTER, &range) == 0;
    }
    ~SilentPage() { ::munmap(page_, kSize); }
    SilentPage(const SilentPage&) = delete;
    SilentPage& operator=(const SilentPage&) = delete;

    // Only with the right to hold the kernel (CAP_SYS_PTRACE, or vm.unprivileged_userfaultfd).
    bool silent() const { return silent_; }
    void* data() const { return page_; }

    // Waits until somebody touches it.
    void wait_touched() {
        uffd_msg message{};
        EXPECT_EQ(::read(faults_.get(), &message, sizeof(message)), ssize_t{sizeof(message)});
    }

    // Lets everybody go on.
    void answer() { faults_.reset(); }

  private:
    static constexpr size_t kSize = 4096;
    void* const page_ =
        ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    FileDescriptor faults_;
    bool silent_ = false;
};

class HeldReceiverTest : public ProgramTest {
  protected:
    std::vector<std::string> two_machines() const {
        return {"--vm", vm("hostile") + ",name=hostile", "--vm", vm("honest") + ",name=honest"};
    }

    // How many of the program's receivers wait in the kernel and cannot be killed.
    static long held_receivers(const Program& program) {
        return std::ranges::count(receivers_of(program.pid()), "D", process_state);
    }

    void expect_honest_is_served() const {
        test::FakeVmm honest(path("honest"));
        honest.negotiate();
        const auto channel = honest.open_backend_requests();
        EXPECT_GT(honest.ask_u64(Request::kGetQueueNum), 0U);
    }
};

// The VMM keeps the daemon's end of the channel, and one of its threads reads from it.
TEST_F(HeldReceiverTest, AVmmThatReadsTheDaemonsEndOfItsChannelHoldsUpNeitherOthersNorTheEnd) {
    Program program(two_machines());
    program.wait_printed("serves 2 virtual machine(s)");
    SilentPage page;
    if (!page.silent()) {
        GTEST_SKIP() << "userfaultfd cannot hold the kernel here";
    }
    const test::SocketPair channel = test::make_socket_pair();
    std::thread reader([&] { ::recv(channel.theirs.get(), page.data(), 1, 0); });
    test::send_all(channel.ours.get(), std::vector<std::byte>(16));
    page.wait_touched();

    test::FakeVmm hostile(path("hostile"));
    hostile.negotiate();
    const int theirs = channel.theirs.get();
    EXPECT_TRUE(hostile.acknowledged(Request::kSetBackendReqFd, {}, std::span(&theirs, 1)));
    while (held_receivers(program) == 0) {
        std::this_thread::yield();
    }
    expect_honest_is_served();
    program.signal(SIGTERM);
    EXPECT_EQ(program.wait(), 0);
    EXPECT_THAT(program.printed(), Not(HasSubstr("a thread does not end")));

    page.answer();
    reader.join();
}

// close(2) asks the server of such a file, and waits for its answer.
TEST_F(HeldReceiverTest, AFileWhoseServerDoesNotAnswerHoldsUpNeitherOthersNorTheEnd) {
    Program program(two_machines());
    program.wait_printed("serves 2 virtual machine(s)");
    FileDescriptor file;  // closed when the server is gone
    test::FuseServer server;
    if (!server.mounted()) {
        GTEST_SKIP() << "FUSE cannot be mounted here: " << std::strerror(errno);
    }
    file = server.open_file();
    server.keep_who_closes();

    test::FakeVmm hostile(path("hostile"));
    hostile.negotiate();
    const vhost::VuSingleRegion region{0, {0, 4096, 0, 0}};
    const int fd = file.get();
    hostile.send(Request::kAddMemReg, std::as_bytes(std::span(&region, 1)), std::span(&fd, 1));
    program.wait_printed("its file is on fuse");
    server.wait_kept();
    expect_honest_is_served();
    program.signal(SIGTERM);
    EXPECT_EQ(program.wait(), 0);
    EXPECT_THAT(program.printed(), Not(HasSubstr("a thread does not end")));
}

// The operator sees why the machine is not served, and what to do.
TEST_F(HeldReceiverTest, AReceiverThatIsGoneTurnsItsVmmAwayAndSaysSo) {
    Program program(two_machines());
    program.wait_printed("serves 2 virtual machine(s)");
    const auto receivers = receivers_of(program.pid());
    ASSERT_EQ(receivers.size(), 2U);
    ::kill(receivers.front(), SIGKILL);
    while (receivers_of(program.pid()).size() != 1) {
        std::this_thread::yield();
    }
    EXPECT_THROW(test::FakeVmm(path("hostile")).negotiate(), std::runtime_error);
    program.wait_printed("start vrdmad again");
    expect_honest_is_served();
}

}  // namespace
}  // namespace vrdma::daemon
