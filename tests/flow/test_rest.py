# SPDX-License-Identifier: Apache-2.0
"""REST on the admin listener: what it shows and changes, who may, and that a change is in force when it is answered."""
import concurrent.futures
import json
import re
import ssl
import subprocess

import httpx
import pymysql
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from programs import PATIENCE, server, wait_for

LISTENERS = [
    {"name": "api", "address": "127.0.0.1:0", "serves": ["inference"]},
    {"name": "admin", "address": "127.0.0.1:0", "serves": ["admin", "metrics"]},
]
PASSWORD = "correct horse battery"
PROVIDER_KEY = "sk-provider-0123456789-secret"


class Rest(httpx.Client):
    """A client of the admin listener whose methods give the JSON, after the status has been checked."""

    def __init__(self, program, **more):
        super().__init__(base_url=program.listeners["admin"], timeout=PATIENCE, **more)

    def ask(self, method, path, expected=200, **more):
        answer = self.request(method, path, **more)
        assert answer.status_code == expected, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def show(self, path, expected=200):
        return self.ask("GET", path, expected)

    def add(self, path, expected=201, **fields):
        return self.ask("POST", path, expected, json=fields)

    def change(self, path, expected=200, **fields):
        return self.ask("PUT", path, expected, json=fields)

    def remove(self, path, expected=200):
        return self.ask("DELETE", path, expected)


@pytest.fixture
def start(fairlead):
    """start(servers=[...], settings={...}, listeners=[...]): (Fairlead, its Rest)."""
    clients = []

    def go(servers=(), listeners=LISTENERS, rest_options=None, **config):
        gw = fairlead({"listeners": listeners, "servers": list(servers), **config})
        clients.append(Rest(gw, **(rest_options or {})))
        return gw, clients[-1]

    yield go
    for client in clients:
        client.close()


@pytest.fixture
def locked(start, sim):
    """(Fairlead, Rest) with an administrator's password."""
    return start([server(sim(), "s", models=["m"])], settings={"admin_password": PASSWORD})


# ---- the cache ----


def test_cache_as_the_manual_says(start, sim):
    gw, rest = start([server(sim(), "s", models=["m"])])
    status = rest.show("/api/cache")
    assert status["enabled"] is True
    assert {"hits", "misses", "hit_rate", "evictions", "size_bytes", "item_count"} <= status.keys()
    ask = lambda: gw.chat(temperature=0).headers["X-Cache"]
    assert (ask(), ask()) == ("MISS", "HIT")
    status = rest.show("/api/cache")
    assert (status["hits"], status["misses"], status["hit_rate"], status["item_count"]) == (1, 1, 0.5, 1)
    assert rest.change("/api/cache", enabled=False) == {"status": "ok", "cache": "disabled"}
    assert rest.show("/api/cache")["enabled"] is False
    assert gw.chat(temperature=0).headers.get("X-Cache") != "HIT"
    assert rest.change("/api/cache", enabled=True) == {"status": "ok", "cache": "enabled"}
    assert ask() in ("HIT", "MISS") and ask() == "HIT"
    assert rest.ask("POST", "/api/cache/clear") == {"status": "ok", "message": "Cache cleared"}
    assert rest.show("/api/cache")["item_count"] == 0


def test_cache_with_curl(start):
    """The lines of MindBalancer's manual, word by word but for the port."""
    gw, _ = start()
    url = gw.listeners["admin"]
    run = lambda *words: subprocess.run(["curl", "-sf", *words], capture_output=True, text=True, check=True).stdout
    assert json.loads(run(f"{url}/api/cache"))["enabled"] is True
    off = run("-X", "PUT", f"{url}/api/cache", "-d", '{"enabled": false}')
    assert off == '{"status":"ok","cache":"disabled"}'
    assert run("-X", "POST", f"{url}/api/cache/clear") == '{"status":"ok","message":"Cache cleared"}'


# ---- rows ----


def test_a_server_serves_when_it_is_answered(start, sim):
    gw, rest = start([server(sim(), "other", models=["other"])])
    backend = sim(require_key=PROVIDER_KEY)
    assert gw.chat().status_code == 404
    row = rest.add("/api/servers", name="made", provider_type="custom", endpoint=backend.url, models="m", weight=5,
                   api_key=PROVIDER_KEY)
    assert (row["name"], row["weight"], row["status"], row["source"]) == ("made", 5, "ONLINE", "sql")
    assert gw.chat().status_code == 200
    assert rest.change("/api/servers/made", status="OFFLINE")["status"] == "OFFLINE"
    assert gw.chat().status_code == 503
    assert rest.show("/api/servers/made")["weight"] == 5
    rest.change("/api/servers/made", status="ONLINE")
    assert gw.chat().status_code == 200
    assert rest.remove("/api/servers/made") == {"status": "ok"}
    assert gw.chat().status_code == 404
    assert rest.show("/api/servers/made", 404)["error"]["param"] == "name"


def test_a_secret_goes_in_and_stays_in(start, sim):
    gw, rest = start()
    backend = sim(require_key=PROVIDER_KEY)
    fields = {"name": "a", "provider_type": "custom", "endpoint": backend.url, "models": "m", "api_key": PROVIDER_KEY}
    made = rest.add("/api/servers", **fields)
    assert made["api_key_encrypted"] == "sk-p...cret"
    row = rest.show("/api/servers/a")
    rest.ask("PUT", "/api/servers/a", json={**row, "comment": "as it came"})
    rest.change("/api/servers/a", api_key=row["api_key_encrypted"])
    assert gw.chat().status_code == 200
    rest.add("/api/users", username="u", password="the user's own secret")
    seen = [json.dumps(made)] + [rest.get(path).text for path in ("/api/servers", "/api/users", "/api/users/u", "/api/variables")]
    for secret in (PROVIDER_KEY, "the user's own secret", "enc:", "$argon2", "$2b$"):
        assert all(secret not in text for text in seen)
    assert rest.add("/api/servers", 400, name="b", api_key="sk-p...cret")["error"]["param"] == "api_key_encrypted"
    gw.stop()
    assert PROVIDER_KEY not in gw.output + gw.error_output


def test_a_key_is_told_once(start, sim):
    listeners = [{**LISTENERS[0], "auth": "keys"}, LISTENERS[1]]
    gw, rest = start([server(sim(), "s", models=["m"])], listeners=listeners)
    rest.add("/api/users", username="alice")
    made = rest.add("/api/keys", name="laptop", username="alice")
    key = made["api_key"]
    assert re.fullmatch(r"fl-[A-Za-z0-9_-]{43}", key)
    chat = lambda: gw.chat(headers={"Authorization": f"Bearer {key}"}).status_code
    assert (gw.chat().status_code, chat()) == (401, 200)
    assert key not in rest.get("/api/keys").text + rest.get("/api/keys/laptop").text
    assert rest.show("/api/keys/laptop")["key_mask"] == f"{key[:4]}...{key[-4:]}"
    rest.change("/api/keys/laptop", active=False)
    assert chat() == 401
    rest.change("/api/keys/laptop", active=True)
    assert chat() == 200
    rest.remove("/api/keys/laptop")
    assert chat() == 401
    rest.add("/api/keys", 409, name="nobody's", username="nobody")


def test_rules_and_hostgroups(start, sim):
    first, second = sim(), sim()
    gw, rest = start([server(first, "a", models=["m"]), server(second, "b", models=["m"], hostgroup=7)])
    rest.add("/api/hostgroups", hostgroup_id=9, name="spare", strategy="random")
    assert rest.change("/api/hostgroups/9", name="more")["strategy"] == "random"
    made = rest.add("/api/rules", match_model="m*", destination_hostgroup=7, priority=5)
    assert made["active"] is True and made["match_user"] is None and made["rule_id"] == made["id"]
    assert gw.chat().headers["X-Fairlead-Server"] == "b"
    rest.change(f"/api/routing-rules/{made['rule_id']}", active=False)
    assert gw.chat().headers["X-Fairlead-Server"] == "a"
    rest.add("/api/routing-rules", rule_id=500, destination_hostgroup=7, priority=1)
    assert [rule["rule_id"] for rule in rest.show("/api/rules")] == [500, made["rule_id"]]
    assert rest.remove("/api/rules?rule_id=500") == {"status": "ok"}
    assert rest.remove(f"/api/rules/{made['rule_id']}") == {"status": "ok"}
    assert rest.show("/api/rules") == []
    rest.remove("/api/rules?rule_id=500", 404)
    assert rest.ask("DELETE", "/api/rules", 400)["error"]["param"] == "rule_id"
    rest.remove("/api/hostgroups/9")


def test_aliases_and_prices(start, sim):
    gw, rest = start([server(sim(), "s", models=["m"])])
    rest.add("/api/aliases", alias="best/of all", model="m")
    assert gw.chat("best/of all").status_code == 200
    assert rest.show("/api/aliases/best/of%20all")["model"] == "m"
    rest.remove("/api/aliases/best/of%20all")
    assert gw.chat("best/of all").status_code == 404
    rest.add("/api/models", model="m", input_price=2.5, output_price=10)
    rest.add("/api/models", model="m", input_price=3, output_price=12, valid_from="2026-01-01")
    assert rest.show("/api/models/m")["input_price"] == 3
    assert rest.change("/api/models/m?valid_from=1970-01-01", input_price=2)["output_price"] == 10
    assert [row["input_price"] for row in rest.show("/api/models")] == [2, 3]
    rest.remove("/api/models/m")
    assert [row["valid_from"] for row in rest.show("/api/models")] == ["1970-01-01"]


def test_settings(start, sim):
    backend = sim(fault="status=500")
    gw, rest = start([server(backend, "s", models=["m"])], settings={"retry_initial_delay_ms": 1})
    names = {row["variable_name"] for row in rest.show("/api/variables")}
    assert {"max_retries", "log_level", "admin_username"} <= names
    assert rest.change("/api/variables/max_retries", variable_value=0)["variable_value"] == "0"
    gw.chat()
    assert backend.state()["received"] == 1
    assert rest.show("/api/variables/max_retries") == {"variable_name": "max_retries", "variable_value": "0", "source": "sql"}
    rest.remove("/api/variables/max_retries")
    assert rest.show("/api/variables/max_retries")["variable_value"] == "3"
    assert "max_retries" in rest.change("/api/variables/max_retries", 400, value=1000)["error"]["message"]
    rest.change("/api/variables/no_such", 404, value=1)


def test_rows_of_the_file_stay(start, sim):
    gw, rest = start([server(sim(), "filed", models=["m"])])
    row = rest.show("/api/servers/filed")
    assert row["source"] == "file"
    for answer in (rest.change("/api/servers/filed", 409, weight=3), rest.remove("/api/servers/filed", 409)):
        assert "configuration file" in answer["error"]["message"]
    assert rest.show("/api/servers/filed") == row
    assert gw.chat().status_code == 200


def test_what_is_wrong_is_said(start, sim):
    _, rest = start([server(sim(), "s", models=["m"])])
    for fields, param in (({}, "name"), ({"name": 3}, "name"), ({"name": "a", "wieght": 1}, "wieght"),
                          ({"name": "a", "weight": "1"}, "weight"), ({"name": "a", "source": "file"}, "source")):
        assert rest.add("/api/servers", 400, **fields)["error"]["param"] == param
    assert "provider" in rest.add("/api/servers", 400, name="a", provider_type="no-such")["error"]["message"]
    rest.add("/api/servers", name="a", endpoint="http://127.0.0.1:9")
    assert rest.add("/api/servers", 409, name="a")["error"]["code"] == "conflict"
    assert rest.ask("POST", "/api/servers", 400, content=b"{")["error"]["param"] is None
    assert len(rest.show("/api/servers")) == 2


def test_rows_survive_a_restart(start, sim, fairlead):
    backend = sim()
    gw, rest = start()
    rest.add("/api/servers", name="kept", provider_type="custom", endpoint=backend.url, models="m")
    gw.kill()
    again = fairlead({"listeners": LISTENERS, "servers": []}, folder=gw.folder)
    assert again.chat().status_code == 200
    with Rest(again) as rest:
        assert rest.show("/api/servers/kept")["source"] == "sql"


# ---- the process ----


def test_reload(start, sim):
    gw, rest = start([server(sim(), "s", models=["m"])])
    before = rest.show("/api/generation")["generation"]
    config = json.loads(gw.config_path.read_text())
    config["servers"][0]["models"] = ["other"]
    gw.write_config(config)
    rest.ask("POST", "/api/reload", 202)
    wait_for(lambda: rest.show("/api/generation")["generation"] > before, "the new generation")
    assert (gw.chat("m").status_code, gw.chat("other").status_code) == (404, 200)


def test_drain(start, sim):
    gw, rest = start([server(sim(), "s0", models=["m"])])
    rest.add("/api/servers", name="s1", provider_type="custom", endpoint=sim().url, models="n")
    assert gw.chat("n").status_code == 200
    assert rest.ask("POST", "/api/servers/s1/drain") == {"status": "ok"}
    assert gw.chat("n").status_code == 503
    rest.ask("POST", "/api/servers/none/drain", 404)


def test_numbers(start, sim):
    gw, rest = start([server(sim(), "s", models=["m"])])
    for _ in range(3):
        gw.chat()
    gw.chat("none")
    totals = rest.show("/api/stats")
    assert (totals["total_requests"], totals["successful_requests"], totals["failed_requests"]) == (4, 3, 1)
    assert totals["success_rate"] == 0.75 and totals["total_servers"] == totals["healthy_servers"] == 1
    rows = {row["server"]: row for row in rest.show("/api/stats/servers")}
    assert rows["s"]["requests"] == 3
    health = rest.show("/api/health")
    assert health["status"] == "healthy" and health["servers"][0]["server"] == "s"
    newest = wait_for(lambda: (lambda rows: rows if len(rows) == 2 else None)(rest.show("/api/stats/requests?limit=2")))
    assert newest[0]["status"] == 404 and newest[1]["server"] == "s"


def test_open_paths(start, sim):
    gw, rest = start([server(sim(), "s", models=["m"])])
    root = rest.show("/")
    assert root.keys() == {"name", "version", "status"} and gw.http.get("/").json() == root
    for path in ("/health", "/healthz"):
        assert rest.show(path) == gw.http.get(path).json() == {"status": "healthy"}
    assert rest.show("/readyz") == {"status": "ready"}
    assert "fairlead_build_info" in rest.get("/metrics").text


def test_head_options_and_wrong_methods(start):
    _, rest = start()
    head = rest.head("/api/servers")
    assert (head.status_code, head.content) == (200, b"") and int(head.headers["Content-Length"]) == 2
    assert rest.options("/api/servers").headers["Allow"] == "GET, HEAD, POST, OPTIONS"
    wrong = rest.delete("/api/servers")
    assert (wrong.status_code, wrong.headers["Allow"]) == (405, "GET, HEAD, POST, OPTIONS")
    for answer in (head, wrong, rest.get("/nothing"), rest.get("/")):
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Frame-Options"] == "DENY" and answer.headers["X-Content-Type-Options"] == "nosniff"


# ---- the description ----


def test_the_description_is_openapi(start):
    _, rest = start()
    document = rest.show("/api/openapi.json")
    assert document["openapi"] == "3.1.0"
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_every_described_path_answers(start, sim):
    """With a row that is not there, and without a body: never 'no such path', and never a broken server."""
    _, rest = start([server(sim(), "s", models=["m"])])
    for path, operations in rest.show("/api/openapi.json")["paths"].items():
        concrete = re.sub(r"\{\w+\}", "424242", path)
        for method in operations:
            answer = rest.request(method.upper(), concrete)
            assert answer.status_code in (200, 202, 400, 403, 404, 409), f"{method} {path}: {answer.text}"
            if answer.status_code == 404:
                assert "{" in path and "nothing at this path" not in answer.text
        assert rest.request("TRACE", concrete).status_code == 405


# ---- who may ----


def test_a_login(locked):
    _, rest = locked
    assert rest.get("/api/servers").status_code == 401
    wrong = rest.post("/admin/login", json={"username": "admin", "password": "wrong"})
    assert wrong.status_code == 401 and "Set-Cookie" not in wrong.headers
    good = rest.post("/admin/login", json={"username": "admin", "password": PASSWORD})
    cookie = good.headers["Set-Cookie"]
    assert re.fullmatch(r"mindbalancer_session=[\w-]{43}; Path=/; Max-Age=86400; HttpOnly; SameSite=Strict", cookie)
    assert len(rest.show("/api/servers")) == 1
    token = rest.cookies["mindbalancer_session"]
    rest.post("/admin/logout")
    rest.cookies.clear()
    for headers in ({}, {"Cookie": f"mindbalancer_session={token}"}, {"Authorization": f"Bearer {token}"}):
        assert rest.get("/api/servers", headers=headers).status_code == 401


def test_a_form_basic_and_bearer(locked):
    _, rest = locked
    form = rest.post("/admin/login", data={"username": "admin", "password": PASSWORD})
    assert form.status_code == 303 and form.headers["Location"] == "/"
    token = rest.cookies["mindbalancer_session"]
    rest.cookies.clear()
    assert rest.get("/api/servers", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    assert rest.get("/api/servers", auth=("admin", PASSWORD)).status_code == 200
    assert rest.get("/api/servers", auth=("root", PASSWORD)).status_code == 401


def test_what_stays_open_here(locked):
    gw, rest = locked
    gw.chat()
    for path in ("/api/cache", "/api/stats", "/api/stats/servers", "/api/stats/requests", "/api/health"):
        assert rest.get(path).status_code == 200
        assert rest.get(path, headers={"X-Forwarded-For": "10.0.0.1"}).status_code == 401
    rows = wait_for(lambda: rest.show("/api/stats/requests"))
    assert not {"user", "client", "error", "path"} & rows[0].keys()
    assert "user" in rest.get("/api/stats/requests", auth=("admin", PASSWORD)).json()[0]


def test_logins_are_limited(locked):
    _, rest = locked
    login = lambda password: rest.post("/admin/login", json={"username": "admin", "password": password})
    assert [login("wrong").status_code for _ in range(10)] == [401] * 10
    limited = login(PASSWORD)
    assert limited.status_code == 429 and 0 < int(limited.headers["Retry-After"]) <= 60


def test_a_new_password_ends_sessions(locked):
    _, rest = locked
    rest.post("/admin/login", json={"username": "admin", "password": PASSWORD})
    rest.change("/api/variables/admin_password", value="another one")
    assert rest.get("/api/servers").status_code == 401
    shown = rest.get("/api/variables/admin_password", auth=("admin", "another one"))
    assert shown.status_code == 200 and "another one" not in shown.text


def test_foreign_pages_can_do_nothing(start):
    gw, rest = start()
    own = gw.listeners["admin"]
    clear = lambda **headers: rest.post("/api/cache/clear", headers={k.replace("_", "-"): v for k, v in headers.items()})
    assert clear(Origin=own).status_code == 200
    assert clear(Origin="http://evil.example").status_code == 403
    assert clear(Origin="null").status_code == 403
    assert clear(Sec_Fetch_Site="cross-site").status_code == 403
    assert clear(Host="evil.example").status_code == 403
    assert rest.get("/api/servers", headers={"Host": "evil.example"}).status_code == 403


def test_without_a_password_only_this_machine(start):
    _, rest = start()
    assert rest.get("/api/servers").status_code == 200
    assert rest.get("/api/servers", headers={"X-Forwarded-For": "10.0.0.1"}).status_code == 403


def test_tls_makes_the_cookie_secure(start, tmp_path):
    cert, key = tmp_path / "c.crt", tmp_path / "c.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=x", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
                   check=True, capture_output=True)
    listeners = [LISTENERS[0], {**LISTENERS[1], "tls_cert_file": str(cert), "tls_key_file": str(key)}]
    _, rest = start(listeners=listeners, settings={"admin_password": PASSWORD},
                    rest_options={"verify": ssl.create_default_context(cafile=str(cert))})
    answer = rest.post("/admin/login", json={"username": "admin", "password": PASSWORD})
    assert answer.headers["Set-Cookie"].endswith("; Secure")


# ---- others who write ----


def test_another_writer_is_waited_for_or_told(start):
    listeners = [*LISTENERS, {"name": "sql", "address": "127.0.0.1:0", "serves": ["sql"]}]
    gw, rest = start(listeners=listeners)
    port = int(re.search(r"listening  +sql +\S+?:(\d+)\b", gw.output).group(1))
    other = pymysql.connect(host="127.0.0.1", port=port, user="admin")
    with other, other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("INSERT INTO ai_model_aliases (alias, model) VALUES ('a', 'm')")
        busy = rest.post("/api/aliases", json={"alias": "b", "model": "m"})
        assert busy.status_code == 503 and int(busy.headers["Retry-After"]) >= 1
        assert rest.show("/api/aliases") == []
        cursor.execute("COMMIT")
    assert [row["alias"] for row in rest.show("/api/aliases")] == ["a"]
    rest.add("/api/aliases", alias="b", model="m")


def test_many_write_at_once(start):
    gw, rest = start()
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        made = list(pool.map(lambda i: rest.post("/api/aliases", json={"alias": f"a{i:02}", "model": "m"}).status_code,
                             range(48)))
    assert set(made) <= {201, 503}
    assert len(rest.show("/api/aliases")) == made.count(201) > 0
