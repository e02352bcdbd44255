// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "vrdmactl/libvirt/hot_plug.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <limits>
#include <set>
#include <thread>
#include <utility>

#include "vrdmactl/connection.h"

namespace vrdma::libvirt {
namespace {

using nlohmann::json;
using vrdmactl::Failure;
using vrdmactl::kRefused;

// Where QEMU has the devices that were named, and the others (QOM).
constexpr const char* kNamed = "/machine/peripheral";
constexpr const char* kUnnamed = "/machine/peripheral-anon";
// vrdma-pci's shared memory region has this size unless shm-size says another, and the window of a
// port has to have room for it and for the device's other BAR.
constexpr uint64_t kRegion = uint64_t{1} << 30;
// A property of this value has been left to QEMU.
constexpr uint64_t kUnset = std::numeric_limits<uint64_t>::max();
constexpr unsigned kFirstPluggedSlot = 0x10;
constexpr unsigned kSlots = 32;
constexpr std::chrono::milliseconds kInterval{100};

// The id of a device that is plugged in at a socket, and of its chardev: by it the device is found
// again.  QEMU's ids have these characters, and begin with a letter.
std::string id_of(const std::string& socket) {
    std::string id = "vrdma";
    for (const char c : socket) {
        const bool kept =
            std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '-' || c == '_';
        id += c == '/' ? '.' : kept ? c : '_';
    }
    return id;
}

}  // namespace

HotPlug::HotPlug(Monitor monitor, std::string domain, std::string guest)
    : monitor_(std::move(monitor)), domain_(std::move(domain)), guest_(std::move(guest)) {}

json HotPlug::execute(const std::string& command, json arguments) const {
    json document{{"execute", command}};
    if (!arguments.is_null()) {
        document["arguments"] = std::move(arguments);
    }
    const json answer = monitor_(document);
    if (answer.contains("error")) {
        throw Failure(kRefused, fmt::format("the domain '{}': QEMU refuses {}: {}", domain_,
                                            command, answer["error"].value("desc", "no reason")));
    }
    return answer.value("return", json());
}

json HotPlug::property(const std::string& path, const std::string& name) const {
    return execute("qom-get", {{"path", path}, {"property", name}});
}

std::string HotPlug::prepare_advice() const {
    return fmt::format(
        "'vrdmactl libvirt-attach {} {} --prepare', and then 'virsh shutdown' and 'virsh start'",
        domain_, guest_);
}

void HotPlug::check_known() const {
    if (execute("qom-list-types", {{"implements", "vrdma-pci"}}).empty()) {
        throw Failure(kRefused, fmt::format("the domain '{}' was started without vrdma-pci in its "
                                            "QEMU; what helps: {}",
                                            domain_, prepare_advice()));
    }
}

std::vector<std::string> HotPlug::device_paths() const {
    std::vector<std::string> found;
    for (const char* const folder : {kNamed, kUnnamed}) {
        for (const json& entry : execute("qom-list", {{"path", folder}})) {
            if (entry.at("type") == "child<vrdma-pci>") {
                found.push_back(fmt::format("{}/{}", folder, entry.at("name").get<std::string>()));
            }
        }
    }
    return found;
}

std::optional<HotPlug::Device> HotPlug::device_of(const Target& target) const {
    for (const std::string& path : device_paths()) {
        const auto chardev = property(path, "chardev").get<std::string>();
        if (chardev == id_of(target.socket) || chardev == target.started_with) {
            return Device{path, chardev};
        }
    }
    return std::nullopt;
}

HotPlug::Place HotPlug::free_place() const {
    const std::string machine = property("/machine", "type").get<std::string>();
    const json buses = execute("query-pci");
    const json root = buses.empty() ? json::array() : buses[0].value("devices", json::array());
    if (machine.starts_with("pc-i440fx")) {
        std::set<unsigned> taken;
        for (const json& device : root) {
            taken.insert(device.at("slot").get<unsigned>());
        }
        for (unsigned slot = kFirstPluggedSlot; slot < kSlots; ++slot) {
            if (!taken.contains(slot)) {
                return {"pci.0", fmt::format("{:#x}", slot)};
            }
        }
        throw Failure(kRefused, fmt::format("the domain '{}' has no PCI slot left", domain_));
    }
    return free_port(root);
}

// The last port: libvirt gives its own devices the first ones.
HotPlug::Place HotPlug::free_port(const json& devices_of_root) const {
    std::string port;
    size_t empty = 0;
    for (const json& device : devices_of_root) {
        const std::string id = device.value("qdev_id", "");
        if (!device.contains("pci_bridge") || id.empty() ||
            !device["pci_bridge"].value("devices", json::array()).empty()) {
            continue;
        }
        const json answer = monitor_(
            {{"execute", "qom-get"},
             {"arguments",
              {{"path", fmt::format("{}/{}", kNamed, id)}, {"property", "pref64-reserve"}}}});
        if (!answer.contains("return")) {
            continue;  // a bridge of another kind
        }
        ++empty;
        const auto reserved = answer["return"].get<uint64_t>();
        if (reserved > kRegion && reserved != kUnset) {
            port = id;
        }
    }
    if (!port.empty()) {
        return {port, ""};
    }
    if (empty == 0) {
        throw Failure(kRefused,
                      fmt::format("the domain '{}' has no free pcie-root-port: add <controller "
                                  "type='pci' model='pcie-root-port'/> by 'virsh edit', and start "
                                  "the domain again",
                                  domain_));
    }
    throw Failure(
        kRefused,
        fmt::format("the domain '{}' has {} free pcie-root-port(s), and none has reserved "
                    "room for the device's shared memory region (pref64-reserve) when "
                    "the domain was started; what helps: {}",
                    domain_, empty, prepare_advice()));
}

std::vector<std::string> HotPlug::attach(const Target& target) {
    check_known();
    if (device_of(target)) {
        return {};
    }
    const Place place = free_place();
    const std::string id = id_of(target.socket);
    execute("chardev-add",
            {{"id", id},
             {"backend",
              {{"type", "socket"},
               {"data",
                {{"server", false},
                 {"addr", {{"type", "unix"}, {"data", {{"path", target.socket}}}}}}}}}});
    json arguments{{"driver", "vrdma-pci"}, {"id", id}, {"chardev", id}, {"bus", place.bus}};
    if (!place.slot.empty()) {
        arguments["addr"] = place.slot;
    }
    try {
        execute("device_add", arguments);
    } catch (const Failure&) {
        monitor_({{"execute", "chardev-remove"}, {"arguments", {{"id", id}}}});
        throw;
    }
    return {fmt::format("a vrdma-pci is plugged in at {}, on {}{}{}", target.socket, place.bus,
                        place.slot.empty() ? "" : " in slot ", place.slot)};
}

std::vector<std::string> HotPlug::detach(const Target& target, std::chrono::milliseconds patience) {
    check_known();
    const auto device = device_of(target);
    if (!device) {
        return {};
    }
    // The root bus of PCI Express lets nothing go.
    if (property(device->path, "parent_bus").get<std::string>().ends_with("/pcie.0")) {
        throw Failure(kRefused,
                      fmt::format("the domain '{0}' was started with the device on its root bus, "
                                  "from which it cannot be pulled out while the domain runs: "
                                  "'vrdmactl libvirt-detach {0} {1}', and then 'virsh shutdown "
                                  "{0}' and 'virsh start {0}'",
                                  domain_, guest_));
    }
    execute("device_del", {{"id", device->path}});
    // A device that is listed may be gone before it is asked for anything.
    const auto there = [&] {
        const auto all = device_paths();
        return std::ranges::find(all, device->path) != all.end();
    };
    const auto end = std::chrono::steady_clock::now() + patience;
    while (there()) {
        if (std::chrono::steady_clock::now() >= end) {
            throw Failure(
                kRefused,
                fmt::format("the guest of the domain '{}' has not let go of the device in {} s: it "
                            "has to run, past its firmware, with hot plugging in its kernel; the "
                            "request stays, and the device goes when the guest answers",
                            domain_, patience.count() / 1000));
        }
        std::this_thread::sleep_for(kInterval);
    }
    execute("chardev-remove", {{"id", device->chardev}});
    return {fmt::format("the vrdma-pci at {} is pulled out", target.socket)};
}

}  // namespace vrdma::libvirt
