// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// docs/tracing.md says of each probe that the program has.
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "support/places.h"

namespace vrdma::daemon {
namespace {

// The names behind "Name:" in what readelf(1) says of the program's notes.
std::set<std::string> probes_of_program() {
    FILE* const pipe = ::popen((std::string("readelf --notes ") + test::kVrdmad).c_str(), "r");
    std::set<std::string> names;
    std::array<char, 512> line{};
    while (std::fgets(line.data(), line.size(), pipe) != nullptr) {
        std::istringstream words(line.data());
        std::string key;
        std::string name;
        if (words >> key >> name && key == "Name:") {
            names.insert(name);
        }
    }
    EXPECT_EQ(::pclose(pipe), 0) << "readelf is in the package binutils";
    return names;
}

// The first cells of the page's table.
std::set<std::string> probes_of_page() {
    const std::string path = test::in_source("docs/tracing.md");
    std::ifstream page(path);
    EXPECT_TRUE(page) << path;
    std::set<std::string> names;
    for (std::string line; std::getline(page, line);) {
        if (line.starts_with("| `")) {
            names.insert(line.substr(3, line.find('`', 3) - 3));
        }
    }
    return names;
}

TEST(ProbesTest, TheTracingPageHasEachProbeOfTheProgram) {
#ifndef VRDMA_PROBES
    GTEST_SKIP() << "this build has no probes";
#endif
    const auto probes = probes_of_program();
    EXPECT_TRUE(probes.contains("verb__done"));
    EXPECT_EQ(probes, probes_of_page());
}

}  // namespace
}  // namespace vrdma::daemon
