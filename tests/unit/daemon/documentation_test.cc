// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The operator's page says of each limit what the code does.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>

#include "daemon/config.h"
#include "support/places.h"

namespace vrdma::daemon {
namespace {

std::string page() {
    const std::string path = test::in_source("docs/operations.md");
    std::ifstream stream(path);
    EXPECT_TRUE(stream) << path;
    return {std::istreambuf_iterator<char>(stream), {}};
}

// The rows of the tables below the heading "Limits": key to default.
std::map<std::string, std::string> limit_rows(const std::string& text) {
    std::map<std::string, std::string> rows;
    std::istringstream section(text.substr(text.find("\n## Limits\n") + 1));
    std::string line;
    std::getline(section, line);
    while (std::getline(section, line) && !line.starts_with("## ")) {
        if (!line.starts_with("| `")) {
            continue;
        }
        const size_t key_end = line.find("` | ");
        const size_t value_end = line.find(" |", key_end + 4);
        rows[line.substr(3, key_end - 3)] = line.substr(key_end + 4, value_end - key_end - 4);
    }
    return rows;
}

// "none", "10", "1 GiB".
uint64_t number_of(const std::string& text) {
    if (text == "none") {
        return 0;
    }
    std::istringstream stream(text);
    uint64_t number = 0;
    std::string unit;
    stream >> number >> unit;
    EXPECT_TRUE(unit.empty() || unit == "GiB" || unit == "TiB") << text;
    return number << (unit == "GiB" ? 30 : unit == "TiB" ? 40 : 0);
}

TEST(DocumentationTest, EachLimitIsInTheTableWithItsDefault) {
    const auto rows = limit_rows(page());
    for (const device::LimitKey& row : device::kLimitKeys) {
        const auto found = rows.find(row.key);
        ASSERT_NE(found, rows.end()) << row.key << " is not in docs/operations.md";
        EXPECT_EQ(number_of(found->second), device::Limits{}.*row.limit) << row.key;
    }
    EXPECT_EQ(rows.size(), std::size(device::kLimitKeys)) << "the page has keys that there are not";
}

TEST(DocumentationTest, TheExamplesOfLimitsAreConfigurationsThatWork) {
    std::string text = page();
    text = text.substr(text.find("\n## Limits\n"));
    const std::string fence = "```toml\n";
    const size_t begin = text.find(fence);
    ASSERT_NE(begin, std::string::npos);
    const size_t start = begin + fence.size();
    const Config config =
        parse_config(text.substr(start, text.find("```", start) - start), "operations.md");
    check_config(config);
    ASSERT_EQ(config.vms.size(), 2U);
    EXPECT_EQ(config.vms[0].limits.queue_pairs, 64U);
    EXPECT_EQ(config.vms[1].limits.queue_pairs, 1024U);
    EXPECT_EQ(config.vms[1].limits.weight, 4U);
}

}  // namespace
}  // namespace vrdma::daemon
