// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace vrdma::libvirt {

// Plugs vrdma-pci into a running domain and pulls it out, by commands to QEMU's monitor (QMP).
class HotPlug {
  public:
    // Sends a command to the monitor and returns its whole answer: {"return": ...} or
    // {"error": {"class", "desc"}}.
    using Monitor = std::function<nlohmann::json(const nlohmann::json& command)>;

    // How long the guest's driver is waited for when its device goes.
    static constexpr std::chrono::seconds kPatience{30};

    // The device at a socket of vrdmad's.  `started_with` is the id of the chardev with which the
    // domain was started for this socket, if it was: QEMU does not tell the path of a socket that
    // is connected.
    struct Target {
        std::string socket;
        std::optional<std::string> started_with;
    };

    // `domain` and `guest` are for the sentences that say what to do.
    HotPlug(Monitor monitor, std::string domain, std::string guest);

    // Both return what has changed, and nothing if it was so before.  Both throw
    // vrdmactl::Failure.
    std::vector<std::string> attach(const Target& target);
    std::vector<std::string> detach(const Target& target,
                                    std::chrono::milliseconds patience = kPatience);

  private:
    struct Device {
        std::string path;  // in QEMU's object model
        std::string chardev;
    };
    // Where a device may be plugged in.
    struct Place {
        std::string bus;
        std::string slot;  // empty: the only one
    };

    // The result of a command.  Throws vrdmactl::Failure with QEMU's words.
    nlohmann::json execute(const std::string& command, nlohmann::json arguments = nullptr) const;
    nlohmann::json property(const std::string& path, const std::string& name) const;
    void check_known() const;
    // The path of each vrdma-pci in QEMU's object model.
    std::vector<std::string> device_paths() const;
    std::optional<Device> device_of(const Target& target) const;
    Place free_place() const;
    Place free_port(const nlohmann::json& devices_of_root) const;
    std::string prepare_advice() const;

    Monitor monitor_;
    std::string domain_;
    std::string guest_;
};

}  // namespace vrdma::libvirt
