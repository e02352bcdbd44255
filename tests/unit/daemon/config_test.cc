// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "daemon/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "daemon/equipment/socket_owner.h"

namespace vrdma::daemon {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::string rejection(const std::function<void()>& action) {
    try {
        action();
    } catch (const ConfigError& error) {
        return error.what();
    }
    return "(accepted)";
}

std::string rejection(const std::string& document) {
    return rejection([&] { parse_config(document, "vrdmad.toml"); });
}

TEST(ConfigTest, ReadsEverything) {
    const Config config = parse_config(R"(
[daemon]
log_level = "debug"
socket_mode = 0o600
status_socket = "/run/vrdma/status"
[rnic]
name = "embedded"
threads = 3
spin_us = 7
port = 2
gid_index = 0
accept_obstacle = "irdma"
hand_over = true
[[peer]]
gid = "10.77.0.3"
via = "10.9.0.2"
[[peer]]
gid = "fd77::/64"
network = "red"
[memory]
file_systems = ["ext4", "xfs"]
unsealed_memfds = true
[limits]
queue_pairs = 100
memory_regions = 50
region_bytes = 1073741824
[[vm]]
name = "a"
socket = "/run/vrdma/a.sock"
mac = "52:54:00:12:34:56"
network = "red"
gids = ["10.77.0.1", "fd77::/64"]
[[vm]]
socket = "/run/vrdma/b.sock"
[vm.limits]
queue_pairs = 5
)",
                                       "vrdmad.toml");
    EXPECT_EQ(config.log_level, "debug");
    EXPECT_EQ(config.socket_mode, 0600U);
    EXPECT_EQ(config.status_socket, "/run/vrdma/status");
    EXPECT_EQ(config.rnic, "embedded");
    EXPECT_EQ(config.threads, 3U);
    EXPECT_EQ(config.spin_us, 7U);
    EXPECT_EQ(config.port, 2U);
    EXPECT_EQ(config.accept_obstacle, "irdma");
    EXPECT_TRUE(config.hand_over);
    EXPECT_EQ(config.gid_index, 0U);
    ASSERT_EQ(config.peers.size(), 2U);
    EXPECT_EQ(to_string(config.peers[0].gid), "10.77.0.3");
    EXPECT_EQ(config.peers[0].via, uverbs::parse_gid("10.9.0.2"));
    EXPECT_EQ(config.peers[0].network, "");
    EXPECT_EQ(to_string(config.peers[1].gid), "fd77::/64");
    EXPECT_EQ(config.peers[1].via, std::nullopt);
    EXPECT_EQ(config.peers[1].network, "red");
    EXPECT_EQ(config.memory.file_systems, (std::vector<std::string>{"ext4", "xfs"}));
    EXPECT_TRUE(config.memory.unsealed_memfds);
    ASSERT_EQ(config.vms.size(), 2U);
    EXPECT_EQ(config.vms[1].limits.region_bytes, uint64_t{1} << 30);
    EXPECT_EQ(config.vms[0].addresses.network, "red");
    ASSERT_EQ(config.vms[0].addresses.gids.size(), 2U);
    EXPECT_EQ(to_string(config.vms[0].addresses.gids[1]), "fd77::/64");
    EXPECT_EQ(config.vms[1].addresses.network, "");
    EXPECT_TRUE(config.vms[1].addresses.gids.empty());
    EXPECT_EQ(config.vms[0].name, "a");
    EXPECT_EQ(config.vms[0].socket, "/run/vrdma/a.sock");
    EXPECT_EQ(config.vms[0].mac, (rnic::MacAddress{0x52, 0x54, 0, 0x12, 0x34, 0x56}));
    EXPECT_EQ(config.vms[0].limits.queue_pairs, 100U);
    EXPECT_EQ(config.vms[1].name, "vm1");
    EXPECT_EQ(config.vms[1].limits.queue_pairs, 5U);
    EXPECT_EQ(config.vms[1].limits.memory_regions, 50U);
}

TEST(ConfigTest, DefaultLimitsApplyWhereverTheyStandInTheFile) {
    const Config config =
        parse_config("[[vm]]\nsocket = \"/a\"\n[limits]\nqueue_pairs = 9\n", "vrdmad.toml");
    EXPECT_EQ(config.vms.at(0).limits.queue_pairs, 9U);
}

uint32_t limit_of(const device::ObjectKind& kind, const std::string& key, uint32_t value) {
    const Config config = parse_config(
        "[limits]\n" + key + " = " + std::to_string(value) + "\n[[vm]]\nsocket = \"/a\"\n",
        "vrdmad.toml");
    const device::Limits& limits = config.vms.at(0).limits;
    for (const device::ObjectKind& other : device::kObjectKinds) {
        if (other.limit != kind.limit) {
            EXPECT_EQ(limits.*other.limit, device::Limits{}.*other.limit) << other.key;
        }
    }
    return limits.*kind.limit;
}

TEST(ConfigTest, EveryKindOfObjectHasAKeyForItsLimit) {
    for (const device::ObjectKind& kind : device::kObjectKinds) {
        SCOPED_TRACE(kind.key);
        EXPECT_EQ(limit_of(kind, kind.key, 7), 7U);
        EXPECT_EQ(limit_of(kind, kind.key, kind.max_limit), kind.max_limit);
        const std::string line = "[limits]\n" + std::string(kind.key) + " = ";
        EXPECT_THAT(rejection(line + "0\n"), HasSubstr("an integer from 1 to"));
        EXPECT_THAT(rejection(line + std::to_string(uint64_t{kind.max_limit} + 1) + "\n"),
                    HasSubstr("an integer from 1 to " + std::to_string(kind.max_limit)));
    }
}

TEST(ConfigTest, EveryLimitHasAKeyWithItsBounds) {
    for (const device::LimitKey& row : device::kLimitKeys) {
        SCOPED_TRACE(row.key);
        for (const uint64_t value : {row.min_limit, row.max_limit}) {
            const Config config =
                parse_config("[limits]\n" + std::string(row.key) + " = " + std::to_string(value) +
                                 "\n[[vm]]\nsocket = \"/a\"\n",
                             "vrdmad.toml");
            EXPECT_EQ(config.vms.at(0).limits.*row.limit, value);
            EXPECT_EQ(config.limits.*row.limit, value);
        }
        EXPECT_GE(device::Limits{}.*row.limit, row.min_limit);
        EXPECT_LE(device::Limits{}.*row.limit, row.max_limit);
        const std::string line = "[limits]\n" + std::string(row.key) + " = ";
        const std::string bounds = "an integer from " + std::to_string(row.min_limit) + " to " +
                                   std::to_string(row.max_limit);
        EXPECT_THAT(rejection(line + "-1\n"), HasSubstr(bounds));
        EXPECT_THAT(rejection(line + "\"many\"\n"), HasSubstr(bounds));
    }
}

TEST(ConfigTest, AnUnknownLimitIsNamedWithItsLineAndThoseThereAre) {
    const std::string message = rejection("[[vm]]\nsocket = \"/a\"\n[vm.limits]\nqueues = 2\n");
    EXPECT_THAT(message, StartsWith("vrdmad.toml:4:"));
    EXPECT_THAT(message, HasSubstr("unknown key 'queues'"));
    for (const device::LimitKey& row : device::kLimitKeys) {
        EXPECT_THAT(message, HasSubstr(row.key));
    }
}

TEST(ConfigTest, TheDefaultLimitsAreThoseOfAMachineFromAnOptionToo) {
    device::Limits limits;
    limits.queue_pairs = 9;
    EXPECT_EQ(parse_vm_option("socket=/a", limits).limits.queue_pairs, 9U);
}

TEST(ConfigTest, AnOldNameOfALimitWorksButNotBesideTheNewOne) {
    EXPECT_EQ(limit_of(device::object_kind::ucma_files, "connection_files", 9), 9U);
    for (const device::ObjectKind& kind : device::kObjectKinds) {
        if (kind.old_key == nullptr) {
            continue;
        }
        const std::string old_key = kind.old_key;
        EXPECT_EQ(limit_of(kind, old_key, 7), 7U);
        const std::string message =
            rejection("[limits]\n" + std::string(kind.key) + " = 7\n" + old_key + " = 7\n");
        EXPECT_THAT(message, StartsWith("vrdmad.toml:3:"));
        EXPECT_THAT(message, HasSubstr("'" + old_key + "' is the old name of"));
        EXPECT_THAT(message, HasSubstr("remove '" + old_key + "'"));
    }
}

TEST(ConfigTest, NamesTheLineOfASyntaxError) {
    EXPECT_THAT(rejection("[daemon]\nlog_level = \n"), StartsWith("vrdmad.toml:2:"));
}

TEST(ConfigTest, NamesTheLineOfAnUnknownKeyAndTheKnownOnes) {
    const std::string message = rejection("[rnic]\nname = \"embedded\"\nthread = 2\n");
    EXPECT_THAT(message, StartsWith("vrdmad.toml:3:"));
    EXPECT_THAT(message, HasSubstr("'thread'"));
    EXPECT_THAT(message, HasSubstr("gid_index, hand_over, name, port, spin_us, threads"));
}

TEST(ConfigTest, NamesTheLineOfAValueOfTheWrongType) {
    const std::string message = rejection("[rnic]\n\nthreads = \"two\"\n");
    EXPECT_THAT(message, StartsWith("vrdmad.toml:3:"));
    EXPECT_THAT(message, HasSubstr("integer from 1 to 256"));
}

TEST(ConfigTest, NamesTheLineOfAValueOutOfRange) {
    EXPECT_THAT(rejection("[rnic]\nthreads = 0\n"), StartsWith("vrdmad.toml:2:"));
    EXPECT_THAT(rejection("[rnic]\nthreads = -1\n"), StartsWith("vrdmad.toml:2:"));
    EXPECT_THAT(rejection("[limits]\nqueue_pairs = 65537\n"), StartsWith("vrdmad.toml:2:"));
}

TEST(ConfigTest, RejectsATableWhereAnArrayOfTablesBelongs) {
    EXPECT_THAT(rejection("[vm]\nsocket = \"/a\"\n"), HasSubstr("[[vm]]"));
}

TEST(ConfigTest, RejectsAVmWithoutSocket) {
    EXPECT_THAT(rejection("[[vm]]\nname = \"a\"\n"), HasSubstr("no 'socket'"));
}

TEST(ConfigTest, RejectsWhatIsNoMacAddress) {
    for (const char* mac :
         {"52:54:00:12:34", "52:54:00:12:34:5g", "52:54:00:12:34:56:78", "", "52:54:00:12:34: 6",
          "52:54:00:12:34:+6", "52:54:00:12:34:0x", "52-54-00-12-34-56", "5:54:00:12:34:056"}) {
        EXPECT_THAT(rejection("[[vm]]\nsocket = \"/a\"\nmac = \"" + std::string(mac) + "\"\n"),
                    HasSubstr("no MAC address"))
            << mac;
    }
}

TEST(ConfigTest, WithoutAGidIndexTheRnicsOwnDefaultCounts) {
    EXPECT_EQ(parse_config("[rnic]\nname = \"rxe0\"\n", "vrdmad.toml").gid_index, std::nullopt);
}

TEST(ConfigTest, RejectsAPortAndAGidIndexOutOfRange) {
    EXPECT_THAT(rejection("[rnic]\nport = 0\n"), HasSubstr("integer from 1 to 255"));
    EXPECT_THAT(rejection("[rnic]\ngid_index = 256\n"), HasSubstr("integer from 0 to 255"));
}

TEST(ConfigTest, NamesTheLineOfAFileSystemThatIsNone) {
    EXPECT_THAT(rejection("[memory]\nfile_systems = [\"a b\"]\n"), HasSubstr("vrdmad.toml:2"));
    EXPECT_THAT(rejection("[memory]\nunsealed_memfds = 1\n"), HasSubstr("true or false"));
}

TEST(ConfigTest, RejectsAPeerWithoutGid) {
    EXPECT_THAT(rejection("[[peer]]\nvia = \"10.9.0.2\"\n"), HasSubstr("no 'gid'"));
}

TEST(ConfigTest, NamesTheLineOfAPeersGidThatIsNone) {
    for (const char* gid : {"", "eth0", "10.77.0.1/24", "10.77.0.0/33", "10.77.0"}) {
        const std::string message = rejection("[[peer]]\ngid = \"" + std::string(gid) + "\"\n");
        EXPECT_THAT(message, StartsWith("vrdmad.toml:2:"));
        EXPECT_THAT(message, HasSubstr("'" + std::string(gid) + "' is no IP address or prefix"));
    }
}

TEST(ConfigTest, RejectsAViaThatIsNotOneAddress) {
    for (const char* via : {"10.9.0.0/24", "host2"}) {
        EXPECT_THAT(
            rejection("[[peer]]\ngid = \"10.77.0.3\"\nvia = \"" + std::string(via) + "\"\n"),
            HasSubstr("is no IP address; write it as"));
    }
    for (const char* via : {"0.0.0.0", "::", "224.0.0.1", "ff02::1"}) {
        EXPECT_THAT(
            rejection("[[peer]]\ngid = \"10.77.0.3\"\nvia = \"" + std::string(via) + "\"\n"),
            HasSubstr("which no RNIC can have"))
            << via;
    }
}

TEST(ConfigTest, APeersMacStandsForItsAnnouncedAddress) {
    const std::string peer = "[[peer]]\ngid = \"10.77.0.3\"\nmac = \"52:54:00:77:00:03\"\n";
    EXPECT_EQ(parse_config(peer, "vrdmad.toml").peers.at(0).via,
              uverbs::parse_gid("fe80::5054:ff:fe77:3"));
    EXPECT_EQ(
        parse_config(peer + "[rnic]\nannounce = \"fd00:9::/64\"\n", "vrdmad.toml").peers.at(0).via,
        uverbs::parse_gid("fd00:9::5054:ff:fe77:3"));
    EXPECT_THAT(rejection(peer + "[rnic]\nannounce = \"off\"\n"), HasSubstr("say 'via'"));
    EXPECT_THAT(rejection(peer + "via = \"10.9.0.2\"\n"), HasSubstr("'via' and 'mac'"));
}

TEST(ConfigTest, AnnouncesLinkLocalAddressesUnlessToldOtherwise) {
    EXPECT_EQ(parse_config("", "vrdmad.toml").announce, uverbs::parse_gid_prefix("fe80::/64"));
    EXPECT_EQ(parse_config("[rnic]\nannounce = \"off\"\n", "vrdmad.toml").announce, std::nullopt);
    for (const char* text : {"fd00::/48", "10.9.0.0/24", "on", "ff02::/64"}) {
        EXPECT_THAT(rejection("[rnic]\nannounce = \"" + std::string(text) + "\"\n"),
                    HasSubstr("is no prefix of 64 bits"));
    }
}

TEST(ConfigTest, RejectsGidsOfAVmThatAreNoArrayOfAddresses) {
    const std::string vm = "[[vm]]\nsocket = \"/a\"\ngids = ";
    EXPECT_THAT(rejection(vm + "\"10.77.0.1\"\n"), HasSubstr("array of strings"));
    EXPECT_THAT(rejection(vm + "[]\n"), HasSubstr("not empty"));
    EXPECT_THAT(rejection(vm + "[1]\n"), HasSubstr("'gids' must be a string"));
    EXPECT_THAT(rejection(vm + "[\"10.77.0.1\", \"x\"]\n"), HasSubstr("'x' is no IP address"));
}

TEST(ConfigTest, ReadsPartitionKeysOfAVm) {
    const Config config =
        parse_config("[[vm]]\nsocket = \"/a\"\npkeys = [\"0x8001\", \"0x7fff\"]\n", "vrdmad.toml");
    EXPECT_EQ(config.vms[0].addresses.pkeys, (std::vector<uint16_t>{0x8001, 0x7fff}));
    const std::string vm = "[[vm]]\nsocket = \"/a\"\npkeys = ";
    for (const char* text : {"", "8001", "0x", "0x18001", "0x80g1", "0x8000", "0x0000", "0x-1"}) {
        EXPECT_THAT(rejection(vm + "[\"" + text + "\"]\n"), HasSubstr("is no partition key"));
    }
    EXPECT_THAT(rejection(vm + "[32769]\n"), HasSubstr("'pkeys' must be a string"));
}

TEST(ConfigTest, RejectsTwoEntriesForOnePeer) {
    Config config;
    config.vms = {parse_vm_option("socket=/a")};
    config.peers = {{"", *uverbs::parse_gid_prefix("10.77.0.3"), std::nullopt},
                    {"red", *uverbs::parse_gid_prefix("10.77.0.3"), std::nullopt}};
    EXPECT_EQ(rejection([&] { check_config(config); }), "(accepted)");
    config.peers.push_back({"red", *uverbs::parse_gid_prefix("10.77.0.3/32"), std::nullopt});
    EXPECT_THAT(rejection([&] { check_config(config); }),
                HasSubstr("two [[peer]] entries have the gid 10.77.0.3 in the network 'red'"));
}

TEST(ConfigTest, SaysThatAFileCannotBeRead) {
    EXPECT_THAT(rejection([] { read_config("/nonexistent/vrdmad.toml"); }),
                testing::AllOf(HasSubstr("/nonexistent/vrdmad.toml"), HasSubstr("No such file")));
}

TEST(ConfigTest, SaysThatADirectoryIsNoConfiguration) {
    EXPECT_THAT(rejection([] { read_config("/"); }), HasSubstr("Is a directory"));
}

TEST(ConfigTest, ReadsAVmFromAnOption) {
    const VmConfig vm = parse_vm_option("socket=/run/guest7.sock,mac=52:54:00:00:00:07");
    EXPECT_EQ(vm.name, "guest7");
    EXPECT_EQ(vm.mac[5], 7);
    EXPECT_EQ(parse_vm_option("socket=/a,network=red").addresses.network, "red");
    EXPECT_THAT(rejection([] { parse_vm_option("name=a"); }), HasSubstr("socket=PATH"));
    EXPECT_THAT(rejection([] { parse_vm_option("sock=/a"); }), HasSubstr("unknown key 'sock'"));
}

TEST(ConfigTest, RejectsWhatMakesNoSenseAsAWhole) {
    Config config;
    EXPECT_THAT(rejection([&] { check_config(config); }), HasSubstr("no virtual machine"));
    config.vms = {parse_vm_option("name=a,socket=/a"), parse_vm_option("name=a,socket=/b")};
    EXPECT_THAT(rejection([&] { check_config(config); }), HasSubstr("are named 'a'"));
    config.vms = {parse_vm_option("name=a,socket=/a"), parse_vm_option("name=b,socket=/./a")};
    EXPECT_THAT(rejection([&] { check_config(config); }), HasSubstr("have the socket"));
    config.vms = {parse_vm_option("socket=/" + std::string(200, 'x'))};
    EXPECT_THAT(rejection([&] { check_config(config); }), HasSubstr("107 bytes"));
    config.vms = {parse_vm_option("socket=/a")};
    config.log_level = "loud";
    EXPECT_THAT(rejection([&] { check_config(config); }), HasSubstr("unknown log level 'loud'"));
    config.log_level = "off";
    EXPECT_EQ(rejection([&] { check_config(config); }), "(accepted)");
}

TEST(ConfigTest, RejectsAControlSocketThatCannotBe) {
    Config config;
    config.vms.push_back(parse_vm_option("socket=/run/a.sock"));
    config.status_socket = "/run/status.sock";
    config.control_socket = "/run/./a.sock";
    EXPECT_THAT(rejection([&] { check_config(config); }), HasSubstr("virtual machine's as well"));
    config.control_socket = "/run/./status.sock";
    EXPECT_THAT(rejection([&] { check_config(config); }), HasSubstr("the status socket as well"));
    config.control_socket = "/run/" + std::string(200, 'x');
    EXPECT_THAT(rejection([&] { check_config(config); }), HasSubstr("longer than"));
    config.control_socket = "";
    EXPECT_EQ(rejection([&] { check_config(config); }), "(accepted)");
}

TEST(ConfigTest, NoControlSocketIsNotTheSameAsNoWord) {
    EXPECT_FALSE(parse_config("", "x").control_socket);
    EXPECT_EQ(parse_config("[daemon]\ncontrol_socket = ''\n", "x").control_socket, "");
    const Config config =
        parse_config("[daemon]\ncontrol_group = 'adm'\ncontrol_admin_group = '0'\n", "x");
    EXPECT_EQ(config.control_group, "adm");
    EXPECT_EQ(config.control_admin_group, "0");
}

TEST(ConfigTest, RejectsAStatusSocketThatCannotBe) {
    Config config;
    config.vms.push_back(parse_vm_option("socket=/run/a.sock"));
    config.status_socket = "/run/./a.sock";
    EXPECT_THAT(rejection([&] { check_config(config); }), HasSubstr("virtual machine's as well"));
    config.status_socket = "/run/" + std::string(200, 'x');
    EXPECT_THAT(rejection([&] { check_config(config); }), HasSubstr("longer than"));
    config.status_socket = "/run/status.sock";
    EXPECT_EQ(rejection([&] { check_config(config); }), "(accepted)");
}

TEST(ConfigTest, AMachineMayHaveAnotherOwnerOfItsSocketThanTheOthers) {
    const Config config = parse_config(R"(
[daemon]
socket_user = "root"
socket_group = "65001"
[[vm]]
socket = "/run/a"
[[vm]]
socket = "/run/b"
socket_user = "65002"
)",
                                       "vrdmad.toml");
    const auto a = socket_access(config, config.vms[0]);
    const auto b = socket_access(config, config.vms[1]);
    EXPECT_EQ(a.user, 0U);
    EXPECT_EQ(a.group, 65001U);
    EXPECT_EQ(b.user, 65002U);
    EXPECT_EQ(b.group, 65001U);
    EXPECT_EQ(b.mode, 0660U);
}

TEST(ConfigTest, AnUnknownOwnerOfASocketIsNamed) {
    Config config;
    config.vms.push_back(parse_vm_option("socket=/run/a,socket_user=no-such-user"));
    EXPECT_THAT(rejection([&] { socket_access(config, config.vms[0]); }),
                HasSubstr("'socket_user' is 'no-such-user', which this host does not know"));
    config.vms[0] = parse_vm_option("socket=/run/a,socket_group=4294967295");
    EXPECT_THAT(rejection([&] { socket_access(config, config.vms[0]); }),
                HasSubstr("'socket_group' is '4294967295'"));
}

TEST(ConfigTest, ASeccompModeIsOnLogOrOff) {
    EXPECT_EQ(parse_config("[daemon]\nseccomp = \"log\"", "f").seccomp, SeccompMode::kLog);
    EXPECT_EQ(parse_config("[daemon]\nseccomp = \"off\"", "f").seccomp, SeccompMode::kOff);
    EXPECT_THAT(rejection("[daemon]\nseccomp = \"strict\""),
                HasSubstr("'strict' is no mode; there are on, log, off"));
}

}  // namespace
}  // namespace vrdma::daemon
