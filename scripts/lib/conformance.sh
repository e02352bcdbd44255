# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# rdma-core's own tests as Debian ships them with python3-pyverbs, each version
# in a root tree of its Debian suite with all that it needs.  Sourced after
# apt.sh.
#
#   vrdma_prepare_conformance VERSION    VERSION is 44 or 56; afterwards
#     $VRDMA_CACHE/conformance/VERSION/root       the tree, the tests in /conformance
#     $VRDMA_CACHE/conformance/VERSION/root.cpio  the same, below /conformance-root,
#                                                 to be appended to an initramfs
#     $VRDMA_CACHE/conformance/VERSION/version    Debian's version of the package

_vrdma_conformance_common=(
    python3-pyverbs libibverbs1 ibverbs-providers libnl-3-200 libnl-route-3-200 libc6 libgcc-s1
    zlib1g libffi8 libmnl0 libbpf1 libcap2 libbsd0 libmd0 iproute2 busybox-static)
_vrdma_conformance_44=(
    python3.11-minimal libpython3.11 libpython3.11-minimal libpython3.11-stdlib libexpat1 librdmacm1 libelf1)
_vrdma_conformance_56=(
    python3.13-minimal libpython3.13 libpython3.13-minimal libpython3.13-stdlib libexpat1 librdmacm1t64
    libelf1t64 libzstd1 libselinux1 libpcre2-8-0)

_vrdma_conformance_suite() {
    case $1 in
    44) echo bookworm ;;
    56) echo trixie ;;
    *) echo "vrdma: no version $1 of the tests: there are 44 and 56" >&2; return 1 ;;
    esac
}

# Every library that a program of the tree needs is in it.
_vrdma_conformance_check() {
    local root=$1 libraries=$1/usr/lib/x86_64-linux-gnu file needed
    find "$root/usr/bin" "$root/usr/lib/python3" "$libraries" -type f \( -perm -u+x -o -name '*.so*' \) |
        while read -r file; do
            readelf -d "$file" 2> /dev/null | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'
        done | sort -u |
        while read -r needed; do
            [ -e "$libraries/$needed" ] || echo "$needed"
        done
}

_vrdma_conformance_unpack() {
    local version=$1 dir=$2 root=$2/root suite folder deb python tool missing
    local -n packages=_vrdma_conformance_$version
    suite=$(_vrdma_conformance_suite "$version") || return 1
    vrdma_apt_download "$suite" "$dir/debs" "${_vrdma_conformance_common[@]}" "${packages[@]}" || return 1
    mkdir -p "$root"/{dev,proc,sys,tmp,run,root}
    for folder in bin sbin lib lib64; do
        mkdir -p "$root/usr/$folder"
        ln -s "usr/$folder" "$root/$folder"
    done
    for deb in "$dir"/debs/*.deb; do
        dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$root" --no-same-owner --keep-directory-symlink || return 1
        case ${deb##*/} in
        python3-pyverbs_*) dpkg-deb -f "$deb" Version > "$dir/version" ;;
        esac
    done
    rm -rf "$dir/debs"
    mkdir "$root/conformance"
    mv "$root/usr/share/doc/rdma-core/tests" "$root/conformance/tests" || return 1
    # Debian compresses all documentation above 4 KiB, and the tests are that to it.
    gunzip -r "$root/conformance/tests" || return 1
    rm -rf "$root"/usr/share/{doc,man,locale,bash-completion,lintian} "$root/usr/lib/x86_64-linux-gnu/gconv" \
        "$root"/usr/lib/python3.*/{idlelib,test,turtledemo,pydoc_data,ensurepip,lib2to3} \
        "$root/usr/lib/x86_64-linux-gnu/tc"
    # Of those for other needs than the tests'.
    rm -f "$root"/usr/lib/python3.*/lib-dynload/{_ssl,_hashlib,_dbm,_gdbm,_curses,_curses_panel,readline,nis,_sqlite3,_bz2,_lzma,_uuid,_crypt}.*
    rm -f "$root"/usr/{s,}bin/{tc,ss,bridge,dcb,vdpa,tipc,rtacct,rtmon,lnstat,nstat,ctstat,rtstat,arpd}
    for tool in sh ls cat env mount; do
        ln -s busybox "$root/bin/$tool"
    done
    missing=$(_vrdma_conformance_check "$root")
    [ -z "$missing" ] || { echo "vrdma: $root needs more libraries:" "$missing" >&2; return 1; }
    # A guest that compiles on each start would be slow, and a file system
    # without times must not make it think that it has to.
    python=$(basename "$root"/usr/bin/python3.1?)
    PYTHONHOME=$root/usr "$root/lib64/ld-linux-x86-64.so.2" --library-path "$root/usr/lib/x86_64-linux-gnu" \
        "$root/usr/bin/$python" -m compileall -q --invalidation-mode unchecked-hash -s "$root" \
        "$root/usr/lib/$python" "$root/usr/lib/python3" "$root/conformance" || return 1
    ln -s "$python" "$root/usr/bin/python3"
    (vrdma_python -m vrdma_lab.image.root_tree "$root" conformance-root "$dir/root.cpio")
}

# What it is made from, so that it is made again when that changes.
_vrdma_conformance_recipe() {
    sha256sum < "$VRDMA_SOURCE/scripts/lib/conformance.sh"
}

_vrdma_conformance() {
    local version=$1 dir=$VRDMA_CACHE/conformance/$1 lock recipe status=0
    recipe=$(_vrdma_conformance_recipe)
    mkdir -p "$VRDMA_CACHE/conformance"
    exec {lock}> "$VRDMA_CACHE/conformance/$version.lock"
    flock "$lock"
    if [ "$(cat "$dir/.complete" 2> /dev/null)" != "$recipe" ]; then
        rm -rf "$dir"
        mkdir -p "$dir"
        if _vrdma_conformance_unpack "$version" "$dir"; then
            echo "$recipe" > "$dir/.complete"
        else
            status=1
        fi
    fi
    exec {lock}>&-
    return "$status"
}

vrdma_prepare_conformance() {
    vrdma_step "rdma-core's tests, version $1" "conformance-$1" _vrdma_conformance "$1"
}
