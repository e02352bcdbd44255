// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "daemon/server/reload.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <exception>
#include <utility>

namespace vrdma::daemon {
namespace {

void stays(std::vector<std::string>& sentences, bool changed, const std::string& what) {
    if (changed) {
        sentences.push_back(
            fmt::format("{} cannot change while vrdmad runs and stays as it was; restart vrdmad "
                        "to have it changed",
                        what));
    }
}

// ": a, b" behind what happened to them, or nothing.
std::string names(const char* what, const std::vector<std::string>& names) {
    return names.empty() ? "" : fmt::format("; {}: {}", what, fmt::join(names, ", "));
}

}  // namespace

std::vector<std::string> unchangeable(const Config& running, const Config& wanted) {
    std::vector<std::string> sentences;
    stays(sentences, running.socket_mode != wanted.socket_mode, "'socket_mode' in [daemon]");
    stays(sentences, running.seccomp != wanted.seccomp, "'seccomp' in [daemon]");
    stays(sentences, running.status_socket != wanted.status_socket, "'status_socket' in [daemon]");
    stays(sentences, running.control_socket != wanted.control_socket,
          "'control_socket' in [daemon]");
    stays(sentences,
          running.control_group != wanted.control_group ||
              running.control_admin_group != wanted.control_admin_group,
          "who may use the control socket");
    stays(sentences,
          running.rnic != wanted.rnic || running.threads != wanted.threads ||
              running.spin_us != wanted.spin_us || running.port != wanted.port ||
              running.gid_index != wanted.gid_index || running.announce != wanted.announce ||
              running.accept_obstacle != wanted.accept_obstacle ||
              running.hand_over != wanted.hand_over,
          "[rnic]");
    stays(sentences, running.memory != wanted.memory, "[memory]");
    stays(sentences, running.peers != wanted.peers, "the list of [[peer]] entries");
    return sentences;
}

Reloader::Reloader(std::string file, std::function<Config()> read, Config running, Server& server,
                   LogLevels& levels)
    : file_(std::move(file)),
      read_(std::move(read)),
      server_(server),
      levels_(levels),
      logger_(levels.logger("daemon")),
      running_(std::move(running)) {}

Reloader::Outcome Reloader::reload(std::string_view why) {
    const std::lock_guard lock(mutex_);
    Outcome outcome = take();
    for (const std::string& sentence : outcome.unchanged) {
        logger_->warn("{}: {}", why, sentence);
    }
    if (!outcome.taken && !file_.empty()) {
        logger_->error("{}: {}", why, outcome.sentence);
    } else {
        logger_->info("{}: {}", why, outcome.sentence);
    }
    return outcome;
}

Reloader::Outcome Reloader::take() {
    if (file_.empty()) {
        // SIGHUP is the signal of a terminal that goes away, too.
        return {.sentence = "there is no configuration file to read again (--config)",
                .unchanged = {}};
    }
    Config wanted;
    Server::Changes changes;
    try {
        wanted = read_();
        changes = server_.serve(wanted);
    } catch (const std::exception& error) {
        return {.sentence = fmt::format("nothing has changed: {}", error.what()), .unchanged = {}};
    }
    if (wanted.log_level != running_.log_level) {
        levels_.set_all(parse_log_level(wanted.log_level).value());  // check_config() took it
        running_.log_level = wanted.log_level;
    }
    running_.limits = wanted.limits;
    return {.taken = true,
            .sentence =
                fmt::format("the virtual machines and limits are those of {} now{}{}{}", file_,
                            names("new", changes.added), names("gone", changes.removed),
                            names("disconnected, to come back with what changed", changes.renewed)),
            .unchanged = unchangeable(running_, wanted),
            .changes = changes};
}

device::Limits Reloader::default_limits() const {
    const std::lock_guard lock(mutex_);
    return running_.limits;
}

}  // namespace vrdma::daemon
