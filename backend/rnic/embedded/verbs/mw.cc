// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/embedded/verbs/mw.h"

#include "rnic/embedded/contexts/qp_context.h"

namespace vrdma::embedded {

Result<std::unique_ptr<Mw>> Mw::create(GuestGate& gate, Quota& quota, KeySpace& keys, const Pd& pd,
                                       uint8_t type) {
    auto mw = make(gate, quota, keys, pd, type);
    if (mw) {
        WindowTable::Room room = keys.windows().make_room();
        const GuestGate::Pause pause(gate);
        keys.insert((*mw)->window_, room);
    }
    return mw;
}

// The window without a key.
Result<std::unique_ptr<Mw>> Mw::make(GuestGate& gate, Quota& quota, KeySpace& keys, const Pd& pd,
                                     uint32_t type) {
    if (type != static_cast<uint32_t>(Window::Type::k1) &&
        type != static_cast<uint32_t>(Window::Type::k2)) {
        return fail(EINVAL);
    }
    auto count = quota.take(&Usage::memory_windows, quota.limits().max_mw);
    if (!count) {
        return fail(count.error());
    }
    return std::unique_ptr<Mw>(
        new Mw(gate, keys, pd, static_cast<Window::Type>(type), std::move(*count)));
}

Mw::Mw(GuestGate& gate, KeySpace& keys, const Pd& pd, Window::Type type, rnic::LiveCount count)
    : window_(pd, type), gate_(gate), keys_(keys), count_(std::move(count)) {}

Result<void> Mw::save(state::Mw& mw) const {
    mw.set_type(static_cast<uint32_t>(window_.type()));
    state::EmbeddedMw& saved = *mw.mutable_embedded();
    saved.set_first_key(window_.first_key());
    saved.set_key(window_.key());
    const Window::Bound bound = window_.bound();
    if (bound.region == nullptr) {
        return {};
    }
    saved.set_bound(true);
    saved.set_access(bound.access);
    saved.set_address(bound.address);
    saved.set_length(bound.length);
    saved.set_region_key(bound.region->first_key());
    if (bound.owner != nullptr) {
        saved.set_owner_handle(bound.owner->handle());
    }
    return {};
}

Result<std::unique_ptr<Mw>> Mw::restore(GuestGate& gate, Quota& quota, PortContext& port,
                                        const Pd& pd, const state::Mw& saved) {
    if (!saved.has_embedded()) {
        return fail(EINVAL);
    }
    const state::EmbeddedMw& embedded = saved.embedded();
    Window::Bound bound{.region = nullptr,
                        .owner = nullptr,
                        .access = embedded.access(),
                        .address = embedded.address(),
                        .length = embedded.length()};
    if (embedded.bound()) {
        bound.region = port.keys().regions().at(embedded.region_key());
        if (bound.region == nullptr || bound.region->first_key() != embedded.region_key()) {
            return fail(EINVAL);
        }
        if (saved.type() == static_cast<uint32_t>(Window::Type::k2)) {
            if (!port.has_qp(embedded.owner_handle())) {
                return fail(EINVAL);
            }
            bound.owner = &port.qps()[embedded.owner_handle()]->windows();
        }
    }
    auto mw = make(gate, quota, port.keys(), pd, saved.type());
    if (!mw) {
        return mw;
    }
    Window& window = (*mw)->window_;
    const GuestGate::Pause pause(gate);
    if (auto inserted = port.keys().windows().insert_at(window, embedded.first_key()); !inserted) {
        return fail(inserted.error());
    }
    if (auto restored = window.restore(embedded.key(), bound); !restored) {
        return fail(restored.error());
    }
    return mw;
}

Mw::~Mw() {
    if (window_.first_key() == 0) {
        return;
    }
    const GuestGate::Pause pause(gate_);
    keys_.erase(window_);
}

}  // namespace vrdma::embedded
