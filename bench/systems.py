# SPDX-License-Identifier: Apache-2.0
"""The servers that are compared: how each is configured, started on a core, watched and stopped."""
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

BIN = Path(os.environ.get("FAIRLEAD_BIN", Path(__file__).resolve().parent.parent / "bin"))
SERVER_CORE = 0
LOAD_CORE = 1
PATIENCE = 10  # seconds

NGINX_CONF = """\
worker_processes 1;
worker_rlimit_nofile {files};
user root;
daemon off;
pid nginx.pid;
error_log stderr error;
events {{ worker_connections {connections}; }}
http {{
    access_log off;
    client_body_temp_path temp; proxy_temp_path temp;
    fastcgi_temp_path temp; uwsgi_temp_path temp; scgi_temp_path temp;
    keepalive_timeout 600s; keepalive_requests 1000000000;
    client_max_body_size 0; client_body_buffer_size 64k;
    upstream sim {{
        server 127.0.0.1:{sim};
        keepalive 2048; keepalive_requests 1000000000; keepalive_timeout 600s;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            proxy_pass http://sim;
            proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_buffering off; proxy_request_buffering off;
            proxy_read_timeout 600s;
        }}
    }}
}}
"""

HAPROXY_CFG = """\
global
    nbthread 1
    maxconn {connections}
defaults
    mode http
    option http-keep-alive
    option http-no-delay
    http-reuse always
    timeout connect 5s
    timeout client 600s
    timeout server 600s
    timeout http-keep-alive 600s
frontend front
    bind 127.0.0.1:{port} backlog 4096
    default_backend back
backend back
    server sim 127.0.0.1:{sim}
"""


def raise_descriptor_limit():
    """As many descriptors as we may have, for us and our children; returns the number."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_answering(port):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def pin_to(core):
    return lambda: os.sched_setaffinity(0, {core})


def children_of(pid):
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


class Server:
    """A started process; `pids` are those whose CPU time and memory count."""

    def __init__(self, command, core, port=None, ready_line=None, folder=None):
        if port and is_answering(port):
            raise RuntimeError(f"port {port} is taken: it would answer in place of {command[0]}")
        output = subprocess.PIPE if ready_line else subprocess.DEVNULL
        self.process = subprocess.Popen([str(part) for part in command], stdout=output, stderr=subprocess.PIPE,
                                        text=True, cwd=folder, preexec_fn=pin_to(core))
        self.port = port if not ready_line else self._wait_line(ready_line)
        self._wait_port()
        self.pids = [self.process.pid, *children_of(self.process.pid)]

    def _wait_line(self, pattern):
        for line in self.process.stdout:
            found = re.search(pattern, line)
            if found:
                return int(found.group(1))
        raise RuntimeError(f"{self.process.args[0]} did not start: {self.process.stderr.read()}")

    def _wait_port(self):
        deadline = time.monotonic() + PATIENCE
        while not is_answering(self.port):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.process.args[0]} does not answer: {self.stop()}")
            time.sleep(0.02)

    def rss_bytes(self):
        pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in self.pids)
        return pages * resource.getpagesize()

    def stop(self):
        """Ends it, and returns what it said on stderr."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.communicate(timeout=PATIENCE)[1]
        except subprocess.TimeoutExpired:
            for pid in [*children_of(self.process.pid), self.process.pid]:
                os.kill(pid, signal.SIGKILL)
            return self.process.communicate()[1]


def start_sim():
    return Server([BIN / "fairlead-sim", "--no-record"], LOAD_CORE, ready_line=r"listening http://\S+:(\d+)")


class Nginx:
    name = "nginx"
    program = "nginx"

    def version(self):
        text = subprocess.run([self.program, "-v"], capture_output=True, text=True).stderr
        return text.strip().split("/")[-1]

    def start(self, sim_port, folder):
        port = free_port()
        (folder / "temp").mkdir(exist_ok=True)
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        # More connections than descriptors: with few of them left nginx closes those that wait.
        config = NGINX_CONF.format(port=port, sim=sim_port, files=files, connections=files + files // 8)
        (folder / "nginx.conf").write_text(config)
        command = [self.program, "-p", folder, "-c", folder / "nginx.conf", "-e", "stderr"]
        return Server(command, SERVER_CORE, port)


class Haproxy:
    name = "HAProxy"
    program = "haproxy"

    def version(self):
        text = subprocess.run([self.program, "-v"], capture_output=True, text=True).stdout
        return re.search(r"version (\S+)", text).group(1)

    def start(self, sim_port, folder):
        port = free_port()
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        config = HAPROXY_CFG.format(port=port, sim=sim_port, connections=files // 2 - 50)
        (folder / "haproxy.cfg").write_text(config)
        return Server([self.program, "-f", folder / "haproxy.cfg", "-db"], SERVER_CORE, port)


class Fairlead:
    name = "Fairlead"
    program = str(BIN / "fairlead")

    def version(self):
        text = subprocess.run([self.program, "version"], capture_output=True, text=True).stdout
        return text.split()[-1]

    def config(self, sim_port, folder):
        return {
            "settings": {"workers": 1, "access_log": str(folder / "access.log"), "log_level": "warn",
                         "upstream_max_idle_connections": 4096, **self.settings},
            "listeners": [{"name": "bench", "address": "127.0.0.1:0", "serves": ["inference"], "auth": self.auth}],
            "servers": [{"name": "sim", "provider": "custom", "models": ["m"],
                         "endpoint": f"http://127.0.0.1:{sim_port}"}],
        }

    settings = {"cache_enabled": False, "rate_limit_enabled": False}
    auth = "none"

    def start(self, sim_port, folder):
        path = folder / "fairlead.yaml"
        path.write_text(json.dumps(self.config(sim_port, folder), indent=1))  # JSON is YAML
        command = [self.program, "serve", "--config", path, "--data", folder / "data"]
        return Server(command, SERVER_CORE, folder=folder,
                      ready_line=r"listening\s+\S+\s+http://\S+:(\d+)")


KEY = "fl-bench-0123456789abcdefghijklmnopqrstuvwxyz"


class FairleadWhole(Fairlead):
    """With all that a gateway does for a request: a client's key, limits, a cache that is asked, ledger and metrics."""

    name = "Fairlead, all on"
    settings = {"cache_enabled": True, "cache_max_memory_mb": 16, "rate_limit_enabled": True}
    auth = "keys"

    def config(self, sim_port, folder):
        config = super().config(sim_port, folder)
        self.sql_port = free_port()
        config["listeners"].append({"name": "sql", "address": f"127.0.0.1:{self.sql_port}", "serves": ["sql"]})
        return config

    def start(self, sim_port, folder):
        server = super().start(sim_port, folder)
        many = 1000000000
        for statement in (
                f"INSERT INTO ai_users (username, max_requests_per_minute, max_tokens_per_minute) VALUES ('bench', {many}, {many})",
                f"INSERT INTO ai_api_keys (name, username, api_key) VALUES ('bench', 'bench', '{KEY}')"):
            subprocess.run([BIN / "fairsql", "-P", str(self.sql_port), "-e", statement], check=True,
                           capture_output=True)
        return server


def bare_and_whole():
    return [Fairlead(), FairleadWhole()]


def available():
    """The systems that this machine can run; the others' names."""
    systems = [Nginx(), Haproxy(), Fairlead()]
    here = [system for system in systems if shutil.which(system.program)]
    return here, [system.name for system in systems if system not in here]
