// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Changes of a domain's XML, and what they leave alone.
#include "vrdmactl/libvirt/domain_xml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "shapes.h"
#include "vrdmactl/connection.h"
#include "vrdmactl/libvirt/qemu_options.h"

namespace vrdma::libvirt {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

const DeviceFiles kPreloadOnly{.wrapper = "", .preload = "/lib/libvrdma-qemu-preload.so"};
const DeviceFiles kBoth{.wrapper = "/usr/bin/qemu-system-x86_64-vrdma",
                        .preload = "/lib/libvrdma-qemu-preload.so"};

class EachShape : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Shapes, EachShape,
                         testing::Values(kOfVirtInstall, kOfVirtManager, kWithCommandline,
                                         kWithCells));

TEST_P(EachShape, IsWrittenAgainByteForByte) {
    EXPECT_EQ(same_quotes(DomainXml(GetParam()).to_string()), same_quotes(GetParam()));
}

TEST_P(EachShape, LosesNothingWhenTheDeviceComes) {
    DomainXml domain(GetParam());
    domain.add_device(kSocket);
    domain.give_emulator(kPreloadOnly);
    domain.remove_device(kSocket);
    std::string xml = domain.to_string();
    const std::string declaration = " xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'";
    const std::string before = GetParam();
    if (before.find(declaration) == std::string::npos) {
        xml.erase(xml.find(declaration), declaration.size());
    }
    EXPECT_EQ(same_quotes(xml), same_quotes(before));
}

TEST_P(EachShape, ChangesOnlyOnce) {
    DomainXml domain(GetParam());
    EXPECT_THAT(domain.add_device(kSocket), SizeIs(1));
    EXPECT_THAT(domain.give_emulator(kPreloadOnly), SizeIs(1));
    domain.share_memory();
    domain.reserve_windows();
    const std::string once = domain.to_string();
    DomainXml again(once);
    EXPECT_THAT(again.share_memory(), IsEmpty());
    EXPECT_THAT(again.add_device(kSocket), IsEmpty());
    EXPECT_THAT(again.give_emulator(kPreloadOnly), IsEmpty());
    EXPECT_THAT(again.reserve_windows(), IsEmpty());
    EXPECT_EQ(again.to_string(), once);
}

TEST(DomainXmlTest, MemoryBecomesASharedMemfdBehindTheSizes) {
    DomainXml domain(kOfVirtInstall);
    EXPECT_THAT(domain.share_memory(), SizeIs(2));
    EXPECT_THAT(domain.to_string(), HasSubstr(R"(</currentMemory>
  <memoryBacking>
    <source type='memfd'/>
    <access mode='shared'/>
  </memoryBacking>
  <vcpu)"));
}

TEST(DomainXmlTest, HugePagesStayAndPrivateCellsAndDimmsAreShared) {
    DomainXml domain(kWithCells);
    EXPECT_THAT(domain.share_memory(), ElementsAre(HasSubstr("<access mode='shared'/>"),
                                                   HasSubstr("NUMA cell 0"), HasSubstr("DIMM")));
    const std::string xml = domain.to_string();
    EXPECT_THAT(xml, AllOf(HasSubstr("<page size='2048'"), HasSubstr("<nosharepages/>"),
                           Not(HasSubstr("private")), Not(HasSubstr("memfd"))));
    EXPECT_THAT(domain.doubts_of_memory(), ElementsAre(HasSubstr("huge pages")));
}

TEST(DomainXmlTest, PrivateMemoryIsSaidAndShared) {
    DomainXml domain(
        "<domain><memory>1</memory><memoryBacking><source type='anonymous'/>"
        "<access mode='private'/></memoryBacking></domain>");
    EXPECT_THAT(domain.share_memory(), SizeIs(2));
    EXPECT_THAT(domain.to_string(),
                AllOf(HasSubstr("<source type='memfd'/>"), HasSubstr("<access mode='shared'/>")));
}

TEST(DomainXmlTest, MemoryInFilesIsDoubted) {
    DomainXml domain(
        "<domain><memoryBacking><source type='file'/><access mode='shared'/></memoryBacking>"
        "</domain>");
    EXPECT_THAT(domain.share_memory(), IsEmpty());
    EXPECT_THAT(domain.doubts_of_memory(), ElementsAre(HasSubstr("memory_backing_dir")));
}

TEST(DomainXmlTest, TheDeviceIsOnTheRootBusOfAQ35) {
    DomainXml domain(kOfVirtInstall);
    domain.add_device(kSocket);
    EXPECT_THAT(domain.to_string(), HasSubstr(R"(
  <qemu:commandline>
    <qemu:arg value='-chardev'/>
    <qemu:arg value='socket,id=vrdma0,path=/run/vrdma/web1.sock'/>
    <qemu:arg value='-device'/>
    <qemu:arg value='vrdma-pci,id=rdma0,chardev=vrdma0,bus=pcie.0,addr=0x10'/>
  </qemu:commandline>
</domain>
)"));
}

TEST(DomainXmlTest, ASlotOfTheDomainsIsLeftAlone) {
    DomainXml domain(kOfVirtManager);
    domain.add_device(kSocket);
    EXPECT_THAT(domain.to_string(), HasSubstr("bus=pci.0,addr=0x11'"));
}

TEST(DomainXmlTest, SlotsAndIdsOfACommandlineAreLeftAlone) {
    DomainXml domain(kWithCommandline);
    domain.add_device(kSocket);
    EXPECT_THAT(domain.to_string(),
                AllOf(HasSubstr("socket,id=vrdma1,path=/run/vrdma/web1.sock"),
                      HasSubstr("vrdma-pci,id=rdma1,chardev=vrdma1,bus=pcie.0,addr=0x12'")));
}

TEST(DomainXmlTest, ASecondDeviceHasIdsAndASlotOfItsOwn) {
    DomainXml domain(kOfVirtInstall);
    domain.add_device(kSocket);
    domain.give_emulator(kBoth);
    domain.add_device("/run/vrdma/b,c.sock");
    EXPECT_TRUE(domain.has_device("/run/vrdma/b,c.sock")) << domain.to_string();
    EXPECT_THAT(domain.to_string(), HasSubstr("vrdma-pci,id=rdma1,chardev=vrdma1,bus=pcie.0,"
                                              "addr=0x11'"));
    EXPECT_THAT(domain.remove_device(kSocket), SizeIs(1)) << "the emulator stays for the other";
    EXPECT_TRUE(domain.has_device("/run/vrdma/b,c.sock"));
}

TEST(DomainXmlTest, AFullBusIsRefused) {
    DomainXml domain(kOfVirtInstall);
    for (int i = 0; i < 10; ++i) {
        domain.add_device("/run/" + std::to_string(i));
    }
    EXPECT_THROW(domain.add_device("/run/one-more"), vrdmactl::Failure);
}

TEST(DomainXmlTest, AMachineThatIsNotKnownIsRefused) {
    DomainXml domain("<domain><os><type machine='microvm'>hvm</type></os></domain>");
    EXPECT_THROW(domain.add_device(kSocket), vrdmactl::Failure);
}

TEST(DomainXmlTest, ADeviceThatWasWrittenByHandIsKnown) {
    DomainXml domain(
        "<domain xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'><q:commandline>"
        "<q:arg value='-device'/><q:arg value='{\"driver\":\"vrdma-pci\",\"chardev\":\"x\"}'/>"
        "<q:arg value='-chardev'/><q:arg value='socket,path=/run/vrdma/web1.sock,id=x'/>"
        "</q:commandline></domain>");
    EXPECT_THAT(domain.add_device(kSocket), IsEmpty());
    EXPECT_THAT(domain.remove_device(kSocket), SizeIs(1));
    EXPECT_THAT(domain.to_string(), Not(HasSubstr("commandline")));
}

TEST(DomainXmlTest, TheWrapperReplacesThePlainEmulatorAndGoesWithTheLastDevice) {
    DomainXml domain(kOfVirtInstall);
    domain.add_device(kSocket);
    EXPECT_THAT(domain.give_emulator(kBoth), SizeIs(1));
    EXPECT_THAT(domain.to_string(),
                AllOf(HasSubstr("<emulator>/usr/bin/qemu-system-x86_64-vrdma</emulator>"),
                      Not(HasSubstr("LD_PRELOAD"))));
    domain.remove_device(kSocket);
    EXPECT_THAT(domain.to_string(), HasSubstr("<emulator>/usr/bin/qemu-system-x86_64</emulator>"));
}

TEST(DomainXmlTest, AnEmulatorOfTheOwnersGetsTheLibraryBesideTheirs) {
    DomainXml domain(kWithCommandline);
    domain.add_device(kSocket);
    domain.give_emulator(kBoth);
    EXPECT_THAT(domain.to_string(),
                AllOf(HasSubstr("<emulator>/usr/bin/kvm</emulator>"),
                      HasSubstr("value='/lib/libvrdma-qemu-preload.so:/opt/lib/tracer.so'")));
}

TEST(DomainXmlTest, AHostWithoutTheDeviceIsToldWhatToInstall) {
    DomainXml domain(kOfVirtInstall);
    try {
        domain.give_emulator({});
        FAIL();
    } catch (const vrdmactl::Failure& failure) {
        EXPECT_THAT(failure.what(), HasSubstr("apt install qemu-vrdma"));
    }
}

TEST(DomainXmlTest, APreparedDomainKeepsItsEmulatorWithoutADevice) {
    DomainXml domain(kOfVirtInstall);
    domain.add_device(kSocket);
    domain.give_emulator(kPreloadOnly);
    EXPECT_THAT(domain.reserve_windows(), SizeIs(1));
    domain.remove_device(kSocket);
    EXPECT_THAT(domain.to_string(), AllOf(HasSubstr("pcie-root-port.pref64-reserve=2G"),
                                          HasSubstr("LD_PRELOAD"), Not(HasSubstr("vrdma-pci"))));
}

TEST(DomainXmlTest, WhatIsNoDomainIsRefused) {
    EXPECT_THROW(DomainXml("<network/>"), vrdmactl::Failure);
    EXPECT_THROW(DomainXml("<domain>"), vrdmactl::Failure);
    EXPECT_THROW(DomainXml(""), vrdmactl::Failure);
}

TEST(DomainXmlTest, AnEntityIsNotExpanded) {
    const std::string text =
        "<!DOCTYPE domain [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><domain><name>&x;</name>"
        "</domain>";
    EXPECT_THAT(DomainXml(text).to_string(), Not(HasSubstr("root:")));
}

TEST(QemuOptionsTest, ACommaIsWrittenTwice) {
    auto properties = parse_option("socket,id=a,path=/run/b,,c.sock,nodelay");
    EXPECT_EQ(properties[""], "socket");
    EXPECT_EQ(properties["path"], "/run/b,c.sock");
    EXPECT_EQ(properties["nodelay"], "on");
    EXPECT_EQ(escape_commas("/run/b,c.sock"), "/run/b,,c.sock");
}

}  // namespace
}  // namespace vrdma::libvirt
