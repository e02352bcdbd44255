// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <chrono>
#include <filesystem>
#include <string>

namespace vrdma::doctor {

// How the kernel's KVM answers.
enum class KvmOutcome {
    kWorks,       // a virtual machine has run
    kAbsent,      // there is no device
    kForbidden,   // this user may not open it
    kNoMachine,   // it is there, and makes no virtual machine
    kDoesNotRun,  // it makes one, whose processor does not execute its instruction
    kHangs,       // it did not answer in time
};

// Makes a virtual machine through the device, and has it execute one instruction (HLT, on x86; on
// other machines its processor is made, and does not run).  A child does that, since a kernel whose
// KVM does not work may never answer; the child is killed after `limit`, and left behind if it
// cannot be killed.
KvmOutcome probe_kvm(const std::filesystem::path& device);
KvmOutcome probe_kvm_within(const std::filesystem::path& device, std::chrono::milliseconds limit);

}  // namespace vrdma::doctor
