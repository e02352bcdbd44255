// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <libvirt/libvirt.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

namespace vrdma::libvirt {

struct LibvirtFunctions;

// A domain of a hypervisor.  Everything throws vrdmactl::Failure with libvirt's words.
class Domain {
  public:
    bool is_running() const;
    // Whether it has a configuration that outlives it.
    bool is_persistent() const;
    // The XML with which it starts next, secrets included.
    std::string next_xml() const;
    // The XML with which it runs.
    std::string running_xml() const;
    // Has it start with this XML from now on.
    void define(const std::string& xml) const;
    // A command to its QEMU's monitor, and QEMU's whole answer.
    nlohmann::json monitor(const nlohmann::json& command) const;

  private:
    friend class Hypervisor;
    std::string xml(unsigned flags) const;

    std::shared_ptr<const LibvirtFunctions> functions_;
    std::shared_ptr<virConnect> connection_;
    std::shared_ptr<virDomain> domain_;
};

// A connection to libvirt, whose library is loaded when there is one: hosts without libvirt have
// this program as well.
class Hypervisor {
  public:
    // Throws vrdmactl::Failure.
    explicit Hypervisor(const std::string& uri);

    Domain domain(const std::string& name) const;

  private:
    std::shared_ptr<const LibvirtFunctions> functions_;
    std::shared_ptr<virConnect> connection_;
};

}  // namespace vrdma::libvirt
