// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// vrdmad: serves vrdma devices to virtual machines over vhost-user.
#include <fmt/format.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <stdexcept>
#include <utility>

#include "daemon/config.h"
#include "daemon/confinement/capabilities.h"
#include "daemon/confinement/device_ioctls.h"
#include "daemon/confinement/seccomp_filter.h"
#include "daemon/control/control.h"
#include "daemon/equipment/broker.h"
#include "daemon/equipment/socket_owner.h"
#include "daemon/hand_over/hand_over_socket.h"
#include "daemon/hand_over/inheritance.h"
#include "daemon/hand_over/stored_guests.h"
#include "daemon/logging/journal_sink.h"
#include "daemon/logging/log_levels.h"
#include "daemon/rnic/rnic_choice.h"
#include "daemon/server/reload.h"
#include "daemon/server/server.h"
#include "daemon/service/service_manager.h"
#include "daemon/service/stop_limit.h"
#include "daemon/service/watchdog.h"
#include "daemon/version.h"

namespace {

using vrdma::daemon::Config;

struct Options {
    std::string config_file;
    std::vector<std::string> vms;
    std::string rnic;
    std::string log_level;
    std::string status_socket;
    std::optional<std::string> control_socket;
    std::string seccomp;
    std::optional<uint32_t> threads;
    std::optional<uint32_t> spin_us;
    bool check = false;
    bool take_over = false;
};

void define_options(CLI::App& app, Options& options) {
    app.set_version_flag("--version", fmt::format("vrdmad {}", vrdma::daemon::version()));
    app.add_option("-c,--config", options.config_file, "TOML file with the configuration")
        ->type_name("FILE");
    app.add_option("--vm", options.vms,
                   "a virtual machine: socket=PATH[,name=NAME][,mac=MAC][,network=NAME]"
                   "[,socket_user=USER][,socket_group=GROUP]; may be repeated")
        ->type_name("VM")
        ->delimiter('\0');
    app.add_option("--rnic", options.rnic,
                   "RNIC that the virtual machines share: embedded, or one of this host's "
                   "(see 'rdma link') (embedded)")
        ->type_name("NAME");
    app.add_option("--threads", options.threads, "threads of the embedded RNIC (1)")
        ->check(CLI::Range(1, 256));
    app.add_option("--spin-us", options.spin_us,
                   "microseconds that threads look for work before they sleep (50)")
        ->check(CLI::Range(0, 1000000));
    app.add_option("--log-level", options.log_level,
                   "trace, debug, info, warning, error, critical or off")
        ->type_name("LEVEL");
    app.add_option("--status-socket", options.status_socket,
                   "Unix socket that answers with the daemon's state as JSON")
        ->type_name("PATH");
    app.add_option("--control-socket", options.control_socket,
                   "Unix socket by which vrdmactl sees and changes what the daemon does")
        ->type_name("PATH");
    app.add_option("--seccomp", options.seccomp,
                   "what becomes of system calls that serving guests needs not: on (refused), log "
                   "or off (on)")
        ->type_name("MODE")
        ->check(CLI::IsMember({"on", "log", "off"}));
    app.add_flag(
        "--check", options.check,
        "check the configuration and the RNIC, and exit; with --take-over also whether this "
        "vrdmad understands what the other one's guests have");
    app.add_flag("--take-over", options.take_over,
                 "take the guests over from the vrdmad that has this control socket, which then "
                 "ends");
    app.footer("Options count over the file.  Documentation: docs/operations.md");
}

// Where the control socket is if the operator does not say: beside the sockets of a service
// (systemd.exec(5), RuntimeDirectory=), and nowhere without one.
std::filesystem::path default_control_socket() {
    // A list with colons; nobody changes the environment.  NOLINTNEXTLINE(concurrency-mt-unsafe)
    const char* folders = std::getenv("RUNTIME_DIRECTORY");
    if (folders == nullptr || *folders == '\0') {
        return {};
    }
    const std::string_view all(folders);
    return std::filesystem::path(all.substr(0, all.find(':'))) / "control.sock";
}

Config effective_config(const Options& options) {
    Config config;
    if (!options.config_file.empty()) {
        config = vrdma::daemon::read_config(options.config_file);
    }
    for (const auto& vm : options.vms) {
        config.vms.push_back(vrdma::daemon::parse_vm_option(vm, config.limits));
    }
    if (!options.rnic.empty()) {
        config.rnic = options.rnic;
    }
    if (!options.log_level.empty()) {
        config.log_level = options.log_level;
    }
    if (!options.status_socket.empty()) {
        config.status_socket = options.status_socket;
    }
    if (options.control_socket) {
        config.control_socket = *options.control_socket;
    } else if (!config.control_socket) {
        config.control_socket = default_control_socket();
    }
    config.seccomp = vrdma::daemon::parse_seccomp_mode(options.seccomp).value_or(config.seccomp);
    config.threads = options.threads.value_or(config.threads);
    config.spin_us = options.spin_us.value_or(config.spin_us);
    using vrdma::daemon::Reloadable;
    vrdma::daemon::check_config(config,
                                options.config_file.empty() ? Reloadable::kNo : Reloadable::kYes);
    return config;
}

// A queue may cost two descriptors, so that the default limit of 1024 is soon used up.
void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &limit);
    }
}

vrdma::daemon::LogLevels make_loggers(const Config& config) {
    // check_config() took the level.
    return {vrdma::daemon::make_log_sink(),
            vrdma::daemon::parse_log_level(config.log_level).value()};
}

// Asks the vrdmad that has this control socket for its guests.
vrdma::daemon::Inheritance ask_predecessor(const Config& config) {
    if (!config.control_socket || config.control_socket->empty()) {
        throw std::runtime_error(
            "--take-over finds the other vrdmad by its control socket: give --control-socket");
    }
    return vrdma::daemon::Inheritance(vrdma::daemon::hand_over_path(*config.control_socket));
}

int check(const Options& options, const Config& config) {
    for (const auto& vm : config.vms) {
        vrdma::daemon::socket_access(config, vm);
    }
    vrdma::daemon::control_permissions(config);
    const auto rnic = vrdma::daemon::open_rnic(config, make_loggers(config).logger("rnic"));
    std::printf("the configuration is valid: %zu virtual machine(s), RNIC '%s'\n",
                config.vms.size(), rnic->name().c_str());
    if (options.take_over) {
        vrdma::daemon::Inheritance inheritance = ask_predecessor(config);
        inheritance.leave();
        const auto& machines = inheritance.state().machines();
        const auto guests = std::ranges::count_if(
            machines, [](const auto& machine) { return machine.has_device(); });
        std::printf("the guests of vrdmad %s can be taken over: %td with a VMM now\n",
                    inheritance.state().version().c_str(), guests);
    }
    return EXIT_SUCCESS;
}

// Everything that needs more than serving guests does is done before.
void restrict_system_calls(const Config& config, spdlog::logger& logger) {
    using vrdma::daemon::SeccompMode;
    vrdma::daemon::install_seccomp_filter(
        config.seccomp, vrdma::daemon::is_embedded(config) ? vrdma::daemon::SeccompSet::kEmbedded
                                                           : vrdma::daemon::SeccompSet::kHostRnic);
    if (config.seccomp == SeccompMode::kOff) {
        logger.warn(
            "there is no seccomp filter: a guest that takes vrdmad over has every system "
            "call; leave 'seccomp' out of the configuration");
    }
}

// What the vrdmad before this one has left with the service manager, or has and the operator wants.
std::optional<vrdma::daemon::Inheritance> inherit(const Options& options, const Config& config,
                                                  vrdma::daemon::ServiceManager& manager,
                                                  spdlog::logger& logger) {
    const auto stored = vrdma::daemon::take_stored_guests(manager);
    if (stored.valid()) {
        try {
            return std::make_optional<vrdma::daemon::Inheritance>(stored);
        } catch (const std::runtime_error& error) {
            logger.error("{}", error.what());
        }
    }
    if (!options.take_over) {
        return std::nullopt;
    }
    return std::make_optional<vrdma::daemon::Inheritance>(ask_predecessor(config));
}

// A vrdmad without that socket serves its guests as well, and they are lost at its end.
void open_hand_over(std::optional<vrdma::daemon::HandOverSocket>& socket,
                    const std::filesystem::path& control_socket, vrdma::daemon::Server& server,
                    const std::shared_ptr<spdlog::logger>& logger) {
    try {
        socket.emplace(vrdma::daemon::hand_over_path(control_socket), server, logger);
    } catch (const std::exception& error) {
        logger->warn("no other vrdmad can take the guests over: {}", error.what());
    }
}

int serve(const Options& options, const Config& config) {
    vrdma::daemon::LogLevels levels = make_loggers(config);
    const auto logger = levels.logger("daemon");
    const auto permissions = vrdma::daemon::control_permissions(config);

    // The signals are blocked before any thread exists, so that only sigwait() takes them.
    sigset_t signals;
    ::sigemptyset(&signals);
    ::sigaddset(&signals, SIGTERM);
    ::sigaddset(&signals, SIGINT);
    ::sigaddset(&signals, SIGHUP);
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit();
    vrdma::daemon::Broker broker(config);
    const bool files_travel = config.hand_over || !vrdma::daemon::give_up_device_ioctls();
    vrdma::daemon::FilesThatTravel travel{.uverbs = files_travel};
    if (files_travel && !vrdma::daemon::is_embedded(config)) {
        travel.cm_writer = vrdma::daemon::start_cm_writer(config);
        logger->info(
            "{}: a QEMU that its guest has taken over can issue verbs by the RNIC's files "
            "(docs/threat-model.md)",
            config.hand_over ? "hand_over = true in [rnic]"
                             : "the kernel is older than Linux 6.10 or has no Landlock");
    }
    if (vrdma::daemon::is_embedded(config)) {
        vrdma::daemon::keep_file_capabilities_only();
    }

    vrdma::daemon::ServiceManager manager;
    vrdma::control::EventQueue events;
    auto rnic = vrdma::daemon::open_rnic(config, levels.logger("rnic"), std::move(travel));
    // As late as can be: the guests stand still from here until the server has them.
    std::optional<vrdma::daemon::Inheritance> inheritance =
        inherit(options, config, manager, *logger);
    vrdma::daemon::Server server(
        config, std::move(rnic), {logger, levels.logger("device"), levels.logger("vhost")},
        [&](const Config& of, const vrdma::daemon::VmConfig& vm) {
            auto inherited = inheritance ? inheritance->equipment(of, vm) : std::nullopt;
            return inherited ? std::move(*inherited) : broker.equip(of, vm);
        },
        vrdma::daemon::watcher_of(events));
    if (inheritance) {
        server.restore(inheritance->state(), inheritance->files());
        inheritance->take();
        inheritance.reset();
    }
    server.open_status_socket();
    vrdma::daemon::Reloader reloader(
        options.config_file, [&options] { return effective_config(options); }, config, server,
        levels);
    const vrdma::daemon::Control control(config, permissions, server, levels, reloader, events);
    std::optional<vrdma::daemon::HandOverSocket> hand_over;
    if (config.control_socket && !config.control_socket->empty()) {
        open_hand_over(hand_over, *config.control_socket, server, logger);
    }
    restrict_system_calls(config, *logger);
    server.start();
    const vrdma::daemon::Watchdog watchdog(manager, [&] { server.wait_for_rnic_threads(); });
    manager.ready();
    logger->info("vrdmad {} serves {} virtual machine(s) with the RNIC '{}'",
                 vrdma::daemon::version(), config.vms.size(), config.rnic);
    if (config.vms.empty()) {
        logger->info("it waits for them: 'vrdmactl add', or a [[vm]] in the file and a reload");
    }
    int signal = 0;
    while (::sigwait(&signals, &signal) != 0 || signal == SIGHUP) {
        reloader.reload("SIGHUP");
    }
    manager.stopping();
    logger->info("stopping on {}", ::strsignal(signal));
    if (signal == SIGTERM && vrdma::daemon::store_guests(server, manager, *logger)) {
        logger->info("the service manager has the guests; this vrdmad ends");
        logger->flush();
        // Nothing is to be freed: all of it is the next one's.
        std::_Exit(EXIT_SUCCESS);
    }
    vrdma::daemon::end_within(vrdma::daemon::kStopLimit);
    return EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        CLI::App app("vrdmad: RDMA for virtual machines without SR-IOV, the host daemon");
        Options options;
        define_options(app, options);
        CLI11_PARSE(app, argc, argv);
        const Config config = effective_config(options);
        return options.check ? check(options, config) : serve(options, config);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "vrdmad: %s\n", error.what());
        return EXIT_FAILURE;
    }
}
