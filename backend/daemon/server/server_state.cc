// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Guests that go from one daemon to the next.
#include <algorithm>
#include <chrono>
#include <iterator>
#include <nlohmann/json.hpp>
#include <shared_mutex>
#include <utility>
#include <vector>

#include "daemon/server/server.h"
#include "daemon/version.h"
#include "log_fields.h"
#include "state/daemon.pb.h"
#include "state/files.h"

namespace vrdma::daemon {
namespace {

// How long a VMM may take to answer what it was asked, before its guest is left out.
constexpr std::chrono::seconds kStandstillLimit{2};

}  // namespace

// The thread of the virtual machine.
void Server::Vm::serve() {
    while (listener_.run() == vhost::Listener::End::kSuspended) {
        std::unique_lock lock(standstill_mutex_);
        suspended_ = true;
        standstill_changed_.notify_all();
        standstill_changed_.wait(lock, [this] { return !suspend_wanted_; });
        suspended_ = false;
        lock.unlock();
        listener_.resume();
    }
}

void Server::Vm::suspend() {
    {
        const std::lock_guard lock(standstill_mutex_);
        suspend_wanted_ = true;
    }
    listener_.suspend();
}

bool Server::Vm::wait_suspended(std::chrono::steady_clock::time_point deadline) {
    std::unique_lock lock(standstill_mutex_);
    return standstill_changed_.wait_until(lock, deadline, [this] { return suspended_; });
}

void Server::Vm::resume() {
    const std::lock_guard lock(standstill_mutex_);
    suspend_wanted_ = false;
    standstill_changed_.notify_all();
}

void Server::Vm::save_socket(state::Machine& machine, state::FilesToSend& files) const {
    machine.set_name(name());
    machine.set_drained(drained());
    listener_.save_socket(machine, files);
}

tl::expected<void, std::string> Server::Vm::restore(const state::Machine& machine,
                                                    state::ReceivedFiles& files) {
    if (machine.drained()) {
        drain(true);
    }
    return listener_.restore(machine, files);
}

void Server::restore(const state::Daemon& daemon, state::ReceivedFiles& files) {
    pause_ = rnic_->pause();
    taken_over_ = {.version = daemon.version(),
                   .guests = {},
                   .stopped_at = std::chrono::steady_clock::time_point(
                       std::chrono::nanoseconds(static_cast<int64_t>(daemon.stopped_at()))),
                   .stood_still = {}};
    for (const state::Machine& machine : daemon.machines()) {
        const LogScope scope({.guest = machine.name()});
        const auto found = std::ranges::find_if(
            vms_, [&](const auto& vm) { return vm->socket() == machine.path(); });
        if (found == vms_.end()) {
            logger_->warn(
                "{}: the configuration has no machine with the socket {} any more; its VMM is "
                "disconnected",
                machine.name(), machine.path());
            continue;
        }
        state::allow_own(files, machine);
        if (auto restored = (*found)->restore(machine, files); !restored) {
            logger_->error(
                "{}: the guest cannot be taken over: {}; its VMM is disconnected, and the guest "
                "loses what it had, as if vrdmad had been started anew",
                machine.name(), restored.error());
        } else if (machine.has_vmm()) {
            logger_->info("{}: taken over from vrdmad {}", machine.name(), daemon.version());
            taken_over_->guests.push_back((*found)->name());
        }
    }
}

nlohmann::json Server::taken_over() const {
    const std::shared_lock lock(vms_mutex_);
    if (!taken_over_ || !taken_over_->stood_still) {
        return nullptr;
    }
    return {{"version", taken_over_->version},
            {"guests", taken_over_->guests},
            {"stood_still_ms", taken_over_->stood_still->count()}};
}

Result<void> Server::hand_over(const Give& give) {
    const std::lock_guard changing(change_mutex_);
    const auto begun = std::chrono::steady_clock::now();
    for (const auto& vm : vms_) {
        vm->suspend();
    }
    // All stand still before the first is saved, since queue pairs of several share a message.
    std::vector<bool> suspended;
    std::ranges::transform(vms_, std::back_inserter(suspended), [&](const auto& vm) {
        return vm->wait_suspended(begun + kStandstillLimit);
    });
    auto pause = rnic_->pause();
    state::Daemon daemon;
    daemon.set_version(version());
    daemon.set_stopped_at(
        static_cast<uint64_t>(std::chrono::nanoseconds(begun.time_since_epoch()).count()));
    state::FilesToSend files;
    for (size_t i = 0; i < vms_.size(); ++i) {
        Vm* const vm = vms_[i].get();
        state::Machine& machine = *daemon.add_machines();
        machine.set_first_file(files.count() + 1);
        vm->save_socket(machine, files);
        if (!suspended[i]) {
            logger_->error(
                "{}: its VMM does not answer, so that the guest is not handed over; the VMM "
                "connects anew when this vrdmad has ended",
                vm->name());
        } else if (auto saved = vm->save(machine, files); !saved) {
            logger_->error(
                "{}: what the guest has cannot be handed over: {}; the VMM connects anew when this "
                "vrdmad has ended, and the guest loses what it had",
                vm->name(), to_string(saved.error()));
            machine.clear_vmm();
            machine.clear_device();
        }
        machine.set_files(files.count() + 1 - machine.first_file());
    }
    const auto given = give(daemon, files.all());
    if (given) {
        // The RNIC's threads stand still for good: the guests' rings are the successor's.
        [[maybe_unused]] const auto* for_good = pause.release();
        return {};
    }
    for (const auto& vm : vms_) {
        vm->resume();
    }
    return given;
}

}  // namespace vrdma::daemon
