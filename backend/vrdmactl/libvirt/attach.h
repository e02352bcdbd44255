// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// What the commands libvirt-xml, libvirt-attach and libvirt-detach do to a domain's XML.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "vrdmactl/libvirt/domain_xml.h"

namespace vrdma::libvirt {

// A guest of the daemon, as a domain needs it.
struct Guest {
    std::string name;
    std::string socket;
    std::optional<std::string> mac;  // none: the guest pairs with its first Ethernet device
};

// A domain's XML after a change.
struct Edited {
    std::string xml;
    Changes changes;                 // empty: the domain was so before
    std::vector<std::string> notes;  // what the operator should know besides
};

// What of vrdma is installed on this host, below `root`.
DeviceFiles installed_device_files(const std::filesystem::path& root = "/");

// Throws vrdmactl::Failure if the guest pairs with a network device that the domain does not have.
void check_interface(const DomainXml& domain, const std::string& domain_name, const Guest& guest);

// The domain with the guest's device.
Edited with_device(const std::string& xml, const std::string& name, const Guest& guest,
                   const DeviceFiles& files);

// The domain, so that the device can be plugged in while it runs.
Edited prepared(const std::string& xml, const std::string& name, const Guest& guest,
                const DeviceFiles& files);

// The domain without the device at this socket.
Edited without_device(const std::string& xml, const std::string& socket);

// The parts of a domain that have to do with the guest's device.
std::string pieces(const Guest& guest, const DeviceFiles& files);

// A complete domain of this name, whose disk is /var/lib/libvirt/images/NAME.qcow2 and whose
// network is libvirt's 'default'.
std::string full_domain(const std::string& name, const Guest& guest, const DeviceFiles& files);

}  // namespace vrdma::libvirt
