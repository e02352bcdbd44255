// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "device/verbs/object_state.h"

#include <algorithm>
#include <vector>

namespace vrdma::device {
namespace {

template <typename Object, typename Add>
Result<void> save_table(Saving& saving, ObjectTable<Object>& table, const Add& add) {
    std::vector<uint32_t> handles = table.handles();
    std::ranges::sort(handles);
    for (const uint32_t handle : handles) {
        Object& object = *table.find(handle);
        saving.handles.emplace(&object, handle);
        auto* state = add();
        state->set_handle(handle);
        if constexpr (requires { state->set_uctx(object.uctx); }) {
            state->set_uctx(object.uctx);
        }
        if (auto saved = save(saving, object, *state); !saved) {
            return saved;
        }
    }
    return {};
}

template <typename States>
Result<void> restore_all(Restoring& restoring, const States& states) {
    for (const auto& state : states) {
        if (auto restored = restore(restoring, state); !restored) {
            return restored;
        }
    }
    return {};
}

}  // namespace

Result<void> save_objects(Verbs& verbs, state::Session& session, state::FilesToSend& files) {
    ObjectTables& tables = verbs.objects();
    Saving saving{.files = files};
    Result<void> saved = verbs.port().save(*session.mutable_port(), files);
    const auto save = [&](auto& table, const auto& add) {
        if (saved) {
            saved = save_table(saving, table, add);
        }
    };
    save(tables.ucontexts, [&] { return session.add_contexts(); });
    save(tables.xrcds, [&] { return session.add_xrcds(); });
    save(tables.pds, [&] { return session.add_pds(); });
    save(tables.mrs, [&] { return session.add_mrs(); });
    save(tables.ahs, [&] { return session.add_ahs(); });
    save(tables.cqs, [&] { return session.add_cqs(); });
    save(tables.srqs, [&] { return session.add_srqs(); });
    save(tables.qps, [&] { return session.add_qps(); });
    save(tables.mws, [&] { return session.add_mws(); });
    save(tables.ucma_files, [&] { return session.add_ucma_files(); });
    verbs.mappings().save(session);
    return saved;
}

Result<void> restore_objects(Restoring& restoring, const state::Session& session) {
    Result<void> restored = restoring.verbs.port().restore(session.port(), restoring.files);
    const auto restore = [&](const auto& states) {
        if (restored) {
            restored = restore_all(restoring, states);
        }
    };
    restore(session.contexts());
    restore(session.xrcds());
    restore(session.pds());
    restore(session.mrs());
    restore(session.ahs());
    restore(session.cqs());
    restore(session.srqs());
    restore(session.qps());
    restore(session.mws());
    restore(session.ucma_files());
    if (!restored) {
        return restored;
    }
    for (const state::Mapping& mapping : session.mappings()) {
        if (auto context = restoring.objects().context(mapping.uctx()); !context) {
            return fail(context.error());
        }
    }
    if (session.has_unclaimed_mapping()) {
        const uint32_t uctx = session.unclaimed_mapping().uctx();
        if (uctx != VRDMA_NO_HANDLE && !restoring.objects().context(uctx)) {
            return fail(EINVAL);
        }
    }
    return restoring.verbs.mappings().restore(session);
}

state::MemoryCharge to_state(const MemoryCharge& charge) {
    state::MemoryCharge state;
    state.set_bytes(charge.bytes.amount());
    state.set_runs(charge.runs.amount());
    return state;
}

MemoryUse from_state(const state::MemoryCharge& charge) {
    return {.bytes = charge.bytes(), .runs = charge.runs()};
}

}  // namespace vrdma::device
