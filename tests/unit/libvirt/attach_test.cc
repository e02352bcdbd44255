// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "vrdmactl/libvirt/attach.h"
#include "support/places.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "shapes.h"
#include "vrdmactl/connection.h"

namespace vrdma::libvirt {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

const Guest kGuest{.name = "web1", .socket = "/run/vrdma/web1.sock", .mac = "52:54:00:12:34:56"};
const DeviceFiles kFiles{.wrapper = "",
                         .preload = "/usr/lib/x86_64-linux-gnu/qemu/libvrdma-qemu-preload.so"};

std::string refusal(const std::string& xml, const Guest& guest) {
    try {
        with_device(xml, "web1", guest, kFiles);
    } catch (const vrdmactl::Failure& failure) {
        return failure.what();
    }
    return "";
}

TEST(AttachTest, ADomainGetsMemoryDeviceAndEmulatorAtOnce) {
    const Edited edited = with_device(kOfVirtInstall, "web1", kGuest, kFiles);
    EXPECT_THAT(edited.changes, SizeIs(4));
    EXPECT_THAT(edited.xml, AllOf(HasSubstr("memfd"), HasSubstr("shared"), HasSubstr("vrdma-pci"),
                                  HasSubstr("LD_PRELOAD"), HasSubstr("xmlns:qemu=")));
    const Edited again = with_device(edited.xml, "web1", kGuest, kFiles);
    EXPECT_THAT(again.changes, IsEmpty());
    EXPECT_EQ(again.xml, edited.xml);
}

TEST(AttachTest, TheGuestsMacHasToBeOneOfTheDomains) {
    EXPECT_EQ(refusal(kOfVirtInstall, kGuest), "");
    Guest other = kGuest;
    other.mac = "52:54:00:00:00:99";
    EXPECT_THAT(refusal(kOfVirtManager, other),
                AllOf(HasSubstr("pairs with the network device 52:54:00:00:00:99"),
                      HasSubstr("52:54:00:AA:00:01, 52:54:00:aa:00:02")));
}

TEST(AttachTest, AMacIsTheSameInCapitals) {
    Guest guest = kGuest;
    guest.mac = "52:54:00:aa:00:01";
    EXPECT_EQ(refusal(kOfVirtManager, guest), "");
}

TEST(AttachTest, AGuestWithoutMacNeedsSomeInterface) {
    Guest guest = kGuest;
    guest.mac.reset();
    EXPECT_EQ(refusal(kOfVirtInstall, guest), "");
    EXPECT_THAT(refusal("<domain><devices/></domain>", guest), HasSubstr("no network device"));
}

TEST(AttachTest, APreparedDomainHasNoDevice) {
    const Edited edited = prepared(kOfVirtInstall, "web1", kGuest, kFiles);
    EXPECT_THAT(edited.xml, AllOf(HasSubstr("pref64-reserve=2G"), HasSubstr("LD_PRELOAD"),
                                  HasSubstr("memfd"), Not(HasSubstr("vrdma-pci"))));
}

TEST(AttachTest, DetachingWhatIsNotThereChangesNothing) {
    const Edited edited = without_device(kOfVirtInstall, kGuest.socket);
    EXPECT_THAT(edited.changes, IsEmpty());
    EXPECT_EQ(same_quotes(edited.xml), same_quotes(kOfVirtInstall));
}

TEST(AttachTest, ThePiecesAreWhatAttachAdds) {
    const std::string xml = pieces(kGuest, kFiles);
    EXPECT_THAT(xml, AllOf(HasSubstr("xmlns:qemu="), HasSubstr("<memoryBacking>"),
                           HasSubstr("path=/run/vrdma/web1.sock"), HasSubstr("LD_PRELOAD")));
    const std::string wrapped =
        pieces(kGuest, {.wrapper = "/usr/bin/qemu-system-x86_64-vrdma", .preload = ""});
    EXPECT_THAT(wrapped, HasSubstr("<emulator>/usr/bin/qemu-system-x86_64-vrdma</emulator>"));
}

TEST(AttachTest, ACompleteDomainIsTheOneOfTheDocument) {
    std::ifstream stream(test::in_source("docs/libvirt.md"));
    const std::string page{std::istreambuf_iterator<char>(stream), {}};
    Guest guest = kGuest;
    guest.socket = "/run/vrdma/rdma1.sock";
    EXPECT_THAT(page, HasSubstr("```xml\n" + full_domain("rdma1", guest, kFiles) + "```"));
}

TEST(AttachTest, ACompleteDomainOfAGuestWithoutMacLeavesItToLibvirt) {
    Guest guest = kGuest;
    guest.mac.reset();
    EXPECT_THAT(full_domain("x", guest, kFiles), Not(HasSubstr("<mac")));
}

TEST(AttachTest, ANameThatIsNoNameIsRefused) {
    EXPECT_THROW(full_domain("a<b", kGuest, kFiles), vrdmactl::Failure);
    EXPECT_THROW(full_domain("", kGuest, kFiles), vrdmactl::Failure);
}

}  // namespace
}  // namespace vrdma::libvirt
