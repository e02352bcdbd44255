// SPDX-License-Identifier: Apache-2.0
#include "rnic/embedded/verbs/ah.h"

#include "rnic/embedded/engine.h"

namespace vrdma::embedded {

Ah::Ah(Engine& engine, PortState& port, const Pd& pd, const rnic::AhAttributes& attributes,
       LiveCount count)
    : pd_(&pd), attributes_(attributes), engine_(engine), port_(port), count_(std::move(count)) {
    Gate::Pause pause(engine_.gate);
    port_.ahs.insert(*this);
}

Ah::~Ah() {
    Gate::Pause pause(engine_.gate);
    port_.ahs.erase(*this);
}

void AhTable::insert(Ah& ah) {
    if (free_.empty()) {
        ah.number_ = static_cast<uint32_t>(entries_.size());
        entries_.push_back(&ah);
    } else {
        ah.number_ = free_.front();
        free_.pop_front();
        entries_[ah.number_] = &ah;
    }
}

void AhTable::erase(Ah& ah) {
    entries_[ah.number_] = nullptr;
    free_.push_back(ah.number_);
}

}  // namespace vrdma::embedded
