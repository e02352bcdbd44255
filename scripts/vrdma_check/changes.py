# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The files that changed, and since when."""
from __future__ import annotations

import subprocess

from vrdma_check.check import CheckError
from vrdma_check.tree import Tree

# On main itself, and in a clone of it, there is no branch to compare with.
COMMITS_ON_MAIN = 20


def _merge_base(tree: Tree, ref: str) -> str | None:
    try:
        return tree.git("merge-base", "HEAD", ref).strip()
    except subprocess.CalledProcessError:
        return None


def base_commit(tree: Tree, asked: str | None) -> str | None:
    """The commit to compare with; None if the whole tree counts as changed.

    It is where HEAD left the commit ASKED, by default origin/main or else main.  If HEAD is
    a part of main, it is the commit that is COMMITS_ON_MAIN before HEAD.
    """
    if asked is not None:
        base = _merge_base(tree, asked)
        if base is None:
            raise CheckError(f"git knows no commit '{asked}' that HEAD comes from")
        return base
    head = tree.git("rev-parse", "HEAD").strip()
    for ref in ("origin/main", "main"):
        base = _merge_base(tree, ref)
        if base is not None and base != head:
            return base
    commits = tree.git("rev-list", "--first-parent", f"--max-count={COMMITS_ON_MAIN + 1}",
                       "HEAD").split()
    return commits[-1] if len(commits) > 1 else None


def changed_files(tree: Tree, asked: str | None) -> set[str]:
    """The files that differ from the base commit, those not committed yet among them."""
    base = base_commit(tree, asked)
    if base is None:
        return set(tree.files)
    differ = tree.git("diff", "--name-only", "-z", base).split("\0")
    new = tree.git("ls-files", "-z", "--others", "--exclude-standard").split("\0")
    return (set(differ) | set(new)) & set(tree.files)
