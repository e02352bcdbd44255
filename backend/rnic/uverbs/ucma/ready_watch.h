// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <set>
#include <thread>

#include "file_descriptor.h"
#include "result.h"

namespace vrdma::uverbs {

// Reports once that a file has become readable, and again after it was armed again.  Any thread.
class ReadyWatch {
  public:
    using Report = std::function<void(uint32_t name)>;

    // A thread of the object's own calls `report`, possibly still for a file that was removed in
    // that very moment.  `report` calls no function of the object.  Throws std::system_error when
    // the kernel has no thread or descriptor left.
    explicit ReadyWatch(Report report);
    ~ReadyWatch();
    ReadyWatch(const ReadyWatch&) = delete;
    ReadyWatch& operator=(const ReadyWatch&) = delete;

    // Watches a file.  `fd` is borrowed until remove().  Errors: epoll_ctl's.
    enum class Begin { kArmed, kReported };
    Result<void> add(int fd, uint32_t name, Begin begin = Begin::kArmed);
    // Arms a file again.  If it is readable already, it is reported right away.
    void arm(int fd, uint32_t name);
    void remove(int fd, uint32_t name);

    // Whether the file has been reported, and not been armed since.
    bool is_reported(uint32_t name) const;

  private:
    void run();

    const Report report_;
    mutable std::mutex mutex_;  // guards reported_; held while a report is made
    std::set<uint32_t> reported_;
    FileDescriptor epoll_;
    FileDescriptor stop_;
    std::thread thread_;  // last: it uses all of the above
};

}  // namespace vrdma::uverbs
