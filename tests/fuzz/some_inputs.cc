// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Runs a fuzz target on inputs of many lengths, the same in each run, where there is no libFuzzer:
// so that each build has the targets, and a target that fails at once is found.  The corpus of the
// target, which the first argument names if it ends in ".hex", is run as well.  With other
// arguments, the inputs are these files, as libFuzzer takes them.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

constexpr int kInputs = 400;
constexpr size_t kLongest = 4096;

std::vector<uint8_t> random_bytes(std::mt19937& random) {
    std::vector<uint8_t> bytes(random() % kLongest);
    // Small numbers pass more checks than those of all bits.
    const bool small = random() % 2 == 0;
    std::generate(bytes.begin(), bytes.end(),
                  [&] { return static_cast<uint8_t>(small ? random() % 8 : random()); });
    return bytes;
}

std::vector<uint8_t> read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// The inputs of a corpus: hexadecimal digits, one input a line (scripts/fuzz).
std::vector<std::vector<uint8_t>> read_corpus(const std::string& path) {
    std::vector<std::vector<uint8_t>> inputs;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("#")) {
            continue;
        }
        auto& input = inputs.emplace_back();
        for (size_t i = 0; i + 1 < line.size(); i += 2) {
            input.push_back(static_cast<uint8_t>(std::stoul(line.substr(i, 2), nullptr, 16)));
        }
    }
    return inputs;
}

}  // namespace

int main(int count, char** arguments) {
    if (count == 2 && std::string(arguments[1]).ends_with(".hex")) {
        const auto corpus = read_corpus(arguments[1]);
        for (const auto& input : corpus) {
            LLVMFuzzerTestOneInput(input.data(), input.size());
        }
        std::printf("%zu inputs of the corpus\n", corpus.size());
        count = 1;
    }
    for (int i = 1; i < count; ++i) {
        const auto bytes = read_file(arguments[i]);
        LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
    }
    if (count == 1) {
        std::mt19937 random(1);
        for (int i = 0; i < kInputs; ++i) {
            const auto bytes = random_bytes(random);
            LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
        }
        std::printf("%d inputs\n", kInputs);
    }
    return 0;
}
