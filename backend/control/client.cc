// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "control/client.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace vrdma::control {

short Client::wanted() const {
    if (!out_.empty()) {
        return POLLOUT;
    }
    return static_cast<short>(ended_ || closing_ || has_line() ? 0 : POLLIN);
}

bool Client::serve(short ready, const Dispatcher& dispatcher) {
    if ((ready & (POLLERR | POLLNVAL)) != 0 || !flush()) {
        return false;
    }
    if (out_.empty() && !closing_) {
        if ((ready & POLLIN) != 0 && !receive()) {
            return false;
        }
        answer_lines(dispatcher);
        if (!flush()) {
            return false;
        }
    }
    if ((ready & POLLHUP) != 0 && (ready & POLLIN) == 0 && !has_line()) {
        return false;  // the client is gone, and so is everything that it wanted
    }
    const bool done = closing_ || (ended_ && !session_.follows && !has_line());
    return !done || !out_.empty();
}

// Returns false when the connection has failed.
bool Client::receive() {
    std::array<char, 16384> buffer;
    const ssize_t count = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (count > 0) {
        in_.append(buffer.data(), static_cast<size_t>(count));
        return true;
    }
    if (count == 0) {
        ended_ = true;
        return true;
    }
    return errno == EAGAIN || errno == EINTR;
}

void Client::answer_lines(const Dispatcher& dispatcher) {
    size_t begin = 0;
    for (unsigned requests = 0; requests < kRequestsPerTurn && out_.size() < kMaxOutstanding;
         ++requests) {
        const size_t end = in_.find('\n', begin);
        if (end == std::string::npos || end - begin > kMaxLine) {
            break;
        }
        const std::string_view line = std::string_view(in_).substr(begin, end - begin);
        begin = end + 1;
        if (line.find_first_not_of(" \t\r") == std::string_view::npos) {
            continue;
        }
        if (const std::string answer = dispatcher.answer(line, session_); !answer.empty()) {
            say(answer);
        }
    }
    in_.erase(0, begin);
    if (std::min(in_.find('\n'), in_.size()) > kMaxLine) {
        say(to_line(error_document(
            {kInvalidRequest,
             fmt::format("a request has at most {} bytes; the connection ends", kMaxLine)})));
        in_.clear();
        closing_ = true;
    }
}

bool Client::tell(std::string_view line) {
    if (out_.size() + line.size() > kMaxOutstanding) {
        return false;
    }
    say(line);
    return flush();
}

void Client::say(std::string_view line) {
    out_.append(line);
    out_.push_back('\n');
}

// Returns false when the connection has failed.
bool Client::flush() {
    size_t sent = 0;
    while (sent < out_.size()) {
        const ssize_t count = ::send(socket_.get(), out_.data() + sent, out_.size() - sent,
                                     MSG_DONTWAIT | MSG_NOSIGNAL);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0 && errno != EAGAIN) {
            return false;
        }
        if (count <= 0) {
            break;
        }
        sent += static_cast<size_t>(count);
    }
    out_.erase(0, sent);
    return true;
}

}  // namespace vrdma::control
