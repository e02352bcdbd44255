#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 the vrdma authors
# Prints the folder of an unpacked Debian QEMU of another version than the
# installed one: usr/bin/qemu-system-x86_64 and usr/share/qemu in it.
set -euo pipefail
# shellcheck source=../../scripts/lib/apt.sh
. "$(dirname "$(realpath "$0")")/../../scripts/lib/apt.sh"

version=$1
declare -A suites=([10.0]=bookworm-backports)
dest=$VRDMA_CACHE/qemu-run-$version

[ -n "${suites[$version]:-}" ] || { echo "no suite is known for QEMU $version" >&2; exit 1; }
if [ ! -e "$dest/.complete" ]; then
    rm -rf "$dest"
    mkdir -p "$dest/debs"
    vrdma_apt_download "${suites[$version]}" "$dest/debs" \
        qemu-system-x86 qemu-system-common qemu-system-data >&2
    for deb in "$dest"/debs/*.deb; do
        dpkg -x "$deb" "$dest"
    done
    rm -rf "$dest/debs"
    touch "$dest/.complete"
fi
missing=$(ldd "$dest/usr/bin/qemu-system-x86_64" | awk '/not found/ {print $1}' | sort -u | xargs)
if [ -n "$missing" ]; then
    echo "QEMU $version needs libraries that are not here: $missing" >&2
    exit 1
fi
echo "$dest"
