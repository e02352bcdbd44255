// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/events/port_worker.h"

#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "epoll.h"
#include "helper_thread.h"
#include "rnic/doorbell_scan.h"

namespace vrdma::uverbs {
namespace {

// The tag of an epoll event is one of these, or a file's number.
constexpr uint64_t kWakeTag = 0;
constexpr uint64_t kNotifyTag = 1;
constexpr uint64_t kFirstFileTag = 2;

// How many times the worker looks at the doorbells for each look at the files, which is a system
// call.
constexpr unsigned kIdleLooks = 32;
constexpr unsigned kBusyLooks = 8;

// How long the worker sleeps when it cannot wait for doorbells.
constexpr int kUnwatchedMs = 10;

void relax() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

}  // namespace

PortWorker::PortWorker(PortEvents& events, std::chrono::nanoseconds spin)
    : events_(events),
      spin_(spin),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      next_file_(kFirstFileTag) {
    if (!epoll_ || !wake_) {
        throw std::system_error(errno, std::generic_category(), "RNIC worker");
    }
    must_watch_writes(epoll_, wake_.get(), kWakeTag, "RNIC worker");
    thread_ = std::thread([this] { run(); });
}

PortWorker::~PortWorker() {
    stop_.store(true, std::memory_order_seq_cst);
    wake();
    thread_.join();
}

void PortWorker::wake() {
    const uint64_t one = 1;
    // The write can only fail when the counter is full, and then the worker is awake already.
    [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof(one));
    {
        // A worker that is about to wait in stand() has seen what the caller asks, or waits by now.
        const std::lock_guard lock(stand_mutex_);
    }
    stand_changed_.notify_all();
}

void PortWorker::run() {
    begin_helper_thread("vrdma-rnic");

    using Clock = std::chrono::steady_clock;
    Clock::time_point idle_since;
    unsigned idle = 0;
    unsigned busy = 0;
    while (!stop_.load(std::memory_order_relaxed)) {
        // Acquire: pairs with set_doorbells().
        if (has_new_doorbells_.load(std::memory_order_acquire)) {
            take_new_doorbells();
        }
        // Acquire: pairs with catch_up().
        if (must_catch_up_.load(std::memory_order_acquire)) {
            answer_catch_up();
        }
        // Acquire: pairs with stand_still().
        if (must_stand_.load(std::memory_order_acquire)) {
            stand();
            continue;
        }
        if (take_doorbells()) {
            idle = 0;
            if (++busy % kBusyLooks == 0) {
                look_at_files(0);
            }
            continue;
        }
        if (spin_ == spin_.zero()) {
            sleep();
            continue;
        }
        if (idle++ % kIdleLooks != 0) {
            relax();
            continue;
        }
        if (look_at_files(0)) {
            idle = 0;
            continue;
        }
        const Clock::time_point now = Clock::now();
        if (idle == 1) {
            idle_since = now;
        } else if (now - idle_since >= spin_) {
            sleep();
            idle = 0;
            continue;
        }
        // On a host with few CPUs the guest may be waiting for this CPU.
        ::sched_yield();
    }
    set_polling(false);
}

void PortWorker::stand() {
    std::unique_lock lock(stand_mutex_);
    stands_ = true;
    stand_changed_.notify_all();
    stand_changed_.wait(
        lock, [this] { return !must_stand_ || has_new_doorbells_ || must_catch_up_ || stop_; });
    stands_ = false;
}

void PortWorker::stand_still() {
    must_stand_.store(true, std::memory_order_seq_cst);
    wake();
    std::unique_lock lock(stand_mutex_);
    stand_changed_.wait(lock, [this] { return stands_; });
}

void PortWorker::go_on() {
    must_stand_.store(false, std::memory_order_seq_cst);
    wake();
}

void PortWorker::sleep() {
    // The store is sequentially consistent, and so are the looks that follow.  Both pair with the
    // driver, which sets its doorbell bits, executes a full barrier and then reads `polling`, and
    // with set_doorbells(), catch_up(), stand_still() and the destructor, which store and then
    // write to wake_.
    set_polling(false);
    if (!has_doorbells() && !has_new_doorbells_.load(std::memory_order_seq_cst) &&
        !must_catch_up_.load(std::memory_order_seq_cst) &&
        !must_stand_.load(std::memory_order_seq_cst) && !stop_.load(std::memory_order_seq_cst)) {
        look_at_files(watch_doorbells() ? -1 : kUnwatchedMs);
    }
    set_polling(true);
}

// Waits for the guest's doorbells, if it does not yet.  False while it cannot: the kernel has no
// memory for it, or the user has too many watches (epoll_ctl(2)).
bool PortWorker::watch_doorbells() {
    if (doorbells_.notify_fd >= 0 && !watches_doorbells_) {
        watches_doorbells_ = watch_writes(epoll_, doorbells_.notify_fd, kNotifyTag).has_value();
        return watches_doorbells_;
    }
    return true;
}

void PortWorker::set_polling(bool polling) {
    if (doorbells_.area != nullptr) {
        memory::store(&doorbells_.area->polling, polling ? 1u : 0u, std::memory_order_seq_cst);
    }
}

bool PortWorker::has_doorbells() const {
    return doorbells_.area != nullptr &&
           (rnic::has_rung(doorbells_.area->qp, std::memory_order_seq_cst) ||
            rnic::has_rung(doorbells_.area->cq, std::memory_order_seq_cst));
}

// Returns false when there was nothing to do.
bool PortWorker::take_doorbells() {
    vrdma_doorbell_area* area = doorbells_.area;
    if (area == nullptr) {
        return false;
    }
    bool any = false;
    if (rnic::has_rung(area->qp, std::memory_order_relaxed)) {
        // Pairs with catch_up(), which reads the bits first: whoever sees that they are taken also
        // sees rings_, because they are taken by exchanges that release.
        rings_.store(true, std::memory_order_relaxed);
        rnic::take_doorbells(area->qp,
                             [this](uint32_t handle) { events_.send_queue_rung(handle); });
        rings_.store(false, std::memory_order_release);
        any = true;
    }
    if (rnic::has_rung(area->cq, std::memory_order_relaxed)) {
        rnic::take_doorbells(area->cq, [this](uint32_t handle) { events_.cq_rung(handle); });
        any = true;
    }
    return any;
}

// Returns false when no file had anything.
bool PortWorker::look_at_files(int timeout_ms) {
    std::array<epoll_event, 16> ready;
    const int count = ::epoll_wait(epoll_.get(), ready.data(), ready.size(), timeout_ms);
    bool any = false;
    for (int i = 0; i < count; ++i) {
        const uint64_t tag = ready[static_cast<size_t>(i)].data.u64;
        std::shared_ptr<EventFile> file;
        {
            const std::lock_guard lock(files_mutex_);
            const auto found = files_.find(tag);
            if (found == files_.end()) {
                continue;  // a wake-up, or a file that was forgotten in the meantime
            }
            file = found->second;
        }
        any = true;
        if (file->read_events() == EventFile::State::kClosed) {
            // A closed file would be ready for ever.
            const std::lock_guard lock(files_mutex_);
            if (files_.erase(tag) != 0) {
                ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, file->fd(), nullptr);
            }
        }
    }
    return any;
}

Result<void> PortWorker::watch(std::shared_ptr<EventFile> file) {
    const std::lock_guard lock(files_mutex_);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = next_file_;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, file->fd(), &event) != 0) {
        return fail(errno);
    }
    files_.emplace(next_file_++, std::move(file));
    return {};
}

void PortWorker::forget(EventFile& file) {
    {
        const std::lock_guard lock(files_mutex_);
        const auto found =
            std::ranges::find(files_, &file, [](const auto& entry) { return entry.second.get(); });
        if (found != files_.end()) {
            ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, file.fd(), nullptr);
            files_.erase(found);
        }
    }
    file.close();
}

void PortWorker::set_doorbells(vrdma_doorbell_area* area, int notify_fd) {
    std::unique_lock lock(request_mutex_);
    new_doorbells_ = {area, notify_fd};
    has_new_doorbells_.store(true, std::memory_order_seq_cst);
    wake();
    request_done_.wait(lock, [this] { return !has_new_doorbells_; });
}

void PortWorker::catch_up() {
    std::unique_lock lock(request_mutex_);
    const vrdma_doorbell_area* area = new_doorbells_.area;
    // Acquire: pairs with take_doorbells().
    if (area == nullptr || (!rnic::has_rung(area->qp, std::memory_order_acquire) &&
                            !rings_.load(std::memory_order_acquire))) {
        return;
    }
    must_catch_up_.store(true, std::memory_order_seq_cst);
    wake();
    request_done_.wait(lock, [this] { return !must_catch_up_; });
}

void PortWorker::answer_catch_up() {
    // The guest set its bits before the verb, so one look finds all of them.  No verb runs while
    // the worker stands still.
    if (!must_stand_.load(std::memory_order_relaxed)) {
        (void)take_doorbells();
    }
    const std::lock_guard lock(request_mutex_);
    must_catch_up_.store(false, std::memory_order_release);
    request_done_.notify_all();
}

void PortWorker::take_new_doorbells() {
    const std::lock_guard lock(request_mutex_);
    set_polling(false);
    if (std::exchange(watches_doorbells_, false)) {
        ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, doorbells_.notify_fd, nullptr);
    }
    doorbells_ = new_doorbells_;
    events_.use_area(doorbells_.area);
    set_polling(true);
    has_new_doorbells_.store(false, std::memory_order_release);
    request_done_.notify_all();
}

}  // namespace vrdma::uverbs
