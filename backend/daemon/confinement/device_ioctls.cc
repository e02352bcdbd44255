// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "daemon/confinement/device_ioctls.h"

#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "file_descriptor.h"

namespace vrdma::daemon {
namespace {

// Since the fifth version of Landlock's ABI, which the headers of Linux 6.1 do not know.
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
#endif
constexpr long kAbiWithIoctl = 5;

}  // namespace

bool give_up_device_ioctls() {
    const long abi =
        ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < kAbiWithIoctl) {
        return false;
    }
    // What is handled and allowed by no rule is denied; all else stays as it is.
    // Newer headers have more members, which stay 0.
    landlock_ruleset_attr attributes{};
    attributes.handled_access_fs = LANDLOCK_ACCESS_FS_IOCTL_DEV;
    const FileDescriptor ruleset(static_cast<int>(
        ::syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0)));
    return ruleset.valid() && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           ::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) == 0;
}

}  // namespace vrdma::daemon
