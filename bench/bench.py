#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fairlead beside nginx and HAProxy on this machine: CPU time a request and a chunk, added delay, memory.

    bench/bench.py            everything, under six minutes; writes docs/benchmarks.md
    bench/bench.py --quick    one short round of the main cases; prints only
"""
import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cases
import page
import systems

ROOT = Path(__file__).resolve().parent.parent
RUN_LIMIT = 60  # seconds, far above any run


def run_load(port, pids, arguments, timing):
    """One run of fairlead-load; its JSON, with the CPU time of all watched processes in one place."""
    command = [systems.BIN / "fairlead-load", "--model", "m", *timing, *arguments]
    for pid in pids:
        command += ["--watch-pid", str(pid)]
    command.append(f"http://127.0.0.1:{port}/v1/chat/completions")
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=RUN_LIMIT,
                          preexec_fn=systems.pin_to(systems.LOAD_CORE))
    if done.returncode != 0:
        raise RuntimeError(f"fairlead-load failed: {done.stderr}")
    result = json.loads(done.stdout)
    for key in ("cpu_us_per_request", "cpu_us_per_chunk", "cpu_share", "pss_before_bytes", "pss_bytes"):
        result[key] = sum(watch[key] for watch in result["watch"])
    return result


@contextlib.contextmanager
def started(system, sim):
    """A fresh server of the system, in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="fairlead-bench-") as folder:
        server = system.start(sim.port, Path(folder))
        try:
            yield server
        finally:
            server.stop()


def timing(warm_up, duration):
    return ["--warm-up-ms", str(warm_up), "--duration-ms", str(duration)]


def measure(case, server, seconds, warm_up=500):
    result = run_load(server.port, server.pids, case.arguments, timing(warm_up, seconds * 1000))
    errors = result["errors"]["total"] + (0 if result["requests"] + result["chunks"] > 0 else 1)
    unit = case.unit
    return {
        "cpu_us": result[f"cpu_us_per_{unit}"],
        "per_s": result[f"{unit}s_per_s"],
        "share": result["cpu_share"],
        "p50": result["delay_us" if case.delay else "latency_us"]["p50"],
        "p99": result["delay_us" if case.delay else "latency_us"]["p99"],
        "errors": errors,
    }


def run_rounds(all_systems, all_cases, sim, rounds, seconds, warm_up):
    """{case title: {system name: [one result a round]}}; systems take turns, each freshly started."""
    results = {case.title: {system.name: [] for system in all_systems} for case in all_cases}
    for number in range(rounds):
        for system in all_systems:
            with started(system, sim) as server:
                for case in all_cases:
                    row = measure(case, server, seconds, warm_up)
                    results[case.title][system.name].append(row)
                    print(f"  round {number + 1}: {system.name:9} {case.title:36} {row['cpu_us']:8.2f} us "
                          f"{row['per_s']:9.0f}/s errors {row['errors']}", file=sys.stderr, flush=True)
    return results


def median_of(rows):
    merged = {key: statistics.median(row[key] for row in rows) for key in rows[0]}
    merged["errors"] = sum(row["errors"] for row in rows)
    return merged


def measure_memory(system, sim):
    """Bytes of user memory: of the idle server, an idle connection, a stream; and how many streams it holds."""
    found = {}
    with started(system, sim) as server:
        found["rss_bytes"] = server.rss_bytes()
        run_load(server.port, server.pids, [], timing(200, 300))  # so that its pools are filled
        result = run_load(server.port, server.pids, cases.HOLD_IDLE, timing(1000, 500))
        found["idle_bytes"] = (result["pss_bytes"] - result["pss_before_bytes"]) / cases.HELD
        found["idle_held"] = result["connections_open"]
    with started(system, sim) as server:
        run_load(server.port, server.pids, [], timing(200, 300))
        result = run_load(server.port, server.pids, cases.HOLD_STREAMS, timing(1500, 500))
        found["stream_bytes"] = (result["pss_bytes"] - result["pss_before_bytes"]) / cases.HELD
        found["streams_held"] = result["requests_under_way"]
    with started(system, sim) as server:
        result = run_load(server.port, server.pids, cases.HOLD_MOST, timing(1500, 2000))
        found["most_streams"] = result["requests_under_way"]
        found["most_errors"] = result["errors"]["total"]
        found["most_chunks_per_s"] = result["chunks_per_s"]
    print(f"  memory: {system.name:9} {found}", file=sys.stderr, flush=True)
    return found


def run_quick(all_systems, sim):
    results = run_rounds(all_systems, cases.QUICK_CASES, sim, 1, 1, 300)
    return {"cases": cases.QUICK_CASES, "medians": merge(results), "memory": {}}


def merge(results):
    return {title: {name: median_of(rows) for name, rows in by_system.items()}
            for title, by_system in results.items()}


def run_full(all_systems, sim, rounds):
    medians = merge(run_rounds(all_systems, cases.MAIN_CASES, sim, rounds, 2, 500))
    slowest = min(row["per_s"] for row in medians[cases.FOUR_KB.title].values())
    open_loop = cases.open_loop(int(slowest / 2 / 1000) * 1000)
    medians.update(merge(run_rounds(all_systems, [open_loop], sim, rounds, 2, 500)))
    memory = {system.name: measure_memory(system, sim) for system in all_systems}
    whole = merge(run_rounds(systems.bare_and_whole(), [cases.WHOLE_CASE], sim, rounds, 2, 500))
    return {"cases": [*cases.MAIN_CASES, open_loop], "medians": medians, "memory": memory,
            "whole": whole[cases.WHOLE_CASE.title]}


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="one short round of the main cases")
    options.add_argument("--whole", action="store_true", help="only the bare path beside everything on; prints only")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--output", type=Path, help="where the page goes (default docs/benchmarks.md; --quick: none)")
    options.add_argument("--json", type=Path, help="also write the numbers here")
    chosen = options.parse_args()
    descriptors = systems.raise_descriptor_limit()
    all_systems, missing = systems.available()
    if missing:
        print(f"not here, so not measured: {', '.join(missing)}", file=sys.stderr)
    begin = time.monotonic()
    load = os.getloadavg()[0]
    sim = systems.start_sim()
    try:
        if chosen.whole:
            rows = merge(run_rounds(systems.bare_and_whole(), [cases.WHOLE_CASE], sim, chosen.rounds, 2, 500))
            print(page.whole_table(rows[cases.WHOLE_CASE.title]))
            return 0
        found = run_quick(all_systems, sim) if chosen.quick else run_full(all_systems, sim, chosen.rounds)
    finally:
        sim.stop()
    found.update(rounds=1 if chosen.quick else chosen.rounds, descriptors=descriptors, missing=missing,
                 seconds=time.monotonic() - begin, load=load,
                 versions={s.name: s.version() for s in all_systems})
    print(page.tables(found))
    if chosen.json:
        chosen.json.write_text(json.dumps({key: value for key, value in found.items() if key != "cases"}, indent=1))
    output = chosen.output or (None if chosen.quick else ROOT / "docs" / "benchmarks.md")
    if output:
        output.write_text(page.whole(found))
    has_errors = any(row["errors"] for by_system in found["medians"].values() for row in by_system.values())
    return 1 if has_errors else 0


if __name__ == "__main__":
    sys.exit(main())
