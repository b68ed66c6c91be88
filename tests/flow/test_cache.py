# SPDX-License-Identifier: Apache-2.0
"""Answers that are given again, and calls that are shared."""
import concurrent.futures
import re
import threading

import httpx
import pytest
from programs import server, wait_for


def ask(gw, **more):
    return gw.chat(**{"temperature": 0, **more})


def test_only_what_does_not_depend_on_chance(sim, gateway):
    s0 = sim()
    gw = gateway(s0)
    assert ask(gw).headers["X-Cache"] == "MISS"
    again = ask(gw)
    assert again.headers["X-Cache"] == "HIT" and "X-Fairlead-Server" not in again.headers
    for _ in range(2):
        assert "X-Cache" not in gw.chat(temperature=0.7).headers
        assert "X-Cache" not in gw.chat().headers
    assert s0.state()["received"] == 5


def test_a_hit_is_the_same_answer(sim, gateway):
    gw = gateway(sim(tokens=30))
    for stream in (False, True):
        first, second = ask(gw, stream=stream), ask(gw, stream=stream)
        assert (first.headers["X-Cache"], second.headers["X-Cache"]) == ("MISS", "HIT")
        assert first.content == second.content
        assert first.headers["Content-Type"] == second.headers["Content-Type"]
        assert first.headers["X-Request-ID"] != second.headers["X-Request-ID"]


def test_every_field_counts(sim, gateway):
    gw = gateway(sim())
    variants = [{}, {"max_tokens": 3}, {"seed": 1}, {"stop": ["x"]}, {"n": 2}, {"top_p": 0.5}, {"stream": True},
                {"tools": [{"type": "function", "function": {"name": "f"}}]}, {"text": "other"},
                {"response_format": {"type": "json_object"}}]
    assert [ask(gw, **variant).headers["X-Cache"] for variant in variants] == ["MISS"] * len(variants)
    assert [ask(gw, **variant).headers["X-Cache"] for variant in variants] == ["HIT"] * len(variants)


def test_ttl(sim, gateway):
    s0 = sim()
    gw = gateway(s0, cache_ttl_ms=200)
    ask(gw)
    wait_for(lambda: ask(gw).headers["X-Cache"] == "MISS", "the answer to be too old")
    assert s0.state()["received"] == 2


def test_switched_off_by_a_reload_and_on_again(sim, fairlead):
    config = {"servers": [server(sim(), "s0", models=["m"])], "settings": {"cache_enabled": True}}
    gw = fairlead(config)
    ask(gw)
    config["settings"]["cache_enabled"] = False
    gw.reload(config)
    assert "X-Cache" not in ask(gw).headers
    config["settings"]["cache_enabled"] = True
    gw.reload(config)
    assert ask(gw).headers["X-Cache"] == "HIT"


def test_the_client_may_decline(sim, gateway):
    gw = gateway(sim())
    ask(gw)
    for wish in ("no-cache", "no-store"):
        assert "X-Cache" not in ask(gw, headers={"Cache-Control": wish}).headers


def test_absent_temperature_by_setting(sim, gateway):
    gw = gateway(sim(), cache_absent_temperature=True)
    assert [gw.chat().headers["X-Cache"] for _ in range(2)] == ["MISS", "HIT"]
    assert "X-Cache" not in gw.chat(temperature=1).headers


def test_embeddings_are_kept_whatever_the_temperature(sim, gateway):
    gw = gateway(sim())
    body = {"model": "m", "input": "text"}
    answers = [gw.http.post("/v1/embeddings", json=body) for _ in range(2)]
    assert [a.headers["X-Cache"] for a in answers] == ["MISS", "HIT"]
    assert answers[0].content == answers[1].content


@pytest.mark.parametrize("fault", ["status=500", "status=400", "cut=200"])
def test_failures_are_not_kept(sim, gateway, fault):
    s0 = sim(fault=fault)
    gw = gateway(s0, max_retries=0, circuit_breaker_threshold=100)
    for _ in range(2):
        assert ask(gw).status_code >= 400
    assert s0.state()["received"] == 2
    s0.fault("")
    assert ask(gw).headers["X-Cache"] == "MISS"


def test_a_hit_needs_no_healthy_server_and_counts_for_none(sim, gateway):
    s0 = sim()
    gw = gateway(s0, health_check_interval_ms=50)
    ask(gw)
    wait_for(lambda: gw.metric("fairlead_requests_total", server="s0", code="2xx") == 1)
    s0.stop()
    wait_for(lambda: gw.metric("fairlead_server_healthy", server="s0") == 0, "the server to be seen as down")
    before = gw.metric("fairlead_request_duration_seconds_count", server="s0")
    assert ask(gw).headers["X-Cache"] == "HIT"
    assert ask(gw, text="unknown").status_code == 503
    assert gw.metric("fairlead_request_duration_seconds_count", server="s0") == before
    assert gw.metric("mindbalancer_cache_hits_total", model="m") == 1


def test_large_answers_are_not_kept(sim, gateway):
    s0 = sim(tokens=2000)
    gw = gateway(s0, cache_max_item_size_kb=4)
    for stream in (False, True):
        assert [ask(gw, stream=stream).headers["X-Cache"] for _ in range(2)] == ["MISS", "MISS"]
    assert s0.state()["received"] == 4


@pytest.mark.parametrize("stream", [False, True])
def test_equal_concurrent_requests_share_one_call(sim, gateway, stream):
    s0 = sim(tokens=40, decode_tokens_per_s=80)
    gw = gateway(s0)

    def work(_):
        with httpx.Client(base_url=gw.url, timeout=30) as http:
            return ask(gw, http=http, stream=stream)

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(work, range(20)))
    assert s0.state()["received"] == 1
    assert {a.content for a in answers} == {answers[0].content}
    kinds = [a.headers["X-Cache"] for a in answers]
    assert kinds.count("MISS") == 1 and set(kinds) <= {"MISS", "DEDUPE", "HIT"} and "DEDUPE" in kinds


def begin(gw, stream=True, timeout=30):
    """A client with a connection of its own, and its request."""
    client = httpx.Client(base_url=gw.url, timeout=timeout)
    body = {"model": "m", "messages": [{"role": "user", "content": "hello"}], "temperature": 0, "stream": stream}
    return client, client.build_request("POST", "/v1/chat/completions", json=body)


@pytest.mark.parametrize("stream", [False, True])
def test_the_first_to_ask_may_hang_up(sim, gateway, stream):
    s0 = sim(tokens=40, decode_tokens_per_s=40)
    gw = gateway(s0)
    first, request = begin(gw, stream, timeout=30 if stream else 0.5)
    found, gave_up = [], []

    def ask_and_give_up():
        try:
            first.send(request)
        except httpx.ReadTimeout:
            gave_up.append(True)

    leader = threading.Thread(target=ask_and_give_up)
    if stream:
        answer = first.send(request, stream=True)
        pieces = answer.iter_raw()  # closes the answer when it goes
        next(pieces)
    else:
        leader.start()
    wait_for(lambda: s0.state()["in_flight"] == 1)
    follower = threading.Thread(target=lambda: found.append(ask(gw, stream=stream)))
    follower.start()
    wait_for(lambda: gw.metric("fairlead_requests_in_flight") == 2, "the second request to be under way")
    if stream:
        answer.close()
    else:
        leader.join()
        assert gave_up
    first.close()
    follower.join()
    assert found[0].status_code == 200 and found[0].headers["X-Cache"] == "DEDUPE"
    assert len(re.findall(r"tok\d+", found[0].text)) == 40
    assert s0.state()["received"] == 1 and s0.state()["cancelled"] == 0
    assert ask(gw, stream=stream).headers["X-Cache"] == "HIT"


def test_when_all_have_hung_up_the_server_is_left_alone(sim, gateway):
    s0 = sim(tokens=2000, decode_tokens_per_s=100)
    gw = gateway(s0)
    clients = [begin(gw) for _ in range(3)]
    answers = [client.send(request, stream=True) for client, request in clients]
    pieces = [answer.iter_raw() for answer in answers]
    for some in pieces:
        next(some)
    for answer, (client, _) in zip(answers, clients):
        answer.close()
        client.close()
    s0.wait_state(cancelled=1, in_flight=0)
    wait_for(lambda: gw.metric("fairlead_requests_in_flight") == 0)
    assert s0.state()["received"] == 1


def test_followers_of_a_failure_go_their_own_way(sim, gateway):
    s0 = sim(fault="first-byte-ms=300,status=500,times=1")
    gw = gateway(s0, max_retries=0, circuit_breaker_threshold=100)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: ask(gw, http=httpx.Client(base_url=gw.url, timeout=30)), range(4)))
    codes = sorted(a.status_code for a in answers)
    assert codes == [200, 200, 200, 500]


def test_users_with_limits_pay_no_tokens_for_a_hit(sim, gateway):
    gw = gateway(sim(tokens=80), default_tokens_per_minute=180)
    assert [ask(gw).status_code for _ in range(5)] == [200] * 5
    assert ask(gw, text="something else").status_code == 200
    assert ask(gw, text="again something else").status_code == 429


def test_metrics_of_the_whole_cache(sim, gateway):
    gw = gateway(sim(tokens=30), cache_max_size=2)
    ask(gw)
    ask(gw)
    size = gw.metric("fairlead_cache_size_bytes")
    assert size > 100 and gw.metric("fairlead_cache_items") == 1
    for number in range(4):
        ask(gw, text=f"another one, {number}")
    names = ("hits", "misses", "evictions", "follows")
    assert [gw.metric(f"fairlead_cache_{name}_total") for name in names] == [1, 5, 3, 0]
    assert gw.metric("fairlead_cache_items") == 2
