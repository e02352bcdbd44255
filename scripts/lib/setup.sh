# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing on a Debian 12 machine.  Sourced by the entry points.
#
#   vrdma_setup GROUP...   groups: build run test bench libvirt lab

_vrdma_packages_build=(
    cmake ninja-build gcc g++ gcc-12 make pkg-config dpkg-dev python3 xz-utils zstd kmod libelf1
    libspdlog-dev libfmt-dev libcli11-dev nlohmann-json3-dev libtomlplusplus-dev libexpected-dev
    libibverbs-dev librdmacm-dev libmnl-dev libgtest-dev libgmock-dev libbenchmark-dev libglib2.0-dev)
_vrdma_packages_run=(
    qemu-system-x86 busybox-static ibverbs-utils ibverbs-providers rdmacm-utils perftest util-linux iproute2)
_vrdma_packages_test=(shellcheck strace)
_vrdma_packages_bench=(valgrind)
_vrdma_packages_lab=(kmod)
_vrdma_packages_libvirt=(libvirt-daemon libvirt-daemon-driver-qemu libvirt-clients)

_vrdma_as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

_vrdma_apt_get() {
    _vrdma_as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -q "$@"
}

# The names among PACKAGES that are not installed.
_vrdma_missing() {
    local package
    declare -A installed=()
    while read -r package; do
        installed[$package]=1
    done < <(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2> /dev/null |
        sed -n 's/^installed //p')
    for package in "$@"; do
        [ -n "${installed[$package]:-}" ] || echo "$package"
    done
}

_vrdma_install() {
    # The lists may be absent (a fresh machine) or older than the mirror.
    if compgen -G '/var/lib/apt/lists/*Packages*' > /dev/null &&
       _vrdma_apt_get install -y --no-install-recommends "$@"; then
        return 0
    fi
    vrdma_retry _vrdma_apt_get update &&
        vrdma_retry _vrdma_apt_get install -y --no-install-recommends "$@"
}

vrdma_setup() {
    local group packages=() missing
    for group in "$@"; do
        local -n list=_vrdma_packages_$group
        packages+=("${list[@]}")
    done
    if ! command -v apt-get > /dev/null || ! command -v dpkg-query > /dev/null; then
        echo "vrdma: this needs Debian 12 (apt-get is not here)" >&2
        return 1
    fi
    mapfile -t missing < <(_vrdma_missing "${packages[@]}")
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" -ne 0 ] && ! command -v sudo > /dev/null; then
        echo "vrdma: become root, or install these packages: ${missing[*]}" >&2
        return 1
    fi
    vrdma_step "Installing with apt: ${missing[*]}" apt _vrdma_install "${missing[@]}"
}
