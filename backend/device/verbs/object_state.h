// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The objects of a guest as a state that travels to the daemon's successor (state/device.proto).
// Each kind's part is in the kind's own file.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "device/verbs/verbs.h"
#include "memory/guest_memory.h"
#include "state/device.pb.h"
#include "state/files.h"

namespace vrdma::device {

// What saving an object needs.
struct Saving {
    state::FilesToSend& files;
    // The handles of objects that others refer to, by address.
    std::unordered_map<const void*, uint32_t> handles{};

    uint32_t handle_of(const void* object) const { return handles.at(object); }
};

// What making an object again needs.
struct Restoring {
    Verbs& verbs;
    state::ReceivedFiles& files;
    const memory::GuestMemory& memory;

    ObjectTables& objects() const { return verbs.objects(); }
};

// Write what the guest has and what the RNIC has behind it.  Errors of the RNIC's save().
Result<void> save_objects(Verbs& verbs, state::Session& session, state::FilesToSend& files);
Result<void> save(Saving& saving, UcontextObject& object, state::Context& state);
Result<void> save(Saving& saving, XrcdObject& object, state::Xrcd& state);
Result<void> save(Saving& saving, PdObject& object, state::Pd& state);
Result<void> save(Saving& saving, MrObject& object, state::Mr& state);
Result<void> save(Saving& saving, AhObject& object, state::Ah& state);
Result<void> save(Saving& saving, CqObject& object, state::Cq& state);
Result<void> save(Saving& saving, SrqObject& object, state::Srq& state);
Result<void> save(Saving& saving, QpObject& object, state::Qp& state);
Result<void> save(Saving& saving, MwObject& object, state::Mw& state);
Result<void> save(Saving& saving, UcmaFileObject& object, state::UcmaFile& state);

// Make everything again, with the same handles, in tables that are empty.  Errors of the RNIC's
// restore functions; EINVAL and EEXIST for handles that do not fit.  What has been made stays.
Result<void> restore_objects(Restoring& restoring, const state::Session& session);
Result<void> restore(Restoring& restoring, const state::Context& state);
Result<void> restore(Restoring& restoring, const state::Xrcd& state);
Result<void> restore(Restoring& restoring, const state::Pd& state);
Result<void> restore(Restoring& restoring, const state::Mr& state);
Result<void> restore(Restoring& restoring, const state::Ah& state);
Result<void> restore(Restoring& restoring, const state::Cq& state);
Result<void> restore(Restoring& restoring, const state::Srq& state);
Result<void> restore(Restoring& restoring, const state::Qp& state);
Result<void> restore(Restoring& restoring, const state::Mw& state);
Result<void> restore(Restoring& restoring, const state::UcmaFile& state);

state::MemoryCharge to_state(const MemoryCharge& charge);
MemoryUse from_state(const state::MemoryCharge& charge);

}  // namespace vrdma::device
