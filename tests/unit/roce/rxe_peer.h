// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// What the kernel has of a test against rxe: a tap device and the RNIC on it.
#pragma once

#include <infiniband/verbs.h>

#include <cstdio>
#include <string>

#include "fake_network.h"

namespace vrdma::roce {

// The end of the wire that the kernel has.
class Tap {
  public:
    // `log_path`: each frame is written to this file, a line of hexadecimal digits each; null:
    // to none.  Throws std::system_error if the device cannot be opened.
    Tap(const std::string& name, const char* log_path);
    ~Tap();
    Tap(const Tap&) = delete;
    Tap& operator=(const Tap&) = delete;

    void write(const uint8_t* frame, size_t size);
    // Empty: there is none.
    Bytes read();

  private:
    void note(const char* way, const uint8_t* frame, size_t size);

    int fd_;
    FILE* log_ = nullptr;
};

// An rxe device with a memory region for all tests.
struct Rxe {
    // Throws std::runtime_error if there is no RNIC of this name.
    explicit Rxe(const std::string& name);
    ~Rxe();
    Rxe(const Rxe&) = delete;
    Rxe& operator=(const Rxe&) = delete;

    // The index of this address in the RNIC's table.  -1: the table lacks it.
    int gid_index(const uint8_t* gid) const;

    Bytes bytes;
    ibv_context* context = nullptr;
    ibv_pd* pd = nullptr;
    ibv_mr* mr = nullptr;
    ibv_cq* cq = nullptr;
};

}  // namespace vrdma::roce
