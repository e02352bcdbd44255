// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// An RNIC of the host's, through the uverbs files of its kernel driver.
#pragma once

#include <spdlog/logger.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>

#include "rnic/rnic.h"
#include "rnic/uverbs/addressing/address_rules.h"
#include "rnic/uverbs/addressing/host_gid_table.h"
#include "rnic/uverbs/cm_writer/cm_writer.h"
#include "rnic/uverbs/events/rnic_monitor.h"
#include "rnic/uverbs/kernel/host_rnic.h"
#include "rnic/uverbs/kernel/netdev_ipv6.h"
#include "rnic/uverbs/kernel/rdma_cm.h"
#include "rnic/uverbs/kernel/uverbs.h"

namespace vrdma::uverbs {

struct UverbsConfig {
    uint32_t port = 1;  // the host RNIC's
    // A guest's worker without work keeps looking for so long before it sleeps.
    std::chrono::microseconds spin{50};
    AddressRules addresses;
    bool announces = false;  // addresses may be announced for guests that are admitted later
    // The name of a driver whose RNIC guests are given although its entry has an obstacle.
    std::string accepted_obstacle = {};
    // Whoever gets the uverbs files from this process can issue verbs by them.
    bool files_travel = true;
    // Opens the files of the connection manager's, which so travel as well; null: this process.
    std::shared_ptr<const CmWriter> cm_writer = nullptr;
};

// Makes the RNIC that guests share.  Throws HostRnicError when guests cannot be given this RNIC;
// what() says why, and what would be needed.
std::unique_ptr<rnic::Rnic> make_uverbs_rnic(const UverbsConfig& config, const HostRnic& host,
                                             std::shared_ptr<spdlog::logger> logger);

// The means by which make_uverbs_rnic() reaches the host.
struct HostAccess {
    std::unique_ptr<UverbsDevice> device;
    std::unique_ptr<RemovalSource> removal;
    std::filesystem::path sysfs = "/sys";
    // Opens the connection manager; none without one.
    OpenRdmaCm open_rdma_cm = nullptr;
    // Opens it for guests, whose files so travel; null when there is none.
    std::shared_ptr<const CmWriter> cm_writer = nullptr;
    // Reads which addresses the connections of an iWARP RNIC can have.
    HostGidTable::Read addresses = nullptr;
    // The RNIC's netdev, for the addresses that are announced; null when none are.
    std::unique_ptr<NetdevIpv6> netdev = nullptr;
};

// As above, with other means; for tests.
std::unique_ptr<rnic::Rnic> make_uverbs_rnic(const UverbsConfig& config, const HostRnic& host,
                                             HostAccess access,
                                             std::shared_ptr<spdlog::logger> logger);

}  // namespace vrdma::uverbs
