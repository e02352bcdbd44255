#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 the vrdma authors
# Installs what build.sh has built into QEMU's own library folder, from which
# AppArmor's profile for libvirt lets QEMU load libraries.
set -euo pipefail

if [ $# -ne 1 ] || [ "$1" = --help ]; then
    echo "usage: [DESTDIR=ROOT] [LIBDIR=FOLDER] install.sh BUILDDIR | --uninstall"
    [ "${1:-}" = --help ]
    exit
fi
libdir=${DESTDIR:-}${LIBDIR:-/usr/lib/x86_64-linux-gnu/qemu}

if [ "$1" = --uninstall ]; then
    rm -fv "$libdir/libvrdma-qemu-preload.so" "$libdir"/vrdma-qemu-*.so
    exit
fi
shopt -s nullglob
modules=("$1"/vrdma-qemu-*.so)
if [ ! -e "$1/libvrdma-qemu-preload.so" ] || [ ${#modules[@]} -eq 0 ]; then
    echo "vrdma: nothing to install in $1; run qemu-device/build.sh $1 first" >&2
    exit 1
fi
install -d "$libdir"
# Renamed into place: a QEMU that runs keeps the file that it has mapped.
for file in "$1/libvrdma-qemu-preload.so" "${modules[@]}"; do
    install -m 644 "$file" "$libdir/.${file##*/}.new"
    mv "$libdir/.${file##*/}.new" "$libdir/${file##*/}"
    echo "$libdir/${file##*/}"
done
