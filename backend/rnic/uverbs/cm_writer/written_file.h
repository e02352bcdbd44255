// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "file_descriptor.h"
#include "result.h"
#include "rnic/uverbs/cm_writer/message.h"
#include "rnic/uverbs/kernel/rdma_cm.h"
#include "state/files.h"
#include "state/uverbs.pb.h"

namespace vrdma::uverbs {

// A file of the kernel's connection manager that a writer has opened and writes to (cm_writer.h).
// One thread at a time uses the files of one channel.
class WrittenFile final : public RdmaCmFile {
  public:
    // Has the writer at the other end of `channel` open a file.  Errors: those of open(2), EIO when
    // the writer has ended.
    static Result<std::unique_ptr<RdmaCmFile>> open(const FileDescriptor& channel);

    // The file that save() wrote, in another process.  EBADF unless its files are there.
    static Result<std::unique_ptr<RdmaCmFile>> restore(const state::UverbsUcmaFile& saved,
                                                       state::ReceivedFiles& files);

    WrittenFile(FileDescriptor channel, FileDescriptor file, uint32_t number)
        : channel_(std::move(channel)), file_(std::move(file)), number_(number) {}
    ~WrittenFile() override;

    // EOPNOTSUPP for a command of which it is not known where its addresses are, E2BIG for one that
    // is too long, EIO when the writer has ended.
    Result<void> execute(std::span<const std::byte> command) override;
    int fd() const override { return file_.get(); }
    Result<void> save(state::UverbsUcmaFile& saved, state::FilesToSend& files) const override;
    void leave_open() override { left_open_ = true; }

  private:
    const FileDescriptor channel_;
    const FileDescriptor file_;
    const uint32_t number_;  // the writer's
    bool left_open_ = false;
};

}  // namespace vrdma::uverbs
