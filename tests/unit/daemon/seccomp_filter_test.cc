// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Each case calls the kernel in a child under the filter.
#include "daemon/confinement/seccomp_filter.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <rdma/rdma_user_ioctl_cmds.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <functional>
#include <thread>

#include "file_descriptor.h"

namespace vrdma::daemon {
namespace {

// Below the exit statuses of a child that a signal ended, and above each errno.
constexpr int kKilled = 200;

// What a call answers under the filter: 0, its errno, or kKilled if the kernel ended the process.
int outcome_of(const std::function<long()>& call, SeccompSet set = SeccompSet::kEmbedded,
               SeccompMode mode = SeccompMode::kOn) {
    const pid_t child = ::fork();
    if (child == 0) {
        install_seccomp_filter(mode, set);
        errno = 0;
        ::_exit(call() < 0 ? errno : 0);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status)) {
        EXPECT_EQ(WTERMSIG(status), SIGSYS);
        return kKilled;
    }
    return WEXITSTATUS(status);
}

int run_true() {
    char name[] = "true";
    char* const arguments[] = {name, nullptr};
    return ::execv("/bin/true", arguments);
}

TEST(SeccompFilterTest, AProgramThatIsStartedEndsTheProcess) {
    EXPECT_EQ(outcome_of(run_true), kKilled);
    EXPECT_EQ(outcome_of(run_true, SeccompSet::kHostRnic), kKilled);
    EXPECT_EQ(outcome_of([] { return ::syscall(SYS_execveat, -1, "", nullptr, nullptr, 0); }),
              kKilled);
    EXPECT_EQ(outcome_of([] { return ::syscall(SYS_vfork); }), kKilled);
}

TEST(SeccompFilterTest, ReachingForOtherProcessesOrTheKernelEndsTheProcess) {
    EXPECT_EQ(outcome_of([] { return ::ptrace(PTRACE_ATTACH, ::getppid(), nullptr, nullptr); }),
              kKilled);
    EXPECT_EQ(outcome_of([] {
                  return ::syscall(SYS_process_vm_writev, ::getppid(), nullptr, 0, nullptr, 0, 0);
              }),
              kKilled);
    for (const long call : {SYS_bpf, SYS_userfaultfd, SYS_io_uring_setup, SYS_init_module,
                            SYS_mount, SYS_setns, SYS_unshare, SYS_setuid}) {
        EXPECT_EQ(outcome_of([call] { return ::syscall(call, 0, 0, 0, 0, 0, 0); }), kKilled)
            << "system call " << call;
    }
}

TEST(SeccompFilterTest, TheWriterOpensFilesAndHasNeitherSocketsNorIoctl) {
    constexpr SeccompSet kWriter = SeccompSet::kCmWriter;
    EXPECT_EQ(outcome_of([] { return ::open("/dev/null", O_RDWR); }, kWriter), 0);
    EXPECT_EQ(outcome_of([] { return ::open("/tmp/x", O_CREAT | O_RDWR, 0600); }, kWriter), EPERM);
    EXPECT_EQ(outcome_of([] { return ::socket(AF_UNIX, SOCK_STREAM, 0); }, kWriter), EPERM);
    EXPECT_EQ(outcome_of([] { return ::socket(AF_NETLINK, SOCK_RAW, 0); }, kWriter), EPERM);
    EXPECT_EQ(outcome_of([] { return ::ioctl(-1, RDMA_VERBS_IOCTL, nullptr); }, kWriter), EPERM);
    EXPECT_EQ(outcome_of(run_true, kWriter), kKilled);
}

TEST(SeccompFilterTest, TheBrokerMakesSocketsAndProcessesAndLittleElse) {
    constexpr SeccompSet kBroker = SeccompSet::kBroker;
    EXPECT_EQ(outcome_of([] { return ::socket(AF_UNIX, SOCK_STREAM, 0); }, kBroker), 0);
    EXPECT_EQ(outcome_of(
                  [] {
                      const pid_t child = ::fork();
                      if (child == 0) {
                          ::_exit(0);
                      }
                      return child;
                  },
                  kBroker),
              0);
    EXPECT_EQ(outcome_of([] { return ::lchown("/no/such/file", 0, 0); }, kBroker), ENOENT);
    EXPECT_EQ(outcome_of([] { return ::socket(AF_INET, SOCK_STREAM, 0); }, kBroker), EPERM);
    EXPECT_EQ(outcome_of([] { return ::open("/tmp/x", O_CREAT | O_RDWR, 0600); }, kBroker), EPERM);
    EXPECT_EQ(outcome_of([] { return ::mkdir("/tmp", 0700); }, kBroker), EPERM);
    EXPECT_EQ(outcome_of([] { return ::syscall(SYS_clone, CLONE_NEWUSER, 0, 0, 0, 0); }, kBroker),
              EPERM);
    EXPECT_EQ(outcome_of(run_true, kBroker), kKilled);
    for (const long call : {SYS_ptrace, SYS_bpf, SYS_mount, SYS_setns, SYS_unshare, SYS_setuid}) {
        EXPECT_EQ(outcome_of([call] { return ::syscall(call, 0, 0, 0, 0, 0, 0); }, kBroker),
                  kKilled)
            << "system call " << call;
    }
}

TEST(SeccompFilterTest, ACallThatIsNotListedIsEperm) {
    EXPECT_EQ(outcome_of([] { return ::kill(::getppid(), 0); }), EPERM);
    EXPECT_EQ(outcome_of([] { return ::mkdir("/tmp", 0700); }), EPERM);
    EXPECT_EQ(outcome_of([] { return ::chmod("/dev/null", 0); }), EPERM);
    EXPECT_EQ(outcome_of([] { return ::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); }), EPERM);
}

TEST(SeccompFilterTest, TheInternetIsOutOfReach) {
    for (const SeccompSet set : {SeccompSet::kEmbedded, SeccompSet::kHostRnic}) {
        for (const int family : {AF_INET, AF_INET6, AF_PACKET, AF_VSOCK}) {
            EXPECT_EQ(outcome_of([family] { return ::socket(family, SOCK_STREAM, 0); }, set),
                      EPERM);
        }
        EXPECT_EQ(outcome_of([] { return ::connect(0, nullptr, 0); }, set), EPERM);
        EXPECT_EQ(outcome_of([] { return ::listen(0, 1); }, set), EPERM);
    }
}

TEST(SeccompFilterTest, OnlyAnRnicOfTheHostMakesSocketsAndWritesToFiles) {
    const auto netlink = [] { return ::socket(AF_NETLINK, SOCK_RAW, 0); };
    const auto writing = [] { return ::open("/dev/null", O_RDWR | O_CLOEXEC); };
    EXPECT_EQ(outcome_of(netlink), EPERM);
    EXPECT_EQ(outcome_of(netlink, SeccompSet::kHostRnic), 0);
    EXPECT_EQ(outcome_of(writing), EPERM);
    EXPECT_EQ(outcome_of(writing, SeccompSet::kHostRnic), 0);
}

TEST(SeccompFilterTest, OnlyAnRnicOfTheHostHasVerbsByIoctlAndNoOtherIoctlOnFiles) {
    const auto verbs = [] { return ::ioctl(-1, RDMA_VERBS_IOCTL, nullptr); };
    const auto other = [] { return ::ioctl(-1, FIONREAD, nullptr); };
    EXPECT_EQ(outcome_of(verbs), EPERM);
    EXPECT_EQ(outcome_of(verbs, SeccompSet::kHostRnic), EBADF);
    EXPECT_EQ(outcome_of(other, SeccompSet::kHostRnic), EPERM);
}

// What the thread of the control socket does for a client, from accept to the end.
TEST(SeccompFilterTest, AClientOfAUnixSocketIsServed) {
    const FileDescriptor listening(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;  // the kernel chooses an abstract address (unix(7))
    socklen_t length = sizeof(sa_family_t);
    ASSERT_EQ(::bind(listening.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
    ASSERT_EQ(::listen(listening.get(), 1), 0);
    length = sizeof(address);
    ASSERT_EQ(::getsockname(listening.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
    const FileDescriptor client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::connect(client.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
    ASSERT_EQ(::send(client.get(), "?", 1, 0), 1);
    EXPECT_EQ(outcome_of([&]() -> long {
                  const int served = ::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC);
                  ucred peer{};
                  socklen_t size = sizeof(peer);
                  gid_t groups[256];
                  socklen_t groups_size = sizeof(groups);
                  pollfd readable{served, POLLIN, 0};
                  char byte = 0;
                  const bool done =
                      ::getsockopt(served, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
                      ::getsockopt(served, SOL_SOCKET, SO_PEERGROUPS, groups, &groups_size) == 0 &&
                      ::poll(&readable, 1, -1) == 1 &&
                      ::recv(served, &byte, 1, MSG_DONTWAIT) == 1 &&
                      ::send(served, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
                  return done ? ::close(served) : -1;
              }),
              0);
    char answer = 0;
    EXPECT_EQ(::recv(client.get(), &answer, 1, 0), 1);
    EXPECT_EQ(answer, '?');
}

TEST(SeccompFilterTest, FilesAreReadAndNeverMade) {
    EXPECT_EQ(outcome_of([] { return ::open("/proc/self/stat", O_RDONLY | O_CLOEXEC); }), 0);
    for (const SeccompSet set : {SeccompSet::kEmbedded, SeccompSet::kHostRnic}) {
        EXPECT_EQ(
            outcome_of([] { return ::open("/tmp/vrdma-none", O_WRONLY | O_CREAT, 0600); }, set),
            EPERM);
        EXPECT_EQ(outcome_of([] { return ::open("/tmp", O_WRONLY | O_TMPFILE, 0600); }, set),
                  EPERM);
    }
}

TEST(SeccompFilterTest, MemoryIsNeverMadeExecutable) {
    const auto map = [](int protection) -> long {
        void* memory = ::mmap(nullptr, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        return memory == MAP_FAILED ? -1 : ::mprotect(memory, 4096, PROT_READ);
    };
    EXPECT_EQ(outcome_of([&] { return map(PROT_READ | PROT_WRITE); }), 0);
    EXPECT_EQ(outcome_of([&] { return map(PROT_READ | PROT_EXEC); }), EPERM);
    void* memory = ::mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT_EQ(outcome_of([&] { return ::mprotect(memory, 4096, PROT_READ | PROT_EXEC); }), EPERM);
    ::munmap(memory, 4096);
}

TEST(SeccompFilterTest, ThreadsMayBeStarted) {
    EXPECT_EQ(outcome_of([]() -> long {
                  std::atomic<int> value = -1;
                  std::thread([&] { value = 0; }).join();
                  return value;
              }),
              0);
}

TEST(SeccompFilterTest, ThreadsThatRunAlreadyGetTheFilterToo) {
    const FileDescriptor ready(::eventfd(0, EFD_CLOEXEC));
    const pid_t child = ::fork();
    if (child == 0) {
        int error = 0;
        std::thread early([&] {
            eventfd_t value;
            ::eventfd_read(ready.get(), &value);
            error = ::mkdir("/tmp", 0700) < 0 ? errno : 0;
        });
        install_seccomp_filter(SeccompMode::kOn, SeccompSet::kEmbedded);
        ::eventfd_write(ready.get(), 1);
        early.join();
        ::_exit(error);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(WEXITSTATUS(status), EPERM);
}

TEST(SeccompFilterTest, InTheModeLogEveryCallIsCarriedOut) {
    EXPECT_EQ(outcome_of(run_true, SeccompSet::kEmbedded, SeccompMode::kLog), 0);
    EXPECT_EQ(outcome_of([] { return ::socket(AF_INET, SOCK_STREAM, 0); }, SeccompSet::kEmbedded,
                         SeccompMode::kLog),
              0);
}

}  // namespace
}  // namespace vrdma::daemon
