// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <rdma/rdma_user_cm.h>
#include <spdlog/logger.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "file_descriptor.h"
#include "rate_limited_log.h"
#include "rnic/iw_cm.h"
#include "rnic/port_budgets.h"
#include "rnic/uverbs/addressing/guest_addresses.h"
#include "rnic/uverbs/addressing/listen_places.h"
#include "rnic/uverbs/iw_cm/connect_threads.h"
#include "rnic/uverbs/iw_cm/iw_cm_id.h"
#include "rnic/uverbs/iw_cm/iw_cm_queue.h"

namespace vrdma::uverbs {

// One guest's connections, through the kernel's connection manager.  A thread of its own reads the
// manager's events: their commands may take long, and the port worker's doorbells must not wait.
class IwCmPort final : public rnic::IwCm {
  public:
    // The limits of a guest at any one time.
    static constexpr size_t kMaxRequests = IwCmQueue::kMaxRequests;
    static constexpr uint32_t kMaxBacklog = 128;

    // `addresses` and `sink` outlive the object.  Throws std::system_error when the kernel has no
    // thread or descriptor left.
    IwCmPort(std::string guest, GuestAddresses& addresses, rnic::EventSink& sink,
             std::unique_ptr<RdmaCmFile> file, std::shared_ptr<spdlog::logger> logger);
    ~IwCmPort() override;

    Result<void> connect(uint32_t id, const rnic::QueuePair& qp, const rnic::Endpoint& local,
                         const rnic::Endpoint& remote, rnic::IwCmParameters parameters) override;
    Result<void> listen(uint32_t id, const rnic::Endpoint& local, uint32_t backlog,
                        bool ipv6_only) override;
    Result<void> accept(uint32_t request, uint32_t id, const rnic::QueuePair& qp,
                        const rnic::IwCmParameters& parameters) override;
    Result<void> reject(uint32_t request, const std::vector<std::byte>& private_data) override;
    void close(uint32_t id) override;
    std::optional<rnic::IwCmEvent> next_event() override;

    // What the guest has is charged to connections (connections and listeners, until their last
    // event is taken), connection_backlog and connection_events.  Called before any verb.
    void set_budgets(const rnic::PortBudgets& budgets);

    // Moves the listeners to where the guest's addresses are now.
    void follow_addresses();

  private:
    struct Connection {
        Charge charge;
        uint64_t uid = 0;
        std::shared_ptr<IwCmId> cm_id;  // shared with the thread that connects
        uint32_t qp_num = 0;
        rnic::IwCmParameters parameters;                 // until it connects
        std::shared_ptr<ConnectionNames::Entry> asking;  // tells the other end the names
        enum class State { kConnecting, kAccepting, kEstablished } state{};
    };
    // The kernel's listener at one of the places where a guest's listens.
    struct KernelListener {
        rnic::Gid underlay{};
        uint64_t uid = 0;
        Charge backlog;
        std::unique_ptr<IwCmId> cm_id;
    };
    struct Listener {
        Charge charge;
        rnic::Endpoint local;  // as the guest asked for it
        bool ipv6_only = false;
        uint32_t backlog = 0;
        std::vector<KernelListener> places;
    };
    // The subject of the events with one uid.
    struct Subject {
        uint32_t id = 0;
        bool listener = false;
        rnic::Endpoint local;  // the listener's, as the guest knows it
    };
    std::vector<ListenPlace> places_of(const Listener& listener);
    Result<void> check_port(const ListenPlace& place, uint16_t port);
    Result<KernelListener> listen_at(const ListenPlace& place, const Listener& listener);
    Result<void> listen_at_all(uint32_t id, Listener& listener,
                               const std::vector<ListenPlace>& places);
    void name_places(uint32_t id, const Listener& listener, const std::vector<ListenPlace>& places);
    bool name_remote(rnic::IwCmEvent& request);
    // EEXIST for an id in use, EDQUOT when the guest may have no more, or has too many events to
    // take.
    Result<Charge> charge_id(uint32_t id);
    uint32_t link_of(const rnic::Gid& underlay) const;

    void run();
    // The functions that follow are called with mutex_ held.
    void handle(const rdma_ucm_event_resp& event);
    void requested(const rdma_ucm_event_resp& event);
    void proceed(uint32_t id, Connection& connection, const rdma_ucm_event_resp& event);
    void begin_connect(uint32_t id, Connection& connection);
    void connect_failed(uint32_t id, Errno error);
    Charge forget_connection(uint32_t id);  // its charge goes with the last event

    const std::string guest_;
    GuestAddresses& addresses_;  // only the verbs' thread uses it
    const std::shared_ptr<RdmaCmFile> file_;
    RateLimitedLog log_;  // only the verbs' thread uses it
    rnic::PortBudgets budgets_;
    FileDescriptor stop_;

    std::mutex mutex_;  // guards the members that follow, up to the threads
    std::unordered_map<uint64_t, Subject> subjects_;
    std::unordered_map<uint32_t, Connection> connections_;
    std::unordered_map<uint32_t, Listener> listeners_;
    IwCmQueue queue_;
    uint64_t next_uid_ = 1;

    ConnectThreads connect_threads_;
    std::thread thread_;  // last: it uses all of the above
};

}  // namespace vrdma::uverbs
