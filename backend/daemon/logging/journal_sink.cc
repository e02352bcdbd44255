// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "daemon/logging/journal_sink.h"

#include <endian.h>
#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syslog.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <system_error>
#include <utility>

#include "daemon/logging/log_levels.h"
#include "log_fields.h"

namespace vrdma::daemon {
namespace {

int priority_of(spdlog::level::level_enum level) {
    switch (level) {
        case spdlog::level::critical:
            return LOG_CRIT;
        case spdlog::level::err:
            return LOG_ERR;
        case spdlog::level::warn:
            return LOG_WARNING;
        case spdlog::level::info:
            return LOG_INFO;
        default:
            return LOG_DEBUG;
    }
}

// One field, in the form for values of any bytes: a line feed in a value begins no other field.
void append(std::string& entry, std::string_view name, std::string_view value) {
    const uint64_t size = htole64(value.size());
    entry += name;
    entry += '\n';
    entry.append(reinterpret_cast<const char*>(&size), sizeof(size));
    entry += value;
    entry += '\n';
}

void append_known(std::string& entry, std::string_view name, std::string_view value) {
    if (!value.empty()) {
        append(entry, name, value);
    }
}

std::string_view view(const spdlog::string_view_t& text) {
    return {text.data(), text.size()};
}

}  // namespace

JournalSink::JournalSink(std::filesystem::path journal, std::string identifier,
                         spdlog::sink_ptr otherwise)
    : journal_(std::move(journal)),
      identifier_(std::move(identifier)),
      otherwise_(std::move(otherwise)),
      socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    if (!socket_.valid()) {
        throw std::system_error(errno, std::generic_category(), "a socket for the journal");
    }
}

void JournalSink::log(const spdlog::details::log_msg& line) {
    const LogFields& fields = LogScope::fields();
    const std::string_view logger = view(line.logger_name);
    const std::string message = logger == identifier_
                                    ? std::string(view(line.payload))
                                    : fmt::format("{}: {}", logger, view(line.payload));
    std::string entry;
    append(entry, "MESSAGE", message);
    append(entry, "PRIORITY", std::to_string(priority_of(line.level)));
    append(entry, "SYSLOG_IDENTIFIER", identifier_);
    append_known(entry, "SUBSYSTEM", fields.subsystem);
    append_known(entry, "GUEST", fields.guest);
    append_known(entry, "VERB", fields.verb);
    append_known(entry, "ERRNO", fields.error == 0 ? "" : std::to_string(fields.error));

    // Not connected: a journal that was started anew has another socket at this path.
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    journal_.native().copy(address.sun_path, sizeof(address.sun_path) - 1);
    if (::sendto(socket_.get(), entry.data(), entry.size(), MSG_NOSIGNAL,
                 reinterpret_cast<const sockaddr*>(&address), sizeof(address)) < 0) {
        otherwise_->log(line);
    }
}

bool is_journal_stream(int fd, const char* variable) {
    struct stat status {};
    return variable != nullptr && ::fstat(fd, &status) == 0 &&
           fmt::format("{}:{}", status.st_dev, status.st_ino) == variable;
}

spdlog::sink_ptr make_log_sink() {
    auto standard_error = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    standard_error->set_pattern("%Y-%m-%dT%H:%M:%S.%f%z %l %n: %v");
    // Nobody changes the environment.  NOLINTNEXTLINE(concurrency-mt-unsafe)
    if (!is_journal_stream(STDERR_FILENO, std::getenv("JOURNAL_STREAM"))) {
        return standard_error;
    }
    return std::make_shared<JournalSink>(kJournalSocket, LogLevels::kLoggerName,
                                         std::move(standard_error));
}

}  // namespace vrdma::daemon
