// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Map requests to the QEMU module, by a vrdmad that asks for anything: the module's own code
// (qemu-device/vrdma_shm.c) against a model of which range is taken.
#include <fuzzer/FuzzedDataProvider.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <map>
#include <vector>

#include "file_descriptor.h"

extern "C" {
#include "vrdma_shm.h"
}

namespace vrdma {
namespace {

constexpr uint64_t kPages = 16;

void require(bool condition) {
    if (!condition) {
        __builtin_trap();
    }
}

uint64_t page() {
    static const auto kSize = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
    return kSize;
}

FileDescriptor file_of(uint64_t size) {
    FileDescriptor file(::memfd_create("fuzz", MFD_CLOEXEC));
    require(file.valid() && ::ftruncate(file.get(), static_cast<off_t>(size)) == 0);
    return file;
}

// A number of bytes: whole pages around the region's size, and what wraps or is not of whole pages.
uint64_t bytes_of(FuzzedDataProvider& input) {
    if (input.ConsumeIntegralInRange(0, 7) != 0) {
        return input.ConsumeIntegralInRange<uint64_t>(0, kPages + 2) * page();
    }
    return input.PickValueInArray<uint64_t>({1, page() - 1, page() + 1, uint64_t{1} << 32,
                                             uint64_t{1} << 63, 0 - page(), 0 - 2 * page(),
                                             UINT64_MAX});
}

class Region {
  public:
    Region() : shm_(::vrdma_shm_new(kPages * page())) { require(shm_ != nullptr); }
    ~Region() { ::vrdma_shm_free(shm_); }
    Region(const Region&) = delete;
    Region& operator=(const Region&) = delete;

    void map(uint64_t offset, uint64_t length, int fd, uint64_t file_size, uint64_t fd_offset,
             bool writable) {
        const bool inside =
            whole(offset, length) && length != 0 && length <= size() && offset <= size() - length;
        const bool covered =
            fd_offset % page() == 0 && length <= file_size && fd_offset <= file_size - length;
        const int error = ::vrdma_shm_map(shm_, offset, length, fd, fd_offset, writable);
        if (!inside || !covered) {
            require(error == EINVAL);
        } else if (taken(offset, length)) {
            require(error == EEXIST);
        } else {
            require(error == 0);
            mappings_[offset] = length;
        }
        check();
    }

    void unmap(uint64_t offset, uint64_t length) {
        const auto found = mappings_.find(offset);
        const bool known = found != mappings_.end() && found->second == length;
        require(::vrdma_shm_unmap(shm_, offset, length) == (known ? 0 : ENOENT));
        if (known) {
            mappings_.erase(found);
            for (uint64_t at = offset; at < offset + length; at += page()) {
                require(base()[at] == 0);  // nothing of what was mapped can be seen any more
            }
        }
        check();
    }

    void reset() {
        ::vrdma_shm_reset(shm_);
        mappings_.clear();
        check();
        for (uint64_t at = 0; at < size(); at += page()) {
            require(base()[at] == 0);
        }
    }

    // A guest's write to a page that nothing is mapped to.
    void touch(uint64_t at) {
        if (at < size() && !taken(at, 1)) {
            base()[at] = 1;
        }
    }

  private:
    static uint64_t size() { return kPages * page(); }
    static bool whole(uint64_t offset, uint64_t length) { return (offset | length) % page() == 0; }
    volatile uint8_t* base() { return static_cast<uint8_t*>(::vrdma_shm_base(shm_)); }

    bool taken(uint64_t offset, uint64_t length) const {
        for (const auto& [start, taken] : mappings_) {
            if (start < offset + length && offset < start + taken) {
                return true;
            }
        }
        return false;
    }

    // The range has no hole, into which another mapping of QEMU's could fall.
    void check() {
        std::array<unsigned char, kPages> resident{};
        require(::mincore(::vrdma_shm_base(shm_), size(), resident.data()) == 0);
    }

    VRdmaShm* const shm_;
    std::map<uint64_t, uint64_t> mappings_;
};

void fuzz(const uint8_t* data, size_t size) {
    FuzzedDataProvider input(data, size);
    Region region;
    struct File {
        uint64_t size;
        FileDescriptor descriptor;
    };
    std::vector<File> files;
    for (const uint64_t pages : {uint64_t{1}, kPages, kPages + 4}) {
        files.push_back({pages * page(), file_of(pages * page())});
    }
    while (input.remaining_bytes() != 0) {
        const uint64_t offset = bytes_of(input);
        switch (input.ConsumeIntegralInRange(0, 7)) {
            case 0:
                region.reset();
                break;
            case 1:
            case 2:
                region.unmap(offset, bytes_of(input));
                break;
            case 3:
                region.touch(offset);
                break;
            default: {
                const File& file = files[input.ConsumeIntegralInRange<size_t>(0, 2)];
                region.map(offset, bytes_of(input), file.descriptor.get(), file.size,
                           bytes_of(input), input.ConsumeBool());
            }
        }
    }
}

}  // namespace
}  // namespace vrdma

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    vrdma::fuzz(data, size);
    return 0;
}
