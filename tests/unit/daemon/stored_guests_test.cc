// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Guests that wait with the service manager from one vrdmad to the next: systemctl restart.
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <memory>
#include <string>
#include <vector>

#include "fake_service_manager.h"
#include "hostile/guest_verbs.h"
#include "hostile/honest_pair.h"
#include "hostile/machine.h"
#include "program_fixture.h"

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

}  // namespace
}  // namespace vrdma::daemon
