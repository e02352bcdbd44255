// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <thread>

#include "file_descriptor.h"
#include "result.h"

namespace vrdma::uverbs {

// Tells once when a file becomes readable, and again when it was armed again.  Any thread.
class ReadyWatch {
  public:
    using Report = std::function<void(uint32_t name)>;

    // `report` is called on a thread of its own, for a name that was removed in that very moment
    // too.  Throws std::system_error when the kernel has no thread or descriptor left.
    explicit ReadyWatch(Report report);
    ~ReadyWatch();
    ReadyWatch(const ReadyWatch&) = delete;
    ReadyWatch& operator=(const ReadyWatch&) = delete;

    // Armed from the start.  `fd` is borrowed until remove().
    Result<void> add(int fd, uint32_t name);
    // A file that is readable already is reported right away.
    void arm(int fd, uint32_t name);
    void remove(int fd);

  private:
    void run();

    const Report report_;
    FileDescriptor epoll_;
    FileDescriptor stop_;
    std::thread thread_;  // last: it uses all of the above
};

}  // namespace vrdma::uverbs
