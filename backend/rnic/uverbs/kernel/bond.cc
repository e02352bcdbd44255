// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/kernel/bond.h"

namespace vrdma::uverbs {

// A bridge is a master as well, and so is a VRF, and their ports keep their addresses.
std::string bond_of(const std::string& netdev, const std::filesystem::path& net) {
    std::error_code error;
    if (!std::filesystem::is_directory(net / netdev / "bonding_slave", error)) {
        return "";
    }
    return std::filesystem::read_symlink(net / netdev / "master", error).filename().string();
}

}  // namespace vrdma::uverbs
