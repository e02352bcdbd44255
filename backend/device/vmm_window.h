// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "device/rate_limited_log.h"
#include "device/window.h"
#include "device/window_mapper.h"
#include "vhost/back_channel.h"

namespace vrdma::device {

// The guest's window, mapped by the VMM on request over the back channel.
//
// map() is called by the control thread and waits there for the VMM; the connection's
// thread, which brings the reply, never waits.  A VMM that stops the control queue may
// itself be waiting for that to be done before it answers: cancel() ends the wait, and
// what the VMM maps too late is unmapped again.
class VmmWindow : public WindowMapper {
  public:
    VmmWindow(std::string guest, std::shared_ptr<spdlog::logger> logger);

    // WindowMapper; the control thread.
    Result<uint64_t> map(int fd, uint64_t fd_offset, uint64_t length) override;
    void unmap(uint64_t window_offset, uint64_t length) override;

    // The connection's thread.
    void set_channel(std::shared_ptr<vhost::BackChannel> channel);
    void set_size(uint64_t size);  // bytes; a changed size empties the window
    void cancel();                 // ends waits with ECANCELED until resume()
    void resume();

    // The VMM has emptied the window: it was reset or is gone.
    void clear();

    uint64_t size() const;
    uint64_t used() const;

  private:
    // What became of one map request.
    struct Pending {
        bool done = false;
        bool abandoned = false;  // nobody waits any more
        Result<void> result;
    };

    void finish(const std::shared_ptr<Pending>& pending, uint64_t generation, uint64_t offset,
                uint64_t length, Result<void> result);

    const std::string guest_;
    mutable std::mutex mutex_;  // guards what follows
    std::condition_variable changed_;
    std::shared_ptr<vhost::BackChannel> channel_;
    WindowAllocator allocator_;
    uint64_t generation_ = 0;  // of the window's content; replies for an older one are void
    bool cancelled_ = false;
    RateLimitedLog log_;
};

}  // namespace vrdma::device
