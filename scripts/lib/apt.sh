# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
# Debian packages of other suites, and sources, for the shell scripts of
# qemu-device/: scripts/vrdma_lab/setup/apt.py does it.
#
#   vrdma_apt_download SUITE DEST PACKAGE...   .deb files of PACKAGE into DEST
#   vrdma_apt_source SUITE DEST PACKAGE        unpacked source tree DEST
#
# SUITE is bookworm, bookworm-backports or trixie.

VRDMA_CACHE=${VRDMA_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/vrdma}
export VRDMA_CACHE

_vrdma_apt() {
    PYTHONPATH=$(dirname "$(dirname "$(realpath "${BASH_SOURCE[0]}")")") PYTHONDONTWRITEBYTECODE=1 \
        /usr/bin/python3 -m vrdma_lab.setup.apt "$@"
}

vrdma_apt_download() {
    _vrdma_apt download "$@"
}

vrdma_apt_source() {
    _vrdma_apt source "$@"
}
