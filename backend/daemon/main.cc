// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// vrdmad: serves vrdma devices to virtual machines over vhost-user.
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <exception>
#include <optional>

#include "daemon/capabilities.h"
#include "daemon/config.h"
#include "daemon/device_ioctls.h"
#include "daemon/reload.h"
#include "daemon/rnic_choice.h"
#include "daemon/seccomp_filter.h"
#include "daemon/server.h"
#include "daemon/service_manager.h"
#include "daemon/socket_owner.h"
#include "daemon/stop_limit.h"
#include "daemon/watchdog.h"

namespace {

using vrdma::daemon::Config;

struct Options {
    std::string config_file;
    std::vector<std::string> vms;
    std::string rnic;
    std::string log_level;
    std::string status_socket;
    std::string seccomp;
    std::optional<uint32_t> threads;
    std::optional<uint32_t> spin_us;
    bool check = false;
};

void define_options(CLI::App& app, Options& options) {
    app.set_version_flag("--version", "vrdmad " VRDMA_VERSION);
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
    app.add_option("--seccomp", options.seccomp,
                   "what becomes of system calls that serving guests needs not: on (refused), log "
                   "or off (on)")
        ->type_name("MODE")
        ->check(CLI::IsMember({"on", "log", "off"}));
    app.add_flag("--check", options.check, "check the configuration and the RNIC, and exit");
    app.footer("Options count over the file.  Documentation: docs/operations.md");
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
    config.seccomp = vrdma::daemon::parse_seccomp_mode(options.seccomp).value_or(config.seccomp);
    config.threads = options.threads.value_or(config.threads);
    config.spin_us = options.spin_us.value_or(config.spin_us);
    vrdma::daemon::check_config(config);
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

std::shared_ptr<spdlog::logger> make_logger(const Config& config) {
    auto logger = spdlog::stderr_logger_mt("vrdmad");
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%f%z %l %n: %v");
    logger->set_level(spdlog::level::from_str(config.log_level));
    logger->flush_on(spdlog::level::info);
    return logger;
}

int check(const Config& config) {
    for (const auto& vm : config.vms) {
        vrdma::daemon::socket_access(config, vm);
    }
    const auto rnic = vrdma::daemon::open_rnic(config, make_logger(config));
    std::printf("the configuration is valid: %zu virtual machine(s), RNIC '%s'\n",
                config.vms.size(), rnic->name().c_str());
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

// Gives the virtual machines the limits that the configuration has now.  A configuration with a
// mistake changes nothing.
void reload(const Options& options, Config& running, vrdma::daemon::Server& server,
            spdlog::logger& logger) {
    if (options.config_file.empty()) {
        // The signal of a terminal that goes away, too.
        logger.info("SIGHUP: there is no configuration file to read again (--config)");
        return;
    }
    Config wanted;
    try {
        wanted = effective_config(options);
        vrdma::daemon::check_limits(wanted);
    } catch (const std::exception& error) {
        logger.error("SIGHUP: nothing has changed: {}", error.what());
        return;
    }
    for (const std::string& sentence : vrdma::daemon::unchangeable(running, wanted)) {
        logger.warn("SIGHUP: {}", sentence);
    }
    server.set_limits(wanted);
    logger.info("SIGHUP: the limits are those of {} now", options.config_file);
}

int serve(const Options& options, Config config) {
    const auto logger = make_logger(config);

    // The signals are blocked before any thread exists, so that only sigwait() takes them.
    sigset_t signals;
    ::sigemptyset(&signals);
    ::sigaddset(&signals, SIGTERM);
    ::sigaddset(&signals, SIGINT);
    ::sigaddset(&signals, SIGHUP);
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit();
    const auto receivers = vrdma::daemon::Server::start_receivers(config);
    if (!vrdma::daemon::give_up_device_ioctls() && config.rnic != "embedded") {
        logger->info(
            "the kernel is older than Linux 6.10 or has no Landlock: a QEMU that its guest has "
            "taken over can issue verbs by the RNIC's files (docs/threat-model.md)");
    }
    if (vrdma::daemon::is_embedded(config)) {
        vrdma::daemon::keep_file_capabilities_only();
    }

    const vrdma::daemon::ServiceManager manager;
    vrdma::daemon::Server server(config, vrdma::daemon::open_rnic(config, logger), logger,
                                 receivers);
    restrict_system_calls(config, *logger);
    server.start();
    const vrdma::daemon::Watchdog watchdog(manager, [&] { server.wait_for_rnic_threads(); });
    manager.ready();
    logger->info("vrdmad " VRDMA_VERSION " serves {} virtual machine(s) with the RNIC '{}'",
                 config.vms.size(), config.rnic);
    int signal = 0;
    while (::sigwait(&signals, &signal) != 0 || signal == SIGHUP) {
        reload(options, config, server, *logger);
    }
    vrdma::daemon::end_within(vrdma::daemon::kStopLimit);
    manager.stopping();
    logger->info("stopping on {}", ::strsignal(signal));
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
        return options.check ? check(config) : serve(options, config);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "vrdmad: %s\n", error.what());
        return EXIT_FAILURE;
    }
}
