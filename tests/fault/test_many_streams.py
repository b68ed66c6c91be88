# SPDX-License-Identifier: Apache-2.0
"""Ten thousand live streams, and somebody looks at them by SQL: how long that takes."""
import resource
import time

import programs
import pytest
from programs import wait_for

from fault import harness, stored

WANTED = 10000
FEWER = 4000  # what a small limit of descriptors must still have room for
RESERVED = 300
LIMIT = 0.050  # seconds in the server
TRIES = 9
COUNT = "SELECT count(*), max(age_ms), sum(bytes_out) FROM requests_live"
ALL = "SELECT * FROM requests_live"


def stream_count():
    """Two descriptors a stream are Fairlead's need."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    count = min(WANTED, (limit - RESERVED) // 2)
    assert count >= FEWER, f"a limit of {limit} descriptors is too small to say anything"
    return count


def raw_seconds(session, statement):
    """From the statement's last byte to its answer's last byte, and these bytes; not read as rows, which costs Python more
    than Fairlead."""
    session.connection._execute_command(3, statement)  # COM_QUERY
    began, answer = time.perf_counter(), bytearray()
    while True:
        answer += session.connection._sock.recv(1 << 20)
        if len(answer) > 9 and answer[-9:-6] == b"\5\0\0" and answer[-5] == 0xFE and answer.count(b"\xfe") >= 2:
            return time.perf_counter() - began, len(answer)


def measure(program, session, statement, count):
    times, size = zip(*(raw_seconds(session, statement) for _ in range(TRIES)))
    print(f"{statement}: {count} streams, {size[0] / 1e6:.2f} MB, best {min(times) * 1000:.1f} ms, "
          f"median {sorted(times)[TRIES // 2] * 1000:.1f} ms, worst {max(times) * 1000:.1f} ms")
    return min(times)


@pytest.mark.slow
def test_ten_thousand_streams_are_shown(sim, started, tmp_path):
    count = stream_count()
    backend = sim(flags=["--no-record"])
    program = stored.restart(started, tmp_path, stored.configuration(
        [programs.server(backend, "s", models=["m"])], access_log="off", core_dumps=True))
    load = started.add(programs.Program(
        [programs.BIN / "fairlead-load", "--model", "m", "--hold-streams", count, "--ramp-ms", 2000, "--timeout-ms", 20000,
         "--duration-ms", 120000, "--header", "x-sim-fault: events=1000000,interval-us=60000000,stamp",
         program.url + "/v1/chat/completions"]))
    wait_for(lambda: not load.is_running or program.metric("fairlead_requests_in_flight") == count, f"{count} streams",
             interval=0.2)
    assert load.is_running, load.error_output
    session = stored.Session(program)
    rows = session.run(ALL)
    assert len(rows) == count and len({row[0] for row in rows}) == count
    assert session.value(COUNT) == count
    seconds = [measure(program, session, statement, count) for statement in (COUNT, ALL)]
    assert program.chat().status_code == 200
    if not harness.is_sanitized(program.pid):
        assert max(seconds) < LIMIT
    load.kill()
    wait_for(lambda: program.metric("fairlead_requests_in_flight") == 0, "the streams to end")
    session.close()
