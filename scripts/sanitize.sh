#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Unit and flow tests under sanitizers: scripts/sanitize.sh address,undefined | thread
set -euo pipefail
cd "$(dirname "$0")/.."
kind=${1:?usage: scripts/sanitize.sh address,undefined|thread}
build=build-${kind%%,*}

scripts/deps.sh test
[ -f "$build/build.ninja" ] || meson setup "$build" --buildtype=debugoptimized -Db_sanitize="$kind" >/dev/null
meson compile -C "$build" >/dev/null
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
scripts/unit.sh "$build"
FAIRLEAD_BIN="$PWD/$build" scripts/flow.sh -q -m "not slow" ${FLOW_ARGS:-}
