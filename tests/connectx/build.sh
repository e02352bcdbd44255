#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 the vrdma authors
# Builds the model of a ConnectX virtual function for QEMU 7.2.
set -euo pipefail

here=$(dirname "$(realpath "$0")")
# shellcheck source=../../scripts/lib/apt.sh
. "$here/../../scripts/lib/apt.sh"

fail() {
    echo "vrdma: $*" >&2
    exit 1
}

if [ $# -ne 2 ] || [ "$1" = --help ]; then
    cat <<END
usage: build.sh OUTDIR LAYOUTS

Builds libconnectx-model.so into OUTDIR.  LAYOUTS is the folder include/linux/mlx5 of a Linux 6.1,
for example of Debian's package linux-headers-*-common.  QEMU's headers are those that
qemu-device/build.sh OUTDIR 7.2 has left in $VRDMA_CACHE.
END
    [ "${1:-}" = --help ]
    exit
fi
headers=$VRDMA_CACHE/qemu-headers/7.2
[ -e "$headers/VERSION" ] || fail "no QEMU headers in $headers: run qemu-device/build.sh OUTDIR 7.2"
[ -e "$2/mlx5_ifc.h" ] ||
    fail "no mlx5_ifc.h in $2: give the folder include/linux/mlx5 of the kernel's headers"
mkdir -p "$1"
out=$(realpath "$1")
(
    flock 9
    make --no-print-directory -s -j2 -C "$here" -f module.mk OUT="$out" HEADERS="$headers" \
        LAYOUTS="$(realpath "$2")"
) 9> "$out/connectx.lock"
