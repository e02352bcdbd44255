// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/kernel/host_rnic.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rdma/ib_user_ioctl_verbs.h>
#include <unistd.h>

#include "unit/uverbs/fakes/fake_sysfs.h"

namespace vrdma::uverbs {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class HostRnicTest : public testing::Test {
  protected:
    HostRnicTest() {
        sysfs_.add_rnic("rxe0");
        sysfs_.add_uverbs("uverbs0", "rxe0", "2");
        sysfs_.add_rnic("mlx5_0");
        sysfs_.add_uverbs("uverbs1", "mlx5_0", "1");
        view_.sysfs = sysfs_.sysfs();
        view_.devices = sysfs_.devices();
        view_.driver_id = [](const std::string& name) {
            return uint32_t{name == "rxe0" ? RDMA_DRIVER_RXE : RDMA_DRIVER_MLX5};
        };
    }

    std::string refusal(const std::string& name) const {
        try {
            find_host_rnic(name, view_);
        } catch (const HostRnicError& error) {
            return error.what();
        }
        return "(found)";
    }

    FakeSysfs sysfs_;
    HostView view_;
};

TEST_F(HostRnicTest, IsFoundByItsName) {
    const HostRnic rnic = find_host_rnic("mlx5_0", view_);
    EXPECT_EQ(rnic.name, "mlx5_0");
    EXPECT_EQ(rnic.uverbs_name, "uverbs1");
    EXPECT_EQ(rnic.uverbs_path, sysfs_.devices() / "infiniband/uverbs1");
    EXPECT_EQ(rnic.uverbs_abi_version, 1U);
    EXPECT_EQ(rnic.driver_id, uint32_t{RDMA_DRIVER_MLX5});
    EXPECT_EQ(rnic.ports, 1U);
}

TEST_F(HostRnicTest, ItsNodeTypeTellsWhetherItDoesIwarp) {
    EXPECT_FALSE(find_host_rnic("mlx5_0", view_).iwarp);
    sysfs_.write(sysfs_.sysfs() / "class/infiniband/mlx5_0/node_type", "1: CA");
    EXPECT_FALSE(find_host_rnic("mlx5_0", view_).iwarp);
    sysfs_.write(sysfs_.sysfs() / "class/infiniband/mlx5_0/node_type", "4: RNIC");
    EXPECT_TRUE(find_host_rnic("mlx5_0", view_).iwarp);
}

TEST_F(HostRnicTest, NamesAreListedInOrder) {
    EXPECT_THAT(host_rnic_names(view_), ElementsAre("mlx5_0", "rxe0"));
}

TEST_F(HostRnicTest, AnUnknownNameIsRefusedWithThoseThereAre) {
    EXPECT_THAT(refusal("rxe7"), AllOf(HasSubstr("no RNIC 'rxe7'"), HasSubstr("mlx5_0, rxe0")));
}

TEST_F(HostRnicTest, AHostWithoutRnicsHasNone) {
    view_.sysfs = "/nonexistent";
    EXPECT_THAT(host_rnic_names(view_), ElementsAre());
    EXPECT_THAT(refusal("rxe0"), HasSubstr("RNICs of this host: none"));
}

TEST_F(HostRnicTest, ANameIsNoPath) {
    EXPECT_THAT(refusal("../infiniband/rxe0"), HasSubstr("there is no RNIC"));
    EXPECT_THAT(refusal(""), HasSubstr("there is no RNIC"));
}

TEST_F(HostRnicTest, WithoutUverbsItSaysWhichModuleToLoad) {
    std::filesystem::remove_all(sysfs_.sysfs() / "class/infiniband_verbs");
    EXPECT_THAT(refusal("rxe0"),
                AllOf(HasSubstr("'rxe0'"), HasSubstr("load the module ib_uverbs")));
}

TEST_F(HostRnicTest, WithoutADeviceNodeItSaysSo) {
    std::filesystem::remove(sysfs_.devices() / "infiniband/uverbs0");
    EXPECT_THAT(refusal("rxe0"), AllOf(HasSubstr("dev/infiniband/uverbs0: No such file"),
                                       HasSubstr("is udev running")));
}

// Root may open everything, so the test is somebody else for a while.
class AsNobody {
  public:
    AsNobody() : before_(::geteuid()) { EXPECT_EQ(::seteuid(before_ == 0 ? 65534 : before_), 0); }
    ~AsNobody() { EXPECT_EQ(::seteuid(before_), 0); }

  private:
    uid_t before_;
};

TEST_F(HostRnicTest, WithoutPermissionItSaysWhoseTheDeviceIs) {
    using std::filesystem::perms;
    const auto node = sysfs_.devices() / "infiniband/uverbs0";
    std::filesystem::permissions(node, perms::none);
    std::filesystem::permissions(sysfs_.root(),
                                 perms::owner_all | perms::group_all | perms::others_all);
    std::string message;
    {
        const AsNobody nobody;
        message = refusal("rxe0");
    }
    EXPECT_THAT(message, AllOf(HasSubstr("uverbs0: Permission denied"), HasSubstr("mode 0000"),
                               HasSubstr("run vrdmad as a user who may")));
}

TEST_F(HostRnicTest, AnAbiVersionThatIsNoNumberIsRefused) {
    sysfs_.add_uverbs("uverbs0", "rxe0", "two");
    EXPECT_THAT(refusal("rxe0"), HasSubstr("'two' instead of a number"));
}

TEST_F(HostRnicTest, WhatTheKernelDoesNotTellIsPassedOn) {
    view_.driver_id = [](const std::string&) -> uint32_t { throw HostRnicError("no driver id"); };
    EXPECT_EQ(refusal("rxe0"), "no driver id");
}

}  // namespace
}  // namespace vrdma::uverbs
