# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Builds the Debian packages in a clean Debian, and has lintian judge them."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

from vrdma_lab import paths
from vrdma_lab.errors import LabError
from vrdma_lab.packages.clean_debian import CleanDebian, copy_of, make_base
from vrdma_lab.packages.source import build_dependencies, maintainer, make_source
from vrdma_lab.setup.packages import as_root
from vrdma_lab.setup.runner import Runner, processors

_TOOLS = ("build-essential", "ccache", "fakeroot", "lintian")
# What lintian says of packages whose builder gives no address.
_NO_ADDRESS = "bogus-mail-host,bogus-mail-host-in-debian-changelog,root-in-contact"
# Where packages are built; the path is in none of their files.
_PLACE = "/build"
# The same for each version, so that the compiler's cache knows the files again.
_TREE = f"{_PLACE}/vrdma"
_CCACHE = "/ccache"
_CACHED = (
    f"CCACHE_DIR={_CCACHE}",
    f"CCACHE_BASEDIR={_TREE}",
    "CMAKE_C_COMPILER_LAUNCHER=ccache",
    "CMAKE_CXX_COMPILER_LAUNCHER=ccache",
)


def build_packages(
    runner: Runner,
    suite: str,
    output: Path,
    version: str | None = None,
    anew: bool = False,
    tried: bool = False,
) -> list[Path]:
    """Builds the packages for a Debian, into a folder that is emptied first.

    With `version`, they are those that the project would have had by that version, to be upgraded
    from: the compiler does not optimize them, and lintian does not judge them.  `anew`: nothing
    comes from the compiler's cache.  `tried`: they are only installed and removed in tests, so that
    they are compressed little, those with debug information are left out, and lintian does not
    judge their source.
    """
    options = f"parallel={processors()}" + ("" if version is None else " noopt")
    quick, quick_source = list[str](), list[str]()
    if tried:
        options += " noautodbgsym"
        quick, quick_source = ["DPKG_DEB_COMPRESSOR_LEVEL=1"], ["--source-option=-z1"]
    base = make_base(runner, suite, "build", (*_TOOLS, *build_dependencies(suite)))
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    headers = paths.cache() / "qemu-headers"
    compiled = paths.cache() / f"ccache-{suite}"
    compiled.mkdir(exist_ok=True)
    shared = {compiled: _CCACHE}
    with copy_of(runner, base, shared) as debian, tempfile.TemporaryDirectory() as folder:
        tree = make_source(Path(folder), suite, headers, version)
        debian.put(tree.rename(tree.with_name(Path(_TREE).name)), folder=_PLACE)
        cached = [*_CACHED, *(["CCACHE_RECACHE=1"] if anew else [])]
        debian.run("env", *cached, *quick, f"DEB_BUILD_OPTIONS={options}",
                   "dpkg-buildpackage", "-us", "-uc", "-F", *quick_source, folder=_TREE)
        made = [path for path in (debian.root / _PLACE.lstrip("/")).iterdir() if path.is_file()]
        runner.run(as_root(["cp", "--no-preserve=ownership", *made, output]))
        # What it refuses is there to be looked at.
        if version is None:
            _judge(debian, "*.deb" if tried else "*.changes")
    return sorted(output.glob("*.deb"))


def _judge(debian: CleanDebian, pattern: str) -> None:
    """Has lintian look at what was built: an error or a warning is a failure.

    `*.deb` are the packages, `*.changes` their source as well, which takes longer than all of them.
    """
    built = sorted(path.name for path in (debian.root / _PLACE.lstrip("/")).glob(pattern))
    suppressed = [] if maintainer() else ["--suppress-tags", _NO_ADDRESS]
    debian.run("lintian", "--allow-root", "--fail-on", "error,warning", "--info",
               "--tag-display-limit", "0", *suppressed, *built, folder=_PLACE)


def digests(folder: Path) -> dict[str, str]:
    """The digest of each package in a folder."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.glob("*.deb"))}


def check_equal(one: Path, other: Path) -> None:
    """Two builds of one source have to be equal."""
    first, second = digests(one), digests(other)
    different = sorted(name for name in first.keys() | second.keys()
                       if first.get(name) != second.get(name))
    if different:
        raise LabError(f"two builds differ in {', '.join(different)}: compare {one} and {other}")
