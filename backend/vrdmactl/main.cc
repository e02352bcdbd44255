// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// vrdmactl: sees and changes what a running vrdmad does, by its control socket.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <functional>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "vrdmactl/completion.h"
#include "vrdmactl/connection.h"
#include "vrdmactl/doctor/checks.h"
#include "vrdmactl/doctor/report.h"
#include "vrdmactl/dump.h"
#include "vrdmactl/libvirt/commands.h"
#include "vrdmactl/tables.h"
#include "vrdmactl/upgrade.h"

namespace {

using namespace vrdma::vrdmactl;
using nlohmann::json;

struct Options {
    std::string socket = "/run/vrdma/control.sock";
    bool json = false;
    std::string guest;
    std::vector<std::string> limits;         // KEY=VALUE
    std::vector<std::string> configuration;  // KEY=VALUE
    bool off = false;
    bool wait = false;
    std::optional<double> seconds;
    bool guest_doctor = false;
    std::string root = "/";
    std::string level;
    std::string subsystem;
    std::string script;
    bool follow = false;
    bool once = false;
    double interval = 2;  // seconds
    vrdma::libvirt::CommandOptions libvirt{};
};

const std::vector<Words>& completion_words() {
    static const std::vector<Words> kWords{
        {.type = "GUEST", .words = {}, .ask = "guests"},
        {.type = "SUBSYSTEM", .words = {}, .ask = "subsystems"},
        {.type = "LEVEL", .words = "trace debug info warning error critical off"},
        {.type = "SCRIPT", .words = "bash zsh"},
    };
    return kWords;
}

void print(const std::string& text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
}

std::string line_of(const json& document) {
    return document.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

// Calls a method and prints its result.
void call_and_print(const Options& options, const std::string& method, const json& parameters,
                    const std::function<std::string(const json&)>& text_of) {
    const json result = Connection(options.socket).call(method, parameters);
    print(options.json ? line_of(result) : text_of(result));
}

json parse_limits(const std::vector<std::string>& changes) {
    json limits = json::object();
    for (const std::string& change : changes) {
        const size_t equals = change.find('=');
        uint64_t value = 0;
        const char* end = change.data() + change.size();
        const auto [read, error] = std::from_chars(
            change.data() + (equals == std::string::npos ? change.size() : equals + 1), end, value);
        if (equals == std::string::npos || error != std::errc() || read != end) {
            throw Failure(kUsage, "'" + change +
                                      "' is no KEY=VALUE with an integer; write it as "
                                      "queue_pairs=512");
        }
        limits[change.substr(0, equals)] = value;
    }
    return limits;
}

std::vector<std::string> split(const std::string& text) {
    std::vector<std::string> parts;
    std::istringstream stream(text);
    for (std::string part; std::getline(stream, part, ',');) {
        parts.push_back(part);
    }
    return parts;
}

// A guest's keys as the file has them: 'gids' and 'pkeys' are lists, and integers are limits.
json parse_configuration(const std::vector<std::string>& pairs) {
    json configuration = json::object();
    for (const std::string& pair : pairs) {
        const size_t equals = pair.find('=');
        if (equals == std::string::npos || equals == 0) {
            throw Failure(
                kUsage, "'" + pair + "' is no KEY=VALUE; write it as socket=/run/vrdma/web1.sock");
        }
        const std::string key = pair.substr(0, equals);
        const std::string value = pair.substr(equals + 1);
        uint64_t number = 0;
        const char* const end = value.data() + value.size();
        const auto [read, error] = std::from_chars(value.data(), end, number);
        if (key == "gids" || key == "pkeys") {
            configuration[key] = split(value);
        } else if (key != "socket_user" && key != "socket_group" && key != "network" &&
                   error == std::errc() && read == end) {
            configuration["limits"][key] = number;
        } else {
            configuration[key] = value;
        }
    }
    return configuration;
}

void limits(const Options& options) {
    if (!options.limits.empty()) {
        call_and_print(options, "set_limits",
                       {{"guest", options.guest}, {"limits", parse_limits(options.limits)}},
                       limits_text);
        return;
    }
    const json parameters = options.guest.empty() ? json::object() : json{{"guest", options.guest}};
    call_and_print(options, "limits", parameters, limits_text);
}

// What the operator says about the addresses of one guest, or of all.
void addresses(const Options& options) {
    Connection connection(options.socket);
    std::vector<std::string> names{options.guest};
    if (options.guest.empty()) {
        names.clear();
        const json list = connection.call("list");
        for (const json& guest : list.at("guests")) {
            names.push_back(guest.at("name"));
        }
    }
    json guests = json::array();
    for (const std::string& name : names) {
        const json configuration = connection.call("show", {{"guest", name}}).at("configuration");
        json& guest = guests.emplace_back(json{{"name", name}});
        for (const char* key : {"mac", "network", "gids", "pkeys"}) {
            guest[key] = configuration.at(key);
        }
    }
    const json result{{"guests", guests}};
    print(options.json ? line_of(result) : addresses_text(result));
}

// Has a guest drained.  With --wait it returns when the guest has no objects; the daemon's events
// say when to look, so that nothing is asked for in between.
void drain(const Options& options) {
    using Clock = Connection::Clock;
    if (options.off && options.wait) {
        throw Failure(kUsage, "--wait goes without --off");
    }
    if (options.seconds && !options.wait) {
        throw Failure(kUsage, "--seconds goes with --wait");
    }
    std::optional<Clock::time_point> end;
    if (options.seconds) {
        end = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                 std::chrono::duration<double>(*options.seconds));
    }
    Connection connection(options.socket);
    if (options.wait) {
        connection.call("events", {{"follow", true}});  // before: none is missed
    }
    json guest = connection.call("drain", {{"guest", options.guest}, {"off", options.off}});
    while (options.wait && !objects_text(guest).empty()) {
        const auto event = connection.next_event_before(end);
        if (!event) {
            throw Failure(
                kRefused,
                fmt::format("the guest '{}' still has {} after {:g} seconds; it stays drained, and "
                            "'vrdmactl remove' takes that from it",
                            options.guest, objects_text(guest), options.seconds.value_or(0)));
        }
        if (event->value("guest", "") == options.guest) {
            guest = connection.call("show", {{"guest", options.guest}});
        }
    }
    print(options.json ? line_of(guest) : drain_text(guest));
}

void log_level(const Options& options) {
    if (options.level.empty() && !options.subsystem.empty()) {
        throw Failure(kUsage, "--subsystem goes with a LEVEL");
    }
    json parameters = json::object();
    if (!options.subsystem.empty()) {
        parameters["subsystem"] = options.subsystem;
    }
    if (options.level.empty()) {
        call_and_print(options, "log_level", parameters, log_level_text);
        return;
    }
    parameters["level"] = options.level;
    call_and_print(options, "set_log_level", parameters, log_level_text);
}

void events(const Options& options) {
    Connection connection(options.socket);
    const auto print_event = [&](const json& event) {
        print(options.json ? line_of(event) : event_text(event));
    };
    const json lately = connection.call("events", {{"follow", options.follow}});
    for (const json& event : lately.at("events")) {
        print_event(event);
    }
    while (options.follow) {
        print_event(connection.next_event());
    }
}

void top(const Options& options) {
    Connection connection(options.socket);
    const bool redraws = ::isatty(STDOUT_FILENO) == 1 && !options.once && !options.json;
    json before = connection.call("stats");
    for (;;) {
        std::this_thread::sleep_for(std::chrono::duration<double>(options.interval));
        const json after = connection.call("stats");
        if (options.json) {
            print(line_of(after));
        } else {
            // Home, and the rest of the screen erased (ECMA-48).
            print((redraws ? "\x1b[H\x1b[J" : "") + rates_text(before, after));
        }
        if (options.once) {
            return;
        }
        before = after;
    }
}

// In a virtual machine it is a script that looks, which the driver's package has.
void doctor_of_guest(const Options& options) {
    if (options.json) {
        throw Failure(kUsage, "--guest has no --json: the script writes text");
    }
    const std::filesystem::path script =
        vrdma::doctor::Host{.root = options.root}.path("/usr/bin/vrdma-doctor");
    ::execl(script.c_str(), script.c_str(), "--root", options.root.c_str(), nullptr);
    throw Failure(kRefused,
                  "doctor --guest: " + script.string() +
                      " cannot be run: it is of the package vrdma-dkms, which virtual machines "
                      "have; run 'vrdma-doctor' there");
}

vrdma::doctor::Findings findings(const Options& options) {
    vrdma::doctor::Host host{.root = options.root};
    try {
        Connection connection(options.socket);
        host.daemon = vrdma::doctor::Daemon{.pid = connection.peer(),
                                            .version = connection.call("version").at("version"),
                                            .stats = connection.call("stats")};
    } catch (const Failure& failure) {
        host.why_no_daemon = failure.what();
    }
    return vrdma::doctor::examine(host);
}

void doctor(const Options& options) {
    if (options.guest_doctor) {
        doctor_of_guest(options);
    }
    const auto found = findings(options);
    print(options.json ? line_of(vrdma::doctor::to_json(found)) : vrdma::doctor::to_text(found));
    if (const size_t errors = count(found, vrdma::doctor::Level::kError); errors != 0) {
        throw Failure(kRefused, "doctor: errors: " + std::to_string(errors) +
                                    "; the lines with '->' say what mends them");
    }
}

// Everything for a report of a fault, as JSON.
void dump(const Options& options) {
    Connection connection(options.socket);
    json document = collect_dump(connection);
    document["doctor"] = vrdma::doctor::to_json(findings(options)).at("findings");
    print(options.json ? line_of(document)
                       : document.dump(2, ' ', false, json::error_handler_t::replace) + "\n");
}

// Names for a shell, one a line.
void complete(const CLI::App& app, const Options& options) {
    if (options.script == "bash") {
        print(bash_completion(app, completion_words()));
    } else if (options.script == "zsh") {
        print(zsh_completion(app, completion_words()));
    } else if (options.script == "guests") {
        const json list = Connection(options.socket).call("list");
        for (const json& guest : list.at("guests")) {
            print(guest.at("name").get<std::string>() + "\n");
        }
    } else {
        const json levels = Connection(options.socket).call("log_level");
        for (const auto& [subsystem, level] : levels.at("subsystems").items()) {
            print(subsystem + "\n");
        }
    }
}

CLI::App* define_command(CLI::App& app, const char* name, const char* what,
                         std::function<void()> run) {
    CLI::App* defined = app.add_subcommand(name, what);
    defined->callback(std::move(run));
    return defined;
}

void define_libvirt_commands(CLI::App& app, Options& options) {
    auto& chosen = options.libvirt;
    const auto add_preload = [&](CLI::App* command) {
        command
            ->add_option("--preload", chosen.preload,
                         "libvrdma-qemu-preload.so, where it is not in QEMU's folder")
            ->type_name("PATH");
    };
    CLI::App* pieces =
        define_command(app, "libvirt-xml", "prints what a libvirt domain has to have for a guest",
                       [&] { vrdma::libvirt::print_xml(chosen, options.socket); });
    pieces->add_option("guest", chosen.guest, "its name")->type_name("GUEST")->required();
    pieces->add_option("--full", chosen.full, "prints a complete domain of this name")
        ->type_name("NAME");
    add_preload(pieces);

    const auto add_common = [&](CLI::App* command) {
        command->add_option("domain", chosen.domain, "the domain's name")
            ->type_name("DOMAIN")
            ->required();
        command->add_option("guest", chosen.guest, "the guest's name")
            ->type_name("GUEST")
            ->required();
        command->add_flag("--live", chosen.live, "the running domain, at once");
        command->add_flag("--config", chosen.config,
                          "the configuration, for the next start (unless --live is there)");
        command->add_flag("--dry-run", chosen.dry_run,
                          "prints the domain's XML as it would be, and changes nothing");
        command->add_option("--connect", chosen.uri, "libvirt's URI (qemu:///system)")
            ->type_name("URI")
            ->envname("LIBVIRT_DEFAULT_URI");
    };
    CLI::App* attached =
        define_command(app, "libvirt-attach", "gives a libvirt domain the device of a guest",
                       [&] { vrdma::libvirt::attach(chosen, options.socket, options.json); });
    add_common(attached);
    attached->add_flag("--prepare", chosen.prepare,
                       "adds what a later --live needs, and no device");
    add_preload(attached);
    add_common(define_command(
        app, "libvirt-detach", "takes the device of a guest, or of a socket's path, from a domain",
        [&] { vrdma::libvirt::detach(chosen, options.socket, options.json); }));
}

void define_commands(CLI::App& app, Options& options) {
    const auto command = [&](const char* name, const char* what, std::function<void()> run) {
        return define_command(app, name, what, std::move(run));
    };
    const auto plain = [&](const char* name, const char* what, const char* method,
                           std::string (*text)(const json&)) {
        command(name, what,
                [&options, method, text] { call_and_print(options, method, {}, text); });
    };
    plain("list", "the guests, and whether their VMMs are there", "list", list_text);
    command("show", "everything about one guest",
            [&] {
                call_and_print(options, "show", {{"guest", options.guest}}, show_text);
            })
        ->add_option("guest", options.guest, "its name")
        ->type_name("GUEST")
        ->required();
    plain("stats", "what each guest has, and has done", "stats", stats_text);

    CLI::App* live = command("top", "what each guest does, again and again", [&] { top(options); });
    live->add_flag("--once", options.once, "prints one table and ends");
    live->add_option("--interval", options.interval, "seconds between two looks (2)")
        ->type_name("SECONDS")
        ->check(CLI::Range(0.05, 86400.0));

    command("events", "what happened to guests lately", [&] {
        events(options);
    })->add_flag("--follow", options.follow, "goes on with what happens from now on");

    CLI::App* limited = command("limits", "limits and their use, or new limits for a guest",
                                [&] { limits(options); });
    limited->add_option("guest", options.guest, "its name")->type_name("GUEST");
    limited->add_option("limit", options.limits, "new limits, until the next reload or restart")
        ->type_name("KEY=VALUE");

    command("addresses", "the addresses that guests may use, as the configuration has them",
            [&] { addresses(options); })
        ->add_option("guest", options.guest, "its name")
        ->type_name("GUEST");

    CLI::App* level =
        command("log-level", "the log's levels, or a new one", [&] { log_level(options); });
    level->add_option("level", options.level, "trace, debug, info, warning, error, critical, off")
        ->type_name("LEVEL");
    level->add_option("--subsystem", options.subsystem, "of this subsystem alone")
        ->type_name("SUBSYSTEM");

    CLI::App* added =
        command("add", "has vrdmad serve a guest, until the next reload or restart", [&] {
            call_and_print(options, "add",
                           {{"guest", options.guest},
                            {"configuration", parse_configuration(options.configuration)}},
                           message_text);
        });
    added->add_option("name", options.guest, "its name")->type_name("NAME")->required();
    added
        ->add_option("key", options.configuration,
                     "keys of [[vm]]: socket=PATH, mac=MAC, gids=A,B ...; limits by their names")
        ->type_name("KEY=VALUE")
        ->required();
    command("remove", "disconnects a guest and serves it no more, until the next reload or restart",
            [&] {
                call_and_print(options, "remove", {{"guest", options.guest}}, message_text);
            })
        ->add_option("guest", options.guest, "its name")
        ->type_name("GUEST")
        ->required();
    CLI::App* drained =
        command("drain", "refuses a guest all that is new, while what it has goes on",
                [&] { drain(options); });
    drained->add_option("guest", options.guest, "its name")->type_name("GUEST")->required();
    drained->add_flag("--off", options.off, "ends that");
    drained->add_flag("--wait", options.wait, "returns when the guest has no objects any more");
    drained
        ->add_option("--seconds", options.seconds,
                     "how long --wait waits before it gives up with status 1 (for ever)")
        ->type_name("SECONDS")
        ->check(CLI::Range(0.0, 1e6));

    CLI::App* examined =
        command("doctor", "whether this host is fit for the guests that vrdmad has",
                [&] { doctor(options); });
    examined->add_option("--root", options.root, "looks at files below this folder (/)")
        ->type_name("PATH");
    examined->add_flag("--guest", options.guest_doctor,
                       "whether this machine is fit as a guest: runs vrdma-doctor");
    command("dump", "all that a report of a fault needs, as JSON", [&] { dump(options); });
    define_libvirt_commands(app, options);
    plain("reload", "has vrdmad read its configuration file again", "reload", reload_text);
    command("upgrade", "puts the installed vrdmad in the place of the one that runs", [&] {
        const json result = upgrade(options.socket);
        print(options.json ? line_of(result) : upgrade_text(result));
        if (const json& lost = result.at("lost"); !lost.empty()) {
            throw Failure(kRefused,
                          fmt::format("guests have lost what they had, and begin anew: {}; "
                                      "vrdmad's log says why",
                                      lost.dump()));
        }
    });
    plain("version", "the versions of this program and of vrdmad", "version", version_text);
    command("completion", "the script by which a shell completes commands",
            [&] { complete(app, options); })
        ->add_option("script", options.script, "for bash or zsh; or names: guests, subsystems")
        ->type_name("SCRIPT")
        ->required()
        ->check(CLI::IsMember({"bash", "zsh", "guests", "subsystems"}));
}

void define(CLI::App& app, Options& options) {
    app.set_version_flag("--version", "vrdmactl " VRDMA_VERSION);
    app.add_option("--socket", options.socket,
                   "vrdmad's control socket; also by the variable VRDMACTL_SOCKET "
                   "(/run/vrdma/control.sock)")
        ->type_name("PATH")
        ->envname("VRDMACTL_SOCKET");
    app.add_flag("--json", options.json, "prints what vrdmad answers, a JSON document a line");
    app.require_subcommand(1);
    app.fallthrough();
    define_commands(app, options);
    app.footer(
        "Exit status: 0 done, 1 refused by vrdmad, or an error that the doctor found, 2 a mistake "
        "in the command line, 3 vrdmad or "
        "libvirt is not reachable.  Documentation: docs/control.md, docs/libvirt.md");
}

}  // namespace

int main(int argc, char** argv) {
    try {
        CLI::App app("vrdmactl: sees and changes what a running vrdmad does", "vrdmactl");
        Options options;
        define(app, options);
        try {
            app.parse(argc, argv);
        } catch (const CLI::ParseError& error) {
            return app.exit(error) == 0 ? kDone : kUsage;
        }
        return kDone;
    } catch (const Failure& failure) {
        std::fprintf(stderr, "vrdmactl: %s\n", failure.what());
        return failure.status();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "vrdmactl: vrdmad's answer is not as expected: %s\n", error.what());
        return kRefused;
    }
}
