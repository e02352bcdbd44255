// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "fake_network.h"

#include <algorithm>
#include <cstring>

namespace vrdma::roce {

namespace {

// Copies to or from a request's bytes; the transport never goes beyond what a request says.
void require_inside(const Bytes& bytes, size_t offset, size_t size) {
    if (offset > bytes.size() || size > bytes.size() - offset) {
        __builtin_trap();
    }
}

}  // namespace

// What the transport asks a device for.
struct Callbacks {
    static Device& device(void* pointer) { return *static_cast<Device*>(pointer); }
    static QueuePair& pair(void* pointer) { return *static_cast<QueuePair*>(pointer); }

    static uint64_t now(void* d) { return device(d).network_.now(); }
    static void arm(void* d, uint64_t at) { device(d).armed_ = at; }
    static void wake(void* d) { device(d).awake_ = true; }
    static bool ready(void* d) { return roce_port_ready(device(d).port_); }
    static void transmit(void* d, const RoceAddress* address, const uint8_t* packet, size_t size) {
        device(d).awake_ = true;  // what stays in the device is to be delivered
        roce_port_transmit(device(d).port_, address, packet, size);
    }

    static bool next_send(void* /*d*/, void* owner, RoceSend* send) {
        QueuePair& qp = pair(owner);
        if (qp.next_send == qp.sends.size()) {
            return false;
        }
        Send& next = qp.sends[qp.next_send++];
        *send = next.what;
        send->address = &next.address;
        send->request = &next;
        return true;
    }
    static enum ibv_wc_status gather(void* /*d*/, void* /*owner*/, const RoceSend* send,
                                     uint32_t offset, uint8_t* data, size_t size) {
        const auto* mine = static_cast<Send*>(send->request);
        require_inside(mine->bytes, offset, size);
        std::copy_n(mine->bytes.begin() + offset, size, data);
        return offset < mine->gather_end ? IBV_WC_SUCCESS : mine->gather_status;
    }
    static enum ibv_wc_status scatter_response(void* /*d*/, void* /*owner*/, const RoceSend* send,
                                               uint32_t offset, const uint8_t* data, size_t size) {
        auto* mine = static_cast<Send*>(send->request);
        require_inside(mine->bytes, offset, size);
        std::copy_n(data, size, mine->bytes.begin() + offset);
        return mine->gather_status;
    }
    static enum ibv_wc_status run_local(void* /*d*/, void* owner, const RoceSend* send) {
        ++pair(owner).locals;
        return static_cast<Send*>(send->request)->gather_status;
    }
    static void complete_send(void* /*d*/, void* owner, const RoceSend* /*send*/,
                              enum ibv_wc_status status, uint32_t length) {
        pair(owner).completions.push_back({.send = true, .status = status, .length = length});
    }
    static void drop_send(void* /*d*/, void* owner, const RoceSend* /*send*/) {
        ++pair(owner).dropped;
    }

    static RoceTake take_receive(void* /*d*/, void* owner, uint32_t srq_number,
                                 RoceReceive* receive) {
        QueuePair& qp = pair(owner);
        qp.srq_numbers.push_back(srq_number);
        if (qp.next_receive == qp.receives.size()) {
            return kRoceNonePosted;
        }
        Receive& next = qp.receives[qp.next_receive++];
        receive->capacity = next.bytes.size();
        receive->request = &next;
        return kRoceTaken;
    }
    static enum ibv_wc_status scatter_receive(void* /*d*/, void* /*owner*/,
                                              const RoceReceive* receive, uint32_t offset,
                                              const uint8_t* data, size_t size) {
        auto* mine = static_cast<Receive*>(receive->request);
        require_inside(mine->bytes, offset, size);
        std::copy_n(data, size, mine->bytes.begin() + offset);
        return mine->scatter_status;
    }
    static void complete_receive(void* /*d*/, void* owner, const RoceReceive* /*receive*/,
                                 const RoceReceived* received) {
        pair(owner).completions.push_back(
            {.status = received->status, .length = received->length, .received = *received});
        if (received->address != nullptr) {
            pair(owner).completions.back().from = *received->address;
        }
    }
    static void drop_receive(void* /*d*/, void* owner, const RoceReceive* /*receive*/) {
        ++pair(owner).dropped;
    }

    static bool remote_check(void* d, void* /*owner*/, const RoceTarget* target, uint32_t length,
                             int access) {
        const auto found = device(d).keys_.find(target->rkey);
        if (found == device(d).keys_.end()) {
            return false;
        }
        const Key& key = found->second;
        const uint64_t address = target->address;
        return (key.srq_number == 0 || key.srq_number == target->srq_number) &&
               (key.access & access) == access && address >= key.start &&
               address - key.start <= key.length && length <= key.length - (address - key.start);
    }
    static bool remote_write(void* d, void* owner, const RoceTarget* target, const uint8_t* data,
                             size_t size) {
        if (!remote_check(d, owner, target, static_cast<uint32_t>(size), IBV_ACCESS_REMOTE_WRITE)) {
            return false;
        }
        std::copy_n(data, size,
                    device(d).memory_.begin() + static_cast<ptrdiff_t>(target->address));
        return true;
    }
    static bool remote_read(void* d, void* owner, const RoceTarget* target, uint8_t* data,
                            size_t size) {
        if (!remote_check(d, owner, target, static_cast<uint32_t>(size), IBV_ACCESS_REMOTE_READ)) {
            return false;
        }
        std::copy_n(device(d).memory_.begin() + static_cast<ptrdiff_t>(target->address), size,
                    data);
        return true;
    }
    static bool remote_atomic(void* d, void* owner, const RoceTarget* target,
                              enum ibv_wr_opcode opcode, uint64_t compare_add, uint64_t swap,
                              uint64_t* original) {
        if (!remote_check(d, owner, target, sizeof(*original), IBV_ACCESS_REMOTE_ATOMIC)) {
            return false;
        }
        uint8_t* at = device(d).memory_.data() + target->address;
        std::memcpy(original, at, sizeof(*original));
        const uint64_t value = opcode == IBV_WR_ATOMIC_FETCH_AND_ADD ? *original + compare_add
                               : *original == compare_add            ? swap
                                                                     : *original;
        std::memcpy(at, &value, sizeof(value));
        return true;
    }
    static bool remote_invalidate(void* d, void* /*owner*/, uint32_t rkey) {
        return device(d).keys_.erase(rkey) != 0;
    }
    static void moved(void* /*d*/, void* owner, enum ibv_qp_state /*state*/) {
        ++pair(owner).moved;
    }
    static void event(void* /*d*/, void* owner, enum ibv_event_type event) {
        pair(owner).events.push_back(event);
    }

    static bool is_here(void* d, const RoceAddress* address) {
        const RoceAddress here = device(d).path_to(device(d));
        if (address->dlid != here.dlid) {
            return false;
        }
        return !address->global || std::memcmp(address->dgid, here.sgid, kRoceGidBytes) == 0;
    }
    static bool frame_ready(void* d) { return device(d).network_.flying() < 64; }
    static void send_frame(void* d, const uint8_t* frame, size_t size) {
        device(d).network_.send(Bytes(frame, frame + size));
    }

    static const RoceDeviceOps kDevice;
    static const RocePortOps kPort;
};

const RoceDeviceOps Callbacks::kDevice = {
    .now = now,
    .arm = arm,
    .wake = wake,
    .ready = ready,
    .transmit = transmit,
    .next_send = next_send,
    .gather = gather,
    .scatter_response = scatter_response,
    .run_local = run_local,
    .complete_send = complete_send,
    .drop_send = drop_send,
    .take_receive = take_receive,
    .scatter_receive = scatter_receive,
    .complete_receive = complete_receive,
    .drop_receive = drop_receive,
    .remote_check = remote_check,
    .remote_write = remote_write,
    .remote_read = remote_read,
    .remote_atomic = remote_atomic,
    .remote_invalidate = remote_invalidate,
    .moved = moved,
    .event = event,
};

const RocePortOps Callbacks::kPort = {
    .is_here = is_here,
    .frame_ready = frame_ready,
    .send_frame = send_frame,
};

Send& QueuePair::post(enum ibv_wr_opcode opcode, Bytes bytes) {
    Send send;
    send.what.opcode = opcode;
    send.what.length = static_cast<uint32_t>(bytes.size());
    send.bytes = std::move(bytes);
    return sends.emplace_back(std::move(send));
}

std::string QueuePair::summary() const {
    std::string all;
    for (const Completion& completion : completions) {
        all += all.empty() ? "" : ", ";
        all += completion.send ? "send " : "recv ";
        all += completion.status == IBV_WC_SUCCESS ? std::to_string(completion.length)
                                                   : ibv_wc_status_str(completion.status);
    }
    return all;
}

Device::Device(Network& network, unsigned number, Link link)
    : network_(network),
      number_(number),
      link_(link),
      transport_(roce_transport_new(&Callbacks::kDevice, this, is_ethernet(link))),
      port_(roce_port_new(&Callbacks::kPort, this, is_ethernet(link))),
      memory_(kMemory) {
    network.add(*this);
    const uint16_t pkeys[] = {0xffff};
    roce_transport_set_pkeys(transport_, pkeys, 1);
}

Device::~Device() {
    roce_transport_free(transport_);
    roce_port_free(port_);
}

QueuePair& Device::make(uint32_t qpn, enum ibv_qp_type type) {
    QueuePair& made = pairs_[qpn];
    made.device = this;
    made.qpn = qpn;
    made.qp = roce_qp_new(transport_, qpn, type, &made);
    return made;
}

void Device::destroy(QueuePair& qp) {
    roce_qp_free(qp.qp);
    pairs_.erase(qp.qpn);
}

RoceAddress path_between(unsigned from, unsigned to, Link link) {
    RoceAddress path{};
    const auto gid = [link](unsigned number, uint8_t* out) {
        const uint8_t ipv4_gid[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 10, 0, 0};
        const uint8_t ipv6_gid[] = {0xfd, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
        const uint8_t local_gid[] = {0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
        const uint8_t* of_link = link == Link::kIpv4   ? ipv4_gid
                                 : link == Link::kIpv6 ? ipv6_gid
                                                       : local_gid;
        std::copy_n(of_link, size_t{kRoceGidBytes}, out);
        out[15] = static_cast<uint8_t>(number);
    };
    if (!is_ethernet(link)) {
        path.slid = static_cast<uint16_t>(from);
        path.dlid = static_cast<uint16_t>(to);
    }
    path.global = link != Link::kLid;
    if (path.global) {
        path.hop_limit = 64;
        gid(from, path.sgid);
        gid(to, path.dgid);
    }
    if (!is_ethernet(link)) {
        return path;
    }
    path.udp_source_port = 0xc000;
    path.smac[0] = path.dmac[0] = 2;  // locally administered
    path.smac[5] = static_cast<uint8_t>(from);
    path.dmac[5] = static_cast<uint8_t>(to);
    return path;
}

RoceAddress Device::path_to(const Device& other) const {
    return path_between(number_, other.number_, link_);
}

uint32_t Device::add_key(uint64_t start, uint64_t length, int access, uint32_t srq_number) {
    const uint32_t key = 0x100 + static_cast<uint32_t>(keys_.size());
    keys_[key] = {.start = start, .length = length, .access = access, .srq_number = srq_number};
    return key;
}

void Network::deliver(const uint8_t* frame, size_t size) {
    for (Device* device : devices_) {
        const bool group = (frame[0] & 1) != 0 || frame[0] == 0x33;
        if (group ? frame[kRoceMacBytes + 5] != device->number_ : frame[5] == device->number_) {
            roce_port_receive(device->port_, device->transport_, frame, size);
        }
    }
}

void Network::run_devices() {
    for (Device* device : devices_) {
        if (device->awake_) {
            device->awake_ = roce_port_run(device->port_, device->transport_);
            roce_run(device->transport_);
        }
    }
}

bool Network::pass_time(uint64_t limit) {
    uint64_t next = UINT64_MAX;
    for (const Device* device : devices_) {
        next = std::min(next, device->armed_);
    }
    if (next == UINT64_MAX || next > limit) {
        return false;
    }
    now_ = std::max(now_, next);
    for (Device* device : devices_) {
        if (device->armed_ <= now_) {
            device->armed_ = UINT64_MAX;
            device->awake_ = true;
        }
    }
    return true;
}

void Network::step(uint64_t now) {
    now_ = now;
    for (Device* device : devices_) {
        if (device->armed_ <= now_) {
            device->armed_ = UINT64_MAX;
            device->awake_ = true;
        }
    }
    run_devices();
    for (; !flying_.empty(); flying_.pop_front()) {
        detour_(flying_.front());
    }
}

void Network::run(uint64_t limit) {
    for (;;) {
        run_devices();
        while (!flying_.empty()) {
            Bytes frame = std::move(flying_.front());
            flying_.pop_front();
            for (Device* device : devices_) {
                device->awake_ = true;  // the network is ready again
            }
            seen_.push_back(frame);
            const size_t number = count_++;
            if (filter_ && !filter_(number, frame)) {
                continue;
            }
            if (detour_) {
                detour_(frame);
            } else {
                deliver(frame.data(), frame.size());
            }
        }
        bool awake = !flying_.empty();
        for (const Device* device : devices_) {
            awake = awake || device->awake_;
        }
        if (!awake && !pass_time(limit)) {
            return;
        }
    }
}

RoceQpAttributes usual_attributes(const RoceAddress& path, uint32_t remote_qpn) {
    RoceQpAttributes attributes{};
    attributes.access = IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_ATOMIC;
    attributes.pkey = 0xffff;
    attributes.qkey = 0x11111111;
    attributes.mtu = kMtu;
    attributes.path = path;
    attributes.remote_qpn = remote_qpn;
    attributes.receive_psn = 100;
    attributes.send_psn = 100;
    attributes.max_reads = 4;
    attributes.max_reads_served = 4;
    attributes.min_rnr_timer = 12;
    attributes.timeout = 14;
    attributes.retry_count = 3;
    attributes.rnr_retry = 3;
    return attributes;
}

Connection::Connection(enum ibv_qp_type type, Link link,
                       const std::function<void(RoceQpAttributes&)>& change)
    : left(network, 1, link),
      right(network, 2, link),
      a(left.make(0x40, type)),
      b(right.make(0x50, type == IBV_QPT_XRC_SEND ? IBV_QPT_XRC_RECV : type)) {
    *roce_qp_attributes(a.qp) = usual_attributes(left.path_to(right), b.qpn);
    *roce_qp_attributes(b.qp) = usual_attributes(right.path_to(left), a.qpn);
    for (QueuePair* each : {&a, &b}) {
        if (change) {
            change(*roce_qp_attributes(each->qp));
        }
        for (const auto state : {IBV_QPS_INIT, IBV_QPS_RTR, IBV_QPS_RTS}) {
            roce_qp_set_state(each->qp, state);
        }
    }
}

Bytes of_hex(const std::string& digits) {
    Bytes bytes;
    for (size_t i = 0; i + 1 < digits.size(); i += 2) {
        bytes.push_back(static_cast<uint8_t>(std::stoul(digits.substr(i, 2), nullptr, 16)));
    }
    return bytes;
}

Bytes pattern(size_t size, uint8_t seed) {
    Bytes bytes(size);
    for (size_t i = 0; i < size; ++i) {
        bytes[i] = static_cast<uint8_t>(seed + i * 7 + i / 251);
    }
    return bytes;
}

}  // namespace vrdma::roce
