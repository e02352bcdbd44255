// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rate_limited_log.h>

namespace vrdma::device {

using vrdma::RateLimitedLog;

}  // namespace vrdma::device
