// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The device, its port and its tables.
#include <algorithm>
#include <iterator>

#include "device/request/wire.h"
#include "device/verbs/verbs.h"

namespace vrdma::device::verb {

Result<void> query_device(Verbs& verbs, Call& call, const vrdma_cmd_empty&,
                          vrdma_rsp_query_device& response) {
    if (!call.udata.out.empty()) {
        if (auto answered = verbs.port().query_device(call.udata); !answered) {
            return answered;
        }
    }
    const ObjectTables& objects = verbs.objects();
    rnic::DeviceAttributes attributes = verbs.attributes();
    attributes.max_pd = objects.pds.limit();
    attributes.max_mr = objects.mrs.limit();
    attributes.max_mw = attributes.has_mw ? objects.mws.limit() : 0;
    attributes.max_cq = objects.cqs.limit();
    attributes.max_srq = attributes.has_srq ? objects.srqs.limit() : 0;
    attributes.max_qp = objects.qps.limit();
    attributes.max_ah = objects.ahs.limit();
    if (!attributes.has_mcast) {
        attributes.max_mcast_grp = attributes.max_mcast_qp_attach = 0;
    }
    to_wire(attributes, response);
    return {};
}

Result<void> query_port(Verbs& verbs, Call&, const vrdma_cmd_query_port& request,
                        vrdma_rsp_query_port& response) {
    if (le32toh(request.port) != rnic::kGuestPort) {
        return fail(EINVAL);
    }
    to_wire(verbs.port().query_port(), response);
    return {};
}

Result<void> query_ib_port(Verbs& verbs, Call&, const vrdma_cmd_query_port& request,
                           vrdma_rsp_query_ib_port& response) {
    if (le32toh(request.port) != rnic::kGuestPort) {
        return fail(EINVAL);
    }
    const rnic::PortAttributes attributes = verbs.port().query_port();
    response.lid = htole16(attributes.lid);
    response.sm_lid = htole16(attributes.sm_lid);
    response.lmc = attributes.lmc;
    response.sm_sl = attributes.sm_sl;
    response.subnet_timeout = attributes.subnet_timeout;
    response.init_type_reply = attributes.init_type_reply;
    response.max_vl_num = attributes.max_vl_num;
    return {};
}

Result<void> query_gid(Verbs& verbs, Call&, const vrdma_cmd_query_table& request,
                       vrdma_rsp_query_gid& response) {
    if (le32toh(request.port) != rnic::kGuestPort) {
        return fail(EINVAL);
    }
    const auto gid = verbs.port().query_gid(le32toh(request.index));
    if (!gid) {
        return fail(gid.error());
    }
    std::ranges::copy(*gid, std::begin(response.gid));
    return {};
}

Result<void> query_pkey(Verbs& verbs, Call&, const vrdma_cmd_query_table& request,
                        vrdma_rsp_query_pkey& response) {
    if (le32toh(request.port) != rnic::kGuestPort) {
        return fail(EINVAL);
    }
    const auto pkey = verbs.port().query_pkey(le32toh(request.index));
    if (!pkey) {
        return fail(pkey.error());
    }
    response.pkey = htole16(*pkey);
    return {};
}

Result<void> query_counters(Verbs& verbs, Call&, const vrdma_cmd_query_port& request,
                            vrdma_rsp_query_counters& response) {
    static_assert(std::size(vrdma_rsp_query_counters{}.value) == VRDMA_MAX_COUNTERS);
    static_assert(VRDMA_COUNTER_COUNT <= VRDMA_MAX_COUNTERS);
    if (le32toh(request.port) != rnic::kGuestPort) {
        return fail(EINVAL);
    }
    const auto counters = verbs.port().query_counters();
    if (!counters) {
        return fail(counters.error());
    }
    std::ranges::transform(*counters, std::begin(response.value),
                           [](uint64_t value) { return htole64(value); });
    return {};
}

Result<void> add_gid(Verbs& verbs, Call&, const vrdma_cmd_gid& request, vrdma_rsp_empty&) {
    if (le32toh(request.port) != rnic::kGuestPort) {
        return fail(EINVAL);
    }
    rnic::Gid gid;
    std::ranges::copy(request.gid, gid.begin());
    return verbs.port().add_gid(le32toh(request.index), gid, le32toh(request.type),
                                le16toh(request.vlan));
}

Result<void> del_gid(Verbs& verbs, Call&, const vrdma_cmd_gid& request, vrdma_rsp_empty&) {
    if (le32toh(request.port) != rnic::kGuestPort) {
        return fail(EINVAL);
    }
    return verbs.port().del_gid(le32toh(request.index));
}

Result<void> query_udata_pointer(Verbs& verbs, Call&, const vrdma_cmd_query_udata_pointer& request,
                                 vrdma_rsp_query_udata_pointer& response) {
    const auto pointers = verbs.udata_pointers();
    const uint32_t index = le32toh(request.index);
    response.count = htole32(static_cast<uint32_t>(pointers.size()));
    if (index < pointers.size()) {
        response.pointer = pointers[index];
    }
    return {};
}

}  // namespace vrdma::device::verb
