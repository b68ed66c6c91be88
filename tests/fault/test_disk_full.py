# SPDX-License-Identifier: Apache-2.0
"""A full disk under data_dir: requests go on, the journal and SQL say what is wrong, and all is well again by itself."""
import asyncio
import json
import os
import resource
import subprocess

import programs
import pytest
from programs import wait_for

from fault import harness, stored

MEGABYTE = 1 << 20
DISK = 64 * MEGABYTE
INSERT = ("INSERT INTO ai_servers (name, provider_type, endpoint, models, comment) VALUES ('{0}', 'custom', "
          "'http://127.0.0.1:1', '{0}', '" + "x" * 200 + "')")
FILLS_THE_JOURNAL = 100000  # requests; far fewer are needed
STEP = 1000
PIPELINE = 50


class Mounted:
    """A small file system of its own."""

    def __init__(self, path):
        path.mkdir()
        self.path = path
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "fairlead-test", path], check=True,
                       capture_output=True)

    def fill(self, _program):
        with open(self.path / "filler", "wb") as file:
            for size in (MEGABYTE, 4096):
                try:
                    while True:
                        os.write(file.fileno(), b"x" * size)
                except OSError:
                    continue

    def free(self, _program):
        (self.path / "filler").unlink()

    def close(self):
        subprocess.run(["umount", "-l", self.path], check=True)


class Limited:
    """No file may grow any more: what a mount is not allowed for, and a limit of its own right (ulimit -f)."""

    def __init__(self, path):
        path.mkdir()
        self.path = path

    def set(self, program, limit):
        _, most = resource.prlimit(program.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(program.pid, resource.RLIMIT_FSIZE, (limit, most))

    def fill(self, program):
        self.set(program, 0)

    def free(self, program):
        self.set(program, resource.RLIM_INFINITY)

    def close(self):
        pass


@pytest.fixture(params=[Mounted, Limited])
def disk(request, tmp_path, started):
    try:
        made = request.param(tmp_path / "disk")
    except (subprocess.CalledProcessError, FileNotFoundError):
        made = Limited(tmp_path / "limited")
    yield made
    started.stop_all()
    made.close()


def ask_many(program):
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x"}]}).encode()

    async def one():
        answer = await harness.ask(program.port, harness.post(body))
        assert answer.status == 200 and answer.is_whole

    asyncio.run(harness.run_many([one] * 100, 4))


def ask_for_nothing(program):
    """STEP requests for a model that nobody has, whose records in the journal are as large as they get."""
    body = json.dumps({"model": "x" * 500}).encode()
    fields = [f"X-User: {'u' * 64}", f"X-Request-Id: {'r' * 64}"]
    requests = harness.post(body, *fields, close=False) * (PIPELINE - 1) + harness.post(body, *fields)

    async def one():
        answer = await harness.ask(program.port, requests)
        assert answer.raw.count(b"HTTP/1.1 404") == PIPELINE, answer.raw[-1000:]

    asyncio.run(harness.run_many([one] * (STEP // PIPELINE), 4))


def test_a_full_disk(sim, started, disk, tmp_path):
    backend = sim(flags=["--no-record"])
    config = stored.configuration([programs.server(backend, "s", models=["m"])], access_log="off")
    program = stored.restart(started, tmp_path, config, arguments=["--data", disk.path])
    session = stored.Session(program)
    session.run(INSERT.format("before"))
    assert program.metric("fairlead_journal_state") == 0
    assert program.metric("fairlead_journal_bytes") >= program.metric("fairlead_journal_segments") * 1000 > 0

    disk.fill(program)
    asked = 0
    while program.metric("fairlead_journal_state") == 0 or program.metric("fairlead_journal_dropped_records_total") == 0:
        assert asked < FILLS_THE_JOURNAL, "the journal does not say that it has no space"
        ask_for_nothing(program)
        asked += STEP
    number, message = session.error(INSERT.format("meanwhile"))
    print(f"{type(disk).__name__}: after {asked} requests; {number} {message}")
    assert number in (1021, 1030) and "disk" in message.lower(), message
    number, _ = session.error("SET GLOBAL max_retries = 1")
    assert number in (1021, 1030)
    assert session.value("SELECT count(*) FROM ai_servers") == 2
    assert session.value("SELECT @@max_retries") == 3
    assert session.value("SELECT count(*) FROM request_log") > 0
    assert program.chat(model="meanwhile").status_code == 404
    ask_many(program)
    program.wait_error("journal: degraded: no space; requests go on")

    disk.free(program)
    wait_for(lambda: program.metric("fairlead_journal_state") == 0, "the journal to have space again")
    program.wait_error("journal: ok again")
    dropped = program.metric("fairlead_journal_dropped_records_total")
    session.run_patiently(INSERT.format("after"))
    assert {"before", "after"} <= {row["id"] for row in program.http.get("/v1/models").json()["data"]}
    assert program.chat(headers={"X-Request-Id": "recovered"}).status_code == 200
    wait_for(lambda: session.run("SELECT state FROM request_log WHERE request_id = 'recovered'") == (("ok",),),
             "the request in the log: it is booked behind its last byte")
    assert program.metric("fairlead_journal_dropped_records_total") == dropped
    wait_for(lambda: int(session.value("SELECT coalesce(sum(requests), 0) FROM usage_ledger")) ==
             session.value("SELECT count(*) FROM request_log"), "the ledger to have all of the log")
    session.close()
    program.stop()
    database = stored.check_files(disk.path, tmp_path / "copy")
    assert {name for name, in database.execute("SELECT name FROM ai_servers")} == {"s", "before", "after"}
