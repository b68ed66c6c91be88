# SPDX-License-Identifier: Apache-2.0
"""Requests and tokens per minute, and what their headers say."""
import concurrent.futures
import time

import httpx
import pytest


def test_requests_per_minute(sim, gateway):
    gw = gateway(sim(), default_requests_per_minute=3)
    for left in (2, 1, 0):
        answer = gw.chat()
        assert answer.status_code == 200
        assert answer.headers["X-RateLimit-Remaining"] == str(left)
        assert 0 <= int(answer.headers["X-RateLimit-Reset"]) - time.time() + 1 <= 61
        assert answer.headers["x-ratelimit-limit-requests"] == "3"
        assert answer.headers["x-ratelimit-remaining-requests"] == str(left)
        assert "x-ratelimit-limit-tokens" not in answer.headers
    refused = gw.chat()
    assert refused.status_code == 429
    assert refused.headers["X-RateLimit-Remaining"] == "0"
    assert 1 <= int(refused.headers["Retry-After"]) <= 61
    error = refused.json()["error"]
    assert error["type"] == error["code"] == "rate_limit_exceeded"
    assert error["message"] == "Rate limit reached for user 'anonymous': 3 of 3 requests per minute are used."
    assert gw.http.get("/v1/models").status_code == 200  # asks no server, so it is not counted


def test_tokens_are_booked_as_the_server_counted_them(sim, gateway):
    """Without max_tokens nobody knows before: the answer that passes the limit is given, the next is not."""
    gw = gateway(sim(tokens=80), default_tokens_per_minute=150)
    assert [gw.chat().status_code for _ in range(3)] == [200, 200, 429]
    assert gw.chat(stream=True).status_code == 429


def test_streams_are_booked_too(sim, gateway):
    gw = gateway(sim(tokens=80), default_tokens_per_minute=150)
    assert [gw.chat(stream=True).status_code for _ in range(3)] == [200, 200, 429]


def test_max_tokens_are_reserved_and_given_back(sim, gateway):
    gw = gateway(sim(tokens=5), default_tokens_per_minute=1000)
    for _ in range(3):  # each reserves 900 and uses a few
        assert gw.chat(max_tokens=900).status_code == 200


def test_a_failed_request_gives_its_tokens_back(sim, gateway):
    gw = gateway(sim(fault="status=400"), default_tokens_per_minute=1000)
    assert [gw.chat(max_tokens=900).status_code for _ in range(3)] == [400] * 3


@pytest.mark.parametrize("settings", [{"default_requests_per_minute": 50}, {"default_tokens_per_minute": 1200}])
def test_64_threads_never_pass_the_limit(sim, gateway, settings):
    """None uses more than it reserves: 40 tokens of output and a prompt that is shorter than its bytes tell."""
    server = sim(tokens=40)
    gw = gateway(server, **settings)
    text = "w " * 4

    def work(_):
        with httpx.Client(base_url=gw.url, timeout=30) as http:
            return [gw.chat(http=http, text=text, max_tokens=40).status_code for _ in range(8)]

    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        codes = [code for some in pool.map(work, range(64)) for code in some]
    assert set(codes) <= {200, 429}
    assert server.state()["received"] == codes.count(200)
    if "default_requests_per_minute" in settings:
        assert codes.count(200) == 50
    else:
        used = gw.metric("fairlead_input_tokens_total", server="s0") + gw.metric("fairlead_output_tokens_total", server="s0")
        assert 0 < used <= settings["default_tokens_per_minute"]


def test_who_shares_a_limit(sim, gateway):
    gw = gateway(sim(), default_requests_per_minute=1)
    for headers in ({"X-User": "alice"}, {"X-User": "bob"}, {"Authorization": "Bearer one"},
                    {"Authorization": "Bearer two"}, {"x-api-key": "three"}, {}):
        assert gw.chat(headers=headers).status_code == 200
        assert gw.chat(headers=headers).status_code == 429
    # one key, wherever an SDK puts it
    assert gw.chat(headers={"x-api-key": "one"}).status_code == 429


def test_switched_off(sim, gateway):
    gw = gateway(sim(), default_requests_per_minute=1, rate_limit_enabled=False)
    for _ in range(3):
        answer = gw.chat()
        assert answer.status_code == 200 and "X-RateLimit-Remaining" not in answer.headers


def test_a_reload_acts_at_once_and_forgets_nothing(sim, gateway, fairlead):
    from programs import server
    config = {"servers": [server(sim(), "s0", models=["m"])], "settings": {"default_requests_per_minute": 2}}
    gw = fairlead(config)
    assert [gw.chat().status_code for _ in range(3)] == [200, 200, 429]
    config["settings"]["default_requests_per_minute"] = 3
    gw.reload(config)
    assert [gw.chat().status_code for _ in range(2)] == [200, 429]
