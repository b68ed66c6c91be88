# SPDX-License-Identifier: Apache-2.0
"""Servers that fail: retries, circuit breaker, health checks."""
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from programs import wait_for

FIRST = [{"weight": 1000}, {"weight": 1}]  # so that the first request goes to s0
ROUND_ROBIN = [{"id": 0, "strategy": "weighted_round_robin"}]


@pytest.fixture
def pair(sim, gateway):
    """pair(fault): (s0 with the fault, s1, Fairlead); the first request goes to s0."""

    def start(fault="", **settings):
        sims = [sim(tokens=3, fault=fault), sim(tokens=3)]
        settings = {"retry_initial_delay_ms": 1, **settings}
        return *sims, gateway(*sims, server_options=FIRST, hostgroups=ROUND_ROBIN, **settings)

    return start


@pytest.fixture
def alone(sim, gateway):
    """alone(fault): (simulator, Fairlead in front of it)."""

    def start(fault="", **settings):
        backend = sim(tokens=3, fault=fault)
        return backend, gateway(backend, **settings)

    return start


def gaps(backend):
    """Milliseconds between the arrivals."""
    times = [record["arrival_us"] / 1000 for record in backend.requests()]
    return [b - a for a, b in zip(times, times[1:])]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", ["status=429", "status=500", "status=502", "status=503", "status=504", "status=529",
                                   "reset-before-head", "reset-after-head", "close-after-head", "cut=0", "cut=30",
                                   "reset=30"])
def test_another_server_answers(pair, fault, stream):
    ill, well, gw = pair(fault)
    answer = gw.chat(stream=stream)
    assert answer.status_code == 200
    assert answer.headers["X-Retry-Count"] == "1" and answer.headers["X-Fairlead-Server"] == "s1"
    assert (ill.state()["received"], well.state()["received"]) == (1, 1)
    assert ill.bodies() == well.bodies()
    assert not stream or answer.text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize("status", [400, 401, 404, 422, 501])
def test_other_statuses_are_the_clients_business(pair, status):
    ill, well, gw = pair(f"status={status}")
    answer = gw.chat()
    assert answer.status_code == status and "X-Retry-Count" not in answer.headers
    assert "scripted fault" in answer.json()["error"]["message"]
    assert well.state()["received"] == 0


def gone(backend, gw):
    """Stops a simulator that Fairlead believes to be well, and goes on believing."""
    wait_for(lambda: backend.state()["probes"] > 0, "the first probe")
    backend.stop()
    return gw


def test_connection_refused(pair):
    backend, _, gw = pair(health_check_interval_ms=3_600_000)
    gone(backend, gw)
    answer = gw.chat()
    assert answer.status_code == 200 and answer.headers["X-Retry-Count"] == "1"
    assert gw.metric("fairlead_upstream_connect_failures_total", server="s0") == 1


def test_nobody_there(alone):
    backend, gw = alone(health_check_interval_ms=3_600_000, max_retries=1, retry_initial_delay_ms=1)
    gone(backend, gw)
    answer = gw.chat()
    assert answer.status_code == 502
    assert answer.json()["error"]["code"] == "upstream_unreachable"
    assert answer.headers["X-Retry-Count"] == "1"


def test_backoff_doubles(alone):
    backend, gw = alone("status=500,times=3")
    assert gw.chat().headers["X-Retry-Count"] == "3"
    for gap, nominal in zip(gaps(backend), (100, 200, 400), strict=True):
        assert 0.89 * nominal <= gap <= 1.1 * nominal + 300


def test_backoff_settings(alone):
    backend, gw = alone("status=500,times=3", retry_initial_delay_ms=50, retry_multiplier=10, retry_max_delay_ms=100)
    assert gw.chat().status_code == 200
    for gap, nominal in zip(gaps(backend), (50, 100, 100), strict=True):
        assert 0.89 * nominal <= gap <= nominal + 300


@pytest.mark.parametrize("fault, least", [("status=503,retry-after=1", 1000), ("status=429,retry-after-ms=300", 300),
                                          ("status=429,retry-after=3,retry-after-ms=300", 300)])
def test_retry_after_is_waited_out(alone, fault, least):
    backend, gw = alone(fault + ",times=1", retry_initial_delay_ms=1)
    assert gw.chat().status_code == 200
    assert least - 5 <= gaps(backend)[0] <= least + 700


def test_retry_after_of_one_server_does_not_hold_up_the_other(pair):
    ill, well, gw = pair("status=429,retry-after=20")
    start = time.monotonic()
    for _ in range(5):
        assert gw.chat().headers["X-Fairlead-Server"] == "s1"
    assert time.monotonic() - start < 10
    assert ill.state()["received"] == 1, "it asked to be left alone"


def test_a_long_retry_after_is_passed_on(alone):
    backend, gw = alone("status=429,retry-after=60")
    start = time.monotonic()
    answer = gw.chat()
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "60")
    assert time.monotonic() - start < 10
    assert backend.state()["received"] == 1


@pytest.mark.parametrize("retries", [0, 1, 4])
def test_max_retries_and_the_last_error(alone, retries):
    backend, gw = alone("status=503", max_retries=retries, retry_initial_delay_ms=1)
    answer = gw.chat()
    assert answer.status_code == 503
    assert answer.json()["error"]["message"] == "scripted fault"
    assert backend.state()["received"] == 1 + retries
    assert answer.headers.get("X-Retry-Count", "0") == str(retries)


def test_retry_budget(alone):
    backend, gw = alone("status=500", retry_initial_delay_ms=1, retry_budget_percent=20, retry_budget_min_per_second=0,
                        circuit_breaker_threshold=10_000)
    for _ in range(50):
        assert gw.chat().status_code == 500
    assert 50 < backend.state()["received"] <= 60


def test_circuit_opens_and_fails_fast(alone):
    backend, gw = alone("status=500", max_retries=0, circuit_breaker_threshold=3)
    assert [gw.chat().status_code for _ in range(3)] == [500] * 3
    answer = gw.chat()
    assert answer.status_code == 503 and answer.json()["error"]["code"] == "no_servers"
    assert 1 <= int(answer.headers["Retry-After"]) <= 30
    assert backend.state()["received"] == 3
    assert gw.metric("fairlead_server_breaker_state", server="s0") == 1


def test_success_between_failures_keeps_the_circuit_closed(alone):
    backend, gw = alone(max_retries=0, circuit_breaker_threshold=2)
    for _ in range(4):
        backend.fault("status=500")
        assert gw.chat().status_code == 500
        backend.fault("")
        assert gw.chat().status_code == 200


def test_half_open_lets_one_trial_pass_at_a_time(alone):
    backend, gw = alone("status=500", max_retries=0, circuit_breaker_threshold=1, circuit_breaker_timeout_ms=100,
                        circuit_breaker_success_threshold=6)
    gw.chat()
    backend.reset()
    backend.fault("")
    backend.configure(first_byte_ms=50)
    with ThreadPoolExecutor(6) as pool:
        wait_for(lambda: gw.chat().status_code == 200, "the end of the pause")
        answers = list(pool.map(lambda _: gw.chat(), range(5)))
    assert [a.status_code for a in answers] == [200] * 5
    assert backend.state()["max_in_flight"] == 1
    assert gw.metric("fairlead_server_breaker_state", server="s0") == 0


def test_failed_trial_opens_again(alone):
    backend, gw = alone("status=500", max_retries=0, circuit_breaker_threshold=1, circuit_breaker_timeout_ms=200)
    gw.chat()
    wait_for(lambda: backend.state()["received"] == 2 or not gw.chat(), "the trial", interval=0.005)
    assert gw.chat().json()["error"]["code"] == "no_servers"
    assert gaps(backend)[0] >= 199


def test_health_check_takes_out_and_brings_back(sim, gateway):
    sims = [sim(tokens=1), sim(tokens=1)]
    gw = gateway(*sims, health_check_interval_ms=100, health_check_timeout_ms=200)
    for status in (503, 0):  # an error, and no answer at all
        sims[0].health(status)
        wait_for(lambda: gw.metric("fairlead_server_healthy", server="s0") == 0)
        before = sims[0].state()["received"]
        assert {gw.chat().headers["X-Fairlead-Server"] for _ in range(20)} == {"s1"}
        assert sims[0].state()["received"] == before
        sims[0].health(200)
        wait_for(lambda: gw.metric("fairlead_server_healthy", server="s0") == 1)
        wait_for(lambda: gw.chat().headers["X-Fairlead-Server"] == "s0")


def test_health_check_sees_a_dead_process(sim, gateway):
    sims = [sim(tokens=1), sim(tokens=1)]
    gw = gateway(*sims, health_check_interval_ms=100)
    sims[0].stop()
    wait_for(lambda: gw.metric("fairlead_server_healthy", server="s0") == 0)
    assert {gw.chat().headers["X-Fairlead-Server"] for _ in range(10)} == {"s1"}
    sim(tokens=1, listen=f"127.0.0.1:{sims[0].port}")
    wait_for(lambda: gw.chat().headers["X-Fairlead-Server"] == "s0")


def completion(gw):
    """A streamed completion: unlike a chat it has no event with the role before the first text."""
    return gw.http.post("/v1/completions", json={"model": "m", "prompt": "x", "stream": True})


def test_error_as_first_event_is_retried(pair):
    ill, well, gw = pair("error-event=0")
    answer = completion(gw)
    assert answer.headers["X-Retry-Count"] == "1"
    assert answer.text.endswith("data: [DONE]\n\n") and "error" not in answer.text
    assert (ill.state()["received"], well.state()["received"]) == (1, 1)


def test_error_as_first_event_is_told_at_last(alone):
    backend, gw = alone("error-event=0", max_retries=1, retry_initial_delay_ms=1)
    answer = completion(gw)
    assert backend.state()["received"] == 2
    assert answer.status_code >= 500 and answer.json()["error"]["message"]
    assert "[DONE]" not in answer.text


@pytest.mark.parametrize("fault", ["error-event=2", "events=20,event-bytes=100,cut=900",
                                   "events=20,event-bytes=100,reset=900"])
def test_never_retried_after_content(pair, fault):
    ill, well, gw = pair(fault)
    answer = gw.chat(stream=True)
    assert answer.status_code == 200 and answer.headers["X-Fairlead-Server"] == "s0"
    events = answer.text.split("\n\n")
    assert events.pop() == ""
    assert '"choices"' in events[0] and '"error"' in events[-1]
    assert "[DONE]" not in answer.text
    assert (ill.state()["received"], well.state()["received"]) == (1, 0)


def test_first_byte_timeout(pair):
    ill, well, gw = pair("stall=0", first_byte_timeout_ms=200)
    assert gw.chat().headers["X-Fairlead-Server"] == "s1"
    ill.wait_state(in_flight=0)


def test_idle_timeout_of_a_stream(alone):
    backend, gw = alone("events=20,event-bytes=100,stall=900", idle_timeout_ms=200)
    answer = gw.chat(stream=True)
    assert answer.text.count("choices") > 0 and "upstream_timeout" in answer.text
    backend.wait_state(in_flight=0)


def test_total_timeout(alone):
    backend, gw = alone("first-byte-ms=30000", total_timeout_ms=200)
    answer = gw.chat()
    assert answer.status_code == 504 and answer.json()["error"]["code"] == "request_deadline"
    backend.wait_state(in_flight=0)
