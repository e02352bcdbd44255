// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <string_view>

namespace vrdma {

// What a line of the log is about, for a sink that keeps more than the text.  Empty or 0: it is
// about none.
struct LogFields {
    std::string_view subsystem{};
    std::string_view guest{};
    std::string_view verb{};  // as in common/vrdma_command_table.h, in small letters
    int error = 0;            // an errno
};

// While it lives, the lines that this thread logs are about the fields that it has, and about
// those of the scopes around it where it has none.  So a verb is named once, and not at each line
// that a part of the RNIC logs on its behalf: spdlog's lines have no room for fields.
class LogScope {
  public:
    // The strings of `added` outlive this object.
    explicit LogScope(const LogFields& added) : before_(current()) {
        LogFields& fields = current();
        fields.subsystem = added.subsystem.empty() ? fields.subsystem : added.subsystem;
        fields.guest = added.guest.empty() ? fields.guest : added.guest;
        fields.verb = added.verb.empty() ? fields.verb : added.verb;
        fields.error = added.error == 0 ? fields.error : added.error;
    }
    ~LogScope() { current() = before_; }
    LogScope(const LogScope&) = delete;
    LogScope& operator=(const LogScope&) = delete;

    // What a line of this thread is about now.
    static const LogFields& fields() { return current(); }

  private:
    static LogFields& current() {
        thread_local LogFields fields;
        return fields;
    }

    const LogFields before_;
};

}  // namespace vrdma
