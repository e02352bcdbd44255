// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <sys/types.h>

#include <string>

#include "file_descriptor.h"
#include "result.h"
#include "vhost/server/socket_access.h"

namespace vrdma::vhost {

// A Unix stream socket that listens on a path.
class ListeningSocket {
  public:
    // A socket that has been bound, perhaps by another process.
    struct Bound {
        FileDescriptor socket;
        bool gave_away = true;  // see gave_away()
        ino_t inode = 0;        // of the path, so that no other socket is removed
    };

    // Binds `path` with the mode and the group of `access`, and listens, non-blocking.  The path
    // becomes the user's as well if this process may give files away, see gave_away().  A socket
    // that nobody listens on any more is replaced.  Throws std::runtime_error when somebody listens
    // on it, when the path is something else than a socket, when the socket cannot be made, or when
    // this process is not in the group.
    static Bound bind(const std::string& path, const SocketAccess& access);

    // Takes the socket that bind() has made at `path`.
    ListeningSocket(std::string path, Bound bound);
    ListeningSocket(const std::string& path, const SocketAccess& access)
        : ListeningSocket(path, bind(path, access)) {}

    // Removes the path, unless it is another socket's by now.
    ~ListeningSocket();
    ListeningSocket(const ListeningSocket&) = delete;
    ListeningSocket& operator=(const ListeningSocket&) = delete;

    // The connection of the client that has waited longest.  EAGAIN when no client waits; EMFILE
    // or ENFILE when there was no descriptor for the client, which has been turned away.
    Result<FileDescriptor> accept();

    // Whether the path is the user's that was asked for.
    bool gave_away() const { return bound_.gave_away; }

    ino_t inode() const { return bound_.inode; }

    const std::string& path() const { return path_; }
    int fd() const { return bound_.socket.get(); }

  private:
    const std::string path_;
    const Bound bound_;
    FileDescriptor reserve_;  // closed to accept a client when descriptors have run out
};

}  // namespace vrdma::vhost
