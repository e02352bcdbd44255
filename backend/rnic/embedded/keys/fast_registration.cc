// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/embedded/keys/fast_registration.h"

#include <endian.h>
#include <vrdma_check.h>
#include <vrdma_kernel.h>
#include <vrdma_protocol.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>

namespace vrdma::embedded {
namespace {

// guest-controlled: a private copy
bool valid(const WantedPages& wanted, uint32_t max_pages) {
    if (!std::has_single_bit(wanted.page_size) || wanted.page_size < VRDMA_SHM_PAGE_SIZE ||
        wanted.page_count > max_pages || !vrdma_range_valid(wanted.iova, wanted.length)) {
        return false;
    }
    // At most 2^31 * 2^32 bytes.
    const uint64_t room = wanted.page_size * wanted.page_count;
    const uint64_t skipped = wanted.iova % wanted.page_size;
    return skipped < room && wanted.length <= room - skipped;
}

}  // namespace

FastRegistration::FastRegistration(rnic::FastMrAttributes attributes)
    : max_pages_(attributes.max_pages), description_(std::move(attributes.description)) {
    pages_.reserve(max_pages_);
}

bool FastRegistration::is_free(const WorkerSlices& slices) {
    if (state_ == State::kInvalidating && grace_.over(slices)) {
        state_ = State::kFree;
        memory_.reset();
    }
    return state_ == State::kFree;
}

bool FastRegistration::read_description(WantedPages& wanted) {
    vrdma_fast_reg header;
    read(0, std::as_writable_bytes(std::span(&header, 1)));
    wanted = {.iova = le64toh(header.iova),
              .length = le64toh(header.length),
              .page_size = le32toh(header.page_size),
              .page_count = le32toh(header.page_count)};
    if (!valid(wanted, max_pages_)) {
        return false;
    }
    pages_.resize(wanted.page_count);
    read(sizeof(header), std::as_writable_bytes(std::span(pages_)));
    return true;
}

// Copies the bytes of the description from `offset` on, which must be there.
void FastRegistration::read(uint64_t offset, std::span<std::byte> to) const {
    for (const auto& piece : description_) {
        if (to.empty()) {
            break;
        }
        if (offset >= piece.range.size) {
            offset -= piece.range.size;
            continue;
        }
        const size_t here = std::min<uint64_t>(piece.range.size - offset, to.size());
        std::memcpy(to.data(), piece.range.data + offset, here);
        to = to.subspan(here);
        offset = 0;
    }
    // The bytes that were copied are those that are checked and used.
    std::atomic_signal_fence(std::memory_order_seq_cst);
}

void FastRegistration::validate(uint32_t key, std::shared_ptr<const memory::GuestMemory> memory) {
    memory_ = std::move(memory);
    key_ = key;
    state_ = State::kValid;
}

void FastRegistration::begin_invalidation(const WorkerSlices& slices) {
    state_ = State::kInvalidating;
    grace_.begin(slices);
}

}  // namespace vrdma::embedded
