// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "vrdmactl/libvirt/hypervisor.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <libvirt/libvirt-qemu.h>
#include <libvirt/virterror.h>

#include <cstdlib>
#include <utility>

#include "vrdmactl/connection.h"

namespace vrdma::libvirt {

using vrdmactl::Failure;
using vrdmactl::kNotReachable;
using vrdmactl::kRefused;

// What is called of libvirt's libraries, by its own declarations.
struct LibvirtFunctions {
    decltype(&virGetLastErrorMessage) last_error;
    decltype(&virSetErrorFunc) set_error_function;
    decltype(&virConnectOpen) connect;
    decltype(&virConnectClose) close;
    decltype(&virDomainLookupByName) look_up;
    decltype(&virDomainFree) free_domain;
    decltype(&virDomainIsActive) is_active;
    decltype(&virDomainIsPersistent) is_persistent;
    decltype(&virDomainGetXMLDesc) get_xml;
    decltype(&virDomainDefineXMLFlags) define;
    decltype(&virDomainQemuMonitorCommand) monitor_command;
};

namespace {

// The library stays for the life of the process: it has threads and handlers of its own.
void* load(const char* library) {
    void* const handle = ::dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
        throw Failure(kNotReachable,
                      fmt::format("libvirt's library is not here ({}): apt install libvirt-clients",
                                  ::dlerror()));
    }
    return handle;
}

template <typename Function>
void find(void* library, const char* name, Function& function) {
    void* const found = ::dlsym(library, name);
    if (found == nullptr) {
        throw Failure(kNotReachable, fmt::format("libvirt's library is too old: {}", ::dlerror()));
    }
    function = reinterpret_cast<Function>(found);
}

std::shared_ptr<const LibvirtFunctions> load_functions() {
    LibvirtFunctions functions{};
    void* const base = load("libvirt.so.0");
    find(base, "virGetLastErrorMessage", functions.last_error);
    find(base, "virSetErrorFunc", functions.set_error_function);
    find(base, "virConnectOpen", functions.connect);
    find(base, "virConnectClose", functions.close);
    find(base, "virDomainLookupByName", functions.look_up);
    find(base, "virDomainFree", functions.free_domain);
    find(base, "virDomainIsActive", functions.is_active);
    find(base, "virDomainIsPersistent", functions.is_persistent);
    find(base, "virDomainGetXMLDesc", functions.get_xml);
    find(base, "virDomainDefineXMLFlags", functions.define);
    find(load("libvirt-qemu.so.0"), "virDomainQemuMonitorCommand", functions.monitor_command);
    // Otherwise libvirt writes each error to the standard error by itself.
    functions.set_error_function(nullptr, [](void*, virErrorPtr) {});
    return std::make_shared<const LibvirtFunctions>(functions);
}

[[noreturn]] void fail(const LibvirtFunctions& functions, const std::string& what,
                       vrdmactl::Status status = kRefused) {
    throw Failure(status, fmt::format("{}: {}", what, functions.last_error()));
}

// A string of libvirt's, which its reader frees.
std::string take(char* text) {
    std::string taken = text;
    std::free(text);  // NOLINT(cppcoreguidelines-no-malloc): as virDomainGetXMLDesc() says
    return taken;
}

}  // namespace

bool Domain::is_running() const {
    const int active = functions_->is_active(domain_.get());
    if (active < 0) {
        fail(*functions_, "libvirt does not say whether the domain runs");
    }
    return active == 1;
}

bool Domain::is_persistent() const {
    const int persistent = functions_->is_persistent(domain_.get());
    if (persistent < 0) {
        fail(*functions_, "libvirt does not say whether the domain is persistent");
    }
    return persistent == 1;
}

std::string Domain::xml(unsigned flags) const {
    char* const text = functions_->get_xml(domain_.get(), flags);
    if (text == nullptr) {
        fail(*functions_, "libvirt does not give the domain's XML");
    }
    return take(text);
}

std::string Domain::next_xml() const {
    return xml(VIR_DOMAIN_XML_INACTIVE | VIR_DOMAIN_XML_SECURE);
}

std::string Domain::running_xml() const {
    return xml(0);
}

void Domain::define(const std::string& xml) const {
    const virDomainPtr defined = functions_->define(connection_.get(), xml.c_str(), 0);
    if (defined == nullptr) {
        fail(*functions_, "libvirt does not take the changed domain");
    }
    functions_->free_domain(defined);
}

nlohmann::json Domain::monitor(const nlohmann::json& command) const {
    char* answer = nullptr;
    if (functions_->monitor_command(domain_.get(), command.dump().c_str(), &answer, 0) != 0) {
        fail(*functions_, "libvirt does not pass a command on to the domain's QEMU");
    }
    const auto document = nlohmann::json::parse(take(answer), nullptr, false);
    return document.is_object() ? document : nlohmann::json::object();
}

Hypervisor::Hypervisor(const std::string& uri) : functions_(load_functions()) {
    const virConnectPtr connection = functions_->connect(uri.c_str());
    if (connection == nullptr) {
        fail(*functions_, fmt::format("libvirt is not reachable at {}", uri), kNotReachable);
    }
    connection_ = {connection, functions_->close};
}

Domain Hypervisor::domain(const std::string& name) const {
    const virDomainPtr found = functions_->look_up(connection_.get(), name.c_str());
    if (found == nullptr) {
        fail(*functions_, "'virsh list --all' shows the domains that there are");
    }
    Domain domain;
    domain.functions_ = functions_;
    domain.connection_ = connection_;
    domain.domain_ = {found, functions_->free_domain};
    return domain;
}

}  // namespace vrdma::libvirt
