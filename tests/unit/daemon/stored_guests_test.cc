// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Guests that wait with the service manager from one vrdmad to the next: systemctl restart.
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <vrdma_protocol.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "daemon/hand_over/transfer.h"
#include "fake_service_manager.h"
#include "hostile/guest_verbs.h"
#include "hostile/honest_pair.h"
#include "hostile/machine.h"
#include "mapped_guest.h"
#include "program_fixture.h"
#include "state/document.h"
#include "support/changed_message.h"

namespace vrdma::daemon {
namespace {

using hostile::GuestVerbs;
using hostile::HonestPair;
using hostile::Machine;
using testing::HasSubstr;
using testing::Not;

class StoredGuestsTest : public ProgramTest {
  protected:
    std::unique_ptr<Program> start(FileDescriptor stored = {}) {
        auto program =
            std::make_unique<Program>(std::vector<std::string>{"--vm", vm("a.sock") + ",name=a",
                                                               "--vm", vm("b.sock") + ",name=b"},
                                      std::move(stored));
        program->wait_printed("serves 2 virtual machine(s)");
        return program;
    }

    // Has the service stop; what the manager has of it.
    FileDescriptor stop(Program& program, bool keeps = true) {
        program.signal(SIGTERM);
        FileDescriptor stored = manager_.serve_stop(keeps);
        EXPECT_EQ(program.wait(), 0) << program.printed();
        return stored;
    }

    FakeServiceManager manager_{path("notify")};
};

TEST_F(StoredGuestsTest, AGuestHasWhatItHadWhenTheServiceIsBack) {
    auto program = start();
    HonestPair pair("pair", path("a.sock"), path("b.sock"), 1, 1);
    for (int restarts = 0; restarts < 5; ++restarts) {
        pair.transfer();
        FileDescriptor stored = stop(*program);
        EXPECT_THAT(program->printed(), HasSubstr("the service manager has the guests"));
        program = start(std::move(stored));
        EXPECT_THAT(program->printed(), HasSubstr("a: taken over from vrdmad"));
    }
    pair.transfer();
}

// Otherwise the service's next process would find them once more.
TEST_F(StoredGuestsTest, TheManagerGivesUpWhatIsTaken) {
    auto first = start();
    const auto second = start(stop(*first));
    std::string heard = manager_.heard();
    EXPECT_EQ(heard, "FDSTOREREMOVE=1\nFDNAME=vrdma-guests");
    EXPECT_EQ(manager_.heard(), "READY=1");
}

TEST_F(StoredGuestsTest, AVmmThatConnectsWhileNoneRunsIsServedByTheNext) {
    auto first = start();
    FileDescriptor stored = stop(*first);
    const FileDescriptor vmm(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path("b.sock").copy(address.sun_path, sizeof(address.sun_path) - 1);
    ASSERT_EQ(::connect(vmm.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
              0);
    const auto second = start(std::move(stored));
    second->wait_printed(path("b.sock") + ": a VMM has connected");
}

TEST_F(StoredGuestsTest, GuestsEndWithTheManagersStore) {
    auto program = start();
    Machine machine(path("a.sock"), {});
    machine.start();
    { const FileDescriptor stored = stop(*program); }
    machine.vmm().wait_disconnected();
}

TEST_F(StoredGuestsTest, AManagerThatKeepsNothingIsNamed) {
    auto program = start();
    Machine machine(path("a.sock"), {});
    machine.start();
    stop(*program, false);
    EXPECT_THAT(program->printed(), HasSubstr("FileDescriptorStoreMax=1 in the unit"));
    machine.vmm().wait_disconnected();
}

TEST_F(StoredGuestsTest, WhatCannotBeTakenOverDoesNotKeepTheServiceFromStarting) {
    FileDescriptor stored = stop(*start());
    char bytes[8];
    ASSERT_GT(::recv(stored.get(), bytes, sizeof(bytes), 0), 0);
    auto program = start(std::move(stored));
    EXPECT_THAT(program->printed(), HasSubstr("they lose what they had"));
    EXPECT_THAT(program->printed(), Not(HasSubstr("taken over from")));
    Machine machine(path("a.sock"), {});
    machine.start();
    EXPECT_NE(GuestVerbs(machine).alloc_ucontext(), VRDMA_NO_HANDLE);
}

// What a guest has with the daemon: one user context, and a completion queue in it.
struct Guest : MappedGuest {
    explicit Guest(const std::string& socket)
        : MappedGuest(socket),
          uctx(verbs.alloc_ucontext()),
          cq(verbs.create_cq(uctx, 63, 0).handle) {}

    const uint32_t uctx;
    const uint32_t cq;
};

// What one machine has of its VMM and of its guest is changed.  --gtest_shuffle with
// --gtest_random_seed=N has other changes.
TEST_F(StoredGuestsTest, AStateChangedAtRandomCostsNobodyElseAnything) {
    std::minstd_rand random(
        static_cast<unsigned>(1 + testing::UnitTest::GetInstance()->random_seed()));
    constexpr unsigned kStates = 20;
    for (unsigned n = 0; n < kStates; ++n) {
        auto program = start();
        auto a = std::make_unique<Guest>(path("a.sock"));
        Guest b(path("b.sock"));
        auto stored = receive_state(stop(*program).get());
        ASSERT_TRUE(stored);
        auto state = state::decode(stored->document);
        ASSERT_TRUE(state) << state.error();
        for (unsigned changes = 1 + random() % 3; changes != 0; --changes) {
            state::Machine& machine = *state->mutable_machines(0);
            if (random() % 2 == 0) {
                test::change_some(*machine.mutable_vmm(), random);
            } else {
                test::change_some(*machine.mutable_device(), random);
            }
        }
        SCOPED_TRACE(state->machines(0).DebugString());
        int ends[2];
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        FileDescriptor reader(ends[0]);
        const FileDescriptor writer(ends[1]);
        std::vector<int> files;
        std::ranges::transform(stored->files, std::back_inserter(files), &FileDescriptor::get);
        ASSERT_TRUE(send_state(writer.get(), state::encode(*state), files));
        stored->files.clear();

        program = start(std::move(reader));
        ASSERT_EQ(b.verbs.tell_handle(VRDMA_CMD_DESTROY_CQ, b.uctx, b.cq), 0U)
            << program->printed();
        a.reset();
        const Guest again(path("a.sock"));
        program->signal(SIGINT);
        ASSERT_EQ(program->wait(), 0) << program->printed();
    }
}

}  // namespace
}  // namespace vrdma::daemon
