// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// A configuration is read or refused with a ConfigError; nothing else may happen.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "daemon/config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    try {
        vrdma::daemon::check_config(vrdma::daemon::parse_config(text, "fuzz"));
    } catch (const vrdma::daemon::ConfigError&) {
    }
    try {
        vrdma::daemon::parse_vm_option(std::string(text));
    } catch (const vrdma::daemon::ConfigError&) {
    }
    return 0;
}
