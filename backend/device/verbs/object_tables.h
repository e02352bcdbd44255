// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>

#include "device/objects/guest_budgets.h"
#include "device/objects/object_table.h"
#include "device/verbs/ah.h"
#include "device/verbs/cq.h"
#include "device/verbs/mr.h"
#include "device/verbs/mw.h"
#include "device/verbs/pd.h"
#include "device/verbs/qp.h"
#include "device/verbs/srq.h"
#include "device/verbs/ucma.h"
#include "device/verbs/ucontext.h"
#include "device/verbs/xrcd.h"
#include "result.h"
#include "rnic/rnic.h"

namespace vrdma::device {

// The tables of all objects that a guest holds.
struct ObjectTables {
    // `budgets` outlives the tables.
    ObjectTables(const rnic::DeviceAttributes& attributes, GuestBudgets& budgets);
    ObjectTables(const ObjectTables&) = delete;
    ObjectTables& operator=(const ObjectTables&) = delete;

    // The RNIC's side of the user context `uctx`; EINVAL when there is none.
    Result<rnic::Context*> context(uint32_t uctx);

    // Where an object is to be made that belongs to a protection domain.
    struct Place {
        rnic::Context* context = nullptr;
        PdObject* pd = nullptr;
        uint32_t handle = 0;
    };
    // A place in `table` and in the protection domain `pd` of the user context `uctx`.  Errors
    // of context(), ObjectTable::owned() and ObjectTable::reserve(), in this order.
    template <typename Object>
    Result<Place> place_in_pd(uint32_t uctx, uint32_t pd, ObjectTable<Object>& table);

    // The same for an object that is to have this very handle.  Errors of
    // ObjectTable::check_free() in place of reserve()'s.
    template <typename Object>
    Result<Place> place_in_pd(uint32_t uctx, uint32_t pd, ObjectTable<Object>& table,
                              uint32_t handle);

    // The domain of XRC, unless the guest has released it; null when there is none.
    XrcdObject* find_xrcd(uint32_t handle);

    // Destroys the released domains of XRC that nothing uses any more.
    void erase_released_xrcds();

    // Destroys all that the user context `uctx` owns, in the order of dependence.  What the device
    // itself owns is under VRDMA_NO_HANDLE.
    void erase_owned(uint32_t uctx);

    // An object depends only on objects of the tables above its own, so the order of destruction
    // is that of dependence.  Memory windows are last of what user contexts own: they may be
    // bound to queue pairs and memory regions.
    ObjectTable<UcontextObject> ucontexts;
    ObjectTable<XrcdObject> xrcds;
    ObjectTable<PdObject> pds;
    ObjectTable<MrObject> mrs;
    ObjectTable<AhObject> ahs;
    ObjectTable<CqObject> cqs;
    ObjectTable<SrqObject> srqs;
    ObjectTable<QpObject> qps;
    ObjectTable<MwObject> mws;
    ObjectTable<UcmaFileObject> ucma_files;
};

template <typename Object>
Result<ObjectTables::Place> ObjectTables::place_in_pd(uint32_t uctx, uint32_t pd,
                                                      ObjectTable<Object>& table) {
    auto context = this->context(uctx);
    if (!context) {
        return fail(context.error());
    }
    auto domain = pds.owned(uctx, pd);
    if (!domain) {
        return fail(domain.error());
    }
    auto handle = table.reserve();
    if (!handle) {
        return fail(handle.error());
    }
    return Place{.context = *context, .pd = *domain, .handle = *handle};
}

template <typename Object>
Result<ObjectTables::Place> ObjectTables::place_in_pd(uint32_t uctx, uint32_t pd,
                                                      ObjectTable<Object>& table, uint32_t handle) {
    auto context = this->context(uctx);
    if (!context) {
        return fail(context.error());
    }
    auto domain = pds.owned(uctx, pd);
    if (!domain) {
        return fail(domain.error());
    }
    if (auto free = table.check_free(handle); !free) {
        return fail(free.error());
    }
    return Place{.context = *context, .pd = *domain, .handle = handle};
}

}  // namespace vrdma::device
