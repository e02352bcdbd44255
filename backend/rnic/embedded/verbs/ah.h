// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <memory>

#include "rnic/embedded/contexts/ah_table.h"
#include "rnic/embedded/verbs/pd.h"
#include "rnic/embedded/verbs/port_services.h"
#include "rnic/rnic.h"
#include "state/device.pb.h"

namespace vrdma::embedded {

class Ah final : public rnic::AddressHandle {
  public:
    // EINVAL for a port or a source address that there is not, and when udata has no room for the
    // answer; ENOMEM.
    static Result<std::unique_ptr<Ah>> create(const PortServices& services, const Pd& pd,
                                              const rnic::AhAttributes& attributes,
                                              rnic::Udata& udata);
    // The address handle that save() wrote. EINVAL for what none can be, EEXIST for a number that
    // is another's; ENOMEM.
    static Result<std::unique_ptr<Ah>> restore(const PortServices& services, const Pd& pd,
                                               const state::Ah& saved);
    ~Ah() override;

    Result<void> save(state::Ah& ah) const override;

  private:
    Ah(const PortServices& services, const Pd& pd, const rnic::AhAttributes& attributes,
       rnic::LiveCount count);
    void take_number();

    const AddressVector address_;
    uint32_t number_ = 0;  // none
    GuestGate& gate_;
    AhTable& table_;
    rnic::LiveCount count_;
};

}  // namespace vrdma::embedded
