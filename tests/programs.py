# SPDX-License-Identifier: Apache-2.0
"""The programs under test as Python objects: started on free ports, watched, and stopped with a verdict.

Nothing sleeps blindly: whatever takes time is waited for by wait_for(), with a deadline that a sanitizer build on a
busy machine can meet.
"""
import json
import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

import httpx
import pymysql

BIN = Path(os.environ.get("FAIRLEAD_BIN") or Path(__file__).parent.parent / "bin").resolve()
PATIENCE = 30.0  # seconds; only a failing test ever waits this long
BAD_SIGNS = re.compile(
    r"broken invariant|ERROR: \w+Sanitizer|WARNING: \w+Sanitizer|SUMMARY: \w+Sanitizer|runtime error:"
)


def wait_for(condition, what="", timeout=PATIENCE, interval=0.01):
    """Polls `condition` until it gives something true, and returns that."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"waited {timeout} s in vain for {what or condition}"
        time.sleep(interval)


class Program:
    """A child process whose output is collected line by line."""

    def __init__(self, command, env=None, cwd=None):
        base = {k: v for k, v in os.environ.items() if not k.endswith("_API_KEY")}
        self.command = [str(part) for part in command]
        self.lines, self.errors = [], []
        self.was_killed = False
        self.process = subprocess.Popen(
            self.command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
            text=True, errors="replace", env={**base, **(env or {})}, cwd=cwd,
        )
        self.readers = [
            threading.Thread(target=self._collect, args=(self.process.stdout, self.lines), daemon=True),
            threading.Thread(target=self._collect, args=(self.process.stderr, self.errors), daemon=True),
        ]
        for reader in self.readers:
            reader.start()

    @staticmethod
    def _collect(stream, lines):
        for line in stream:
            lines.append(line.rstrip("\n"))

    @property
    def pid(self):
        return self.process.pid

    @property
    def is_running(self):
        return self.process.poll() is None

    @property
    def output(self):
        return "\n".join(self.lines)

    @property
    def error_output(self):
        return "\n".join(self.errors)

    def find_line(self, pattern, lines=None):
        expression = re.compile(pattern)
        for line in list(self.lines if lines is None else lines):
            found = expression.search(line)
            if found:
                return found
        return None

    def wait_line(self, pattern, timeout=PATIENCE):
        """The first match in stdout; fails early when the process ends without it."""

        def look():
            ended = not self.is_running
            if ended:
                self._join()
            found = self.find_line(pattern)
            assert found or not ended, f"{self.command} ended with {self.process.returncode}: {self.error_output}"
            return found

        return wait_for(look, f"{pattern!r} from {self.command[0]}", timeout)

    def wait_error(self, pattern, timeout=PATIENCE):
        return wait_for(lambda: self.find_line(pattern, self.errors), f"{pattern!r} on stderr", timeout)

    def send_signal(self, number):
        self.process.send_signal(number)

    def _join(self):
        for reader in self.readers:
            reader.join(PATIENCE)

    def wait_end(self, timeout=PATIENCE):
        """The exit status; all output is there afterwards."""
        status = self.process.wait(timeout)
        self._join()
        return status

    def kill(self):
        """SIGKILL: stop() then has no verdict to give."""
        self.was_killed = True
        if self.is_running:
            self.process.kill()
        self.wait_end()

    def assert_sane(self):
        bad = self.find_line(BAD_SIGNS, self.errors) or self.find_line(BAD_SIGNS, self.lines)
        assert not bad, f"{self.command[0]} complained:\n{self.error_output[-8000:]}"

    def stop(self, timeout=PATIENCE):
        """SIGTERM, and the verdict: ended in time, with status 0, without complaint."""
        if self.was_killed:
            return
        if self.is_running:
            self.send_signal(signal.SIGTERM)
        try:
            status = self.wait_end(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.command} did not end {timeout} s after SIGTERM") from None
        self.assert_sane()
        assert status == 0, f"{self.command} ended with {status}: {self.error_output[-8000:]}"


class Sim(Program):
    """A fairlead-sim, and its control path."""

    def __init__(self, *, listen="127.0.0.1:0", flags=(), env=None, **options):
        command = [BIN / "fairlead-sim", "--listen", listen, *flags]
        for name, value in options.items():
            if value is True or value is False:
                value = "yes" if value else "no"
            command += ["--" + name.replace("_", "-"), str(value)]
        super().__init__(command, env)
        self.url = self.wait_line(r"listening (http://\S+)").group(1)
        self.port = int(self.url.rsplit(":", 1)[1])
        self.control = httpx.Client(base_url=self.url, timeout=PATIENCE)

    def _post(self, path, content):
        answer = self.control.post("/sim/" + path, content=content)
        assert answer.status_code == 200, answer.text

    def state(self):
        return self.control.get("/sim/state").json()

    def requests(self, last=20):
        """What came in, oldest first; without health probes and GET /v1/models."""
        return self.control.get("/sim/requests", params={"last": last}).json()

    def bodies(self, last=20):
        return [record["body"] for record in self.requests(last)]

    def fault(self, spec):
        self._post("fault", spec)

    def configure(self, **numbers):
        self._post("config", json.dumps(numbers))

    def health(self, status):
        self._post("health", json.dumps({"status": status}))

    def reset(self):
        self._post("reset", "")

    def wait_state(self, **wanted):
        """Until every given number is in the state; returns it."""

        def look():
            state = self.state()
            return state if all(state[key] == value for key, value in wanted.items()) else None

        return wait_for(look, f"{wanted} in the state of {self.url}")


def header(record, name):
    """A header of a request that the simulator recorded, or None."""
    for key, value in record["headers"]:
        if key.lower() == name.lower():
            return value
    return None


def server(sim, name, **more):
    """A server of the configuration for a Sim, or for a port or URL that may have nobody behind it."""
    url = sim.url if isinstance(sim, Sim) else f"http://127.0.0.1:{sim}" if isinstance(sim, int) else sim
    return {"name": name, "provider": "custom", "endpoint": url, **more}


class Fairlead(Program):
    """A running fairlead. `config` is a mapping (JSON is YAML too) or the text of a file; None: none."""

    def __init__(self, folder, config, *, env=None, arguments=(), wait=True):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config_path = self.folder / "fairlead.yaml"
        command = [BIN / "fairlead", "serve", "--data", self.folder / "data", *arguments]
        if config is not None:
            self.write_config(config)
            command += ["--config", self.config_path]
        super().__init__(command, env, cwd=self.folder)
        self.listeners = {}
        self.http = None
        self.sql_session = None
        if wait:
            self.wait_ready()

    def write_config(self, config):
        """Replaces the file whole, as an editor does."""
        text = config if isinstance(config, str) else json.dumps(complete(config), indent=1)
        fresh = self.config_path.with_suffix(".new")
        fresh.write_text(text)
        fresh.rename(self.config_path)

    def reload(self, config):
        """SIGHUP, and until the new generation is in force."""
        seen = len(self.errors)
        self.write_config(config)
        self.send_signal(signal.SIGHUP)
        wait_for(lambda: self.find_line(r"generation \d+ is in force", self.errors[seen:]), "the new generation")

    def wait_ready(self):
        self.wait_line(r"^ready$")
        for line in list(self.lines):
            found = re.match(r"listening  +(\S+) +(\w+://\S+)  +\((\w+)\)", line)
            if found:
                self.listeners[found.group(1)] = found.group(2)
        first = self.find_line(r"listening  +\S+ +(https?://\S+)  +\(inference\)")
        self.url = first.group(1) if first else None
        self.port = int(self.url.rsplit(":", 1)[1]) if first else None
        if first and self.url.startswith("http:"):
            self.http = httpx.Client(base_url=self.url, timeout=PATIENCE)

    @property
    def sql_port(self):
        return int(self.listeners["sql"].rsplit(":", 1)[1])

    def sql(self, statement, **options):
        """What a statement answers, by one session that is kept; `options` are those of its login."""
        if self.sql_session is None:
            self.sql_session = SqlSession(self.sql_port, **options)
        return self.sql_session(statement)

    def stop(self, timeout=PATIENCE):
        if self.sql_session:
            self.sql_session.close()
        super().stop(timeout)

    def chat(self, model="m", text="hello", *, http=None, headers=None, **more):
        """One POST of a chat; the httpx.Response."""
        body = {"model": model, "messages": [{"role": "user", "content": text}], **more}
        return (http or self.http).post("/v1/chat/completions", json=body, headers=headers or {})

    def log_lines(self):
        """The access log on stdout, parsed."""
        return [json.loads(line) for line in list(self.lines) if line.startswith('{"time"')]

    def metrics(self):
        """The text of /metrics."""
        url = self.listeners["metrics"]
        return httpx.get(url + "/metrics", timeout=PATIENCE).text

    def metric(self, name, **labels):
        """One value of /metrics; the labels given have to be among its labels."""
        wanted = {f'{key}="{value}"' for key, value in labels.items()}
        for line in self.metrics().splitlines():
            found = re.match(r"(\w+)(?:\{(.*)\})? (\S+)$", line)
            if found and found.group(1) == name and wanted <= set((found.group(2) or "").split(",")):
                return float(found.group(3))
        raise AssertionError(f"no metric {name} {labels}")


class Answer(list):
    """The rows of a statement as tuples; without rows: how many it changed."""

    def __init__(self, cursor):
        super().__init__(cursor.fetchall() if cursor.description else ())
        self.columns = [column[0] for column in cursor.description or ()]
        self.types = [column[1] for column in cursor.description or ()]
        self.affected = cursor.rowcount
        self.insert_id = cursor.lastrowid

    def only(self):
        """The value of a row of one column, or the one row."""
        assert len(self) == 1, f"{self.columns} {list(self)}"
        return self[0][0] if len(self[0]) == 1 else self[0]


class SqlSession:
    """A session of the SQL administration, by PyMySQL: session("SHOW STATS") gives an Answer."""

    def __init__(self, port, *, host="127.0.0.1", user="admin", autocommit=True, **options):
        self.connection = pymysql.connect(host=host, port=port, user=user, autocommit=autocommit,
                                          connect_timeout=PATIENCE, read_timeout=PATIENCE, **options)

    def __call__(self, statement, *arguments):
        with self.connection.cursor() as cursor:
            cursor.execute(statement, arguments or None)
            return Answer(cursor)

    def fails(self, statement):
        """The number and the text of the error that it has to end with."""
        try:
            answer = self(statement)
        except pymysql.MySQLError as error:
            return error.args
        raise AssertionError(f"{statement} succeeded: {answer}")

    def close(self):
        if self.connection.open:
            self.connection.close()


def mariadb(target, *arguments, program="mariadb", input="", timeout=PATIENCE):
    """The stock command line client, or another of its family, to its end; `target` is a Fairlead or a port."""
    port = target if isinstance(target, int) else target.sql_port
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MYSQL", "MARIADB"))}
    return subprocess.run([program, "--no-defaults", "-h127.0.0.1", f"-P{port}", "-uadmin",
                           "--default-character-set=utf8mb4", *arguments],
                          input=input, capture_output=True, text=True, timeout=timeout, env=env, check=False)


def make_certificate(folder, name):
    """A self-signed one for 127.0.0.1 and localhost: (certificate, key)."""
    cert, key = folder / f"{name}.crt", folder / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
                    "-keyout", key, "-out", cert], check=True, capture_output=True)
    return str(cert), str(key)


def complete(config):
    """`config` with what tests want where it says nothing: free ports, two workers, a short drain."""
    listeners = [
        {"name": "api", "address": "127.0.0.1:0", "serves": ["inference"]},
        {"name": "metrics", "address": "127.0.0.1:0", "serves": ["metrics"]},
    ]
    settings = {"workers": 2, "log_level": "info", "drain_timeout_ms": 5000, **config.get("settings", {})}
    return {"listeners": listeners, **config, "settings": settings}


def run(*arguments, env=None, cwd=None, timeout=PATIENCE):
    """Runs `fairlead` with `arguments` to its end; the Program, with exit status in .process.returncode."""
    program = Program([BIN / "fairlead", *arguments], env, cwd)
    program.wait_end(timeout)
    program.assert_sane()
    return program
