// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace vrdma::doctor {

enum class Level { kOk, kWarning, kError };

constexpr std::string_view to_string(Level level) {
    return level == Level::kOk ? "ok" : level == Level::kWarning ? "warning" : "error";
}

// What one look at the host has found.
struct Finding {
    std::string what;  // a noun: "KVM"
    Level level = Level::kOk;
    std::string says;  // what is so
    std::string mend;  // the command that mends it; empty if it is ok
};
using Findings = std::vector<Finding>;

inline Finding ok(std::string what, std::string says) {
    return {std::move(what), Level::kOk, std::move(says), ""};
}
inline Finding warning(std::string what, std::string says, std::string mend) {
    return {std::move(what), Level::kWarning, std::move(says), std::move(mend)};
}
inline Finding error(std::string what, std::string says, std::string mend) {
    return {std::move(what), Level::kError, std::move(says), std::move(mend)};
}

}  // namespace vrdma::doctor
