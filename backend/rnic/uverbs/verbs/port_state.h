// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <spdlog/logger.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "memory/mapping_budget.h"
#include "rate_limited_log.h"
#include "rnic/live_objects.h"
#include "rnic/rnic.h"
#include "rnic/uverbs/addressing/guest_addresses.h"
#include "rnic/uverbs/addressing/ib_tables.h"
#include "rnic/uverbs/cm_writer/cm_writer.h"
#include "rnic/uverbs/events/port_events.h"
#include "rnic/uverbs/events/port_worker.h"
#include "rnic/uverbs/events/sink_list.h"
#include "rnic/uverbs/events/standstill.h"
#include "rnic/uverbs/guest_loggers.h"
#include "rnic/uverbs/kernel/rdma_cm.h"
#include "rnic/uverbs/kernel/uverbs.h"
#include "rnic/uverbs/ucma/guest_qps.h"
#include "rnic/uverbs/vendors/vendor_table.h"

namespace vrdma::uverbs {

// The state that all ports of an RNIC share.  Any thread.
struct RnicState {
    const VendorEntry& vendor;
    const Transport transport;  // the device's: RoCE or iWARP
    const uint8_t host_port;
    const std::chrono::microseconds spin;
    const std::unique_ptr<UverbsDevice> device;
    const std::shared_ptr<OverlayMap> addresses;      // null where guests have no IP addresses
    const std::unique_ptr<IbTables> ib_tables;        // null unless the port is on InfiniBand
    const OpenRdmaCm open_rdma_cm;                    // empty when guests get no connections
    const std::shared_ptr<const CmWriter> cm_writer;  // opens in its place, unless null
    const std::shared_ptr<spdlog::logger> logger;
    const bool files_travel;  // UverbsConfig::files_travel
    GuestLoggers guest_loggers{logger};
    memory::MappingBudget mappings{};
    rnic::LiveObjects live{};
    SinkList sinks{};
    Standstill standstill{};
    std::atomic<bool> removed{false};  // the kernel is taking the RNIC away
};

class XrcContext;  // xrc_context.h

// The state that the contexts of one port share.  One thread at a time, as the verbs.
struct PortState {
    PortState(std::shared_ptr<RnicState> rnic_state, const std::string& guest_name,
              rnic::EventSink& sink)
        : rnic(std::move(rnic_state)),
          guest(guest_name),
          logger(rnic->guest_loggers.of(guest)),
          log(logger),
          events(guest, rnic->vendor, sink, logger),
          // Where nothing is rung through the daemon, there is nothing to look for.
          worker(events, rnic->vendor.needs_system_calls() ? rnic->spin : rnic->spin.zero()),
          standstill(rnic->standstill, worker) {
        if (rnic->addresses != nullptr) {
            addresses = std::make_unique<GuestAddresses>(guest, rnic->addresses, logger);
        }
    }

    const std::shared_ptr<RnicState> rnic;
    const std::string guest;  // named in logs
    const std::shared_ptr<spdlog::logger> logger;
    RateLimitedLog log;
    rnic::PortBudgets budgets;
    std::unique_ptr<GuestAddresses> addresses;  // null if rnic->addresses is
    GuestQps qps;
    vrdma_doorbell_area* area = nullptr;  // guest-controlled
    PortEvents events;
    PortWorker worker;
    const Standstill::Member standstill;
    std::weak_ptr<XrcContext> xrc;  // gone when the guest has no domain of XRC
};

}  // namespace vrdma::uverbs
