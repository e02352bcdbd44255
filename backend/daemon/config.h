// SPDX-License-Identifier: Apache-2.0
// What the operator asks for, from a TOML file or from options.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "device/object_kinds.h"
#include "rnic/attributes.h"
#include "rnic/uverbs/addressing/address_rules.h"

namespace vrdma::daemon {

// A mistake of the operator's; what() says where it is and what to do.
class ConfigError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

struct VmConfig {
    std::string name;
    std::filesystem::path socket;
    rnic::MacAddress mac{};  // all zero: the guest pairs with its first Ethernet device
    uverbs::GuestRules addresses;
    device::Limits limits;
};

struct Config {
    std::string rnic = "embedded";
    uint32_t threads = 1;               // of the embedded RNIC
    uint32_t spin_us = 50;              // how long threads look for work before they sleep
    uint32_t port = 1;                  // of a host RNIC
    std::optional<uint32_t> gid_index;  // of a host RNIC: the default source
    std::vector<uverbs::Peer> peers;
    std::string log_level = "info";
    uint32_t socket_mode = 0660;          // permissions of the VMs' sockets
    std::filesystem::path status_socket;  // empty: none
    std::vector<VmConfig> vms;
};

// Reads a TOML file.  Throws ConfigError, naming file and line, for a file that cannot
// be read or parsed, an unknown key, a value of the wrong type or out of range.
Config read_config(const std::filesystem::path& file);

// As read_config(), of a document in memory; `name` stands for the file in messages.
Config parse_config(std::string_view document, const std::string& name);

// "socket=/run/a.sock,name=a,mac=52:54:00:00:00:01,network=red" (all but the socket optional)
// as one VM.
VmConfig parse_vm_option(const std::string& option);

// Throws ConfigError when the whole does not make sense: no VM, two VMs with one name
// or one socket, a socket path that does not fit into a sockaddr_un, two entries for one peer.
void check_config(const Config& config);

}  // namespace vrdma::daemon
