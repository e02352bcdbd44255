// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <vrdma_protocol.h>

#include <cstdint>
#include <map>
#include <stdexcept>
#include <utility>

#include "device/shm/shm_mapper.h"

namespace vrdma::test {

// A shared memory region that maps at once, and knows what is mapped.  Throws std::logic_error
// when the device asks for what is against the contract.
class FakeShmMapper : public device::ShmMapper {
  public:
    Result<uint64_t> map(const device::ShmSource& source) override {
        const uint64_t length = source.length;
        if (length == 0 || length % VRDMA_SHM_PAGE_SIZE != 0) {
            throw std::logic_error("a mapping's length is not that of pages");
        }
        if (refuse != 0) {
            return fail(refuse);
        }
        last_fd = source.fd;
        last_fd_offset = source.fd_offset;
        mapped[next] = length;
        return std::exchange(next, next + length);
    }
    void unmap(uint64_t offset, uint64_t length) override {
        const auto found = mapped.find(offset);
        if (found == mapped.end() || found->second != length) {
            throw std::logic_error("what is not mapped is unmapped");
        }
        mapped.erase(found);
    }

    int refuse = 0;  // the errno that map() fails with, 0 for none
    int last_fd = -1;
    uint64_t last_fd_offset = 0;
    uint64_t next = 0x10000;
    std::map<uint64_t, uint64_t> mapped;  // lengths by offset
};

}  // namespace vrdma::test
