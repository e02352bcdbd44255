// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <optional>
#include <pugixml.hpp>
#include <string>
#include <vector>

namespace vrdma::libvirt {

// Sentences that say what has changed; empty if all was as it should be.
using Changes = std::vector<std::string>;

// What brings vrdma-pci into QEMU on this host; empty where it is not installed.
struct DeviceFiles {
    std::string wrapper;  // the program qemu-system-x86_64-vrdma
    std::string preload;  // libvrdma-qemu-preload.so
};

// The XML of a libvirt domain.  Its parts that have nothing to do with vrdma stay as they are,
// comments and blanks included.  libvirt's own documents (virDomainGetXMLDesc) are written again
// byte for byte, but for the kind of quotes around the values of foreign elements, and for quotes
// within texts, which libvirt escapes without need.
class DomainXml {
  public:
    // Throws vrdmactl::Failure if the text is no domain.
    explicit DomainXml(const std::string& text);

    std::string to_string() const;

    // The MAC addresses of its network devices, as the document writes them.
    std::vector<std::string> macs() const;

    // Lets vrdmad map all of the guest's memory: <memoryBacking>, NUMA cells, and DIMMs.
    Changes share_memory();

    // What vrdmad may refuse or restrict about its memory, a sentence each (docs/operations.md,
    // Guest RAM).
    std::vector<std::string> doubts_of_memory() const;

    // Has QEMU know vrdma-pci.  Throws vrdmactl::Failure if the host has nothing that does it.
    Changes give_emulator(const DeviceFiles& files);

    // The id of the chardev of the vrdma-pci at this socket of vrdmad's; none if there is none.
    std::optional<std::string> chardev_at(const std::string& socket) const;

    // Whether the domain has a vrdma-pci at this socket of vrdmad's.
    bool has_device(const std::string& socket) const;

    // Adds a vrdma-pci at this socket of vrdmad's.  Throws vrdmactl::Failure if the machine has no
    // PCI bus that is known here, or no slot left.
    Changes add_device(const std::string& socket);

    // Has each port of PCI Express reserve room for the device's shared memory region, which
    // libvirt has no element for.
    Changes reserve_windows();

    // Removes the device, and with the last one what brings it into QEMU, unless the domain is
    // prepared for plugging it into the running domain (reserve_windows()).
    Changes remove_device(const std::string& socket);

  private:
    // A pair of <qemu:arg>: an option and its value.
    struct Argument {
        pugi::xml_node option;
        pugi::xml_node value;
    };

    pugi::xml_node domain() const { return document_.document_element(); }
    pugi::xml_node commandline() const;
    pugi::xml_node make_commandline();
    std::string prefix() const;
    std::vector<Argument> arguments(const std::string& option) const;
    void append_argument(const std::string& option, const std::string& value);
    pugi::xml_node preload_variable() const;
    bool knows_device() const;
    bool has_reservation() const;
    std::string free_slot(const std::string& bus) const;
    std::string free_number() const;
    Changes restore_emulator();

    pugi::xml_document document_;
};

}  // namespace vrdma::libvirt
