// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "device/session.h"

#include <sys/eventfd.h>

namespace vrdma::device {

void SessionEvents::completion(uint32_t comp_vector, uint32_t cq_handle) {
    delivery_.completion(comp_vector, cq_handle);
}

void SessionEvents::async_event(rnic::AsyncEventType type, uint32_t handle) {
    if (type != rnic::AsyncEventType::kDeviceFatal) {
        delivery_.async_event(type, handle);
        return;
    }
    // These are the device's. Whoever finds the RNIC lost may let go of the session at once.
    VmmShm& shm = shm_;
    const int lost_fd = lost_fd_;
    // Pairs with the acquire of the thread that the descriptor wakes.
    rnic_lost_.store(true, std::memory_order_release);
    shm.cancel(VmmShm::Cancel::kRnicIsLost);
    ::eventfd_write(lost_fd, 1);
}

Session::~Session() {
    let_go_of_rnic();
}

void Session::let_go_of_rnic() {
    if (port != nullptr) {
        // A guest that rings meanwhile makes no work any more.
        port->set_doorbells(nullptr, -1);
    }
    if (verbs != nullptr) {
        verbs->release_all();
    }
    verbs.reset();
    port.reset();
}

}  // namespace vrdma::device
