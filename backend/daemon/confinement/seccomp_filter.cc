// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "daemon/confinement/seccomp_filter.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <rdma/rdma_user_ioctl_cmds.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <initializer_list>
#include <memory>
#include <system_error>
#include <type_traits>

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41  // linux/prctl.h of 5.17
#endif

namespace vrdma::daemon {
namespace {

// The calls that are allowed whatever their arguments are.
constexpr std::array kCalls{
    // memory
    SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(membarrier),
    SCMP_SYS(memfd_create), SCMP_SYS(ftruncate), SCMP_SYS(fallocate),
    // files
    SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(pread64),
    SCMP_SYS(close), SCMP_SYS(dup), SCMP_SYS(fcntl), SCMP_SYS(lseek), SCMP_SYS(access),
    SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(fstat),
    SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(statfs), SCMP_SYS(fstatfs), SCMP_SYS(readlink),
    SCMP_SYS(readlinkat), SCMP_SYS(getdents64), SCMP_SYS(unlink), SCMP_SYS(unlinkat),
    // waiting
    SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(select), SCMP_SYS(pselect6), SCMP_SYS(eventfd2),
    SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_pwait2), SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime),
    SCMP_SYS(timerfd_gettime), SCMP_SYS(timer_create), SCMP_SYS(timer_settime),
    SCMP_SYS(timer_delete), SCMP_SYS(nanosleep), SCMP_SYS(clock_nanosleep),
    // signalling eventfds (vhost/rings/eventfd_signaller.h), and the limit of the stop
    SCMP_SYS(io_setup), SCMP_SYS(io_submit), SCMP_SYS(io_getevents), SCMP_SYS(io_destroy),
    SCMP_SYS(alarm),
    // sockets that are open
    SCMP_SYS(accept4), SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(sendto), SCMP_SYS(sendmsg),
    SCMP_SYS(shutdown), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),
    // threads and signals
    SCMP_SYS(futex), SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(exit),
    SCMP_SYS(exit_group), SCMP_SYS(gettid), SCMP_SYS(getpid), SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigtimedwait), SCMP_SYS(sigaltstack),
    SCMP_SYS(restart_syscall),
    // what the C library asks for itself
    SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(gettimeofday), SCMP_SYS(time),
    SCMP_SYS(getrandom), SCMP_SYS(sysinfo), SCMP_SYS(uname), SCMP_SYS(getrusage),
    SCMP_SYS(getrlimit), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid),
    SCMP_SYS(capget)};

// The calls that show that foreign code runs in this process.
constexpr std::array kForeignCalls{SCMP_SYS(execve),
                                   SCMP_SYS(execveat),
                                   SCMP_SYS(fork),
                                   SCMP_SYS(vfork),
                                   SCMP_SYS(ptrace),
                                   SCMP_SYS(process_vm_readv),
                                   SCMP_SYS(process_vm_writev),
                                   SCMP_SYS(bpf),
                                   SCMP_SYS(userfaultfd),
                                   SCMP_SYS(io_uring_setup),
                                   SCMP_SYS(init_module),
                                   SCMP_SYS(finit_module),
                                   SCMP_SYS(kexec_load),
                                   SCMP_SYS(kexec_file_load),
                                   SCMP_SYS(mount),
                                   SCMP_SYS(pivot_root),
                                   SCMP_SYS(chroot),
                                   SCMP_SYS(setns),
                                   SCMP_SYS(unshare),
                                   SCMP_SYS(setuid),
                                   SCMP_SYS(setgid),
                                   SCMP_SYS(setreuid),
                                   SCMP_SYS(setregid),
                                   SCMP_SYS(setresuid),
                                   SCMP_SYS(setresgid),
                                   SCMP_SYS(capset),
                                   SCMP_SYS(personality)};

// Only the lower half of an argument that is an int counts.
constexpr uint64_t kInt = 0xffffffff;

scmp_arg_cmp masked(unsigned argument, uint64_t mask, uint64_t value) {
    return {.arg = argument, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value};
}

void check(int result, const char* what) {
    if (result < 0) {
        throw std::system_error(-result, std::generic_category(), what);
    }
}

class Filter {
  public:
    explicit Filter(uint32_t default_action) : context_(::seccomp_init(default_action)) {
        if (context_ == nullptr) {
            throw std::system_error(ENOMEM, std::generic_category(), "seccomp_init");
        }
    }

    void set(scmp_filter_attr attribute, uint32_t value) {
        check(::seccomp_attr_set(context_.get(), attribute, value), "seccomp_attr_set");
    }

    // A call that this architecture does not have is left out.
    void add(uint32_t action, int call, std::initializer_list<scmp_arg_cmp> arguments = {}) {
        check(::seccomp_rule_add_array(context_.get(), action, call,
                                       static_cast<unsigned>(arguments.size()), arguments.begin()),
              "seccomp_rule_add");
    }
    void allow(int call, std::initializer_list<scmp_arg_cmp> arguments = {}) {
        add(SCMP_ACT_ALLOW, call, arguments);
    }

    void load() { check(::seccomp_load(context_.get()), "seccomp_load"); }

  private:
    struct Release {
        void operator()(scmp_filter_ctx context) const { ::seccomp_release(context); }
    };
    std::unique_ptr<std::remove_pointer_t<scmp_filter_ctx>, Release> context_;
};

void allow_memory_without_code(Filter& filter) {
    for (const int call : {SCMP_SYS(mmap), SCMP_SYS(mprotect)}) {
        filter.allow(call, {masked(2, PROT_EXEC, 0)});
    }
}

void allow_threads(Filter& filter) {
    // clone3 has its flags in memory, which a filter cannot read; the C library then uses clone.
    filter.add(SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3));
    filter.allow(SCMP_SYS(clone), {masked(0, CLONE_THREAD, CLONE_THREAD)});
    filter.allow(SCMP_SYS(prctl), {masked(0, kInt, PR_SET_NAME)});
    filter.allow(SCMP_SYS(prctl), {masked(0, kInt, PR_SET_VMA)});  // malloc names its memory
    // abort() signals its own thread.
    filter.allow(SCMP_SYS(tgkill), {masked(0, kInt, static_cast<uint64_t>(::getpid()))});
    // Limits are read, and never set.
    filter.allow(SCMP_SYS(prlimit64), {masked(2, UINT64_MAX, 0)});
}

// No call makes a file, and on the embedded RNIC none is opened for writing.
void allow_open(Filter& filter, SeccompSet set) {
    constexpr uint64_t kMakes = O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY);
    const uint64_t refused = set == SeccompSet::kEmbedded ? kMakes | O_ACCMODE : kMakes;
    filter.allow(SCMP_SYS(open), {masked(1, refused, 0)});
    filter.allow(SCMP_SYS(openat), {masked(2, refused, 0)});
}

// What a receiver reads comes by a pair (vhost/receiver/receiver.h).
void allow_pairs_of_sockets(Filter& filter) {
    filter.allow(SCMP_SYS(socketpair), {masked(0, kInt, AF_UNIX)});
}

// The kernel tells about RNICs and addresses by netlink; if_nametoindex(3) asks a socket of any
// family.
void allow_host_sockets(Filter& filter) {
    filter.allow(SCMP_SYS(socket), {masked(0, kInt, AF_NETLINK)});
    filter.allow(SCMP_SYS(socket), {masked(0, kInt, AF_UNIX)});
    filter.allow(SCMP_SYS(bind));
    filter.allow(SCMP_SYS(ioctl), {masked(1, kInt, SIOCGIFINDEX)});
}

// What the broker does before it has a receiver: it makes a socket and gives it away, looks users
// and groups up, for which the C library loads code and asks other processes, and starts a process,
// which gives up its rights.  No new namespace.
void allow_sockets_and_processes(Filter& filter) {
    for (const int call :
         {SCMP_SYS(bind), SCMP_SYS(listen), SCMP_SYS(connect), SCMP_SYS(chmod), SCMP_SYS(fchmodat),
          SCMP_SYS(lchown), SCMP_SYS(fchownat), SCMP_SYS(dup2), SCMP_SYS(dup3),
          SCMP_SYS(close_range), SCMP_SYS(capset), SCMP_SYS(seccomp), SCMP_SYS(prctl)}) {
        filter.allow(call);
    }
    filter.allow(SCMP_SYS(socket), {masked(0, kInt, AF_UNIX)});
    for (const int call : {SCMP_SYS(mmap), SCMP_SYS(mprotect)}) {
        filter.allow(call);
    }
    constexpr uint64_t kNamespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                     CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
    filter.allow(SCMP_SYS(clone), {masked(0, kNamespaces, 0)});
}

}  // namespace

std::optional<SeccompMode> parse_seccomp_mode(std::string_view text) {
    if (text == "on") {
        return SeccompMode::kOn;
    }
    if (text == "log") {
        return SeccompMode::kLog;
    }
    return text == "off" ? std::optional(SeccompMode::kOff) : std::nullopt;
}

SeccompMode default_seccomp_mode() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return SeccompMode::kLog;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    return SeccompMode::kLog;
#else
    return SeccompMode::kOn;
#endif
#else
    return SeccompMode::kOn;
#endif
}

void install_seccomp_filter(SeccompMode mode, SeccompSet set) {
    if (mode == SeccompMode::kOff) {
        return;
    }
    const bool log = mode == SeccompMode::kLog;
    Filter filter(log ? SCMP_ACT_LOG : SCMP_ACT_ERRNO(EPERM));
    filter.set(SCMP_FLTATR_CTL_TSYNC, 1);
    filter.set(SCMP_FLTATR_CTL_LOG, 1);
    filter.set(SCMP_FLTATR_CTL_OPTIMIZE, 2);  // a tree, so that no call is far behind
    if (!log) {
        filter.set(SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
        for (const int call : kForeignCalls) {
            if (set != SeccompSet::kBroker || call != SCMP_SYS(capset)) {
                filter.add(SCMP_ACT_KILL_PROCESS, call);
            }
        }
    }
    for (const int call : kCalls) {
        filter.allow(call);
    }
    if (set == SeccompSet::kBroker) {
        allow_sockets_and_processes(filter);
    } else {
        allow_memory_without_code(filter);
    }
    allow_threads(filter);
    allow_open(filter, set);
    allow_pairs_of_sockets(filter);
    if (set == SeccompSet::kHostRnic) {
        allow_host_sockets(filter);
        // Verbs on files that another vrdmad opened (rnic/uverbs/kernel/adopted_uverbs_file.h).
        filter.allow(SCMP_SYS(ioctl), {masked(1, kInt, RDMA_VERBS_IOCTL)});
    }
    filter.load();
}

}  // namespace vrdma::daemon
