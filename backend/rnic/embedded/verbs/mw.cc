// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/embedded/verbs/mw.h"

namespace vrdma::embedded {

Result<std::unique_ptr<Mw>> Mw::create(GuestGate& gate, Quota& quota, KeySpace& keys, const Pd& pd,
                                       uint8_t type) {
    const auto wanted = static_cast<Window::Type>(type);
    if (wanted != Window::Type::k1 && wanted != Window::Type::k2) {
        return fail(EINVAL);
    }
    auto count = quota.take(&Usage::memory_windows, quota.limits().max_mw);
    if (!count) {
        return fail(count.error());
    }
    return std::unique_ptr<Mw>(new Mw(gate, keys, pd, wanted, std::move(*count)));
}

Mw::Mw(GuestGate& gate, KeySpace& keys, const Pd& pd, Window::Type type, rnic::LiveCount count)
    : window_(pd, type), gate_(gate), keys_(keys), count_(std::move(count)) {
    WindowTable::Room room = keys_.windows().make_room();
    const GuestGate::Pause pause(gate_);
    keys_.insert(window_, room);
}

Mw::~Mw() {
    const GuestGate::Pause pause(gate_);
    keys_.erase(window_);
}

}  // namespace vrdma::embedded
