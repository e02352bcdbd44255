// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Attributes of objects in the state that a successor gets (state/device.proto).
#pragma once

#include <optional>
#include <string>

#include "rnic/attributes.h"
#include "state/device.pb.h"

namespace vrdma::rnic {

void save_path(const AhAttributes& attributes, state::Path& path);
// None when a number is larger than the attribute can be, or an address has another length.
std::optional<AhAttributes> restore_path(const state::Path& path);

// The states are those of `attributes`.
void save_attributes(const QpAttributes& attributes, state::QpAttributes& saved);
// As restore_path().
std::optional<QpAttributes> restore_attributes(const state::QpAttributes& saved);

std::string save_gid(const Gid& gid);
// None when it has another length.
std::optional<Gid> restore_gid(const std::string& gid);

}  // namespace vrdma::rnic
