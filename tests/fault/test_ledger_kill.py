# SPDX-License-Identifier: Apache-2.0
"""kill -9 while requests run: each is in request_log exactly once, with its real end, and the ledger's sums are those of
the log."""
import threading
import time

import httpx
import programs
from programs import wait_for

from fault import stored

ROUNDS = 3
CLIENTS = 8
SUMS = ["input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens"]
STREAM_FAULT = "events=20,interval-us=3000"


class Client(threading.Thread):
    """Requests one behind the other on one connection, until the server is gone."""

    def __init__(self, program, prefix, is_stream):
        super().__init__(daemon=True)
        self.url, self.prefix, self.is_stream = program.url, prefix, is_stream
        self.complete, self.cut, self.refused = [], [], []
        self.begun = None  # the last request whose answer's head is here

    def run(self):
        with httpx.Client(base_url=self.url, timeout=programs.PATIENCE) as http:
            for number in range(1 << 30):
                name = f"{self.prefix}-{number}"
                try:
                    status = self.ask(http, name)
                except httpx.ConnectError:
                    self.refused.append(name)
                    return
                except httpx.TransportError:
                    self.cut.append(name)
                    return
                assert status == 200
                self.complete.append(name)

    def ask(self, http, name):
        headers = {"X-Request-Id": name, "X-User": f"user-{self.prefix[-1]}"}
        if self.is_stream:
            headers["X-Sim-Fault"] = STREAM_FAULT
        body = {"model": "m", "stream": self.is_stream, "messages": [{"role": "user", "content": name}]}
        with http.stream("POST", "/v1/chat/completions", headers=headers, json=body) as answer:
            self.begun = name
            answer.read()
        assert not self.is_stream or "[DONE]" in answer.text
        return answer.status_code

    @property
    def is_midway(self):
        return self.begun is not None and self.begun not in self.complete[-1:]

    @property
    def interrupted(self):
        """What the server had begun to answer when it was killed."""
        return [name for name in self.cut if name == self.begun]


def logged(session):
    """request_log: states by request id, a list as one may be there too often."""
    states = {}
    for name, state in session.run("SELECT request_id, state FROM request_log"):
        states.setdefault(name, []).append(state)
    return states


def sums(session, table):
    columns = ", ".join(f"sum({column})" for column in SUMS)
    count = "sum(requests), sum(errors)" if table == "usage_ledger" else (
        "count(*), sum(state IN ('error', 'cut', 'aborted'))")
    return [tuple(int(value or 0) for value in row) for row in session.run(
        f"SELECT {count}, {columns} FROM {table}")][0]


def users(session, table):
    count = ("user, count(*)" if table == "request_log" else "username, sum(requests)")
    return {user: int(number) for user, number in session.run(
        f"SELECT {count} FROM {table} GROUP BY 1")}


def assert_counted_once(session):
    wait_for(lambda: sums(session, "usage_ledger") == sums(session, "request_log"),
             "the ledger to have the sums of the log")
    assert users(session, "usage_ledger") == users(session, "request_log")


def start(started, tmp_path, sims):
    servers = [programs.server(s, f"s{i}", models=["m"]) for i, s in enumerate(sims)]
    return stored.restart(started, tmp_path, stored.configuration(servers, access_log="off"))


def check(states, clients):
    """What a client got whole is ok. Only of the very last answer on each connection the END may be missing: the process
    was killed between its last byte and its booking. Returns how many these were."""
    late = 0
    assert all(len(found) == 1 for found in states.values()), [s for s in states.items() if len(s[1]) > 1]
    for client in clients:
        for name in client.complete[:-1]:
            assert states.get(name) == ["ok"], f"{name}: {states.get(name)}"
        for name in client.complete[-1:]:
            assert states.get(name) in (["ok"], ["aborted"]), f"{name}: {states.get(name)}"
            late += states[name] == ["aborted"]
        for name in client.cut:  # no entry: it had not been read when the end came
            assert states.get(name) in (["aborted"], ["ok"], None), f"{name}: {states.get(name)}"
        assert not set(client.refused) & states.keys()
    assert states.keys() <= {name for c in clients for name in c.complete + c.cut}
    return late


def one_round(program, number):
    """Clients run into a kill -9."""
    running = [Client(program, f"r{number}-c{i}", is_stream=i % 2 == 0) for i in range(CLIENTS)]
    for client in running:
        client.start()
    wait_for(lambda: all(len(c.complete) >= 5 for c in running), "requests")
    time.sleep(0.4 * number)  # before and behind a commit of the ledger's, which comes once a second
    wait_for(lambda: sum(c.is_midway for c in running if c.is_stream) >= 2, "streams under way", interval=0.001)
    program.kill()
    for client in running:
        client.join(programs.PATIENCE)
    return running


def test_each_request_is_booked_once(sim, started, tmp_path):
    sims = [sim(tokens=7, flags=["--no-record"]) for _ in range(2)]
    clients = []
    for number in range(ROUNDS):
        clients += one_round(start(started, tmp_path, sims), number)
        program = start(started, tmp_path, sims)
        session = stored.Session(program)
        interrupted = {name for client in clients for name in client.interrupted}
        assert len(interrupted) > number, "the scene is too tame"
        wait_for(lambda: interrupted <= logged(session).keys(), f"an end of all of {interrupted}")
        states = logged(session)
        late = check(states, clients)
        assert_counted_once(session)
        session.close()
        if number % 2 == 0:
            program.kill()  # also behind a start that has put things right
        else:
            program.stop()
    program = start(started, tmp_path, sims)
    session = stored.Session(program)
    assert logged(session) == states
    before = sums(session, "usage_ledger"), sums(session, "request_log")
    assert before[0] == before[1]
    aborted = sum(found == ["aborted"] for found in states.values())
    print(f"{len(states)} requests, {aborted} aborted, of these {late} behind their last byte")
    session.close()
    program.stop()
    # A clean end and a new start count nothing twice.
    program = start(started, tmp_path, sims)
    session = stored.Session(program)
    assert (sums(session, "usage_ledger"), sums(session, "request_log")) == before
    assert program.chat(headers={"X-Request-Id": "one-more"}).status_code == 200
    wait_for(lambda: sums(session, "usage_ledger")[0] == before[0][0] + 1, "one more request in the ledger")
    assert logged(session) == {**states, "one-more": ["ok"]}
    session.close()
