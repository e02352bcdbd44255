# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Starts a command of the Python package: vrdma_start NAME ARGUMENT...
# Sourced by the commands in scripts/.  Debian's own Python runs it, whatever
# else PATH has; a minimal Debian has none, and gets it here.

_vrdma_scripts=$(dirname "$(dirname "$(realpath "${BASH_SOURCE[0]}")")")

_vrdma_install_python() {
    local as_root=()
    if ! command -v apt-get > /dev/null; then
        echo "vrdma: this needs Debian 12 (apt-get is not here)" >&2
        return 1
    fi
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo > /dev/null || {
            echo "vrdma: become root, or install this package: python3" >&2
            return 1
        }
        as_root=(sudo)
    fi
    echo "Installing with apt: python3" >&2
    as_root+=(env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -q)
    # The lists may be absent (a fresh machine) or older than the mirror.
    "${as_root[@]}" install -y --no-install-recommends python3 < /dev/null >&2 ||
        { "${as_root[@]}" update < /dev/null >&2 &&
            "${as_root[@]}" install -y --no-install-recommends python3 < /dev/null >&2; }
}

vrdma_start() {
    local name=$1
    shift
    # python3-minimal alone has no argparse.
    /usr/bin/python3 -c 'import argparse, json, xml.etree' 2> /dev/null || _vrdma_install_python || exit 1
    # Not every user's PATH has the programs that belong to root.
    export PATH=$PATH:/usr/sbin:/sbin PYTHONPATH=$_vrdma_scripts PYTHONDONTWRITEBYTECODE=1
    exec /usr/bin/python3 -m "vrdma_lab.cli.$name" "$@"
}
