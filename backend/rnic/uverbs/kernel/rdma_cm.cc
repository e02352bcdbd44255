// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include <fcntl.h>

#include "rnic/uverbs/kernel/kernel_file.h"
#include "rnic/uverbs/kernel/rdma_cm.h"

namespace vrdma::uverbs {

Result<std::unique_ptr<RdmaCmFile>> open_kernel_rdma_cm() {
    FileDescriptor fd(::open("/dev/infiniband/rdma_cm", O_RDWR | O_CLOEXEC | O_NONBLOCK));
    if (!fd) {
        return fail(errno);
    }
    return std::make_unique<KernelFile<RdmaCmFile>>(std::move(fd));
}

}  // namespace vrdma::uverbs
