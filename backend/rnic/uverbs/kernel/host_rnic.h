// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The RNICs of this host, as the kernel shows them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace vrdma::uverbs {

// Says why an RNIC cannot be used.  what() is a sentence for the operator.
class HostRnicError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

struct HostRnic {
    std::string name;                   // "rxe0"
    std::string uverbs_name;            // "uverbs0"
    std::filesystem::path uverbs_path;  // "/dev/infiniband/uverbs0"
    uint32_t driver_id = 0;             // enum rdma_driver_id
    uint32_t uverbs_abi_version = 0;    // the version of that driver's user ABI
    uint32_t ports = 0;
    bool iwarp = false;  // the kernel's node type is that of iWARP, not that of a channel adapter
};

// Where the kernel's view of the devices is.  The defaults are the host's.
struct HostView {
    std::filesystem::path sysfs = "/sys";
    std::filesystem::path devices = "/dev";
    // Tells the RDMA_NLDEV_ATTR_UVERBS_DRIVER_ID of an RNIC.  Throws HostRnicError.
    std::function<uint32_t(const std::string& name)> driver_id;
    HostView();
};

// The names of the RNICs of this host, sorted.
std::vector<std::string> host_rnic_names(const HostView& view = {});

// The RNIC of that name, which this process can open.  Throws HostRnicError.
HostRnic find_host_rnic(const std::string& name, const HostView& view = {});

}  // namespace vrdma::uverbs
