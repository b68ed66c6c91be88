#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds and runs the unit tests in the build folder given.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build}
meson setup --reconfigure "$build" >/dev/null # finds new test files
ninja -C "$build" --quiet $(meson introspect "$build" --targets | python3 -c '
import json, sys
print(*("tests/" + t["name"] for t in json.load(sys.stdin) if t["name"].startswith(("unit_", "sim_sim"))))')
exec meson test -C "$build" --no-rebuild --print-errorlogs --suite unit
