// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <CLI/App.hpp>
#include <string>
#include <vector>

namespace vrdma::vrdmactl {

// What may stand for an option's or a parameter's type: words, or a word of `vrdmactl completion`
// that asks the daemon.
struct Words {
    std::string type;   // as the help shows it
    std::string words;  // separated by spaces
    std::string ask{};  // instead of words
};

// The scripts that have a shell complete the program's commands and options, made of what the
// program itself reads.
std::string bash_completion(const CLI::App& app, const std::vector<Words>& words);
std::string zsh_completion(const CLI::App& app, const std::vector<Words>& words);

}  // namespace vrdma::vrdmactl
