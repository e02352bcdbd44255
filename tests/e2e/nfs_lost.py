# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""A guest's kernel has a hard NFS mount of another guest's over RDMA, and vrdmad starts again."""

from __future__ import annotations

from support_py.e2e import PATIENCE, LabTest, main

PORT = 20049
# What exportfs and mountd would say: NFSEXP_INSECURE_PORT, _ASYNC, _NOSUBTREECHECK and _FSID of
# <linux/nfsd/export.h>, for a file system whose number is 0, the root of NFSv4.
EXPORT_FLAGS = 0x2 | 0x10 | 0x400 | 0x2000
NEVER = 2147483647  # when an entry of the kernel's caches expires


class NfsLost(LabTest):
    modules = ("nfsd", "nfsv4", "rpcrdma")

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        for guest in cls.lab.guests:
            guest.wait_device()
        cls.serve()
        cls.mount()

    @classmethod
    def serve(cls) -> None:
        """Serves /tmp/export of the first guest, as nfs-utils would."""
        server, client = cls.lab.guests
        caches = "/proc/net/rpc"
        for command in (
            "modprobe rpcrdma && modprobe nfsd && mkdir -p /tmp/export",
            "mountpoint -q /proc/fs/nfsd || mount -t nfsd nfsd /proc/fs/nfsd",
            "echo -2 -3 +4 > /proc/fs/nfsd/versions",
            "echo 10 > /proc/fs/nfsd/nfsv4leasetime && echo 10 > /proc/fs/nfsd/nfsv4gracetime",
            f"echo nfsd {client.ip} {NEVER} client > {caches}/auth.unix.ip/channel",
            f"echo client /tmp/export {NEVER} {EXPORT_FLAGS} 65534 65534 0 "
            f"> {caches}/nfsd.export/channel",
            f"printf 'client 1 \\\\x00000000 {NEVER} /tmp/export\\n' "
            f"> {caches}/nfsd.fh/channel",
            f"echo rdma {PORT} > /proc/fs/nfsd/portlist",
            "echo 2 > /proc/fs/nfsd/threads",
        ):
            server.must(command, PATIENCE)

    @classmethod
    def mount(cls) -> None:
        server, client = cls.lab.guests
        options = f"vers=4.1,proto=rdma,port={PORT},addr={server.ip},clientaddr={client.ip},hard"
        client.must(
            "modprobe rpcrdma && modprobe nfsv4 && mkdir -p /tmp/m && "
            f"mount -t nfs4 -o {options} {server.ip}:/ /tmp/m",
            PATIENCE,
        )

    def test_programs_see_no_error(self) -> None:
        server, client = self.lab.guests
        writer = client.start(
            "i=0; while dd if=/dev/zero of=/tmp/m/file bs=64k count=16 conv=fsync 2> /tmp/error; "
            "do i=$((i + 1)); echo written $i; done; cat /tmp/error"
        )
        writer.wait_for("written 2", PATIENCE)
        for again in range(2):
            self.lab.daemon.child.kill()
            for guest in (server, client):
                guest.wait_registered(PATIENCE, False)
            self.lab.daemon.start_again()
            for guest in (server, client):
                guest.wait_registered(PATIENCE)
            done = writer.output.count("written")
            # The connection comes back by itself, and what was written then goes on.
            writer.wait_for(f"written {done + 3}", PATIENCE)
            self.assertFalse(writer.done, again)
        writer.kill()
        for guest in (server, client):
            self.assertEqual(guest.complaints(), "", guest.name)


if __name__ == "__main__":
    main()
