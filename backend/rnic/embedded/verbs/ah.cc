// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/embedded/verbs/ah.h"

#include "rnic/attributes_state.h"
#include "rnic/embedded/rings/rxe_abi.h"
#include "rnic/embedded/verbs/answer.h"

namespace vrdma::embedded {

Result<std::unique_ptr<Ah>> Ah::create(const PortServices& services, const Pd& pd,
                                       const rnic::AhAttributes& attributes, rnic::Udata& udata) {
    if (attributes.port != rnic::kGuestPort || !services.port.has_gid(attributes.sgid_index) ||
        !has_room<rxe_create_ah_resp>(udata)) {
        return fail(EINVAL);
    }
    Quota& quota = services.quota;
    auto count = quota.take(&Usage::address_handles, quota.limits().max_ah);
    if (!count) {
        return fail(count.error());
    }
    std::unique_ptr<Ah> ah(new Ah(services, pd, attributes, std::move(*count)));
    ah->take_number();
    answer(udata, rxe_create_ah_resp{.ah_num = ah->number_, .reserved = 0});
    return ah;
}

Ah::Ah(const PortServices& services, const Pd& pd, const rnic::AhAttributes& attributes,
       rnic::LiveCount count)
    : address_{&pd, attributes},
      gate_(services.gate),
      table_(services.port.address_handles()),
      count_(std::move(count)) {}

void Ah::take_number() {
    AhTable::Room room = table_.make_room();
    const GuestGate::Pause pause(gate_);
    number_ = table_.insert(address_, room);
}

Result<void> Ah::save(state::Ah& ah) const {
    rnic::save_path(address_.attributes, *ah.mutable_path());
    ah.mutable_embedded()->set_number(number_);
    return {};
}

Result<std::unique_ptr<Ah>> Ah::restore(const PortServices& services, const Pd& pd,
                                        const state::Ah& saved) {
    const auto attributes = rnic::restore_path(saved.path());
    if (!saved.has_embedded() || !attributes || attributes->port != rnic::kGuestPort) {
        return fail(EINVAL);
    }
    Quota& quota = services.quota;
    auto count = quota.take(&Usage::address_handles, quota.limits().max_ah);
    if (!count) {
        return fail(count.error());
    }
    std::unique_ptr<Ah> ah(new Ah(services, pd, *attributes, std::move(*count)));
    const uint32_t number = saved.embedded().number();
    const GuestGate::Pause pause(services.gate);
    if (auto inserted = ah->table_.insert_at(ah->address_, number); !inserted) {
        return fail(inserted.error());
    }
    ah->number_ = number;
    return ah;
}

Ah::~Ah() {
    if (number_ == 0) {
        return;
    }
    const GuestGate::Pause pause(gate_);
    table_.erase(number_);
}

}  // namespace vrdma::embedded
