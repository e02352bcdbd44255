// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Plugging by QEMU's monitor, against a QEMU that answers as the real one does.
#include "vrdmactl/libvirt/hot_plug.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "shapes.h"
#include "vrdmactl/connection.h"

namespace vrdma::libvirt {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const HotPlug::Target kTarget{kSocket, std::nullopt};
constexpr const char* kId = "vrdma.run.vrdma.web1.sock";
constexpr uint64_t kUnset = UINT64_MAX;

// A port of PCI Express, or another bridge.
struct Port {
    std::string id;
    uint64_t reserved = kUnset;
    bool taken = false;
    bool is_root_port = true;
};

struct FakeQemu {
    bool knows_device = true;
    std::string machine = "pc-q35-7.2-machine";
    std::vector<Port> ports;
    std::vector<unsigned> slots{0, 1, 0x10};
    // The path of each chardev.
    std::map<std::string, std::string> chardevs{{"charmonitor", "/m"}};
    std::map<std::string, std::string> devices;           // a vrdma-pci by its id: its chardev
    std::string bus = "/machine/peripheral/pci.1/pci.1";  // of the devices
    bool guest_lets_go = true;
    bool lets_go_after_a_look = false;
    std::string why_no_device;
    std::vector<json> plugged{};
    std::string going{};  // is gone once it has been listed

    json answer(const json& command) {
        const std::string name = command.at("execute");
        const json arguments = command.value("arguments", json::object());
        if (name == "qom-list-types") {
            return result(knows_device ? json::array({{{"name", "vrdma-pci"}}}) : json::array());
        }
        if (name == "qom-list") {
            json list = json::array();
            if (arguments.at("path") == "/machine/peripheral") {
                for (const auto& [id, chardev] : devices) {
                    list.push_back({{"name", id}, {"type", "child<vrdma-pci>"}});
                }
                std::erase_if(devices, [&](const auto& device) { return device.first == going; });
            }
            return result(list);
        }
        if (name == "qom-get") {
            return property(arguments.at("path"), arguments.at("property"));
        }
        if (name == "query-pci") {
            return result(pci());
        }
        if (name == "chardev-add") {
            chardevs[arguments.at("id")] =
                arguments["backend"]["data"]["addr"]["data"]["path"].get<std::string>();
            return result(json::object());
        }
        if (name == "chardev-remove") {
            chardevs.erase(arguments.at("id").get<std::string>());
            return result(json::object());
        }
        if (name == "device_add") {
            if (!why_no_device.empty()) {
                return {{"error", {{"class", "GenericError"}, {"desc", why_no_device}}}};
            }
            plugged.push_back(arguments);
            devices[arguments.at("id")] = arguments.at("chardev");
            return result(json::object());
        }
        if (name == "device_del") {
            const std::string path = arguments.at("id");
            if (lets_go_after_a_look) {
                going = path.substr(path.rfind('/') + 1);
            } else if (guest_lets_go) {
                devices.erase(path.substr(path.rfind('/') + 1));
            }
            return result(json::object());
        }
        return {{"error", {{"class", "CommandNotFound"}, {"desc", name}}}};
    }

    HotPlug plug() {
        return {[this](const json& command) { return answer(command); }, "web1", "guest1"};
    }

  private:
    static json result(json value) { return {{"return", std::move(value)}}; }

    json property(const std::string& path, const std::string& name) {
        const std::string id = path.substr(path.rfind('/') + 1);
        if (name == "type") {
            return result(machine);
        }
        if (name == "parent_bus") {
            return result(bus);
        }
        if (!path.starts_with("/machine/peripheral/pci") && path != "/machine" &&
            !devices.contains(id)) {
            return {{"error", {{"class", "DeviceNotFound"}, {"desc", "Device not found"}}}};
        }
        if (name == "chardev") {
            return result(devices.at(id));
        }
        const auto port = std::ranges::find(ports, id, &Port::id);
        if (port == ports.end() || !port->is_root_port) {
            return {{"error", {{"class", "GenericError"}, {"desc", "no such property"}}}};
        }
        return result(port->reserved);
    }

    json pci() {
        json devices_of_root = json::array();
        for (const unsigned slot : slots) {
            devices_of_root.push_back({{"slot", slot}, {"qdev_id", ""}});
        }
        for (const Port& port : ports) {
            json behind = json::array();
            if (port.taken) {
                behind.push_back({{"slot", 0}});
            }
            devices_of_root.push_back(
                {{"slot", 2}, {"qdev_id", port.id}, {"pci_bridge", {{"devices", behind}}}});
        }
        return json::array({{{"bus", 0}, {"devices", devices_of_root}}});
    }
};

std::string refusal(FakeQemu& qemu) {
    try {
        qemu.plug().attach(kTarget);
    } catch (const vrdmactl::Failure& failure) {
        return failure.what();
    }
    return "";
}

TEST(HotPlugTest, TheLastFreePortWithRoomGetsTheDevice) {
    FakeQemu qemu;
    qemu.ports = {{"pci.1", 2U << 30, true}, {"pci.2", 2U << 30},
                  {"pci.3", 2U << 30},       {"pci.4", 2U << 30, true},
                  {"pci.5", kUnset},         {"pci.6", 2U << 30, false, false}};
    EXPECT_THAT(qemu.plug().attach(kTarget), SizeIs(1));
    ASSERT_THAT(qemu.plugged, SizeIs(1));
    EXPECT_EQ(qemu.plugged[0],
              json({{"driver", "vrdma-pci"}, {"id", kId}, {"chardev", kId}, {"bus", "pci.3"}}));
    EXPECT_EQ(qemu.chardevs[kId], kSocket);
}

TEST(HotPlugTest, APcGetsTheDeviceInAFreeSlotOfItsRootBus) {
    FakeQemu qemu;
    qemu.machine = "pc-i440fx-7.2-machine";
    qemu.plug().attach(kTarget);
    ASSERT_THAT(qemu.plugged, SizeIs(1));
    EXPECT_EQ(qemu.plugged[0]["bus"], "pci.0");
    EXPECT_EQ(qemu.plugged[0]["addr"], "0x11");
}

TEST(HotPlugTest, ADeviceThatIsThereStaysAlone) {
    FakeQemu qemu;
    qemu.ports = {{"pci.1", 2U << 30}};
    qemu.plug().attach(kTarget);
    EXPECT_THAT(qemu.plug().attach(kTarget), IsEmpty());
    EXPECT_THAT(qemu.plugged, SizeIs(1));
}

TEST(HotPlugTest, ADeviceThatTheDomainWasStartedWithIsFoundByItsChardev) {
    FakeQemu qemu;
    qemu.ports = {{"pci.1", 2U << 30}};
    qemu.chardevs["vrdma0"] = kSocket;
    qemu.devices["rdma0"] = "vrdma0";
    const HotPlug::Target target{kSocket, "vrdma0"};
    EXPECT_THAT(qemu.plug().attach(target), IsEmpty());
    EXPECT_THAT(qemu.plug().detach(target), SizeIs(1));
    EXPECT_THAT(qemu.plug().attach(target), SizeIs(1));
    EXPECT_THAT(qemu.plug().attach(target), IsEmpty());
}

TEST(HotPlugTest, ADeviceOnTheRootBusOfPciExpressStaysWithAWayOut) {
    FakeQemu qemu;
    qemu.bus = "/machine/q35/pcie.0";
    qemu.devices["rdma0"] = "vrdma0";
    try {
        qemu.plug().detach({kSocket, "vrdma0"});
        FAIL();
    } catch (const vrdmactl::Failure& failure) {
        EXPECT_THAT(failure.what(), AllOf(HasSubstr("cannot be pulled out"),
                                          HasSubstr("'vrdmactl libvirt-detach web1 guest1'")));
    }
    EXPECT_THAT(qemu.devices, SizeIs(1));
}

TEST(HotPlugTest, AnotherGuestsDeviceStays) {
    FakeQemu qemu;
    qemu.ports = {{"pci.1", 2U << 30}};
    qemu.plug().attach({"/run/vrdma/other.sock", std::nullopt});
    EXPECT_THAT(qemu.plug().detach(kTarget), IsEmpty());
    EXPECT_THAT(qemu.plug().attach(kTarget), SizeIs(1));
}

TEST(HotPlugTest, AQemuWithoutTheDeviceIsNamedWithAWayOut) {
    FakeQemu qemu;
    qemu.knows_device = false;
    EXPECT_THAT(refusal(qemu), AllOf(HasSubstr("was started without vrdma-pci"),
                                     HasSubstr("libvirt-attach web1 guest1 --prepare")));
}

TEST(HotPlugTest, PortsWithoutRoomAreNamedWithAWayOut) {
    FakeQemu qemu;
    qemu.ports = {{"pci.1", kUnset}, {"pci.2", 1U << 30}};
    EXPECT_THAT(refusal(qemu), AllOf(HasSubstr("2 free pcie-root-port(s)"),
                                     HasSubstr("pref64-reserve"), HasSubstr("--prepare")));
    EXPECT_THAT(qemu.chardevs, SizeIs(1));
}

TEST(HotPlugTest, ADomainWithoutFreePortsIsToldToAddOne) {
    FakeQemu qemu;
    qemu.ports = {{"pci.1", 2U << 30, true}};
    EXPECT_THAT(refusal(qemu), HasSubstr("<controller type='pci' model='pcie-root-port'/>"));
}

TEST(HotPlugTest, ADeviceThatQemuRefusesLeavesNoChardev) {
    FakeQemu qemu;
    qemu.ports = {{"pci.1", 2U << 30}};
    qemu.why_no_device = "the guest's memory is not shared";
    EXPECT_THAT(refusal(qemu), HasSubstr("QEMU refuses device_add: the guest's memory"));
    EXPECT_THAT(qemu.chardevs, SizeIs(1));
}

TEST(HotPlugTest, ADeviceThatIsPulledOutTakesItsChardevAlong) {
    FakeQemu qemu;
    qemu.ports = {{"pci.1", 2U << 30}};
    qemu.plug().attach(kTarget);
    EXPECT_THAT(qemu.plug().detach(kTarget), SizeIs(1));
    EXPECT_THAT(qemu.devices, IsEmpty());
    EXPECT_THAT(qemu.chardevs, SizeIs(1));
    EXPECT_THAT(qemu.plug().detach(kTarget), IsEmpty());
}

TEST(HotPlugTest, ADeviceThatGoesWhileItIsLookedForIsGone) {
    FakeQemu qemu;
    qemu.ports = {{"pci.1", 2U << 30}};
    qemu.plug().attach(kTarget);
    qemu.lets_go_after_a_look = true;
    EXPECT_THAT(qemu.plug().detach(kTarget), SizeIs(1));
    EXPECT_THAT(qemu.chardevs, SizeIs(1));
}

TEST(HotPlugTest, AGuestThatDoesNotLetGoIsNamed) {
    FakeQemu qemu;
    qemu.ports = {{"pci.1", 2U << 30}};
    qemu.plug().attach(kTarget);
    qemu.guest_lets_go = false;
    try {
        qemu.plug().detach(kTarget, std::chrono::milliseconds(0));
        FAIL();
    } catch (const vrdmactl::Failure& failure) {
        EXPECT_THAT(failure.what(), HasSubstr("has not let go of the device"));
    }
    EXPECT_TRUE(qemu.chardevs.contains(kId)) << "the device has it still";
}

}  // namespace
}  // namespace vrdma::libvirt
