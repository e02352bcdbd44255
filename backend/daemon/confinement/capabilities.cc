// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "daemon/confinement/capabilities.h"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <system_error>

namespace vrdma::daemon {

namespace {

void keep_only(std::initializer_list<int> capabilities) {
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
    if (::syscall(SYS_capget, &header, sets.data()) != 0) {
        throw std::system_error(errno, std::generic_category(), "capget");
    }
    std::array<uint32_t, _LINUX_CAPABILITY_U32S_3> kept{};
    for (const int capability : capabilities) {
        kept[CAP_TO_INDEX(capability)] |= CAP_TO_MASK(capability);
    }
    for (size_t i = 0; i < sets.size(); ++i) {
        sets[i].permitted &= kept[i];
        sets[i].effective &= kept[i];
        // What is not inheritable leaves the ambient set as well (capabilities(7)).
        sets[i].inheritable &= kept[i];
    }
    if (::syscall(SYS_capset, &header, sets.data()) != 0) {
        throw std::system_error(errno, std::generic_category(), "capset");
    }
}

}  // namespace

void keep_file_capabilities_only() {
    keep_only({CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER});
}

void keep_no_capability() {
    keep_only({});
}

}  // namespace vrdma::daemon
