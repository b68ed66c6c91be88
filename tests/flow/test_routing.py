# SPDX-License-Identifier: Apache-2.0
"""Which server a request goes to: rules, models, strategies, statuses."""
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from programs import header, server, wait_for

ANY = ["m", "gpt-4", "gpt-4o", "gpt-3.5-turbo", "alias", "other"]


def place(answer):
    """The server that answered."""
    assert answer.status_code == 200, answer.text
    return answer.headers["X-Fairlead-Server"]


@pytest.fixture
def groups(sim, fairlead):
    """groups(rules): Fairlead with servers g0, g1, g2, each alone in hostgroup 0, 1, 2."""

    def start(rules, **more):
        sims = [sim(tokens=1) for _ in range(3)]
        servers = [server(s, f"g{i}", hostgroup=i, models=ANY) for i, s in enumerate(sims)]
        gw = fairlead({"servers": servers, "rules": rules, **more})
        gw.sims = sims
        return gw

    return start


def test_glob_matches_the_whole_name(groups):
    gw = groups([{"match_model": "gpt-4*", "hostgroup": 1}, {"match_model": "o?her", "hostgroup": 2}])
    found = {model: place(gw.chat(model)) for model in ANY}
    assert found == {"gpt-4": "g1", "gpt-4o": "g1", "other": "g2", "gpt-3.5-turbo": "g0", "m": "g0", "alias": "g0"}


def test_expression_matches_the_whole_name(groups):
    gw = groups([{"match_model": "regex:gpt-(4|4o)", "hostgroup": 1}, {"match_model": "regex:the", "hostgroup": 2}])
    found = {model: place(gw.chat(model)) for model in ANY}
    assert found == {"gpt-4": "g1", "gpt-4o": "g1", "other": "g0", "gpt-3.5-turbo": "g0", "m": "g0", "alias": "g0"}


def test_user(groups):
    gw = groups([{"match_user": "alice", "hostgroup": 1}, {"match_user": "regex:b.*", "hostgroup": 2}])
    assert place(gw.chat()) == "g0"
    for user, wanted in (("alice", "g1"), ("bob", "g2"), ("alice2", "g0"), ("Alice", "g0")):
        assert place(gw.chat(headers={"X-User": user})) == wanted
    assert header(gw.sims[1].requests(1)[0], "x-user") is None


def test_user_header_is_believed_only_where_configured(groups):
    gw = groups([{"match_user": "alice", "hostgroup": 1}], settings={"trust_user_header": "never"})
    assert place(gw.chat(headers={"X-User": "alice"})) == "g0"


def test_pattern_looks_at_the_last_user_text(groups):
    gw = groups([{"match_pattern": "(?i)translate", "hostgroup": 1}])
    said = {"role": "user", "content": "Translate this"}
    other = {"role": "user", "content": "no"}
    parts = {"role": "user", "content": [{"type": "text", "text": "please TRANSLATE"},
                                         {"type": "image_url", "image_url": {"url": "data:,translate"}}]}
    robot = {"role": "assistant", "content": "translate"}
    cases = [([other, said], "g1"), ([said, other], "g0"), ([said, robot], "g1"), ([other, robot], "g0"),
             ([parts], "g1"), ([{"role": "user", "content": "tr\u00e4nslate"}], "g0")]
    for messages, wanted in cases:
        answer = gw.http.post("/v1/chat/completions", json={"model": "m", "messages": messages})
        assert place(answer) == wanted, messages
    assert place(gw.http.post("/v1/completions", json={"model": "m", "prompt": "translate"})) == "g1"


def test_lowest_priority_wins_and_all_criteria_have_to_match(groups):
    gw = groups([{"priority": 30, "hostgroup": 0}, {"priority": 20, "match_model": "m", "hostgroup": 2},
                 {"priority": 10, "match_model": "m", "match_user": "u", "hostgroup": 1},
                 {"priority": 20, "match_model": "m", "hostgroup": 0}])
    assert place(gw.chat("m", headers={"X-User": "u"})) == "g1"
    assert place(gw.chat("m")) == "g2"
    assert place(gw.chat("other", headers={"X-User": "u"})) == "g0"


def test_rewrite_model(groups):
    gw = groups([{"match_model": "alias", "hostgroup": 1, "rewrite_model": "gpt-4o"}])
    answer = gw.chat("alias")
    assert place(answer) == "g1"
    assert '"model":"gpt-4o"' in gw.sims[1].bodies(1)[0]


def test_a_rule_is_an_order(sim, fairlead):
    """A hostgroup that lacks the model gets no substitute."""
    gw = fairlead({"servers": [server(sim(), "a", models=["m"]), server(sim(), "b", hostgroup=1, models=["n"])],
                   "rules": [{"match_model": "m", "hostgroup": 1}]})
    assert gw.chat("m").status_code == 503
    assert gw.chat("m").json()["error"]["code"] == "no_servers"
    assert gw.chat("x").json()["error"]["code"] == "model_not_found"
    assert place(gw.chat("n")) == "b"


def test_models_given_and_discovered(sim, fairlead):
    told = sim(models="b,c")
    gw = fairlead({"servers": [server(sim(), "given", models=["a", "b"]), server(told, "asked")]})
    wait_for(lambda: [m["id"] for m in gw.http.get("/v1/models").json()["data"]] == ["a", "b", "c"], "the union")
    assert place(gw.chat("a")) == "given"
    assert place(gw.chat("c")) == "asked"
    assert gw.http.get("/v1/models/c").json()["owned_by"] == "asked"
    assert gw.chat("d").status_code == 404
    assert told.state()["received"] == 1


def test_discovery_is_repeated(sim, fairlead):
    first = sim(models="old")
    config = {"servers": [server(first, "s")], "settings": {"model_discovery_interval_ms": 100,
                                                            "health_check_interval_ms": 50}}
    gw = fairlead(config)
    wait_for(lambda: gw.http.get("/v1/models/old").status_code == 200)
    first.stop()
    sim(listen=f"127.0.0.1:{first.port}", models="new")
    wait_for(lambda: gw.http.get("/v1/models/new").status_code == 200)
    assert gw.chat("old").status_code == 404


def test_model_names_with_slashes(sim, fairlead):
    gw = fairlead({"servers": [server(sim(), "s", models=["org/model:7b é"])]})
    for path in ("/v1/models/org/model:7b%20%C3%A9", "/v1/models/org%2Fmodel%3A7b%20%c3%a9"):
        assert gw.http.get(path).json()["id"] == "org/model:7b é"
    assert place(gw.chat("org/model:7b é")) == "s"


@pytest.mark.parametrize("endpoint, provider, path", [
    ("", "openai", "/v1/chat/completions"), ("/v1", "openai", "/v1/chat/completions"),
    ("/v1/", "vllm", "/v1/chat/completions"), ("", "groq", "/openai/v1/chat/completions"),
    ("/prefix/v1", "custom", "/prefix/v1/chat/completions")])
def test_paths_of_providers(sim, fairlead, endpoint, provider, path):
    backend = sim()
    one = server(backend.url + endpoint, "s", models=["m"], api_key="the-key")
    gw = fairlead({"servers": [{**one, "provider": provider}]})
    gw.chat(headers={"Authorization": "Bearer client-key", "Cookie": "secret=1"})
    record = backend.requests(1)[0]
    assert record["target"] == path
    assert header(record, "authorization") == "Bearer the-key"
    assert header(record, "cookie") is None and header(record, "host") == f"127.0.0.1:{backend.port}"


def weighted(sim, fairlead, **settings):
    servers = [server(sim(tokens=1), "a", weight=3, models=["m"]), server(sim(tokens=1), "b", weight=1, models=["m"])]
    return fairlead({"servers": servers, "hostgroups": [{"id": 0, "strategy": "weighted_round_robin"}],
                     "settings": {"access_log": "off", **settings}})


@pytest.mark.parametrize("workers", [1, 2])
def test_weighted_round_robin_is_exact_at_every_prefix(sim, fairlead, workers):
    gw = weighted(sim, fairlead, workers=workers)
    count = 0
    for n in range(1, 401):
        count += place(gw.chat()) == "a"
        assert abs(count - 0.75 * n) <= 1, f"{count} of {n}"
    assert count == 300


def test_weighted_round_robin_of_concurrent_clients(sim, fairlead):
    gw = weighted(sim, fairlead)

    def client(_):
        with httpx.Client(base_url=gw.url, timeout=30) as http:
            return [place(gw.chat(http=http)) for _ in range(50)]

    with ThreadPoolExecutor(8) as pool:
        places = Counter(name for names in pool.map(client, range(8)) for name in names)
    assert abs(places["a"] - 300) <= 1


def test_weighted_round_robin_goes_on_after_a_reload(sim, fairlead):
    gw = weighted(sim, fairlead, workers=1)
    config = gw.config_path.read_text()
    places = []
    for _ in range(10):
        places += [place(gw.chat()) for _ in range(6)]
        gw.reload(config)
    assert abs(places.count("a") - 45) <= 1


def test_least_connections(sim, gateway):
    slow, quick = sim(first_byte_ms=30_000), sim(tokens=1)
    gw = gateway(slow, quick, hostgroups=[{"id": 0, "strategy": "least_connections"}])
    with ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(lambda: [gw.chat() for _ in range(2)])  # one of the two hangs on the slow server
        slow.wait_state(in_flight=1)
        with httpx.Client(base_url=gw.url, timeout=30) as http:
            assert {place(gw.chat(http=http)) for _ in range(50)} == {"s1"}
        assert slow.state()["received"] == 1
        slow.kill()
        waiting.result()


def test_least_connections_with_weights(sim, gateway):
    sims = [sim(first_byte_ms=30_000) for _ in range(2)]
    gw = gateway(*sims, server_options=[{"weight": 3}, {"weight": 1}], max_retries=0)
    with ThreadPoolExecutor(40) as pool:
        for _ in range(40):
            pool.submit(lambda: gw.chat(http=httpx.Client(base_url=gw.url, timeout=60)))
        wait_for(lambda: sum(s.state()["in_flight"] for s in sims) == 40)
        assert sims[0].state()["in_flight"] == 30
        for s in sims:
            s.kill()


def test_latency(sim, gateway):
    quick, slow = sim(first_byte_ms=5), sim(first_byte_ms=100)
    gw = gateway(quick, slow, hostgroups=[{"id": 0, "strategy": "latency"}])
    places = Counter(place(gw.chat()) for _ in range(60))
    assert places["s0"] >= 54


def test_random(sim, gateway):
    gw = gateway(*[sim(tokens=1) for _ in range(3)], hostgroups=[{"id": 0, "strategy": "random"}])
    places = Counter(place(gw.chat()) for _ in range(150))
    assert set(places) == {"s0", "s1", "s2"}


@pytest.mark.parametrize("status", ["OFFLINE", "SHUNNED", "DRAINING"])
def test_statuses_that_take_no_request(sim, gateway, status):
    sims = [sim(), sim()]
    gw = gateway(*sims, server_options=[{"status": status}, {}])
    assert {place(gw.chat()) for _ in range(10)} == {"s1"}
    assert gw.metric("fairlead_server_up", server="s0") == 0


def test_no_server_that_may_take_it(sim, gateway):
    gw = gateway(sim(), server_options={"status": "OFFLINE"})
    answer = gw.chat()
    assert answer.status_code == 503 and answer.json()["error"]["code"] == "no_servers"
    assert int(answer.headers["Retry-After"]) >= 1
    assert gw.http.get("/readyz").status_code == 503
    assert gw.http.get("/healthz").status_code == 200
