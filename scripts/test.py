#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs every kind of test, one stage after the other, and ends with "N passed, N failed".

A stage that dies without saying what it counted is a failure; so is one that ran nothing."""
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent

# name, command, what its output counts as passed and failed
STAGES = [
    ("build", ["make", "build"], None, None),
    ("unit", ["scripts/unit.sh", "build"], r"^Ok:\s+(\d+)", r"^(?:Fail|Timeout|Unexpected Pass):\s+(\d+)"),
    ("docs", ["scripts/docs.sh", "--check"], None, None),
    ("flow and fault", ["scripts/flow.sh", "-q"], r"(\d+) passed", r"(\d+) (?:failed|errors?|skipped)"),
    ("address and undefined", ["scripts/sanitize.sh", "address,undefined"], r"^Ok:\s+(\d+)|(\d+) passed",
     r"^(?:Fail|Timeout):\s+(\d+)|(\d+) (?:failed|errors?|skipped)"),
    ("threads", ["scripts/sanitize.sh", "thread"], r"^Ok:\s+(\d+)|(\d+) passed",
     r"^(?:Fail|Timeout):\s+(\d+)|(\d+) (?:failed|errors?|skipped)"),
    ("fuzz", ["scripts/fuzz.sh"], r"(\d+) targets passed", r"targets passed, (\d+) failed"),
]


def count(pattern: str, output: str) -> int:
    return sum(int(number) for match in re.finditer(pattern, output, re.M) for number in match.groups() if number)


def run(name: str, command: list[str], passed_pattern, failed_pattern) -> tuple[int, int]:
    print(f"== {name}: {' '.join(command)}", flush=True)
    start = time.monotonic()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               errors="replace", stdin=subprocess.DEVNULL)
    lines = []
    for line in process.stdout:
        lines.append(line)
        print(line, end="", flush=True)
    status = process.wait()
    output = "".join(lines)
    passed = count(passed_pattern, output) if passed_pattern else int(status == 0)
    failed = count(failed_pattern, output) if failed_pattern else 0
    if failed == 0 and (status != 0 or passed == 0):
        failed = 1
    print(f"== {name}: {passed} passed, {failed} failed, {time.monotonic() - start:.0f} s\n", flush=True)
    return passed, failed


def main() -> int:
    os.environ.setdefault("SECONDS_EACH", "10")
    subprocess.run(["scripts/deps.sh", "test"], cwd=ROOT, check=True)
    wanted = sys.argv[1:]
    total_passed = total_failed = 0
    for stage in STAGES:
        if wanted and stage[0].split()[0] not in wanted:
            continue
        passed, failed = run(*stage)
        total_passed += passed
        total_failed += failed
        if stage[0] == "build" and failed:
            break
    print(f"{total_passed} passed, {total_failed} failed")
    return 1 if total_failed or not total_passed else 0


sys.exit(main())
