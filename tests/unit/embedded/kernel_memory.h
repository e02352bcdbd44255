// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// A guest's RAM, and the regions for fast registration that its kernel has in it.
#pragma once

#include <vrdma_kernel.h>

#include <cstring>
#include <memory>
#include <vector>

#include "fixture.h"
#include "support/fake_memory.h"

namespace vrdma::embedded::test {

class KernelMemory {
  public:
    static constexpr uint64_t kStart = 0x100000;
    static constexpr uint64_t kPage = 4096;

    explicit KernelMemory(Guest& guest, uint64_t size = 4 << 20)
        : guest_(guest), ram_(size, kStart), memory_(ram_.as_guest_memory()) {
        guest_.port->set_memory(memory_);
    }

    struct FastMr {
        std::unique_ptr<rnic::MemoryRegion> object;
        std::byte* description = nullptr;  // where the RNIC reads it
        uint32_t key() const { return object->rkey(); }
    };
    // The description lies in two parts of memory.
    FastMr alloc_mr(uint32_t max_pages, rnic::ProtectionDomain* pd = nullptr) {
        const uint64_t size = sizeof(vrdma_fast_reg) + max_pages * sizeof(uint64_t);
        const auto whole = memory_->pin({ram_.allocate(size)}, size).value();
        rnic::FastMrAttributes attributes{.max_pages = max_pages, .description = {}};
        attributes.description.push_back({{whole.range.data, 20}, whole.region});
        attributes.description.push_back({{whole.range.data + 20, size - 20}, whole.region});
        FastMr mr;
        mr.description = whole.range.data;
        mr.object = std::move(
            guest_.context->alloc_mr(pd != nullptr ? *pd : guest_.pd(), attributes).value());
        return mr;
    }
    static void describe(const FastMr& mr, const vrdma_fast_reg& header,
                         const std::vector<uint64_t>& pages) {
        std::memcpy(mr.description, &header, sizeof(header));
        std::memcpy(mr.description + sizeof(header), pages.data(), pages.size() * sizeof(uint64_t));
    }
    static void describe(const FastMr& mr, uint64_t iova, uint64_t length,
                         const std::vector<uint64_t>& pages) {
        describe(mr,
                 {.iova = htole64(iova),
                  .length = htole64(length),
                  .page_size = htole32(kPage),
                  .page_count = htole32(static_cast<uint32_t>(pages.size()))},
                 pages);
    }

    uint64_t page() { return ram_.allocate(kPage, kPage); }
    std::vector<uint64_t> pages(size_t count) {
        std::vector<uint64_t> pages(count);
        for (auto& address : pages) {
            address = page();
        }
        return pages;
    }
    // The place where the RNIC has the memory.
    std::byte* at(uint64_t address, uint64_t size = 1) const {
        return memory_->translate({address}, size).value().data;
    }
    std::vector<std::byte> bytes(uint64_t address, uint64_t size) const {
        const std::byte* from = at(address, size);
        return {from, from + size};
    }

  private:
    Guest& guest_;
    vrdma::test::FakeMemory ram_;
    std::shared_ptr<const memory::GuestMemory> memory_;
};

inline SendWr reg_mr_wr(uint32_t key, uint32_t access) {
    return {.wr_id = 3, .opcode = WrOpcode::kRegisterMr, .rkey = key, .reg_access = access};
}
inline SendWr local_invalidate_wr(uint32_t key) {
    return {.wr_id = 4, .opcode = WrOpcode::kLocalInvalidate, .immediate = key};
}

}  // namespace vrdma::embedded::test
