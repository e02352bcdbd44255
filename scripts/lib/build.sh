# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Builds the parts into build/.  Sourced after apt.sh and kernel.sh.
#
#   vrdma_build_backend PRESET [TARGET...]
#   vrdma_build_qemu_device       for the QEMU that is installed
#   vrdma_build_all_qemu_devices  for all versions of QEMU that are supported
#   vrdma_build_driver SERIES     vrdma.ko for the guest kernel

# Runs a step with its output in a log, which is shown when the step fails.
# The step is ended when this shell is told to end.
vrdma_step() {
    local title=$1 log=$VRDMA_LOGS/$2.log status=0
    shift 2
    echo "$title"
    "$@" > "$log" 2>&1 < /dev/null &
    VRDMA_STEP=$!
    wait "$VRDMA_STEP" || status=$?
    VRDMA_STEP=
    if [ "$status" -ne 0 ]; then
        tail -n 40 "$log" >&2
        echo "vrdma: failed: $title (all of its output: $log)" >&2
        return "$status"
    fi
}

# Ends what vrdma_step started, with everything that this started in turn.
_vrdma_end_tree() {
    local child
    local -a children=()
    read -r -a children 2> /dev/null < "/proc/$1/task/$1/children" || true
    for child in "${children[@]}"; do
        _vrdma_end_tree "$child"
    done
    kill -TERM "$1" 2> /dev/null
}

_vrdma_interrupted() {
    trap '' INT TERM HUP
    if [ -n "${VRDMA_STEP:-}" ]; then
        _vrdma_end_tree "$VRDMA_STEP"
        wait "$VRDMA_STEP" 2> /dev/null
    fi
    exit $((128 + $1))
}

vrdma_end_steps_on_signals() {
    trap '_vrdma_interrupted 2' INT
    trap '_vrdma_interrupted 15' TERM
    trap '_vrdma_interrupted 1' HUP
}

_vrdma_cmake() {
    local preset=$1
    shift
    cd "$VRDMA_SOURCE" || return 1
    [ -e "build/$preset/build.ninja" ] || cmake --preset "$preset" || return 1
    cmake --build "build/$preset" -j "$(nproc)" ${1:+--target "$@"}
}

vrdma_build_backend() {
    vrdma_step "Building vrdmad${2:+ and what is asked of it} ($1)" "build-$1" _vrdma_cmake "$@"
}

vrdma_qemu_version() {
    "${VRDMA_QEMU:-qemu-system-x86_64}" --version | sed -n 's/^QEMU emulator version \([0-9]*\.[0-9]*\).*/\1/p'
}

vrdma_build_qemu_device() {
    local version
    version=$(vrdma_qemu_version)
    vrdma_step "Building the QEMU device (QEMU $version)" build-qemu \
        "$VRDMA_SOURCE/qemu-device/build.sh" "$VRDMA_SOURCE/build/qemu" "$version"
}

vrdma_build_all_qemu_devices() {
    vrdma_step "Building the QEMU device (all versions of QEMU)" build-qemu \
        "$VRDMA_SOURCE/qemu-device/build.sh" "$VRDMA_SOURCE/build/qemu"
}

# The driver's Makefile gives each kernel a folder of its own.
_vrdma_driver() {
    local series=$1 release
    release=$(cat "$VRDMA_CACHE/kernels/$series/release")
    make -C "$VRDMA_SOURCE/frontend" KDIR="$(readlink -f "$VRDMA_CACHE/kernels/$series/build")" \
        BUILD="$VRDMA_SOURCE/build/frontend/$release" -j "$(nproc)" KCFLAGS=-Werror modules
}

vrdma_build_driver() {
    vrdma_step "Building vrdma.ko (guest kernel $1)" "build-driver-$1" _vrdma_driver "$1"
}

# Every shell script of the project, by its first line.
vrdma_check_scripts() {
    local -a scripts
    cd "$VRDMA_SOURCE" || return 1
    mapfile -t scripts < <(find . \( -name build -o -name .git \) -prune -o -type f \
        -exec grep -lE -m1 '^#!/bin/(ba)?sh|^# shellcheck shell=' {} +)
    shellcheck -x -P SCRIPTDIR -P scripts/lib "${scripts[@]}"
}
