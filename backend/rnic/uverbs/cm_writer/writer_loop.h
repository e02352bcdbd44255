// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// What runs in the writer's process (cm_writer.h).
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "file_descriptor.h"
#include "result.h"
#include "rnic/uverbs/cm_writer/message.h"
#include "rnic/uverbs/kernel/rdma_cm.h"

namespace vrdma::uverbs {

// Takes channels from `control`, and serves each in a thread of its own.
class WriterLoop {
  public:
    WriterLoop(int control, OpenRdmaCm open) : control_(control), open_(std::move(open)) {}

    // Returns when the daemon has let go of `control`, and nobody has a channel any more.
    void run();

  private:
    void serve_in_thread(FileDescriptor channel);

    const int control_;
    const OpenRdmaCm open_;
    std::mutex mutex_;  // guards the number of channels
    std::condition_variable fewer_;
    size_t channels_ = 0;
};

// Serves one channel.
class ChannelLoop {
  public:
    ChannelLoop(FileDescriptor channel, OpenRdmaCm open)
        : channel_(std::move(channel)), open_(std::move(open)) {}

    // Returns when nobody has the other end.  The files are closed with the object.
    void run();

  private:
    struct Answer {
        WriterReply reply{};
        std::vector<std::byte> response{};
        int file = -1;  // borrowed
    };
    Answer open();
    Answer write(const WriterRequest& request, std::span<const std::byte> bytes,
                 const std::vector<FileDescriptor>& files);
    void send(const Answer& answer) const;

    const FileDescriptor channel_;
    const OpenRdmaCm open_;
    std::map<uint32_t, std::unique_ptr<RdmaCmFile>> files_;
    uint32_t next_number_ = 1;
};

}  // namespace vrdma::uverbs
