# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# siw, the kernel's software iWARP RNIC, which Debian does not build: from the
# source package of the very kernel that the lab's host runs.  Sourced after
# kernel.sh.
#
#   vrdma_prepare_siw    afterwards $VRDMA_CACHE/siw/RELEASE/siw.ko

# The kernel's package version, as it says itself.
_vrdma_siw_version() {
    LC_ALL=C grep -am1 -o 'Linux version [^ ]* (.*' "$VRDMA_CACHE/kernels/6.1/vmlinux" |
        LC_ALL=C sed -n 's/.* Debian \([^ ]*\) (.*/\1/p'
}

_vrdma_siw_build() {
    local dir=$1 release=$2 wanted version
    wanted=$(_vrdma_siw_version)
    version=$(vrdma_apt_version bookworm linux-source-6.1)
    if [ "$wanted" != "$version" ]; then
        echo "vrdma: the lab's kernel is $wanted, Debian's source is $version: remove" \
             "$VRDMA_CACHE/kernels/6.1 and run this again" >&2
        return 1
    fi
    rm -rf "$dir"
    mkdir -p "$dir/debs"
    vrdma_apt_download bookworm "$dir/debs" linux-source-6.1 &&
        dpkg-deb --fsys-tarfile "$dir"/debs/*.deb | tar -xO --wildcards '*.tar.xz' |
            tar -xJ -C "$dir" --strip-components=5 --wildcards '*/drivers/infiniband/sw/siw/*' &&
        make -C "$(readlink -f "$VRDMA_CACHE/kernels/6.1/build")" M="$dir" CONFIG_RDMA_SIW=m \
            -j "$(nproc)" modules || return 1
    rm -rf "$dir/debs"
    [ "$(modinfo -F vermagic "$dir/siw.ko" | cut -d' ' -f1)" = "$release" ]
}

_vrdma_siw() {
    local release dir lock status=0
    release=$(cat "$VRDMA_CACHE/kernels/6.1/release")
    dir=$VRDMA_CACHE/siw/$release
    mkdir -p "$VRDMA_CACHE/siw"
    exec {lock}> "$VRDMA_CACHE/siw/$release.lock"
    flock "$lock"
    if [ ! -e "$dir/.complete" ]; then
        if _vrdma_siw_build "$dir" "$release"; then
            touch "$dir/.complete"
        else
            status=1
        fi
    fi
    exec {lock}>&-
    return "$status"
}

vrdma_prepare_siw() {
    vrdma_step "Software iWARP (siw) for the lab's kernel" siw _vrdma_siw
}
