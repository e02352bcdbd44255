// SPDX-License-Identifier: Apache-2.0
#include "rnic/embedded/datapath/worker.h"

#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <system_error>

#include "rnic/embedded/engine.h"
#include "rnic/embedded/verbs/qp.h"

namespace vrdma::embedded {
namespace {

static_assert(std::endian::native == std::endian::little, "doorbell words are little-endian");

// Looks without finding anything before a spinning worker consults the clock.
constexpr unsigned kRoundsPerClock = 64;
constexpr uint64_t kNsPerMs = 1'000'000;
constexpr int kMaxSleepMs = 3'600'000;

void watch_fd(int epoll, int fd) {
    // Edge-triggered: every write to the eventfd wakes, and nobody needs to read it.
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

}  // namespace

Worker::Worker(Engine& engine, bool observed)
    : engine_(engine),
      requester_(engine),
      observed_(observed),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!epoll_ || !wake_) {
        throw std::system_error(errno, std::generic_category(), "embedded RNIC: worker");
    }
    watch_fd(epoll_.get(), wake_.get());
}

Worker::~Worker() {
    stop();
}

void Worker::start(std::chrono::nanoseconds spin) {
    spin_ns_ = static_cast<uint64_t>(spin.count());
    thread_ = std::thread([this] { run(); });
}

void Worker::stop() {
    if (!thread_.joinable()) return;
    stop_.store(true, std::memory_order_relaxed);
    wake();
    thread_.join();
}

void Worker::run() {
    // Signals are for the thread that waits for them.
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
    ::pthread_setname_np(::pthread_self(), "vrdma-rnic");
    engine_.gate.enter();
    set_polling(true);
    unsigned rounds = 0;
    uint64_t idle_since = 0;
    while (!stop_.load(std::memory_order_relaxed)) {
        engine_.gate.yield();
        if (poll_once()) {
            rounds = 0;
            continue;
        }
        cpu_relax();
        if (++rounds % kRoundsPerClock != 0) continue;
        const uint64_t now = engine_.clock->now_ns();
        if (rounds == kRoundsPerClock) {
            idle_since = now;
        } else if (now - idle_since >= spin_ns_) {
            sleep();
            rounds = 0;
        }
    }
    set_polling(false);
    engine_.gate.leave();
}

// Inside the gate, but for the sleep itself.
void Worker::sleep() {
    // Each store is sequentially consistent, and so is the look that follows: pairs with
    // call(), which stores first and then looks at sleeping_, and with the driver, which
    // sets its doorbell bits, executes a full barrier and then reads `polling`.
    sleeping_.store(true, std::memory_order_seq_cst);
    set_polling(false);
    if (!anything_to_do()) {
        int timeout_ms = -1;
        if (!timers_.empty()) {
            const uint64_t now = engine_.clock->now_ns();
            const uint64_t deadline = timers_.front().deadline;
            const uint64_t wait_ms = deadline <= now ? 0 : (deadline - now) / kNsPerMs + 1;
            timeout_ms = static_cast<int>(std::min<uint64_t>(wait_ms, kMaxSleepMs));
        }
        engine_.gate.leave();
        std::array<epoll_event, 16> events;
        ::epoll_wait(epoll_.get(), events.data(), events.size(), timeout_ms);
        engine_.gate.enter();
    }
    sleeping_.store(false, std::memory_order_relaxed);
    set_polling(true);
}

bool Worker::anything_to_do() const {
    if (first_ != nullptr || called_.load(std::memory_order_seq_cst) ||
        cq_failed_.load(std::memory_order_seq_cst) || stop_.load(std::memory_order_relaxed)) {
        return true;
    }
    return std::any_of(ports_.begin(), ports_.end(), [](const PortState* port) {
        return port->area != nullptr &&
               memory::load(&port->area->qp.root, std::memory_order_seq_cst) != 0;
    });
}

void Worker::set_polling(bool polling) {
    for (PortState* port : ports_) {
        if (port->area == nullptr) continue;
        memory::store(&port->area->polling, polling ? 1u : 0u, std::memory_order_seq_cst);
    }
}

void Worker::wake() {
    const uint64_t one = 1;
    // It can only fail when the counter is full, and then the worker is awake already.
    [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof(one));
}

void Worker::call(Qp& qp) {
    {
        std::lock_guard lock(calls_mutex_);
        calls_.push_back(&qp);
    }
    called_.store(true, std::memory_order_seq_cst);
    if (sleeping_.load(std::memory_order_seq_cst)) wake();
}

void Worker::call_for_failed_cq() {
    cq_failed_.store(true, std::memory_order_seq_cst);
    if (sleeping_.load(std::memory_order_seq_cst)) wake();
}

bool Worker::poll_once() {
    for (PortState* port : ports_) {
        // The one look that an idle port costs.
        if (port->area != nullptr &&
            memory::load(&port->area->qp.root, std::memory_order_relaxed) != 0) {
            collect(*port);
        }
    }
    if (called_.load(std::memory_order_relaxed)) [[unlikely]] {
        collect_calls();
    }
    if (cq_failed_.load(std::memory_order_relaxed)) [[unlikely]] {
        fail_queue_pairs();
    }
    if (!timers_.empty()) [[unlikely]] {
        expire_timers();
    }
    if (first_ == nullptr) return false;
    run_slice();
    return true;
}

// Takes the doorbell bits from the root down, so that a bit set meanwhile is found
// now or leaves its root bit behind for the next look.  guest-controlled: any bit can
// be set, so the work is bounded by the size of the bitmap.
void Worker::collect(PortState& port) {
    auto& bitmap = port.area->qp;
    // Acquire: pairs with the driver's read-modify-write, after librxe posted the work.
    uint64_t root = memory::exchange(&bitmap.root, 0, std::memory_order_acquire);
    root &= (uint64_t{1} << VRDMA_DB_SUMMARY_WORDS) - 1;
    for (; root != 0; root &= root - 1) {
        const unsigned i = static_cast<unsigned>(std::countr_zero(root));
        uint64_t summary = memory::exchange(&bitmap.summary[i], 0, std::memory_order_acquire);
        for (; summary != 0; summary &= summary - 1) {
            const unsigned j =
                i * VRDMA_DB_BITS_PER_WORD + static_cast<unsigned>(std::countr_zero(summary));
            uint64_t bits = memory::exchange(&bitmap.bits[j], 0, std::memory_order_acquire);
            for (; bits != 0; bits &= bits - 1) {
                const size_t handle =
                    j * VRDMA_DB_BITS_PER_WORD + static_cast<unsigned>(std::countr_zero(bits));
                if (handle >= port.qps.size()) break;
                Qp* qp = port.qps[handle];
                if (qp != nullptr && !qp->send.waiting) activate(*qp);
            }
        }
    }
}

void Worker::collect_calls() {
    std::vector<Qp*> calls;
    {
        std::lock_guard lock(calls_mutex_);
        calls.swap(calls_);
        called_.store(false, std::memory_order_relaxed);
    }
    for (Qp* qp : calls) {
        if (qp->send.waiting) {
            // A retry that is pending matters as long as the queue pair may send.
            if (qp->state.load(std::memory_order_acquire) == QpState::kReadyToSend) continue;
            qp->send.waiting = false;
            ++qp->send.timer_token;
        }
        activate(*qp);
    }
}

void Worker::fail_queue_pairs() {
    cq_failed_.store(false, std::memory_order_relaxed);
    for (PortState* port : ports_) {
        if (!port->has_failed_cq.exchange(false, std::memory_order_acquire)) continue;
        for (Qp* qp : port->qps) {
            if (qp == nullptr || (!qp->send_cq.failed() && !qp->recv_cq.failed())) continue;
            QpState state = qp->state.load(std::memory_order_relaxed);
            if (state == QpState::kReset || state == QpState::kError) continue;
            if (qp->state.exchange(QpState::kError, std::memory_order_acq_rel) == QpState::kError) {
                continue;
            }
            port->sink.async_event(rnic::AsyncEventType::kQpFatal, qp->handle);
            qp->send.waiting = false;
            ++qp->send.timer_token;
            activate(*qp);
        }
    }
}

void Worker::expire_timers() {
    if (engine_.clock->now_ns() < timers_.front().deadline) return;
    const uint64_t now = engine_.clock->now_ns();
    while (!timers_.empty() && timers_.front().deadline <= now) {
        const Timer timer = timers_.front();
        std::pop_heap(timers_.begin(), timers_.end(), std::greater<>());
        timers_.pop_back();
        if (!timer.qp->send.waiting || timer.token != timer.qp->send.timer_token) continue;
        timer.qp->send.waiting = false;
        activate(*timer.qp);
    }
}

void Worker::activate(Qp& qp) {
    if (qp.active) return;
    qp.active = true;
    qp.next_active = nullptr;
    (first_ == nullptr ? first_ : last_->next_active) = &qp;
    last_ = &qp;
}

void Worker::run_slice() {
    Qp& qp = *first_;
    first_ = qp.next_active;
    qp.active = false;
    run_slice(qp);
}

void Worker::run_posted(Qp& qp) {
    if (qp.send.waiting || qp.state.load(std::memory_order_relaxed) != QpState::kReadyToSend)
        return;
    if (!qp.active && !rung(qp)) return;
    run_slice(qp);
}

// Leaves the bit where it is: who collects it finds nothing left to do.
bool Worker::rung(const Qp& qp) const {
    if (qp.port.area == nullptr) return false;
    const auto& word = qp.port.area->qp.bits[qp.handle / VRDMA_DB_BITS_PER_WORD];
    // Acquire: pairs with the driver's read-modify-write, as in collect().
    return (memory::load(&word, std::memory_order_acquire) >> (qp.handle % VRDMA_DB_BITS_PER_WORD) &
            1) != 0;
}

void Worker::run_slice(Qp& qp) {
    Requester::Outcome outcome;
    {
        const Slice slice(*this);
        outcome = requester_.run(qp);
    }
    switch (outcome.progress) {
        case Requester::Progress::kIdle:
            break;
        case Requester::Progress::kMore:
            activate(qp);
            break;
        case Requester::Progress::kWaiting:
            qp.send.waiting = true;
            ++qp.send.timer_token;
            if (outcome.delay_ns == Requester::kForever) break;
            timers_.push_back(
                {engine_.clock->now_ns() + outcome.delay_ns, &qp, qp.send.timer_token});
            std::push_heap(timers_.begin(), timers_.end(), std::greater<>());
            break;
    }
}

void Worker::add(PortState& port) {
    ports_.push_back(&port);
}

void Worker::remove(PortState& port) {
    watch(port, nullptr, -1);
    std::erase(ports_, &port);
}

void Worker::watch(PortState& port, vrdma_doorbell_area* area, int notify_fd) {
    if (port.notify_fd >= 0) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, port.notify_fd, nullptr);
    if (port.area != nullptr) memory::store(&port.area->polling, 0, std::memory_order_seq_cst);
    port.area = area;
    port.notify_fd = notify_fd;
    if (notify_fd >= 0) watch_fd(epoll_.get(), notify_fd);
    // What was rung before is found, and `polling` set, by a worker that is awake.
    if (area == nullptr) return;
    if (sleeping_.load(std::memory_order_relaxed)) {
        wake();
    } else if (thread_.joinable()) {
        memory::store(&area->polling, 1, std::memory_order_seq_cst);
    }
}

void Worker::forget(Qp& qp) {
    if (qp.active) {
        Qp** link = &first_;
        Qp* previous = nullptr;
        while (*link != &qp) {
            previous = *link;
            link = &previous->next_active;
        }
        *link = qp.next_active;
        if (last_ == &qp) last_ = previous;
        qp.active = false;
    }
    std::erase_if(timers_, [&qp](const Timer& timer) { return timer.qp == &qp; });
    std::make_heap(timers_.begin(), timers_.end(), std::greater<>());
    std::lock_guard lock(calls_mutex_);
    std::erase(calls_, &qp);
}

}  // namespace vrdma::embedded
