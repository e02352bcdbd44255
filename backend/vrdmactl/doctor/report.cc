// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "vrdmactl/doctor/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace vrdma::doctor {
namespace {

// A log's line may have whatever somebody wrote; a terminal obeys control characters.
std::string printable(std::string text) {
    std::ranges::replace_if(
        text, [](unsigned char c) { return std::iscntrl(c) != 0; }, '?');
    return text;
}

}  // namespace

std::string to_text(const Findings& findings) {
    std::string text;
    for (const Finding& finding : findings) {
        text += fmt::format("{:<8} {}: {}\n", to_string(finding.level), printable(finding.what),
                            printable(finding.says));
        if (!finding.mend.empty()) {
            text += fmt::format("         -> {}\n", printable(finding.mend));
        }
    }
    return text;
}

nlohmann::json to_json(const Findings& findings) {
    nlohmann::json all = nlohmann::json::array();
    for (const Finding& finding : findings) {
        all.push_back(
            {{"what", finding.what},
             {"level", to_string(finding.level)},
             {"says", finding.says},
             {"mend", finding.mend.empty() ? nlohmann::json() : nlohmann::json(finding.mend)}});
    }
    return {{"findings", all}};
}

size_t count(const Findings& findings, Level level) {
    return static_cast<size_t>(std::ranges::count(findings, level, &Finding::level));
}

}  // namespace vrdma::doctor
