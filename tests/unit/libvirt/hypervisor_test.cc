// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// libvirt's library with the hypervisor that it has for tests (test:///default), whose domain
// 'test' runs.
#include "vrdmactl/libvirt/hypervisor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "vrdmactl/connection.h"

namespace vrdma::libvirt {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

std::pair<int, std::string> failure_of(const std::function<void()>& act) {
    try {
        act();
    } catch (const vrdmactl::Failure& failure) {
        return {failure.status(), failure.what()};
    }
    return {0, ""};
}

TEST(HypervisorTest, ADomainTellsItsXmlAndTakesAnother) {
    const Hypervisor hypervisor("test:///default");
    const Domain domain = hypervisor.domain("test");
    EXPECT_TRUE(domain.is_running());
    EXPECT_TRUE(domain.is_persistent());
    std::string xml = domain.next_xml();
    EXPECT_THAT(xml, AllOf(HasSubstr("<name>test</name>"), Not(HasSubstr("memfd"))));
    const std::string memory = "</currentMemory>";
    xml.insert(xml.find(memory) + memory.size(),
               "<memoryBacking><source type='memfd'/></memoryBacking>");
    domain.define(xml);
    EXPECT_THAT(domain.next_xml(), HasSubstr("memfd"));
    EXPECT_THAT(domain.running_xml(), Not(HasSubstr("memfd")));
}

TEST(HypervisorTest, ADomainThatIsNotThereIsNamedWithLibvirtsWords) {
    const Hypervisor hypervisor("test:///default");
    const auto [status, said] = failure_of([&] { (void)hypervisor.domain("nobody"); });
    EXPECT_EQ(status, vrdmactl::kRefused);
    EXPECT_THAT(said, AllOf(HasSubstr("Domain not found"), HasSubstr("virsh list --all")));
}

TEST(HypervisorTest, AnXmlThatLibvirtDoesNotTakeIsRefused) {
    const Hypervisor hypervisor("test:///default");
    const Domain domain = hypervisor.domain("test");
    const auto [status, said] = failure_of([&] { domain.define("<domain/>"); });
    EXPECT_EQ(status, vrdmactl::kRefused);
    EXPECT_THAT(said, HasSubstr("libvirt does not take the changed domain: "));
}

TEST(HypervisorTest, ALibvirtThatIsNotThereIsNotReachable) {
    const auto [status, said] =
        failure_of([] { Hypervisor("qemu:///system?socket=/nonexistent/libvirt-sock"); });
    EXPECT_EQ(status, vrdmactl::kNotReachable);
    EXPECT_THAT(said, HasSubstr("libvirt is not reachable at qemu:///system?socket=/nonexistent"));
}

TEST(HypervisorTest, AHypervisorWithoutMonitorSaysSo) {
    const Hypervisor hypervisor("test:///default");
    const Domain domain = hypervisor.domain("test");
    const auto [status, said] = failure_of([&] {
        (void)domain.monitor({{"execute", "query-pci"}});
    });
    EXPECT_EQ(status, vrdmactl::kRefused);
    EXPECT_THAT(said, HasSubstr("does not pass a command on"));
}

}  // namespace
}  // namespace vrdma::libvirt
