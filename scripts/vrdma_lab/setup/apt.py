# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Debian packages of other suites, and sources.

The machine's own apt configuration is not touched: a private apt root in the cache knows stable,
backports and Debian 13 with its backports, each with its sources. SUITE is bookworm,
bookworm-backports, trixie or trixie-backports.

scripts/lib/apt.sh runs this module as a program for shell scripts:

    apt download SUITE FOLDER PACKAGE...   puts .deb files of the packages into the folder
    apt source SUITE FOLDER PACKAGE        makes the folder an unpacked source tree
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from vrdma_lab import paths
from vrdma_lab.children import run_program
from vrdma_lab.errors import LabError
from vrdma_lab.setup import cache
from vrdma_lab.setup.runner import Runner

_SUITES = (
    *("bookworm", "bookworm-updates", "bookworm-backports"),
    *("trixie", "trixie-backports"),
)
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_LISTS_AGE_SECONDS = 24 * 3600


def mirror() -> str:
    """The URL of Debian's mirror; VRDMA_MIRROR overrides."""
    return os.environ.get("VRDMA_MIRROR") or "http://deb.debian.org/debian"


def sources_list(url: str) -> str:
    """The private root's sources.list."""
    signed = f"[signed-by={_KEYRING}]"
    return "".join(
        f"{kind} {signed} {url} {suite} main\n" for suite in _SUITES for kind in ("deb", "deb-src")
    )


def versions_in(madison: str, suite: str) -> list[str]:
    """The binary versions that apt-cache madison has for a suite.

    The suite bookworm has the versions of its updates as well.
    """
    found = []
    for line in madison.splitlines():
        _, version, source = (part.strip() for part in line.split("|"))
        words = source.split()
        if words[1].split("/")[0] in (suite, f"{suite}-updates") and words[2] != "Sources":
            found.append(version)
    return found


def depends_in(record: str, pattern: str) -> str:
    """The first dependency in a package's record whose name the pattern matches, or nothing."""
    for line in record.splitlines():
        if line.startswith("Depends: "):
            names = [part.split()[0] for part in line.removeprefix("Depends: ").split(",")]
            return next((name for name in names if re.fullmatch(pattern, name)), "")
    return ""


def newest(versions: Iterable[str]) -> str:
    """The last one in Debian's order of versions."""
    return max(versions, key=functools.cmp_to_key(_compare))


def _compare(one: str, other: str) -> int:
    """Compares two versions by Debian's order."""
    if one == other:
        return 0
    later = subprocess.run(["dpkg", "--compare-versions", one, "gt", other]).returncode == 0
    return 1 if later else -1


class Apt:
    """The private apt root."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._root = paths.cache() / "apt"
        options = {
            **{
                "Dir::Etc::sourcelist": self._root / "sources.list",
                "Dir::Etc::sourceparts": "/dev/null",
            },
            **{"Dir::Etc::preferences": "/dev/null", "Dir::Etc::preferencesparts": "/dev/null"},
            **{"Dir::State::lists": self._root / "lists", "Dir::Cache": self._root / "cache"},
            **{
                "APT::Default-Release": "",
                "Acquire::Languages": "none",
                "APT::Sandbox::User": "root",
            },
        }
        self._options = [
            word for name, value in options.items() for word in ("-o", f"{name}={value}")
        ]

    def _get(self, *words: str, folder: Path | None = None) -> None:
        command = ["apt-get", *self._options, "-q=2", *words]
        self._runner.retry(lambda: self._runner.run(command, folder))

    def _read_cache(self, *words: str) -> str:
        return self._runner.read(["apt-cache", *self._options, *words])

    def prepare(self) -> None:
        """Makes the root, and reads the package lists once a day."""
        for folder in ("lists/partial", "cache/archives/partial"):
            (self._root / folder).mkdir(parents=True, exist_ok=True)
        with cache.locked(self._root / "lock"):
            updated, sources = self._root / "updated", self._root / "sources.list"
            wanted = sources_list(mirror())
            if (
                not updated.exists()
                or sources.read_text() != wanted
                or time.time() - updated.stat().st_mtime > _LISTS_AGE_SECONDS
            ):
                sources.write_text(wanted)
                self._get("update")
                updated.touch()

    def version(self, suite: str, package: str) -> str:
        """The newest version of a package in a suite."""
        self.prepare()
        found = versions_in(self._read_cache("madison", package), suite)
        if not found:
            raise LabError(f"no package {package} in Debian {suite}")
        return newest(found)

    def find_dependency(self, suite: str, package: str, pattern: str) -> str:
        """The same as dependency(), or nothing."""
        record = self._read_cache("show", f"{package}={self.version(suite, package)}")
        return depends_in(record, pattern)

    def dependency(self, suite: str, package: str, pattern: str) -> str:
        """The name among the dependencies of a package that the pattern matches."""
        found = self.find_dependency(suite, package, pattern)
        if not found:
            raise LabError(
                f"{package} in Debian {suite} depends on no package that matches {pattern}"
            )
        return found

    def download(self, suite: str, folder: Path, packages: Iterable[str]) -> list[Path]:
        """Puts .deb files of the packages into the folder; all .deb files in the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        for package in packages:
            self._get("download", f"{package}={self.version(suite, package)}", folder=folder)
        return sorted(folder.glob("*.deb"))

    def download_source(self, suite: str, folder: Path, package: str) -> None:
        """Puts the files of a source package into the folder."""
        self.prepare()
        folder.mkdir(parents=True, exist_ok=True)
        self._get("source", "--only-source", "--download-only", "-t", suite, package, folder=folder)

    def source(self, suite: str, folder: Path, package: str) -> None:
        """Makes the folder the unpacked source tree of a package, unless it is that already."""
        if cache.is_complete(folder):
            return
        self.prepare()
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=paths.cache()) as work:
            self._get("source", "--only-source", "-t", suite, package, folder=Path(work))
            (tree,) = (entry for entry in Path(work).iterdir() if entry.is_dir())
            shutil.rmtree(folder, ignore_errors=True)
            tree.rename(folder)
        cache.mark_complete(folder)


def _fetch() -> int:
    what, suite, folder, *packages = sys.argv[1:]
    apt = Apt(Runner())
    if what == "download":
        apt.download(suite, Path(folder), packages)
    elif what == "source":
        apt.source(suite, Path(folder), *packages)
    else:
        raise LabError(f"there is no command {what!r}: download or source")
    return 0


if __name__ == "__main__":
    sys.exit(run_program("vrdma", _fetch))
