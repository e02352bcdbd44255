// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "vrdmactl/libvirt/attach.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <strings.h>

#include <algorithm>
#include <cctype>
#include <iterator>
#include <system_error>

#include "vrdmactl/connection.h"
#include "vrdmactl/qemu_folders.h"

namespace vrdma::libvirt {
namespace {

constexpr const char* kWrapper = "/usr/bin/qemu-system-x86_64-vrdma";

// What each domain with the device has, whichever domain it is.
constexpr const char* kPieces = R"(<domain type='kvm'>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
  </os>
</domain>
)";

// {0} is the domain's name, {1} its interface's <mac>, with its line.
constexpr const char* kFullDomain = R"(<domain type='kvm'>
  <name>{0}</name>
  <memory unit='MiB'>2048</memory>
  <vcpu>2</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <boot dev='hd'/>
  </os>
  <features>
    <acpi/>
  </features>
  <cpu mode='host-passthrough'/>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/>
      <source file='/var/lib/libvirt/images/{0}.qcow2'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <interface type='network'>{1}
      <source network='default'/>
      <model type='virtio'/>
    </interface>
    <serial type='pty'/>
  </devices>
</domain>
)";

void append(Changes& changes, Changes more) {
    std::ranges::move(more, std::back_inserter(changes));
}

bool exists(const std::filesystem::path& root, const char* absolute) {
    std::error_code ignored;
    return std::filesystem::exists(root / std::filesystem::path(absolute).relative_path(), ignored);
}

}  // namespace

DeviceFiles installed_device_files(const std::filesystem::path& root) {
    DeviceFiles files;
    if (exists(root, kWrapper)) {
        files.wrapper = kWrapper;
    }
    for (const char* folder : vrdmactl::kQemuModuleFolders) {
        const std::string path = std::string(folder) + "/libvrdma-qemu-preload.so";
        if (files.preload.empty() && exists(root, path.c_str())) {
            files.preload = path;
        }
    }
    return files;
}

void check_interface(const DomainXml& domain, const std::string& domain_name, const Guest& guest) {
    const auto macs = domain.macs();
    const bool there = std::ranges::any_of(macs, [&](const std::string& mac) {
        return !guest.mac || ::strcasecmp(mac.c_str(), guest.mac->c_str()) == 0;
    });
    if (there) {
        return;
    }
    const std::string has = macs.empty()
                                ? "no network device"
                                : fmt::format("network devices with {}", fmt::join(macs, ", "));
    if (!guest.mac) {
        throw vrdmactl::Failure(
            vrdmactl::kRefused,
            fmt::format("the domain '{}' has no network device, whose addresses would be the RDMA "
                        "device's: give it an <interface>",
                        domain_name));
    }
    throw vrdmactl::Failure(
        vrdmactl::kRefused,
        fmt::format("the guest '{}' pairs with the network device {}, and the domain '{}' has {}: "
                    "write the 'mac' that the domain has into vrdmad's configuration, or the "
                    "guest's into the domain's <interface>",
                    guest.name, *guest.mac, domain_name, has));
}

Edited with_device(const std::string& xml, const std::string& name, const Guest& guest,
                   const DeviceFiles& files) {
    DomainXml domain(xml);
    check_interface(domain, name, guest);
    Edited edited;
    append(edited.changes, domain.share_memory());
    append(edited.changes, domain.add_device(guest.socket));
    append(edited.changes, domain.give_emulator(files));
    edited.notes = domain.doubts_of_memory();
    edited.xml = domain.to_string();
    return edited;
}

Edited prepared(const std::string& xml, const std::string& name, const Guest& guest,
                const DeviceFiles& files) {
    DomainXml domain(xml);
    check_interface(domain, name, guest);
    Edited edited;
    append(edited.changes, domain.share_memory());
    append(edited.changes, domain.reserve_windows());
    append(edited.changes, domain.give_emulator(files));
    edited.notes = domain.doubts_of_memory();
    edited.xml = domain.to_string();
    return edited;
}

Edited without_device(const std::string& xml, const std::string& socket) {
    DomainXml domain(xml);
    Edited edited;
    edited.changes = domain.remove_device(socket);
    edited.xml = domain.to_string();
    return edited;
}

std::string pieces(const Guest& guest, const DeviceFiles& files) {
    DomainXml domain(kPieces);
    domain.share_memory();
    domain.add_device(guest.socket);
    domain.give_emulator(files);
    return domain.to_string();
}

std::string full_domain(const std::string& name, const Guest& guest, const DeviceFiles& files) {
    const auto plain = [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '.' || c == '-' || c == '_';
    };
    if (name.empty() || !std::ranges::all_of(name, plain)) {
        throw vrdmactl::Failure(vrdmactl::kUsage,
                                fmt::format("--full: '{}' is no name for a domain here: take "
                                            "letters, digits, '.', '-' and '_'",
                                            name));
    }
    const std::string mac =
        guest.mac ? fmt::format("\n      <mac address='{}'/>", *guest.mac) : std::string();
    DomainXml domain(fmt::format(fmt::runtime(kFullDomain), name, mac));
    domain.share_memory();
    domain.add_device(guest.socket);
    domain.give_emulator(files);
    return domain.to_string();
}

}  // namespace vrdma::libvirt
