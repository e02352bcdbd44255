// SPDX-License-Identifier: Apache-2.0
#include "daemon/rnic_choice.h"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <string>

#include "rnic/embedded/embedded_rnic.h"

namespace vrdma::daemon {
namespace {

constexpr const char* kEmbedded = "embedded";
constexpr const char* kHostRnics = "/sys/class/infiniband";

std::string host_rnics() {
    std::string names;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(kHostRnics, error)) {
        names += (names.empty() ? "" : ", ") + entry.path().filename().string();
    }
    return names.empty() ? "none" : names;
}

}  // namespace

void check_rnic(const Config& config) {
    if (config.rnic == kEmbedded) {
        return;
    }
    if (std::filesystem::exists(std::filesystem::path(kHostRnics) / config.rnic)) {
        throw ConfigError(fmt::format(
            "the RNIC '{}' is one of this host's, and this version of vrdmad cannot share those "
            "yet; there is '{}'",
            config.rnic, kEmbedded));
    }
    throw ConfigError(fmt::format("unknown RNIC '{}'; there is '{}'; RNICs of this host ({}): {}",
                                  config.rnic, kEmbedded, kHostRnics, host_rnics()));
}

std::unique_ptr<rnic::Rnic> open_rnic(const Config& config,
                                      std::shared_ptr<spdlog::logger> logger) {
    check_rnic(config);
    embedded::EmbeddedConfig embedded;
    embedded.name = config.rnic;
    embedded.threads = config.threads;
    embedded.spin = std::chrono::microseconds(config.spin_us);
    return embedded::make_embedded_rnic(embedded, std::move(logger));
}

}  // namespace vrdma::daemon
