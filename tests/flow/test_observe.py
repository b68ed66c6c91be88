# SPDX-License-Identifier: Apache-2.0
"""What can be seen: metrics, access log, fields of answers. And what must not be: secrets."""
import json
import re
import signal
import subprocess

import httpx
import pytest
from programs import header, server, wait_for
from prometheus_client.parser import text_string_to_metric_families

PROVIDER_KEY, MASTER_KEY = "provider-secret-0815", "master-secret-4711"


def families(gw):
    """{name: family} of /metrics, strictly parsed; each sample once."""
    answer = httpx.get(gw.listeners["metrics"] + "/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    found = {}
    for family in text_string_to_metric_families(answer.text):
        assert family.name not in found and family.documentation and family.type != "unknown"
        keys = [(s.name, tuple(sorted(s.labels.items()))) for s in family.samples]
        assert len(keys) == len(set(keys))
        found[family.name] = family
    return found


def test_metrics_are_well_formed_and_histograms_add_up(sim, gateway):
    gw = gateway(sim())
    gw.chat()
    wait_for(lambda: gw.metric("fairlead_requests_total", server="s0", code="2xx") == 1)
    histograms = [f for f in families(gw).values() if f.type == "histogram"]
    assert len(histograms) == 5
    for family in histograms:
        buckets = [s for s in family.samples if s.name.endswith("_bucket") and s.labels["server"] == "s0"]
        values = [s.value for s in buckets]
        assert values == sorted(values) and buckets[-1].labels["le"] == "+Inf" and values[-1] == 1


def test_counters(sim, gateway):
    ill, well = sim(fault="status=500"), sim(tokens=7)
    gw = gateway(ill, well, server_options=[{"weight": 1000}, {"weight": 1}], retry_initial_delay_ms=1,
                 hostgroups=[{"id": 0, "strategy": "weighted_round_robin"}], circuit_breaker_threshold=100)
    for _ in range(4):
        assert gw.chat().status_code == 200
    assert gw.chat(stream=True).status_code == 200
    gw.chat("nothing")
    wait_for(lambda: gw.metric("fairlead_requests_total", server="", code="4xx") == 1)
    assert gw.metric("fairlead_requests_total", server="s1", code="2xx") == 5
    assert gw.metric("fairlead_upstream_attempts_total", server="s0") == 5
    assert gw.metric("fairlead_retries_total", server="s0") == 5
    assert gw.metric("fairlead_upstream_error_statuses_total", server="s0") == 5
    assert gw.metric("fairlead_output_tokens_total", server="s1") == 35
    assert gw.metric("fairlead_upstream_reused_connections_total", server="s1") >= 3
    assert gw.metric("fairlead_requests_in_flight") == 0
    assert gw.metric("fairlead_server_in_flight", server="s0") == 0


def test_labels_come_only_from_configured_names(sim, gateway):
    gw = gateway(sim())
    for i in range(20):
        gw.chat(f"invented-{i}", headers={"X-User": f"user-{i}"})
        gw.http.get(f"/v1/path-{i}")
    text = gw.metrics()
    assert "invented" not in text and "user-" not in text and "path-" not in text


def wait_log(gw, count):
    wait_for(lambda: len(gw.log_lines()) >= count, f"{count} lines of the access log")
    return gw.log_lines()


def test_access_log(sim, gateway):
    gw = gateway(sim(tokens=7))
    gw.chat(headers={"X-Request-ID": "id-1", "X-User": "alice"})
    gw.chat(stream=True)
    gw.chat("no\n\"such\" é")
    whole, stream, missing = wait_log(gw, 3)
    assert (whole["id"], whole["user"], whole["model"], whole["server"]) == ("id-1", "alice", "m", "s0")
    assert (whole["method"], whole["path"], whole["api"]) == ("POST", "/v1/chat/completions", "chat")
    assert (whole["status"], whole["stream"], whole["attempts"], whole["output_tokens"]) == (200, False, 1, 7)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,6}Z", whole["time"])
    assert re.fullmatch(r"127\.0\.0\.1:\d+", whole["client"])
    assert whole["bytes_in"] > 0 and whole["bytes_out"] > 0 and "error" not in whole
    assert whole["total_us"] >= whole["first_byte_us"] >= 0
    assert stream["stream"] is True and stream["output_tokens"] == 7
    assert (missing["status"], missing["error"], missing["model"]) == (404, "model_not_found", "no\n\"such\" é")
    assert "server" not in missing and missing["attempts"] == 0


def test_a_client_that_leaves_is_logged(sim, gateway, wire):
    backend = sim(first_byte_ms=60_000)
    gw = gateway(backend)
    client = wire(gw)
    client.post('{"model":"m","messages":[]}')
    backend.wait_state(in_flight=1)
    client.close()
    assert wait_log(gw, 1)[0]["status"] == 499
    backend.wait_state(in_flight=0)


def test_text_log_to_a_file_that_is_rotated(sim, gateway, tmp_path):
    path = tmp_path / "access.log"
    gw = gateway(sim(), access_log=str(path), access_log_format="text")
    gw.chat("m", headers={"X-Request-ID": "first"})
    wait_for(lambda: " first POST /v1/chat/completions m s0 200 total=" in path.read_text())
    path.rename(tmp_path / "access.log.1")
    gw.send_signal(signal.SIGHUP)
    wait_for(path.exists)
    gw.chat("m", headers={"X-Request-ID": "second"})
    wait_for(lambda: path.read_text().count("\n") == 1 and "second" in path.read_text())


def test_no_log_at_all(sim, gateway):
    gw = gateway(sim(), access_log="off")
    gw.chat()
    gw.stop()
    assert gw.log_lines() == []


def test_fields_of_an_answer(sim, gateway):
    gw = gateway(sim(first_byte_ms=50))
    for answer in (gw.chat(), gw.chat(stream=True)):
        assert answer.headers["X-Fairlead-Server"] == "s0"
        assert answer.headers["X-Fairlead-Queue-Ms"] == "0"
        assert "X-Retry-Count" not in answer.headers
        timing = dict(re.findall(r"(\w+);dur=([\d.]+)", answer.headers["Server-Timing"]))
        assert list(timing) == ["parse", "queue", "connect", "ttfb", "overhead"]
        assert 45 < float(timing["ttfb"]) < 10_000 and float(timing["overhead"]) < 1000


def test_the_servers_cookies_and_the_clients_secrets_stay(sim, gateway):
    backend = sim()
    gw = gateway(backend)
    secrets = {"Authorization": "Bearer a", "X-Api-Key": "b", "Api-Key": "c", "X-Goog-Api-Key": "d", "Cookie": "e=f"}
    gw.chat(headers=secrets | {"Connection": "X-Hop", "X-Hop": "1", "X-Kept": "2"})
    record = backend.requests(1)[0]
    assert all(header(record, name) is None for name in [*secrets, "X-Hop"])
    assert header(record, "X-Kept") == "2" and header(record, "X-Request-ID")


@pytest.fixture
def guarded(sim, fairlead):
    listeners = [{"name": "api", "address": "127.0.0.1:0", "serves": ["inference"], "auth": "master",
                  "master_key": MASTER_KEY},
                 {"name": "metrics", "address": "127.0.0.1:0", "serves": ["metrics"]}]
    backend = sim(require_key=PROVIDER_KEY)
    gw = fairlead({"listeners": listeners, "settings": {"log_level": "debug"},
                   "servers": [server(backend, "s", models=["m"], api_key=PROVIDER_KEY)]})
    return backend, gw


@pytest.mark.parametrize("name, prefix", [("Authorization", "Bearer "), ("Authorization", "bearer "),
                                          ("x-api-key", ""), ("api-key", ""), ("x-goog-api-key", "")])
def test_master_key(guarded, name, prefix):
    _, gw = guarded
    assert gw.chat(headers={name: prefix + MASTER_KEY}).status_code == 200
    for wrong in (MASTER_KEY[:-1], MASTER_KEY + "x", MASTER_KEY.upper()):
        answer = gw.chat(headers={name: prefix + wrong})
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "invalid_api_key"


def test_what_is_open_without_a_key(guarded):
    backend, gw = guarded
    answer = gw.chat()
    assert answer.status_code == 401 and answer.headers["WWW-Authenticate"] == "Bearer"
    statuses = {path: gw.http.get(path).status_code for path in ("/healthz", "/readyz", "/v1/models", "/v1/other")}
    assert statuses == {"/healthz": 200, "/readyz": 200, "/v1/models": 401, "/v1/other": 401}
    assert backend.state()["received"] == 0


def test_secrets_are_nowhere_to_be_seen(guarded):
    backend, gw = guarded
    seen = []
    for fault in ("", "status=401", "status=500", "reset-before-head", "close-after-head"):
        answer = gw.chat(headers={"Authorization": f"Bearer {MASTER_KEY}", "X-Sim-Fault": fault})
        seen += [answer.text, str(answer.headers)]
    seen += [gw.chat(headers={"Authorization": "Bearer wrong-secret"}).text, gw.metrics(),
             gw.http.get("/v1/models", headers={"Authorization": f"Bearer {MASTER_KEY}"}).text]
    gw.reload(json.loads(gw.config_path.read_text()))
    gw.stop()
    seen += [gw.output, gw.error_output]
    for secret in (PROVIDER_KEY, MASTER_KEY, "wrong-secret"):
        assert all(secret not in text for text in seen)
    assert header(backend.requests(20)[0], "authorization") == f"Bearer {PROVIDER_KEY}"


def test_an_open_listener_before_paid_keys_is_warned_about(fairlead):
    listener = {"name": "wide", "address": "0.0.0.0:0", "serves": ["inference"]}
    gw = fairlead({"listeners": [listener], "servers": [server(9, "s", models=["m"], api_key="paid")]})
    gw.wait_error(r"wide is open to the network without authentication")


def test_mindbalancer_families_have_samples_after_one_request(sim, gateway):
    gw = gateway(sim(tokens=5))
    gw.chat()
    wait_for(lambda: gw.metric("fairlead_requests_total", server="s0", code="2xx") == 1)
    labels = {"server": "s0", "model": "m"}
    assert gw.metric("mindbalancer_requests_total", **labels, status="success") == 1
    assert gw.metric("mindbalancer_requests_total", **labels, status="error") == 0
    assert gw.metric("mindbalancer_request_duration_seconds_count", **labels) == 1
    assert gw.metric("mindbalancer_tokens_total", **labels, type="completion") == 5
    assert gw.metric("mindbalancer_tokens_total", **labels, type="prompt") == gw.metric(
        "fairlead_input_tokens_total", server="s0")
    assert gw.metric("mindbalancer_cost_usd_total", **labels, provider_type="custom") == 0
    assert gw.metric("fairlead_unpriced_requests_total", **labels) == 1
    assert gw.metric("mindbalancer_cache_hits_total", model="m") == 0
    assert gw.metric("mindbalancer_cache_misses_total", model="m") == 0
    assert gw.metric("mindbalancer_server_health", server="s0") == 1


def test_failures_and_streams_are_counted_by_model(sim, gateway):
    gw = gateway(sim(fault="status=400", models="m"))
    gw.chat()
    gw.chat(stream=True)
    wait_for(lambda: gw.metric("mindbalancer_requests_total", server="s0", model="m", status="error") == 2)
    assert gw.metric("mindbalancer_request_duration_seconds_count", server="s0", model="m") == 2


def test_cost_of_a_model_with_a_price(sim, gateway):
    """gpt-4o-mini: 0.15 and 0.60 USD per million tokens; a dated name costs the same."""
    name = "gpt-4o-mini-2024-07-18"
    gw = gateway(sim(tokens=1000, models=name), server_options={"models": [name]})
    gw.chat(name, stream=True)
    wait_for(lambda: gw.metric("mindbalancer_requests_total", server="s0", model=name, status="success") == 1)
    prompt = gw.metric("mindbalancer_tokens_total", server="s0", model=name, type="prompt")
    cost = gw.metric("mindbalancer_cost_usd_total", server="s0", model=name, provider_type="custom")
    assert cost == pytest.approx((prompt * 0.15 + 1000 * 0.60) / 1e6, abs=1e-12)
    assert gw.metric("fairlead_unpriced_requests_total", server="s0", model=name) == 0


def test_promtool_finds_nothing_to_mend(sim, gateway):
    gw = gateway(sim())
    gw.chat()
    gw.chat(stream=True)
    checked = subprocess.run(["promtool", "check", "metrics"], input=gw.metrics(), text=True, capture_output=True)
    assert (checked.returncode, checked.stderr, checked.stdout) == (0, "", "")
