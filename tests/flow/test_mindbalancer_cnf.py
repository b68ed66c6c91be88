# SPDX-License-Identifier: Apache-2.0
"""mindbalancer.cnf: the file that MindBalancer's users have, as Fairlead's configuration."""
import os
import pty
import re
import signal
import ssl
import subprocess
import termios

import httpx
import pytest
from programs import BIN, PATIENCE, Program, run

# Own words; keys and values are those of MindBalancer's example file.
EVERY_KEY = """\
# what a first installation has
[mindbalancer]
admin_bind_address = 127.0.0.1  # loopback
admin_port = 6032               # MySQL protocol
admin_http_port = 6033
proxy_bind_address = 0.0.0.0
proxy_port = 6034
data_dir = /var/lib/mindbalancer
log_level = info    # debug, info, warn, error
log_format = json   ; json, text
log_file = /var/log/mindbalancer/mindbalancer.log
failover_enabled = true
max_retries = 3
retry_delay_ms = 100
retry_max_delay_ms = 5000
retry_multiplier = 2.0
circuit_breaker_enabled = true
circuit_breaker_threshold = 5          # failures
circuit_breaker_timeout_ms = 30000
circuit_breaker_success_threshold = 2
health_check_enabled = true
health_check_interval_ms = 5000
health_check_timeout_ms = 3000
max_connections_per_server = 100
connection_timeout_ms = 10000
idle_timeout_ms = 60000
request_timeout_ms = 120000
max_request_body_size = 10485760       # 10 MiB
rate_limit_enabled = true
default_requests_per_minute = 1000
default_tokens_per_minute = 100000
prometheus_enabled = true
prometheus_port = 9090
prometheus_path = /metrics
admin_username = admin
admin_password_hash = ""               # none
admin_password = ""
api_key_encryption_key = ""
tls_enabled = false
tls_cert_file = /etc/mindbalancer/server.crt
tls_key_file = /etc/mindbalancer/server.key
cluster_enabled = false
cluster_name = mindbalancer-cluster
cluster_peers = []
cache_enabled = true
cache_max_size = 10000
cache_max_memory_mb = 512
cache_ttl_seconds = 300
cache_max_item_size_kb = 2048
cache_compression_enabled = true
cache_embeddings_ttl_hours = 24
referee_enabled = true
referee_min_responses = 2
referee_timeout_ms = 60000
referee_max_providers = 4
referee_default_model = gpt-4o
"""

FREE = {"proxy_bind_address": "127.0.0.1", "proxy_port": 0, "admin_port": 0, "admin_http_port": 0, "prometheus_port": 0,
        "data_dir": "./data"}


def cnf(**changes):
    """A small file with free ports."""
    keys = {**FREE, **changes}
    return "[mindbalancer]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items() if value is not None)


class Server(Program):
    """fairlead with what stands in `folder`."""

    def __init__(self, folder, *arguments, env=None):
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__([BIN / "fairlead", *arguments], {"HOME": str(folder / "home"), **(env or {})}, cwd=folder)
        self.wait_line(r"^ready$")
        self.listeners = dict(re.findall(r"^listening  (\S+) +(https?://\S+)", self.output, re.M))


@pytest.fixture
def serve(started, tmp_path):
    return lambda *arguments, folder=tmp_path, **more: started.add(Server(folder, *arguments, **more))


def test_the_example_is_good_as_it_is(tmp_path):
    path = tmp_path / "mindbalancer.cnf"
    path.write_text(EVERY_KEY)
    checked = run("check", "--config", path)
    assert checked.process.returncode == 0, checked.error_output
    assert "good" in checked.output
    assert [line.split(": ", 1)[1] for line in checked.errors] == [
        "notice: cache_compression_enabled: the cache keeps answers as they are; "
        "cache_max_memory_mb limits it all the same",
        "notice: referee_enabled: this version has no referee mode",
    ]


def test_every_fault_with_its_place(tmp_path):
    path = tmp_path / "mindbalancer.cnf"
    path.write_text("[mindbalancer]\nproxy_prt = 1\n  max_retries = many\napi_key_encryption_key = fifteen-letters\n")
    checked = run("check", "-config", path)
    assert checked.process.returncode == 1
    assert checked.errors == [
        f"{path}:2:1: unknown key 'proxy_prt'; did you mean 'proxy_port'?",
        f"{path}:3:17: max_retries: 'many' is not a whole number from 0 to 20",
        f"{path}:4:26: api_key_encryption_key: shorter than 16 bytes",
    ]


def test_serves_what_the_file_says(serve, tmp_path):
    (tmp_path / "own.cnf").write_text(cnf(max_retries=1))
    server = serve("-config", "own.cnf")
    assert "configured own.cnf" in server.output
    assert (tmp_path / "data").is_dir()
    assert httpx.get(server.listeners["metrics"] + "/metrics").status_code == 200
    assert httpx.get(server.listeners["api"] + "/v1/models").status_code == 200


def test_places_where_it_is_looked_for(serve, tmp_path):
    home = tmp_path / "home" / ".mindbalancer"
    home.mkdir(parents=True)
    (home / "mindbalancer.cnf").write_text(cnf(data_dir="~/of/home"))
    first = serve()
    assert f"configured {home}/mindbalancer.cnf" in first.output
    assert (tmp_path / "home/of/home").is_dir()
    (tmp_path / "mindbalancer.cnf").write_text(cnf(data_dir="./of-folder"))
    second = serve()
    assert "configured mindbalancer.cnf" in second.output
    assert (tmp_path / "of-folder").is_dir()
    (tmp_path / "fairlead.yaml").write_text(
        'data_dir: ./of-yaml\nlisteners: [{name: api, address: "127.0.0.1:0", serves: [inference]}]\n')
    third = serve()
    assert "configured fairlead.yaml" in third.output


def test_a_reload_reads_the_format_too(serve, tmp_path):
    path = tmp_path / "mindbalancer.cnf"
    path.write_text(cnf())
    server = serve("--config", path)
    path.write_text(cnf(max_retries=0, cache_ttl_ms=5))
    server.send_signal(signal.SIGHUP)
    server.wait_error(r"generation \d+ is in force")
    path.write_text(cnf(max_retries=99))
    server.send_signal(signal.SIGHUP)
    server.wait_error(r"mindbalancer.cnf:8:15: max_retries: '99' is not a whole number from 0 to 20")
    server.wait_error(r"reload refused")
    path.write_text(cnf(prometheus_enabled="false"))
    server.send_signal(signal.SIGHUP)
    server.wait_error(r"changed listeners or data_dir need a restart")
    assert httpx.get(server.listeners["metrics"] + "/metrics").status_code == 200


def test_tls(serve, tmp_path):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
                    tmp_path / "key.pem", "-out", tmp_path / "cert.pem", "-days", "2", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    (tmp_path / "mindbalancer.cnf").write_text(cnf(tls_cert_file="cert.pem", tls_key_file="key.pem"))
    server = serve()
    assert server.listeners["api"].startswith("https://")
    assert server.listeners["metrics"].startswith("http://")
    trust = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
    assert httpx.get(server.listeners["api"] + "/v1/models", verify=trust).status_code == 200


def test_a_data_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "mindbalancer.cnf").write_text(cnf(data_dir=tmp_path / "file" / "data"))
    ended = run("--config", tmp_path / "mindbalancer.cnf", cwd=tmp_path)
    assert ended.process.returncode == 1
    assert ended.errors == [f"fairlead: data folder {tmp_path}/file/data: Not a directory; name another one: "
                            "data_dir in the configuration, or --data DIR"]


def test_import_gives_the_same_configuration(serve, tmp_path):
    """Its output is the input's equal: importing it again changes nothing."""
    path = tmp_path / "mindbalancer.cnf"
    path.write_text(EVERY_KEY + "load_balancing_algorithm = random\nadmin_password")  # and a line without '='
    assert run("import", path).process.returncode == 1
    path.write_text(EVERY_KEY.replace('admin_password = ""', "admin_password = 'clear # text'"))
    first = run("import", path)
    assert first.process.returncode == 0, first.error_output
    assert "clear" not in first.output and '"${FAIRLEAD_ADMIN_PASSWORD}" # set this' in first.output
    (tmp_path / "fairlead.yaml").write_text(first.output)
    assert run("check", "--config", tmp_path / "fairlead.yaml").process.returncode == 1  # the variable is not set
    env = {"FAIRLEAD_ADMIN_PASSWORD": "clear # text"}
    assert run("check", "--config", tmp_path / "fairlead.yaml", env=env).process.returncode == 0
    second = run("import", tmp_path / "fairlead.yaml", env=env)
    assert second.output == first.output


def test_import_does_not_print_a_database(tmp_path):
    path = tmp_path / "mindbalancer.db"
    subprocess.run(["sqlite3", path, "CREATE TABLE t (a)"], check=True)
    ended = run("import", path)
    assert ended.process.returncode == 1
    assert ended.output == "" and "DATA_DIR/mindbalancer.db" in ended.error_output


def hash_password(*arguments, text=""):
    return subprocess.run([BIN / "fairlead", *arguments], input=text, capture_output=True, text=True, timeout=PATIENCE)


@pytest.mark.parametrize("command", ["hash-password", "-hash-password", "--hash-password"])
def test_hash_password_from_a_pipe(command):
    done = hash_password(command, text="open sesame\nsecond line\n")
    assert done.returncode == 0 and done.stderr == ""
    assert re.fullmatch(r"\$argon2id\$v=19\$\S+\n", done.stdout)


def test_hash_password_in_the_command_line():
    done = hash_password("-hash-password", "open sesame")
    assert done.returncode == 0 and done.stdout.startswith("$argon2id$") and "seen by others" in done.stderr


@pytest.mark.parametrize("text, why", [("", "no password was given"), ("\n", "the password is empty"),
                                       ("x" * 2000, "the password is too long")])
def test_hash_password_refuses(text, why):
    done = hash_password("hash-password", text=text)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"fairlead: hash-password: {why}\n")


def at_terminal(first, second):
    """What a person sees who types these two lines, and the exit status."""
    master, slave = pty.openpty()
    process = subprocess.Popen([BIN / "fairlead", "hash-password"], stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    seen = b""

    def until(text):
        nonlocal seen
        while text not in seen:
            seen += os.read(master, 4096)

    until(b"Password: ")
    os.write(master, first.encode() + b"\n")
    until(b"Once more: ")
    os.write(master, second.encode() + b"\n")
    try:
        while chunk := os.read(master, 4096):
            seen += chunk
    except OSError:  # how Linux tells that nobody has the terminal any more
        pass
    os.close(master)
    return seen.decode(), process.wait(PATIENCE)


def test_hash_password_at_a_terminal():
    seen, status = at_terminal("geheim1", "geheim1")
    assert status == 0 and "geheim" not in seen and "$argon2id$" in seen
    seen, status = at_terminal("geheim1", "geheim2")
    assert status == 1 and "geheim" not in seen and "the two passwords differ" in seen


def test_an_interrupted_question_leaves_the_terminal_as_it_was():
    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    process = subprocess.Popen([BIN / "fairlead", "hash-password"], stdin=slave, stdout=slave, stderr=slave)
    seen = b""
    while b"Password: " not in seen:
        seen += os.read(master, 4096)
    assert not termios.tcgetattr(slave)[3] & termios.ECHO
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == -signal.SIGINT
    assert termios.tcgetattr(slave) == before
    os.close(slave)
    os.close(master)


@pytest.mark.parametrize("spelling", ["version", "-version", "--version"])
def test_version(spelling):
    assert re.fullmatch(r"fairlead \d+\.\d+\.\d+", run(spelling).output)
