// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <spdlog/logger.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "rate_limited_log.h"
#include "rnic/port_budgets.h"
#include "rnic/rnic.h"
#include "rnic/ucma.h"
#include "rnic/uverbs/addressing/group_leases.h"
#include "rnic/uverbs/addressing/guest_addresses.h"
#include "rnic/uverbs/kernel/rdma_cm.h"
#include "rnic/uverbs/ucma/guest_qps.h"
#include "rnic/uverbs/ucma/ready_watch.h"
#include "rnic/uverbs/ucma/ucma_id.h"

namespace vrdma::uverbs {

// The state that the files of one guest share: its ids, with their addresses.  One thread at a
// time, as with the verbs.
class UcmaPort {
  public:
    static constexpr size_t kMaxGroups = 8192;
    static constexpr uint32_t kMaxBacklog = 1024;

    // `addresses`, `qps` and `sink` outlive the object, which outlives its files.
    UcmaPort(std::string guest, GuestAddresses& addresses, const GuestQps& qps,
             rnic::EventSink& sink, OpenRdmaCm open, std::shared_ptr<spdlog::logger> logger);

    Result<std::unique_ptr<rnic::UcmaFile>> open(const rnic::UcmaFileInit& init);

    GuestAddresses& addresses() { return addresses_; }
    const std::string& guest() const { return guest_; }
    RateLimitedLog& log() { return log_; }
    ReadyWatch& watch() { return *watch_; }

    // What the guest has is charged to connections (ids), connection_backlog and
    // connection_events.  Called before any file is opened.
    void set_budgets(const rnic::PortBudgets& budgets) { budgets_ = budgets; }
    const rnic::PortBudgets& budgets() const { return budgets_; }
    UcmaId& insert(uint32_t id, UcmaId what);
    UcmaId* find(uint32_t id);
    // ENOENT when there is no such id, EINVAL when it belongs to another file.
    Result<UcmaId*> find(const UcmaFile& file, uint32_t id);
    void erase(uint32_t id);
    void erase_all(const UcmaFile& file);

    // The subject of the events with one key.  Two of the guest's uids may be alike, so the kernel
    // gets keys of the daemon's in their place.
    struct Subject {
        uint32_t id = 0;
        std::optional<uint64_t> multicast;  // the guest's uid of a group
    };
    uint64_t new_key(Subject subject);
    const Subject* subject(uint64_t key) const;
    void set_subject(uint64_t key, Subject subject) {
        if (key != 0) {
            subjects_[key] = subject;
        }
    }
    void forget_key(uint64_t key) { subjects_.erase(key); }

    // A multicast group that an id has joined.  Groups have ids of the kernel's.
    struct Group {
        uint32_t id = 0;  // the id that has joined
        uint64_t key = 0;
        GroupLeases::Lease lease;
    };
    Result<void> check_room_for_group() const;
    void insert_group(uint32_t group, Group what) {
        groups_.erase(group);
        groups_.emplace(group, std::move(what));
    }
    const Group* find_group(uint32_t group) const;
    void erase_group(uint32_t group);

    // EINVAL unless the guest has such a queue pair, and it is of the datagram service just if the
    // id is.
    Result<void> check_qp(const UcmaId& id, uint32_t qp_num) const;

    // Moves the listeners to where the guest's addresses are now.
    void follow_addresses();

    // The places of an id that is bound to `local`, as listen_places().  EADDRNOTAVAIL when there
    // is none.
    Result<std::vector<ListenPlace>> places_for(const SocketAddress& local, bool ipv6_only);
    // EACCES, with a line in the log, for a port that is the host's to give (is_hosts_port()).
    Result<void> check_port(const ListenPlace& place, uint16_t port);

    // An underlay GID as a socket address, for the kernel.
    SocketAddress in_underlay(const rnic::Gid& underlay, uint16_t port) const;

  private:
    const std::string guest_;
    GuestAddresses& addresses_;
    const GuestQps& qps_;
    rnic::EventSink& sink_;
    const OpenRdmaCm open_;
    RateLimitedLog log_;
    rnic::PortBudgets budgets_;

    std::unordered_map<uint32_t, UcmaId> ids_;
    std::unordered_map<uint64_t, Subject> subjects_;
    std::unordered_map<uint32_t, Group> groups_;
    uint64_t next_key_ = 1;
    std::unique_ptr<ReadyWatch> watch_;  // from the first file on
};

}  // namespace vrdma::uverbs
