// SPDX-License-Identifier: Apache-2.0
#include "rnic/uverbs/kernel/kernel_uverbs_device.h"

#include <fcntl.h>

#include "rnic/uverbs/kernel/kernel_file.h"

namespace vrdma::uverbs {

Result<std::unique_ptr<UverbsFile>> KernelUverbsDevice::open() {
    FileDescriptor fd(::open(path_.c_str(), O_RDWR | O_CLOEXEC));
    if (!fd) {
        return fail(errno);
    }
    return std::make_unique<KernelFile<UverbsFile>>(std::move(fd));
}

}  // namespace vrdma::uverbs
