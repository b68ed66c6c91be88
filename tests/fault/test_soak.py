# SPDX-License-Identifier: Apache-2.0
"""A minute of everything at once: nothing that was well-meant fails, and memory and descriptors stay level."""
import asyncio
import json
import os
import random
import signal
import time

import programs
import pytest

from fault import harness

SECONDS = float(os.environ.get("SOAK_SECONDS", 60))
CLIENTS = 24
MEGABYTE = 1 << 20
FAULTS = ["status=503", "status=500", "status=429,retry-after-ms=5", "reset-before-head", "reset-after-head",
          "close-after-head", "cut=300", "reset=400", "corrupt=350", "error-event=2", "events=3,stall=600",
          "events=30,interval-us=1000", "first-byte-ms=20", "events=5,close-delimited", "events=4,no-done"]


class Tally:
    def __init__(self):
        self.good = self.faulty = self.hung_up = self.reloads = 0
        self.failures = []
        self.samples = []  # seconds, resident bytes, descriptors


def configuration(sims, choice=None):
    weights = [choice.randrange(1, 20) if choice else 1 for _ in sims]
    return {
        "servers": [programs.server(s, f"s{i}", weight=weights[i], models=["m"]) for i, s in enumerate(sims)],
        "hostgroups": [{"id": 0, "name": "all", "strategy": "weighted_round_robin"}],
        "settings": {"workers": 2, "access_log": "off", "core_dumps": True, "log_level": "error", "idle_timeout_ms": 300,
                     "retry_initial_delay_ms": 1, "retry_max_delay_ms": 20, "retry_budget_percent": 100,
                     "retry_budget_min_per_second": 100000, "circuit_breaker_threshold": 10000,
                     "health_check_interval_ms": 500},
    }


def request_of(choice, is_stream, fault=None, close=True):
    body = {"model": "m", "stream": is_stream,
            "messages": [{"role": "user", "content": "x" * choice.choice([10, 1000, 60000])}]}
    return harness.post(json.dumps(body).encode(), *([f"X-Sim-Fault: {fault}"] if fault else []), close=close)


async def well_meant(choice, port, tally):
    is_stream = choice.random() < 0.5
    answer = await harness.ask(port, request_of(choice, is_stream))
    is_good = answer.status == 200 and answer.is_whole
    if is_stream:
        is_good = is_good and answer.body.endswith(b"data: [DONE]\n\n") and b'"error"' not in answer.body
    else:
        is_good = is_good and json.loads(answer.body)["object"] == "chat.completion"
    tally.good += 1
    if not is_good:
        tally.failures.append(answer.raw[-400:])


async def faulty(choice, port, tally):
    await harness.ask(port, request_of(choice, choice.random() < 0.5, choice.choice(FAULTS)))
    tally.faulty += 1


async def hung_up(choice, port, tally):
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_connection(harness.ClientConnection, "127.0.0.1", port)
    request = request_of(choice, True, "events=20,interval-us=1000", close=False)
    transport.write(request[: choice.choice([len(request), choice.randrange(len(request))])])
    await asyncio.sleep(choice.random() * 0.02)
    if choice.random() < 0.5:
        harness.reset(transport)
    else:
        transport.abort()
    tally.hung_up += 1


async def client(seed, port, tally, end):
    choice = random.Random(seed)
    while time.monotonic() < end:
        await choice.choices([well_meant, faulty, hung_up], [6, 2, 2])[0](choice, port, tally)


async def reloads(program, sims, tally, end):
    choice = random.Random(0)
    while time.monotonic() < end:
        program.write_config(configuration(sims, choice))
        program.send_signal(signal.SIGHUP)
        tally.reloads += 1
        await asyncio.sleep(0.1)


async def samples(program, tally, end):
    started = time.monotonic()
    while time.monotonic() < end:
        tally.samples.append((time.monotonic() - started, harness.resident_bytes(program.pid),
                              len(harness.descriptors(program.pid))))
        await asyncio.sleep(0.25)


def growth(points):
    """What the line of least squares through (second, value) grows by from the first to the last."""
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    slope = (sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points))
    return slope * (points[-1][0] - points[0][0])


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 120)
def test_soak(sim, fairlead):
    sims = [sim(tokens=20, flags=["--no-record"]) for _ in range(3)]
    program = fairlead(configuration(sims))
    tally = Tally()

    async def scene():
        end = time.monotonic() + SECONDS
        await asyncio.gather(*(client(seed, program.port, tally, end) for seed in range(CLIENTS)),
                             reloads(program, sims, tally, end), samples(program, tally, end))
        await harness.wait_settled(program)

    asyncio.run(scene())
    assert not tally.failures, f"{len(tally.failures)} of {tally.good}: {tally.failures[:3]}"
    assert min(tally.good, tally.faulty, tally.hung_up) > 5 * SECONDS and tally.reloads > 5 * SECONDS
    generation = program.metric("fairlead_config_generation")
    assert generation > tally.reloads / 2, f"{generation} generations of {tally.reloads} reloads"
    for simulator in sims:
        simulator.wait_state(in_flight=0)
    level = tally.samples[len(tally.samples) // 3 :]
    assert abs(growth([(t, d) for t, _, d in level])) < 30, "descriptors"
    memory = growth([(t, m) for t, m, _ in level])
    print(f"{tally.good} good, {tally.faulty} faulty, {tally.hung_up} hung up, {tally.reloads} reloads; "
          f"memory {level[-1][1] / MEGABYTE:.1f} MB, {memory / MEGABYTE:+.2f} MB over {level[-1][0] - level[0][0]:.0f} s")
    assert memory < 1.5 * MEGABYTE or harness.is_sanitized(program.pid), f"grows by {memory} bytes"
