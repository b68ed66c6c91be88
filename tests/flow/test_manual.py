# SPDX-License-Identifier: Apache-2.0
"""What MindBalancer's manual shows, word for word: curl on the ports of inference and administration, tables of the console."""
import json
import re
import subprocess

import pytest
from programs import BIN, PATIENCE, wait_for

CHAT = '{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello!"}], "temperature": 0}'


@pytest.fixture
def manual(sim, administered):
    """(Fairlead after the quick start's INSERT, the server behind it)."""
    backend = sim(tokens=5, models="gpt-4o-mini")
    gw = administered()
    gw.sql("INSERT INTO ai_servers (name, provider_type, endpoint, api_key_encrypted, weight, status) VALUES "
           f"('openai-1', 'openai', '{backend.url}', 'sk-abcdefgh1234', 100, 'ONLINE')")
    return gw, backend


def curl(*arguments):
    done = subprocess.run(["curl", "-sS", "--max-time", str(int(PATIENCE)), *arguments], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def post(url, body, *more):
    return curl(url, "-H", "Content-Type: application/json", "-d", body, *more)


def test_chat(manual):
    gw, _ = manual
    answer = json.loads(post(gw.url + "/v1/chat/completions", CHAT))
    assert answer["choices"][0]["message"]["role"] == "assistant" and answer["usage"]["completion_tokens"] == 5


def test_stream(manual):
    gw, _ = manual
    shown = post(gw.url + "/v1/chat/completions", CHAT.replace('"temperature"', '"stream": true, "temperature"'), "-N", "-i")
    assert re.search(r"(?im)^content-type: text/event-stream", shown)
    events = re.findall(r"(?m)^data: (.*)$", shown)
    assert len(events) >= 5 and events[-1] == "[DONE]"
    assert all(json.loads(event)["object"] == "chat.completion.chunk" for event in events[:-1])


def test_headers_of_an_answer(manual):
    gw, _ = manual
    gw.sql("SET default_requests_per_minute = 10")
    first, second = (post(gw.url + "/v1/chat/completions", CHAT, "-D-", "-o", "/dev/null") for _ in range(2))
    assert re.search(r"(?im)^x-cache: MISS$", first) and re.search(r"(?im)^x-cache: HIT$", second)
    ids = [re.search(r"(?im)^x-request-id: ([0-9a-f-]{36})$", text).group(1) for text in (first, second)]
    assert ids[0] != ids[1]
    left = [int(re.search(r"(?im)^x-ratelimit-remaining: (\d+)$", text).group(1)) for text in (first, second)]
    assert left[0] == 9 and left[1] <= 9
    assert re.search(r"(?im)^x-ratelimit-reset: \d{10}$", first)


def test_models_health_and_name(manual):
    gw, _ = manual
    models = wait_for(lambda: json.loads(curl(gw.url + "/v1/models"))["data"], "the server's models")
    assert [model["id"] for model in models] == ["gpt-4o-mini"]
    for path in ("/health", "/healthz"):
        assert json.loads(curl(gw.url + path))["status"] == "healthy"
    assert {"name", "version", "status"} <= json.loads(curl(gw.url + "/")).keys()


def test_completions_and_embeddings(manual):
    gw, _ = manual
    text = json.loads(post(gw.url + "/v1/completions", '{"model": "gpt-4o-mini", "prompt": "Once"}'))
    assert text["object"] == "text_completion"
    vectors = json.loads(post(gw.url + "/v1/embeddings", '{"model": "gpt-4o-mini", "input": "text"}'))
    assert vectors["data"][0]["object"] == "embedding"


def test_the_cache_over_http(manual):
    gw, _ = manual
    cache = gw.listeners["admin"] + "/api/cache"
    for _ in range(2):
        post(gw.url + "/v1/chat/completions", CHAT)
    shown = json.loads(curl(cache))
    assert {"enabled", "hits", "misses", "hit_rate", "evictions", "size_bytes", "item_count"} <= shown.keys()
    assert (shown["enabled"], shown["hits"], shown["misses"], shown["hit_rate"], shown["item_count"]) == (True, 1, 1, 0.5, 1)
    put = lambda on: json.loads(curl("-X", "PUT", cache, "-H", "Content-Type: application/json", "-d", '{"enabled": %s}' % on))
    assert put("false") == {"status": "ok", "cache": "disabled"}
    assert dict(gw.sql("SHOW CACHE STATUS"))["status"] == "disabled"
    assert put("true") == {"status": "ok", "cache": "enabled"}
    assert json.loads(curl("-X", "POST", cache + "/clear")) == {"status": "ok", "message": "Cache cleared"}
    assert json.loads(curl(cache))["item_count"] == 0


def test_metrics(manual):
    gw, _ = manual
    post(gw.url + "/v1/chat/completions", CHAT)
    post(gw.url + "/v1/chat/completions", CHAT)
    labels = 'server="openai-1",model="gpt-4o-mini"'
    wanted = [f'mindbalancer_requests_total{{{labels},status="success"}} 1',
              f"mindbalancer_request_duration_seconds_count{{{labels}}} 1",
              'mindbalancer_cache_hits_total{model="gpt-4o-mini"} 1',
              'mindbalancer_cache_misses_total{model="gpt-4o-mini"} 1',
              'mindbalancer_server_health{server="openai-1"} 1']
    # what a request counts is counted behind its answer
    wait_for(lambda: set(wanted) <= set(curl(gw.listeners["metrics"] + "/metrics").splitlines()), wanted)
    text = curl(gw.listeners["metrics"] + "/metrics")
    assert f"mindbalancer_tokens_total{{{labels},type=" in text
    assert f'mindbalancer_cost_usd_total{{{labels},provider_type="openai"}} 0.' in text


def console(gw, statement):
    done = subprocess.run([BIN / "fairsql", "-h", "127.0.0.1", "-P", str(gw.sql_port), "-e", statement], capture_output=True,
                          text=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done
    return re.sub(r"\(\d+\.\d\d sec\)", "(0.00 sec)", done.stdout)


def test_tables_of_the_console(manual):
    """Borders, headers and footers."""
    gw, _ = manual
    assert console(gw, "SELECT name, weight, hostgroup, status FROM ai_servers") == (
        "+----------+--------+-----------+--------+\n"
        "| name     | weight | hostgroup | status |\n"
        "+----------+--------+-----------+--------+\n"
        "| openai-1 |    100 |         0 | ONLINE |\n"
        "+----------+--------+-----------+--------+\n"
        "1 row in set (0.00 sec)\n\n")
    keys = console(gw, "SHOW API KEYS")
    assert "| openai-1 | openai   | sk-a...1234 |" in keys and "efgh" not in keys
    health = console(gw, "SHOW HEALTH STATUS;")
    assert re.search(r"\| server +\| healthy +\| latency +\| last_check +\|", health) and "| openai-1" in health
    status = console(gw, "SHOW CACHE STATUS")
    assert re.search(r"\| Variable +\| Value +\|", status) and re.search(r"\| hit_rate +\| 0.00 +\|", status)
