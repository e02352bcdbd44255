// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Results of the control socket for people.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace vrdma::vrdmactl {

// Rows below a head, in columns.  A column of numbers is aligned to the right.
std::string table(const std::vector<std::string>& head,
                  const std::vector<std::vector<std::string>>& rows);

// "1.5 GiB".
std::string bytes(uint64_t count);

// The result of each method as text.
std::string list_text(const nlohmann::json& result);
std::string show_text(const nlohmann::json& result);
std::string stats_text(const nlohmann::json& result);
std::string limits_text(const nlohmann::json& result);
std::string addresses_text(const nlohmann::json& result);
std::string log_level_text(const nlohmann::json& result);
std::string reload_text(const nlohmann::json& result);
std::string message_text(const nlohmann::json& result);
std::string drain_text(const nlohmann::json& result);
// What a guest has, by its figures: counts and kinds; empty for no objects.
std::string objects_text(const nlohmann::json& guest);
std::string version_text(const nlohmann::json& result);
std::string upgrade_text(const nlohmann::json& result);
std::string event_text(const nlohmann::json& event);

// What the guests did between two results of `stats`.
std::string rates_text(const nlohmann::json& before, const nlohmann::json& after);

}  // namespace vrdma::vrdmactl
