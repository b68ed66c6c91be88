# SPDX-License-Identifier: Apache-2.0
"""Random bytes, heads that never end, heads that are too much: refused, forgotten, and not felt by anybody else."""
import json
import resource
import sys
import time
from pathlib import Path

import programs
import pytest
from programs import wait_for

from fault import harness

MEGABYTE = 1 << 20
HEADER_TIMEOUT_MS = 3000
BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x"}]})


class Normal:
    """A client like any other: one request after the other on one connection, each measured."""

    def __init__(self, connection):
        self.connection = connection

    def ask(self):
        started = time.monotonic()
        self.connection.post(BODY)
        answer = self.connection.read_answer()
        assert answer.status == 200, answer.body
        return time.monotonic() - started

    def window(self, count=200):
        return sorted(self.ask() for _ in range(count))

    def windows_while(self, condition):
        windows = [self.window()]
        while condition():
            windows.append(self.window())
        return windows


def middle(values):
    return sorted(values)[len(values) // 2]


def p50(windows):
    return middle([w[len(w) // 2] for w in windows])


def p99(windows):
    """The middle of the windows' p99: a pause of the machine in one of them says nothing about Fairlead."""
    return middle([w[-len(w) // 100 - 1] for w in windows])


def assert_not_felt(before, during):
    text = f"p50 {p50(before) * 1e3:.2f} -> {p50(during) * 1e3:.2f} ms, p99 {p99(before) * 1e3:.2f} -> {p99(during) * 1e3:.2f} ms"
    assert p50(during) <= 3 * p50(before) + 0.005, text
    assert p99(during) <= 3 * p99(before) + 0.020, text
    print(text)


@pytest.fixture
def attack(started):
    def start(kind, program, amount):
        script = Path(__file__).parent / "attack.py"
        attacker = started.add(programs.Program([sys.executable, script, kind, program.port, amount]))
        attacker.wait_line("^standing$")
        return attacker

    return start


@pytest.fixture
def scene(sim, fairlead, wire):
    """A Fairlead with short limits, and a normal client of it."""
    simulator = sim(tokens=2)
    program = fairlead({
        "servers": [programs.server(simulator, "s0", models=["m"])],
        "settings": {"workers": 2, "access_log": "off", "core_dumps": True, "client_header_timeout_ms": HEADER_TIMEOUT_MS,
                     "client_body_timeout_ms": HEADER_TIMEOUT_MS, "log_level": "warn"},
    })
    return program, Normal(wire(program))


def assert_clean(program, descriptors, memory, growth_max):
    """All of the attackers' connections are gone, and their memory with them."""
    wait_for(lambda: len(harness.descriptors(program.pid)) <= descriptors + 8, "the descriptors to be closed")
    wait_for(lambda: program.metric("fairlead_requests_in_flight") == 0, "no request in flight")
    grown = harness.resident_bytes(program.pid) - memory
    assert grown < growth_max or harness.is_sanitized(program.pid), f"grew by {grown} bytes"
    program.assert_sane()


def run_attack(scene, attack, kind, amount, growth_max):
    program, normal = scene
    normal.window()
    before = [normal.window() for _ in range(5)]
    descriptors, memory = len(harness.descriptors(program.pid)), harness.resident_bytes(program.pid)
    attacker = attack(kind, program, amount)
    during = normal.windows_while(lambda: attacker.is_running)
    assert attacker.wait_end() == 0, attacker.error_output
    done = int(attacker.wait_line(r"^done (\d+)$").group(1))
    assert_clean(program, descriptors, memory, growth_max)
    if not harness.is_sanitized(program.pid):
        assert_not_felt(before, during)
    normal.ask()
    return done


def test_random_bytes(scene, attack):
    sent = run_attack(scene, attack, "noise", 24 * MEGABYTE, 16 * MEGABYTE)
    assert sent >= 24 * MEGABYTE


def test_bombs(scene, attack):
    run_attack(scene, attack, "bombs", 200, 48 * MEGABYTE)


def test_slow_loris(scene, attack):
    """Every one of them is told 408 when its time is over, however steadily it drips."""
    program, _ = scene
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    amount = min(5000, (limit - 200) // 20 * 20)
    refused = run_attack(scene, attack, "slow_loris", amount, amount * 4096)
    assert refused >= amount * 0.99
    assert program.metric("fairlead_client_connections_total") >= amount
