// SPDX-License-Identifier: Apache-2.0
// What the data path and the verbs share of one port.
#pragma once

#include <vrdma_doorbell.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "rnic/embedded/keys/region.h"
#include "rnic/embedded/keys/window.h"
#include "rnic/embedded/live_count.h"
#include "rnic/embedded/rings/rxe_abi.h"
#include "rnic/embedded/verbs/ah.h"
#include "rnic/rnic.h"

namespace vrdma::embedded {

class Cq;
class Qp;
class Worker;

// Everything but the atomics changes in a Pause only.
struct PortState {
    PortState(std::string guest_name, rnic::EventSink& event_sink, Worker& home)
        : guest(std::move(guest_name)), sink(event_sink), worker(home) {}

    bool has_gid(uint32_t index) const { return index < gids.size() && gids[index].has_value(); }

    const std::string guest;
    rnic::EventSink& sink;
    Worker& worker;  // polls the doorbells and executes the send queues

    vrdma_doorbell_area* area = nullptr;  // guest-controlled
    int notify_fd = -1;

    std::shared_ptr<const memory::GuestMemory> memory;  // or none
    MrTable mrs;
    MwTable mws;
    std::vector<Mr*> dma_regions;
    AhTable ahs;
    std::vector<Qp*> qps;  // by handle
    Qp* gsi = nullptr;     // QP 1
    std::unordered_map<uint32_t, Cq*> cqs;
    std::array<std::optional<rnic::Gid>, kGidTableLength> gids;

    LiveObjects live;
    std::atomic<bool> has_failed_cq{false};
};

}  // namespace vrdma::embedded
