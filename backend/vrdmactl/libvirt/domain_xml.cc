// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "vrdmactl/libvirt/domain_xml.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <sstream>
#include <string_view>

#include "vrdmactl/connection.h"
#include "vrdmactl/libvirt/qemu_options.h"
#include "vrdmactl/libvirt/xml_edit.h"

namespace vrdma::libvirt {
namespace {

using vrdmactl::Failure;
using vrdmactl::kRefused;

// libvirt's docs/drvqemu, "Pass-through of arbitrary qemu commands".
constexpr const char* kQemuNamespace = "http://libvirt.org/schemas/domain/qemu/1.0";
constexpr std::string_view kPreloadName = "libvrdma-qemu-preload.so";
constexpr std::string_view kWrapperSuffix = "-vrdma";
constexpr const char* kPlainEmulator = "/usr/bin/qemu-system-x86_64";
constexpr const char* kReservation = "pcie-root-port.pref64-reserve=";

// libvirt fills the root bus from the low end, and gives 0x1a and above to devices of the chipset.
constexpr unsigned kFirstSlot = 0x10;
constexpr unsigned kLastSlot = 0x19;

void set_attribute(pugi::xml_node node, const char* name, const std::string& value) {
    pugi::xml_attribute attribute = node.attribute(name);
    (attribute ? attribute : node.append_attribute(name)).set_value(value.c_str());
}

pugi::xml_node child_or_new(pugi::xml_node parent, const char* name) {
    const pugi::xml_node child = parent.child(name);
    return child ? child : append_element(parent, name);
}

// The root bus of a machine, by the name that QEMU gives it.
std::string root_bus(const std::string& machine) {
    if (machine == "q35" || machine.starts_with("pc-q35-") || machine.starts_with("virt")) {
        return "pcie.0";
    }
    if (machine.empty() || machine == "pc" || machine.starts_with("pc-")) {
        return "pci.0";
    }
    throw Failure(kRefused, fmt::format("the domain's machine '{}' is neither q35 nor pc nor virt: "
                                        "add the device by 'virsh edit' (docs/libvirt.md)",
                                        machine));
}

}  // namespace

DomainXml::DomainXml(const std::string& text) {
    const auto parsed = document_.load_buffer(
        text.data(), text.size(),
        (pugi::parse_full | pugi::parse_ws_pcdata) & ~static_cast<unsigned>(pugi::parse_eol));
    if (!parsed) {
        throw Failure(kRefused, fmt::format("the domain's XML is wrong at byte {}: {}",
                                            parsed.offset, parsed.description()));
    }
    if (std::string_view(domain().name()) != "domain") {
        throw Failure(kRefused,
                      fmt::format("the XML is of a <{}> and of no <domain>", domain().name()));
    }
}

std::string DomainXml::to_string() const {
    std::ostringstream stream;
    document_.save(
        stream, "",
        pugi::format_raw | pugi::format_no_declaration | pugi::format_attribute_single_quote,
        pugi::encoding_utf8);
    // The line's end behind the last element is no part of a document.
    stream << '\n';
    return stream.str();
}

std::vector<std::string> DomainXml::macs() const {
    std::vector<std::string> macs;
    for (const pugi::xml_node interface : domain().child("devices").children("interface")) {
        if (const auto address = interface.child("mac").attribute("address")) {
            macs.emplace_back(address.value());
        }
    }
    return macs;
}

Changes DomainXml::share_memory() {
    Changes changes;
    pugi::xml_node backing = domain().child("memoryBacking");
    if (!backing) {
        pugi::xml_node before = domain().child("currentMemory");
        before = before ? before : domain().child("memory");
        backing = before ? insert_element_after(before, "memoryBacking")
                         : append_element(domain(), "memoryBacking");
    }
    const pugi::xml_node source = backing.child("source");
    if (const std::string_view type = source.attribute("type").value();
        type == "anonymous" || (!source && !backing.child("hugepages"))) {
        set_attribute(child_or_new(backing, "source"), "type", "memfd");
        changes.emplace_back("its memory is a memfd (<source type='memfd'/> in <memoryBacking>)");
    }
    const auto share = [&](pugi::xml_node node, const char* name, const std::string& what) {
        if (std::string_view(node.attribute(name).value()) != "shared") {
            set_attribute(node, name, "shared");
            changes.push_back(what);
        }
    };
    share(child_or_new(backing, "access"), "mode",
          "its memory is shared (<access mode='shared'/> in <memoryBacking>)");
    // These count over <memoryBacking> where they are.
    for (pugi::xml_node cell : domain().child("cpu").child("numa").children("cell")) {
        if (cell.attribute("memAccess")) {
            share(cell, "memAccess",
                  fmt::format("the memory of its NUMA cell {} is shared",
                              cell.attribute("id").value()));
        }
    }
    for (pugi::xml_node dimm : domain().child("devices").children("memory")) {
        if (dimm.attribute("access")) {
            share(dimm, "access", "the memory of a DIMM is shared");
        }
    }
    return changes;
}

std::vector<std::string> DomainXml::doubts_of_memory() const {
    std::vector<std::string> doubts;
    const pugi::xml_node backing = domain().child("memoryBacking");
    if (std::string_view(backing.child("source").attribute("type").value()) == "file") {
        doubts.emplace_back(
            "its memory is in files (<source type='file'/>), which vrdmad refuses unless "
            "memory_backing_dir in /etc/libvirt/qemu.conf is on tmpfs; <source type='memfd'/> "
            "does without");
    }
    if (backing.child("hugepages")) {
        doubts.emplace_back(
            "its memory is on huge pages; on an RNIC of the host its programs register scattered "
            "small pages in vain (docs/operations.md, Guest RAM on huge pages)");
    }
    return doubts;
}

std::string DomainXml::prefix() const {
    const auto declared = [](pugi::xml_node node) -> std::string {
        for (const pugi::xml_attribute attribute : node.attributes()) {
            const std::string_view name = attribute.name();
            if (name.starts_with("xmlns:") &&
                attribute.value() == std::string_view(kQemuNamespace)) {
                return std::string(name.substr(sizeof("xmlns:") - 1));
            }
        }
        return "";
    };
    std::string found = declared(domain());
    for (const pugi::xml_node child : domain().children()) {
        found = found.empty() ? declared(child) : found;
    }
    return found;
}

pugi::xml_node DomainXml::commandline() const {
    const std::string name = prefix();
    return name.empty() ? pugi::xml_node() : domain().child((name + ":commandline").c_str());
}

pugi::xml_node DomainXml::make_commandline() {
    if (prefix().empty()) {
        domain().append_attribute("xmlns:qemu").set_value(kQemuNamespace);
    }
    const pugi::xml_node there = commandline();
    return there ? there : append_element(domain(), (prefix() + ":commandline").c_str());
}

std::vector<DomainXml::Argument> DomainXml::arguments(const std::string& option) const {
    std::vector<Argument> found;
    const std::string name = prefix() + ":arg";
    for (pugi::xml_node node = commandline().child(name.c_str()); node;
         node = node.next_sibling(name.c_str())) {
        const std::string_view text = node.attribute("value").value();
        const pugi::xml_node value = node.next_sibling(name.c_str());
        if (value && (text == "-" + option || text == "--" + option)) {
            found.push_back({node, value});
            node = value;
        }
    }
    return found;
}

void DomainXml::append_argument(const std::string& option, const std::string& value) {
    pugi::xml_node line = make_commandline();
    const std::string name = prefix() + ":arg";
    for (const std::string& text : {"-" + option, value}) {
        // Arguments come before variables, as in libvirt's documents.
        pugi::xml_node last;
        for (const pugi::xml_node argument : line.children(name.c_str())) {
            last = argument;
        }
        set_attribute(
            last ? insert_element_after(last, name.c_str()) : append_element(line, name.c_str()),
            "value", text);
    }
}

bool DomainXml::has_device(const std::string& socket) const {
    return chardev_at(socket).has_value();
}

std::optional<std::string> DomainXml::chardev_at(const std::string& socket) const {
    std::set<std::string> of_devices;
    for (const Argument& device : arguments("device")) {
        auto properties = parse_option(device.value.attribute("value").value());
        if (properties[""] == "vrdma-pci") {
            of_devices.insert(properties["chardev"]);
        }
    }
    for (const Argument& chardev : arguments("chardev")) {
        auto properties = parse_option(chardev.value.attribute("value").value());
        if (properties["path"] == socket && of_devices.contains(properties["id"])) {
            return properties["id"];
        }
    }
    return std::nullopt;
}

std::string DomainXml::free_slot(const std::string& bus) const {
    std::set<unsigned> taken;
    const auto number = [](const std::string& text) -> unsigned {
        char* end = nullptr;
        return static_cast<unsigned>(std::strtoul(text.c_str(), &end, 0));
    };
    for (const pugi::xpath_node found : domain().select_nodes("devices/*/address[@type='pci']")) {
        const pugi::xml_node address = found.node();
        if (number(address.attribute("bus").value()) == 0) {
            taken.insert(number(address.attribute("slot").value()));
        }
    }
    for (const Argument& device : arguments("device")) {
        auto properties = parse_option(device.value.attribute("value").value());
        // QEMU reads a slot as hexadecimal, with 0x or without.
        if (properties["bus"] == bus && properties.contains("addr")) {
            taken.insert(
                static_cast<unsigned>(std::strtoul(properties["addr"].c_str(), nullptr, 16)));
        }
    }
    for (unsigned slot = kFirstSlot; slot <= kLastSlot; ++slot) {
        if (!taken.contains(slot)) {
            return fmt::format("{:#x}", slot);
        }
    }
    throw Failure(kRefused, fmt::format("the domain's bus {} has no slot left between {:#x} and "
                                        "{:#x}: remove one of its devices there",
                                        bus, kFirstSlot, kLastSlot));
}

// The first number by which no chardev and no device is called.
std::string DomainXml::free_number() const {
    std::set<std::string> ids;
    for (const char* option : {"chardev", "device"}) {
        for (const Argument& argument : arguments(option)) {
            ids.insert(parse_option(argument.value.attribute("value").value())["id"]);
        }
    }
    unsigned number = 0;
    while (ids.contains(fmt::format("vrdma{}", number)) ||
           ids.contains(fmt::format("rdma{}", number))) {
        ++number;
    }
    return std::to_string(number);
}

Changes DomainXml::add_device(const std::string& socket) {
    if (has_device(socket)) {
        return {};
    }
    const std::string bus =
        root_bus(domain().child("os").child("type").attribute("machine").value());
    const std::string slot = free_slot(bus);
    const std::string number = free_number();
    append_argument("chardev",
                    fmt::format("socket,id=vrdma{},path={}", number, escape_commas(socket)));
    append_argument("device", fmt::format("vrdma-pci,id=rdma{},chardev=vrdma{},bus={},addr={}",
                                          number, number, bus, slot));
    return {fmt::format("it has a vrdma-pci, 'rdma{}', at {}, on {} in slot {}", number, socket,
                        bus, slot)};
}

bool DomainXml::has_reservation() const {
    return std::ranges::any_of(arguments("global"), [](const Argument& argument) {
        return std::string_view(argument.value.attribute("value").value())
            .starts_with(kReservation);
    });
}

Changes DomainXml::reserve_windows() {
    if (has_reservation()) {
        return {};
    }
    append_argument("global", std::string(kReservation) + "2G");
    return {"its ports of PCI Express reserve 2 GiB each for a device that is plugged in later"};
}

pugi::xml_node DomainXml::preload_variable() const {
    return commandline().find_child_by_attribute((prefix() + ":env").c_str(), "name", "LD_PRELOAD");
}

bool DomainXml::knows_device() const {
    const std::string_view emulator = domain().child("devices").child("emulator").text().get();
    const std::string_view preload = preload_variable().attribute("value").value();
    return emulator.ends_with(kWrapperSuffix) || preload.find(kPreloadName) != preload.npos;
}

Changes DomainXml::give_emulator(const DeviceFiles& files) {
    if (knows_device()) {
        return {};
    }
    pugi::xml_node devices = child_or_new(domain(), "devices");
    const std::string_view emulator = devices.child("emulator").text().get();
    if (!files.wrapper.empty() && (emulator.empty() || emulator == kPlainEmulator)) {
        child_or_new(devices, "emulator").text().set(files.wrapper.c_str());
        return {fmt::format("its emulator is {}", files.wrapper)};
    }
    if (files.preload.empty()) {
        throw Failure(kRefused, fmt::format("this host has no {}, by which QEMU gets vrdma-pci: "
                                            "apt install qemu-vrdma, or qemu-device/install.sh, or "
                                            "name it with --preload",
                                            kPreloadName));
    }
    pugi::xml_node line = make_commandline();
    pugi::xml_node variable = preload_variable();
    if (!variable) {
        variable = append_element(line, (prefix() + ":env").c_str());
        set_attribute(variable, "name", "LD_PRELOAD");
    }
    const std::string before = variable.attribute("value").value();
    set_attribute(variable, "value", files.preload + (before.empty() ? "" : ":" + before));
    return {fmt::format("its emulator gets vrdma-pci by {} (LD_PRELOAD)", files.preload)};
}

Changes DomainXml::restore_emulator() {
    Changes changes;
    pugi::xml_node emulator = domain().child("devices").child("emulator");
    const std::string program = emulator.text().get();
    if (program.ends_with(kWrapperSuffix)) {
        const std::string plain = program.substr(0, program.size() - kWrapperSuffix.size());
        emulator.text().set(plain.c_str());
        changes.push_back("its emulator is " + plain);
    }
    pugi::xml_node variable = preload_variable();
    const std::string value = variable.attribute("value").value();
    if (value.find(kPreloadName) == std::string::npos) {
        return changes;
    }
    std::istringstream libraries(value);
    std::string rest;
    for (std::string library; std::getline(libraries, library, ':');) {
        if (!library.ends_with(kPreloadName)) {
            rest += (rest.empty() ? "" : ":") + library;
        }
    }
    if (rest.empty()) {
        remove_element(variable);
    } else {
        set_attribute(variable, "value", rest);
    }
    changes.push_back(fmt::format("its emulator does not load {}", kPreloadName));
    return changes;
}

Changes DomainXml::remove_device(const std::string& socket) {
    const auto chardev = chardev_at(socket);
    if (!chardev) {
        return {};
    }
    Changes changes;
    bool others = false;
    for (const Argument& device : arguments("device")) {
        auto properties = parse_option(device.value.attribute("value").value());
        if (properties[""] != "vrdma-pci") {
            continue;
        }
        if (properties["chardev"] != *chardev) {
            others = true;
            continue;
        }
        remove_element(device.option);
        remove_element(device.value);
        changes.push_back("its vrdma-pci at " + socket + " is gone");
    }
    for (const Argument& argument : arguments("chardev")) {
        if (parse_option(argument.value.attribute("value").value())["id"] == *chardev) {
            remove_element(argument.option);
            remove_element(argument.value);
        }
    }
    if (!others && has_reservation()) {
        changes.emplace_back("it stays prepared for a device that is plugged in while it runs");
    } else if (!others) {
        std::ranges::move(restore_emulator(), std::back_inserter(changes));
    }
    if (const pugi::xml_node line = commandline(); line && !has_elements(line)) {
        remove_element(line);
    }
    return changes;
}

}  // namespace vrdma::libvirt
