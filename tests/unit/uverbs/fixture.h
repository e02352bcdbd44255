// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <gtest/gtest.h>
#include <rdma/ib_user_ioctl_verbs.h>
#include <sys/eventfd.h>
#include <vrdma_doorbell.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "memory/guest_access.h"
#include "rnic/uverbs/uverbs_rnic.h"
#include "support/captured_log.h"
#include "support/recording_sink.h"
#include "unit/uverbs/fakes/fake_kernel.h"
#include "unit/uverbs/fakes/fake_sysfs.h"

namespace vrdma::uverbs {

using test::RecordingSink;

// An RNIC that is removed when the test says so.
class FakeRemoval : public RemovalSource {
  public:
    struct Switch {
        FileDescriptor fd{::eventfd(0, EFD_CLOEXEC)};
        std::atomic<bool> removed = false;
        void pull() {
            removed = true;
            ::eventfd_write(fd.get(), 1);
        }
    };
    explicit FakeRemoval(std::shared_ptr<Switch> by) : by_(std::move(by)) {}
    int fd() const override { return by_->fd.get(); }
    bool removed() override { return by_->removed; }

  private:
    std::shared_ptr<Switch> by_;
};

// An RNIC on a kernel that only remembers commands.  It is rxe's unless the test says otherwise.
class UverbsTest : public testing::Test {
  protected:
    explicit UverbsTest(uint32_t driver_id = RDMA_DRIVER_RXE, uint32_t abi_version = 2) {
        host.name = "rxe0";
        host.uverbs_name = "uverbs0";
        host.uverbs_path = "/dev/infiniband/uverbs0";
        host.driver_id = driver_id;
        host.uverbs_abi_version = abi_version;
        host.ports = 1;
        sysfs.add_rnic("rxe0");
        sysfs.set_gid("rxe0", 3, "10.9.0.1");
        config.addresses.peers.push_back({"", *parse_gid_prefix("10.9.0.0/24"), {}});
    }

    void make_rnic() {
        rnic = make_uverbs_rnic(config, host,
                                {.device = kernel.device(),
                                 .removal = std::make_unique<FakeRemoval>(removal),
                                 .sysfs = sysfs.sysfs(),
                                 .open_rdma_cm = open_rdma_cm,
                                 .addresses = nullptr,
                                 .netdev = std::move(netdev)},
                                logger);
    }

    FakeSysfs sysfs;
    FakeKernel kernel;
    UverbsConfig config;
    HostRnic host;
    std::shared_ptr<FakeRemoval::Switch> removal = std::make_shared<FakeRemoval::Switch>();
    test::CapturedLog log;
    std::shared_ptr<spdlog::logger> logger = log.logger();
    RecordingSink sink;
    OpenRdmaCm open_rdma_cm;
    std::unique_ptr<NetdevIpv6> netdev;  // none, unless a test has one
    std::unique_ptr<rnic::Rnic> rnic;
};

// The private bytes of a verb.
struct TestUdata {
    explicit TestUdata(size_t in_size = 0, size_t out_size = 0) : in(in_size), out(out_size) {}
    rnic::Udata udata() { return {.in = in, .out = out}; }

    std::vector<std::byte> in;
    std::vector<std::byte> out;
};

// A guest with a user context on rxe, and private bytes as librxe has them.
class GuestTest : public UverbsTest {
  protected:
    void SetUp() override { open_guest(); }

    void open_guest() {
        make_rnic();
        port = rnic->open_port("alice", sink).value();
        ASSERT_TRUE(port->add_gid(0, gid("10.77.0.1"), kRoceV2));
        TestUdata none;
        auto udata = none.udata();
        context = port->alloc_context(udata).value();
    }

    std::unique_ptr<rnic::ProtectionDomain> make_pd() {
        TestUdata none;
        auto udata = none.udata();
        return context->alloc_pd(udata).value();
    }
    std::unique_ptr<rnic::CompletionQueue> make_cq(uint32_t handle, uint32_t comp_vector = 0) {
        TestUdata bytes(0, 16);
        auto udata = bytes.udata();
        rnic::CqAttributes attributes{.cqe = 100, .comp_vector = comp_vector, .flags = 0};
        return context->create_cq(handle, attributes, udata).value();
    }
    std::unique_ptr<rnic::SharedReceiveQueue> make_srq(rnic::ProtectionDomain& pd,
                                                       uint32_t handle = 9) {
        TestUdata bytes(0, 24);
        auto udata = bytes.udata();
        rnic::SrqAttributes attributes{.max_wr = 20, .max_sge = 2, .srq_limit = 0};
        return context->create_srq(handle, pd, attributes, udata).value();
    }
    static rnic::Context::QpInit qp_init(rnic::ProtectionDomain& pd, rnic::CompletionQueue& cq) {
        return {.pd = &pd,
                .send_cq = &cq,
                .recv_cq = &cq,
                .srq = nullptr,
                .qp_type = IB_UVERBS_QPT_RC,
                .sq_sig_all = false,
                .create_flags = 0,
                .cap = {.max_send_wr = 10,
                        .max_recv_wr = 11,
                        .max_send_sge = 1,
                        .max_recv_sge = 2,
                        .max_inline_data = 32}};
    }
    std::unique_ptr<rnic::QueuePair> make_qp(uint32_t handle, rnic::ProtectionDomain& pd,
                                             rnic::CompletionQueue& cq) {
        TestUdata bytes(0, 32);
        auto udata = bytes.udata();
        auto init = qp_init(pd, cq);
        return context->create_qp(handle, init, udata).value();
    }

    static constexpr uint32_t kRoceV2 = 2;

    std::unique_ptr<rnic::Port> port;
    std::unique_ptr<rnic::Context> context;
};

// The guest's driver at its doorbells (common/vrdma_doorbell.h).
class Doorbells {
  public:
    vrdma_doorbell_area* area() { return area_.get(); }
    int notify_fd() const { return notify_.get(); }

    // Rings as the driver does.  Returns true when the driver had to notify.
    bool ring_qp(uint32_t handle) { return ring(area_->qp, handle); }
    bool ring_cq(uint32_t handle) { return ring(area_->cq, handle); }

    // Arms as the driver does.  Returns true when the driver has to ring.
    bool arm(uint32_t handle, uint32_t bits, uint32_t watched) {
        const uint32_t old = std::atomic_ref(area_->cq_arm[handle]).fetch_or(bits);
        return (old & watched) == 0;
    }
    uint32_t arming(uint32_t handle) const {
        return memory::load(&area_->cq_arm[handle], std::memory_order_acquire);
    }
    bool polling() const { return memory::load(&area_->polling, std::memory_order_acquire) != 0; }

  private:
    bool ring(vrdma_doorbell_bitmap& bitmap, uint32_t handle) {
        std::atomic_ref(bitmap.bits[handle / 64]).fetch_or(uint64_t{1} << handle % 64);
        std::atomic_ref(bitmap.summary[handle / 4096]).fetch_or(uint64_t{1} << handle / 64 % 64);
        std::atomic_ref(bitmap.root).fetch_or(uint64_t{1} << handle / 4096);
        if (memory::load(&area_->polling, std::memory_order_seq_cst) != 0) {
            return false;
        }
        ::eventfd_write(notify_.get(), 1);
        return true;
    }

    std::unique_ptr<vrdma_doorbell_area> area_ = std::make_unique<vrdma_doorbell_area>();
    FileDescriptor notify_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
};

// Waits until another thread has made the condition true.  Returns false after half a minute.
template <typename Condition>
bool eventually(const Condition& condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) {
            return false;
        }
        std::this_thread::yield();
    }
    return true;
}

}  // namespace vrdma::uverbs
