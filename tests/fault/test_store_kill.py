# SPDX-License-Identifier: Apache-2.0
"""kill -9 while sessions write: what was acknowledged is there, nothing is there by half, and what is in force is what
the tables say."""
import copy
import random
import threading
import time

import programs
import pymysql
from programs import wait_for

from fault import stored

ROUNDS = 10
WRITERS = 2
MOST = 12  # servers of one writer
SETTINGS = ["queue_max_length", "max_retries"]  # one for each writer


class State:
    """What one writer has made: weights by name, and its setting."""

    def __init__(self):
        self.weights = {}
        self.setting = None

    def __eq__(self, other):
        return (self.weights, self.setting) == (other.weights, other.setting)

    def __repr__(self):
        return f"{self.weights} {self.setting}"


class Writer(threading.Thread):
    """Writes until the server is gone. `known` is acknowledged; `next` may or may not have happened."""

    def __init__(self, number, program, url, known, choice):
        super().__init__(daemon=True)
        self.number, self.url, self.known, self.choice = number, url, known, choice
        self.next = copy.deepcopy(known)
        self.session = stored.Session(program)
        self.acknowledged = 0
        self.failure = None

    def run(self):
        try:
            while True:
                self.change()
        except (pymysql.err.OperationalError, pymysql.err.InterfaceError) as error:
            if error.args[0] not in (2006, 2013, 0):  # gone away, lost
                self.failure = error
        except Exception as error:
            self.failure = error

    def change(self):
        kinds = ["insert", "pair", "set"]
        if self.known.weights:
            kinds += ["update", "all", "delete"]
        if len(self.known.weights) >= MOST:
            kinds = ["delete", "all"]
        self.next = copy.deepcopy(self.known)
        for statement in getattr(self, self.choice.choice(kinds))():
            self.session.run_patiently(statement)
        self.known = self.next
        self.acknowledged += 1

    def add(self, name):
        weight = self.choice.randrange(1, 100)
        self.next.weights[name] = weight
        return (f"INSERT INTO ai_servers (name, provider_type, endpoint, models, weight, api_key_encrypted) VALUES "
                f"('{name}', 'custom', '{self.url}', '{name}', {weight}, 'sk-secret-of-{name}')")

    def name(self):
        return f"w{self.number}-{self.choice.randrange(1 << 40):x}"

    def insert(self):
        return [self.add(self.name())]

    def pair(self):
        """Two rows, or none of them."""
        name = self.name()
        return ["BEGIN", self.add(name + "-a"), self.add(name + "-b"), "COMMIT"]

    def update(self):
        name = self.choice.choice(list(self.known.weights))
        self.next.weights[name] = self.choice.randrange(1, 100)
        return [f"UPDATE ai_servers SET weight = {self.next.weights[name]} WHERE name = '{name}'"]

    def all(self):
        """One statement, many rows."""
        weight = self.choice.randrange(1, 100)
        self.next.weights = {name: weight for name in self.known.weights}
        return [f"UPDATE ai_servers SET weight = {weight} WHERE name LIKE 'w{self.number}-%'"]

    def delete(self):
        name = self.choice.choice(list(self.known.weights))
        del self.next.weights[name]
        return [f"DELETE FROM ai_servers WHERE name = '{name}'"]

    def set(self):
        self.next.setting = self.choice.randrange(1, 20)
        return [f"SET GLOBAL {SETTINGS[self.number]} = {self.next.setting}"]


def states_of(rows, variables):
    states = [State() for _ in range(WRITERS)]
    for name, weight in rows:
        if name.startswith("w"):
            states[int(name[1])].weights[name] = weight
    for name, value in variables:
        if name in SETTINGS:
            states[SETTINGS.index(name)].setting = int(value)
    return states


def stored_states(database):
    return states_of(database.execute("SELECT name, weight FROM ai_servers"), database.execute(
        "SELECT variable_name, variable_value FROM global_variables WHERE source = 'sql'"))


def assert_in_force(program, states):
    """Models that are offered, weights in the live view, and settings are those of the tables."""
    session = stored.Session(program)
    live = states_of(session.run("SELECT server, weight FROM stats_servers"), [])
    for state, expected, setting in zip(live, states, SETTINGS):
        assert state.weights == expected.weights
        if expected.setting is not None:
            assert int(session.value(f"SELECT @@{setting}")) == expected.setting
    names = {name for state in states for name in state.weights}
    offered = {row["id"] for row in program.http.get("/v1/models").json()["data"]}
    assert offered == names | {"m"}
    for name in random.Random(0).sample(sorted(names), min(2, len(names))) + ["m"]:
        assert program.chat(model=name).status_code == 200
    session.close()


def test_what_was_acknowledged_is_there(sim, started, tmp_path):
    backend = sim(flags=["--no-record"])
    config = stored.configuration([programs.server(backend, "file", models=["m"])], access_log="off")
    choice = random.Random(3)
    states = [State() for _ in range(WRITERS)]
    acknowledged = undecided = 0
    for number in range(ROUNDS):
        program = stored.restart(started, tmp_path, config)
        assert_in_force(program, states)
        writers = [Writer(i, program, backend.url, states[i], choice) for i in range(WRITERS)]
        for writer in writers:
            writer.start()
        wanted = choice.randrange(2, 12)
        wait_for(lambda: min(w.acknowledged for w in writers) >= wanted or any(w.failure for w in writers), "writes")
        time.sleep(choice.random() * 0.02)  # anywhere within a statement
        program.kill()
        for writer in writers:
            writer.join(programs.PATIENCE)
            assert not writer.failure, writer.failure
        states = stored_states(stored.check_files(tmp_path / "data", tmp_path / f"copy-{number}"))
        for writer, state in zip(writers, states):
            assert state in (writer.known, writer.next), f"neither {writer.known} nor {writer.next}"
            undecided += writer.known != writer.next
            acknowledged += writer.acknowledged
    program = stored.restart(started, tmp_path, config)
    assert_in_force(program, states)
    print(f"{acknowledged} changes acknowledged, {undecided} under way when it was killed")
    assert acknowledged >= ROUNDS * WRITERS * 2
    assert undecided > 0, "the scene is too tame"
