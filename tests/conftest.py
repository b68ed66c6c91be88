# SPDX-License-Identifier: Apache-2.0
"""Fixtures of tests/flow and tests/fault."""
import itertools
import signal

import programs
import pytest
from wire_client import WireClient

SERVED = {"api": "inference", "sql": "sql", "admin": "admin", "metrics": "metrics"}

# Whoever starts the tests in the background has SIGINT ignored, and programs inherit that: Ctrl-C is part of what is tested.
signal.signal(signal.SIGINT, signal.default_int_handler)


class Started:
    """Programs of one test: stopped, in the reverse order, when it is over; each has to end well."""

    def __init__(self):
        self.programs = []

    def add(self, program):
        self.programs.append(program)
        return program

    def stop_all(self):
        failures = []
        for program in reversed(self.programs):
            try:
                program.stop()
            except AssertionError as failure:
                failures.append(str(failure))
        assert not failures, "\n".join(failures)


@pytest.fixture
def started():
    """Registers a program that the test started itself."""
    all_programs = Started()
    yield all_programs
    all_programs.stop_all()


@pytest.fixture
def sim(started):
    """sim(tokens=5, models="a,b", fault="status=503", ...): a fairlead-sim with these options."""
    return lambda **options: started.add(programs.Sim(**options))


@pytest.fixture
def fairlead(started, tmp_path):
    """fairlead({"servers": [...], ...}): a running Fairlead with this configuration, in a folder of its own."""
    numbers = itertools.count(1)

    def start(config, **more):
        folder = more.pop("folder", None) or tmp_path / f"fairlead-{next(numbers)}"
        return started.add(programs.Fairlead(folder, config, **more))

    return start


@pytest.fixture
def gateway(fairlead):
    """gateway(sim, sim, ..., max_retries=1): Fairlead in front of simulators "s0", "s1", ..., with these settings.

    Each has the model "m" unless `server_options` says otherwise: one mapping for all, or one for each.
    """

    def start(*sims, rules=(), hostgroups=(), server_options=None, **settings):
        options = server_options if isinstance(server_options, list) else [server_options or {}] * len(sims)
        servers = [programs.server(s, f"s{i}", **{"models": ["m"], **options[i]}) for i, s in enumerate(sims)]
        return fairlead({"servers": servers, "rules": list(rules), "hostgroups": list(hostgroups),
                         "settings": settings})

    return start


@pytest.fixture
def administered(fairlead):
    """administered(sim, sim, ..., listeners={...}, max_retries=1): as gateway(), with SQL and REST on top."""

    def start(*sims, servers=(), rules=(), listeners=None, folder=None, env=None, **settings):
        listed = [programs.server(s, f"s{i}", models=["m"]) for i, s in enumerate(sims)] + list(servers)
        addresses = [{"name": name, "address": "127.0.0.1:0", "serves": [serves], **(listeners or {}).get(name, {})}
                     for name, serves in SERVED.items()]
        others = [{"name": name, "address": "127.0.0.1:0", **options}
                  for name, options in (listeners or {}).items() if name not in SERVED]
        return fairlead({"listeners": addresses + others, "servers": listed, "rules": list(rules), "settings": settings},
                        folder=folder, env=env)

    return start


@pytest.fixture
def sql_session():
    """sql_session(program, user=..., password=..., ...): a session of its own, closed at the end."""
    sessions = []

    def connect(program, **options):
        sessions.append(programs.SqlSession(program.sql_port, **options))
        return sessions[-1]

    yield connect
    for session in sessions:
        session.close()


@pytest.fixture
def wire():
    """wire(program or port): a raw connection; closed at the end."""
    clients = []

    def connect(target):
        client = WireClient(target if isinstance(target, int) else target.port)
        clients.append(client)
        return client

    yield connect
    for client in clients:
        client.close()
