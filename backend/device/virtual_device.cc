// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "device/virtual_device.h"

#include <sys/eventfd.h>
#include <vrdma_check.h>

#include <algorithm>
#include <exception>
#include <random>
#include <string_view>
#include <system_error>

#include "device/features.h"
#include "memory/page_size.h"
#include "rate_limited_logger.h"

namespace vrdma::device {
namespace {

// The EUI-64 of a MAC address (RFC 4291, appendix A); without one, a random
// locally administered GUID that stays the same for the daemon's life.
uint64_t node_guid(const rnic::MacAddress& mac) {
    if (std::ranges::all_of(mac, [](uint8_t byte) { return byte == 0; })) {
        std::random_device random;
        return (uint64_t{random()} << 32 | random()) | uint64_t{2} << 56;
    }
    const std::array<uint8_t, 8> bytes{
        static_cast<uint8_t>(mac[0] ^ 2), mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]};
    uint64_t guid = 0;
    for (const uint8_t byte : bytes) {
        guid = guid << 8 | byte;
    }
    return guid;
}

rnic::DeviceAttributes attributes_of(const rnic::Rnic& rnic, const rnic::MacAddress& mac) {
    rnic::DeviceAttributes attributes = rnic.attributes();
    attributes.node_guid = node_guid(mac);
    attributes.sys_image_guid = attributes.node_guid;
    return attributes;
}

// Commands that the control thread executes before it looks at what else there is to do.
constexpr unsigned kCommandsPerTurn = 64;

}  // namespace

VirtualDevice::VirtualDevice(Options options, rnic::Rnic& rnic,
                             const std::shared_ptr<spdlog::logger>& logger)
    : options_(std::move(options)),
      rnic_(rnic),
      attributes_(attributes_of(rnic, options_.mac)),
      logger_(rate_limited(*logger, options_.guest)),
      resets_log_(logger_),
      events_(options_.guest, logger_),
      shm_(options_.guest, logger_),
      budgets_(options_.guest, options_.limits, attributes_, logger_, options_.limit_signal),
      dispatcher_(options_.guest, logger_),
      command_rate_(options_.limit_signal),
      limits_(options_.limits),
      lost_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      limits_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      event_thread_(events_) {
    if (!lost_fd_ || !limits_fd_) {
        throw std::system_error(errno, std::generic_category(), "virtual device");
    }
    command_rate_.set(limits_.commands_per_second, limits_.command_burst);
    control_.watch(limits_fd_.get(), [this] {
        apply_limits();
        return false;
    });
    control_.watch(lost_fd_.get(), [this] {
        handle_lost_rnic();
        return false;
    });
}

VirtualDevice::~VirtualDevice() {
    close_session();
}

VirtualDevice::Status VirtualDevice::status() {
    Status status{.connected = connected_.load(std::memory_order_relaxed),
                  .objects = budgets_.counts(),
                  .shm_size = shm_.size(),
                  .shm_used = shm_.used(),
                  .commands = commands_.load(std::memory_order_relaxed),
                  .memory_page_size = memory_page_size_.load(std::memory_order_relaxed),
                  .limits = limit_states(),
                  .verbs = dispatcher_.figures().called(),
                  .counters = {}};
    if (status.memory_page_size > memory::system_page_size()) {
        status.memory_limit = attributes_.huge_page_limit;
    }
    refresh_counters();
    const std::lock_guard lock(counters_mutex_);
    status.counters = counters_;
    status.activity = activity_;
    return status;
}

std::optional<std::vector<ListedKind>> VirtualDevice::objects() {
    const std::unique_lock session(session_mutex_, std::try_to_lock);
    if (!session) {
        return std::nullopt;
    }
    if (session_ == nullptr || session_->verbs == nullptr) {
        return std::vector<ListedKind>();
    }
    return list_objects(session_->verbs->objects());
}

std::vector<VirtualDevice::LimitStatus> VirtualDevice::limit_states() {
    std::vector<LimitStatus> states;
    for (const Budget* budget : budgets_.all()) {
        states.push_back({.key = budget->key(),
                          .limit = budget->limit(),
                          .used = budget->used(),
                          .reached = budget->times_reached()});
    }
    const Limits limits = this->limits();
#define VRDMA_RATE(field, ...) \
    states.push_back({.key = #field, .limit = limits.field, .used = {}, .reached = {}});
    VRDMA_RATES(VRDMA_RATE)
#undef VRDMA_RATE
    const auto reached = [&](std::string_view rate, uint64_t times) {
        std::ranges::find(states, rate, &LimitStatus::key)->reached = times;
    };
    reached("commands_per_second", command_rate_.times_reached());
    reached("messages_per_second", budgets_.traffic.messages_per_second.times());
    reached("bytes_per_second", budgets_.traffic.bytes_per_second.times());
    return states;
}

Limits VirtualDevice::limits() {
    const std::lock_guard lock(limits_mutex_);
    return limits_;
}

void VirtualDevice::set_limits(const Limits& limits) {
    budgets_.set_limits(limits);
    {
        const std::lock_guard lock(limits_mutex_);
        limits_ = limits;
    }
    // The rest is up to the control thread: a command of the guest may be waiting for the VMM, and
    // whoever changes the limits shall not.
    ::eventfd_write(limits_fd_.get(), 1);
}

// Runs on the control thread.
void VirtualDevice::apply_limits() {
    eventfd_t ignored;
    ::eventfd_read(limits_fd_.get(), &ignored);
    const Limits limits = this->limits();
    command_rate_.set(limits.commands_per_second, limits.command_burst);
    command_rate_.wake();  // for a command that waits
    const std::lock_guard lock(session_mutex_);
    if (session_ != nullptr && session_->port != nullptr) {
        limit_traffic(*session_->port);
    }
}

void VirtualDevice::limit_traffic(rnic::Port& port) {
    const rnic::TrafficLimits wanted = traffic_limits(limits());
    const auto set = port.set_traffic_limits(wanted);
    // An RNIC that cannot limit anybody is told nothing that differs from the defaults.
    if (!set && wanted != rnic::TrafficLimits{}) {
        logger_->error("{}: {} does not take the limits of the guest's traffic: {}; leave them out",
                       options_.guest, rnic_.name(), to_string(set.error()));
    }
}

// The counters stay as they were while a command runs: it may be waiting for the VMM.
void VirtualDevice::refresh_counters() {
    const std::unique_lock session(session_mutex_, std::try_to_lock);
    if (!session) {
        return;
    }
    std::optional<rnic::Counters> counters;
    std::optional<rnic::PortActivity> activity;
    if (session_ != nullptr && session_->port != nullptr) {
        if (attributes_.has_counters) {
            if (const auto found = session_->port->query_counters()) {
                counters = *found;
            }
        }
        activity = session_->port->query_activity();
    }
    const std::lock_guard lock(counters_mutex_);
    counters_ = counters;
    activity_ = std::move(activity);
}

uint64_t VirtualDevice::features() const {
    return features_of(attributes_);
}

uint16_t VirtualDevice::queue_count() const {
    return static_cast<uint16_t>(queues_.size());
}

Result<void> VirtualDevice::read_config(uint32_t offset, std::span<std::byte> out) {
    vrdma_config config{};
    config.protocol_version = htole32(VRDMA_PROTOCOL_VERSION);
    config.driver_id = htole32(attributes_.driver_id);
    config.uverbs_abi_version = htole32(attributes_.uverbs_abi_version);
    config.port_count = htole32(1);
    config.node_guid = htobe64(attributes_.node_guid);
    std::ranges::copy(options_.mac, std::begin(config.mac));
    config.num_comp_vectors = htole16(VRDMA_MAX_COMP_VECTORS);
    config.shm_size = htole64(shm_.size());
    config.max_qp = htole32(handle_bound(object_kind::queue_pairs, attributes_));
    config.max_cq = htole32(handle_bound(object_kind::completion_queues, attributes_));
    config.max_mr_runs = htole32(static_cast<uint32_t>(limits().mr_runs));
    config.max_udata = htole32(kMaxUdata);
    // FAILED is the VMM's: a queue that is given up signals its error eventfd.
    config.status = htole32(ready_.load(std::memory_order_relaxed) ? VRDMA_STATUS_READY : 0);
    if (offset > sizeof(config) || out.size() > sizeof(config) - offset) {
        return fail(EINVAL);
    }
    std::memcpy(out.data(), reinterpret_cast<const std::byte*>(&config) + offset, out.size());
    return {};
}

Result<void> VirtualDevice::write_config(uint32_t offset, std::span<const std::byte> in) {
    // The VMM may set shm_size and no other field.
    uint64_t shm_size;
    if (offset != offsetof(vrdma_config, shm_size) || in.size() != sizeof(shm_size)) {
        return fail(EINVAL);
    }
    std::memcpy(&shm_size, in.data(), sizeof(shm_size));
    return shm_.set_size(le64toh(shm_size));
}

void VirtualDevice::connected() {
    logger_->info("{}: the VMM has connected", options_.guest);
    connected_.store(true, std::memory_order_relaxed);
    options_.notify(Notice::kConnected);
    open_session();
}

void VirtualDevice::disconnected() {
    close_session();
    events_.clear();
    shm_.set_channel(nullptr);
    shm_.clear();
    memory_changed(nullptr);
    connected_.store(false, std::memory_order_relaxed);
    options_.notify(Notice::kDisconnected);
    logger_->info("{}: the VMM has disconnected, all that the guest held is free", options_.guest);
}

void VirtualDevice::reset() {
    close_session();
    events_.clear();
    shm_.clear();
    open_session();
    options_.notify(Notice::kReset);
    resets_log_.info("{}: the guest has reset the device", options_.guest);
}

void VirtualDevice::open_session() {
    const std::lock_guard lock(session_mutex_);
    try {
        if (auto session = make_session(DoorbellArea())) {
            session_ = std::move(*session);
            session_->port->set_doorbells(
                session_->doorbells.area(),
                doorbell_queue_ == nullptr ? -1 : doorbell_queue_->kick_fd());
            ready_.store(true, std::memory_order_relaxed);
        }
    } catch (const std::exception& error) {
        logger_->error("{}: the device cannot be set up: {}; the guest's verbs get {}",
                       options_.guest, error.what(), to_string(Errno{ENODEV}));
        // The session that there is not may have heard of a loss.
        shm_.resume(VmmShm::Cancel::kRnicIsLost);
    }
}

// A session whose port has no doorbells yet.
Result<std::unique_ptr<Session>> VirtualDevice::make_session(DoorbellArea doorbells) {
    auto session = std::make_unique<Session>(events_, shm_, lost_fd_.get(), std::move(doorbells));
    auto port = rnic_.open_port(options_.guest, session->events);
    if (!port) {
        logger_->error("{}: {} gives no port: {}; the guest's verbs get {}", options_.guest,
                       rnic_.name(), to_string(port.error()), to_string(Errno{ENODEV}));
        return fail(port.error());
    }
    session->port = std::move(*port);
    session->port->set_memory(memory());
    session->port->set_budgets(budgets_.of_port());
    limit_traffic(*session->port);
    session->verbs = std::make_unique<Verbs>(
        Verbs::Options{.budgets = budgets_,
                       .attributes = attributes_,
                       .udata_pointers = rnic_.udata_pointers()},
        *session->port, shm_, DoorbellMemory{session->doorbells.fd(), session->doorbells.length()},
        [this] { return memory(); });
    return session;
}

void VirtualDevice::close_session() {
    const std::lock_guard lock(session_mutex_);
    session_.reset();
    // Nobody reports a loss to the session any more.
    shm_.resume(VmmShm::Cancel::kRnicIsLost);
    ready_.store(false, std::memory_order_relaxed);
}

bool VirtualDevice::rnic_is_lost() {
    const std::lock_guard lock(session_mutex_);
    return session_ != nullptr && session_->port != nullptr && session_->events.rnic_lost();
}

// Runs on the control thread, so that no command runs meanwhile and the RNIC's thread, which
// reported the loss, goes on.  Mappings in the shared memory region hold the RNIC's files as much
// as the daemon's descriptors do, so they go too.
void VirtualDevice::handle_lost_rnic() {
    const std::lock_guard lock(session_mutex_);
    if (session_ == nullptr || session_->port == nullptr) {
        return;
    }
    if (!session_->events.rnic_lost()) {
        session_->port->host_changed();
        return;
    }
    session_->let_go_of_rnic();
    shm_.withdraw_maps();
    shm_.resume(VmmShm::Cancel::kRnicIsLost);
    ready_.store(false, std::memory_order_relaxed);
    options_.notify(Notice::kRnicRemoved);
    logger_->error("{}: {} is gone, and with it all that the guest held; its verbs get {}",
                   options_.guest, rnic_.name(), to_string(Errno{ENODEV}));
    events_.async_event(rnic::AsyncEventType::kDeviceFatal, 0);
}

void VirtualDevice::features_negotiated(uint64_t features) {
    logger_->debug("{}: features {:#x}", options_.guest, features);
}

// Calls `change` under the lock of the session.  Runs on the connection's thread.
template <typename Change>
void VirtualDevice::change_session(Change change) {
    vhost::Virtqueue* control = queues_[VRDMA_VQ_CONTROL];
    // A command may be waiting for a reply that this thread is to bring.  The command gives up
    // and starts over afterwards.
    if (control != nullptr) {
        shm_.cancel(VmmShm::Cancel::kSessionChanges);
    }
    {
        const std::lock_guard lock(session_mutex_);
        change();
    }
    if (control != nullptr) {
        shm_.resume(VmmShm::Cancel::kSessionChanges);
        control_.call(control->kick_fd());
    }
}

// Says once for each VMM what its choice of memory prevents, before a verb fails for it.
void VirtualDevice::tell_memory_limit(const memory::GuestMemory& memory) {
    const uint64_t page_size = memory.largest_page_size();
    const uint64_t before = memory_page_size_.exchange(page_size, std::memory_order_relaxed);
    if (attributes_.huge_page_limit == nullptr || page_size <= memory::system_page_size() ||
        before == page_size) {
        return;
    }
    logger_->warn(
        "{}: its RAM is on hugetlbfs, in pages of {} KiB: on {}, {}, and the verb gets {}; give "
        "the virtual machine memory-backend-memfd without hugetlb=on, or let its programs "
        "register huge pages",
        options_.guest, page_size / 1024, rnic_.name(), attributes_.huge_page_limit,
        to_string(Errno{EOPNOTSUPP}));
}

void VirtualDevice::memory_changed(std::shared_ptr<const memory::GuestMemory> memory) {
    tell_memory_limit(memory == nullptr ? memory::GuestMemory() : *memory);
    {
        const std::lock_guard lock(memory_mutex_);
        memory_ = memory;
    }
    if (!attributes_.kernel_verbs) {
        return;
    }
    change_session([this, &memory] {
        if (session_ != nullptr && session_->port != nullptr) {
            session_->port->set_memory(std::move(memory));
        }
    });
}

std::shared_ptr<const memory::GuestMemory> VirtualDevice::memory() {
    const std::lock_guard lock(memory_mutex_);
    return memory_;
}

void VirtualDevice::backend_requests_ready(std::shared_ptr<vhost::BackendRequests> channel) {
    shm_.set_channel(std::move(channel));
}

void VirtualDevice::start_queue(uint16_t index, vhost::Virtqueue& queue) {
    queues_[index] = &queue;
    switch (index) {
        case VRDMA_VQ_CONTROL:
            control_stopping_.store(false, std::memory_order_relaxed);
            shm_.resume(VmmShm::Cancel::kQueueStops);
            control_.watch(queue.kick_fd(), [this, &queue] { return serve_control_queue(queue); });
            control_.watch(command_rate_.timer_fd(), [this, &queue] {
                command_rate_.clear_timer();
                return serve_control_queue(queue);
            });
            return;
        case VRDMA_VQ_DOORBELL:
            set_doorbell_queue(&queue);
            return;
        default:
            event_thread_.start_queue(index, queue);
    }
}

void VirtualDevice::stop_queue(uint16_t index) {
    vhost::Virtqueue& queue = *queues_[index];
    switch (index) {
        case VRDMA_VQ_CONTROL:
            // The order matters: the command that runs must stop waiting for the VMM before
            // this thread, for which the VMM waits, waits for the command.
            control_stopping_.store(true, std::memory_order_relaxed);
            shm_.cancel(VmmShm::Cancel::kQueueStops);
            control_.unwatch(queue.kick_fd());
            control_.unwatch(command_rate_.timer_fd());
            break;
        case VRDMA_VQ_DOORBELL:
            set_doorbell_queue(nullptr);
            break;
        default:
            event_thread_.stop_queue(index, queue);
    }
    queues_[index] = nullptr;
}

void VirtualDevice::set_doorbell_queue(vhost::Virtqueue* queue) {
    change_session([this, queue] {
        doorbell_queue_ = queue;
        if (session_ != nullptr && session_->port != nullptr) {
            session_->port->set_doorbells(session_->doorbells.area(),
                                          queue == nullptr ? -1 : queue->kick_fd());
        }
    });
}

// Returns true when there may be more to do, after the control thread has looked at the rest.
bool VirtualDevice::serve_control_queue(vhost::Virtqueue& queue) {
    queue.disable_notifications();
    for (unsigned count = 0; count < kCommandsPerTurn; ++count) {
        if (control_stopping_.load(std::memory_order_relaxed)) {
            return false;
        }
        // Nobody but the guest decides how many commands come, and the host's RNIC cannot be
        // removed before the guest's objects are gone.
        if (rnic_is_lost()) {
            handle_lost_rnic();
        }
        auto popped = queue.pop();
        if (!popped) {
            return false;
        }
        if (!*popped) {
            if (!queue.enable_notifications()) {
                return false;
            }
            queue.disable_notifications();
            continue;
        }
        vhost::DescriptorChain chain = std::move(**popped);
        if (!command_rate_.admits()) {
            queue.unpop(std::move(chain));
            return false;  // without notifications: the timer is the next to come
        }
        if (!execute_command(queue, std::move(chain))) {
            return rnic_is_lost();
        }
    }
    return true;
}

// Returns false when the command has given up waiting for the VMM, and is to be executed again.
bool VirtualDevice::execute_command(vhost::Virtqueue& queue, vhost::DescriptorChain chain) {
    CommandDispatcher::Outcome outcome;
    const bool had_objects = !budgets_.no_objects();
    {
        const std::lock_guard lock(session_mutex_);
        outcome = session_ == nullptr || session_->verbs == nullptr
                      ? CommandDispatcher::execute_without_rnic(chain)
                      : dispatcher_.execute(chain, *session_->verbs);
    }
    if (outcome.cancelled) {
        queue.unpop(std::move(chain));
        return false;
    }
    command_rate_.count();
    commands_.fetch_add(1, std::memory_order_relaxed);
    if (had_objects && budgets_.no_objects()) {
        options_.notify(Notice::kEmptied);
    }
    queue.push(std::move(chain), outcome.written);
    queue.notify();
    return true;
}

}  // namespace vrdma::device
