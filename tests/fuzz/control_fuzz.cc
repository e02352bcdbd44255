// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Lines of a client of the control socket: each gets one line, or none, and the daemon's limits
// stay within their ranges.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "control/client.h"
#include "daemon/control/control.h"
#include "support/captured_log.h"
#include "support/fake_rnic.h"

namespace vrdma::daemon {
namespace {

// No input makes files: only the first guest gets a socket.
Equipment equip_first(const Config& config, const VmConfig& vm) {
    if (vm.name != "a") {
        throw std::runtime_error("there is no other socket");
    }
    return equip_here(config, vm);
}

// A daemon with one guest and no control socket, for all inputs.
struct Daemon {
    Daemon() {
        char pattern[] = "/tmp/vrdma-control-fuzz-XXXXXX";
        folder = ::mkdtemp(pattern);
        config.vms.emplace_back();
        config.vms.back().name = "a";
        config.vms.back().socket = folder / "a";
        server = std::make_unique<Server>(config, std::make_unique<device::FakeRnic>(), logger,
                                          equip_first, watcher_of(events));
        reloader = std::make_unique<Reloader>(
            "", [] { return Config(); }, config, *server, levels);
        control = std::make_unique<Control>(config, control::Permissions{}, *server, levels,
                                            *reloader, events);
    }
    ~Daemon() {
        control.reset();
        server.reset();
        std::filesystem::remove_all(folder);
    }
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;

    std::filesystem::path folder;
    std::shared_ptr<spdlog::logger> logger = test::silent_logger();
    Config config;
    LogLevels levels{logger->sinks().front(), spdlog::level::off};
    control::EventQueue events;
    std::unique_ptr<Server> server;
    std::unique_ptr<Reloader> reloader;
    std::unique_ptr<Control> control;
};

void check_answer(const std::string& answer) {
    if (answer.empty()) {
        return;
    }
    const auto document = nlohmann::json::parse(answer, nullptr, false);
    if (document.is_discarded() || answer.find('\n') != std::string::npos) {
        std::abort();
    }
}

void check_limits_of(const Server& server) {
    for (const Server::GuestLimits& guest : server.limits()) {
        for (const auto& limit : guest.limits) {
            for (const device::LimitKey& row : device::kLimitKeys) {
                if (std::string_view(row.key) == limit.key &&
                    (limit.limit < row.min_limit || limit.limit > row.max_limit)) {
                    std::abort();
                }
            }
        }
    }
}

}  // namespace
}  // namespace vrdma::daemon

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace vrdma;
    static daemon::Daemon daemon;
    // The first byte says who asks; the socket cuts lines, and never passes on a longer one.
    if (size == 0 || size > control::Client::kMaxLine) {
        return 0;
    }
    control::Session session{.access = (data[0] & 1) != 0 ? control::Access::kAdministrator
                                                          : control::Access::kReader};
    std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    while (!text.empty()) {
        const size_t end = text.find('\n');
        daemon::check_answer(daemon.control->dispatcher().answer(text.substr(0, end), session));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    daemon::check_limits_of(*daemon.server);
    return 0;
}
