# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The source tree of the Debian packages: the project's files, debian/, and QEMU's headers."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from email.utils import format_datetime
from datetime import datetime, timezone
from pathlib import Path

from vrdma_lab import paths
from vrdma_lab.errors import LabError

# By which a package for the one Debian is newer than that for the other.
_REVISIONS = {"bookworm": "deb12", "trixie": "deb13"}
# lintian of each Debian knows these.
_STANDARDS = {"bookworm": "4.6.2", "trixie": "4.7.2"}
# Packages of somebody who gives no address.
_NOBODY = "vrdma packagers <root@localhost>"
# The files that say the project's version.
_WITH_VERSION = ("CMakeLists.txt", "frontend/dkms.conf", "frontend/vrdma-doctor")
_FOLDER = paths.SOURCE / "scripts" / "debian"


def project_version() -> str:
    """The version that CMakeLists.txt says."""
    text = (paths.SOURCE / "CMakeLists.txt").read_text()
    found = re.search(r"^project\(vrdma VERSION (\S+)", text, re.MULTILINE)
    assert found is not None
    return found.group(1)


def _git(*words: str) -> str:
    done = subprocess.run(["git", "-C", paths.SOURCE, *words], capture_output=True, text=True)
    if done.returncode != 0:
        raise LabError(f"packages are made of a git clone: {done.stderr.strip()}")
    return done.stdout


def package_version(suite: str) -> str:
    """The version of the packages: the project's, and which commit before it, unless tagged."""
    version = project_version()
    if f"v{version}" not in _git("tag", "--points-at", "HEAD").split():
        count = _git("rev-list", "--count", "HEAD").strip()
        version += f"~git{count}.{_git('rev-parse', '--short=8', 'HEAD').strip()}"
    return f"{version}+{_REVISIONS[suite]}"


def _changelog(suite: str, version: str) -> str:
    """debian/changelog, whose date is the commit's: two builds of one commit are equal."""
    seconds = int(_git("log", "-1", "--format=%ct"))
    date = format_datetime(datetime.fromtimestamp(seconds, timezone.utc))
    return (
        f"vrdma ({version}) {suite}; urgency=medium\n\n"
        f"  * Made by scripts/package of commit {_git('rev-parse', 'HEAD').strip()[:12]}.\n\n"
        f" -- {maintainer() or _NOBODY}  {date}\n"
    )


def maintainer() -> str | None:
    """Who answers for the packages, as Debian's tools learn it: DEBFULLNAME and DEBEMAIL."""
    address = os.environ.get("DEBEMAIL")
    return f"{os.environ.get('DEBFULLNAME') or 'vrdma packagers'} <{address}>" if address else None


def build_dependencies(suite: str) -> list[str]:
    """The names of the packages that a build needs."""
    found = re.search(r"^Build-Depends:\n((?: .*\n)+)", (_FOLDER / "control").read_text(),
                      re.MULTILINE)
    assert found is not None
    # The newer Debian is named first where the two differ.
    choices = [line.strip(" ,").split("|") for line in found.group(1).splitlines()]
    newer = suite != "bookworm"
    names = [choice[0 if newer else -1].strip() for choice in choices]
    # A virtual package has no version.
    return ["debhelper" if name.startswith("debhelper-compat") else name.partition(":")[0]
            for name in names]


def make_source(folder: Path, suite: str, headers: Path, version: str | None = None) -> Path:
    """Makes the source tree in an empty folder: files that git knows, as they are now.

    `headers` is the folder of QEMU's headers that qemu-device/build.sh has made.  With `version`,
    the project says that it has that version, and so do its packages.
    """
    tree = folder / f"vrdma-{project_version()}"
    for name in _git("ls-files", "-z").split("\0"):
        source = paths.SOURCE / name
        if name and not name.startswith("scripts/debian/") and source.is_file():
            place = tree / name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, place)
    shutil.copytree(_FOLDER, tree / "debian")
    control = tree / "debian" / "control"
    fields = {"Standards-Version": _STANDARDS[suite], "Maintainer": maintainer() or _NOBODY}
    text = control.read_text()
    for field, value in fields.items():
        text = re.sub(rf"(?m)^{field}:.*", f"{field}: {value}", text)
    control.write_text(text)
    packages_version = package_version(suite)
    if version is not None:
        packages_version = f"{version}+{_REVISIONS[suite]}"
        for name in _WITH_VERSION:
            text = (tree / name).read_text()
            (tree / name).write_text(text.replace(project_version(), version))
    (tree / "debian" / "changelog").write_text(_changelog(suite, packages_version))
    shutil.copytree(headers, tree / "qemu" / "qemu-headers", symlinks=True)
    return tree
