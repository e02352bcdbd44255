// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <unistd.h>

#include "file_descriptor.h"
#include "rnic/uverbs/cm/rdma_cm_file.h"

namespace vrdma::uverbs {
namespace {

class KernelRdmaCmFile final : public RdmaCmFile {
  public:
    explicit KernelRdmaCmFile(FileDescriptor fd) : fd_(std::move(fd)) {}

    Result<void> execute(std::span<const std::byte> command) override {
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

Result<std::unique_ptr<RdmaCmFile>> open_kernel_rdma_cm() {
    FileDescriptor fd(::open("/dev/infiniband/rdma_cm", O_RDWR | O_CLOEXEC | O_NONBLOCK));
    if (!fd) {
        return fail(errno);
    }
    return std::make_unique<KernelRdmaCmFile>(std::move(fd));
}

}  // namespace vrdma::uverbs
