// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// vrdma-exporter: the figures of a running vrdmad for Prometheus, by HTTP.
#include <prometheus/exposer.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>

#include "exporter/collector.h"

namespace {

using vrdma::exporter::Collector;

// Systemd's journal takes standard error.
void say(const std::string& text) {
    std::fprintf(stderr, "vrdma-exporter: %s\n", text.c_str());
}

// Serves until a signal ends the program.  Throws std::exception when nothing can listen there.
void serve(const std::string& socket, const std::string& listen) {
    // Before there are threads, so that none of them takes the signals.
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ends, nullptr);

    const auto collector = std::make_shared<Collector>(socket, say);
    prometheus::Exposer exposer(listen);
    exposer.RegisterCollectable(collector);
    // The port is the kernel's choice for ADDRESS:0.
    const std::string address = listen.substr(0, listen.rfind(':') + 1);
    say("metrics of " + socket + " at http://" + address +
        std::to_string(exposer.GetListeningPorts().at(0)) + "/metrics");
    int signal = 0;
    sigwait(&ends, &signal);
}

int run(int argc, char** argv) {
    std::string socket = "/run/vrdma/control.sock";
    std::string listen = "127.0.0.1:9851";
    CLI::App app{
        "The figures of a running vrdmad for Prometheus, by HTTP.  Its user needs to be a reader "
        "of vrdmad's control socket ('control_group')."};
    app.set_version_flag("--version", "vrdma-exporter " VRDMA_VERSION);
    app.add_option("--socket", socket, "vrdmad's control socket (/run/vrdma/control.sock)")
        ->type_name("PATH");
    app.add_option("--listen", listen,
                   "where Prometheus finds /metrics; who reaches it sees the figures of all guests "
                   "(127.0.0.1:9851)")
        ->type_name("ADDRESS:PORT");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    try {
        serve(socket, listen);
    } catch (const std::exception& error) {
        say("cannot listen at " + listen + " (" + error.what() +
            "): --listen takes ADDRESS:PORT of this host that no other program has");
        return 1;
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "vrdma-exporter: %s\n", error.what());
        return 1;
    }
}
