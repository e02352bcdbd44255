// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "rnic/uverbs/kernel/uverbs_file.h"

namespace vrdma::uverbs {

// Which of the verbs that a driver need not have this one has.
struct SupportedVerbs {
    bool rereg_mr = false;
    bool alloc_mw = false;
    bool resize_cq = false;
    bool attach_mcast = false;
};

// Asks the kernel, by commands that name no object.  `file` has a user context.
SupportedVerbs find_supported_verbs(UverbsFile& file);

}  // namespace vrdma::uverbs
