# SPDX-License-Identifier: Apache-2.0
"""What is measured, and the bars that the results are held against."""
from dataclasses import dataclass, field

from systems import KEY

STREAM_FAULT = "x-sim-fault: events=1000000,interval-us={interval},stamp"


@dataclass
class Case:
    """One run of fairlead-load; `unit` is what the server's CPU time is divided by."""

    title: str
    arguments: list
    unit: str = "request"
    bars: dict = field(default_factory=dict)  # highest allowed ratio of Fairlead's CPU time to that of another
    delay: bool = False  # the events are stamped: tells how long each was on its way


def document(title, size, bars):
    return Case(title, ["--body-bytes", str(size), "--header", "x-sim-fault: blind"], bars=bars)


def streams(chunks_per_s, bars, count=2000):
    interval = count * 1000000 // chunks_per_s
    return Case(f"{count:,} streams, {chunks_per_s:,} chunks/s",
                ["--hold-streams", str(count), "--ramp-ms", "200", "--header", STREAM_FAULT.format(interval=interval)],
                unit="chunk", bars=bars, delay=True)


FOUR_KB = document("4 KB body", 4096, {"HAProxy": 1.00})
MAIN_CASES = [
    FOUR_KB,
    document("64 KB body", 65536, {"nginx": 1.00}),
    document("512 KB body", 524288, {"nginx": 1.10}),
    Case("stream of 20 chunks, at once", ["--stream", "--expect-events", "20", "--header", "x-sim-fault: events=20"],
         bars={}),
    streams(10000, {"HAProxy": 0.90}),
    streams(40000, {"HAProxy": 0.90}),
]
# Of Fairlead alone: the bare path beside one with everything on, whose requests a cache has never seen.
WHOLE_CASE = Case("4 KB body, each new", ["--body-bytes", "4096", "--unique", "--header", "x-sim-fault: blind",
                                         "--header", f"Authorization: Bearer {KEY}"])
WHOLE_BAR = 1.25  # CPU time of everything on to that of the bare path
QUICK_CASES = [MAIN_CASES[0], MAIN_CASES[1], MAIN_CASES[3], MAIN_CASES[5]]


def open_loop(rate):
    return Case(f"open loop, {rate:,} requests/s, 4 KB",
                ["--rate", str(rate), "--connections", "256", "--header", "x-sim-fault: blind"],
                bars={})


HELD = 2000      # streams, and idle connections, whose memory is told
MOST = 9900      # streams of one process with 20,000 descriptors
HOLD_STREAMS = ["--hold-streams", str(HELD), "--ramp-ms", "500", "--header", STREAM_FAULT.format(interval=1000000)]
HOLD_IDLE = ["--hold-idle", str(HELD), "--ramp-ms", "500"]
HOLD_MOST = ["--hold-streams", str(MOST), "--ramp-ms", "3000", "--header", STREAM_FAULT.format(interval=1000000)]

# Fairlead's own memory, bytes.
MEMORY_BARS = {"stream_bytes": 4096, "idle_bytes": 2048}
