// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <memory>

#include "rnic/embedded/keys/key_space.h"
#include "rnic/embedded/keys/region.h"
#include "rnic/embedded/verbs/guest_gate.h"
#include "rnic/embedded/verbs/pd.h"
#include "rnic/embedded/verbs/quota.h"
#include "rnic/rnic.h"
#include "state/device.pb.h"

namespace vrdma::embedded {

class Mr final : public rnic::MemoryRegion {
  public:
    // EINVAL for a region that is empty, wraps or does not match its pieces, and for access rights
    // that IBTA 1.4, 11.2.7.1 does not allow together; EOPNOTSUPP for rights that are not offered;
    // ENOMEM.
    static Result<std::unique_ptr<Mr>> create(GuestGate& gate, Quota& quota, KeySpace& keys,
                                              const Pd& pd, rnic::MrAttributes attributes);
    // All memory of the port's guest. Errors as above.
    static Result<std::unique_ptr<Mr>> create_dma(GuestGate& gate, Quota& quota, KeySpace& keys,
                                                  const Pd& pd,
                                                  const rnic::DmaMrAttributes& attributes);
    // Without memory until work requests register some. EINVAL, ENOMEM.
    static Result<std::unique_ptr<Mr>> create_fast(GuestGate& gate, Quota& quota, KeySpace& keys,
                                                   const Pd& pd, rnic::FastMrAttributes attributes);
    // The region that save() wrote; `memory` is the guest's. EINVAL for what no region can be,
    // EFAULT when the guest does not have its memory, EEXIST for a key that is another's; ENOMEM.
    static Result<std::unique_ptr<Mr>> restore(GuestGate& gate, Quota& quota, KeySpace& keys,
                                               const Pd& pd, const state::Mr& saved,
                                               const memory::GuestMemory& memory);
    ~Mr() override;

    // EFAULT when some of the region is not the guest's memory.
    Result<void> save(state::Mr& mr) const override;

    uint32_t lkey() const override { return region_.first_key(); }
    uint32_t rkey() const override { return region_.first_key(); }

    Result<void> reregister(const rnic::MrChanges& changes, rnic::ProtectionDomain* pd,
                            rnic::MrAttributes attributes, rnic::Udata& udata) override;
    // EBUSY while memory windows are bound to the region (IBTA 1.4, 10.6.7.2.6).
    Result<void> deregister() override;

  private:
    template <typename Attributes>
    static Result<std::unique_ptr<Mr>> make(GuestGate& gate, Quota& quota, KeySpace& keys,
                                            const Pd& pd, Attributes attributes);
    // The same, in the table.
    template <typename Attributes>
    static Result<std::unique_ptr<Mr>> register_as(GuestGate& gate, Quota& quota, KeySpace& keys,
                                                   const Pd& pd, Attributes attributes);
    static Result<std::unique_ptr<Mr>> restore_region(GuestGate& gate, Quota& quota, KeySpace& keys,
                                                      const Pd& pd, const state::Mr& saved,
                                                      const memory::GuestMemory& memory);
    template <typename Attributes>
    Mr(GuestGate& gate, KeySpace& keys, const Pd& pd, Attributes attributes, rnic::LiveCount count);

    Region region_;
    GuestGate& gate_;
    KeySpace& keys_;
    rnic::LiveCount count_;
};

}  // namespace vrdma::embedded
