// SPDX-License-Identifier: Apache-2.0
#include "rnic/uverbs/verbs/context_state.h"

namespace vrdma::uverbs {

Result<void> ContextState::usable() const {
    if (port.rnic->removed.load(std::memory_order_relaxed)) {
        return fail(ENODEV);
    }
    return {};
}

Result<UdataTranslation> ContextState::translate(uint16_t opcode, rnic::Udata& udata) const {
    std::string reason;
    auto translation =
        UdataTranslation::make(port.rnic->vendor, opcode, udata, port.rnic->mappings, reason);
    if (!translation) {
        port.log.warn("{}: command {:#06x}: {}; the verb gets {}", port.guest, opcode, reason,
                      to_string(translation.error()));
    }
    return translation;
}

Result<void> KernelObject::destroy() {
    auto result = destroy_(*context_.file, handle_);
    destroyed_ = result.has_value();
    return result;
}

KernelObject::~KernelObject() {
    if (destroyed_) {
        return;
    }
    auto destroyed = destroy_(*context_.file, handle_);
    // A driver that lets go of its users at once has destroyed everything already (EIO).
    if (!destroyed && !context_.port.rnic->removed.load(std::memory_order_relaxed)) {
        context_.port.log.warn(
            "{}: the kernel does not destroy a {}: {}; it stays until the guest's user context "
            "ends",
            context_.port.guest, kind_, to_string(destroyed.error()));
    }
}

}  // namespace vrdma::uverbs
