// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <filesystem>
#include <string>

namespace vrdma::uverbs {

// The bond that a netdev is a slave of.  Empty when there is none.  The slave of a bond has no
// addresses of its own: the RNIC's GIDs are made from the bond's, while the slave is the active
// one.  `net` is the folder of netdevs in sysfs.
std::string bond_of(const std::string& netdev, const std::filesystem::path& net = "/sys/class/net");

}  // namespace vrdma::uverbs
