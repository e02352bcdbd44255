// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// docs/spec.md and common/ say the same.  Commands and features are compared from their table,
// structures and events as text.  The compiler has asserted the sizes already.
#include <gtest/gtest.h>
#include <vrdma_check.h>

#include <fstream>
#include <map>
#include <regex>
#include <sstream>
#include <string>

#include "support/places.h"

namespace {

std::string read_file(const std::string& name) {
    std::ifstream stream(vrdma::test::in_source(name));
    EXPECT_TRUE(stream.good()) << name;
    std::ostringstream text;
    text << stream.rdbuf();
    return text.str();
}

const std::string& document() {
    static const std::string kText = read_file("docs/spec.md");
    return kText;
}

std::string headers() {
    return read_file("common/vrdma_protocol.h") + read_file("common/vrdma_commands.h") +
           read_file("common/vrdma_doorbell.h") + read_file("common/vrdma_udata.h") +
           read_file("common/vrdma_iw_cm.h") + read_file("common/vrdma_kernel.h") +
           read_file("common/vrdma_ucma.h");
}

// All that `pattern` finds: the number in the group `value` by the text in the group `key`.
std::map<std::string, unsigned long> numbers(const std::string& text, const std::string& pattern,
                                             int key, int value) {
    std::map<std::string, unsigned long> result;
    const std::regex expression(pattern, std::regex::ECMAScript | std::regex::multiline);
    for (auto it = std::sregex_iterator(text.begin(), text.end(), expression);
         it != std::sregex_iterator(); ++it) {
        EXPECT_TRUE(result.emplace((*it)[key], std::stoul((*it)[value], nullptr, 0)).second)
            << (*it)[key] << " appears twice";
    }
    EXPECT_FALSE(result.empty()) << pattern;
    return result;
}

// Structure definitions by name, without comments, in one spelling of white space.
std::map<std::string, std::string> structures(const std::string& text) {
    const std::string bare = std::regex_replace(text, std::regex(R"(/\*(?:[^*]|\*(?!/))*\*/)"), "");
    std::map<std::string, std::string> result;
    const std::regex expression(R"(struct (\w+) \{([^}]*)\};)");
    for (auto it = std::sregex_iterator(bare.begin(), bare.end(), expression);
         it != std::sregex_iterator(); ++it) {
        std::string body = std::regex_replace((*it)[2].str(), std::regex("\\s+"), " ");
        EXPECT_TRUE(result.emplace((*it)[1], body).second) << (*it)[1] << " is defined twice";
    }
    EXPECT_FALSE(result.empty());
    return result;
}

TEST(SpecTest, OpcodesAgree) {
    const std::map<std::string, unsigned long> table = {
#define VRDMA_ROW(NAME, name, opcode, request, response, feature, flags) {#NAME, opcode},
        VRDMA_COMMANDS(VRDMA_ROW)
#undef VRDMA_ROW
#define VRDMA_ROW(NAME, opcode) {#NAME, opcode},
            VRDMA_RESERVED_COMMANDS(VRDMA_ROW)
#undef VRDMA_ROW
    };
    EXPECT_EQ(table, numbers(document(), "^\\| (0x[0-9a-f]+) \\| (\\w+) \\|", 2, 1));
}

// The structures of each command and the feature that it needs.
TEST(SpecTest, CommandsAgree) {
    std::string table;
#define VRDMA_ROW(NAME, name, opcode, request, response, feature, flags) \
    table.append("\n" #NAME " " #request " " #response " ")              \
        .append(uint32_t{feature} == VRDMA_NO_FEATURE ? "" : #feature);
    VRDMA_COMMANDS(VRDMA_ROW)
#undef VRDMA_ROW
    std::string written;
    const std::regex row(R"(^\| 0x[0-9a-f]+ \| (\w+) \| (vrdma_\w+) \| (vrdma_\w+) \| (\w*) ?\|$)",
                         std::regex::ECMAScript | std::regex::multiline);
    for (auto it = std::sregex_iterator(document().begin(), document().end(), row);
         it != std::sregex_iterator(); ++it) {
        const std::smatch& match = *it;
        for (size_t column = 1; column <= 4; ++column) {
            written.append(column == 1 ? "\n" : " ").append(match[column].str());
        }
    }
    EXPECT_EQ(table, written);
}

TEST(SpecTest, FeatureBitsAgree) {
    const std::map<std::string, unsigned long> table = {
#define VRDMA_ROW(name, bit, attribute) {#name, bit},
        VRDMA_FEATURES(VRDMA_ROW)
#undef VRDMA_ROW
    };
    EXPECT_EQ(table, numbers(document(), "^\\| ([0-9]+) \\| (VRDMA_F_\\w+) \\|", 2, 1));
}

TEST(SpecTest, EventTypesAgree) {
    EXPECT_EQ(numbers(headers(), "VRDMA_EVENT_(\\w+)\\s*= ([0-9]+)", 1, 2),
              numbers(document(), "^\\| ([0-9]+) \\| ((?!VRDMA_)[A-Z_]+) \\|", 2, 1));
}

TEST(SpecTest, SizesAgree) {
    EXPECT_EQ(numbers(read_file("common/vrdma_check.h"),
                      R"(^VRDMA_ASSERT_SIZE\((\w+), ([0-9]+)\);)", 1, 2),
              numbers(document(), "^\\| (vrdma_\\w+) \\| ([0-9]+) \\|$", 1, 2));
}

TEST(SpecTest, StructuresAgree) {
    EXPECT_EQ(structures(headers()), structures(document()));
}

TEST(SpecTest, EveryStructureHasItsSizeAsserted) {
    const auto asserted = numbers(read_file("common/vrdma_check.h"),
                                  R"(^VRDMA_ASSERT_SIZE\((\w+), ([0-9]+)\);)", 1, 2);
    for (const auto& [name, body] : structures(headers())) {
        EXPECT_TRUE(asserted.contains(name)) << name;
    }
}

TEST(SpecTest, EveryRequestHasItsCheck) {
    const std::string checks = read_file("common/vrdma_check.h");
    for (const auto& [name, body] : structures(headers())) {
        if (name.starts_with("vrdma_cmd_")) {
            EXPECT_NE(checks.find(name + "_valid("), std::string::npos) << name;
        }
    }
}

TEST(CheckTest, RangeThatWrapsIsInvalid) {
    EXPECT_TRUE(vrdma_range_valid(0, 1));
    EXPECT_TRUE(vrdma_range_valid(UINT64_MAX, 1));
    EXPECT_TRUE(vrdma_range_valid(1, UINT64_MAX));
    EXPECT_FALSE(vrdma_range_valid(UINT64_MAX, 2));
    EXPECT_FALSE(vrdma_range_valid(2, UINT64_MAX));
    EXPECT_FALSE(vrdma_range_valid(5, 0));
}

TEST(CheckTest, SharedMemoryRangeMustBeWholePages) {
    EXPECT_TRUE(vrdma_shm_range_valid(4096, 8192));
    EXPECT_FALSE(vrdma_shm_range_valid(1, 4096));
    EXPECT_FALSE(vrdma_shm_range_valid(4096, 100));
}

TEST(CheckTest, ResponseWithAnErrorNeedsItsHeaderOnly) {
    vrdma_rsp_hdr header{.status = 0, .length = 24, .udata_len = 8, .reserved = 0};
    EXPECT_TRUE(vrdma_rsp_hdr_valid(&header, 24, 8));
    EXPECT_FALSE(vrdma_rsp_hdr_valid(&header, 32, 8));
    EXPECT_FALSE(vrdma_rsp_hdr_valid(&header, 24, 4));
    header.status = 22;
    EXPECT_TRUE(vrdma_rsp_hdr_valid(&header, 32, 8));
    header.status = 4096;
    EXPECT_FALSE(vrdma_rsp_hdr_valid(&header, 24, 8));
}

}  // namespace
