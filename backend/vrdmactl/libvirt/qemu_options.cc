// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "vrdmactl/libvirt/qemu_options.h"

#include <nlohmann/json.hpp>

namespace vrdma::libvirt {
namespace {

OptionProperties parse_json(const std::string& value) {
    const auto document = nlohmann::json::parse(value, nullptr, false);
    OptionProperties properties;
    if (!document.is_object()) {
        return properties;
    }
    for (const auto& [key, property] : document.items()) {
        // -device names its first word "driver" in JSON, and -chardev "backend".
        properties[key == "driver" || key == "backend" ? "" : key] =
            property.is_string() ? property.get<std::string>() : property.dump();
    }
    return properties;
}

void add_word(OptionProperties& properties, const std::string& word, bool first) {
    const size_t equals = word.find('=');
    if (equals != std::string::npos) {
        properties[word.substr(0, equals)] = word.substr(equals + 1);
    } else {
        properties[first ? "" : word] = first ? word : "on";
    }
}

}  // namespace

OptionProperties parse_option(const std::string& value) {
    if (value.starts_with('{')) {
        return parse_json(value);
    }
    OptionProperties properties;
    std::string word;
    bool first = true;
    for (size_t i = 0; i < value.size(); ++i) {
        if (value[i] != ',') {
            word += value[i];
        } else if (i + 1 < value.size() && value[i + 1] == ',') {
            word += value[i++];
        } else {
            add_word(properties, word, first);
            word.clear();
            first = false;
        }
    }
    add_word(properties, word, first);
    return properties;
}

std::string escape_commas(const std::string& value) {
    std::string escaped;
    for (const char c : value) {
        escaped += c == ',' ? ",," : std::string(1, c);
    }
    return escaped;
}

}  // namespace vrdma::libvirt
