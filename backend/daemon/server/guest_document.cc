// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "daemon/server/guest_document.h"

#include <fmt/format.h>
#include <infiniband/verbs.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace vrdma::daemon {
namespace {

using nlohmann::json;

// The counts by the configuration's keys.
json to_json(const device::ObjectCounts& counts) {
    json objects{{"registered_bytes", counts.registered_bytes}};
    for (const device::ObjectKind& kind : device::kObjectKinds) {
        objects[kind.key] = counts.*kind.count;
    }
    return objects;
}

json to_json(const rnic::Counters& counters) {
    return {
#define VRDMA_ROW(NAME, name) {#name, counters[VRDMA_COUNTER_##NAME]},
        VRDMA_COUNTERS(VRDMA_ROW)
#undef VRDMA_ROW
    };
}

json to_json(const std::vector<device::VerbFigures::Verb>& verbs) {
    json all = json::object();
    for (const device::VerbFigures::Verb& verb : verbs) {
        all[verb.name] = {{"calls", verb.calls()},
                          {"failures", verb.failures},
                          {"nanoseconds", verb.nanoseconds},
                          {"buckets", verb.buckets}};
    }
    return all;
}

json to_json(const rnic::PortActivity& activity) {
    json document{{"turns", activity.turns},
                  {"nanoseconds", activity.nanoseconds},
                  {"notifications", activity.notifications},
                  {"failed_completions", json::object()}};
    for (const auto& [status, count] : activity.failed_completions) {
        document["failed_completions"][status] = count;
    }
    return document;
}

// A state of a queue pair as ibv_query_qp(3) names it.
const char* state_name(uint8_t state) {
    switch (state) {
        case IBV_QPS_RESET:
            return "reset";
        case IBV_QPS_INIT:
            return "init";
        case IBV_QPS_RTR:
            return "rtr";
        case IBV_QPS_RTS:
            return "rts";
        case IBV_QPS_SQD:
            return "sqd";
        case IBV_QPS_SQE:
            return "sqe";
        case IBV_QPS_ERR:
            return "err";
        default:
            return "unknown";
    }
}

std::string to_string(const rnic::MacAddress& mac) {
    return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", mac[0], mac[1], mac[2], mac[3],
                       mac[4], mac[5]);
}

}  // namespace

json limits_document(const std::vector<device::VirtualDevice::LimitStatus>& limits) {
    json all = json::object();
    for (const auto& limit : limits) {
        json& one = all[limit.key] = {{"limit", limit.limit}};
        if (limit.used) {
            one["used"] = *limit.used;
        }
        if (limit.reached) {
            one["reached"] = *limit.reached;
        }
    }
    return all;
}

json guest_document(const std::string& name, const std::string& socket,
                    const device::VirtualDevice::Status& status) {
    json guest{
        {"name", name},
        {"socket", socket},
        {"connected", status.connected},
        {"commands", status.commands},
        {"shared_memory", {{"size", status.shm_size}, {"used", status.shm_used}}},
        {"memory",
         {{"page_size", status.memory_page_size},
          {"limit", status.memory_limit == nullptr ? json(nullptr) : json(status.memory_limit)}}},
        {"objects", to_json(status.objects)},
        {"limits", limits_document(status.limits)},
        {"verbs", to_json(status.verbs)},
    };
    if (status.counters) {
        guest["counters"] = to_json(*status.counters);
    }
    if (status.activity) {
        guest["activity"] = to_json(*status.activity);
    }
    return guest;
}

json configuration_document(const VmConfig& vm) {
    json document{
        {"network", vm.addresses.network}, {"gids", json::array()}, {"pkeys", json::array()}};
    document["mac"] = vm.mac == rnic::MacAddress{} ? json(nullptr) : json(to_string(vm.mac));
    for (const auto& prefix : vm.addresses.gids) {
        document["gids"].push_back(uverbs::to_string(prefix));
    }
    for (const uint16_t key : vm.addresses.pkeys) {
        document["pkeys"].push_back(fmt::format("{:#06x}", key));
    }
    document["socket_user"] = vm.socket_user;
    document["socket_group"] = vm.socket_group;
    return document;
}

json objects_document(const std::vector<device::ListedKind>& kinds) {
    json all = json::object();
    for (const device::ListedKind& kind : kinds) {
        json objects = json::array();
        for (const device::ListedObject& object : kind.objects) {
            json& one = objects.emplace_back(json{{"handle", object.handle}});
            if (object.uctx) {
                one["context"] = *object.uctx;
            }
            if (object.bytes) {
                one["bytes"] = *object.bytes;
            }
            if (object.qp_num) {
                one["qp_num"] = *object.qp_num;
                one["state"] = object.qp_state ? json(state_name(*object.qp_state)) : json(nullptr);
            }
        }
        all[kind.key] = {{"count", kind.count}, {"objects", std::move(objects)}};
    }
    return all;
}

json rnic_objects_document(const rnic::Rnic& rnic) {
    json objects = json::object();
    for (const auto& [kind, count] : rnic.live_objects()) {
        objects[std::string(kind)] = count;
    }
    return objects;
}

void add_old_names(json& guest) {
    guest["window"] = guest["shared_memory"];
    for (const device::ObjectKind& kind : device::kObjectKinds) {
        if (kind.old_key != nullptr) {
            guest["objects"][kind.old_key] = guest["objects"][kind.key];
        }
    }
}

}  // namespace vrdma::daemon
