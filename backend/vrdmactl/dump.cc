// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "vrdmactl/dump.h"

#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <string>
#include <string_view>

namespace vrdma::vrdmactl {
namespace {

using nlohmann::json;

// What proc_pid_status(5) says of a process's rights, memory and threads.
constexpr std::array<std::string_view, 10> kStatusFields{
    "CapPrm",  "CapEff", "CapBnd", "CapAmb",          "NoNewPrivs",
    "Threads", "VmLck",  "VmRSS",  "Seccomp_filters", "Seccomp"};

json status_of(pid_t process) {
    std::ifstream file("/proc/" + std::to_string(process) + "/status");
    json status = json::object();
    for (std::string line; std::getline(file, line);) {
        const std::string_view name = std::string_view(line).substr(0, line.find(':'));
        const size_t value = line.find_first_not_of(" \t", name.size() + 1);
        if (std::ranges::find(kStatusFields, name) != kStatusFields.end() &&
            value != std::string::npos) {
            status[std::string(name)] = line.substr(value);
        }
    }
    return status;
}

json kernel() {
    utsname names{};
    ::uname(&names);
    return {{"release", names.release}, {"version", names.version}, {"machine", names.machine}};
}

}  // namespace

json collect_dump(Connection& connection) {
    json document{{"vrdmactl", VRDMA_VERSION},
                  {"vrdmad", connection.call("version")},
                  {"kernel", kernel()},
                  {"process", status_of(connection.peer())},
                  {"log_level", connection.call("log_level")},
                  {"events", connection.call("events").at("events")},
                  {"stats", connection.call("stats")}};
    json& guests = document["stats"].at("guests");
    for (json& guest : guests) {
        const json name{{"guest", guest.at("name")}};
        try {
            guest["configuration"] = connection.call("show", name).at("configuration");
            guest["object_list"] = connection.call("objects", name).at("objects");
        } catch (const Failure& failure) {
            guest["object_list"] = failure.what();  // for instance: it has been removed meanwhile
        }
    }
    return document;
}

}  // namespace vrdma::vrdmactl
