// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Devices around the transport of tests/connectx/roce, on a network in memory with a clock of its
// own.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "roce_port.h"
#include "roce_transport.h"

namespace vrdma::roce {

using Bytes = std::vector<uint8_t>;

// A request of a send queue, with its local data: what is sent, or where a response goes.
struct Send {
    RoceSend what{};
    RoceAddress address{};
    Bytes bytes;
    enum ibv_wc_status gather_status = IBV_WC_SUCCESS;
    uint32_t gather_end = 0;  // the status is that of bytes from here on
};

struct Receive {
    Bytes bytes;
    enum ibv_wc_status scatter_status = IBV_WC_SUCCESS;
};

struct Completion {
    bool send = false;
    enum ibv_wc_status status = IBV_WC_SUCCESS;
    uint32_t length = 0;
    RoceReceived received{};  // of receives
    RoceAddress from{};       // of datagrams
};

struct Key {
    uint64_t start = 0;
    uint64_t length = 0;
    int access = 0;
    uint32_t srq_number = 0;  // XRC: in the domain of this shared queue; 0: of any
};

class Device;

struct QueuePair {
    Device* device = nullptr;
    RoceQp* qp = nullptr;
    uint32_t qpn = 0;
    std::deque<Send> sends;  // all that were ever posted: their addresses stay
    size_t next_send = 0;
    std::deque<Receive> receives;
    size_t next_receive = 0;
    std::vector<Completion> completions;
    std::vector<enum ibv_event_type> events;
    std::vector<uint32_t> srq_numbers;  // that receive requests were asked of
    unsigned dropped = 0;               // requests that ended without a completion
    unsigned locals = 0;                // local requests that were executed
    unsigned moved = 0;

    Send& post(enum ibv_wr_opcode opcode, Bytes bytes);
    void post_receive(size_t capacity) { receives.push_back({.bytes = Bytes(capacity)}); }
    // "send ok 5, recv ok 5", in the order in which they came.
    std::string summary() const;
};

class Network;

// What joins devices, and how they name each other.
enum class Link { kIpv4, kIpv6, kLid, kLidAndGid };
inline constexpr std::array kLinks = {Link::kIpv4, Link::kIpv6, Link::kLid, Link::kLidAndGid};

constexpr bool is_ethernet(Link link) {
    return link == Link::kIpv4 || link == Link::kIpv6;
}

// The path from the device with one number to that with another.  Device N has 10.10.0.N and
// fd10::N with Ethernet, and the MAC address 02:00:00:00:00:N; with InfiniBand LID N and fe80::N.
RoceAddress path_between(unsigned from, unsigned to, Link link);

class Device {
  public:
    Device(Network& network, unsigned number, Link link = Link::kIpv4);
    ~Device();
    Device(const Device&) = delete;
    Device& operator=(const Device&) = delete;

    QueuePair& make(uint32_t qpn, enum ibv_qp_type type);
    void destroy(QueuePair& qp);
    // A path to a device, this one included.
    RoceAddress path_to(const Device& other) const;
    uint32_t add_key(uint64_t start, uint64_t length, int access, uint32_t srq_number = 0);
    void remove_key(uint32_t key) { keys_.erase(key); }
    bool has_key(uint32_t key) const { return keys_.contains(key); }

    Bytes& memory() { return memory_; }
    RoceTransport* transport() { return transport_; }
    const RoceCounters& counters() const { return *roce_transport_counters(transport_); }

  private:
    friend class Network;
    friend struct Callbacks;

    Network& network_;
    unsigned number_;
    Link link_;
    RoceTransport* transport_;
    RocePort* port_;
    std::map<uint32_t, QueuePair> pairs_;
    std::map<uint32_t, Key> keys_;
    Bytes memory_;
    bool awake_ = false;
    uint64_t armed_ = UINT64_MAX;
};

// Joins devices.  Frames arrive in the order in which they were sent, at once.
class Network {
  public:
    // Gets each frame before it is delivered, with its number from 0.  False loses the frame.
    using Filter = std::function<bool(size_t number, Bytes& frame)>;

    void add(Device& device) { devices_.push_back(&device); }
    void set_filter(Filter filter) { filter_ = std::move(filter); }
    // Every frame passes through this instead of being delivered.
    void set_detour(std::function<void(const Bytes&)> detour) { detour_ = std::move(detour); }
    void deliver(const uint8_t* frame, size_t size);
    // Until nothing is left to do before `limit`.
    void run(uint64_t limit = UINT64_MAX);
    // One step of a network with another clock and other devices, whose frames come by deliver().
    void step(uint64_t now);
    size_t frames() const { return count_; }
    const std::vector<Bytes>& seen() const { return seen_; }
    void forget() { seen_.clear(), count_ = 0; }
    uint64_t now() const { return now_; }

    void send(Bytes frame) { flying_.push_back(std::move(frame)); }
    size_t flying() const { return flying_.size(); }

  private:
    void run_devices();
    bool pass_time(uint64_t limit);

    std::vector<Device*> devices_;
    std::deque<Bytes> flying_;
    std::vector<Bytes> seen_;
    Filter filter_;
    std::function<void(const Bytes&)> detour_;
    size_t count_ = 0;
    uint64_t now_ = 1;
};

// Two queue pairs that are connected, on two devices.
struct Connection {
    explicit Connection(enum ibv_qp_type type = IBV_QPT_RC, Link link = Link::kIpv4,
                        const std::function<void(RoceQpAttributes&)>& change = nullptr);

    Network network;
    Device left;
    Device right;
    QueuePair& a;
    QueuePair& b;

    void run() {
        roce_qp_kick(a.qp);
        roce_qp_kick(b.qp);
        network.run();
    }
};

constexpr size_t kMtu = 1024;
constexpr size_t kMemory = size_t{256} * 1024;

// The attributes of a queue pair that talks to `remote_qpn` along `path`.
RoceQpAttributes usual_attributes(const RoceAddress& path, uint32_t remote_qpn);

// The bytes that hexadecimal digits name.
Bytes of_hex(const std::string& digits);

// Bytes that tell their place.
Bytes pattern(size_t size, uint8_t seed = 1);

}  // namespace vrdma::roce
