// SPDX-License-Identifier: Apache-2.0
#include "rnic/uverbs/kernel/supported_verbs.h"

#include <infiniband/verbs.h>

#include "rnic/uverbs/kernel/uverbs.h"

namespace vrdma::uverbs {
namespace {

// The kernel numbers objects from 0 upwards, and a context without objects has none anyway.
constexpr uint32_t kNoObject = 0xffffffff;

// The kernel answers EOPNOTSUPP before it looks at the request (uapi_finalize_disable).
bool has_verb(const Result<void>& executed) {
    return executed || executed.error() != Errno{EOPNOTSUPP};
}

}  // namespace

SupportedVerbs find_supported_verbs(UverbsFile& file) {
    ib_uverbs_rereg_mr rereg{};
    rereg.mr_handle = kNoObject;
    rereg.pd_handle = kNoObject;
    rereg.flags = IBV_REREG_MR_CHANGE_PD;
    ib_uverbs_rereg_mr_resp rereg_answer{};

    ib_uverbs_alloc_mw window{};
    window.pd_handle = kNoObject;
    window.mw_type = IBV_MW_TYPE_1;
    ib_uverbs_alloc_mw_resp window_answer{};

    ib_uverbs_resize_cq resize{};
    resize.cq_handle = kNoObject;
    resize.cqe = 1;
    ib_uverbs_resize_cq_resp resize_answer{};

    ib_uverbs_attach_mcast attach{};
    attach.qp_handle = kNoObject;

    return {
        .rereg_mr = has_verb(execute(file, IB_USER_VERBS_CMD_REREG_MR, rereg, rereg_answer)),
        .alloc_mw = has_verb(execute(file, IB_USER_VERBS_CMD_ALLOC_MW, window, window_answer)),
        .resize_cq = has_verb(execute(file, IB_USER_VERBS_CMD_RESIZE_CQ, resize, resize_answer)),
        .attach_mcast = has_verb(execute(file, IB_USER_VERBS_CMD_ATTACH_MCAST, attach)),
    };
}

}  // namespace vrdma::uverbs
