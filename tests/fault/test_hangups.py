# SPDX-License-Identifier: Apache-2.0
"""Ten thousand clients that hang up at random moments: nothing of them stays, neither here nor at the servers."""
import asyncio
import json
import random

import programs
import pytest

from fault import harness

HANG_UPS = 10000
AT_ONCE = 64
PLACES = 6  # on each of two servers: most requests wait in the queue for a while
MOMENTS = ["in the head", "in the body", "at once", "queued", "backing off", "before the first byte", "in the stream",
           "between requests", "pipelining"]
FAULTS = {
    "backing off": "status=503",
    "before the first byte": "first-byte-ms=15",
    "in the stream": "events=12,interval-us=1000",
    "queued": "events=5,interval-us=1000",
}


def request_of(choice, moment):
    body = {"model": "m", "messages": [{"role": "user", "content": "x" * choice.randrange(3000)}],
            "stream": choice.random() < 0.6}
    fault = FAULTS.get(moment)
    fields = [f"X-Sim-Fault: {fault}"] if fault else []
    return harness.post(json.dumps(body).encode(), *fields, close=False)


def bytes_of(choice, moment):
    """What this client sends before it hangs up, and how long it waits then."""
    request = request_of(choice, moment)
    head = request.index(b"\r\n\r\n")
    if moment == "in the head":
        return request[: choice.randrange(head)], choice.random() * 0.003
    if moment == "in the body":
        return request[: choice.randrange(head, len(request))], choice.random() * 0.003
    if moment == "at once":
        return request, 0
    if moment == "pipelining":
        return request * 3, choice.random() * 0.01
    return request, choice.random() * 0.02


def hang_up(choice, transport):
    if choice.random() < 0.4:
        harness.reset(transport)
    elif choice.random() < 0.2 and transport.can_write_eof():
        transport.write_eof()
        asyncio.get_running_loop().call_later(0.005, transport.abort)
    else:
        transport.abort()


async def one_client(choice, port):
    moment = choice.choice(MOMENTS)
    loop = asyncio.get_running_loop()
    transport, connection = await loop.create_connection(harness.ClientConnection, "127.0.0.1", port)
    if moment == "between requests":
        for _ in range(2):
            connection.pieces.clear()
            transport.write(request_of(choice, moment))
            await asyncio.wait([connection.ended], timeout=choice.random() * 0.01)
    else:
        data, wait = bytes_of(choice, moment)
        transport.write(data)
        if wait:
            await asyncio.sleep(wait)
    hang_up(choice, transport)
    await asyncio.sleep(0)


async def all_clients(program, seed):
    choice = random.Random(seed)
    await harness.run_many([lambda: one_client(choice, program.port) for _ in range(HANG_UPS)], AT_ONCE)


async def fill_every_place(program):
    """As many requests at once as there are places, twice over: they all come through."""
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x"}], "stream": True}).encode()
    request = harness.post(body, "X-Sim-Fault: events=5,interval-us=1000")
    answers = await asyncio.gather(*(harness.ask(program.port, request) for _ in range(4 * PLACES)))
    for answer in answers:
        assert answer.status == 200 and answer.is_whole and b"[DONE]" in answer.body


@pytest.mark.parametrize("workers", [1, 2])
def test_ten_thousand_hang_ups(sim, fairlead, workers):
    sims = [sim(flags=["--no-record"]) for _ in range(2)]
    program = fairlead({
        "servers": [programs.server(s, f"s{i}", max_concurrent=PLACES, models=["m"]) for i, s in enumerate(sims)],
        "settings": {"workers": workers, "access_log": "off", "core_dumps": True, "max_retries": 3, "retry_initial_delay_ms": 5,
                     "retry_max_delay_ms": 20, "retry_budget_percent": 100, "retry_budget_min_per_second": 100000,
                     "circuit_breaker_threshold": 10000, "health_check_interval_ms": 1000},
    })
    descriptors = program_descriptors(program)

    async def scene():
        await all_clients(program, seed=workers)
        await harness.wait_settled(program)
        await fill_every_place(program)
        await harness.wait_settled(program)
        await harness.wait_until(lambda: program_descriptors(program) <= descriptors + 2 * PLACES * 2 + 8,
                                 "descriptors to be closed")

    asyncio.run(scene())
    text = program.metrics()
    assert sum(harness.values(text, "fairlead_retries_total")) > 100, "the scene is too tame"
    for simulator in sims:
        state = simulator.wait_state(in_flight=0, running=0, queued=0)
        assert state["cancelled"] > 100, "the scene is too tame"
        assert state["malformed"] == 0


def program_descriptors(program):
    return len(harness.descriptors(program.pid))
