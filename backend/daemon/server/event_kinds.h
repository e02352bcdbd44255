// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The kinds of events that clients of the control socket hear of, in static storage.
// docs/control.md has them for clients.
#pragma once

#include <string_view>

namespace vrdma::daemon {

namespace event_kind {
// X(kName, name)
#define VRDMA_EVENT_KINDS(X)          \
    X(kConnected, "connected")        \
    X(kDisconnected, "disconnected")  \
    X(kReset, "reset")                \
    X(kRnicRemoved, "rnic_removed")   \
    X(kLimitReached, "limit_reached") \
    X(kAdded, "added")                \
    X(kRemoved, "removed")            \
    X(kDrained, "drained")            \
    X(kEmptied, "emptied")
#define VRDMA_ROW(name, text) inline constexpr std::string_view name = text;
VRDMA_EVENT_KINDS(VRDMA_ROW)
#undef VRDMA_ROW
}  // namespace event_kind

inline constexpr std::string_view kEventKinds[] = {
#define VRDMA_ROW(name, text) event_kind::name,
    VRDMA_EVENT_KINDS(VRDMA_ROW)
#undef VRDMA_ROW
};

}  // namespace vrdma::daemon
