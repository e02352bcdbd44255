#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 the vrdma authors
# Builds the preload shim and the device module for each version of QEMU.
set -euo pipefail

here=$(dirname "$(realpath "$0")")
# shellcheck source=../scripts/lib/apt.sh
. "$here/../scripts/lib/apt.sh"

all_versions=(7.2 10.0)
# Debian suites with the source of a version, the one to try first in front.
declare -A suites=([7.2]="bookworm" [10.0]="trixie bookworm-backports")

usage() {
    cat <<END
usage: build.sh OUTDIR [VERSION...]

Builds libvrdma-qemu-preload.so and vrdma-qemu-VERSION.so into OUTDIR, for the
versions given or for all that are supported (${all_versions[*]}) and whose source can be
fetched.  Headers are kept in $VRDMA_CACHE.

  QEMU_SOURCE=DIR   take the headers from this QEMU source tree instead
                    (with exactly one VERSION)
END
}

fail() {
    echo "vrdma: $*" >&2
    exit 1
}

check_tools() {
    local missing=() tool
    for tool in gcc make pkg-config python3 dpkg-source; do
        command -v "$tool" > /dev/null || missing+=("$tool")
    done
    if command -v pkg-config > /dev/null && ! pkg-config --exists 'glib-2.0 >= 2.68'; then
        missing+=("glib-2.0 headers, 2.68 or later")
    fi
    [ ${#missing[@]} -eq 0 ] || fail "missing to build the QEMU module: ${missing[*]}" \
        "(Debian: apt-get install gcc make pkg-config python3 dpkg-dev libglib2.0-dev)"
}

# Writes what QEMU's configure would write, as far as headers look at it.
write_config() {
    local version=$1 config
    echo "#define QEMU_VERSION_MAJOR ${version%%.*}"
    echo "#define QEMU_VERSION_MINOR $(cut -d. -f2 <<< "$version")"
    echo "#define HOST_X86_64 1"
    for config in CONFIG_{POSIX,LINUX,IOVEC,SYSMACROS,MADVISE,POSIX_MADVISE,EVENTFD,PPOLL} \
        CONFIG_{INT128,ATOMIC64,MODULES,VHOST,VHOST_USER,VHOST_KERNEL,TCG,KVM} \
        HAVE_{STRCHRNUL,PTY_H,GETIFADDRS,SYSTEM_FUNCTION,IPPROTO_MPTCP,STRUCT_STAT_ST_ATIM}; do
        echo "#define $config 1"
    done
}

# Reduces the QEMU source tree SOURCE to the headers DEST.
make_headers() {
    local source=$1 dest=$2 tmp
    tmp=$(mktemp -d -p "$(dirname "$dest")")
    mkdir "$tmp/gen"
    if ! cp -r "$source/include" "$source/linux-headers" "$source/VERSION" "$tmp" ||
       ! python3 "$source/scripts/qapi-gen.py" -o "$tmp/gen/qapi" -b \
             "$source/qapi/qapi-schema.json"; then
        rm -rf "$tmp"
        return 1
    fi
    find "$tmp/gen" -name '*.c' -delete
    : > "$tmp/gen/config-poison.h"
    ln -s ../linux-headers/asm-x86 "$tmp/gen/asm"
    write_config "$(cat "$source/VERSION")" > "$tmp/gen/config-host.h"
    rm -rf "$dest"
    mv "$tmp" "$dest"
}

# Fetches the source of VERSION, keeps its headers only.  Says where they are.
find_headers() {
    local version=$1 dest=$VRDMA_CACHE/qemu-headers/$1 source suite
    mkdir -p "$(dirname "$dest")"
    if [ -n "${QEMU_SOURCE:-}" ]; then
        dest+=-local
        make_headers "$QEMU_SOURCE" "$dest" >&2 || return 1
    elif [ ! -e "$dest/VERSION" ]; then
        source=$VRDMA_CACHE/qemu-source-$version
        for suite in ${suites[$version]}; do
            echo "vrdma: fetching the source of QEMU $version from Debian $suite" >&2
            if vrdma_apt_source "$suite" "$source" qemu >&2; then
                break
            fi
        done
        [ -e "$source/VERSION" ] || return 1
        make_headers "$source" "$dest" >&2 || return 1
        rm -rf "$source"
    fi
    case $(cat "$dest/VERSION") in
        "$version"|"$version".*) echo "$dest" ;;
        *) echo "vrdma: wanted the headers of QEMU $version, got $(cat "$dest/VERSION")" >&2
           return 1 ;;
    esac
}

build_module() {
    local version=$1 headers
    (
        flock 9
        headers=$(find_headers "$version") || exit 1
        make --no-print-directory -s -j2 -C "$here" -f module.mk module \
            OUT="$out" VERSION="$version" HEADERS="$headers" BUILT_FOR="$(cat "$headers/VERSION")"
    ) 9> "$VRDMA_CACHE/qemu-headers.lock"
}

case ${1:-} in
    ""|-h|--help) usage; [ -n "${1:-}" ]; exit ;;
esac
out=$(realpath -m "$1")
shift
versions=("${all_versions[@]}")
[ $# -gt 0 ] && versions=("$@")
for version in "${versions[@]}"; do
    [ -n "${suites[$version]:-}" ] || fail "QEMU $version is not supported (${all_versions[*]} are)"
done

check_tools
mkdir -p "$out" "$VRDMA_CACHE"
make --no-print-directory -s -C "$here" -f module.mk preload OUT="$out" VERSION=none
failed=()
for version in "${versions[@]}"; do
    build_module "$version" || failed+=("$version")
done
[ ${#failed[@]} -lt ${#versions[@]} ] || fail "no module was built (${failed[*]})"
if [ ${#failed[@]} -gt 0 ]; then
    [ $# -eq 0 ] || fail "no module for QEMU ${failed[*]}"
    echo "vrdma: no module for QEMU ${failed[*]}; the others are built" >&2
fi
