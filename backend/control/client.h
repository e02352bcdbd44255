// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <poll.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "control/dispatcher.h"
#include "control/method.h"
#include "file_descriptor.h"

namespace vrdma::control {

// One connection to the control socket.  Never waits: what the client does not take stays here, and
// nothing more is read from it meanwhile.
class Client {
  public:
    static constexpr size_t kMaxLine = 65536;                   // bytes of a request
    static constexpr size_t kMaxOutstanding = size_t{1} << 20;  // bytes, beside one answer
    static constexpr unsigned kRequestsPerTurn = 16;

    Client(FileDescriptor socket, Access access) : socket_(std::move(socket)), session_{access} {}

    // What to wait for, as poll(2) takes it.
    short wanted() const;
    // Whether there is something to do without waiting.
    bool has_work() const { return out_.empty() && !closing_ && has_line(); }

    // Does what can be done now.  Returns false when the connection is over.
    bool serve(short ready, const Dispatcher& dispatcher);

    bool follows() const { return session_.follows; }
    Access access() const { return session_.access; }
    // Sends `line`, soon.  Returns false when the client has not taken what it got before.
    bool tell(std::string_view line);

    int fd() const { return socket_.get(); }

  private:
    bool has_line() const { return in_.find('\n') != std::string::npos; }
    bool receive();
    void answer_lines(const Dispatcher& dispatcher);
    void say(std::string_view line);
    bool flush();

    FileDescriptor socket_;
    Session session_;
    std::string in_;
    std::string out_;
    bool ended_ = false;    // the client sends nothing more
    bool closing_ = false;  // the connection ends after what is in out_
};

}  // namespace vrdma::control
