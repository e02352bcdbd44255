// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// What the operator asks for, from a TOML file or from options.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/confinement/seccomp_filter.h"
#include "device/object_kinds.h"
#include "rnic/attributes.h"
#include "rnic/uverbs/addressing/address_rules.h"
#include "vhost/protocol/memory_table.h"

namespace vrdma::daemon {

// A mistake of the operator; what() says where it is and what to do.
class ConfigError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

struct VmConfig {
    std::string where;  // in the file, "FILE:LINE:COLUMN: "; empty if it is from elsewhere
    std::string name;
    std::filesystem::path socket;
    std::string socket_user;  // a name or a number; empty: the daemon's
    std::string socket_group;
    rnic::MacAddress mac{};  // all zero: the guest pairs with its first Ethernet device
    uverbs::GuestRules addresses;
    device::Limits limits;
};

struct Config {
    std::string rnic = "embedded";
    uint32_t threads = 1;               // embedded RNIC: its threads
    uint32_t spin_us = 50;              // microseconds that threads look for work before they sleep
    uint32_t port = 1;                  // host RNIC: the port's number
    std::optional<uint32_t> gid_index;  // host RNIC: the default source's index in the GID table
    // host RNIC: the prefix of the addresses that are announced for machines; none: announces none
    std::optional<uverbs::GidPrefix> announce = uverbs::kLinkLocalPrefix;
    std::string accept_obstacle;  // host RNIC: the driver that is used although its entry warns
    // host RNIC: guests can be handed over at the price of what Landlock would take from a QEMU
    bool hand_over = false;
    std::vector<uverbs::Peer> peers;
    std::string log_level = "info";
    device::Limits limits;                // of every VM that does not say otherwise
    uint32_t socket_mode = 0660;          // permissions of the VMs' sockets
    std::string socket_user;              // whose the VMs' sockets are, unless a VM says
    std::string socket_group;             // empty: anybody is served whom the permissions let in
    std::filesystem::path status_socket;  // empty for none
    // Empty for none; without a value, control.sock in the service manager's runtime folder.
    std::optional<std::filesystem::path> control_socket;
    std::string control_group;        // a name or a number: may read by the control socket
    std::string control_admin_group;  // may change things by it; empty: root and the daemon's user
    SeccompMode seccomp = default_seccomp_mode();
    vhost::MemoryRules memory;  // which files may be a guest's memory
    std::vector<VmConfig> vms;
};

// Reads a TOML file.  Throws ConfigError, naming file and line, for a file that cannot
// be read or parsed, an unknown key, a value of the wrong type or out of range.
Config read_config(const std::filesystem::path& file);

// As read_config(), for a document in memory; `name` stands for the file in messages.
Config parse_config(std::string_view document, const std::string& name);

// Reads one VM from an option such as
// "socket=/run/a.sock,name=a,mac=52:54:00:00:00:01,network=red", of which only the socket is
// required.  Its limits are `limits`.  Throws ConfigError, naming the option.
VmConfig parse_vm_option(const std::string& option, const device::Limits& limits = {});

// Reads one VM from a TOML document that has the keys of one [[vm]].  Its limits are `limits`,
// where the document says nothing.  Throws ConfigError.
VmConfig parse_vm(std::string_view document, const device::Limits& limits);

// Whether virtual machines can come later.
enum class Reloadable { kNo, kYes };

// Throws ConfigError when the configuration as a whole makes no sense: two VMs with one name or one
// socket, a socket path that does not fit into a sockaddr_un, two entries for one peer, no VM where
// none can come later: that needs a file to read again, or a control socket.
void check_config(const Config& config, Reloadable reloadable = Reloadable::kNo);

}  // namespace vrdma::daemon
