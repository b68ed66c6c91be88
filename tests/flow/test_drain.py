# SPDX-License-Identifier: Apache-2.0
"""SIGTERM: no new work, running work goes on up to a limit."""
import signal
import socket
import time

import httpx
import pytest
from programs import wait_for

STREAM = '{"model":"m","messages":[],"stream":true}'
ENDLESS = "X-Sim-Fault: events=1000000,interval-us=20000\r\n"


@pytest.fixture
def streaming(sim, gateway, wire):
    """streaming(settings): (simulator, Fairlead, connection with a stream under way that lasts about a second)."""

    def start(fault="X-Sim-Fault: events=50,interval-us=20000\r\n", **settings):
        backend = sim()
        gw = gateway(backend, **settings)
        client = wire(gw)
        client.post(STREAM, headers=fault)
        assert client.read_head().status == 200
        client.read_until(b"data: ")
        return backend, gw, client

    return start


def refuses_connections(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        return False
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:  # it was still in the queue of a listener that closed
        return False


def test_a_running_stream_ends_well(streaming):
    backend, gw, client = streaming()
    gw.send_signal(signal.SIGTERM)
    wait_for(lambda: refuses_connections(gw.port), "the listener to close")
    assert gw.is_running
    assert client.read_to_end().endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
    assert gw.wait_end() == 0
    assert backend.state()["completed"] == 1


def test_a_running_answer_says_close(sim, gateway, wire):
    backend = sim(first_byte_ms=500)
    gw = gateway(backend)
    client = wire(gw)
    client.post('{"model":"m","messages":[]}')
    backend.wait_state(in_flight=1)
    gw.send_signal(signal.SIGTERM)
    answer = client.read_answer()
    assert answer.status == 200 and answer["Connection"] == "close"
    assert client.is_closed_by_peer()
    assert gw.wait_end() == 0


def test_idle_connections_are_closed(streaming, wire):
    _, gw, client = streaming()
    idle, fresh = wire(gw), wire(gw)
    idle.send("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
    assert idle.read_answer().status == 200
    gw.send_signal(signal.SIGTERM)
    assert idle.is_closed_by_peer() and fresh.is_closed_by_peer()
    assert client.read_to_end().endswith(b"0\r\n\r\n")
    client.close()
    assert gw.wait_end() == 0


def test_a_new_request_on_a_connection_in_use_is_refused(streaming, wire):
    """A head that is half there when the signal comes: the rest gets an answer, and it is 503."""
    _, gw, _ = streaming(fault=ENDLESS, drain_timeout_ms=2000)
    half = wire(gw)
    half.send("POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\n")
    wait_for(lambda: gw.metric("fairlead_client_connections_total") >= 2)
    gw.send_signal(signal.SIGTERM)
    wait_for(lambda: refuses_connections(gw.port))
    half.send("Content-Length: 2\r\n\r\n{}")
    answer = half.read_answer()
    assert answer.status == 503 and b"shutting_down" in answer.body
    assert answer["Retry-After"] and answer["Connection"] == "close"


def test_the_limit_cuts_with_an_error_event(streaming):
    backend, gw, client = streaming(fault=ENDLESS, drain_timeout_ms=400)
    start = time.monotonic()
    gw.send_signal(signal.SIGTERM)
    rest = client.read_to_end()
    assert 0.39 <= time.monotonic() - start < 15
    assert b'"code":"shutting_down"' in rest and b"[DONE]" not in rest
    assert gw.wait_end() == 0
    backend.wait_state(in_flight=0)


def test_the_limit_also_ends_what_waits(sim, gateway, wire):
    backend = sim(first_byte_ms=60_000)
    gw = gateway(backend, server_options={"max_concurrent": 1}, drain_timeout_ms=300)
    running, queued = wire(gw), wire(gw)
    for client in (running, queued):
        client.post('{"model":"m","messages":[]}')
    wait_for(lambda: gw.metric("fairlead_queue_length", hostgroup="0") == 1)
    gw.send_signal(signal.SIGTERM)
    assert [client.read_answer().status for client in (running, queued)] == [503, 503]
    assert gw.wait_end() == 0


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_the_second_signal_ends_it_now(streaming, second):
    backend, gw, client = streaming(fault=ENDLESS, drain_timeout_ms=3_600_000)
    gw.send_signal(signal.SIGTERM)
    wait_for(lambda: refuses_connections(gw.port))
    gw.send_signal(second)
    assert b"shutting_down" in client.read_to_end()
    assert gw.wait_end() == 0
    backend.wait_state(in_flight=0)


def test_a_reload_while_draining(streaming):
    """With four workers some have ended already, and get no news any more."""
    _, gw, client = streaming(workers=4)
    gw.send_signal(signal.SIGTERM)
    wait_for(lambda: refuses_connections(gw.port))
    for _ in range(3):
        seen = len(gw.errors)
        gw.send_signal(signal.SIGHUP)
        wait_for(lambda: gw.find_line("ignored while shutting down", gw.errors[seen:]), "a word on the reload")
    assert client.read_to_end().endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
    client.close()
    assert gw.wait_end() == 0


def test_no_limit_is_no_wait(streaming):
    _, gw, client = streaming(fault=ENDLESS, drain_timeout_ms=0)
    gw.send_signal(signal.SIGTERM)
    assert b"shutting_down" in client.read_to_end()
    assert gw.wait_end() == 0


def test_not_ready_while_draining(streaming):
    _, gw, _ = streaming(fault=ENDLESS, drain_timeout_ms=2000)
    metrics = httpx.Client(base_url=gw.listeners["metrics"], timeout=10)
    assert metrics.get("/readyz").status_code == 200
    gw.send_signal(signal.SIGTERM)
    wait_for(lambda: metrics.get("/readyz").status_code == 503, "readyz to say no")
    assert metrics.get("/healthz").status_code == 200


def test_signals_at_the_very_end_do_no_harm(sim, gateway):
    gw = gateway(sim())
    while gw.is_running:
        gw.send_signal(signal.SIGTERM)
    assert gw.wait_end() == 0


def test_terminal_interrupt_is_a_drain_too(sim, gateway):
    gw = gateway(sim())
    gw.send_signal(signal.SIGINT)
    assert gw.wait_end() == 0
