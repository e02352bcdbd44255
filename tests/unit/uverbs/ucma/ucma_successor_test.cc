// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// A guest's files of the connection manager in the daemon's successor.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/socket.h>

#include <array>
#include <thread>

#include "rnic/uverbs/cm_writer/writer_loop.h"
#include "rnic/uverbs/cm_writer/written_file.h"
#include "state/device.pb.h"
#include "state/files.h"
#include "unit/uverbs/fakes/fake_cm_events.h"
#include "unit/uverbs/ucma/ucma_fixture.h"

namespace vrdma::uverbs {
namespace {

using rnic::AsyncEventType;
using testing::ElementsAre;
using testing::Pair;

// The writer is a thread here, so that the test can see into its kernel.
class UcmaSuccessor : public UcmaTest {
  protected:
    UcmaSuccessor() {
        std::array<int, 2> ends{};
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()), 0);
        channel = FileDescriptor(ends[0]);
        writer = std::thread([this, end = ends[1]] {
            ChannelLoop(FileDescriptor(end), [this] { return cm.open(); }).run();
        });
        open_rdma_cm = [this] { return WrittenFile::open(channel); };
        kernel.files_travel = true;
        sysfs.set_gid("rxe0", 4, "10.9.0.11");
    }
    void TearDown() override {
        context.reset();
        file.reset();
        port.reset();
        second_file.reset();
        second_port.reset();
        channel.reset();
        writer.join();
    }

    void save() {
        pause = rnic->pause();
        ASSERT_TRUE(port->save(*saved.mutable_port(), files));
        ASSERT_TRUE(file->save(*saved.add_ucma_files(), files));
    }
    // The successor, whose guest's budgets are its own.
    Result<std::unique_ptr<rnic::UcmaFile>> restore(const state::UcmaFile& state) {
        first_rnic = std::move(rnic);
        make_rnic();
        second_rnic = std::move(rnic);
        still = second_rnic->pause();
        second_port = second_rnic->open_port("alice", second_sink).value();
        second_port->set_budgets({.connections = &second_connections,
                                  .connection_backlog = &second_backlog,
                                  .connection_events = &second_events});
        std::vector<FileDescriptor> copies;
        for (const int fd : files.all()) {
            copies.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
        }
        state::ReceivedFiles received(std::move(copies));
        EXPECT_TRUE(second_port->restore(saved.port(), received));
        return second_port->restore_ucma_file(
            {.handle = 0, .ibdev_index = state.ibdev_index(), .node_guid = kNodeGuid}, state,
            received);
    }
    // From here on the test's `file` is the successor's.  What the predecessor has goes with its
    // process.
    void take_over() {
        save();
        second_file = restore(saved.ucma_files(0)).value();
        file.reset();
        still.reset();
        std::swap(file, second_file);
    }

    FileDescriptor channel;
    std::thread writer;
    std::unique_ptr<rnic::Rnic> first_rnic;
    std::unique_ptr<rnic::Rnic> second_rnic;
    std::unique_ptr<rnic::Rnic::Pause> pause;
    std::unique_ptr<rnic::Rnic::Pause> still;
    RecordingSink second_sink;
    Budget second_connections{"connections", "ids", 20, limit_log};
    Budget second_backlog{"connection_backlog", "requests", 2048, limit_log};
    Budget second_events{"connection_events", "events", 10, limit_log};
    std::unique_ptr<rnic::Port> second_port;
    std::unique_ptr<rnic::UcmaFile> second_file;
    state::Session saved;
    state::FilesToSend files;
};

TEST_F(UcmaSuccessor, AnIdKeepsItsNamesAndItsPeer) {
    const uint32_t id = create(0x77);
    ASSERT_EQ(bind(id, "10.77.0.1", 0), 0);
    ASSERT_EQ(resolve(id, "10.9.0.7"), 0);
    const std::string local = text(route(id).src_addr);
    take_over();
    EXPECT_EQ(text(route(id).src_addr), local);
    EXPECT_EQ(text(route(id).dst_addr), "10.9.0.7:80");
    cm.report(kRouteResolvedEvent, id);
    EXPECT_EQ(second_sink.events(1).back(), RecordingSink::Event(AsyncEventType::kUcma, 0));
    const auto got = event();
    EXPECT_EQ(got.uid, 0x77u);
    EXPECT_EQ(got.id, id);
    EXPECT_EQ(destroy(id), 0);
    EXPECT_TRUE(cm.ids().empty());
}

TEST_F(UcmaSuccessor, AnEventThatTheGuestWasToldOfIsNotAnnouncedAgain) {
    const uint32_t id = create();
    cm.report(kAddressResolvedEvent, id);
    ASSERT_EQ(sink.events(1).size(), 1u);
    take_over();
    EXPECT_EQ(event().event, kAddressResolvedEvent);
    EXPECT_EQ(second_sink.events(0).size(), 0u);
    cm.report(kRouteResolvedEvent, id);
    EXPECT_EQ(second_sink.events(1).size(), 1u);
    EXPECT_EQ(event().event, kRouteResolvedEvent);
}

TEST_F(UcmaSuccessor, AnEventThatHappenedBetweenIsAnnounced) {
    const uint32_t id = create();
    save();
    second_file = restore(saved.ucma_files(0)).value();
    cm.report(kAddressResolvedEvent, id);
    EXPECT_THAT(second_sink.events(1), ElementsAre(Pair(AsyncEventType::kUcma, 0u)));
}

TEST_F(UcmaSuccessor, AListenerTakesRequestsAtAllItsPlaces) {
    ASSERT_TRUE(port->add_gid(1, gid("10.9.0.11"), kRoceV2));
    const uint32_t id = listening("0.0.0.0", 0x55);
    const size_t kernels = cm.ids().size();
    ASSERT_EQ(kernels, 2u);
    const uint64_t charged = backlog.used();
    take_over();
    cm.request(gid("10.9.0.1"), kTcpPort, gid("10.9.0.5"));
    const auto got = event();
    EXPECT_EQ(got.uid, 0x55u);
    EXPECT_EQ(text(route(got.id).dst_addr), "10.9.0.5:4711");
    EXPECT_EQ(destroy(got.id), 0);
    EXPECT_EQ(cm.ids().size(), kernels);
    EXPECT_EQ(second_backlog.used(), charged);
    EXPECT_EQ(destroy(id), 0);
    EXPECT_TRUE(cm.ids().empty());
    EXPECT_EQ(second_backlog.used(), 0u);
    EXPECT_EQ(second_connections.used(), 0u);
}

TEST_F(UcmaSuccessor, NewIdsHaveKeysThatNoneHadBefore) {
    const uint32_t gone = create();
    ASSERT_EQ(destroy(gone), 0);
    take_over();
    const auto kept = cm.last<rdma_ucm_create_id>(RDMA_USER_CM_CMD_CREATE_ID).uid;
    create();
    EXPECT_GT(cm.last<rdma_ucm_create_id>(RDMA_USER_CM_CMD_CREATE_ID).uid, kept);
}

TEST_F(UcmaSuccessor, GroupsAreStillJoined) {
    const uint32_t id = create(1, RDMA_PS_UDP);
    ASSERT_EQ(bind(id, "10.77.0.1"), 0);
    rdma_ucm_join_mcast join{};
    join.uid = 0x42;
    join.id = id;
    join.join_flags = RDMA_MC_JOIN_FLAG_FULLMEMBER;
    join.addr_size = put(socket_address(gid("239.1.1.1"), 0), join.addr);
    ASSERT_EQ(run(RDMA_USER_CM_CMD_JOIN_MCAST, join), 0);
    const uint32_t group = answered<rdma_ucm_create_id_resp>().id;
    take_over();
    cm.report_group(kMulticastJoinEvent, group, gid("239.1.1.1"));
    EXPECT_EQ(event().uid, 0x42u);
    rdma_ucm_destroy_id leave{};
    leave.id = group;
    EXPECT_EQ(run(RDMA_USER_CM_CMD_LEAVE_MCAST, leave), 0);
}

TEST_F(UcmaSuccessor, AnIdMovesToAFileThatTheSuccessorOpened) {
    const uint32_t id = create();
    take_over();
    auto opened =
        second_port
            ->open_ucma_file({.handle = 3, .ibdev_index = kIbdevIndex, .node_guid = kNodeGuid})
            .value();
    rdma_ucm_migrate_id migrate{};
    migrate.id = id;
    EXPECT_EQ(run(*opened, RDMA_USER_CM_CMD_MIGRATE_ID, migrate, file.get()), 0);
    rdma_ucm_destroy_id request{};
    request.id = id;
    EXPECT_EQ(run(*opened, RDMA_USER_CM_CMD_DESTROY_ID, request), 0);
}

TEST_F(UcmaSuccessor, OptionsReachTheKernel) {
    const uint32_t id = create();
    take_over();
    struct {
        rdma_ucm_set_option request{};
        uint8_t value = 0x20;
    } option;
    option.request.id = id;
    option.request.level = RDMA_OPTION_ID;
    option.request.optname = RDMA_OPTION_ID_TOS;
    option.request.optlen = sizeof(option.value);
    std::array<std::byte, sizeof(option.request) + 1> bytes;
    std::memcpy(bytes.data(), &option.request, sizeof(option.request));
    bytes.back() = std::byte{option.value};
    ASSERT_TRUE(file->execute(RDMA_USER_CM_CMD_SET_OPTION, bytes, {}, nullptr));
    EXPECT_THAT(cm.option, ElementsAre(std::byte{0x20}));
}

TEST_F(UcmaSuccessor, ThatEndsBeforeItServesLeavesTheFileToThePredecessor) {
    const uint32_t id = create();
    save();
    second_file = restore(saved.ucma_files(0)).value();
    second_file.reset();
    second_port.reset();
    still.reset();
    pause.reset();
    EXPECT_EQ(cm.ids().size(), 1u);
    EXPECT_EQ(destroy(id), 0);
}

TEST_F(UcmaSuccessor, RefusesIdsThatNoFileHas) {
    const uint32_t id = listening("10.77.0.1");
    save();
    const state::UcmaFile good = saved.ucma_files(0);
    const auto refused = [&](const auto& change) {
        state::UcmaFile bad = good;
        change(*bad.mutable_uverbs());
        auto restored = restore(bad);
        const bool is_refused = !restored && restored.error() == Errno{EINVAL};
        if (restored) {
            restored->reset();
        }
        second_port.reset();
        still.reset();
        second_rnic.reset();
        rnic = std::move(first_rnic);
        return is_refused;
    };
    using File = state::UverbsUcmaFile;
    EXPECT_FALSE(refused([](File&) {}));
    EXPECT_TRUE(refused([](File& state) { *state.add_ids() = state.ids(0); }));
    EXPECT_TRUE(refused([](File& state) { state.mutable_ids(0)->set_key(UINT64_MAX); }));
    EXPECT_TRUE(refused([](File& state) { state.mutable_ids(0)->clear_local(); }));
    EXPECT_TRUE(refused([](File& state) { state.mutable_ids(0)->clear_underlay_local(); }));
    EXPECT_TRUE(refused([](File& state) { state.mutable_ids(0)->set_underlay_local("short"); }));
    EXPECT_TRUE(refused([](File& state) { state.mutable_ids(0)->mutable_remote(); }));
    EXPECT_TRUE(refused([](File& state) { state.mutable_ids(0)->set_backlog(UINT32_MAX); }));
    EXPECT_TRUE(refused([](File& state) { state.mutable_ids(0)->set_port_space(0x10000); }));
    EXPECT_TRUE(refused([](File& state) { state.mutable_ids(0)->add_groups(); }));
    pause.reset();
    EXPECT_EQ(destroy(id), 0);
}

TEST_F(UcmaSuccessor, NeedsTheFiles) {
    save();
    state::UcmaFile without = saved.ucma_files(0);
    without.mutable_uverbs()->clear_writer_file();
    EXPECT_EQ(restore(without).error(), Errno{EBADF});
    still.reset();
    pause.reset();
}

TEST_F(UcmaTest, AFileThatThisProcessAloneMayUseDoesNotTravel) {
    state::UcmaFile saved;
    state::FilesToSend files;
    EXPECT_EQ(file->save(saved, files).error(), Errno{EOPNOTSUPP});
}

}  // namespace
}  // namespace vrdma::uverbs
