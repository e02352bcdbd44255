// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// A VMM that its guest has taken over, on the real socket of a server with the embedded RNIC.
// Whatever it does costs its own virtual machine the connection, and nothing else: an honest
// virtual machine of the same server is served, and two guests on the same thread of the RNIC
// exchange data that arrive as they were sent.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/virtio_config.h>
#include <malloc.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>
#include <vrdma_check.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "daemon/server/server.h"
#include "fixture.h"
#include "memory/file_system.h"
#include "support/captured_log.h"
#include "support/commands.h"
#include "support/driver_queue.h"
#include "support/fake_memory.h"
#include "support/fake_vmm.h"
#include "support/socket_io.h"
#include "vhost/feature_bit.h"

namespace vrdma::daemon {
namespace {

using test::FakeMemory;
using test::FakeVmm;
using vhost::Request;

constexpr uint64_t kMegabyte = 1 << 20;
constexpr uint64_t kTerabyte = uint64_t{1} << 40;
constexpr uint64_t kRamStart = 0x10000;

template <typename T>
std::span<const std::byte> bytes_of(const T& value) {
    return std::as_bytes(std::span(&value, 1));
}

// A virtual machine that the test plays, whose guest asks the device what it is.
class TestMachine {
  public:
    TestMachine(const std::filesystem::path& socket, FakeMemory& memory)
        : memory_(memory),
          vmm_(socket),
          features_(vmm_.negotiate(~vhost::bit(VIRTIO_F_RING_PACKED))) {}

    FakeVmm& vmm() { return vmm_; }
    test::DriverQueue& control() { return *control_; }

    // Hands the memory over, and starts the control queue, which is in it.
    bool start() {
        if (!vmm_.share(memory_)) {
            return false;
        }
        control_ = test::DriverQueue::create(memory_, 16, features_);
        vmm_.start_queue(VRDMA_VQ_CONTROL, *control_);
        return true;
    }

    // Whether the device answers a command.
    bool served() {
        vrdma_cmd_empty request{};
        request.hdr.opcode = htole16(VRDMA_CMD_QUERY_DEVICE);
        request.hdr.length = htole32(sizeof(request));
        request.hdr.uctx = htole32(VRDMA_NO_HANDLE);
        const auto answer = control_->transact(bytes_of(request), sizeof(vrdma_rsp_query_device));
        return answer.size() == sizeof(vrdma_rsp_query_device) && answer[0] == std::byte{0};
    }

    // The status and the handle of the answer, whose room includes `udata` bytes of the vendor.
    template <typename Request>
    std::pair<int, uint32_t> ask(Request request, uint32_t udata = 0) {
        request.hdr.udata_out_len = htole32(udata);
        auto answer = control_->transact(bytes_of(request), sizeof(vrdma_rsp_create_cq) + udata);
        vrdma_rsp_handle response{};
        std::memcpy(&response, answer.data(), std::min(answer.size(), sizeof(response)));
        return {static_cast<int>(le32toh(response.hdr.status)), le32toh(response.handle)};
    }

  private:
    FakeMemory& memory_;
    FakeVmm vmm_;
    uint64_t features_;
    std::unique_ptr<test::DriverQueue> control_;
};

// All memory mappings that this process may still have (vm.max_map_count), for as long as the
// object lives.
class AllMappings {
  public:
    static uint64_t limit() {
        uint64_t limit = 0;
        std::ifstream("/proc/sys/vm/max_map_count") >> limit;
        return limit;
    }

    AllMappings() {
        keep_heap_free();
        // Neighbours with different rights are no single mapping.
        size_ = limit() * kPage;
        start_ =
            ::mmap(nullptr, size_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        EXPECT_NE(start_, MAP_FAILED);
        for (uint64_t offset = kPage; offset < size_; offset += 2 * kPage) {
            if (::mprotect(static_cast<char*>(start_) + offset, kPage, PROT_READ) != 0) {
                EXPECT_EQ(errno, ENOMEM);
                break;
            }
        }
        // The last ones, which cannot be had by a mapping that falls to pieces.
        for (int protection = PROT_READ;; protection ^= PROT_WRITE) {
            void* page = ::mmap(nullptr, kPage, protection, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
            if (page == MAP_FAILED) {
                EXPECT_EQ(errno, ENOMEM);
                return;
            }
            pages_[page_count_++ % pages_.size()] = page;
        }
    }
    ~AllMappings() {
        for (size_t i = 0; i < std::min(page_count_, pages_.size()); ++i) {
            ::munmap(pages_[i], kPage);
        }
        ::munmap(start_, size_);
    }
    AllMappings(const AllMappings&) = delete;
    AllMappings& operator=(const AllMappings&) = delete;

  private:
    static constexpr size_t kPage = 4096;

    // A heap cannot grow meanwhile, so there has to be enough.
    static void keep_heap_free() {
        ::mallopt(M_TRIM_THRESHOLD, 256 << 20);
        std::vector<std::unique_ptr<char[]>> chunks(1024);
        for (auto& chunk : chunks) {
            chunk = std::make_unique<char[]>(16384);
        }
    }

    void* start_ = nullptr;
    size_t size_ = 0;
    std::array<void*, 64> pages_{};
    size_t page_count_ = 0;
};

class HostileVmmTest : public testing::Test {
  protected:
    HostileVmmTest() {
        char pattern[] = "/tmp/vrdma-hostile-test-XXXXXX";
        folder_ = ::mkdtemp(pattern);
        for (const char* name : {"honest", "hostile"}) {
            VmConfig vm;
            vm.name = name;
            vm.socket = folder_ / (vm.name + ".sock");
            config_.vms.push_back(vm);
        }
    }
    ~HostileVmmTest() override {
        honest_.reset();
        bob_.reset();
        alice_.reset();
        server_.reset();
        std::filesystem::remove_all(folder_);
    }

    void serve() {
        auto rnic = embedded::make_embedded_rnic({}, log_.logger());
        rnic::Rnic& shared = *rnic;
        server_ = std::make_unique<Server>(config_, std::move(rnic), log_.logger());
        server_->start();
        alice_ = std::make_unique<embedded::test::End>(shared, "alice", 1);
        bob_ = std::make_unique<embedded::test::End>(shared, "bob", 2);
        connect(alice_->qp, bob_->qp);
        alice_->guest.port->set_doorbells(alice_->guest.area.get(), doorbell_.get());
        honest_ = std::make_unique<TestMachine>(config_.vms[0].socket, honest_memory_);
        ASSERT_TRUE(honest_->start());
    }

    // The path of the hostile machine's socket, once the server serves no VMM there any more.
    std::string hostile_socket() {
        const auto connected = [&] {
            return nlohmann::json::parse(server_->status())["vms"][1]["connected"].get<bool>();
        };
        while (connected()) {
            std::this_thread::yield();
        }
        return config_.vms[1].socket;
    }
    std::unique_ptr<TestMachine> hostile(FakeMemory& memory) {
        return std::make_unique<TestMachine>(hostile_socket(), memory);
    }

    // A region of the VMM's choice, which is not answered.
    static void add_region(FakeVmm& vmm, const vhost::VuMemoryRegion& region, int fd) {
        const vhost::VuSingleRegion message{0, region};
        vmm.send(Request::kAddMemReg, bytes_of(message), std::span(&fd, 1));
    }

    // Commands on one side, data on the other: the honest go on as if nothing had happened.
    void expect_neighbours_served() {
        EXPECT_TRUE(honest_->served());
        const auto data = embedded::test::pattern(16384, ++seed_);
        alice_->fill(0, data);
        ASSERT_TRUE(alice_->qp.post_send({.wr_id = seed_,
                                          .opcode = embedded::WrOpcode::kRdmaWrite,
                                          .remote_address = bob_->mr.iova + 16384,
                                          .rkey = bob_->mr.rkey(),
                                          .sges = {alice_->mr.sge(0, 16384)}}));
        ::eventfd_write(doorbell_.get(), 1);
        std::optional<ib_uverbs_wc> wc;
        while (!(wc = alice_->send_cq.poll())) {
            std::this_thread::yield();
        }
        EXPECT_EQ(embedded::test::status_of(*wc), embedded::WcStatus::kSuccess);
        EXPECT_EQ(bob_->bytes(16384, 16384), data);
    }

    static FileDescriptor sealed_memfd(uint64_t size) {
        FileDescriptor file(::memfd_create("ram", MFD_CLOEXEC | MFD_ALLOW_SEALING));
        EXPECT_EQ(::ftruncate(file.get(), static_cast<off_t>(size)), 0);
        EXPECT_EQ(::fcntl(file.get(), F_ADD_SEALS, F_SEAL_SHRINK), 0);
        return file;
    }

    // A file on tmpfs that a VMM opened by its path: it cannot be sealed.
    static FileDescriptor tmpfs_file() {
        return FileDescriptor(::open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    }

    test::CapturedLog log_;
    Config config_;
    std::filesystem::path folder_;
    std::unique_ptr<Server> server_;
    FakeMemory honest_memory_;
    std::unique_ptr<TestMachine> honest_;
    std::unique_ptr<embedded::test::End> alice_;
    std::unique_ptr<embedded::test::End> bob_;
    FileDescriptor doorbell_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};  // wakes the RNIC's thread
    unsigned seed_ = 0;
};

TEST_F(HostileVmmTest, MessagesThatAreNoneCostTheConnectionAlone) {
    serve();
    const vhost::VuHeader reply{static_cast<uint32_t>(Request::kGetFeatures),
                                vhost::kVersion | vhost::kFlagReply, 0};
    const vhost::VuHeader too_long{static_cast<uint32_t>(Request::kSetFeatures), vhost::kVersion,
                                   UINT32_MAX};
    const vhost::VuHeader version{static_cast<uint32_t>(Request::kGetFeatures), 7, 0};
    for (const vhost::VuHeader& header : {reply, too_long, version}) {
        FakeVmm vmm(hostile_socket());
        vmm.send_raw(bytes_of(header));
        vmm.wait_disconnected();
        expect_neighbours_served();
    }
    for (uint32_t request = 1; request < 45; ++request) {
        FakeVmm vmm(hostile_socket());
        const std::vector<std::byte> payload(request * 7 % 300, std::byte{0xff});
        try {
            vmm.send(static_cast<Request>(request), payload);
            vmm.send_raw(bytes_of(too_long));
        } catch (const std::runtime_error&) {
            // The first of them was enough for the server.
        }
        vmm.wait_disconnected();
    }
    expect_neighbours_served();
}

TEST_F(HostileVmmTest, DescriptorsOfAnyKindCostTheConnectionAlone) {
    serve();
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const FileDescriptor reader(ends[0]);
    const FileDescriptor writer(ends[1]);
    const FileDescriptor zero(::open("/dev/zero", O_RDWR | O_CLOEXEC));
    const FileDescriptor folder(::open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const FileDescriptor event(::eventfd(0, EFD_CLOEXEC));
    const FileDescriptor status(::open("/proc/self/status", O_RDONLY | O_CLOEXEC));
    for (const FileDescriptor* file : {&reader, &writer, &zero, &folder, &event, &status}) {
        FakeVmm vmm(hostile_socket());
        vmm.negotiate();
        add_region(vmm, {0, 4096, 0, 0}, file->get());
        vmm.wait_disconnected();
        expect_neighbours_served();
    }
    FakeVmm vmm(hostile_socket());
    vmm.negotiate();
    const uint64_t queue = 0;
    for (const FileDescriptor* file : {&reader, &writer, &zero, &folder, &status}) {
        const int fd = file->get();
        EXPECT_FALSE(vmm.acknowledged(Request::kSetVringCall, bytes_of(queue), std::span(&fd, 1)));
    }
    const std::array<int, 8> many{reader.get(), reader.get(), reader.get(), reader.get(),
                                  reader.get(), reader.get(), reader.get(), reader.get()};
    vmm.send(Request::kGetFeatures, {}, many);
    vmm.wait_disconnected();
    expect_neighbours_served();
}

TEST_F(HostileVmmTest, MemoryThatTheVmmShrinksCostsItsConnectionAlone) {
    serve();
    for (int round = 0; round < 3; ++round) {
        FakeMemory memory(0);
        auto& region = memory.add_region_of(tmpfs_file(), kRamStart, kMegabyte);
        const auto machine = hostile(memory);
        ASSERT_TRUE(machine->start());
        EXPECT_TRUE(machine->served());
        ASSERT_EQ(::ftruncate(region.file.get(), 0), 0);
        // The thread that looks into the ring finds no page.
        machine->control().kick();
        machine->vmm().wait_disconnected();
        expect_neighbours_served();
    }
    EXPECT_THAT(log_.str(), testing::HasSubstr("an access to guest memory failed, at 0x"));
    EXPECT_THAT(log_.str(), testing::HasSubstr("the file has 0x0 bytes now"));
    // The machine comes again with memory that is as it should be.
    FakeMemory memory;
    const auto machine = hostile(memory);
    ASSERT_TRUE(machine->start());
    EXPECT_TRUE(machine->served());
}

TEST_F(HostileVmmTest, AMemfdThatTheVmmCanShrinkIsRefusedWithAdvice) {
    serve();
    FakeMemory memory(0);
    memory.add_region_of(FileDescriptor(::memfd_create("ram\nforged", MFD_ALLOW_SEALING)),
                         kRamStart, kMegabyte);
    const auto machine = hostile(memory);
    EXPECT_THROW(machine->start(), std::runtime_error);
    EXPECT_THAT(log_.str(), testing::HasSubstr("not sealed against shrinking"));
    EXPECT_THAT(log_.str(), testing::HasSubstr("unsealed_memfds"));
    expect_neighbours_served();
}

TEST_F(HostileVmmTest, AMemfdThatTheVmmCanShrinkIsTakenIfTheOperatorSaysSo) {
    config_.memory.unsealed_memfds = true;
    serve();
    FakeMemory memory(0);
    auto& region = memory.add_region_of(FileDescriptor(::memfd_create("ram\nforged", 0)), kRamStart,
                                        kMegabyte);
    const auto machine = hostile(memory);
    ASSERT_TRUE(machine->start());
    EXPECT_TRUE(machine->served());
    ASSERT_EQ(::ftruncate(region.file.get(), 0), 0);
    machine->control().kick();
    machine->vmm().wait_disconnected();
    EXPECT_THAT(log_.str(), testing::HasSubstr("of /memfd:ram?forged (deleted): the file has"));
    expect_neighbours_served();
}

// A file of a file system that reads from a disk, or of one that is itself a program (FUSE), may
// keep the thread that touches it for any time.
TEST_F(HostileVmmTest, AFileOnAnotherFileSystemThanTmpfsIsRefusedWithItsName) {
    const auto place = std::filesystem::read_symlink("/proc/self/exe").parent_path();
    const auto open_there = [&] {
        return FileDescriptor(::open(place.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    };
    const FileDescriptor probe = open_there();
    if (!probe || memory::seals_of(probe.get()) >= 0) {
        GTEST_SKIP() << place << " is on tmpfs, or takes no file";
    }
    const std::string type = memory::file_system_of(probe.get());
    ASSERT_FALSE(type.empty());
    {
        serve();
        FakeMemory memory(0);
        memory.add_region_of(open_there(), kRamStart, kMegabyte);
        EXPECT_THROW(hostile(memory)->start(), std::runtime_error);
        EXPECT_THAT(log_.str(), testing::HasSubstr("its file is on " + type));
        EXPECT_THAT(log_.str(), testing::HasSubstr("file_systems in [memory]"));
        expect_neighbours_served();
    }
    config_.memory.file_systems = {type};
    honest_.reset();
    bob_.reset();
    alice_.reset();
    server_.reset();
    serve();
    FakeMemory memory(0);
    memory.add_region_of(open_there(), kRamStart, kMegabyte);
    const auto machine = hostile(memory);
    ASSERT_TRUE(machine->start());
    EXPECT_TRUE(machine->served());
}

TEST_F(HostileVmmTest, AddressSpaceIsBoundedAndComesBackWithTheConnection) {
    serve();
    const FileDescriptor file = sealed_memfd(kTerabyte);
    for (int connection = 0; connection < 20; ++connection) {
        FakeVmm vmm(hostile_socket());
        vmm.negotiate();
        unsigned taken = 0;
        for (uint64_t i = 0; i < 8; ++i) {
            const vhost::VuSingleRegion message{0, {i * kTerabyte, kTerabyte, i * kTerabyte, 0}};
            const int fd = file.get();
            taken +=
                vmm.acknowledged(Request::kAddMemReg, bytes_of(message), std::span(&fd, 1)) ? 1 : 0;
        }
        EXPECT_EQ(taken, 2U);
    }
    EXPECT_THAT(log_.str(), testing::HasSubstr("raise 'region_bytes'"));
    const auto region_bytes = [&] {
        return nlohmann::json::parse(server_->status())["vms"][1]["limits"]["region_bytes"];
    };
    while (region_bytes()["used"] != 0) {
        std::this_thread::yield();
    }
    const auto limit = region_bytes();
    EXPECT_EQ(limit["limit"], 2 * kTerabyte);
    EXPECT_EQ(limit["reached"], 20 * 6);
    expect_neighbours_served();
}

TEST_F(HostileVmmTest, MappingsThatRunOutCostWhoWantsOne) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "a sanitizer cannot do without mappings";
#endif
    if (AllMappings::limit() > 1 << 21) {
        GTEST_SKIP() << "vm.max_map_count allows too many mappings to take them all";
    }
    serve();
    FakeMemory memory;
    const auto machine = hostile(memory);
    ASSERT_TRUE(machine->start());
    auto create_cq = test::make_command<vrdma_cmd_create_cq>(
        VRDMA_CMD_CREATE_CQ,
        machine->ask(test::make_command<vrdma_cmd_empty>(VRDMA_CMD_ALLOC_UCONTEXT)).second);
    create_cq.cqe = htole32(16);
    constexpr uint32_t kUdata = 16;
    const FileDescriptor file = sealed_memfd(kMegabyte);
    const vhost::VuSingleRegion region{0, {kTerabyte, kMegabyte, kTerabyte, 0}};
    const auto add_region = [&] {
        const int fd = file.get();
        return machine->vmm().acknowledged(Request::kAddMemReg, bytes_of(region),
                                           std::span(&fd, 1));
    };
    // Machines that run: the C library maps memory for a thread when the thread first allocates.
    expect_neighbours_served();
    ASSERT_TRUE(machine->served());
    {
        const AllMappings all;
        EXPECT_EQ(machine->ask(create_cq, kUdata).first, ENOMEM);
        EXPECT_FALSE(add_region());
        EXPECT_TRUE(machine->served());
        expect_neighbours_served();
    }
    EXPECT_THAT(log_.str(), testing::HasSubstr("vm.max_map_count"));
    EXPECT_EQ(machine->ask(create_cq, kUdata).first, 0);
    EXPECT_TRUE(add_region());
    expect_neighbours_served();
}

TEST_F(HostileVmmTest, NothingThatAVmmDoesFillsTheLog) {
    serve();
    {
        FakeVmm vmm(hostile_socket());
        vmm.negotiate();
        for (int i = 0; i < 20000; ++i) {
            vmm.send(static_cast<Request>(1000 + i));
        }
        EXPECT_GT(vmm.ask_u64(Request::kGetQueueNum), 0U);
    }
    FakeMemory memory;
    for (int i = 0; i < 200; ++i) {
        const auto machine = hostile(memory);
        ASSERT_TRUE(machine->start());
        // A ring that breaks the specification, and one reset of the device.
        auto* available =
            memory.at<vring_avail>(machine->control().layout().driver - FakeMemory::vmm_address(0));
        available->idx = 5000;
        machine->control().kick();
        test::wait_readable(machine->control().error_fd(), "the end of the ring");
        ASSERT_TRUE(machine->vmm().acknowledged(Request::kResetDevice));
    }
    expect_neighbours_served();
    EXPECT_LT(log_.count("\n"), 150U) << log_.str();
}

}  // namespace
}  // namespace vrdma::daemon
