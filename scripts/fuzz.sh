#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs every fuzz target for SECONDS_EACH (default 20) from its corpus. A finding fails and leaves its input in build-fuzz.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${SECONDS_EACH:-20}
scripts/deps.sh test
[ -f build-fuzz/build.ninja ] ||
    CC=clang CXX=clang++ meson setup build-fuzz -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false \
        --buildtype=debugoptimized >/dev/null
meson setup --reconfigure build-fuzz >/dev/null # finds new targets
ninja -C build-fuzz --quiet
failed=0 passed=0
for target in build-fuzz/tests/fuzz_*; do
    [ -x "$target" ] && [ -f "$target" ] || continue
    name=${target##*/fuzz_}
    mkdir -p "build-fuzz/corpus/$name"
    if (cd build-fuzz && "../$target" -max_total_time="$seconds" -max_len=65536 -rss_limit_mb=2048 -verbosity=0 \
        "corpus/$name" "../tests/fuzz/corpus/$name" >"fuzz_$name.log" 2>&1); then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "fuzz_$name found something:"
        tail -n 30 "build-fuzz/fuzz_$name.log"
    fi
done
echo "fuzz: $passed targets passed, $failed failed"
[ "$failed" -eq 0 ]
