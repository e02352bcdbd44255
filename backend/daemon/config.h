// SPDX-License-Identifier: Apache-2.0
// What the operator asks for, from a TOML file or from options.
#pragma once

#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "device/limits.h"
#include "rnic/attributes.h"

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
    device::Limits limits;
};

struct Config {
    std::string rnic = "embedded";
    uint32_t threads = 1;   // of the embedded RNIC
    uint32_t spin_us = 50;  // how long its threads look for work before they sleep
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

// "name=a,socket=/run/a.sock,mac=52:54:00:00:00:01" (name and mac optional) as one VM.
VmConfig parse_vm_option(const std::string& option);

// Throws ConfigError when the whole does not make sense: no VM, two VMs with one name
// or one socket, a socket path that does not fit into a sockaddr_un.
void check_config(const Config& config);

}  // namespace vrdma::daemon
