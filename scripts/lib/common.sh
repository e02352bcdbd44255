# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What every entry point starts with.  Sourced first.

VRDMA_SOURCE=$(dirname "$(dirname "$(dirname "$(realpath "${BASH_SOURCE[0]}")")")")
VRDMA_LOGS=$VRDMA_SOURCE/build/logs
export VRDMA_SOURCE VRDMA_LOGS
mkdir -p "$VRDMA_LOGS"
# Not every user's PATH has what belongs to root.
PATH=$PATH:/usr/sbin:/sbin

# shellcheck source=apt.sh
. "$VRDMA_SOURCE/scripts/lib/apt.sh"
# shellcheck source=setup.sh
. "$VRDMA_SOURCE/scripts/lib/setup.sh"
# shellcheck source=kernel.sh
. "$VRDMA_SOURCE/scripts/lib/kernel.sh"
# shellcheck source=siw.sh
. "$VRDMA_SOURCE/scripts/lib/siw.sh"
# shellcheck source=build.sh
. "$VRDMA_SOURCE/scripts/lib/build.sh"
# shellcheck source=conformance.sh
. "$VRDMA_SOURCE/scripts/lib/conformance.sh"

export VRDMA_CACHE

# The lab's Python, which is Debian's whatever else PATH has.
vrdma_python() {
    PYTHONPATH=$VRDMA_SOURCE/scripts:$VRDMA_SOURCE/tests PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$@"
}

vrdma_refuse() {
    echo "${0##*/}: $*" >&2
    echo "Try '${0##*/} --help'." >&2
    exit 2
}

# The guest kernel SERIES, fetched, with the driver built for it.
vrdma_prepare_kernel() {
    vrdma_step "Guest kernel $1" "kernel-$1" vrdma_kernel_prepare "$1" && vrdma_build_driver "$1"
}
