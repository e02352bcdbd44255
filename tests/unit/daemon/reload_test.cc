// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "daemon/server/reload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace vrdma::daemon {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Config running() {
    Config config;
    config.vms = {parse_vm_option("name=a,socket=/a"), parse_vm_option("name=b,socket=/b")};
    return config;
}

std::vector<std::string> after(const std::function<void(Config&)>& change) {
    Config wanted = running();
    change(wanted);
    return unchangeable(running(), wanted);
}

TEST(ReloadTest, LimitsChangeWithoutAWord) {
    EXPECT_THAT(after([](Config& config) {
                    config.limits.queue_pairs = 1;
                    config.vms[0].limits.commands_per_second = 5;
                }),
                IsEmpty());
}

TEST(ReloadTest, EachThingThatCannotChangeHasItsSentence) {
    const std::pair<const char*, std::function<void(Config&)>> changes[] = {
        {"'socket_mode' in [daemon]", [](Config& config) { config.socket_mode = 0600; }},
        {"'status_socket' in [daemon]", [](Config& config) { config.status_socket = "/s"; }},
        {"'control_socket' in [daemon]", [](Config& config) { config.control_socket = "/c"; }},
        {"who may use the control socket", [](Config& config) { config.control_group = "adm"; }},
        {"[rnic]", [](Config& config) { config.rnic = "rxe0"; }},
        {"[rnic]", [](Config& config) { config.threads = 2; }},
        {"[rnic]", [](Config& config) { config.announce.reset(); }},
        {"the list of [[peer]] entries",
         [](Config& config) {
             config.peers.push_back({"", {}, std::nullopt});
         }},
        {"[memory]", [](Config& config) { config.memory.unsealed_memfds = true; }},
    };
    for (const auto& [what, change] : changes) {
        EXPECT_THAT(after(change),
                    ElementsAre(testing::AllOf(HasSubstr(what), HasSubstr("restart vrdmad"))))
            << what;
    }
}

TEST(ReloadTest, MachinesChangeWithoutAWord) {
    EXPECT_THAT(after([](Config& config) {
                    config.vms[0].addresses.network = "red";
                    config.vms[1] = parse_vm_option("name=c,socket=/b");
                }),
                IsEmpty());
}

}  // namespace
}  // namespace vrdma::daemon
