// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The checks, each with what it looks at.
#pragma once

#include "vrdmactl/doctor/finding.h"
#include "vrdmactl/doctor/host.h"

namespace vrdma::doctor {

// checks_host.cc
Findings check_kvm(const Host& host);
Findings check_daemon(const Host& host);
Findings check_rnics(const Host& host);
Findings check_rdma_modules(const Host& host);
Findings check_denials(const Host& host);

// checks_limits.cc: whether what the host allows is enough for the guests of the daemon.
Findings check_map_count(const Host& host);
Findings check_locked_memory(const Host& host);
Findings check_open_files(const Host& host);
Findings check_asynchronous_io(const Host& host);
Findings check_cgroup(const Host& host);

// checks_vmm.cc
Findings check_qemu(const Host& host);
Findings check_libvirt(const Host& host);

// All of them, in this order.
Findings examine(const Host& host);

}  // namespace vrdma::doctor
