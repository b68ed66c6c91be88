# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 as it is on the wire: framing, limits, and what is refused."""
import json
import re
import uuid

import pytest

CHAT = '{"model":"m","messages":[{"role":"user","content":"hi"}]}'
GET = "GET /v1/models HTTP/1.1\r\nHost: h\r\n\r\n"


@pytest.fixture
def pair(sim, gateway):
    backend = sim(tokens=2)
    return backend, gateway(backend, client_header_timeout_ms=400, client_body_timeout_ms=400, workers=1)


@pytest.fixture
def client(pair, wire):
    return wire(pair[1])


def error_of(answer):
    """The error, in OpenAI's shape and with its framing in order."""
    assert answer["Content-Type"] == "application/json"
    error = json.loads(answer.body)["error"]
    assert set(error) == {"message", "type", "param", "code"} and error["message"]
    return error


def test_keep_alive(client):
    for _ in range(5):
        client.post(CHAT)
        assert client.read_answer().status == 200
        client.send(GET)
        assert client.read_answer().status == 200


def test_connection_close_is_obeyed(client):
    client.post(CHAT, headers="Connection: close\r\n")
    answer = client.read_answer()
    assert answer.status == 200 and answer["Connection"] == "close"
    assert client.is_closed_by_peer()


def test_pipelined_requests_are_answered_in_order(pair, client):
    requests = []
    for i in range(20):
        body = CHAT.replace("hi", f"number {i}")
        slow = "X-Sim-Fault: first-byte-ms=30\r\n" if i % 3 == 0 else ""
        requests.append(f"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\n{slow}X-Request-ID: id-{i}\r\n"
                        f"Content-Length: {len(body)}\r\n\r\n{body}")
    client.send("".join(requests) + GET)
    for i in range(20):
        answer = client.read_answer()
        assert (answer.status, answer["X-Request-ID"]) == (200, f"id-{i}")
    assert json.loads(client.read_answer().body)["object"] == "list"
    assert [f"number {i}" in body for i, body in enumerate(pair[0].bodies(20))] == [True] * 20


def test_every_split_of_a_request_is_the_same(client):
    data = (f"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
            f"5;x=1\r\n{CHAT[:5]}\r\n{len(CHAT) - 5:X}\r\n{CHAT[5:]}\r\n0\r\nX-Trailer: 1\r\n\r\n").encode()
    for at in range(1, len(data)):
        client.send(data[:at])
        client.send(data[at:])
        assert client.read_answer().status == 200


def test_expect_continue(client):
    client.send(f"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                f"Content-Length: {len(CHAT)}\r\n\r\n")
    assert client.read_answer().status == 100
    client.send(CHAT)
    assert client.read_answer().status == 200


@pytest.mark.parametrize("path, length, status", [
    ("/nothing", 10, 404), ("/v1/models", 10, 405), ("/v1/chat/completions", 10**9, 413)])
def test_expect_continue_is_not_asked_for_what_is_refused(client, path, length, status):
    client.send(f"POST {path} HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n")
    answer = client.read_answer()
    assert answer.status == status
    error_of(answer)


def test_http_10(pair, client):
    client.send(f"POST /v1/chat/completions HTTP/1.0\r\nContent-Length: {len(CHAT)}\r\n\r\n{CHAT}")
    answer = client.read_answer()
    assert answer.status == 200 and answer["Transfer-Encoding"] is None
    assert client.is_closed_by_peer()


def test_http_10_stream_ends_with_the_connection(client):
    body = CHAT[:-1] + ',"stream":true}'
    client.send(f"POST /v1/chat/completions HTTP/1.0\r\nContent-Length: {len(body)}\r\n\r\n{body}")
    answer = client.read_answer()
    assert answer.status == 200 and answer["Transfer-Encoding"] is None and answer["Content-Length"] is None
    assert answer.body.endswith(b"data: [DONE]\n\n")


def test_head(client):
    for path in ("/v1/models", "/healthz", "/health", "/readyz", "/"):
        client.send(f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\nHEAD {path} HTTP/1.1\r\nHost: h\r\n\r\n")
        whole, head = client.read_answer(), client.read_answer(is_head=True)
        assert (whole.status, head.status) == (200, 200)
        assert head["Content-Length"] == whole["Content-Length"]


def test_absolute_form(client):
    client.send("GET http://anything.example/v1/models HTTP/1.1\r\nHost: anything.example\r\n\r\n")
    assert client.read_answer().status == 200


def test_health(client):
    for path, text in (("/healthz", "healthy"), ("/health", "healthy"), ("/readyz", "ready")):
        client.send(f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n")
        assert json.loads(client.read_answer().body) == {"status": text}
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    root = json.loads(client.read_answer().body)
    assert root.keys() == {"name", "version", "status"} and root["status"] == "running"


POST = "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\n"
REFUSED = {
    "length and chunked": POST + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked and length": POST + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    "length twice": POST + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "lengths differ": POST + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
    "length list": POST + "Content-Length: 3, 3\r\n\r\nabc",
    "length signed": POST + "Content-Length: +3\r\n\r\nabc",
    "length negative": POST + "Content-Length: -3\r\n\r\nabc",
    "length hexadecimal": POST + "Content-Length: 0x3\r\n\r\nabc",
    "length empty": POST + "Content-Length: \r\n\r\nabc",
    "length overflows": POST + "Content-Length: 99999999999999999999999\r\n\r\nabc",
    "chunked twice": POST + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "bare LF": "GET /v1/models HTTP/1.1\nHost: h\n\n",
    "bare LF in a field": "GET /v1/models HTTP/1.1\r\nHost: h\nX: y\r\n\r\n",
    "bare CR": "GET /v1/models HTTP/1.1\r\nHost: h\rX: y\r\n\r\n",
    "obs-fold": "GET /v1/models HTTP/1.1\r\nHost: h\r\nX: y\r\n z\r\n\r\n",
    "space before colon": POST + "Content-Length : 3\r\n\r\nabc",
    "no host": "GET /v1/models HTTP/1.1\r\n\r\n",
    "two hosts": "GET /v1/models HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "two spaces": "GET  /v1/models HTTP/1.1\r\nHost: h\r\n\r\n",
    "no version": "GET /v1/models\r\nHost: h\r\n\r\n",
    "NUL": "GET /v1/models HTTP/1.1\r\nHost: h\r\nX: a\x00b\r\n\r\n",
    "authority form": "CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n",
    "chunked in 1.0": "POST /v1/chat/completions HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "bad chunk size": POST + "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "chunk too long for its size": POST + "Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n",
    "chunk with bare LF": POST + "Transfer-Encoding: chunked\r\n\r\n2\nab\n0\n\n",
    "chunk size overflows": POST + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
    "chunk size signed": POST + "Transfer-Encoding: chunked\r\n\r\n+2\r\nab\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("case", REFUSED)
def test_smuggling_is_refused(pair, client, case):
    client.send(REFUSED[case] + GET)
    answer = client.read_answer()
    assert answer.status == 400 and answer["Connection"] == "close"
    error_of(answer)
    assert client.is_closed_by_peer(), "what follows must not be read as a request"
    assert pair[0].state()["received"] == 0


@pytest.mark.parametrize("request_text, status", [
    (POST + "Transfer-Encoding: gzip, chunked\r\n\r\n", 501), ("GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505),
    ("GET /" + "x" * 9000 + " HTTP/1.1\r\nHost: h\r\n\r\n", 414),
    ("GET / HTTP/1.1\r\nHost: h\r\nX: " + "x" * 9000 + "\r\n\r\n", 431),
    ("GET / HTTP/1.1\r\nHost: h\r\n" + "X: y\r\n" * 101 + "\r\n", 431),
    ("GET / HTTP/1.1\r\nHost: h\r\n" + ("X: " + "x" * 4000 + "\r\n") * 10 + "\r\n", 431)])
def test_limits_of_the_head(client, request_text, status):
    client.send(request_text)
    answer = client.read_answer()
    assert answer.status == status
    error_of(answer)
    assert client.is_closed_by_peer()


@pytest.mark.parametrize("path", ["/nothing", "/v2/models", "/v1", "/v1/"])
def test_unknown_path(client, path):
    client.send(f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n")
    answer = client.read_answer()
    assert answer.status == 404
    assert error_of(answer)["code"] == "unknown_url"
    client.send(GET)
    assert client.read_answer().status == 200


@pytest.mark.parametrize("method, path, allow", [
    ("GET", "/v1/chat/completions", "POST"), ("DELETE", "/v1/embeddings", "POST"), ("PUT", "/v1/models", "GET, HEAD"),
    ("DELETE", "/healthz", "GET, HEAD")])
def test_wrong_method(client, method, path, allow):
    client.send(f"{method} {path} HTTP/1.1\r\nHost: h\r\n\r\n")
    answer = client.read_answer()
    assert answer.status == 405 and answer["Allow"] == allow
    assert error_of(answer)["code"] == "method_not_allowed"


@pytest.mark.parametrize("text", ["GET /v1/models HTTP/1.1\r\nHost: h\r\n", POST + "Content-Length: 10\r\n\r\nabc",
                                  POST + "Transfer-Encoding: chunked\r\n\r\n5\r\nab"])
def test_slow_requests_end_with_408(client, text):
    client.send(text)
    answer = client.read_answer()
    assert answer.status == 408
    assert error_of(answer)["code"] == "request_timeout"
    assert client.is_closed_by_peer()


def test_early_error_reaches_a_client_that_still_sends(client):
    """A close with unread input would reset the connection, and the answer with it."""
    body = b"x" * (8 << 20)
    client.send(f"POST /nothing HTTP/1.1\r\nHost: h\r\nContent-Length: {len(body)}\r\n\r\n")
    client.send(body[:1 << 20])
    assert client.read_answer().status == 404


def test_request_id_is_echoed_or_made(client):
    for given in ("abc-123", "a" * 128):
        client.send(f"GET /v1/models HTTP/1.1\r\nHost: h\r\nX-Request-ID: {given}\r\n\r\n")
        assert client.read_answer()["X-Request-ID"] == given
    for bad in ("", "a b", "a" * 129, 'a"b', "\x80"):
        client.send(f"GET /v1/models HTTP/1.1\r\nHost: h\r\nX-Request-ID: {bad}\r\n\r\n".encode("latin-1"))
        made = client.read_answer()["X-Request-ID"]
        assert made != bad and uuid.UUID(made).version == 4


def test_1000_ids_are_1000(client):
    ids = set()
    for _ in range(10):
        client.send(GET * 100)
        ids |= {client.read_answer()["X-Request-ID"] for _ in range(100)}
    assert len(ids) == 1000
    assert all(re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", i) for i in ids)


def test_other_paths_are_relayed(pair, client):
    client.send("GET /v1/files?limit=3 HTTP/1.1\r\nHost: h\r\nX-Mine: 7\r\n\r\n")
    assert client.read_answer().status == 404  # the simulator's own
    record = pair[0].requests(1)[0]
    assert record["target"] == "/v1/files?limit=3"
    assert ["X-Mine", "7"] in record["headers"]
