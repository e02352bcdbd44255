// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// One vrdmad takes the guests of another one over.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <vrdma_check.h>

#include <atomic>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "daemon/hand_over/transfer.h"
#include "guest_figures.h"
#include "hostile/guest_verbs.h"
#include "hostile/honest_pair.h"
#include "hostile/machine.h"
#include "mapped_guest.h"
#include "program_fixture.h"
#include "state/document.h"
#include "support/places.h"

namespace vrdma::daemon {
namespace {

using hostile::GuestVerbs;
using hostile::HonestPair;
using hostile::Machine;
using nlohmann::json;
using testing::HasSubstr;

constexpr uint64_t kBytes = VRDMA_SHM_PAGE_SIZE;

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
    std::unique_ptr<Program> start(bool take_over = false, const char* vrdmad = test::kVrdmad) {
        auto program = std::make_unique<Program>(
            take_over ? arguments({"--take-over"}) : arguments(), FileDescriptor(), vrdmad);
        program->wait_printed("serves 2 virtual machine(s)");
        return program;
    }

    // Has another vrdmad take over from `program`, which has to end well.
    void upgrade(std::unique_ptr<Program>& program, const char* vrdmad = test::kVrdmad) {
        auto successor = start(true, vrdmad);
        EXPECT_EQ(program->wait(), 0) << program->printed();
        EXPECT_THAT(program->printed(), HasSubstr("the successor has the guests"));
        program = std::move(successor);
    }

    // Does `what` again and again while one vrdmad after the other takes over, each time at least
    // once more.
    void take_over_twenty_times(std::unique_ptr<Program>& program,
                                const std::function<void()>& what) {
        std::atomic<uint64_t> rounds = 0;
        std::atomic<bool> stop = false;
        std::string error;
        std::thread guest([&] {
            try {
                while (!stop.load()) {
                    what();
                    rounds.fetch_add(1);
                    rounds.notify_one();
                }
            } catch (const std::exception& thrown) {
                error = thrown.what();
                stop.store(true);
                rounds.fetch_add(1);
                rounds.notify_one();
            }
        });
        for (int i = 0; i < 20 && !stop.load(); ++i) {
            const uint64_t before = rounds.load();
            upgrade(program, i % 2 == 0 ? test::kVrdmadNext : test::kVrdmad);
            rounds.wait(before);
        }
        stop.store(true);
        guest.join();
        EXPECT_EQ(error, "") << program->printed();
    }

    // One object of each kind, with the rings that the VMM maps.  Throws when a verb fails.
    static void make_and_destroy(GuestVerbs& verbs, uint64_t memory) {
        const uint32_t uctx = verbs.alloc_ucontext();
        const uint32_t pd = verbs.alloc_pd(uctx);
        const auto mr = verbs.reg_mr(uctx, pd, memory, kBytes, memory, rnic::kAccessLocalWrite);
        const auto cq = verbs.create_cq(uctx, 63, 0);
        const auto qp = verbs.create_qp(uctx, {.pd = pd,
                                               .send_cq = cq.handle,
                                               .recv_cq = cq.handle,
                                               .type = static_cast<uint8_t>(rnic::QpType::kRc),
                                               .send_wr = 15,
                                               .recv_wr = 15,
                                               .sge = 2,
                                               .inline_data = 0});
        const std::pair<uint16_t, uint32_t> ends[] = {{VRDMA_CMD_DESTROY_QP, qp.handle},
                                                      {VRDMA_CMD_DESTROY_CQ, cq.handle},
                                                      {VRDMA_CMD_DEREG_MR, mr.handle},
                                                      {VRDMA_CMD_DEALLOC_PD, pd},
                                                      {VRDMA_CMD_DEALLOC_UCONTEXT, uctx}};
        for (const auto& [command, handle] : ends) {
            if (const uint32_t status = verbs.tell_handle(command, uctx, handle); status != 0) {
                throw std::runtime_error(fmt::format("command {:#x}: errno {}", command, status));
            }
        }
    }

    json figures(const std::string& guest) const { return figures_of(path("control.sock"), guest); }
};

TEST_F(HandOverTest, AVmmAndItsGuestKeepWhatTheyHave) {
    auto program = start();
    MappedGuest guest(path("a.sock"));
    GuestVerbs& verbs = guest.verbs;
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
    take_over_twenty_times(program, [&] { pair.transfer(); });
}

// A verb may be in its ring, under way, at the VMM or answered when its daemon ends.
TEST_F(HandOverTest, VerbsGoOnThroughTwentyTakeOversAndLeaveNothing) {
    auto program = start();
    MappedGuest guest(path("a.sock"));
    GuestVerbs& verbs = guest.verbs;
    const uint64_t memory = guest.machine.memory().allocate(kBytes, kBytes);
    const uint64_t mapped = figures("a").at("shared_memory").at("used");
    take_over_twenty_times(program, [&] { make_and_destroy(verbs, memory); });

    const json after = figures("a");
    for (const auto& [kind, count] : after.at("objects").items()) {
        EXPECT_EQ(count, 0) << kind;
    }
    EXPECT_EQ(after.at("shared_memory").at("used"), mapped);
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
    Program next(arguments({"--check", "--take-over"}), FileDescriptor(), test::kVrdmadNext);
    EXPECT_EQ(next.wait(), 0);
    EXPECT_THAT(next.printed(),
                HasSubstr("the guests of vrdmad " VRDMA_VERSION " can be taken over: 2 "));
    program->wait_printed("another vrdmad has seen that it can take the guests over");
    pair.transfer();
}

// A folder of Latin-1.
TEST_F(HandOverTest, AMachineWhosePathIsNoUtf8IsTakenOver) {
    const std::string folder = path("caf\xe9");
    std::filesystem::create_directory(folder);
    const std::vector<std::string> words{"--vm", "socket=" + folder + "/a.sock,name=a",
                                         "--control-socket", path("control.sock")};
    Program program(words);
    program.wait_printed("serves 1 virtual machine(s)");
    Machine machine(folder + "/a.sock", {});
    machine.start();
    GuestVerbs verbs(machine);
    const uint32_t uctx = verbs.alloc_ucontext();

    std::vector<std::string> then = words;
    then.emplace_back("--take-over");
    Program successor(std::move(then));
    successor.wait_printed("serves 1 virtual machine(s)");
    EXPECT_EQ(program.wait(), 0);
    EXPECT_NE(verbs.alloc_pd(uctx), VRDMA_NO_HANDLE);
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
