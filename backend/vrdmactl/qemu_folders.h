// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <array>

namespace vrdma::vrdmactl {

// Where the distributions' QEMU looks for modules, and qemu-device/install.sh puts ours.
inline constexpr std::array kQemuModuleFolders{"/usr/lib/x86_64-linux-gnu/qemu",
                                               "/usr/lib/aarch64-linux-gnu/qemu",
                                               "/usr/lib64/qemu-kvm", "/usr/lib/qemu"};

}  // namespace vrdma::vrdmactl
