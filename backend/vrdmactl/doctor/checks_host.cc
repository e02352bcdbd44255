// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <sstream>
#include <string_view>

#include "rnic/uverbs/kernel/host_rnic.h"
#include "rnic/uverbs/vendors/vendor_table.h"
#include "vrdmactl/doctor/checks.h"

namespace vrdma::doctor {
namespace {

std::string first_line(const std::optional<std::string>& text) {
    return text ? text->substr(0, text->find('\n')) : std::string();
}

Finding examine_rnic(const Host& host, const std::string& name) {
    const std::string what = "RNIC " + name;
    uverbs::HostView view;
    view.sysfs = host.path("/sys");
    view.devices = host.path("/dev");
    if (host.rnic_driver) {
        view.driver_id = host.rnic_driver;
    }
    uint32_t driver = 0;
    try {
        driver = view.driver_id(name);
    } catch (const uverbs::HostRnicError& failure) {
        return error(what, failure.what(), "rdma link");
    }
    const uverbs::VendorEntry* const vendor = uverbs::find_vendor(driver);
    if (vendor == nullptr) {
        return error(what,
                     fmt::format("vrdma has no entry for its driver (RDMA driver id {}); "
                                 "docs/adding-an-rnic.md says what one needs",
                                 driver),
                     "vrdmad --rnic embedded");
    }
    if (!vendor->obstacle.empty()) {
        return warning(
            what,
            fmt::format("guests are not given RNICs of {}: {}", vendor->name, vendor->obstacle),
            fmt::format("accept_obstacle = \"{}\" in [rnic], for guests that you trust",
                        vendor->name));
    }
    std::string ports;
    bool active = false;
    for (const auto& port : host.list("/sys/class/infiniband/" + name + "/ports")) {
        const std::string state = first_line(host.read("/sys/class/infiniband/" + name + "/ports/" +
                                                       port.filename().string() + "/state"));
        active = active || state.find("ACTIVE") != std::string::npos;
        ports += fmt::format("{}port {} is {}", ports.empty() ? "" : ", ", port.filename().string(),
                             state.empty() ? "unknown" : state);
    }
    const std::string says =
        fmt::format("{}, in the table '{}'; {}", vendor->name, to_string(vendor->tested), ports);
    if (!active) {
        return error(what, says + "; no port is active",
                     "ip link set dev NETDEV up  # the netdev that 'rdma link' names");
    }
    if (vendor->tested != uverbs::Tested::kOnDevice) {
        return warning(what, says + ": nobody has tried it on the device",
                       "scripts/lab run  # docs/adding-an-rnic.md says what to try first");
    }
    return ok(what, says);
}

}  // namespace

Findings check_kvm(const Host& host) {
    const std::string what = "KVM";
    switch (host.try_kvm(host.path("/dev/kvm"))) {
        case KvmOutcome::kWorks:
            return {ok(what, "a virtual machine has run")};
        case KvmOutcome::kAbsent:
            return {error(what, "there is no /dev/kvm; guests run without it, very slowly",
                          "modprobe kvm_intel || modprobe kvm_amd  # after virtualisation is on in "
                          "the firmware")};
        case KvmOutcome::kForbidden:
            return {error(what, "this user may not open /dev/kvm",
                          "usermod --append --groups kvm $USER  # and log in again")};
        case KvmOutcome::kNoMachine:
            return {error(what, "/dev/kvm is there and makes no virtual machine",
                          "dmesg | grep -i kvm  # and switch virtualisation on in the firmware")};
        case KvmOutcome::kDoesNotRun:
            return {error(what, "a virtual machine is made, and does not run",
                          "dmesg | grep -i kvm  # a virtual host needs nested virtualisation")};
        case KvmOutcome::kHangs:
            return {error(what, "/dev/kvm does not answer",
                          "dmesg | grep -i kvm  # and restart the host, or the host of this host")};
    }
    return {};
}

Findings check_daemon(const Host& host) {
    const std::string what = "vrdmad";
    if (!host.daemon) {
        return {error(what, host.why_no_daemon + "; what depends on its guests is not looked at",
                      "systemctl enable --now vrdmad")};
    }
    if (host.daemon->version != VRDMA_VERSION) {
        return {warning(
            what,
            fmt::format("it is version {}, and vrdmactl {}", host.daemon->version, VRDMA_VERSION),
            "systemctl restart vrdmad  # its guests lose what they have with it")};
    }
    return {ok(
        what, fmt::format("version {}, {} guest(s), RNIC '{}'", host.daemon->version, host.guests(),
                          host.daemon->stats.at("rnic").at("name").get<std::string>()))};
}

Findings check_rnics(const Host& host) {
    Findings findings;
    for (const auto& rnic : host.list("/sys/class/infiniband")) {
        findings.push_back(examine_rnic(host, rnic.filename().string()));
    }
    if (findings.empty()) {
        findings.push_back(host.uses_host_rnic()
                               ? error("RNIC", "the host has none, and vrdmad is to use one",
                                       "rdma link add rxe0 type rxe netdev eth0  # or load the "
                                       "driver of the adapter")
                               : ok("RNIC", "the host has none; guests have the embedded one"));
    }
    return findings;
}

Findings check_rdma_modules(const Host& host) {
    const bool there = !host.list("/sys/class/infiniband").empty();
    if (!there && !host.uses_host_rnic()) {
        return {ok("RDMA modules", "none is needed for the embedded RNIC")};
    }
    Findings findings;
    struct stat status {};
    const auto device = [&](const char* path) {
        return ::stat(host.path(path).c_str(), &status) == 0;
    };
    if (host.list("/sys/class/infiniband_verbs").empty()) {
        findings.push_back(error("RDMA modules", "ib_uverbs is not loaded", "modprobe ib_uverbs"));
    }
    if (!device("/dev/infiniband/rdma_cm")) {
        findings.push_back(warning("RDMA modules",
                                   "rdma_ucm is not loaded: guests have no librdmacm",
                                   "modprobe rdma_ucm && systemctl restart vrdmad"));
    }
    if (findings.empty()) {
        findings.push_back(ok("RDMA modules", "ib_uverbs and rdma_ucm are loaded"));
    }
    return findings;
}

// The kernel's lines of AppArmor and SELinux, where a log daemon or auditd keeps them.
Findings check_denials(const Host& host) {
    const std::string what = "AppArmor, SELinux";
    constexpr std::array kLogs{"/var/log/audit/audit.log", "/var/log/kern.log", "/var/log/syslog",
                               "/var/log/messages"};
    bool read = false;
    std::string last;
    bool apparmor = false;
    for (const char* log : kLogs) {
        const auto text = host.read(log);
        read = read || text;
        std::istringstream lines(text.value_or(""));
        for (std::string line; std::getline(lines, line);) {
            const bool by_apparmor = line.find("apparmor=\"DENIED\"") != std::string::npos;
            const bool by_selinux = line.find("avc:  denied") != std::string::npos;
            const bool ours = line.find("vrdma") != std::string::npos ||
                              line.find("/dev/infiniband/") != std::string::npos;
            if ((by_apparmor || by_selinux) && ours) {
                last = line;
                apparmor = by_apparmor;
            }
        }
    }
    if (!last.empty()) {
        return {warning(what, "a denial that concerns vrdma: " + last,
                        apparmor
                            ? "echo '/run/vrdma/*.sock rw,' >> "
                              "/etc/apparmor.d/local/abstractions/libvirt-qemu"
                            : "ausearch -m avc | audit2allow -M vrdma && semodule -i vrdma.pp")};
    }
    if (!read) {
        return {warning(what, "no log of the kernel's can be read here",
                        "journalctl -k | grep -E 'apparmor=\"DENIED\"|avc:  denied'  # as root")};
    }
    return {ok(what, "the logs have no denial that concerns vrdma")};
}

}  // namespace vrdma::doctor
