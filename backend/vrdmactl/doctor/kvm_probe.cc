// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "vrdmactl/doctor/kvm_probe.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "file_descriptor.h"

namespace vrdma::doctor {
namespace {

#if defined(__x86_64__)
// Executes HLT at the beginning of a page, in real mode.
KvmOutcome run(const FileDescriptor& kvm, const FileDescriptor& machine,
               const FileDescriptor& processor) {
    constexpr size_t kPage = 4096;
    constexpr uint8_t kHlt = 0xf4;
    constexpr uint64_t kAddress = 0x1000;
    const int size = ::ioctl(kvm.get(), KVM_GET_VCPU_MMAP_SIZE, 0);
    void* const memory =
        ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (size <= 0 || memory == MAP_FAILED) {
        return KvmOutcome::kNoMachine;
    }
    std::memset(memory, kHlt, kPage);
    const kvm_userspace_memory_region region{.slot = 0,
                                             .flags = 0,
                                             .guest_phys_addr = kAddress,
                                             .memory_size = kPage,
                                             .userspace_addr = reinterpret_cast<uint64_t>(memory)};
    void* const shared = ::mmap(nullptr, static_cast<size_t>(size), PROT_READ | PROT_WRITE,
                                MAP_SHARED, processor.get(), 0);
    kvm_sregs segments{};
    if (shared == MAP_FAILED || ::ioctl(machine.get(), KVM_SET_USER_MEMORY_REGION, &region) != 0 ||
        ::ioctl(processor.get(), KVM_GET_SREGS, &segments) != 0) {
        return KvmOutcome::kNoMachine;
    }
    segments.cs.base = 0;
    segments.cs.selector = 0;
    kvm_regs registers{};
    registers.rip = kAddress;
    registers.rflags = 2;  // the bit that is always set
    if (::ioctl(processor.get(), KVM_SET_SREGS, &segments) != 0 ||
        ::ioctl(processor.get(), KVM_SET_REGS, &registers) != 0) {
        return KvmOutcome::kNoMachine;
    }
    const auto* const state = static_cast<const kvm_run*>(shared);
    const bool ran =
        ::ioctl(processor.get(), KVM_RUN, 0) == 0 && state->exit_reason == KVM_EXIT_HLT;
    return ran ? KvmOutcome::kWorks : KvmOutcome::kDoesNotRun;
}
#else
KvmOutcome run(const FileDescriptor&, const FileDescriptor&, const FileDescriptor&) {
    return KvmOutcome::kWorks;
}
#endif

KvmOutcome attempt(const std::filesystem::path& device) {
    const FileDescriptor kvm(::open(device.c_str(), O_RDWR | O_CLOEXEC));
    if (!kvm) {
        return errno == EACCES || errno == EPERM ? KvmOutcome::kForbidden : KvmOutcome::kAbsent;
    }
    if (::ioctl(kvm.get(), KVM_GET_API_VERSION, 0) != KVM_API_VERSION) {
        return KvmOutcome::kNoMachine;
    }
    const FileDescriptor machine(::ioctl(kvm.get(), KVM_CREATE_VM, 0));
    const FileDescriptor processor(machine ? ::ioctl(machine.get(), KVM_CREATE_VCPU, 0) : -1);
    return processor ? run(kvm, machine, processor) : KvmOutcome::kNoMachine;
}

}  // namespace

KvmOutcome probe_kvm(const std::filesystem::path& device) {
    return probe_kvm_within(device, std::chrono::seconds(5));
}

KvmOutcome probe_kvm_within(const std::filesystem::path& device, std::chrono::milliseconds limit) {
    int fds[2];
    if (::pipe2(fds, O_CLOEXEC) != 0) {
        return KvmOutcome::kNoMachine;
    }
    const FileDescriptor ours(fds[0]);
    FileDescriptor theirs(fds[1]);
    const pid_t child = ::fork();
    if (child == 0) {
        const auto outcome = static_cast<char>(attempt(device));
        [[maybe_unused]] const ssize_t written = ::write(theirs.get(), &outcome, 1);
        ::_exit(0);
    }
    theirs.reset();
    pollfd answered{ours.get(), POLLIN, 0};
    if (child > 0 && ::poll(&answered, 1, static_cast<int>(limit.count())) == 0) {
        // Not waited for: a system call that hangs in the kernel does not end by a signal.
        ::kill(child, SIGKILL);
        return KvmOutcome::kHangs;
    }
    char outcome = static_cast<char>(KvmOutcome::kDoesNotRun);
    const ssize_t got = ::read(ours.get(), &outcome, 1);
    if (child > 0) {
        ::waitpid(child, nullptr, 0);
    }
    return got == 1 ? static_cast<KvmOutcome>(outcome) : KvmOutcome::kDoesNotRun;
}

}  // namespace vrdma::doctor
