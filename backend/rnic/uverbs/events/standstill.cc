// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/events/standstill.h"

namespace vrdma::uverbs {

Standstill::Member::Member(Standstill& all, PortWorker& worker) : all_(all), worker_(worker) {
    const std::lock_guard lock(all_.mutex_);
    all_.workers_.insert(&worker_);
    if (all_.lasts_) {
        worker_.stand_still();
    }
}

Standstill::Member::~Member() {
    const std::lock_guard lock(all_.mutex_);
    all_.workers_.erase(&worker_);
}

void Standstill::begin() {
    const std::lock_guard lock(mutex_);
    lasts_ = true;
    for (PortWorker* worker : workers_) {
        worker->stand_still();
    }
}

void Standstill::end() {
    const std::lock_guard lock(mutex_);
    lasts_ = false;
    for (PortWorker* worker : workers_) {
        worker->go_on();
    }
}

bool Standstill::lasts() const {
    const std::lock_guard lock(mutex_);
    return lasts_;
}

}  // namespace vrdma::uverbs
