// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Memory regions in several pieces, their keys, and what may be registered.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#include "fixture.h"
#include "memory/guest_memory.h"

namespace vrdma::embedded::test {
namespace {

class MemoryRegions : public TwoGuests {
  protected:
    MemoryRegions() { connect(a.qp, b.qp); }

    Result<std::unique_ptr<rnic::MemoryRegion>> reg(rnic::MrAttributes attributes) {
        rnic::Udata udata;
        return a.guest.context->reg_mr(a.guest.pd(), std::move(attributes), udata);
    }
    rnic::MrAttributes one_piece() {
        rnic::MrAttributes attributes;
        attributes.iova = {0x1000};
        attributes.length = 4096;
        attributes.access = kAccessLocalWrite;
        attributes.pieces.push_back({{a.memory.data(), 4096}, nullptr});
        return attributes;
    }
};

// The responder and the requester run on a thread that serves other guests.  A page that is not
// there is the machine's own loss (memory/watched_range.h).
TEST_F(MemoryRegions, InMemoryThatTheVmmTookAwayDoNotStopTheWorker) {
    constexpr uint64_t kSize = 8 << 20;
    const auto faults = std::make_shared<memory::FaultReport>();
    const FileDescriptor file(::memfd_create("ram", MFD_CLOEXEC));
    ASSERT_EQ(::ftruncate(file.get(), kSize), 0);
    const auto region = std::make_shared<const memory::GuestRegion>(
        memory::GuestPhysicalAddress{0}, kSize, 0,
        memory::Mapping::map(file.get(), 0, kSize).value(), 0,
        memory::FileBacking{FileDescriptor(::dup(file.get())), 0, 4096, memory::file_label("ram")},
        faults);
    rnic::MrAttributes attributes;
    attributes.iova = {0x7000};
    attributes.length = kSize;
    attributes.access = kAllAccess;
    attributes.pieces.push_back({{region->data(), kSize}, region});
    rnic::Udata udata;
    ClientMr lost;
    lost.object = b.guest.context->reg_mr(b.guest.pd(), std::move(attributes), udata).value();
    lost.iova = 0x7000;
    ASSERT_EQ(::ftruncate(file.get(), 0), 0);
    for (const auto opcode : {WrOpcode::kRdmaWrite, WrOpcode::kRdmaRead}) {
        ASSERT_TRUE(a.qp.post_send({.opcode = opcode,
                                    .remote_address = lost.iova + (uint64_t{5} << 20),
                                    .rkey = lost.rkey(),
                                    .sges = {a.mr.sge(0, 16384)}}));
        settle();
        EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kSuccess);
        ASSERT_TRUE(faults->first());
        EXPECT_EQ(faults->first()->file_offset, 5u << 20);
    }
    // The other way, out of the memory that is lost.
    ASSERT_TRUE(b.qp.post_send({.opcode = WrOpcode::kRdmaWrite,
                                .remote_address = a.mr.iova,
                                .rkey = a.mr.rkey(),
                                .sges = {{lost.iova, 16384, lost.lkey()}}}));
    settle();
    EXPECT_EQ(status_of(only_completion(b.send_cq)), WcStatus::kSuccess);
    EXPECT_EQ(a.bytes(0, 16384), std::vector<std::byte>(16384));
}

// Pieces of odd sizes at odd places on both sides, so that no boundary coincides.
TEST_F(MemoryRegions, InMisalignedPiecesAreCopiedByteByByteRight) {
    const auto pieces = [](End& end, std::initializer_list<std::pair<size_t, size_t>> list) {
        std::vector<std::span<std::byte>> result;
        for (auto [offset, size] : list) {
            result.push_back(std::span(end.memory).subspan(offset, size));
        }
        return result;
    };
    auto from = a.guest.reg_mr(pieces(a, {{30001, 1}, {77, 4095}, {10000, 513}, {20001, 7391}}),
                               kAllAccess, 0x123456789);
    auto to = b.guest.reg_mr(pieces(b, {{40000, 1777}, {3, 3}, {50001, 6000}, {1000, 4220}}),
                             kAllAccess, 0xabcdef);
    const auto data = pattern(12000);
    std::vector<std::byte> whole;
    a.fill(30001, {data.begin(), data.begin() + 1});
    a.fill(77, {data.begin() + 1, data.begin() + 4096});
    a.fill(10000, {data.begin() + 4096, data.begin() + 4609});
    a.fill(20001, {data.begin() + 4609, data.end()});
    a.qp.post_send({.opcode = WrOpcode::kRdmaWrite,
                    .remote_address = to.iova,
                    .rkey = to.rkey(),
                    .sges = {from.sge(0, 12000)}});
    settle();
    ASSERT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kSuccess);
    for (auto [offset, size] : {std::pair{40000, 1777}, {3, 3}, {50001, 6000}, {1000, 4220}}) {
        const auto part = b.bytes(static_cast<size_t>(offset), static_cast<size_t>(size));
        whole.insert(whole.end(), part.begin(), part.end());
    }
    EXPECT_EQ(whole, data);
}

TEST_F(MemoryRegions, AnyPartOfThePiecesCanBeNamed) {
    std::vector<std::span<std::byte>> pieces;
    for (size_t i = 0; i < 16; ++i) {
        pieces.push_back(std::span(b.memory).subspan(i * 200, 100));
    }
    auto to = b.guest.reg_mr(pieces, kAllAccess);
    const auto data = pattern(1600);
    a.fill(0, data);
    for (uint32_t start = 0; start < 1600; start += 123) {
        const uint32_t length = std::min(1600 - start, 777u);
        std::ranges::fill(b.memory, std::byte{0});
        a.qp.post_send({.opcode = WrOpcode::kRdmaWrite,
                        .remote_address = to.iova + start,
                        .rkey = to.rkey(),
                        .sges = {a.mr.sge(start, length)}});
        settle();
        ASSERT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kSuccess);
        for (uint32_t i = 0; i < 1600; ++i) {
            const auto expected = i >= start && i < start + length ? data[i] : std::byte{0};
            ASSERT_EQ(b.memory[i / 100 * 200 + i % 100], expected) << start << "+" << i;
        }
    }
}

TEST_F(MemoryRegions, AtomicOnAWordThatTwoPiecesShareWorks) {
    auto to =
        b.guest.reg_mr({std::span(b.memory).subspan(100, 12), std::span(b.memory).subspan(501, 12)},
                       kAllAccess, 0x1000);
    const uint64_t before = 0x1122334455667788;
    std::memcpy(b.memory.data() + 108, &before, 4);
    std::memcpy(b.memory.data() + 501, reinterpret_cast<const std::byte*>(&before) + 4, 4);
    SendWr wr{.opcode = WrOpcode::kFetchAndAdd,
              .remote_address = to.iova + 8,
              .rkey = to.rkey(),
              .compare_or_add = 0x0101010101010101,
              .sges = {a.mr.sge(0, 8)}};
    a.qp.post_send(wr);
    settle();
    ASSERT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kSuccess);
    uint64_t after = 0;
    std::memcpy(&after, b.memory.data() + 108, 4);
    std::memcpy(reinterpret_cast<std::byte*>(&after) + 4, b.memory.data() + 501, 4);
    EXPECT_EQ(after, before + 0x0101010101010101);
    EXPECT_EQ(std::memcmp(a.memory.data(), &before, 8), 0);
}

TEST_F(MemoryRegions, AtomicWritesNothingBehindAPieceThatEndsInTheWord) {
    // The word is aligned here as well, and its second half lies in the second piece.
    std::byte* aligned = b.memory.data();
    while (reinterpret_cast<uintptr_t>(aligned) % 8 != 0) {
        ++aligned;
    }
    auto to =
        b.guest.reg_mr({std::span(aligned, 12), std::span(aligned + 500, 12)}, kAllAccess, 0x1000);
    std::memset(aligned + 8, 0xff, 4);
    std::memset(aligned + 500, 0, 4);
    std::memset(aligned + 12, 0x5a, 4);
    a.qp.post_send({.opcode = WrOpcode::kFetchAndAdd,
                    .remote_address = to.iova + 8,
                    .rkey = to.rkey(),
                    .compare_or_add = 1,
                    .sges = {a.mr.sge(0, 8)}});
    settle();
    ASSERT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kSuccess);
    EXPECT_EQ(aligned[12], std::byte{0x5a}) << "not of the region";
    EXPECT_EQ(aligned[8], std::byte{0});
    EXPECT_EQ(aligned[500], std::byte{1}) << "the carry";
}

// One byte to a piece: the engine must give the others their turn in between.
TEST_F(MemoryRegions, InVerySmallPiecesAreMovedInSeveralSlices) {
    std::vector<std::span<std::byte>> pieces;
    for (size_t i = 0; i < 20000; ++i) {
        pieces.push_back(std::span(b.memory).subspan(i * 2, 1));
    }
    auto to = b.guest.reg_mr(pieces, kAllAccess);
    const auto data = pattern(20000);
    a.fill(0, data);
    settle();
    a.qp.post_send({.opcode = WrOpcode::kRdmaWrite,
                    .remote_address = to.iova,
                    .rkey = to.rkey(),
                    .sges = {a.mr.sge(0, 20000)}});
    ASSERT_TRUE(rnic->poll_once());
    EXPECT_TRUE(a.send_cq.ring.empty());
    settle();
    ASSERT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kSuccess);
    for (size_t i = 0; i < 20000; ++i) {
        ASSERT_EQ(b.memory[i * 2], data[i]) << i;
    }
}

TEST_F(MemoryRegions, KeysThatAreUsedAgainChange) {
    std::vector<uint32_t> keys;
    for (int i = 0; i < 50; ++i) {
        auto mr = a.guest.reg_mr(a.memory, 0);
        EXPECT_EQ(std::ranges::count(keys, mr.lkey()), 0) << i;
        keys.push_back(mr.lkey());
    }
}

TEST_F(MemoryRegions, RemoteWriteAndAtomicNeedLocalWrite) {
    for (uint32_t access : {kAccessRemoteWrite, kAccessRemoteAtomic}) {
        auto attributes = one_piece();
        attributes.access = access;
        EXPECT_EQ(reg(attributes).error(), Errno{EINVAL});
    }
}

TEST_F(MemoryRegions, RightsThatAreNotOfferedAreRefused) {
    for (uint32_t access : {1u << 5, 1u << 6, 1u << 31}) {  // ZERO_BASED, ON_DEMAND, unknown
        auto attributes = one_piece();
        attributes.access = kAccessLocalWrite | access;
        EXPECT_EQ(reg(attributes).error(), Errno{EOPNOTSUPP});
    }
}

TEST_F(MemoryRegions, RangeThatIsEmptyOrWrapsIsRefused) {
    auto attributes = one_piece();
    attributes.pieces.clear();
    EXPECT_EQ(reg(attributes).error(), Errno{EINVAL});
    attributes.length = 0;
    EXPECT_EQ(reg(attributes).error(), Errno{EINVAL});
    attributes = one_piece();
    attributes.iova = {~uint64_t{0} - 4094};
    EXPECT_EQ(reg(attributes).error(), Errno{EINVAL});
    attributes.iova = {~uint64_t{0} - 4095};  // ends with the last address
    EXPECT_TRUE(reg(attributes).has_value());
}

TEST_F(MemoryRegions, LengthThatDiffersFromThePiecesIsRefused) {
    auto attributes = one_piece();
    attributes.length = 4097;
    EXPECT_EQ(reg(attributes).error(), Errno{EINVAL});
    attributes.length = 4095;
    EXPECT_EQ(reg(attributes).error(), Errno{EINVAL});
}

TEST_F(MemoryRegions, OfNoBytesAllowNoByte) {
    auto attributes = one_piece();
    attributes.length = 0;
    attributes.access = kAllAccess;
    EXPECT_EQ(reg(attributes).error(), Errno{EINVAL});  // its piece has more than the first byte
    attributes.pieces = {{{b.memory.data() + 100, 1}, nullptr}};
    rnic::Udata udata;
    auto none = b.guest.context->reg_mr(b.guest.pd(), attributes, udata);
    ASSERT_TRUE(none);
    const auto write = [&](uint32_t bytes) {
        a.qp.post_send({.opcode = WrOpcode::kRdmaWrite,
                        .remote_address = attributes.iova.value,
                        .rkey = (*none)->rkey(),
                        .sges = {a.mr.sge(0, bytes)}});
        settle();
        return status_of(only_completion(a.send_cq));
    };
    EXPECT_EQ(write(0), WcStatus::kSuccess);
    EXPECT_EQ(write(1), WcStatus::kRemoteAccessError);
}

class Reregistering : public TwoGuests {
  protected:
    Reregistering() { connect(a.qp, b.qp); }
    Result<void> reregister(const rnic::MrChanges& changes, rnic::MrAttributes attributes,
                            rnic::ProtectionDomain* pd = nullptr) {
        rnic::Udata none;
        return b.mr.object->reregister(changes, pd, std::move(attributes), none);
    }
    WcStatus write(uint32_t rkey, uint64_t address) {
        SendWr wr = write_wr(0, 0, 64);
        wr.rkey = rkey;
        wr.remote_address = address;
        a.qp.post_send(wr);
        settle();
        return status_of(only_completion(a.send_cq));
    }
    static rnic::MrAttributes rights(uint32_t access) {
        rnic::MrAttributes attributes{};
        attributes.access = access;
        return attributes;
    }
    static rnic::MrAttributes attributes_of(std::span<std::byte> memory, uint64_t iova) {
        rnic::MrAttributes attributes{};
        attributes.iova = {iova};
        attributes.length = memory.size();
        attributes.pieces.push_back({.range = {memory.data(), memory.size()}, .region = {}});
        return attributes;
    }
};

TEST_F(Reregistering, ChangesTheMemory) {
    const auto data = pattern(64);
    a.fill(0, data);
    std::vector<std::byte> other(4096);
    ASSERT_TRUE(reregister({.translation = true}, attributes_of(other, 0x5000)));
    EXPECT_EQ(write(b.mr.rkey(), 0x5000), WcStatus::kSuccess);
    EXPECT_EQ(std::memcmp(other.data(), data.data(), data.size()), 0);
    EXPECT_EQ(write(b.mr.rkey(), 0x5000 + 4096), WcStatus::kRemoteAccessError);
}

TEST_F(Reregistering, MakesOldKeysInvalid) {
    const uint32_t old = b.mr.rkey();
    ASSERT_TRUE(reregister({.access = true}, rights(kAllAccess)));
    EXPECT_NE(b.mr.rkey(), old);
    EXPECT_EQ(write(old, b.mr.iova), WcStatus::kRemoteAccessError);
}

TEST_F(Reregistering, ChangesTheRights) {
    ASSERT_TRUE(reregister({.access = true}, rights(kAccessLocalWrite)));
    EXPECT_EQ(write(b.mr.rkey(), b.mr.iova), WcStatus::kRemoteAccessError);
}

TEST_F(Reregistering, ChangesTheDomain) {
    const auto pd = b.guest.make_pd();
    ASSERT_TRUE(reregister({.pd = true}, {}, pd.get()));
    EXPECT_EQ(write(b.mr.rkey(), b.mr.iova), WcStatus::kRemoteAccessError);
    ASSERT_TRUE(reregister({.pd = true}, {}, &b.guest.pd()));
}

TEST_F(Reregistering, ThatFailsChangesNothing) {
    const uint32_t key = b.mr.rkey();
    EXPECT_EQ(reregister({.access = true}, rights(kAccessRemoteWrite)).error(), Errno{EINVAL});
    EXPECT_EQ(reregister({.translation = true}, {}).error(), Errno{EINVAL});
    EXPECT_EQ(b.mr.rkey(), key);
    EXPECT_EQ(write(key, b.mr.iova), WcStatus::kSuccess);
}

}  // namespace
}  // namespace vrdma::embedded::test
