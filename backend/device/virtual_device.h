// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <vrdma_protocol.h>

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "device/command_dispatcher.h"
#include "device/command_rate.h"
#include "device/control_thread.h"
#include "device/events/event_delivery.h"
#include "device/events/event_thread.h"
#include "device/object_kinds.h"
#include "device/objects/guest_budgets.h"
#include "device/session.h"
#include "device/shm/vmm_shm.h"
#include "device/verbs/object_listing.h"
#include "rate_limited_log.h"
#include "rnic/rnic.h"
#include "vhost/device.h"

namespace vrdma::device {

// What happens to a device, for whoever watches it.  kEmptied: the guest has given back the last
// object that it had, by a command; after the others, but kConnected, it has none either.
enum class Notice { kConnected, kDisconnected, kReset, kRnicRemoved, kEmptied };

// One guest's vrdma device: joins a vhost-user connection to an RNIC.
class VirtualDevice : public vhost::Device {
  public:
    struct Options {
        std::string guest;       // named in logs
        rnic::MacAddress mac{};  // of the netdev to pair with
        Limits limits;           // at first, see set_limits()
        // Raised at each limit that the guest reaches; null for none.
        std::shared_ptr<LimitSignal> limit_signal{};
        // Hears of each notice, by the thread that it happens on, and waits for nobody.
        std::function<void(Notice)> notify = [](Notice) {};
    };

    // One limit, as it is now.
    struct LimitStatus {
        const char* key = nullptr;
        uint64_t limit = 0;
        std::optional<uint64_t> used;     // of an amount
        std::optional<uint64_t> reached;  // how often, since the daemon started
    };

    struct Status {
        bool connected = false;
        ObjectCounts objects;
        uint64_t shm_size = 0;               // bytes
        uint64_t shm_used = 0;               // bytes
        uint64_t commands = 0;               // executed since the daemon started
        uint64_t memory_page_size = 0;       // bytes, of the guest's RAM; 0 without a VMM
        const char* memory_limit = nullptr;  // what such RAM prevents; null for nothing
        std::vector<LimitStatus> limits{};
        std::vector<VerbFigures::Verb> verbs{};  // since the daemon started
        std::optional<rnic::Counters> counters;  // since the device was reset, if the RNIC counts
        std::optional<rnic::PortActivity> activity{};  // likewise
    };

    // `rnic` outlives the device.  Throws std::system_error when the kernel has no
    // thread or descriptor left.
    VirtualDevice(Options options, rnic::Rnic& rnic, const std::shared_ptr<spdlog::logger>& logger);
    ~VirtualDevice() override;

    Status status();

    // The guest's objects; nothing while a verb runs, which may be waiting for the VMM.  Waits for
    // no guest; any thread.
    std::optional<std::vector<ListedKind>> objects();

    // Whether a VMM is connected.  Any thread.
    bool has_vmm() const { return connected_.load(std::memory_order_relaxed); }

    // The limits part of the status, by itself.  Waits for nobody; any thread.
    std::vector<LimitStatus> limit_states();

    // The limits as they were set last.  Any thread.
    Limits limits();

    // What the VMM's memory is charged to; belongs to the device.
    vhost::MemoryBudgets memory_budgets() { return budgets_.of_vmm(); }

    // Changes the limits, soon.  What the guest has beyond a new limit stays.  Waits for nobody;
    // any thread.
    void set_limits(const Limits& limits);

    // vhost::Device; the connection's thread.
    uint64_t features() const override;
    uint16_t queue_count() const override;
    Result<void> read_config(uint32_t offset, std::span<std::byte> out) override;
    Result<void> write_config(uint32_t offset, std::span<const std::byte> in) override;
    void connected() override;
    void disconnected() override;
    void features_negotiated(uint64_t features) override;
    void memory_changed(std::shared_ptr<const memory::GuestMemory> memory) override;
    void start_queue(uint16_t index, vhost::Virtqueue& queue) override;
    void stop_queue(uint16_t index) override;
    void reset() override;
    void backend_requests_ready(std::shared_ptr<vhost::BackendRequests> channel) override;
    Result<void> save(state::Device& state, state::FilesToSend& files) override;
    Result<void> restore(const state::Device& state, state::ReceivedFiles& files,
                         std::shared_ptr<const memory::GuestMemory> memory) override;

  private:
    void open_session();
    Result<std::unique_ptr<Session>> make_session(DoorbellArea doorbells);
    Result<void> restore_session(const state::Device& state, state::ReceivedFiles& files);
    void close_session();
    bool rnic_is_lost();
    void handle_lost_rnic();
    template <typename Change>
    void change_session(Change change);
    void set_doorbell_queue(vhost::Virtqueue* queue);
    bool serve_control_queue(vhost::Virtqueue& queue);
    bool execute_command(vhost::Virtqueue& queue, vhost::DescriptorChain chain);
    void apply_limits();
    void limit_traffic(rnic::Port& port);
    void tell_memory_limit(const memory::GuestMemory& memory);
    void refresh_counters();
    std::shared_ptr<const memory::GuestMemory> memory();

    const Options options_;
    rnic::Rnic& rnic_;
    rnic::DeviceAttributes attributes_;             // const but for restore()
    const std::shared_ptr<spdlog::logger> logger_;  // limits the rate of lines
    RateLimitedLog resets_log_;                     // the connection's thread only
    EventDelivery events_;
    VmmShm shm_;
    GuestBudgets budgets_;          // before all that is charged to them
    CommandDispatcher dispatcher_;  // the control thread only, but for figures()
    CommandRate command_rate_;      // the control thread only, but for times_reached()
    std::atomic<bool> connected_ = false;
    std::atomic<bool> ready_ = false;  // there is a session with an RNIC
    std::atomic<bool> control_stopping_ = false;
    std::atomic<uint64_t> commands_ = 0;

    std::atomic<uint64_t> memory_page_size_ = 0;

    std::mutex memory_mutex_;  // guards memory_
    std::shared_ptr<const memory::GuestMemory> memory_;

    std::mutex limits_mutex_;  // guards limits_
    Limits limits_;

    std::mutex counters_mutex_;  // guards the two that follow
    std::optional<rnic::Counters> counters_;
    std::optional<rnic::PortActivity> activity_;

    // Held while a command runs.  Guards session_ and doorbell_queue_.
    std::mutex session_mutex_;
    std::unique_ptr<Session> session_;
    vhost::Virtqueue* doorbell_queue_ = nullptr;

    // The virtqueues that run, by index; the connection's thread only.
    std::array<vhost::Virtqueue*, VRDMA_VQ_COMPLETION + VRDMA_MAX_COMP_VECTORS> queues_{};

    FileDescriptor lost_fd_;    // an eventfd: an RNIC is gone, or the host has changed
    FileDescriptor limits_fd_;  // an eventfd: limits_ has changed
    // The last members, as their threads use all others.
    EventThread event_thread_;
    ControlThread control_;
};

}  // namespace vrdma::device
