# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# The guests' kernels: Debian's 6.1 and 6.12, unpacked in the cache with the
# headers that match them to the letter, so that nothing of them is installed
# on the machine.  Sourced after apt.sh.
#
#   vrdma_kernel_prepare SERIES   SERIES is 6.1 or 6.12; afterwards
#     $VRDMA_CACHE/kernels/SERIES/release    the release, as uname -r says it
#     $VRDMA_CACHE/kernels/SERIES/tree       the packages, unpacked
#     $VRDMA_CACHE/kernels/SERIES/build      what make -C takes for a module
#     $VRDMA_CACHE/kernels/SERIES/vmlinux    the kernel, decompressed: QEMU starts
#                                            it by PVH, seconds faster under TCG

vrdma_kernel_suite() {
    case $1 in
    6.1) echo bookworm ;;
    6.12) echo bookworm-backports ;;
    *) echo "vrdma: no guest kernel $1: there are 6.1 and 6.12" >&2; return 1 ;;
    esac
}

# Names among the dependencies of PACKAGE in SUITE that match PATTERN.
_vrdma_kernel_depends() {
    local suite=$1 package=$2 pattern=$3 version
    version=$(vrdma_apt_version "$suite" "$package")
    local -a _apt_options
    _vrdma_apt_options
    apt-cache "${_apt_options[@]}" show "$package=$version" | sed -n 's/^Depends: //p' | head -1 |
        tr ',' '\n' | awk '{print $1}' | grep -E "^$pattern\$" | head -1
}

# The headers refer to each other by absolute paths below /usr.  Without the
# vmlinux that 6.12 brings along, modules are built without BTF, which needs
# pahole and serves only tracing.
_vrdma_kernel_relocate() {
    local tree=$1 release=$2 headers
    headers=$tree/usr/src/linux-headers-$release
    sed -i "s,/usr/src/,$tree/usr/src/,g" "$headers/Makefile"
    rm -f "$headers/vmlinux"
    find "$tree/usr/src" -lname '/usr/*' -printf '%p\t%l\n' |
        while IFS=$'\t' read -r link target; do ln -sfn "$tree$target" "$link"; done
}

# The compressed kernel inside a bzImage starts at its compressor's magic.
_vrdma_kernel_decompress() {
    local image=$1 output=$2 magic tool offset
    # Only the offsets reach read, for which the matches are broken characters in
    # a UTF-8 locale.
    for tool in unxz unzstd; do
        case $tool in
        unxz) magic='\xfd7zXZ\x00' ;;
        unzstd) magic='\x28\xb5\x2f\xfd' ;;
        esac
        while read -r offset; do
            # The decompressor complains about what follows the kernel.
            tail -c "+$((offset + 1))" "$image" | "$tool" -c > "$output" 2> /dev/null || true
            [ "$(head -c 4 "$output" | tail -c 3)" = ELF ] && return 0
        done < <(LC_ALL=C grep -abobP "$magic" "$image" | LC_ALL=C cut -d: -f1)
    done
    echo "vrdma: $image is compressed in a way that is not known here" >&2
    return 1
}

_vrdma_kernel_unpack() {
    local series=$1 dir=$2 suite image headers common kbuild release
    suite=$(vrdma_kernel_suite "$series") || return 1
    vrdma_apt_prepare || return 1
    image=$(_vrdma_kernel_depends "$suite" linux-image-amd64 'linux-image-.*-amd64')
    [ -n "$image" ] || { echo "vrdma: Debian $suite names no kernel image" >&2; return 1; }
    release=${image#linux-image-}
    headers=linux-headers-$release
    common=$(_vrdma_kernel_depends "$suite" "$headers" 'linux-headers-.*-common.*')
    kbuild=$(_vrdma_kernel_depends "$suite" "$headers" 'linux-kbuild-.*')
    echo "Fetching the guest kernel $release (Debian $suite)"
    vrdma_apt_download "$suite" "$dir/debs" "$image" "$headers" "$common" "$kbuild" || return 1
    local deb
    mkdir "$dir/tree"
    for deb in "$dir"/debs/*.deb; do
        dpkg-deb -x "$deb" "$dir/tree" || return 1
    done
    rm -rf "$dir/debs"
    _vrdma_kernel_relocate "$dir/tree" "$release"
    depmod -b "$dir/tree" "$release" || return 1
    _vrdma_kernel_decompress "$dir/tree/boot/vmlinuz-$release" "$dir/vmlinux" || return 1
    ln -s "tree/usr/src/$headers" "$dir/build"
    echo "$release" > "$dir/release"
}

vrdma_kernel_prepare() {
    local series=$1 dir=$VRDMA_CACHE/kernels/$1 lock status=0
    vrdma_kernel_suite "$series" > /dev/null || return 1
    [ -e "$dir/.complete" ] && return 0
    mkdir -p "$VRDMA_CACHE/kernels"
    exec {lock}> "$VRDMA_CACHE/kernels/$series.lock"
    flock "$lock"
    if [ ! -e "$dir/.complete" ]; then
        rm -rf "$dir"
        mkdir -p "$dir"
        if _vrdma_kernel_unpack "$series" "$dir"; then
            touch "$dir/.complete"
        else
            status=1
        fi
    fi
    exec {lock}>&-
    return "$status"
}
