# SPDX-License-Identifier: Apache-2.0
"""The numbers as a page: tables, bars, method, machine."""
import os
import platform
import shlex
import time

import cases
import systems

OURS = "Fairlead"
QUIET = 0.3  # load average
CONTENDED = "**Other work ran beside it: times, and ratios that depend on waking up, are not to be trusted.**"


def number(value):
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def ratio_text(medians, name):
    if OURS not in medians or name not in medians or name == OURS:
        return ""
    return f" ({medians[OURS]['cpu_us'] / medians[name]['cpu_us']:.2f})"


def cpu_table(found):
    names = list(found["versions"])
    rows = []
    for case in found["cases"]:
        medians = found["medians"][case.title]
        cells = [number(medians[name]["cpu_us"]) + ratio_text(medians, name) for name in names]
        rows.append([case.title, "us a " + case.unit, *cells])
    return table(["case", "CPU time", *names], rows)


def speed_table(found):
    names = list(found["versions"])
    rows = []
    for case in found["cases"]:
        medians = found["medians"][case.title]
        cells = []
        for name in names:
            row = medians[name]
            times = f"{number(row['p50'])} / {number(row['p99'])}"
            cells.append(f"{number(row['per_s'])}/s, {times}, {row['share'] * 100:.0f} %, {row['errors']}")
        rows.append([case.title, "added delay" if case.delay else "latency", *cells])
    return table(["case", "p50 / p99 us of the", *names], rows)


def memory_table(found):
    rows = [
        ("resident memory of the idle process, KiB", lambda m: number(m["rss_bytes"] / 1024)),
        (f"an idle connection ({cases.HELD:,} held), bytes", lambda m: number(m["idle_bytes"])),
        (f"an open stream ({cases.HELD:,} held), bytes", lambda m: number(m["stream_bytes"])),
        (f"streams held, of {cases.MOST:,} asked for", lambda m: number(m["most_streams"])),
        ("errors and chunks/s there", lambda m: f"{m['most_errors']}, {number(m['most_chunks_per_s'])}"),
    ]
    names = list(found["memory"])
    return table(["memory and streams", *names],
                 [[title, *(show(found["memory"][name]) for name in names)] for title, show in rows])


def whole_table(rows):
    """CPU time of a request with everything on, beside the bare path."""
    bare = rows[OURS]["cpu_us"]
    return table(["4 KB request that no cache has", "CPU us a request", "to the bare path", "p50 / p99 us", "errors"],
                 [[name, number(row["cpu_us"]), f"{row['cpu_us'] / bare:.2f}",
                   f"{number(row['p50'])} / {number(row['p99'])}", str(row["errors"])] for name, row in rows.items()])


def bar_rows(found):
    """(what, bar, measured, met) of everything that has a bar."""
    whole = found.get("whole")
    if whole:
        ratio = max(row["cpu_us"] for row in whole.values()) / whole[OURS]["cpu_us"]
        yield "everything on: CPU time to the bare path's", f"{cases.WHOLE_BAR:.2f}", f"{ratio:.2f}", ratio <= cases.WHOLE_BAR
    for case in found["cases"]:
        medians = found["medians"][case.title]
        for other, bar in case.bars.items():
            if OURS in medians and other in medians:
                ratio = medians[OURS]["cpu_us"] / medians[other]["cpu_us"]
                yield f"{case.title}: CPU time to {other}'s", f"{bar:.2f}", f"{ratio:.2f}", ratio <= bar
    ours = found["memory"].get(OURS)
    if not ours:
        return
    for key, bar in cases.MEMORY_BARS.items():
        yield key.replace("_", " ") + " of ours", number(bar), number(ours[key]), ours[key] <= bar
    holds = ours["most_streams"] == cases.MOST and ours["most_errors"] == 0
    yield "streams held at once", f"{cases.MOST:,}", number(ours["most_streams"]), holds


def bar_table(found):
    rows = [[what, bar, value, "met" if met else "**not met**"] for what, bar, value, met in bar_rows(found)]
    return table(["bar", "at most", "measured", ""], rows) if rows else "Fairlead was not measured: no bars."


def tables(found):
    parts = ["CPU time of the server, microseconds; in brackets Fairlead's as a ratio to it.", cpu_table(found),
             "Rate, latency or delay, share of the server's core, errors.", speed_table(found)]
    if found["memory"]:
        parts += ["User memory.", memory_table(found)]
    if found.get("whole"):
        parts += ["Fairlead with everything on: a client's key, its limits, a cache that is asked and filled, the ledger, "
                  "counters by server and model.", whole_table(found["whole"])]
    return "\n\n".join([*parts, "Bars.", bar_table(found)])


def machine():
    model = "unknown"
    with open("/proc/cpuinfo") as info:
        for line in info:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    with open("/proc/meminfo") as info:
        memory = int(info.readline().split()[1]) // 1024 // 1024
    return f"{model}, {os.cpu_count()} cores, {memory} GiB, Linux {platform.release()}"


def commands(found):
    lines = []
    for case in [*found["cases"], cases.WHOLE_CASE]:
        arguments = " ".join(shlex.quote(part) for part in case.arguments)
        lines.append(f"bin/fairlead-load --model m --warm-up-ms 500 --duration-ms 2000 {arguments} URL")
    for arguments in (cases.HOLD_IDLE, cases.HOLD_STREAMS, cases.HOLD_MOST):
        lines.append("bin/fairlead-load --model m " + " ".join(shlex.quote(part) for part in arguments) + " URL")
    return "\n".join("    " + line for line in ["bin/fairlead-sim --no-record", *lines])


METHOD = """\
- One simulated inference server (`fairlead-sim`) and the load generator (`fairlead-load`) share core
  {load}; the server under test has core {server} and one worker. All traffic is on 127.0.0.1, keep-alive on
  both sides. Fairlead writes its access log to a file; nginx and HAProxy write none, which favours them.
- The main figure is the CPU time of the server's processes, user and system, from the scheduler's own
  count, divided by the requests or chunks of the same window. It says more than the rate: with load and
  answers on one core the rate of a fast server is limited by them.
- Each system is started afresh in each round, the systems take turns, and the table has the medians of
  {rounds} rounds of 2 s after 0.5 s of warm-up. Compare ratios, not absolutes: they were taken in one run.
- Every answer is checked: status, framing, the bytes of each document, number and order of events and
  `[DONE]`. Any error is counted in the table.
- Closed loops have 64 connections. The open loop sends at half of the slowest system's peak, and latency
  counts from the time at which a request was planned, so that a server that stalls cannot hide it.
- Events of the held streams carry the time at which they were sent; the added delay is what passed until
  the load generator read them, and contains the simulator's and the generator's own wake-ups.
- Everything on: each request has a key of a user with limits that are never reached, temperature 0, and a text that
  no request before it had, so that the cache is asked, filled and emptied again. The journal is on in both.
- Memory is the growth of the proportional set size, anonymous pages only (no program text, no mapped files such as the
  journal, no kernel memory), divided by the number held.
- nginx: `proxy_buffering off`, `proxy_request_buffering off`, `client_body_buffer_size 64k` (halves the
  cost of large bodies), upstream keep-alive, otherwise as it comes. HAProxy: `http-reuse always` and
  `option http-no-delay` (without it it holds small chunks back for up to 200 ms), otherwise as it comes."""


def whole(found):
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    missing = f" Not measured: {', '.join(found['missing'])}." if found["missing"] else ""
    return "\n".join([
        "# Benchmarks", "",
        "Written by `bench/bench.py`; do not edit. Run it on your own machine before you believe any of it.", "",
        f"{machine()}; {found['descriptors']:,} descriptors a process. {versions}.{missing} "
        f"{time.strftime('%Y-%m-%d', time.gmtime())}, {found['seconds']:.0f} s. "
        f"Load of the machine before the run: {found['load']:.2f}."
        f"{' ' + CONTENDED if found['load'] > QUIET else ''}", "",
        "## Results", "", tables(found), "",
        "## Method", "",
        METHOD.format(load=systems.LOAD_CORE, server=systems.SERVER_CORE, rounds=found["rounds"]), "",
        "## Commands", "", commands(found), "",
    ])
