// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Domains in the shapes that `virsh dumpxml --inactive` gives them.
#pragma once

#include <algorithm>
#include <string>

namespace vrdma::libvirt {

// The socket of the guest that the device is for.
inline constexpr const char* kSocket = "/run/vrdma/web1.sock";

// A document in which all quotes are of one kind: libvirt writes those of its own and of foreign
// elements differently, and they mean the same.
inline std::string same_quotes(std::string xml) {
    std::ranges::replace(xml, '"', '\'');
    return xml;
}

// What virt-install --osinfo debian12 makes.
inline constexpr const char* kOfVirtInstall = R"(<domain type='kvm'>
  <name>web1</name>
  <uuid>0d4a5c1e-5d0c-4a3c-9a55-1f0a7f5f3f11</uuid>
  <metadata>
    <libosinfo:libosinfo xmlns:libosinfo="http://libosinfo.org/xmlns/libvirt/domain/1.0">
      <libosinfo:os id="http://debian.org/debian/12"/>
    </libosinfo:libosinfo>
  </metadata>
  <memory unit='KiB'>2097152</memory>
  <currentMemory unit='KiB'>2097152</currentMemory>
  <vcpu placement='static'>2</vcpu>
  <os>
    <type arch='x86_64' machine='pc-q35-7.2'>hvm</type>
    <boot dev='hd'/>
  </os>
  <features>
    <acpi/>
    <apic/>
  </features>
  <cpu mode='host-passthrough' check='none' migratable='on'/>
  <clock offset='utc'>
    <timer name='rtc' tickpolicy='catchup'/>
  </clock>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' discard='unmap'/>
      <source file='/var/lib/libvirt/images/web1 &amp; more.qcow2'/>
      <target dev='vda' bus='virtio'/>
      <address type='pci' domain='0x0000' bus='0x04' slot='0x00' function='0x0'/>
    </disk>
    <controller type='pci' index='0' model='pcie-root'/>
    <controller type='pci' index='1' model='pcie-root-port'>
      <model name='pcie-root-port'/>
      <target chassis='1' port='0x10'/>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x02' function='0x0' multifunction='on'/>
    </controller>
    <interface type='network'>
      <mac address='52:54:00:12:34:56'/>
      <source network='default'/>
      <model type='virtio'/>
      <address type='pci' domain='0x0000' bus='0x01' slot='0x00' function='0x0'/>
    </interface>
    <channel type='unix'>
      <target type='virtio' name='org.qemu.guest_agent.0'/>
      <address type='virtio-serial' controller='0' bus='0' port='1'/>
    </channel>
    <rng model='virtio'>
      <backend model='random'>/dev/urandom</backend>
    </rng>
  </devices>
</domain>
)";

// What virt-manager makes, with two network devices and a description of the owner's.
inline constexpr const char* kOfVirtManager = R"(<domain type='kvm'>
  <name>desktop</name>
  <title>Anna's "desktop" &lt;old&gt;</title>
  <description>two
lines</description>
  <memory unit='KiB'>4194304</memory>
  <vcpu placement='static'>4</vcpu>
  <os firmware='efi'>
    <type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type>
    <loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE_4M.fd</loader>
    <bootmenu enable='yes'/>
  </os>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <interface type='network'>
      <mac address='52:54:00:AA:00:01'/>
      <source network='default'/>
      <model type='e1000'/>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x10' function='0x0'/>
    </interface>
    <interface type='bridge'>
      <mac address='52:54:00:aa:00:02'/>
      <source bridge='br0'/>
      <model type='virtio'/>
    </interface>
    <graphics type='spice' autoport='yes' passwd='secret&apos;s'>
      <listen type='address'/>
    </graphics>
  </devices>
</domain>
)";

// Somebody has put a device of their own, and a library, into the emulator.
inline constexpr const char* kWithCommandline =
    R"(<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>own</name>
  <memory unit='KiB'>1048576</memory>
  <memoryBacking>
    <source type='memfd'/>
    <access mode='shared'/>
    <discard/>
  </memoryBacking>
  <os>
    <type arch='x86_64' machine='pc-q35-7.2'>hvm</type>
  </os>
  <devices>
    <emulator>/usr/bin/kvm</emulator>
    <interface type='user'>
      <mac address='52:54:00:12:34:56'/>
    </interface>
  </devices>
  <qemu:commandline>
    <qemu:arg value='-chardev'/>
    <qemu:arg value='socket,id=vrdma0,path=/run/somebody/else.sock'/>
    <qemu:arg value='-device'/>
    <qemu:arg value='{"driver":"edu","id":"edu0","bus":"pcie.0","addr":"0x10"}'/>
    <qemu:arg value='-device'/>
    <qemu:arg value='edu,bus=pcie.0,addr=11'/>
    <qemu:env name='LD_PRELOAD' value='/opt/lib/tracer.so'/>
    <qemu:env name='TRACE' value='1'/>
  </qemu:commandline>
  <qemu:capabilities>
    <qemu:del capability='blockdev'/>
  </qemu:capabilities>
</domain>
)";

// Memory on huge pages, in two NUMA cells, one of them private, and a DIMM.
inline constexpr const char* kWithCells = R"(<domain type='kvm'>
  <name>cells</name>
  <maxMemory slots='4' unit='KiB'>8388608</maxMemory>
  <memory unit='KiB'>4194304</memory>
  <currentMemory unit='KiB'>4194304</currentMemory>
  <memoryBacking>
    <hugepages>
      <page size='2048' unit='KiB' nodeset='0'/>
    </hugepages>
    <nosharepages/>
  </memoryBacking>
  <os>
    <type arch='x86_64' machine='pc-q35-7.2'>hvm</type>
  </os>
  <cpu mode='host-model' check='partial'>
    <numa>
      <cell id='0' cpus='0' memory='2097152' unit='KiB' memAccess='private'/>
      <cell id='1' cpus='1' memory='2097152' unit='KiB'/>
    </numa>
  </cpu>
  <devices>
    <interface type='network'>
      <mac address='52:54:00:12:34:56'/>
      <source network='default'/>
    </interface>
    <memory model='dimm' access='private'>
      <target>
        <size unit='KiB'>524288</size>
        <node>1</node>
      </target>
    </memory>
  </devices>
</domain>
)";

}  // namespace vrdma::libvirt
