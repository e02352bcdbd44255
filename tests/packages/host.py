# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The packages of a host, in a clean Debian: host.py SUITE [unittest's options]."""

from __future__ import annotations

import re

from support_py.packages_test import HOST_PACKAGES, PackagesTest, main

# What systemd judges, and the files of the units.
UNITS = ("vrdmad.service", "vrdmad@red.service", "vrdma-exporter.service")
UNIT_FILES = tuple(f"/usr/lib/systemd/system/{name}"
                   for name in ("vrdmad.service", "vrdmad@.service", "vrdma-exporter.service"))
PAGES = ("man1/qemu-system-x86_64-vrdma.1", "man5/vrdmad.toml.5", "man8/vrdma-exporter.8",
         "man8/vrdmactl.8", "man8/vrdmad.8")
CONFIGURATION = {
    "/etc/vrdma",
    "/etc/vrdma/vrdmad.toml",
    "/etc/apparmor.d",
    "/etc/apparmor.d/abstractions",
    "/etc/apparmor.d/abstractions/libvirt-qemu.d",
    "/etc/apparmor.d/abstractions/libvirt-qemu.d/vrdma",
    # Whether the owner has enabled the units.
    "/var/lib/systemd/deb-systemd-helper-enabled/vrdma-exporter.service.dsh-also",
    "/var/lib/systemd/deb-systemd-helper-enabled/vrdmad.service.dsh-also",
}

# What polkit gives to its rules, for a call of "systemctl VERB UNIT" by a member of GROUP.
POLKIT = """
var rule;
var polkit = {Result: {YES: "yes", NOT_HANDLED: "not handled"},
              addRule: function(found) { rule = found; }};
function asked(id, verb, unit, group) {
    return rule({id: id, lookup: function(key) { return {verb: verb, unit: unit}[key]; }},
                {isInGroup: function(name) { return name == group; }});
}
"""
MANAGE = "org.freedesktop.systemd1.manage-units"


class Installed(PackagesTest):
    """What an owner of virtual machines finds after the installation."""

    shared = True

    def prepare(self) -> None:
        self.install(*HOST_PACKAGES)

    def test_the_daemon_takes_the_configuration_that_comes_with_it(self) -> None:
        machine = "socket=/run/vrdma/a.sock,name=a"
        said = self.debian.read("vrdmad", "--config", "/etc/vrdma/vrdmad.toml", "--vm", machine,
                                "--check")
        self.assertIn("the configuration is valid: 1 virtual machine(s), RNIC 'embedded'", said)

    def test_qemu_has_the_device(self) -> None:
        said = self.debian.read("qemu-system-x86_64-vrdma", "-device", "vrdma-pci,help")
        self.assertIn("shm-size=<size>", said)

    def test_systemd_finds_all_that_the_units_name(self) -> None:
        said = self.debian.read("sh", "-c", f"systemd-analyze verify {' '.join(UNITS)} 2>&1")
        self.assertEqual([line for line in said.splitlines() if "vrdma" in line], [])
        text = self.debian.read("cat", *UNIT_FILES)
        for path in re.findall(r"^Documentation=file:(\S+)", text, re.MULTILINE):
            self.debian.run("test", "-e", path)

    def test_the_units_groups_are_there(self) -> None:
        text = self.debian.read("cat", *UNIT_FILES)
        groups = re.findall(r"^SupplementaryGroups=(.+)$", text, re.MULTILINE)
        self.assertEqual(len(groups), len(UNITS))
        self.debian.run("getent", "group", *groups)

    def test_each_program_and_the_configuration_have_their_page(self) -> None:
        wanted = {f"/usr/share/man/{page}.gz" for page in PAGES}
        self.assertEqual(wanted - self.files(), set())

    def headings(self, page: str) -> set[str]:
        """The headings of a page of the manual, in capitals."""
        text = self.debian.read("zcat", f"/usr/share/man/{page}.gz")
        found = re.findall(r'^\.S[HS]\s+"?(.*?)"?$', text, re.MULTILINE)
        return {heading.upper() for heading in found}

    def test_the_configurations_page_has_its_sections(self) -> None:
        wanted = {"CONFIGURATION", "WHOSE SOCKETS THEY ARE", "GUEST RAM", "ADDRESSES", "LIMITS"}
        self.assertEqual(wanted - self.headings("man5/vrdmad.toml.5"), set())

    def test_vrdmactls_page_has_its_commands(self) -> None:
        self.assertLessEqual({"SHOW", "LIMITS", "RELOAD"}, self.headings("man8/vrdmactl.8"))

    def test_bash_completes_the_commands(self) -> None:
        script = ("source /usr/share/bash-completion/completions/vrdmactl; "
                  "complete -p vrdmactl; COMP_WORDS=(vrdmactl ''); COMP_CWORD=1; "
                  "$(complete -p vrdmactl | sed 's/.*-F \\([^ ]*\\).*/\\1/') vrdmactl '' vrdmactl; "
                  'echo "${COMPREPLY[*]}"')
        self.assertIn("reload", self.debian.read("bash", "-c", script).split())

    def test_apparmor_parses_the_rules_for_libvirts_machines(self) -> None:
        self.debian.install(["apparmor"])
        profile = self.debian.root / "tmp" / "profile"
        profile.write_text("#include <tunables/global>\n"
                           "profile machine { #include <abstractions/libvirt-qemu.d/vrdma>\n}\n")
        self.debian.run("apparmor_parser", "--skip-kernel-load", "--skip-cache",
                        "--base", "/etc/apparmor.d", "/tmp/profile")

    def test_polkit_lets_administrators_manage_the_units_and_nothing_else(self) -> None:
        # polkit's own interpreter of rules.
        self.debian.install(["duktape"])
        self.debian.run("getent", "group", "vrdma-admin")
        rules = self.debian.read("cat", "/usr/share/polkit-1/rules.d/60-vrdma.rules")
        script = self.debian.root / "tmp" / "rules.js"
        for wanted, *words in (
            ("yes", MANAGE, "restart", "vrdmad.service", "vrdma-admin"),
            ("yes", MANAGE, "reload", "vrdmad@red.service", "vrdma-admin"),
            ("yes", MANAGE, "start", "vrdma-exporter.service", "vrdma-admin"),
            ("not handled", MANAGE, "restart", "vrdmad.service", "vrdma"),
            ("not handled", MANAGE, "restart", "ssh.service", "vrdma-admin"),
            ("not handled", MANAGE, "restart", "vrdmad.service.ssh.service", "vrdma-admin"),
            ("not handled", MANAGE, "kill", "vrdmad.service", "vrdma-admin"),
            ("not handled", f"{MANAGE[:-5]}unit-files", "start", "vrdmad.service", "vrdma-admin"),
        ):
            with self.subTest(words):
                arguments = ", ".join(f'"{word}"' for word in words)
                script.write_text(f"{POLKIT}{rules}print(asked({arguments}));\n")
                self.assertEqual(self.debian.read("duk", "/tmp/rules.js").strip(), wanted)


class Changed(PackagesTest):
    """What becomes of a host, and what is left after the removal."""

    def prepare(self) -> None:
        self.before = self.files()
        self.install(*HOST_PACKAGES)

    def test_a_group_that_is_missing_is_made(self) -> None:
        self.debian.run("groupdel", "kvm")
        self.debian.run("dpkg-reconfigure", "vrdma")
        self.debian.run("getent", "group", "kvm")

    def test_a_purge_leaves_nothing(self) -> None:
        self.remove("purge", *HOST_PACKAGES)
        self.assertEqual(self.files() - self.before, set())

    def test_a_removal_leaves_the_configuration(self) -> None:
        self.remove("remove", *HOST_PACKAGES)
        self.assertEqual(self.files() - self.before, CONFIGURATION)


if __name__ == "__main__":
    main()
