// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "vrdmactl/libvirt/hot_plug.h"

#include <fmt/format.h>

#include <algorithm>
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

// The path in what QEMU calls a chardev: "unix:PATH", "disconnected:unix:PATH", with ",server=on"
// behind it if QEMU listens there.
std::string path_of(const std::string& filename) {
    const size_t begin = filename.find("unix:");
    if (begin == std::string::npos) {
        return "";
    }
    const std::string path = filename.substr(begin + sizeof("unix:") - 1);
    const size_t options = path.rfind(",server=");
    return path.substr(0, options);
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

std::vector<HotPlug::Device> HotPlug::devices() const {
    std::vector<Device> found;
    for (const char* const folder : {kNamed, kUnnamed}) {
        for (const json& entry : execute("qom-list", {{"path", folder}})) {
            if (entry.at("type") == "child<vrdma-pci>") {
                const std::string path =
                    fmt::format("{}/{}", folder, entry.at("name").get<std::string>());
                found.push_back({path, property(path, "chardev").get<std::string>()});
            }
        }
    }
    return found;
}

std::optional<HotPlug::Device> HotPlug::device_at(const std::string& socket) const {
    std::set<std::string> chardevs;
    for (const json& chardev : execute("query-chardev")) {
        if (path_of(chardev.value("filename", "")) == socket) {
            chardevs.insert(chardev.at("label").get<std::string>());
        }
    }
    const auto all = devices();
    const auto found = std::ranges::find_if(
        all, [&](const Device& device) { return chardevs.contains(device.chardev); });
    return found == all.end() ? std::nullopt : std::optional(*found);
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

std::string HotPlug::free_number() const {
    std::set<std::string> ids;
    for (const json& chardev : execute("query-chardev")) {
        ids.insert(chardev.at("label").get<std::string>());
    }
    for (const json& entry : execute("qom-list", {{"path", kNamed}})) {
        ids.insert(entry.at("name").get<std::string>());
    }
    unsigned number = 0;
    while (ids.contains(fmt::format("vrdma{}", number)) ||
           ids.contains(fmt::format("rdma{}", number))) {
        ++number;
    }
    return std::to_string(number);
}

std::vector<std::string> HotPlug::attach(const std::string& socket) {
    check_known();
    if (device_at(socket)) {
        return {};
    }
    const Place place = free_place();
    const std::string number = free_number();
    const std::string chardev = "vrdma" + number;
    const std::string device = "rdma" + number;
    execute(
        "chardev-add",
        {{"id", chardev},
         {"backend",
          {{"type", "socket"},
           {"data",
            {{"server", false}, {"addr", {{"type", "unix"}, {"data", {{"path", socket}}}}}}}}}});
    json arguments{
        {"driver", "vrdma-pci"}, {"id", device}, {"chardev", chardev}, {"bus", place.bus}};
    if (!place.slot.empty()) {
        arguments["addr"] = place.slot;
    }
    try {
        execute("device_add", arguments);
    } catch (const Failure&) {
        monitor_({{"execute", "chardev-remove"}, {"arguments", {{"id", chardev}}}});
        throw;
    }
    return {fmt::format("a vrdma-pci, '{}', is plugged in at {}, on {}{}{}", device, socket,
                        place.bus, place.slot.empty() ? "" : " in slot ", place.slot)};
}

std::vector<std::string> HotPlug::detach(const std::string& socket,
                                         std::chrono::milliseconds patience) {
    check_known();
    const auto device = device_at(socket);
    if (!device) {
        return {};
    }
    execute("device_del", {{"id", device->path}});
    const auto there = [&] {
        const auto all = devices();
        return std::ranges::any_of(all,
                                   [&](const Device& other) { return other.path == device->path; });
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
    return {fmt::format("the vrdma-pci at {} is pulled out", socket)};
}

}  // namespace vrdma::libvirt
