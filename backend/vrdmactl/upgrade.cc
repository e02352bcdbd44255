// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "vrdmactl/upgrade.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string_view>
#include <system_error>
#include <utility>

#include "file_descriptor.h"
#include "vrdmactl/connection.h"

namespace vrdma::vrdmactl {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

struct Outcome {
    bool good = false;
    std::string said;  // on both of its streams
};

// Runs a program to its end, in `folder`.  Throws Failure when it cannot be started.
Outcome run(const std::vector<std::string>& words, const fs::path& folder) {
    int fds[2];
    if (::pipe2(fds, O_CLOEXEC) != 0) {
        throw Failure(kRefused, fmt::format("{}: {}", words.front(), std::strerror(errno)));
    }
    const FileDescriptor ours(fds[0]);
    FileDescriptor theirs(fds[1]);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, theirs.get(), STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, theirs.get(), STDERR_FILENO);
    ::posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
    std::vector<char*> arguments;
    std::ranges::transform(words, std::back_inserter(arguments),
                           [](const std::string& word) { return const_cast<char*>(word.c_str()); });
    arguments.push_back(nullptr);
    pid_t process = 0;
    const int failed =
        ::posix_spawnp(&process, arguments.front(), &actions, nullptr, arguments.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    theirs.reset();
    if (failed != 0) {
        throw Failure(kRefused, fmt::format("{} cannot be started: {}", words.front(),
                                            std::strerror(failed)));
    }
    Outcome outcome;
    char part[4096];
    for (ssize_t got; (got = ::read(ours.get(), part, sizeof(part))) > 0;) {
        outcome.said.append(part, static_cast<size_t>(got));
    }
    int status = -1;
    ::waitpid(process, &status, 0);
    outcome.good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    while (outcome.said.ends_with('\n')) {
        outcome.said.pop_back();
    }
    return outcome;
}

// A link below /proc/PID.
fs::path link_of(pid_t process, std::string_view name) {
    std::error_code error;
    fs::path target = fs::read_symlink(fmt::format("/proc/{}/{}", process, name), error);
    if (error) {
        throw Failure(kRefused, fmt::format("vrdmad's process {}: {}; root may look at it", process,
                                            error.message()));
    }
    return target;
}

// proc_pid_cmdline(5), without the words that upgrade() says itself.
std::vector<std::string> arguments_of(pid_t process) {
    std::ifstream file(fmt::format("/proc/{}/cmdline", process));
    std::vector<std::string> words;
    for (std::string word; std::getline(file, word, '\0');) {
        words.push_back(word);
    }
    constexpr std::string_view kSocket = "--control-socket";
    std::vector<std::string> kept;
    for (size_t i = 1; i < words.size(); ++i) {
        if (words[i] == kSocket) {
            ++i;  // and its value
        } else if (words[i] != "--take-over" && !words[i].starts_with(std::string(kSocket) + "=")) {
            kept.push_back(words[i]);
        }
    }
    return kept;
}

// The unit whose main process this is (proc_pid_cgroup(5): "0::/system.slice/vrdmad.service").
std::string unit_of(pid_t process) {
    std::ifstream file(fmt::format("/proc/{}/cgroup", process));
    for (std::string line; std::getline(file, line);) {
        std::string name = fs::path(line.substr(line.rfind(':') + 1)).filename();
        if (!name.ends_with(".service")) {
            continue;
        }
        const Outcome asked = run({"systemctl", "show", "-P", "MainPID", name}, "/");
        if (asked.good && asked.said == std::to_string(process)) {
            return name;
        }
    }
    return "";
}

std::vector<std::string> connected_guests(Connection& connection) {
    std::vector<std::string> names;
    for (const json& guest : connection.call("list").at("guests")) {
        if (guest.at("connected").get<bool>()) {
            names.push_back(guest.at("name"));
        }
    }
    return names;
}

// What each vrdmad of the upgrade is started with.
std::vector<std::string> command_of(const RunningDaemon& daemon, const std::string& socket) {
    std::vector<std::string> words{daemon.program.string()};
    std::ranges::copy(daemon.arguments, std::back_inserter(words));
    words.insert(words.end(), {"--control-socket", fs::absolute(socket).string(), "--take-over"});
    return words;
}

}  // namespace

RunningDaemon RunningDaemon::find(pid_t process) {
    // The kernel's word for a file that another one has taken the place of.
    constexpr std::string_view kReplaced = " (deleted)";
    std::string program = link_of(process, "exe").string();
    if (program.ends_with(kReplaced)) {
        program.resize(program.size() - kReplaced.size());
    }
    return {.process = process,
            .program = program,
            .arguments = arguments_of(process),
            .folder = link_of(process, "cwd"),
            .unit = unit_of(process)};
}

json upgrade(const std::string& socket) {
    Connection before(socket);
    const json from = before.call("version");
    const RunningDaemon daemon = RunningDaemon::find(before.peer());
    std::vector<std::string> words = command_of(daemon, socket);
    words.emplace_back("--check");
    if (const Outcome checked = run(words, daemon.folder); !checked.good) {
        throw Failure(kRefused,
                      fmt::format("{} cannot go on with the guests: {}; nothing has changed",
                                  daemon.program.string(), checked.said));
    }
    if (daemon.unit.empty()) {
        words.pop_back();
        throw Failure(
            kRefused,
            fmt::format("{} can go on with the guests; no unit of systemd has started the "
                        "vrdmad that runs, so start the next one yourself: {}",
                        daemon.program.string(), fmt::join(words, " ")));
    }
    std::vector<std::string> lost = connected_guests(before);
    if (const Outcome restarted = run({"systemctl", "restart", daemon.unit}, "/");
        !restarted.good) {
        throw Failure(kRefused, fmt::format("'systemctl restart {0}' has failed: {1}; 'journalctl "
                                            "-u {0}' says why",
                                            daemon.unit, restarted.said));
    }
    const json to = Connection(socket).call("version");
    const json taken = to.value("taken_over", json(nullptr));
    const json guests = taken.is_null() ? json::array() : taken.at("guests");
    std::erase_if(lost, [&](const std::string& name) {
        return std::ranges::find(guests, json(name)) != guests.end();
    });
    return {{"from", from.at("version")},
            {"to", to.at("version")},
            {"guests", guests},
            {"lost", lost},
            {"stood_still_ms", taken.is_null() ? json(nullptr) : taken.at("stood_still_ms")}};
}

}  // namespace vrdma::vrdmactl
