// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Hosts in a folder, a whole one and broken ones: what the doctor says of each.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rdma/ib_user_ioctl_verbs.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "vrdmactl/doctor/checks.h"
#include "vrdmactl/doctor/report.h"

namespace vrdma::doctor {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr pid_t kPid = 77;
constexpr const char* kDomain =
    "<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>"
    "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>"
    "<devices><emulator>/usr/bin/qemu-system-x86_64-vrdma</emulator></devices>"
    "<qemu:commandline><qemu:arg value='vrdma-pci,chardev=c'/></qemu:commandline></domain>";

// A host that has all that its two guests need; a test breaks one thing.
class DoctorTest : public testing::Test {
  protected:
    DoctorTest() {
        char pattern[] = "/tmp/vrdma-doctor-test-XXXXXX";
        root_ = ::mkdtemp(pattern);
        host_.root = root_;
        host_.try_kvm = [](const auto&) { return KvmOutcome::kWorks; };
        host_.rnic_driver = [](const std::string&) { return uint32_t{RDMA_DRIVER_RXE}; };
        host_.qemu_version = [](const auto&) { return "7.2.22"; };
        const auto limit = [](uint64_t value) { return json{{"limit", value}}; };
        const json guest{{"limits",
                          {{"memory_slots", limit(509)},
                           {"mr_runs", limit(262144)},
                           {"registered_bytes", limit(uint64_t{1} << 40)},
                           {"ring_bytes", limit(uint64_t{1} << 30)},
                           {"contexts", limit(1024)}}}};
        host_.daemon = Daemon{.pid = kPid,
                              .version = VRDMA_VERSION,
                              .stats = {{"rnic", {{"name", "rxe0"}}}, {"guests", {guest, guest}}}};
        write("/sys/class/infiniband/rxe0/ports/1/state", "4: ACTIVE\n");
        write("/sys/class/infiniband_verbs/uverbs0/ibdev", "rxe0\n");
        write("/dev/infiniband/rdma_cm", "");
        write("/proc/sys/vm/max_map_count", "1048576\n");
        write("/proc/sys/fs/aio-max-nr", "65536\n");
        write("/proc/sys/fs/aio-nr", "128\n");
        limits("unlimited", "1048576");
        of_daemon("status", "Name:\tvrdmad\nCapEff:\t0000000000001000\n");
        of_daemon("cgroup", "0::/system.slice/vrdmad.service\n");
        group("memory.max", "max\n");
        group("pids.max", "4915\n");
        write("/usr/bin/qemu-system-x86_64", "");
        write("/usr/lib/x86_64-linux-gnu/qemu/vrdma-qemu-7.2.so", "");
        write("/etc/libvirt/qemu/web1.xml", kDomain);
        write("/var/log/kern.log", "kernel: all is well\n");
    }
    ~DoctorTest() override { std::filesystem::remove_all(root_); }

    void write(const std::string& path, const std::string& text) const {
        const auto file = host_.path(path);
        std::filesystem::create_directories(file.parent_path());
        std::ofstream(file) << text;
    }
    void remove(const std::string& path) const { std::filesystem::remove_all(host_.path(path)); }
    void of_daemon(const std::string& name, const std::string& text) const {
        write("/proc/" + std::to_string(kPid) + "/" + name, text);
    }
    void group(const std::string& name, const std::string& text) const {
        write("/sys/fs/cgroup/system.slice/vrdmad.service/" + name, text);
    }
    void limits(const std::string& locked, const std::string& files) const {
        of_daemon("limits",
                  "Limit                     Soft Limit           Hard Limit  Units\n"
                  "Max open files            " +
                      files +
                      "              1048576  files\n"
                      "Max locked memory         " +
                      locked + "            unlimited  bytes\n");
    }

    // What is not ok: "LEVEL WHAT: SAYS -> MEND".
    std::vector<std::string> complaints() const {
        std::vector<std::string> all;
        for (const Finding& finding : examine(host_)) {
            if (finding.level != Level::kOk) {
                all.push_back(std::string(to_string(finding.level)) + " " + finding.what + ": " +
                              finding.says + " -> " + finding.mend);
            }
        }
        return all;
    }
    void expect_one(const std::string& level_and_what, const std::string& mend) const {
        EXPECT_THAT(complaints(), ElementsAre(AllOf(testing::StartsWith(level_and_what + ": "),
                                                    HasSubstr(" -> " + mend))));
    }

    std::filesystem::path root_;
    Host host_;
};

TEST_F(DoctorTest, AHostThatHasAllIsOkAndEachThingIsNamed) {
    EXPECT_THAT(complaints(), IsEmpty());
    const Findings findings = examine(host_);
    for (const char* what : {"KVM", "vrdmad", "RNIC rxe0", "RDMA modules", "vm.max_map_count",
                             "locked memory", "open files", "fs.aio-max-nr", "control group",
                             "QEMU", "domain web1", "AppArmor, SELinux"}) {
        EXPECT_THAT(findings, testing::Contains(Field(&Finding::what, what)));
    }
}

TEST_F(DoctorTest, KvmThatDoesNotWorkIsAnErrorWhicheverWay) {
    const std::pair<KvmOutcome, const char*> outcomes[] = {
        {KvmOutcome::kAbsent, "modprobe kvm_intel"},
        {KvmOutcome::kForbidden, "usermod --append --groups kvm"},
        {KvmOutcome::kNoMachine, "dmesg"},
        {KvmOutcome::kDoesNotRun, "dmesg"},
        {KvmOutcome::kHangs, "dmesg"},
    };
    for (const auto& [outcome, mend] : outcomes) {
        host_.try_kvm = [outcome = outcome](const auto&) { return outcome; };
        expect_one("error KVM", mend);
    }
}

TEST_F(DoctorTest, ADaemonThatDoesNotAnswerIsAnErrorAndTheRestIsLookedAt) {
    host_.daemon.reset();
    host_.why_no_daemon = "nobody listens";
    expect_one("error vrdmad", "systemctl enable --now vrdmad");
}

TEST_F(DoctorTest, ADaemonOfAnotherVersionIsAWarning) {
    host_.daemon->version = "0.0.1";
    expect_one("warning vrdmad", "systemctl restart vrdmad");
}

TEST_F(DoctorTest, AnRnicThatIsGoneIsAnErrorIfTheDaemonHasIt) {
    remove("/sys/class/infiniband/rxe0");
    expect_one("error RNIC", "rdma link add");
}

TEST_F(DoctorTest, TheEmbeddedRnicNeedsNoneOfTheHost) {
    remove("/sys/class/infiniband");
    remove("/sys/class/infiniband_verbs");
    remove("/dev/infiniband");
    limits("65536", "1048576");
    write("/proc/sys/vm/max_map_count", "65530\n");
    host_.daemon->stats["rnic"]["name"] = "embedded";
    EXPECT_THAT(complaints(), IsEmpty());
}

TEST_F(DoctorTest, AnRnicWhosePortIsDownIsAnError) {
    write("/sys/class/infiniband/rxe0/ports/1/state", "1: DOWN\n");
    expect_one("error RNIC rxe0", "ip link set dev");
}

TEST_F(DoctorTest, AnRnicWithoutAnEntryOrWithAnObstacleIsNamed) {
    host_.rnic_driver = [](const std::string&) { return uint32_t{9999}; };
    expect_one("error RNIC rxe0", "vrdmad --rnic embedded");
    host_.rnic_driver = [](const std::string&) { return uint32_t{RDMA_DRIVER_IRDMA}; };
    expect_one("warning RNIC rxe0", "accept_obstacle");
}

TEST_F(DoctorTest, ModulesThatAreMissingAreNamed) {
    remove("/dev/infiniband/rdma_cm");
    expect_one("warning RDMA modules", "modprobe rdma_ucm");
    write("/dev/infiniband/rdma_cm", "");
    remove("/sys/class/infiniband_verbs");
    expect_one("error RDMA modules", "modprobe ib_uverbs");
}

TEST_F(DoctorTest, TooFewMappingsAreAWarningWithANumberThatIsEnough) {
    write("/proc/sys/vm/max_map_count", "65530\n");
    expect_one("warning vm.max_map_count", "sysctl vm.max_map_count=1048576");
    write("/proc/sys/vm/max_map_count", "1048576\n");
    EXPECT_THAT(complaints(), IsEmpty());
}

TEST_F(DoctorTest, TooLittleLockedMemoryIsAnErrorUnlessTheCapabilityIsThere) {
    limits("8388608", "1048576");
    expect_one("error locked memory", "systemctl edit vrdmad");
    of_daemon("status", "CapEff:\t0000000000004000\n");  // CAP_IPC_LOCK
    EXPECT_THAT(complaints(), IsEmpty());
}

TEST_F(DoctorTest, TooFewOpenFilesAreAWarning) {
    limits("unlimited", "1024");
    expect_one("warning open files", "systemctl edit vrdmad  # with [Service] and LimitNOFILE=");
}

TEST_F(DoctorTest, NoRoomForAsynchronousIoIsAnError) {
    write("/proc/sys/fs/aio-nr", "65500\n");
    expect_one("error fs.aio-max-nr", "sysctl fs.aio-max-nr=131072");
    remove("/proc/sys/fs/aio-nr");
    expect_one("error fs.aio-max-nr", "zgrep CONFIG_AIO");
}

TEST_F(DoctorTest, AControlGroupThatIsTooSmallIsNamed) {
    group("memory.max", "1073741824\n");
    expect_one("warning control group", "systemctl edit vrdmad  # with [Service] and MemoryMax=");
    group("memory.max", "max\n");
    group("pids.max", "40\n");
    expect_one("error control group", "systemctl edit vrdmad  # with [Service] and TasksMax=64");
}

TEST_F(DoctorTest, AQemuWithoutItsModuleIsAnError) {
    host_.qemu_version = [](const auto&) { return "10.0.2"; };
    expect_one("error QEMU", "apt install qemu-vrdma");
    host_.qemu_version = [](const auto&) { return ""; };
    expect_one("warning QEMU", "/usr/bin/qemu-system-x86_64 --version");
    remove("/usr/bin/qemu-system-x86_64");
    expect_one("error QEMU", "apt install qemu-system-x86");
}

TEST_F(DoctorTest, ADomainThatLacksSomethingIsNamed) {
    const auto without = [](const std::string& part, const std::string& other = "") {
        std::string text = kDomain;
        text.replace(text.find(part), part.size(), other);
        return text;
    };
    const std::string file = "/etc/libvirt/qemu/web1.xml";
    write(file, without("<access mode='shared'/>"));
    expect_one("error domain web1", "virsh edit web1");
    write(file, without("'memfd'", "'file'"));
    expect_one("warning domain web1", "virsh edit web1  # <source type='memfd'/>");
    write(file, without("<source type='memfd'/>", "<hugepages/>"));
    expect_one("warning domain web1", "virsh edit web1  # without <hugepages/>");
    write(file, without("-vrdma</emulator>", "</emulator>"));
    expect_one("error domain web1", "virsh edit web1  # <emulator>");
    write(file, without(" xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'"));
    expect_one("error domain web1", "virsh edit web1  # <domain xmlns:qemu=");
    write(file, "<domain/>");
    EXPECT_THAT(complaints(), IsEmpty()) << "a domain without the device";
}

TEST_F(DoctorTest, DenialsThatConcernVrdmaAreAWarningAndOthersAreNot) {
    write("/var/log/kern.log",
          "audit: apparmor=\"DENIED\" operation=\"open\" name=\"/etc/shadow\"\n");
    EXPECT_THAT(complaints(), IsEmpty());
    write("/var/log/kern.log",
          "audit: apparmor=\"DENIED\" operation=\"connect\" name=\"/run/vrdma/a.sock\"\n");
    expect_one("warning AppArmor, SELinux", "echo '/run/vrdma/*.sock rw,'");
    write("/var/log/kern.log", "");
    write("/var/log/audit/audit.log",
          "type=AVC avc:  denied  { connectto } path=\"/run/vrdma/a\"\n");
    expect_one("warning AppArmor, SELinux", "ausearch -m avc");
    remove("/var/log");
    expect_one("warning AppArmor, SELinux", "journalctl -k");
}

TEST_F(DoctorTest, TheReportHasALineForEachFindingAndJsonHasTheSame) {
    write("/proc/sys/fs/aio-nr", "65500\n");
    const Findings findings = examine(host_);
    EXPECT_THAT(to_text(findings), HasSubstr("error    fs.aio-max-nr: 65500 of 65536 are in use"));
    EXPECT_THAT(to_text(findings), HasSubstr("\n         -> sysctl fs.aio-max-nr=131072\n"));
    const json document = to_json(findings);
    EXPECT_EQ(document.at("findings").size(), findings.size());
    EXPECT_EQ(document.at("findings").at(0), (json{{"what", "KVM"},
                                                   {"level", "ok"},
                                                   {"says", "a virtual machine has run"},
                                                   {"mend", nullptr}}));
    EXPECT_EQ(count(findings, Level::kError), 1U);
}

TEST(KvmProbeTest, ADeviceThatIsNoneIsSaidToBeAbsentOrToMakeNoMachine) {
    EXPECT_EQ(probe_kvm("/no/such/device"), KvmOutcome::kAbsent);
    EXPECT_EQ(probe_kvm("/dev/null"), KvmOutcome::kNoMachine);
}

}  // namespace
}  // namespace vrdma::doctor
