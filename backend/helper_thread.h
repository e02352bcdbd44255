// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <pthread.h>

#include <csignal>

namespace vrdma {

// Begins a thread that works for others: names it `name` (at most 15 characters, pthreads(7)) and
// leaves all signals to the thread that waits for them, but for the one that an access to guest
// memory may raise in the thread itself (memory/watched_range.h).
inline void begin_helper_thread(const char* name) {
    sigset_t all;
    ::sigfillset(&all);
    ::sigdelset(&all, SIGBUS);
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
    ::pthread_setname_np(::pthread_self(), name);
}

}  // namespace vrdma
