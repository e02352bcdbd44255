// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// docs/control.md says of each method, event and error what the code has.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "control_fixture.h"
#include "support/places.h"

namespace vrdma::daemon {
namespace {

std::string page() {
    const std::string path = test::in_source("docs/control.md");
    std::ifstream stream(path);
    EXPECT_TRUE(stream) << path;
    return {std::istreambuf_iterator<char>(stream), {}};
}

// The rows of the table below a heading, by their first cells: the other cells.
std::map<std::string, std::vector<std::string>> rows_below(const std::string& heading) {
    const std::string text = page();
    const size_t begin = text.find("\n## " + heading + "\n");
    EXPECT_NE(begin, std::string::npos) << heading;
    std::map<std::string, std::vector<std::string>> rows;
    std::istringstream section(text.substr(begin + 4));
    for (std::string line; std::getline(section, line) && !line.starts_with("## ");) {
        if (!line.starts_with("| ") || line.starts_with("|---")) {
            continue;
        }
        std::vector<std::string> cells;
        std::istringstream row(line.substr(1));
        for (std::string cell; std::getline(row, cell, '|');) {
            const size_t first = cell.find_first_not_of(" `");
            const size_t last = cell.find_last_not_of(' ');
            cells.push_back(first == std::string::npos ? "" : cell.substr(first, last - first + 1));
        }
        std::string key = cells.front();
        if (key.ends_with('`')) {
            key.pop_back();
        }
        cells.erase(cells.begin());
        rows[key] = cells;
    }
    return rows;
}

std::string parameters_of(const control::Method& method) {
    std::string text;
    for (const control::Parameter& parameter : method.parameters) {
        text += (text.empty() ? "" : "; `") + std::string(parameter.name) +
                "`: " + std::string(to_string(parameter.type)) +
                (parameter.required ? ", required" : "");
    }
    return text;
}

using ControlPageTest = ControlTest;

TEST_F(ControlPageTest, HasEachMethodWithWhoMayAndItsParameters) {
    serve();
    auto rows = rows_below("Methods");
    rows.erase("method");
    for (const control::Method& method : control_->dispatcher().methods()) {
        ASSERT_TRUE(rows.contains(std::string(method.name))) << method.name;
        const auto& cells = rows[std::string(method.name)];
        EXPECT_EQ(cells.at(0), to_string(method.access)) << method.name;
        EXPECT_EQ(cells.at(1), parameters_of(method)) << method.name;
    }
    EXPECT_EQ(rows.size(), control_->dispatcher().methods().size());
}

TEST_F(ControlPageTest, HasEachEvent) {
    auto rows = rows_below("Events");
    rows.erase("event");
    for (const std::string_view kind : kEventKinds) {
        EXPECT_TRUE(rows.contains(std::string(kind))) << kind;
    }
    EXPECT_EQ(rows.size(), std::size(kEventKinds));
}

TEST_F(ControlPageTest, HasEachError) {
    auto rows = rows_below("Errors");
    rows.erase("code");
    const std::map<int, std::string> errors{
#define VRDMA_ROW(name, code, what) {code, what},
        VRDMA_CONTROL_ERRORS(VRDMA_ROW)
#undef VRDMA_ROW
    };
    for (const auto& [code, what] : errors) {
        ASSERT_TRUE(rows.contains(std::to_string(code))) << code;
        EXPECT_TRUE(rows[std::to_string(code)].at(0).starts_with(what)) << code;
    }
    EXPECT_EQ(rows.size(), errors.size());
}

}  // namespace
}  // namespace vrdma::daemon
