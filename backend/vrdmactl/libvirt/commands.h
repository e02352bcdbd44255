// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <string>

namespace vrdma::libvirt {

// The options of the commands for libvirt.
struct CommandOptions {
    std::string domain;
    std::string guest;  // its name; or, to be detached, its socket's path
    std::string full;   // the name of a complete domain
    std::string uri = "qemu:///system";
    std::string preload;  // in place of what is installed
    bool live = false;
    bool config = false;
    bool prepare = false;
    bool dry_run = false;
};

// Each prints what it has done, as a JSON document if `json`.  `control_socket` is the daemon's.
// They throw vrdmactl::Failure.
void print_xml(const CommandOptions& options, const std::string& control_socket);
void attach(const CommandOptions& options, const std::string& control_socket, bool json);
void detach(const CommandOptions& options, const std::string& control_socket, bool json);

}  // namespace vrdma::libvirt
