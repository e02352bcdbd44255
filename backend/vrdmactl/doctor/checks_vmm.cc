// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <regex>

#include "vrdmactl/doctor/checks.h"
#include "vrdmactl/qemu_folders.h"

namespace vrdma::doctor {
namespace {

constexpr std::array kEmulators{"/usr/bin/qemu-system-x86_64", "/usr/bin/qemu-system-aarch64",
                                "/usr/libexec/qemu-kvm"};

// The versions that there are modules for, "7.2".
std::vector<std::string> modules(const Host& host) {
    std::vector<std::string> versions;
    const std::regex name(R"(vrdma-qemu-(\d+\.\d+)\.so)");
    for (const char* folder : vrdmactl::kQemuModuleFolders) {
        for (const auto& file : host.list(folder)) {
            std::smatch match;
            const std::string text = file.filename().string();
            if (std::regex_match(text, match, name)) {
                versions.push_back(match[1].str());
            }
        }
    }
    return versions;
}

// A domain that has the device: what its XML lacks.  The text is looked at without libvirt, whose
// daemon may not run; quotes are of both kinds.
Findings examine_domain(const Host& host, const std::string& name, std::string xml) {
    const std::string what = "domain " + name;
    std::ranges::replace(xml, '"', '\'');
    const auto has = [&](const std::string& text) { return xml.find(text) != std::string::npos; };
    const std::string edit = "virsh edit " + name + "  # ";
    Findings findings;
    if (!has("<access mode='shared'/>")) {
        findings.push_back(error(what, "its memory is not shared, and QEMU refuses to start",
                                 edit +
                                     "<memoryBacking><source type='memfd'/><access mode='shared'/>"
                                     "</memoryBacking>"));
    } else if (has("<source type='file'/>")) {
        findings.push_back(warning(what,
                                   "its memory is in files, which vrdmad refuses unless they are "
                                   "on tmpfs",
                                   edit + "<source type='memfd'/> in <memoryBacking>"));
    } else if (has("<hugepages") && host.uses_host_rnic()) {
        findings.push_back(warning(what,
                                   "its memory is on huge pages, and on an RNIC of the host its "
                                   "programs register scattered small pages in vain",
                                   edit + "without <hugepages/>"));
    }
    if (!has("libvrdma-qemu-preload.so") && !has("-vrdma</emulator>")) {
        findings.push_back(error(what, "its emulator does not know vrdma-pci",
                                 edit + "<emulator>/usr/bin/qemu-system-x86_64-vrdma</emulator>"));
    }
    if (!has("xmlns:qemu=")) {
        findings.push_back(error(what, "libvirt drops <qemu:commandline> without its namespace",
                                 edit + "<domain xmlns:qemu="
                                        "'http://libvirt.org/schemas/domain/qemu/1.0'>"));
    }
    if (findings.empty()) {
        findings.push_back(ok(what, "its memory is shared, and its emulator has the device"));
    }
    return findings;
}

}  // namespace

Findings check_qemu(const Host& host) {
    const std::string what = "QEMU";
    Findings findings;
    const auto known = modules(host);
    for (const char* emulator : kEmulators) {
        std::error_code ignored;
        if (!std::filesystem::exists(host.path(emulator), ignored)) {
            continue;
        }
        const std::string version = host.qemu_version(host.path(emulator));
        const std::string series = version.substr(0, version.find('.', version.find('.') + 1));
        if (version.empty()) {
            findings.push_back(warning(what, fmt::format("{} does not say its version", emulator),
                                       fmt::format("{} --version", emulator)));
        } else if (std::ranges::find(known, series) != known.end()) {
            findings.push_back(
                ok(what, fmt::format("{} is {}, and there is a module for it", emulator, version)));
        } else {
            findings.push_back(error(
                what,
                fmt::format("{} is {}, and there is {}", emulator, version,
                            known.empty()
                                ? "no module of vrdma"
                                : fmt::format("a module for {} alone", fmt::join(known, ", "))),
                fmt::format("apt install qemu-vrdma  # or qemu-device/build.sh OUTDIR {} && "
                            "qemu-device/install.sh OUTDIR",
                            series)));
        }
    }
    if (findings.empty()) {
        findings.push_back(error(what, "there is none", "apt install qemu-system-x86"));
    }
    return findings;
}

Findings check_libvirt(const Host& host) {
    Findings findings;
    for (const auto& file : host.list("/etc/libvirt/qemu")) {
        if (file.extension() != ".xml") {
            continue;
        }
        const auto xml = host.read("/etc/libvirt/qemu/" + file.filename().string());
        if (xml && xml->find("vrdma-pci") != std::string::npos) {
            std::ranges::move(examine_domain(host, file.stem().string(), *xml),
                              std::back_inserter(findings));
        }
    }
    if (findings.empty()) {
        findings.push_back(ok("libvirt", "no domain that can be read here has the device"));
    }
    return findings;
}

Findings examine(const Host& host) {
    Findings all;
    for (const auto check :
         {check_kvm, check_daemon, check_rnics, check_rdma_modules, check_map_count,
          check_locked_memory, check_open_files, check_asynchronous_io, check_cgroup, check_qemu,
          check_libvirt, check_denials}) {
        std::ranges::move(check(host), std::back_inserter(all));
    }
    return all;
}

}  // namespace vrdma::doctor
