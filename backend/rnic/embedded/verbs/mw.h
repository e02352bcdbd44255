// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <memory>

#include "rnic/embedded/contexts/port_context.h"
#include "rnic/embedded/keys/key_space.h"
#include "rnic/embedded/keys/window.h"
#include "rnic/embedded/verbs/guest_gate.h"
#include "rnic/embedded/verbs/pd.h"
#include "rnic/embedded/verbs/quota.h"
#include "rnic/rnic.h"
#include "state/device.pb.h"

namespace vrdma::embedded {

class Mw final : public rnic::MemoryWindow {
  public:
    // EINVAL for a type that there is not; ENOMEM.
    static Result<std::unique_ptr<Mw>> create(GuestGate& gate, Quota& quota, KeySpace& keys,
                                              const Pd& pd, uint8_t type);
    // The window that save() wrote. EINVAL for what no window can be, EEXIST for a key that is
    // another's; ENOMEM.
    static Result<std::unique_ptr<Mw>> restore(GuestGate& gate, Quota& quota, PortContext& port,
                                               const Pd& pd, const state::Mw& saved);
    ~Mw() override;

    Result<void> save(state::Mw& mw) const override;

    uint32_t rkey() const override { return window_.first_key(); }

  private:
    static Result<std::unique_ptr<Mw>> make(GuestGate& gate, Quota& quota, KeySpace& keys,
                                            const Pd& pd, uint32_t type);
    Mw(GuestGate& gate, KeySpace& keys, const Pd& pd, Window::Type type, rnic::LiveCount count);

    Window window_;
    GuestGate& gate_;
    KeySpace& keys_;
    rnic::LiveCount count_;
};

}  // namespace vrdma::embedded
