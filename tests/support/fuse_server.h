// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <linux/fuse.h>

#include <atomic>
#include <cstddef>
#include <filesystem>
#include <thread>

#include "file_descriptor.h"

namespace vrdma::test {

// A file system with one file, whose program counts what it is asked.  To mount it needs root.
class FuseServer {
  public:
    FuseServer();

    // Ends all questions that have no answer.
    ~FuseServer();
    FuseServer(const FuseServer&) = delete;
    FuseServer& operator=(const FuseServer&) = delete;

    bool mounted() const { return mounted_; }
    FileDescriptor open_file() const;
    unsigned questions() const { return questions_; }

    // Leaves close() of the file, which is FUSE_FLUSH, without an answer.
    void keep_who_closes() { keeps_ = true; }

    // Waits until somebody is kept so.
    void wait_kept() const { kept_.wait(false); }

  private:
    template <typename Answer>
    void answer(const fuse_in_header& request, Answer answer) {
        reply(request, 0, &answer, sizeof(answer));
    }
    void reply(const fuse_in_header& request, int error, const void* data, size_t size);
    void serve();

    FileDescriptor device_;
    std::filesystem::path folder_;
    bool mounted_ = false;
    std::atomic<unsigned> questions_ = 0;
    std::atomic<bool> keeps_ = false;
    std::atomic<bool> kept_ = false;
    std::thread thread_;
};

}  // namespace vrdma::test
