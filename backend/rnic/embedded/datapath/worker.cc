// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/embedded/datapath/worker.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include "helper_thread.h"
#include "rnic/doorbell_scan.h"

namespace vrdma::embedded {
namespace {

// Looks without finding anything before a spinning worker consults the clock.
constexpr unsigned kRoundsPerClock = 64;
// Slices after which a worker that always has some looks at the doorbells of CQs.
constexpr unsigned kSlicesPerLook = 64;
constexpr uint64_t kNsPerMs = 1'000'000;
constexpr int kMaxSleepMs = 3'600'000;

void watch_fd(int epoll, int fd) {
    // Edge-triggered: every write to the eventfd wakes, and nobody needs to read it.
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

}  // namespace

Worker::Worker(Gate& gate, Clock& clock, const Fabric& fabric, AtomicUnit& atomics,
               std::span<SliceCounter> slices, size_t index)
    : gate_(gate),
      clock_(clock),
      requester_(fabric, atomics, WorkerSlices{slices, slices[index]}),
      observed_slices_(slices.size() > 1 ? &slices[index] : nullptr),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    if (!epoll_) {
        throw std::system_error(errno, std::generic_category(), "embedded RNIC: worker");
    }
    watch_fd(epoll_.get(), calls_.wake_fd());
}

Worker::~Worker() {
    stop();
}

void Worker::start(std::chrono::nanoseconds spin) {
    spin_ns_ = static_cast<uint64_t>(spin.count());
    thread_ = std::thread([this] { run(); });
}

void Worker::stop() {
    if (!thread_.joinable()) {
        return;
    }
    stop_.store(true, std::memory_order_relaxed);
    calls_.wake();
    thread_.join();
}

void Worker::run() {
    begin_helper_thread("vrdma-rnic");
    gate_.enter();
    set_polling(true);
    unsigned rounds = 0;
    uint64_t idle_since = 0;
    while (!stop_.load(std::memory_order_relaxed)) {
        gate_.yield();
        if (poll_once()) {
            rounds = 0;
            continue;
        }
        cpu_relax();
        if (++rounds % kRoundsPerClock != 0) {
            continue;
        }
        const uint64_t now = clock_.now_ns();
        if (rounds == kRoundsPerClock) {
            idle_since = now;
        } else if (now - idle_since >= spin_ns_) {
            sleep();
            rounds = 0;
        }
    }
    set_polling(false);
    gate_.leave();
}

// The worker calls this inside the gate, and leaves the gate for the sleep itself.
void Worker::sleep() {
    calls_.begin_sleep();
    // The stores to `polling` are sequentially consistent, and so is the look that follows: pairs
    // with the driver, which sets its doorbell bits, executes a full barrier and then reads
    // `polling`.
    set_polling(false);
    if (!anything_to_do()) {
        const int limit_ms = sleep_limit_ms();
        gate_.leave();
        std::array<epoll_event, 16> events;
        ::epoll_wait(epoll_.get(), events.data(), events.size(), limit_ms);
        gate_.enter();
    }
    calls_.end_sleep();
    set_polling(true);
}

// Milliseconds until the next timer, as epoll_wait() takes them.
int Worker::sleep_limit_ms() const {
    if (timers_.empty()) {
        return -1;
    }
    const uint64_t now = clock_.now_ns();
    const uint64_t deadline = timers_.earliest_ns();
    const uint64_t wait_ms = deadline <= now ? 0 : (deadline - now) / kNsPerMs + 1;
    return static_cast<int>(std::min<uint64_t>(wait_ms, kMaxSleepMs));
}

bool Worker::anything_to_do() const {
    if (!active_.empty() || calls_.anything_pending() || stop_.load(std::memory_order_relaxed)) {
        return true;
    }
    return std::any_of(ports_.begin(), ports_.end(), [](const PortContext* port) {
        return port->area() != nullptr &&
               (rnic::has_rung(port->area()->qp, std::memory_order_seq_cst) ||
                rnic::has_rung(port->area()->cq, std::memory_order_seq_cst));
    });
}

void Worker::set_polling(bool polling) {
    for (const PortContext* port : ports_) {
        if (port->area() != nullptr) {
            memory::store(&port->area()->polling, polling ? 1u : 0u, std::memory_order_seq_cst);
        }
    }
}

bool Worker::poll_once() {
    for (PortContext* port : ports_) {
        // The one look that an idle port costs.
        if (port->area() != nullptr &&
            rnic::has_rung(port->area()->qp, std::memory_order_relaxed)) {
            collect(*port);
        }
    }
    if (calls_.has_calls()) [[unlikely]] {
        collect_calls();
    }
    if (calls_.has_failed_cq()) [[unlikely]] {
        fail_queue_pairs();
    }
    if (!timers_.empty()) [[unlikely]] {
        expire_timers();
    }
    if (active_.empty()) {
        return look_for_missed();
    }
    run_slice(active_.pop());
    // Who waits for an event has no other work, but other guests may have.
    if (++slices_ % kSlicesPerLook == 0) [[unlikely]] {
        look_for_missed();
    }
    return true;
}

void Worker::collect(PortContext& port) {
    const auto qps = port.qps();
    rnic::take_doorbells(port.area()->qp, [this, qps](uint32_t handle) {
        if (handle >= qps.size()) {
            return;
        }
        QpContext* qp = qps[handle];
        if (qp != nullptr && !qp->send().is_waiting()) {
            active_.push(*qp);
        }
    });
}

// False when no CQ has rung.
bool Worker::look_for_missed() {
    bool rung = false;
    for (const PortContext* port : ports_) {
        if (port->area() == nullptr ||
            !rnic::has_rung(port->area()->cq, std::memory_order_relaxed)) {
            continue;
        }
        rung = true;
        rnic::take_doorbells(port->area()->cq, [port](uint32_t handle) {
            if (CqContext* cq = port->cq(handle); cq != nullptr) {
                cq->look_for_missed();
            }
        });
    }
    return rung;
}

void Worker::collect_calls() {
    for (QpContext* qp : calls_.take_calls()) {
        if (qp->send().is_waiting()) {
            // A retry that is pending matters as long as the queue pair may send.
            if (qp->state() == QpState::kReadyToSend) {
                continue;
            }
            qp->send().stop_timer();
        }
        active_.push(*qp);
    }
}

void Worker::fail_queue_pairs() {
    calls_.take_failed_cq();
    for (PortContext* port : ports_) {
        if (!port->take_failed_cq()) {
            continue;
        }
        for (QpContext* qp : port->qps()) {
            if (qp != nullptr && (qp->send_cq().failed() || qp->recv_cq().failed())) {
                fail_queue_pair(*qp);
            }
        }
    }
}

void Worker::fail_queue_pair(QpContext& qp) {
    if (qp.state() == QpState::kReset || !qp.fail()) {
        return;
    }
    qp.send().stop_timer();
    active_.push(qp);
}

void Worker::expire_timers() {
    if (clock_.now_ns() < timers_.earliest_ns()) {
        return;
    }
    const uint64_t now = clock_.now_ns();
    while (!timers_.empty() && timers_.earliest_ns() <= now) {
        const RetryTimers::Timer timer = timers_.pop();
        if (timer.qp->send().expire_timer(timer.token)) {
            active_.push(*timer.qp);
        }
    }
}

void Worker::run_posted(QpContext& qp) {
    if (qp.send().is_waiting() || qp.state() != QpState::kReadyToSend) {
        return;
    }
    const vrdma_doorbell_area* area = qp.port().area();
    if (ActiveList::contains(qp) || (area != nullptr && rnic::has_rung(area->qp, qp.handle()))) {
        run_slice(qp);
    }
}

void Worker::run_slice(QpContext& qp) {
    Requester::Outcome outcome;
    {
        const SliceCounter::Slice slice(observed_slices_);
        outcome = requester_.run(qp);
    }
    switch (outcome.progress) {
        case Requester::Progress::kIdle:
            break;
        case Requester::Progress::kMore:
            active_.push(qp);
            break;
        case Requester::Progress::kWaiting: {
            const uint64_t token = qp.send().start_timer();
            if (outcome.delay_ns != kForever) {
                timers_.push({clock_.now_ns() + outcome.delay_ns, &qp, token});
            }
            break;
        }
    }
}

void Worker::add(PortContext& port) {
    ports_.push_back(&port);
}

void Worker::remove(PortContext& port) {
    watch(port, nullptr, -1);
    std::erase(ports_, &port);
}

void Worker::watch(PortContext& port, vrdma_doorbell_area* area, int notify_fd) {
    if (port.notify_fd() >= 0) {
        ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, port.notify_fd(), nullptr);
    }
    if (port.area() != nullptr) {
        memory::store(&port.area()->polling, 0, std::memory_order_seq_cst);
    }
    port.set_doorbells(area, notify_fd);
    if (notify_fd >= 0) {
        watch_fd(epoll_.get(), notify_fd);
    }
    if (area == nullptr) {
        return;
    }
    // A worker that is awake finds what was rung before, and sets `polling`.
    if (calls_.is_asleep()) {
        calls_.wake();
    } else if (thread_.joinable()) {
        memory::store(&area->polling, 1, std::memory_order_seq_cst);
    }
}

void Worker::forget(QpContext& qp) {
    active_.remove(qp);
    timers_.forget(qp);
    calls_.forget(qp);
}

}  // namespace vrdma::embedded
