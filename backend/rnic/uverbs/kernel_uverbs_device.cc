// SPDX-License-Identifier: Apache-2.0
#include "rnic/uverbs/kernel_uverbs_device.h"

#include <fcntl.h>
#include <unistd.h>

#include "file_descriptor.h"

namespace vrdma::uverbs {
namespace {

class KernelUverbsFile final : public UverbsFile {
  public:
    explicit KernelUverbsFile(FileDescriptor fd) : fd_(std::move(fd)) {}

    Result<void> execute(std::span<const std::byte> command) override {
        // The kernel takes a command as a whole or not at all.
        if (::write(fd_.get(), command.data(), command.size()) < 0) {
            return fail(errno);
        }
        return {};
    }

    int fd() const override { return fd_.get(); }

  private:
    FileDescriptor fd_;
};

}  // namespace

Result<std::unique_ptr<UverbsFile>> KernelUverbsDevice::open() {
    FileDescriptor fd(::open(path_.c_str(), O_RDWR | O_CLOEXEC));
    if (!fd) {
        return fail(errno);
    }
    return std::make_unique<KernelUverbsFile>(std::move(fd));
}

}  // namespace vrdma::uverbs
