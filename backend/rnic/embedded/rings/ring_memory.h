// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "file_descriptor.h"
#include "memory/mapping.h"
#include "result.h"

namespace vrdma::embedded {

class RingMemory;

// A page-aligned, zeroed piece of a context's ring memory; given back when destroyed.
class RingRange {
  public:
    RingRange() = default;
    RingRange(RingRange&& other) noexcept;
    RingRange& operator=(RingRange&& other) noexcept;
    RingRange(const RingRange&) = delete;
    RingRange& operator=(const RingRange&) = delete;
    ~RingRange();

    std::byte* data() const { return data_; }
    uint64_t offset() const { return offset_; }  // in the file, and what the guest maps
    uint64_t size() const { return size_; }

  private:
    friend class RingMemory;
    void release();

    std::shared_ptr<RingMemory> memory_;
    std::byte* data_ = nullptr;
    uint64_t offset_ = 0;
    uint64_t size_ = 0;
};

// The memory of all rings of one guest user context: one sparse file that is mapped here in a few
// parts, so that ten thousand rings cost one descriptor and a few mappings.  A part is mapped when
// a ring needs room, and each has as many bytes as all before it: a context with few rings takes
// little of this process's address space, of which a guest may have a thousand contexts.
class RingMemory : public std::enable_shared_from_this<RingMemory> {
  public:
    // `capacity` bounds, in bytes, what the context's rings can take together. Answers the errno
    // of the system call that failed.
    static Result<std::shared_ptr<RingMemory>> create(uint64_t capacity);

    // The memory of rings that another process made, in `file`, which has `size` bytes. EINVAL when
    // the file is not such a one.
    static Result<std::shared_ptr<RingMemory>> restore(FileDescriptor file, uint64_t size,
                                                       uint64_t capacity);

    // How many bytes a range of at least `size` bytes takes.
    static uint64_t size_of(uint64_t size) { return (size + kPage - 1) & ~(kPage - 1); }

    // ENOMEM when `size` bytes are more than is left, or why the file could not grow.
    Result<RingRange> allocate(uint64_t size);

    // The range of at least `size` bytes that is at `offset` already. EINVAL when the file has none
    // such, EEXIST when a part of it is allocated.
    Result<RingRange> adopt(uint64_t offset, uint64_t size);

    // Whether (offset, length) lies within a range that is allocated now.
    bool covers(uint64_t offset, uint64_t length) const;

    // Bytes of this process's address space that the rings take up.
    uint64_t mapped() const { return parts_.empty() ? 0 : parts_.back().end(); }

    int fd() const { return file_.get(); }
    uint64_t file_size() const { return file_size_; }
    uint64_t used() const { return used_; }

  private:
    friend class RingRange;
    RingMemory(FileDescriptor file, uint64_t capacity)
        : file_(std::move(file)), capacity_(capacity) {}

    // A part of the file, from `offset`.
    struct Part {
        uint64_t offset = 0;
        memory::Mapping mapping;
        uint64_t end() const { return offset + mapping.size(); }
    };

    Result<void> add_part(uint64_t size);
    RingRange take(const Part& part, uint64_t offset, uint64_t size);
    std::optional<uint64_t> find_room(const Part& part, uint64_t size) const;
    void release(uint64_t offset, uint64_t size);

    static constexpr uint64_t kPage = 4096;

    FileDescriptor file_;
    const uint64_t capacity_;
    std::vector<Part> parts_;  // in the order of the file
    uint64_t file_size_ = 0;
    uint64_t used_ = 0;
    std::map<uint64_t, uint64_t> allocated_;  // offset -> size
};

}  // namespace vrdma::embedded
