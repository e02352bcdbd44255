// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <sys/epoll.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

#include "file_descriptor.h"
#include "result.h"

namespace vrdma {

// Has every write to the eventfd `fd` wake who waits for `epoll`, with `tag` as data.u64.  Nobody
// needs to read the eventfd.  The errors are those of epoll_ctl(2).
inline Result<void> watch_writes(const FileDescriptor& epoll, int fd, uint64_t tag) {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    event.data.u64 = tag;
    if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
        return fail(errno);
    }
    return {};
}

// As watch_writes(), for whoever cannot go on without.  Throws std::system_error, in which `who`
// says who that is.
inline void must_watch_writes(const FileDescriptor& epoll, int fd, uint64_t tag, const char* who) {
    if (auto watched = watch_writes(epoll, fd, tag); !watched) {
        throw std::system_error(to_int(watched.error()), std::generic_category(), who);
    }
}

}  // namespace vrdma
