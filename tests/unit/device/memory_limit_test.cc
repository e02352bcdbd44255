// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// What the operator is told of guest RAM on huge pages.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "device/virtual_device.h"
#include "support/captured_log.h"
#include "support/fake_rnic.h"
#include "support/guest_ram.h"

namespace vrdma::device {
namespace {

constexpr uint64_t kHugePage = 2 << 20;

class MemoryLimit : public testing::Test {
  protected:
    static std::shared_ptr<const memory::GuestMemory> ram(uint64_t page_size) {
        auto region = test::make_guest_ram({.page_size = page_size});
        return std::make_shared<memory::GuestMemory>(
            memory::GuestMemory().with(std::move(region)).value());
    }

    test::CapturedLog log_;
    FakeRnic rnic_;
    VirtualDevice device_{{.guest = "guest7", .limits = {}}, rnic_, log_.logger()};
};

TEST_F(MemoryLimit, IsToldOnceForEachVmm) {
    device_.memory_changed(ram(kHugePage));
    device_.memory_changed(ram(kHugePage));
    EXPECT_EQ(log_.count("guest7: its RAM is on hugetlbfs, in pages of 2048 KiB: on fake0, nothing "
                         "that is blue works"),
              1U);
    device_.memory_changed(nullptr);
    device_.memory_changed(ram(kHugePage));
    EXPECT_EQ(log_.count("its RAM is on hugetlbfs"), 2U);
}

TEST_F(MemoryLimit, IsInTheStatusWhileThereIsSuchMemory) {
    device_.memory_changed(ram(kHugePage));
    EXPECT_EQ(device_.status().memory_page_size, kHugePage);
    EXPECT_STREQ(device_.status().memory_limit, "nothing that is blue works");
    device_.memory_changed(nullptr);
    EXPECT_EQ(device_.status().memory_limit, nullptr);
}

TEST_F(MemoryLimit, IsNoneWithSmallPages) {
    device_.memory_changed(ram(test::kRamPage));
    EXPECT_EQ(device_.status().memory_page_size, test::kRamPage);
    EXPECT_EQ(device_.status().memory_limit, nullptr);
    EXPECT_EQ(log_.str(), "");
}

}  // namespace
}  // namespace vrdma::device
