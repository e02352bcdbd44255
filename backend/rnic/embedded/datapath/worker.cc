// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/embedded/datapath/worker.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include "epoll.h"
#include "helper_thread.h"
#include "probes.h"
#include "rnic/doorbell_scan.h"

namespace vrdma::embedded {
namespace {

// Looks without finding anything before a spinning worker consults the clock.
constexpr unsigned kRoundsPerClock = 64;
// Words and bits of doorbells, calls, timers and queue pairs that one turn looks at.
constexpr unsigned kLooksPerTurn = 16;
constexpr uint64_t kNsPerMs = 1'000'000;
constexpr int kMaxSleepMs = 3'600'000;
// How long a worker sleeps that cannot wait for the doorbells of all its guests.
constexpr int kUnwatchedMs = 10;

// Nanoseconds that two readings of the clock are apart when nothing is between them.
uint64_t clock_overhead_ns(Clock& clock) {
    constexpr unsigned kReadings = 16;
    uint64_t least = kForever;
    for (unsigned n = 0; n < kReadings; ++n) {
        const uint64_t start = clock.now_ns();
        least = std::min(least, clock.now_ns() - start);
    }
    return least;
}

// All that wakes a worker is looked at whenever it is awake.  Notifications of guests are counted,
// and have their descriptors for tags.
constexpr uint64_t kNoTag = uint64_t{1} << 32;  // no descriptor, and not that of no descriptor

}  // namespace

Worker::Worker(Gate& gate, Clock& clock, const Fabric& fabric, AtomicUnit& atomics,
               std::span<SliceCounter> slices, size_t index)
    : gate_(gate),
      clock_(clock),
      clock_overhead_ns_(clock_overhead_ns(clock)),
      requester_(fabric, atomics, WorkerSlices{slices, slices[index]}),
      observed_slices_(slices.size() > 1 ? &slices[index] : nullptr),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    if (!epoll_) {
        throw std::system_error(errno, std::generic_category(), "embedded RNIC: worker");
    }
    must_watch_writes(epoll_, calls_.wake_fd(), kNoTag, "embedded RNIC: worker");
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
        const int limit_ms = watch_all() ? sleep_limit_ms() : kUnwatchedMs;
        gate_.leave();
        std::array<epoll_event, 16> events;
        const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(), limit_ms);
        gate_.enter();
        for (int n = 0; n < count; ++n) {
            count_notification(events[static_cast<size_t>(n)].data.u64);
        }
    }
    calls_.end_sleep();
    set_polling(true);
}

// The port of a notification may be gone, as the worker was outside the gate.
void Worker::count_notification(uint64_t tag) {
    const auto found = std::ranges::find_if(ports_, [tag](const auto& work) {
        return static_cast<uint64_t>(work->port().notify_fd()) == tag;
    });
    if (found != ports_.end()) {
        PortContext& port = (*found)->port();
        port.activity().count_notification();
        VRDMA_PROBE1(notification, port.guest().c_str());
    }
}

// Waits for the doorbells for which it could not wait before.  False while it cannot: the kernel
// has no memory for it, or the user has too many watches (epoll_ctl(2)).
bool Worker::watch_all() {
    bool all = true;
    for (const auto& work : ports_) {
        if (work->is_unwatched()) [[unlikely]] {
            const int fd = work->port().notify_fd();
            work->set_unwatched(!watch_writes(epoll_, fd, static_cast<uint64_t>(fd)));
            all = all && !work->is_unwatched();
        }
    }
    return all;
}

// Milliseconds until the next timer, or until a guest may send again, as epoll_wait() takes them.
int Worker::sleep_limit_ms() const {
    uint64_t deadline = timers_.empty() ? kForever : timers_.earliest_ns();
    for (const auto& work : ports_) {
        if (work->open_at_ns() > now_ns_ && work->anything_to_do()) {
            deadline = std::min(deadline, work->open_at_ns());
        }
    }
    if (deadline == kForever) {
        return -1;
    }
    const uint64_t now = clock_.now_ns();
    const uint64_t wait_ms = deadline <= now ? 0 : (deadline - now) / kNsPerMs + 1;
    return static_cast<int>(std::min<uint64_t>(wait_ms, kMaxSleepMs));
}

bool Worker::anything_to_do() const {
    if (calls_.anything_pending() || stop_.load(std::memory_order_relaxed)) {
        return true;
    }
    // A port that waits for its rate has nothing to do before.
    return std::ranges::any_of(ports_, [this](const auto& work) {
        return work->open_at_ns() <= now_ns_ &&
               (work->anything_to_do() || work->has_rung_at_last() || work->has_rung_arms());
    });
}

void Worker::set_polling(bool polling) {
    VRDMA_PROBE2(worker__polling, this, polling);
    for (const auto& work : ports_) {
        vrdma_doorbell_area* area = work->port().area();
        // Doorbells of a port that waits for its rate need not wake the worker, which looks at them
        // when the wait is over.
        if (area != nullptr && (polling || work->open_at_ns() <= now_ns_)) {
            memory::store(&area->polling, polling ? 1u : 0u, std::memory_order_seq_cst);
        }
    }
}

// The port that has had the least of the worker, of those that have something to do; or null.
[[gnu::always_inline]] inline PortWork* Worker::next_port() {
    PortWork* next = nullptr;
    for (const auto& work : ports_) {
        if (!work->anything_to_do()) {
            continue;
        }
        if (work->open_at_ns() > now_ns_) [[unlikely]] {
            // While others have work, now_ns_ comes from poll_once().
            if (next == nullptr) {
                now_ns_ = clock_.now_ns();
            }
            if (work->open_at_ns() > now_ns_) {
                work->wait();
                continue;
            }
        }
        if (next == nullptr || work->virtual_end() < next->virtual_end()) {
            next = work.get();
        }
    }
    return next;
}

[[gnu::always_inline]] inline void Worker::run_queue_pair(PortWork& work, QpContext& qp) {
    Requester::Outcome outcome;
    Turn turn;
    {
        const SliceCounter::Slice slice(observed_slices_);
        outcome = requester_.run(qp, turn);
    }
    if (turn.messages() != 0 && turn.wasted() == 0) [[likely]] {
        work.charge(turn.cost());
    } else {
        charge_wasted(work, turn);
    }
    if (work.has_rate()) [[unlikely]] {
        now_ns_ = clock_.now_ns();
        work.take(turn.bytes(), turn.messages(), now_ns_);
    }
    switch (outcome.progress) {
        case Requester::Progress::kIdle:
            break;
        case Requester::Progress::kMore:
            work.add(qp);
            break;
        case Requester::Progress::kWaiting:
            // A queue pair may wait for ever, for an event that is not a timer.
            qp.send().set_deadline_ns(kForever);
            if (outcome.delay_ns != kForever) {
                qp.send().set_deadline_ns(clock_.now_ns() + outcome.delay_ns);
                timers_.push(qp.send().deadline_ns(), qp);
            }
            break;
    }
}

// Takes doorbells, and answers the queue pair that is to run when no other one has waited. A queue
// pair that may not send is not run: what was posted to it is found when it may (Qp::enter()).
[[gnu::always_inline]] inline QpContext* Worker::collect(PortWork& work) {
    const auto qps = work.port().qps();
    QpContext* first = nullptr;
    unsigned found = 0;
    const unsigned looks =
        work.sends().take(work.port().area()->qp, kLooksPerTurn, [&](uint32_t handle) {
            QpContext* qp = handle < qps.size() ? qps[handle] : nullptr;
            if (qp == nullptr || qp->send().is_waiting() || qp->state() < QpState::kReadyToSend) {
                return;
            }
            ++found;
            if (first == nullptr && work.active().empty()) [[likely]] {
                first = qp;
            } else if (qp != first) {
                work.active().push(qp->active());
            }
        });
    // The way to one queue pair takes a word of each level and a bit.
    constexpr unsigned kLooksPerDoorbell = 4;
    if (looks != kLooksPerDoorbell || found != 1) [[unlikely]] {
        work.may_go_on();
        if (looks > found * kLooksPerDoorbell) {
            work.charge_useless(kLookCost * (looks - found * kLooksPerDoorbell));
        }
    }
    return first;
}

// Not inlined: scripts/bench embedded counts what happens in here.
[[gnu::noinline]] bool Worker::poll_once() {
    return run_turn(nullptr, nullptr);
}

// A turn of `posted`, of the port `work`; or of the queue pair that is next. One function, so that
// all that a message needs is inlined into it once.
[[gnu::noinline]] bool Worker::run_turn(PortWork* work, QpContext* posted) {
    QpContext* qp = posted;
    if (qp == nullptr) [[likely]] {
        if (calls_.anything_noticed() || !timers_.empty()) [[unlikely]] {
            collect_calls();
            expire_timers();
        }
        work = next_port();
        if (work == nullptr) {
            return look_for_missed();
        }
        work->begin_turn(virtual_now_);
        if (work->count_turn()) [[unlikely]] {
            work->begin_watched(clock_.now_ns());
        }
        if (work->has_sends_to_collect()) {
            qp = collect(*work);
        }
        if (qp == nullptr && !work->active().empty()) {
            qp = &work->active().pop();
        }
    }
    if (qp != nullptr) [[likely]] {
        run_queue_pair(*work, *qp);
    }
    if (work->goes_on()) {
        if (work->is_failing()) [[unlikely]] {
            fail_queue_pairs(*work);
        }
        if (work->has_begun_watched()) [[unlikely]] {
            work->end_watched(clock_.now_ns() - clock_overhead_ns_, contended_);
        }
        work->update();
    }
    // Who waits for an event has no other work, but other guests may have.
    if (--turns_to_look_ == 0) [[unlikely]] {
        turns_to_look_ = kTurnsPerLook;
        now_ns_ = clock_.now_ns();
        look_for_missed();
        contended_ = std::ranges::count_if(
                         ports_, [](const auto& work) { return work->has_had_turn(); }) > 1;
        rebase_virtual_time();
    }
    return true;
}

// Keeps the virtual times small, which are compared as they are.
void Worker::rebase_virtual_time() {
    constexpr uint64_t kLarge = uint64_t{1} << 60;
    if (virtual_now_ < kLarge) {
        return;
    }
    for (const auto& work : ports_) {
        work->rebase(virtual_now_);
    }
    virtual_now_ = 0;
}

// False when no CQ has rung. One port at a time, so that each is charged for its own.
[[gnu::noinline]] bool Worker::look_for_missed() {
    PortWork* next = nullptr;
    for (const auto& work : ports_) {
        if (work->has_rung_arms() &&
            (next == nullptr || work->virtual_end() < next->virtual_end())) {
            next = work.get();
        }
    }
    if (next == nullptr) {
        return false;
    }
    const PortContext& port = next->port();
    next->begin_turn(virtual_now_);
    const unsigned looks = next->arms().take(port.area()->cq, kLooksPerTurn, [&](uint32_t handle) {
        if (CqContext* cq = port.cq(handle); cq != nullptr) {
            cq->look_for_missed();
        }
    });
    next->charge_useless(kLookCost * looks);
    return true;
}

[[gnu::noinline]] void Worker::collect_calls() {
    if (calls_.has_failed_cq()) {
        find_failed_cqs();
    }
    for (unsigned n = 0; n < kLooksPerTurn; ++n) {
        QpContext* qp = calls_.take_call();
        if (qp == nullptr) {
            return;
        }
        PortWork& work = *qp->port().work();
        work.charge_useless(kLookCost);
        if (qp->send().is_waiting()) {
            // A retry that is pending matters as long as the queue pair may send.
            if (qp->state() == QpState::kReadyToSend) {
                continue;
            }
            stop_timer(*qp);
        }
        work.add(*qp);
    }
}

void Worker::find_failed_cqs() {
    calls_.take_failed_cq();
    for (const auto& work : ports_) {
        if (work->port().take_failed_cq()) {
            work->fail_from(0);
        }
    }
}

// Goes on with the search for queue pairs whose CQ has failed.
[[gnu::noinline]] void Worker::fail_queue_pairs(PortWork& work) {
    const auto qps = work.port().qps();
    const auto end = static_cast<uint32_t>(
        std::min<size_t>(qps.size(), size_t{work.next_to_fail()} + kLooksPerTurn));
    for (uint32_t handle = work.next_to_fail(); handle < end; ++handle) {
        QpContext* qp = qps[handle];
        if (qp == nullptr || !(qp->send_cq().failed() || qp->recv_cq().failed()) ||
            qp->state() == QpState::kReset || !qp->fail()) {
            continue;
        }
        stop_timer(*qp);
        work.active().push(qp->active());
    }
    work.charge_useless(kLookCost * kLooksPerTurn);
    if (end == qps.size()) {
        work.end_failing();
    } else {
        work.fail_from(end);
    }
}

[[gnu::noinline]] void Worker::expire_timers() {
    if (timers_.empty()) {
        return;
    }
    const uint64_t now = clock_.now_ns();
    for (unsigned n = 0; n < kLooksPerTurn; ++n) {
        if (timers_.empty() || timers_.earliest_ns() > now) {
            return;
        }
        QpContext& qp = timers_.pop();
        qp.send().set_deadline_ns(0);
        PortWork& work = *qp.port().work();
        work.charge_useless(kLookCost);
        work.add(qp);
    }
}

void Worker::stop_timer(QpContext& qp) {
    timers_.erase(qp.send().deadline_ns(), qp);
    qp.send().set_deadline_ns(0);
}

uint64_t Worker::time_left_ns(const QpContext& qp) const {
    const uint64_t deadline = qp.send().deadline_ns();
    const uint64_t now = clock_.now_ns();
    return deadline == kForever ? kForever : deadline - std::min(deadline, now);
}

void Worker::wait_again(QpContext& qp, uint64_t time_left_ns) {
    const uint64_t now = clock_.now_ns();
    qp.send().set_deadline_ns(kForever);
    if (time_left_ns < kForever - now) {
        qp.send().set_deadline_ns(now + time_left_ns);
        timers_.push(qp.send().deadline_ns(), qp);
    }
    // A worker that sleeps does not know of the timer.
    if (calls_.is_asleep()) {
        calls_.wake();
    }
}

void Worker::run_posted(QpContext& qp) {
    PortWork& work = *qp.port().work();
    if (qp.send().is_waiting() || qp.state() != QpState::kReadyToSend || !may_send(work)) {
        return;
    }
    const vrdma_doorbell_area* area = qp.port().area();
    if (qp.active().linked() || (area != nullptr && rnic::has_rung(area->qp, qp.handle()))) {
        work.active().remove(qp.active());
        work.begin_turn(virtual_now_);
        run_turn(&work, &qp);
    }
}

// Whether the port's rates let it send now.
bool Worker::may_send(const PortWork& work) {
    return !work.has_rate() || work.open_at_ns() <= clock_.now_ns();
}

// A turn in which not all went as it should.
[[gnu::noinline]] void Worker::charge_wasted(PortWork& work, const Turn& turn) {
    if (turn.messages() == 0 && turn.bytes() == 0) {
        work.charge_useless(turn.cost() + kLookCost);
    } else {
        work.charge(turn.cost() - turn.wasted());
        work.charge_useless(turn.wasted());
    }
}

void Worker::add(PortContext& port) {
    ports_.push_back(std::make_unique<PortWork>(port, static_cast<uint32_t>(clock_.now_ns())));
    port.set_work(ports_.back().get());
}

void Worker::remove(PortContext& port) {
    watch(port, nullptr, -1);
    std::erase_if(ports_, [&port](const auto& work) { return &work->port() == &port; });
    port.set_work(nullptr);
}

void Worker::limit(const PortContext& port, const rnic::TrafficLimits& limits) {
    port.work()->limit(limits);
    // A worker that sleeps until the port may send again finds out that it may now.
    calls_.wake();
}

void Worker::watch(PortContext& port, vrdma_doorbell_area* area, int notify_fd) {
    if (port.notify_fd() >= 0) {
        ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, port.notify_fd(), nullptr);
    }
    if (port.area() != nullptr) {
        memory::store(&port.area()->polling, 0, std::memory_order_seq_cst);
    }
    port.set_doorbells(area, notify_fd);
    port.work()->use(area);
    port.work()->set_unwatched(notify_fd >= 0);  // until the worker sleeps
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
    qp.port().work()->active().remove(qp.active());
    stop_timer(qp);
    calls_.forget(qp.call());
}

}  // namespace vrdma::embedded
