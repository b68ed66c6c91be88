# SPDX-License-Identifier: Apache-2.0
"""The configuration file: checking, reloading, what only one process may have."""
import json
import re
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import programs
import pytest
from programs import header, run, server, wait_for

EXAMPLE = """\
data_dir: ./data
listeners:
  - {name: api,     address: "127.0.0.1:6034", serves: [inference], auth: none}   # none | optional | keys | master
  - {name: admin,   address: "127.0.0.1:6033", serves: [admin, metrics]}
  - {name: sql,     address: "127.0.0.1:6032", serves: [sql]}
  - {name: metrics, address: "127.0.0.1:9090", serves: [metrics]}
settings:                       # the names of SHOW VARIABLES
  workers: 2
  log_level: info
  max_retries: 3
  retry_initial_delay_ms: 100
  health_check_interval_ms: 5000
  circuit_breaker_threshold: 5
  queue_max_length: 1000
  queue_max_wait_ms: 30000
hostgroups:
  - {id: 0, name: chat, strategy: least_connections}   # weighted_round_robin | least_connections | latency | random
  - {id: 1, name: large, strategy: weighted_round_robin}
servers:
  - name: node-a
    provider: vllm              # a row of the provider table; openai for anything compatible
    endpoint: http://127.0.0.1:9101
    hostgroup: 0
    weight: 3
    max_concurrent: 16
  - name: node-b
    provider: openai
    endpoint: http://127.0.0.1:9102/v1      # with or without the /v1: never doubled
    api_key: ${NODE_B_KEY:-none}            # ${NAME}, ${NAME:-default}, or a file: {file: /run/secrets/key}
    hostgroup: 1
    models: [llama-3.3-70b, "qwen*"]        # left out: asked from the server
rules:
  - {priority: 10, match_model: "llama*", hostgroup: 1}
  - {priority: 20, match_model: "regex:gpt-oss:20b-(64|128)k.*", hostgroup: 0, rewrite_model: gpt-oss:20b}
"""

FAULTY = """\
listeners:
  - {name: api, address: "127.0.0.1:0", serves: [inference], ath: none}
settings:
  max_retires: 3
  queue_max_length: many
  circuit_breaker_threshold: 0
servers:
  - name: a
    provider: vlm
    endpoint: http://127.0.0.1:9101
  - name: b
    provider: custom
    endpoint: http://127.0.0.1:9102
  - name: b
    provider: custom
    endpoint: ftp://127.0.0.1
    api_key: {file: /nonexistent/key}
rules:
  - {match_model: "regex:(", hostgroup: 7}
"""
FAULTS = [  # line, column, words
    (2, 62, "unknown key 'ath' in listeners[0]; did you mean 'auth'?"),
    (4, 3, "unknown setting 'max_retires'; did you mean 'max_retries'?"),
    (5, 21, "queue_max_length: 'many'"), (6, 30, "circuit_breaker_threshold: '0'"),
    (9, 15, "unknown provider 'vlm' in servers[0]; did you mean 'vllm'?"), (14, 11, "duplicate name 'b'"),
    (16, 15, "endpoint in servers[2]"), (17, 21, "/nonexistent/key"),
    (19, 19, "match_model in rules[0]: missing"), (19, 41, "unknown hostgroup 7"),
]


def check(folder, text):
    path = folder / "fairlead.yaml"
    path.write_text(text)
    return run("check", "--config", path, cwd=folder)


def faults_of(program):
    """[(line, column, text)] of the reports on stderr."""
    found = [re.match(r".*fairlead\.yaml:(\d+):(\d+): (.*)", line) for line in program.errors]
    return [(int(m.group(1)), int(m.group(2)), m.group(3)) for m in found if m]


def test_the_designs_example_is_good(tmp_path):
    program = check(tmp_path, EXAMPLE)
    assert program.process.returncode == 0, program.error_output
    assert "2 servers, 2 hostgroups, 2 rules" in program.output


def test_the_designs_example_runs(sim, fairlead, tmp_path):
    """As it stands, but for the ports."""
    a, b = sim(models="gpt-oss:20b"), sim()
    text = re.sub(r"127\.0\.0\.1:(60|90)\d\d", "127.0.0.1:0", EXAMPLE)
    text = text.replace("127.0.0.1:9101", f"127.0.0.1:{a.port}").replace("127.0.0.1:9102", f"127.0.0.1:{b.port}")
    gw = fairlead(text, env={"NODE_B_KEY": "sesame"})
    wait_for(lambda: gw.chat("gpt-oss:20b").status_code == 200, "the models of node-a")
    assert gw.chat("llama-3.3-70b").headers["X-Fairlead-Server"] == "node-b"
    assert header(b.requests(1)[0], "authorization") == "Bearer sesame"
    assert b.requests(1)[0]["target"] == "/v1/chat/completions"
    assert gw.chat("gpt-oss:20b-128k-x").headers["X-Fairlead-Server"] == "node-a"
    assert '"model":"gpt-oss:20b"' in a.bodies(1)[0]
    assert gw.listeners["sql"].startswith("mysql://127.0.0.1:")


def test_all_faults_at_once_with_their_places(tmp_path):
    program = check(tmp_path, FAULTY)
    assert program.process.returncode == 1
    reports = faults_of(program)
    for line, column, words in FAULTS:
        assert any((line, column) == (l, c) and words in text for l, c, text in reports), (line, column, words)
    assert reports == sorted(reports)


def test_bad_expressions_have_places_too(tmp_path):
    rules = "rules:\n  - {match_model: \"regex:(\", hostgroup: 0}\n  - {match_pattern: \"[\", hostgroup: 0}\n"
    program = check(tmp_path, EXAMPLE.split("rules:")[0] + rules + "colour: red\n")
    assert program.process.returncode == 1
    first = EXAMPLE.split("rules:")[0].count("\n") + 1
    lines = [line for line, _, _ in faults_of(program)]
    assert lines == [first + 1, first + 2, first + 3], program.error_output


@pytest.mark.parametrize("text, place", [
    ("servers: [", ""), ("a: b: c", "1:"), ("settings: {workers: 1, workers: 2}", "1:"), ("servers: 5", "1:"),
    ("\t", "1:"), ("servers:\n  - {name: a}\n", "2:"), ("settings:\n  workers: -1\n", "2:"),
    ("data_dir: ${NO_SUCH_VARIABLE}\n", "1:"), ("servers: &a [*a]\n", "1:")])
def test_a_fault_has_a_place(tmp_path, text, place):
    program = check(tmp_path, text)
    assert program.process.returncode == 1
    assert f"fairlead.yaml:{place}" in program.error_output


def test_a_missing_file_is_named(tmp_path):
    program = run("check", "--config", tmp_path / "nowhere.yaml")
    assert program.process.returncode == 1
    assert "nowhere.yaml" in program.error_output and "no such file" in program.error_output


def test_serve_refuses_a_faulty_file(tmp_path):
    path = tmp_path / "fairlead.yaml"
    path.write_text(FAULTY)
    program = run("serve", "--config", path, "--data", tmp_path / "data")
    assert program.process.returncode == 1
    assert len(faults_of(program)) == len(FAULTS) and "ready" not in program.lines


def test_one_dash_works_too(tmp_path):
    (tmp_path / "f.yaml").write_text(EXAMPLE)
    assert run("check", "-config", tmp_path / "f.yaml").process.returncode == 0


def test_keys_from_environment_and_file(sim, fairlead, tmp_path):
    sims = [sim() for _ in range(3)]
    (tmp_path / "key").write_text("from-file\n")
    keys = ["${FIRST_KEY}", "${SECOND_KEY:-by default}".replace(" ", "-"), {"file": str(tmp_path / "key")}]
    servers = [server(s, f"s{i}", models=[f"m{i}"], api_key=key) for i, (s, key) in enumerate(zip(sims, keys))]
    gw = fairlead({"servers": servers}, env={"FIRST_KEY": "from-environment"})
    for i, wanted in enumerate(["from-environment", "by-default", "from-file"]):
        assert gw.chat(f"m{i}").status_code == 200
        assert header(sims[i].requests(1)[0], "authorization") == f"Bearer {wanted}"


@pytest.fixture
def reloading(sim, fairlead):
    """(Fairlead with server "a", the configuration with server "b" instead)."""
    gw = fairlead({"servers": [server(sim(), "a", models=["m"])]})
    return gw, {"servers": [server(sim(), "b", models=["m"])]}


def test_hangup_signal_applies_a_new_file(reloading):
    gw, other = reloading
    assert gw.chat().headers["X-Fairlead-Server"] == "a"
    gw.reload(other)
    assert gw.chat().headers["X-Fairlead-Server"] == "b"
    assert gw.metric("fairlead_config_generation") >= 2


def test_a_broken_file_changes_nothing_and_says_why(reloading):
    gw, other = reloading
    generation = gw.metric("fairlead_config_generation")
    for text, why in [(FAULTY, r":4:3: .*max_retires"), ("servers: [", r"fairlead.yaml:\d"), ("", None)]:
        gw.write_config(text or json.dumps({"listeners": []}))
        seen = len(gw.errors)
        gw.send_signal(signal.SIGHUP)
        wait_for(lambda: gw.find_line("reload refused", gw.errors[seen:]), "the refusal")
        assert why is None or gw.find_line(why, gw.errors[seen:])
        assert gw.chat().headers["X-Fairlead-Server"] == "a"
    assert gw.metric("fairlead_config_generation") == generation
    gw.reload(other)
    assert gw.chat().headers["X-Fairlead-Server"] == "b"


def test_what_needs_a_restart_is_refused_by_name(reloading):
    gw, other = reloading
    gw.write_config({**other, "settings": {"workers": 3}})
    gw.send_signal(signal.SIGHUP)
    gw.wait_error(r"need a restart: .*workers")
    assert gw.chat().headers["X-Fairlead-Server"] == "a"


def test_settings_apply_to_new_requests(sim, gateway):
    gw = gateway(sim(), max_body_bytes=2048)
    big = "x" * 1_500_000
    assert gw.chat(text=big).status_code == 413
    config = json.loads(gw.config_path.read_text())
    config["settings"]["max_body_bytes"] = 64 << 20
    gw.reload(config)
    wait_for(lambda: gw.chat(text=big).status_code == 200, "the larger limit", timeout=10)
    assert gw.chat(text="x" * (40 << 20)).status_code == 200


def test_watch(sim, fairlead):
    gw = fairlead({"servers": [server(sim(), "a", models=["m"])], "settings": {"config_watch": True}})
    gw.write_config({"servers": [server(sim(), "b", models=["m"])], "settings": {"config_watch": True}})
    wait_for(lambda: gw.chat().headers.get("X-Fairlead-Server") == "b", "the new file")


@pytest.mark.parametrize("change", ["another server each time", "one server comes and goes"])
def test_no_request_fails_while_reloading(sim, fairlead, change):
    """The requirement says every 100 ms; here each reload follows the one before."""
    sims = [sim(tokens=2), sim(tokens=2)]
    a, b = (server(s, name, models=["m"]) for s, name in zip(sims, "ab"))
    turns = [[a], [b]] if change.startswith("another") else [[a], [a, b]]
    gw = fairlead({"servers": turns[0], "settings": {"access_log": "off"}})
    stop, answers = threading.Event(), []

    def load(number):
        with httpx.Client(base_url=gw.url, timeout=30) as http:
            while not stop.is_set():
                answers.append(gw.chat(http=http, stream=number % 2 == 0))

    clients = [threading.Thread(target=load, args=(i,)) for i in range(4)]
    for client in clients:
        client.start()
    for i in range(100):
        gw.reload({"servers": turns[(i + 1) % 2], "settings": {"access_log": "off"}})
    stop.set()
    for client in clients:
        client.join()
    assert len(answers) > 100
    assert [a.text for a in answers if a.status_code != 200] == []


def test_a_request_between_two_attempts_survives_a_reload(sim, fairlead):
    """It backs off for a server that the new file no longer has."""
    old, new = sim(fault="status=500"), sim()
    gw = fairlead({"servers": [server(old, "old", models=["m"])],
                   "settings": {"retry_initial_delay_ms": 1000, "max_retries": 2}})
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(gw.chat)
        old.wait_state(received=1, in_flight=0)
        gw.reload({"servers": [server(new, "new", models=["m"])]})
        assert answer.result().status_code == 200
    assert answer.result().headers["X-Fairlead-Server"] == "new"


def test_a_second_instance_on_the_same_folder(reloading):
    gw, other = reloading
    (gw.folder / "second.yaml").write_text(json.dumps(programs.complete(other)))
    program = run("serve", "--config", gw.folder / "second.yaml", "--data", gw.folder / "data")
    assert program.process.returncode == 1
    assert re.search(rf"data folder \S+/data is in use by another Fairlead \(process {gw.pid}\)", program.error_output)
    assert gw.chat().status_code == 200


def test_a_second_instance_on_the_same_port(reloading, tmp_path):
    gw, other = reloading
    listener = {"name": "api", "address": f"127.0.0.1:{gw.port}", "serves": ["inference"]}
    (tmp_path / "second.yaml").write_text(json.dumps({**other, "listeners": [listener]}))
    program = run("serve", "--config", tmp_path / "second.yaml", "--data", tmp_path / "other-data")
    assert program.process.returncode == 1
    assert f"127.0.0.1:{gw.port}: another process" in program.error_output
    assert gw.chat().status_code == 200


def test_data_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "fairlead.yaml").write_text(json.dumps(programs.complete({"servers": []})))
    program = run("serve", "--config", tmp_path / "fairlead.yaml", "--data", tmp_path / "file" / "data")
    assert program.process.returncode == 1
    assert str(tmp_path / "file") in program.error_output


def test_manual_and_settings_are_printed():
    manual, settings = run("docs", "configuration"), run("settings")
    assert manual.process.returncode == 0 and settings.process.returncode == 0
    names = [line.split()[0] for line in settings.lines]
    assert "max_retries" in names and all(name in manual.output for name in names)
