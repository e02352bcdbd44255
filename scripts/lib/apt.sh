# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Debian packages of other suites, and sources, without touching the machine's
# own apt configuration: a private apt root in the cache knows stable, backports
# and Debian 13, each with its sources.  Sourced by the other scripts.
#
#   vrdma_apt_download SUITE DEST PACKAGE...   .deb files of PACKAGE into DEST
#   vrdma_apt_source SUITE DEST PACKAGE        unpacked source tree DEST
#   vrdma_apt_version SUITE PACKAGE            candidate version there
#
# SUITE is bookworm, bookworm-backports or trixie.

VRDMA_CACHE=${VRDMA_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/vrdma}
VRDMA_MIRROR=${VRDMA_MIRROR:-http://deb.debian.org/debian}

# A download that fails is tried again, visibly: mirrors answer 404 now and then.
vrdma_retry() {
    local attempt
    for attempt in 1 2 3 4; do
        "$@" && return 0
        echo "vrdma: attempt $attempt of 4 failed: $*" >&2
    done
    return 1
}

_vrdma_apt_options() {
    local root=$VRDMA_CACHE/apt
    _apt_options=(
        -o "Dir::Etc::sourcelist=$root/sources.list" -o "Dir::Etc::sourceparts=/dev/null"
        -o "Dir::Etc::preferences=/dev/null" -o "Dir::Etc::preferencesparts=/dev/null"
        -o "Dir::State::lists=$root/lists" -o "Dir::Cache=$root/cache"
        -o "APT::Default-Release=" -o "Acquire::Languages=none" -o "APT::Sandbox::User=root")
}

# Writes the private apt root and reads the lists, once a day.
vrdma_apt_prepare() {
    local root=$VRDMA_CACHE/apt suite
    mkdir -p "$root/lists/partial" "$root/cache/archives/partial"
    _vrdma_apt_options
    exec {_apt_lock}> "$root/lock"
    flock "$_apt_lock"
    if [ -z "$(find "$root/updated" -mmin -1440 2>/dev/null)" ]; then
        for suite in bookworm bookworm-updates bookworm-backports trixie; do
            echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $VRDMA_MIRROR $suite main"
            echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $VRDMA_MIRROR $suite main"
        done > "$root/sources.list"
        vrdma_retry apt-get "${_apt_options[@]}" -q=2 update && touch "$root/updated"
    fi
    exec {_apt_lock}>&-
}

# The newest version of PACKAGE in SUITE (for bookworm: its updates as well).
vrdma_apt_version() {
    local suite=$1 package=$2
    vrdma_apt_prepare
    _vrdma_apt_options
    apt-cache "${_apt_options[@]}" madison "$package" |
        awk -F'|' -v s="$suite" '{gsub(/ /,"",$2); split($3,a," "); split(a[2],b,"/");
            if ((b[1]==s || b[1]==s"-updates") && a[3]!="Sources") print $2}' | sort -V | tail -1
}

vrdma_apt_download() {
    local suite=$1 dest=$2 package version
    shift 2
    vrdma_apt_prepare
    mkdir -p "$dest"
    for package in "$@"; do
        version=$(vrdma_apt_version "$suite" "$package")
        [ -n "$version" ] || { echo "vrdma: no package $package in Debian $suite" >&2; return 1; }
        (cd "$dest" && vrdma_retry apt-get "${_apt_options[@]}" -q=2 download "$package=$version") || return 1
    done
}

vrdma_apt_source() {
    local suite=$1 dest=$2 package=$3 work
    [ -e "$dest/.complete" ] && return 0
    vrdma_apt_prepare
    _vrdma_apt_options
    work=$(mktemp -d -p "$(mkdir -p "$VRDMA_CACHE" && echo "$VRDMA_CACHE")")
    if ! (cd "$work" && vrdma_retry apt-get "${_apt_options[@]}" -q=2 source --only-source \
            -t "$suite" "$package" > /dev/null); then
        rm -rf "$work"
        return 1
    fi
    rm -rf "$dest"
    mkdir -p "$(dirname "$dest")"
    mv "$work"/*/ "$dest" && touch "$dest/.complete"
    rm -rf "$work"
}
