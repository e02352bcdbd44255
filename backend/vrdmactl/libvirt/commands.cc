// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "vrdmactl/libvirt/commands.h"

#include <fmt/format.h>

#include <cstdio>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

#include "vrdmactl/connection.h"
#include "vrdmactl/libvirt/attach.h"
#include "vrdmactl/libvirt/hot_plug.h"
#include "vrdmactl/libvirt/hypervisor.h"

namespace vrdma::libvirt {
namespace {

using vrdmactl::Connection;
using vrdmactl::Failure;
using vrdmactl::kRefused;
using vrdmactl::kUsage;

Guest ask_guest(const std::string& name, const std::string& control_socket) {
    const auto shown = Connection(control_socket).call("show", {{"guest", name}});
    Guest guest{.name = name, .socket = shown.at("socket"), .mac = std::nullopt};
    if (const auto& mac = shown.at("configuration").at("mac"); mac.is_string()) {
        guest.mac = mac.get<std::string>();
    }
    return guest;
}

DeviceFiles device_files(const CommandOptions& options) {
    return options.preload.empty() ? installed_device_files()
                                   : DeviceFiles{.wrapper = "", .preload = options.preload};
}

void print_line(std::FILE* stream, const std::string& text) {
    fmt::print(stream, "{}\n", text);
}

// What one command has done to a domain.
struct Report {
    std::string domain;
    Changes changes;
    std::vector<std::string> notes;

    void add(Changes more) { std::ranges::move(more, std::back_inserter(changes)); }

    void print(bool json, std::FILE* stream) const {
        if (json) {
            print_line(
                stream,
                nlohmann::json{{"domain", domain}, {"changes", changes}, {"notes", notes}}.dump(
                    -1, ' ', false, nlohmann::json::error_handler_t::replace));
            return;
        }
        print_line(stream, changes.empty() ? fmt::format("{}: nothing to change", domain)
                                           : fmt::format("{}: changed", domain));
        for (const std::string& change : changes) {
            print_line(stream, "  " + change);
        }
        for (const std::string& note : notes) {
            print_line(stream, "note: " + note);
        }
    }
};

void check_persistent(const Domain& domain, const std::string& name) {
    if (!domain.is_persistent()) {
        throw Failure(kRefused,
                      fmt::format("the domain '{}' is transient and has no configuration to "
                                  "change: 'virsh dumpxml {} > FILE' and 'virsh define FILE' make "
                                  "it persistent; --live changes it while it runs",
                                  name, name));
    }
}

void check_running(const Domain& domain, const std::string& name) {
    if (!domain.is_running()) {
        throw Failure(kRefused, fmt::format("the domain '{}' does not run, and --live is for one "
                                            "that does: leave --live out",
                                            name));
    }
}

// Puts a changed configuration in place, or prints it; true if it is to go on.
bool put(const Domain& domain, const CommandOptions& options, Edited edited, bool json,
         Report& report) {
    report.add(std::move(edited.changes));
    std::ranges::move(edited.notes, std::back_inserter(report.notes));
    if (options.dry_run) {
        fmt::print("{}", edited.xml);
        report.print(json, stderr);
        return false;
    }
    if (report.changes.empty()) {
        return true;
    }
    domain.define(edited.xml);
    if (domain.is_running() && !options.live) {
        report.notes.push_back(
            fmt::format("the domain runs: this takes effect when it is started next ('virsh "
                        "shutdown {0}', then 'virsh start {0}'); a reboot is not enough",
                        options.domain));
    }
    return true;
}

void check_flags(const CommandOptions& options) {
    if (options.dry_run && options.live) {
        throw Failure(kUsage,
                      "--dry-run shows the changed configuration, and --live changes none: "
                      "leave one of them out");
    }
}

HotPlug plug_of(const Domain& domain, const CommandOptions& options) {
    return {[&domain](const nlohmann::json& command) { return domain.monitor(command); },
            options.domain, options.guest};
}

}  // namespace

void print_xml(const CommandOptions& options, const std::string& control_socket) {
    const Guest guest = ask_guest(options.guest, control_socket);
    const DeviceFiles files = device_files(options);
    fmt::print("{}", options.full.empty() ? pieces(guest, files)
                                          : full_domain(options.full, guest, files));
}

void attach(const CommandOptions& options, const std::string& control_socket, bool json) {
    check_flags(options);
    if (options.prepare && options.live) {
        throw Failure(kUsage,
                      "--prepare is for a later start, and --live for now: leave one of "
                      "them out");
    }
    const Guest guest = ask_guest(options.guest, control_socket);
    const Hypervisor hypervisor(options.uri);
    const Domain domain = hypervisor.domain(options.domain);
    Report report{.domain = options.domain, .changes = {}, .notes = {}};
    if (options.live) {
        check_running(domain, options.domain);
    }
    if (options.config || !options.live) {
        check_persistent(domain, options.domain);
        const auto edit = options.prepare ? prepared : with_device;
        if (!put(domain, options,
                 edit(domain.next_xml(), options.domain, guest, device_files(options)), json,
                 report)) {
            return;
        }
    }
    if (options.live) {
        DomainXml running(domain.running_xml());
        check_interface(running, options.domain, guest);
        if (!running.share_memory().empty()) {
            throw Failure(kRefused,
                          fmt::format("the domain '{0}' was started with memory that vrdmad cannot "
                                      "map: 'vrdmactl libvirt-attach {0} {1}', and then 'virsh "
                                      "shutdown {0}' and 'virsh start {0}'",
                                      options.domain, options.guest));
        }
        report.add(
            plug_of(domain, options).attach({guest.socket, running.chardev_at(guest.socket)}));
    }
    report.print(json, stdout);
}

void detach(const CommandOptions& options, const std::string& control_socket, bool json) {
    check_flags(options);
    // The daemon may have forgotten the guest.
    const std::string socket = options.guest.starts_with('/')
                                   ? options.guest
                                   : ask_guest(options.guest, control_socket).socket;
    const Hypervisor hypervisor(options.uri);
    const Domain domain = hypervisor.domain(options.domain);
    Report report{.domain = options.domain, .changes = {}, .notes = {}};
    if (options.live) {
        check_running(domain, options.domain);
    }
    if (options.config || !options.live) {
        check_persistent(domain, options.domain);
        if (!put(domain, options, without_device(domain.next_xml(), socket), json, report)) {
            return;
        }
    }
    if (options.live) {
        const DomainXml running(domain.running_xml());
        report.add(plug_of(domain, options).detach({socket, running.chardev_at(socket)}));
    }
    report.print(json, stdout);
}

}  // namespace vrdma::libvirt
