// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/events/rnic_monitor.h"
#include "helper_thread.h"

#include <fcntl.h>
#include <infiniband/verbs.h>
#include <poll.h>
#include <rdma/ib_user_verbs.h>
#include <sys/eventfd.h>

#include <array>
#include <cerrno>
#include <optional>
#include <system_error>

namespace vrdma::uverbs {

namespace {

// The kernel's events of a port, as guests are told of them.
std::optional<rnic::AsyncEventType> port_event(uint32_t type) {
    switch (type) {
        case IBV_EVENT_PORT_ACTIVE:
            return rnic::AsyncEventType::kPortActive;
        case IBV_EVENT_PORT_ERR:
            return rnic::AsyncEventType::kPortError;
        case IBV_EVENT_LID_CHANGE:
            return rnic::AsyncEventType::kLidChange;
        case IBV_EVENT_PKEY_CHANGE:
            return rnic::AsyncEventType::kPkeyChange;
        case IBV_EVENT_SM_CHANGE:
            return rnic::AsyncEventType::kSmChange;
        case IBV_EVENT_CLIENT_REREGISTER:
            return rnic::AsyncEventType::kClientReregister;
        default:
            return std::nullopt;
    }
}

}  // namespace

RnicMonitor::RnicMonitor(FileDescriptor async_events, std::unique_ptr<RemovalSource> removal,
                         uint32_t host_port, Handlers handlers)
    : async_events_(std::move(async_events)),
      removal_(std::move(removal)),
      host_port_(host_port),
      handlers_(std::move(handlers)),
      stop_(::eventfd(0, EFD_CLOEXEC)) {
    if (!stop_ || ::fcntl(async_events_.get(), F_SETFL, O_NONBLOCK) != 0) {
        throw std::system_error(errno, std::generic_category(), "RNIC monitor");
    }
    thread_ = std::thread([this] { run(); });
}

RnicMonitor::~RnicMonitor() {
    ::eventfd_write(stop_.get(), 1);
    thread_.join();
}

void RnicMonitor::run() {
    begin_helper_thread("vrdma-monitor");

    for (;;) {
        std::array<pollfd, 3> fds{{
            {.fd = stop_.get(), .events = POLLIN, .revents = 0},
            {.fd = removal_->fd(), .events = POLLIN, .revents = 0},
            {.fd = async_events_.get(), .events = POLLIN, .revents = 0},
        }};
        if (::poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR) {
            return;
        }
        if (fds[0].revents != 0) {
            return;
        }
        if ((fds[1].revents != 0 && removal_->removed()) ||
            (fds[2].revents != 0 && !read_events())) {
            // The file holds a reference to the device, for which the kernel waits.
            async_events_.reset();
            handlers_.removed();
            return;
        }
    }
}

// Returns false when the RNIC has gone, or is of no use any more.
bool RnicMonitor::read_events() {
    for (;;) {
        ib_uverbs_async_event_desc event;
        const ssize_t count = ::read(async_events_.get(), &event, sizeof(event));
        if (count != static_cast<ssize_t>(sizeof(event))) {
            return count < 0 && (errno == EAGAIN || errno == EINTR);
        }
        switch (event.event_type) {
            case IBV_EVENT_DEVICE_FATAL:
                return false;
            case IBV_EVENT_GID_CHANGE:
                handlers_.gid_change();
                break;
            default:
                if (const auto type = port_event(event.event_type);
                    type && event.element == host_port_) {
                    handlers_.port_event(*type);
                }
                break;
        }
    }
}

}  // namespace vrdma::uverbs
