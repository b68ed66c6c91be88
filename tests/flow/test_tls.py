# SPDX-License-Identifier: Apache-2.0
"""TLS on listeners and to servers. The server with TLS is another Fairlead, in front of a simulator."""
import hashlib
import socket
import ssl

import httpx
import openai
import pytest
from programs import make_certificate, server, wait_for

HELLO = [{"role": "user", "content": "hello"}]


@pytest.fixture
def certificate(tmp_path):
    return make_certificate(tmp_path, "good")


@pytest.fixture
def secure(sim, fairlead, certificate):
    """(simulator, Fairlead with TLS, httpx client that trusts it)."""
    backend = sim(tokens=5, chunk_tokens=1)
    listener = {"name": "api", "address": "127.0.0.1:0", "serves": ["inference"],
                "tls_cert_file": certificate[0], "tls_key_file": certificate[1]}
    gw = fairlead({"listeners": [listener], "servers": [server(backend, "s", models=["m"])]})
    with httpx.Client(base_url=gw.url, verify=ssl.create_default_context(cafile=certificate[0]), timeout=30) as http:
        yield backend, gw, http


@pytest.fixture
def chain(secure, fairlead):
    """chain(options): Fairlead in front of the secure one, which it reaches with these options of a server."""

    def start(host="127.0.0.1", **options):
        port = secure[1].port
        return fairlead({"servers": [server(f"https://{host}:{port}", "s", models=["m"], **options)],
                         "settings": {"max_retries": 0}})

    return start


def test_listener(secure):
    _, gw, http = secure
    assert gw.url.startswith("https://")
    assert gw.chat(http=http).status_code == 200
    with pytest.raises(httpx.ConnectError):
        httpx.get(gw.url + "/healthz")


def test_sdk_streams_over_tls(secure):
    _, gw, http = secure
    with openai.OpenAI(base_url=gw.url + "/v1", api_key="unused", max_retries=0, http_client=http) as client:
        for _ in range(5):
            chunks = list(client.chat.completions.create(model="m", messages=HELLO, stream=True))
            assert len(chunks) >= 5 and chunks[-1].choices[0].finish_reason == "stop"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_versions(secure, certificate, version):
    context = ssl.create_default_context(cafile=certificate[0])
    context.minimum_version = context.maximum_version = version
    with httpx.Client(base_url=secure[1].url, verify=context) as http:
        assert http.get("/healthz").status_code == 200


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_versions_are_refused(secure):
    context = ssl._create_unverified_context()  # the certificate is not what is tested
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        context.wrap_socket(socket.create_connection(("127.0.0.1", secure[1].port)))


def test_plain_http_on_a_tls_listener_harms_nobody(secure, wire):
    _, gw, http = secure
    client = wire(gw)
    client.send("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n" * 10)
    try:
        assert b"HTTP/1.1 200" not in client.read_to_end()
    except ConnectionResetError:
        pass
    assert gw.chat(http=http).status_code == 200


@pytest.mark.parametrize("size", [1 << 20, 16 << 20])
def test_large_body_over_tls(secure, size):
    backend, gw, http = secure
    body = '{"model":"m","messages":[{"role":"user","content":"' + "x" * size + '"}]}'
    answer = http.post("/v1/chat/completions", content=body, headers={"X-Sim-Fault": f"body={size}"})
    assert answer.status_code == 200 and len(answer.content) >= size
    assert answer.json()["choices"][0]["message"]["content"]
    assert backend.requests(1)[0]["body_sha256"] == hashlib.sha256(body.encode()).hexdigest()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_upstream_is_verified(chain, certificate, host):
    gw = chain(host=host, tls_ca_file=certificate[0])
    assert gw.chat().status_code == 200
    assert gw.chat(stream=True).text.endswith("data: [DONE]\n\n")
    large = gw.chat(text="x" * (8 << 20), headers={"X-Sim-Fault": f"body={8 << 20}"})
    assert large.status_code == 200 and len(large.content) >= 8 << 20


def test_tls_on_both_sides(secure, certificate, fairlead):
    backend, inner, http = secure
    listener = {"name": "api", "address": "127.0.0.1:0", "serves": ["inference"],
                "tls_cert_file": certificate[0], "tls_key_file": certificate[1]}
    upstream = server(inner.url, "s", models=["m"], tls_ca_file=certificate[0])
    gw = fairlead({"listeners": [listener], "servers": [upstream]})
    http.base_url = gw.url
    with http.stream("POST", "/v1/chat/completions", json={"model": "m", "messages": HELLO, "stream": True},
                     headers={"X-Sim-Fault": "events=3000,event-bytes=2000"}) as answer:
        text = answer.read().decode()
    assert text.count('"choices"') >= 3000 and text.endswith("data: [DONE]\n\n")
    assert len(text) > 5_000_000 and backend.state()["completed"] == 1


def wait_refused(gw):
    """Probes fail as well, so after a moment there is no server at all."""
    answer = gw.chat()
    assert answer.status_code in (502, 503)
    assert answer.json()["error"]["code"] in ("upstream_unreachable", "no_servers")
    wait_for(lambda: gw.metric("fairlead_server_healthy", server="s") == 0)


def test_the_systems_authorities_do_not_know_it(secure, chain):
    wait_refused(chain())
    assert secure[0].state()["received"] == 0


def test_another_authority_is_refused(secure, chain, tmp_path):
    wait_refused(chain(tls_ca_file=make_certificate(tmp_path, "other")[0]))
    assert secure[0].state()["received"] == 0


def test_another_name_is_refused(secure, chain, certificate):
    wait_refused(chain(host="127.0.0.2", tls_ca_file=certificate[0]))
    assert secure[0].state()["received"] == 0


def test_verification_can_be_turned_off(chain):
    assert chain(tls_verify=False).chat().status_code == 200


def test_certificate_without_its_key_is_refused(fairlead, sim, certificate, tmp_path):
    other = make_certificate(tmp_path, "other")
    listener = {"name": "api", "address": "127.0.0.1:0", "serves": ["inference"],
                "tls_cert_file": certificate[0], "tls_key_file": other[1]}
    gw = fairlead({"listeners": [listener], "servers": [server(sim(), "s")]}, wait=False)
    assert gw.wait_end() == 1
    assert "key" in gw.error_output
    gw.was_killed = True  # it has had its verdict
