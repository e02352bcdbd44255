// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <spdlog/sinks/sink.h>

#include <filesystem>
#include <memory>
#include <string>

#include "file_descriptor.h"

namespace vrdma::daemon {

// The journal's socket (systemd-journald.service(8)).
inline constexpr const char* kJournalSocket = "/run/systemd/journal/socket";

// Gives each line to systemd's journal, with the fields of LogScope (log_fields.h) as GUEST, VERB,
// ERRNO and SUBSYSTEM, by the journal's own protocol (https://systemd.io/JOURNAL_NATIVE_PROTOCOL/).
//
// This is not sd_journal_sendv(3), which makes its socket at the first line: a process under the
// seccomp filter makes none.  libsystemd would also bring its libraries for compression and
// encryption into the process that guests talk to.
class JournalSink final : public spdlog::sinks::sink {
  public:
    // Lines that the journal does not take go to `otherwise`.  A logger with the name `identifier`
    // is the program's; the lines of another one begin with its name.  Throws std::system_error
    // when the kernel has no socket left.
    JournalSink(std::filesystem::path journal, std::string identifier, spdlog::sink_ptr otherwise);

    void log(const spdlog::details::log_msg& line) override;  // any thread
    void flush() override { otherwise_->flush(); }
    // The journal has time and level of each line by itself.
    void set_pattern(const std::string&) override {}
    void set_formatter(std::unique_ptr<spdlog::formatter>) override {}

  private:
    const std::filesystem::path journal_;
    const std::string identifier_;
    const spdlog::sink_ptr otherwise_;
    const FileDescriptor socket_;
};

// Whether `fd` is the stream to the journal that `variable` names, the value of JOURNAL_STREAM
// (systemd.exec(5)); null for a variable that is not set.
bool is_journal_stream(int fd, const char* variable);

// Standard error, with the time, the level and the logger's name before each line; the journal, if
// standard error leads there.
spdlog::sink_ptr make_log_sink();

}  // namespace vrdma::daemon
