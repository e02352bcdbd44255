// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// One vrdmad takes the guests of another one over.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <vrdma_check.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "daemon/hand_over/transfer.h"
#include "hostile/guest_verbs.h"
#include "hostile/honest_pair.h"
#include "hostile/machine.h"
#include "program_fixture.h"
#include "state/document.h"

namespace vrdma::daemon {
namespace {

using hostile::GuestVerbs;
using hostile::HonestPair;
using hostile::Machine;
using testing::HasSubstr;

class HandOverTest : public ProgramTest {
  protected:
    std::vector<std::string> arguments(std::initializer_list<std::string> more = {}) const {
        std::vector<std::string> all{"--vm",
                                     vm("a.sock") + ",name=a",
                                     "--vm",
                                     vm("b.sock") + ",name=b",
                                     "--control-socket",
                                     path("control.sock")};
        all.insert(all.end(), more);
        return all;
    }

    // A vrdmad for the machines a and b, which begins or takes over.
    std::unique_ptr<Program> start(bool take_over = false, const char* vrdmad = VRDMAD) {
        auto program = std::make_unique<Program>(
            take_over ? arguments({"--take-over"}) : arguments(), FileDescriptor(), vrdmad);
        program->wait_printed("serves 2 virtual machine(s)");
        return program;
    }

    // Has another vrdmad take over from `program`, which has to end well.
    void upgrade(std::unique_ptr<Program>& program, const char* vrdmad = VRDMAD) {
        auto successor = start(true, vrdmad);
        EXPECT_EQ(program->wait(), 0) << program->printed();
        EXPECT_THAT(program->printed(), HasSubstr("the successor has the guests"));
        program = std::move(successor);
    }

    // 0, or the errno; the socket is in `socket` then.
    static int connect_to(const std::string& path, FileDescriptor* socket = nullptr) {
        FileDescriptor client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof(address.sun_path) - 1);
        if (::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) !=
            0) {
            return errno;
        }
        if (socket != nullptr) {
            *socket = std::move(client);
        }
        return 0;
    }
};

TEST_F(HandOverTest, AVmmAndItsGuestKeepWhatTheyHave) {
    auto program = start();
    Machine machine(path("a.sock"), {});
    machine.backend_requests().serve(machine.shm_region());
    machine.start();
    GuestVerbs verbs(machine);
    verbs.map_doorbells();
    const uint32_t uctx = verbs.alloc_ucontext();
    const uint32_t pd = verbs.alloc_pd(uctx);
    const auto cq = verbs.create_cq(uctx, 63, 0);

    upgrade(program);
    EXPECT_THAT(program->printed(), HasSubstr("a: taken over from vrdmad"));
    EXPECT_THAT(program->printed(), HasSubstr("the guests that were taken over stood still for "));

    EXPECT_EQ(verbs.tell_handle(VRDMA_CMD_DESTROY_CQ, uctx, cq.handle), 0U);
    EXPECT_NE(verbs.alloc_pd(uctx), pd);
    EXPECT_EQ(verbs.tell_handle(VRDMA_CMD_DEALLOC_PD, uctx, pd), 0U);
    EXPECT_EQ(verbs.tell_handle(VRDMA_CMD_DEALLOC_PD, uctx, pd), uint32_t{EINVAL});
}

TEST_F(HandOverTest, AVmmThatConnectsLaterIsServedByTheSuccessor) {
    auto program = start();
    upgrade(program);
    Machine machine(path("b.sock"), {});
    machine.start();
    EXPECT_NE(GuestVerbs(machine).alloc_ucontext(), VRDMA_NO_HANDLE);
}

TEST_F(HandOverTest, TransfersGoOnThroughTwentyTakeOversFromVersionToVersion) {
    auto program = start();
    HonestPair pair("pair", path("a.sock"), path("b.sock"), 1, 1);
    std::atomic<uint64_t> transfers = 0;
    std::atomic<bool> stop = false;
    std::string error;
    std::thread traffic([&] {
        try {
            while (!stop.load()) {
                pair.transfer();
                transfers.fetch_add(1);
                transfers.notify_one();
            }
        } catch (const std::exception& thrown) {
            error = thrown.what();
            stop.store(true);
            transfers.fetch_add(1);
            transfers.notify_one();
        }
    });
    for (int i = 0; i < 20 && !stop.load(); ++i) {
        const uint64_t before = transfers.load();
        upgrade(program, i % 2 == 0 ? VRDMAD_NEXT : VRDMAD);
        transfers.wait(before);
    }
    stop.store(true);
    traffic.join();
    EXPECT_EQ(error, "") << program->printed();
}

TEST_F(HandOverTest, GuestsGoOnWhereASuccessorFails) {
    auto program = start();
    HonestPair pair("pair", path("a.sock"), path("b.sock"), 1, 2);
    pair.transfer();
    {
        FileDescriptor successor;
        ASSERT_EQ(connect_to(path("control.sock.hand-over"), &successor), 0);
        const auto state = receive_state(successor.get());
        ASSERT_TRUE(state);
        const auto decoded = state::decode(state->document);
        ASSERT_TRUE(decoded) << decoded.error();
        EXPECT_EQ(decoded->machines_size(), 2);
    }
    program->wait_printed("the guests have not been handed over");
    pair.transfer();
}

TEST_F(HandOverTest, AGuestWhoseVmmDoesNotAnswerIsLeftOut) {
    auto program = start();
    Machine other(path("b.sock"), {});
    other.start();
    GuestVerbs verbs(other);
    const uint32_t uctx = verbs.alloc_ucontext();
    {
        // Nobody answers the request to map.
        Machine silent(path("a.sock"), {.patience = 100});
        silent.start();
        EXPECT_FALSE(GuestVerbs(silent).try_map_doorbells());

        upgrade(program);
        silent.vmm().wait_disconnected();
    }
    EXPECT_NE(verbs.alloc_pd(uctx), VRDMA_NO_HANDLE);
    Machine again(path("a.sock"), {});
    again.start();
    EXPECT_NE(GuestVerbs(again).alloc_ucontext(), VRDMA_NO_HANDLE);
}

TEST_F(HandOverTest, AnotherVersionSaysWhetherItCanAndLeavesTheGuestsWhereTheyAre) {
    auto program = start();
    HonestPair pair("pair", path("a.sock"), path("b.sock"), 1, 3);
    pair.transfer();
    Program next(arguments({"--check", "--take-over"}), FileDescriptor(), VRDMAD_NEXT);
    EXPECT_EQ(next.wait(), 0);
    EXPECT_THAT(next.printed(),
                HasSubstr("the guests of vrdmad " VRDMA_VERSION " can be taken over: 2 "));
    program->wait_printed("another vrdmad has seen that it can take the guests over");
    pair.transfer();
}

TEST_F(HandOverTest, AnotherUserGetsNothing) {
    const auto program = start();
    std::filesystem::permissions(directory_, std::filesystem::perms::all);
    const pid_t other = ::fork();
    if (other == 0) {
        constexpr uid_t kNobody = 65534;
        const bool refused =
            ::setuid(kNobody) == 0 && connect_to(path("control.sock.hand-over")) == EACCES;
        ::_exit(refused ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    int status = -1;
    ASSERT_EQ(::waitpid(other, &status, 0), other);
    EXPECT_EQ(status, 0);
}

TEST_F(HandOverTest, ALongControlSocketLeavesNoRoomForIt) {
    const std::string control = path(std::string(100 - path("").size(), 'x'));
    Program program({"--vm", vm("a.sock"), "--control-socket", control});
    program.wait_printed("no other vrdmad can take the guests over: ");
    program.wait_printed("serves 1 virtual machine(s)");
}

TEST_F(HandOverTest, NobodyIsThereToTakeOverFrom) {
    const auto [status, printed] =
        run({"--vm", vm("a.sock"), "--control-socket", path("control.sock"), "--take-over"});
    EXPECT_EQ(status, 1);
    EXPECT_THAT(printed, HasSubstr("start without --take-over if none runs"));
}

}  // namespace
}  // namespace vrdma::daemon
