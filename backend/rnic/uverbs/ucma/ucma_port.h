// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <spdlog/logger.h>

#include <algorithm>
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
#include "rnic/uverbs/events/standstill.h"
#include "rnic/uverbs/kernel/rdma_cm.h"
#include "rnic/uverbs/ucma/guest_qps.h"
#include "rnic/uverbs/ucma/ready_watch.h"
#include "rnic/uverbs/ucma/ucma_id.h"
#include "state/files.h"

namespace vrdma::uverbs {

// The state that the files of one guest share: its ids, with their addresses.  One thread at a
// time, as with the verbs.
class UcmaPort {
  public:
    static constexpr size_t kMaxGroups = 8192;
    static constexpr uint32_t kMaxBacklog = 1024;

    // What the port is a part of.
    struct Place {
        std::string guest;
        GuestAddresses& addresses;
        const GuestQps& qps;
        const Standstill& standstill;
        rnic::EventSink& sink;
    };
    // What `place` refers to outlives the object, which outlives its files.
    UcmaPort(Place place, OpenRdmaCm open, std::shared_ptr<spdlog::logger> logger);

    Result<std::unique_ptr<rnic::UcmaFile>> open(const rnic::UcmaFileInit& init);
    // The file that UcmaFile::save() wrote, with its ids.  EINVAL for what no file has.
    Result<std::unique_ptr<rnic::UcmaFile>> restore(const rnic::UcmaFileInit& init,
                                                    const state::UverbsUcmaFile& saved,
                                                    state::ReceivedFiles& files);

    GuestAddresses& addresses() { return place_.addresses; }
    const std::string& guest() const { return place_.guest; }
    bool stands_still() const { return place_.standstill.lasts(); }
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
    const std::unordered_map<uint32_t, UcmaId>& ids() const { return ids_; }

    // The subject of the events with one key.  Two of the guest's uids may be alike, so the kernel
    // gets keys of the daemon's in their place.
    struct Subject {
        uint32_t id = 0;
        std::optional<uint64_t> multicast;  // the guest's uid of a group
    };
    uint64_t new_key(Subject subject);
    uint64_t next_key() const { return next_key_; }
    // Whether a saved key can be used: it was given before the next one, and is nobody's yet; 0
    // always can.
    bool is_free(uint64_t key) const {
        return key == 0 || (key < next_key_ && !subjects_.contains(key));
    }
    // Keys begin here.  The kernel may still report events with those before.
    void go_on_with_keys(uint64_t next) { next_key_ = std::max(next_key_, next); }
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
        rnic::Gid gid{};
        GroupLeases::Lease lease;
    };
    Result<void> check_room_for_group() const;
    void insert_group(uint32_t group, Group what) {
        groups_.erase(group);
        groups_.emplace(group, std::move(what));
    }
    const Group* find_group(uint32_t group) const;
    const std::unordered_map<uint32_t, Group>& groups() const { return groups_; }
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
    Result<void> start_watch();

    const Place place_;
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
