# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
# Starts a command of the Python package: vrdma_start NAME ARGUMENT...
# Sourced by the commands in scripts/.  Debian's own Python runs it, whatever
# else PATH has; a minimal Debian has none, and gets it here.

_vrdma_scripts=$(dirname "$(dirname "$(realpath "${BASH_SOURCE[0]}")")")

_vrdma_apt_get() {
    local as_root=()
    [ "$(id -u)" -eq 0 ] || as_root=(sudo)
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -o DPkg::Lock::Timeout=300 -q "$@" < /dev/null
}

# The lists may be absent (a fresh machine) or older than the mirror.
_vrdma_install_python() {
    _vrdma_apt_get install -y --no-install-recommends python3 ||
        { _vrdma_apt_get update && _vrdma_apt_get install -y --no-install-recommends python3; }
}

_vrdma_need_python() {
    local log=${_vrdma_scripts%/*}/build/logs/python.log
    if ! command -v apt-get > /dev/null; then
        echo "vrdma: this needs Debian 12 (apt-get is not here)" >&2
        return 1
    fi
    if [ "$(id -u)" -ne 0 ] && ! command -v sudo > /dev/null; then
        echo "vrdma: become root, or install these packages: python3" >&2
        return 1
    fi
    echo "Installing with apt: python3" >&2
    mkdir -p "${log%/*}"
    _vrdma_install_python > "$log" 2>&1 || {
        tail -n 40 "$log" >&2
        echo "vrdma: python3 could not be installed (all of the output: $log)" >&2
        return 1
    }
}

vrdma_start() {
    local name=$1
    shift
    # python3-minimal alone has a part of the standard library.
    /usr/bin/python3 -c 'import argparse, json, xml.etree' 2> /dev/null ||
        _vrdma_need_python || exit 1
    # Not every user's PATH has the programs that belong to root.
    export PATH=$PATH:/usr/sbin:/sbin PYTHONPATH=$_vrdma_scripts PYTHONDONTWRITEBYTECODE=1
    exec /usr/bin/python3 -m "vrdma_lab.cli.$name" "$@"
}
