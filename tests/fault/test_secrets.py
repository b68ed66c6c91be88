# SPDX-License-Identifier: Apache-2.0
"""Secrets are planted wherever one can be given and used in every way that may go wrong; then everything that left the
process, and every file of it, is searched for them."""
import base64
import os
import resource
import signal

import httpx
import programs
import pymysql
import pytest
from programs import wait_for

from fault import harness, stored

TABLES = ["ai_servers", "ai_hostgroups", "ai_routing_rules", "ai_users", "ai_api_keys", "ai_models", "ai_model_aliases",
          "global_variables", "usage_ledger", "journal_positions", "requests_live", "sql_sessions", "stats_servers",
          "stats_models", "stats_queue", "stats_overview", "metrics", "health_status", "cache_status", "request_log",
          "session_variables", "session_status", "sql_commands", "sqlite_master", "sqlite_temp_master"]
SHOWN = ["SHOW STATS", "SHOW HEALTH STATUS", "SHOW CACHE STATUS", "SHOW API KEYS", "SHOW HOSTGROUPS", "SHOW PROCESSLIST",
         "SHOW VARIABLES", "SHOW VARIABLES LIKE '%key%'", "SHOW STATUS", "SHOW WARNINGS", "SHOW CREATE TABLE ai_servers",
         "SHOW CREATE TABLE ai_users", "SHOW SERVERS", "SHOW USERS", "SELECT @@api_key_encryption_key",
         "SELECT @@admin_password", "SELECT @@admin_password_hash", "PRAGMA table_info(ai_servers)",
         "SELECT hex(api_key_encrypted) FROM ai_servers", "SELECT quote(api_key_encrypted) FROM ai_servers",
         "SELECT quote(password_hash) FROM ai_users", "SELECT hex(api_key), key_digest FROM ai_api_keys",
         "SELECT quote(variable_value) FROM global_variables"]
PATHS = ["servers", "users", "rules", "hostgroups", "keys", "models", "aliases", "variables", "cache", "stats", "health",
         "stats/servers", "stats/requests", "generation", "openapi.json", "variables/admin_password",
         "variables/api_key_encryption_key", "servers/file", "servers/by-sql", "users/ann"]


class Secrets:
    """Planted texts by where they were planted."""

    def __init__(self):
        self.texts, self.forms = {}, {}

    def plant(self, where):
        return self.note(where, f"sk-{len(self.texts):02}{os.urandom(16).hex()}")

    def note(self, where, text):
        """One that was made by Fairlead itself."""
        self.texts[where] = text
        self.forms[where] = list(forms(text))
        return text

    def found_in(self, haystack):
        """Where the secrets were planted that can be read in it, whole or in part."""
        if isinstance(haystack, str):
            haystack = haystack.encode()
        lower = haystack.lower()
        return [where for where, (in_hex, *rest) in self.forms.items()
                if in_hex in lower or any(form in haystack for form in rest)]


def forms(text):
    """In hexadecimal digits, as it is, and what stays of it in base64 wherever it begins; pieces will do."""
    yield text[8:24].encode().hex().encode()
    yield text[8:20].encode()
    for shift in range(3):
        yield base64.b64encode(b"\0" * shift + text.encode())[8:-8]


class Seen:
    """Everything that came out of it."""

    def __init__(self):
        self.answers = []

    def sql(self, session, statement, *values, fails=False):
        try:
            rows = session.run(statement, *values)
            assert not fails, f"no error of {statement}"
        except pymysql.err.MySQLError as error:
            rows = error.args
        self.answers.append((statement.split(" ")[:3], str(rows)))
        return rows

    def http(self, answer):
        self.answers.append((f"{answer.request.method} {answer.request.url.path}", f"{answer.headers} {answer.text}"))
        return answer


@pytest.fixture
def secrets():
    return Secrets()


def write_by_sql(session, seen, secrets, backend):
    """Statements that succeed, and those that fail with a secret in them."""
    def insert(name, key, columns="", values=""):
        return (f"INSERT INTO ai_servers (name, provider_type, endpoint, models, api_key_encrypted{columns}) VALUES "
                f"('{name}', 'custom', '{backend.url}', '{name}', '{key}'{values})")

    plant = secrets.plant
    good = backend_key(secrets)
    seen.sql(session, insert("by-sql", good))
    seen.sql(session, insert("wrong", plant("wrong key by INSERT")))
    seen.sql(session, insert("updated", plant("replaced key")))
    seen.sql(session, f"UPDATE ai_servers SET api_key_encrypted = '{plant('key by UPDATE')}' WHERE name = 'updated'")
    seen.sql(session, insert("deleted", plant("deleted key")))
    seen.sql(session, "DELETE FROM ai_servers WHERE name = 'deleted'")
    for what, columns, values in [("weight", ", weight", ", 5000"), ("status", ", status", ", 'ASLEEP'"),
                                  ("unknown column", ", colour", ", 'red'"), ("count", ", weight", "")]:
        seen.sql(session, insert("bad", plant(f"INSERT that fails by {what}"), columns, values), fails=True)
    seen.sql(session, insert("by-sql", plant("INSERT that fails by its name")), fails=True)
    seen.sql(session, insert("bad", plant("INSERT with a space") + " x"), fails=True)
    seen.sql(session, f"INSRT INTO ai_servers VALUES ('{plant('no SQL at all')}')", fails=True)
    seen.sql(session, f"INSERT INTO ai_servers (name, api_key_encrypted) VALUES ('x', '{plant('unterminated')}", fails=True)
    for statement in ("UPDATE ai_servers SET api_key_encrypted '{}'", 'UPDATE ai_servers SET api_key_encrypted "{}"',
                      "SELECT 1; SET x = '{}'", "SET GLOBAL admin_password '{}'", "INSERT INTO ai_servers VALUES ('a' '{}')",
                      "UPDATE ai_servers SET weight = '{}'", "SELECT 1 FROM ai_servers LIMIT '{}'",
                      "UPDATE ai_servers SET api_key_encrypted = '{}' WERE name = 'file'", "CREATE API KEY '{}'"):
        seen.sql(session, statement.format(plant(statement)), fails=True)
    seen.sql(session, f"UPDATE ai_servers SET api_key_encrypted = '{plant('UPDATE of the file')}' WHERE name = 'file'",
             fails=True)
    session.run("BEGIN")
    seen.sql(session, insert("rolled-back", plant("rolled back key")))
    session.run("ROLLBACK")
    fill_pages(session, secrets, backend)
    seen.sql(session, "INSERT INTO ai_users (username, password_hash) VALUES ('ann', %s)", plant("password by INSERT"))
    seen.sql(session, "UPDATE ai_users SET password_hash = %s WHERE username = 'ann'", plant("password by UPDATE"))
    seen.sql(session, "INSERT INTO ai_users (username, password_hash) VALUES ('ann', %s)", plant("password twice"), fails=True)
    seen.sql(session, "INSERT INTO ai_api_keys (name, username, api_key) VALUES ('a', 'ann', %s)", plant("client key"))
    seen.sql(session, "INSERT INTO ai_api_keys (name, username, api_key) VALUES ('a', 'ann', %s)", plant("client key twice"),
             fails=True)
    seen.sql(session, "INSERT INTO ai_api_keys (name, username, api_key) VALUES ('b', 'bob', %s)", plant("key of nobody"),
             fails=True)
    secrets.note("made by SQL", session.run("CREATE API KEY FOR 'ann' NAME 'made'")[0][2])
    seen.sql(session, f"SET GLOBAL api_key_encryption_key = '{plant('SET of a START setting')}'", fails=True)
    seen.sql(session, f"SET GLOBAL admin_passwort = '{plant('SET of no variable')}'", fails=True)


def fill_pages(session, secrets, backend):
    """Rows come between others and become longer, so that pages split and what stands in them moves about."""
    for turn in range(6):
        numbers = "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 109) "
        session.run(f"{numbers} INSERT INTO ai_servers (id, name, provider_type, endpoint, status, api_key_encrypted, comment) "
                    f"SELECT 1000 + (i * 7919) % 110 + {turn} * 1000, 'many-{turn}-' || i, 'custom', '{backend.url}', 'OFFLINE', "
                    f"'{secrets.plant(f'key {turn} of many')}' || hex(zeroblob(i % 50)), hex(zeroblob(i * 13 % 400)) FROM n")
        session.run(f"DELETE FROM ai_servers WHERE name LIKE 'many-%' AND id % 3 = {turn % 3}")
        session.run(f"UPDATE ai_servers SET api_key_encrypted = '{secrets.plant(f'longer key {turn} of many')}' || "
                    "hex(zeroblob(id % 97)), comment = hex(zeroblob(id * 17 % 600)) WHERE name LIKE 'many-%' AND id % 2")


def backend_key(secrets):
    return secrets.texts["key of the backend"]


def write_by_rest(rest, seen, secrets, backend):
    def post(path, status, **fields):
        answer = seen.http(rest.post("/api/" + path, json=fields))
        assert answer.status_code == status, answer.text
        return answer

    plant = secrets.plant
    server = {"provider_type": "custom", "endpoint": backend.url}
    post("servers", 201, name="by-rest", models="by-rest", api_key=backend_key(secrets), **server)
    post("servers", 409, name="by-rest", api_key=plant("POST twice"), **server)
    post("servers", 400, name="r2", api_key=plant("POST with a bad weight"), weight=5000, **server)
    post("servers", 400, name="r3", api_key=plant("POST with a space") + " x", **server)
    seen.http(rest.post("/api/servers", content=f'{{"api_key": "{plant("broken JSON")}'))
    seen.http(rest.put("/api/servers/by-rest", json={"api_key": plant("PUT, then put right")}))
    seen.http(rest.put("/api/servers/by-rest", json={"api_key": backend_key(secrets)}))
    seen.http(rest.put("/api/servers/nobody", json={"api_key": plant("PUT of nobody")}))
    post("users", 201, username="bob", password=plant("password by REST"))
    made = rest.post("/api/keys", json={"name": "k", "username": "bob"})  # told this once
    secrets.note("made by REST", made.json()["api_key"])
    seen.http(rest.put("/api/variables/admin_passwort", json={"variable_value": plant("PUT of no variable")}))


def ask(program, seen, secrets):
    """Requests with keys that are right, wrong, and misplaced."""
    plant = secrets.plant
    client = {"Authorization": f"Bearer {secrets.texts['client key']}"}
    for model in ("file", "env", "by-sql", "by-rest"):
        assert seen.http(program.chat(model=model, headers=client)).status_code == 200, model
    for model in ("wrong", "updated"):
        assert seen.http(program.chat(model=model, headers=client)).status_code == 401
    assert seen.http(program.chat(model="file")).status_code == 401
    for field, value in [("Authorization", "Bearer {}"), ("Authorization", "Basic {}"), ("X-Api-Key", "{}"),
                         ("api-key", "{}"), ("Cookie", "session={}")]:
        answer = seen.http(program.chat(model="file", headers={field: value.format(plant(f"{field} {value}"))}))
        assert answer.status_code == 401
    for made in ("made by SQL", "made by REST"):
        headers = {"Authorization": f"Bearer {secrets.texts[made]}"}
        assert seen.http(program.chat(model="file", headers=headers)).status_code == 200
    seen.http(program.chat(model="nobody", headers=client))
    seen.http(program.http.get(f"/v1/models?key={plant('in a query')}", headers=client))
    seen.http(program.http.post("/v1/chat/completions", content=b"{", headers=client))


def log_in(program, rest, seen, secrets):
    """Right and wrong passwords, by SQL and REST."""
    plant = secrets.plant
    for user, password in [("admin", plant("wrong password by SQL")), (plant("password for a name"), "")]:
        with pytest.raises(pymysql.err.OperationalError) as caught:
            stored.Session(program, user=user, password=password)
        if not user.startswith("sk-"):  # MySQL's error tells the name
            seen.answers.append(("login", str(caught.value)))
    for body in ({"username": "admin", "password": plant("wrong password by REST")}, {"password": plant("no name")}):
        seen.http(httpx.post(rest.base_url.join("/admin/login"), json=body))
    seen.http(httpx.get(rest.base_url.join("/api/servers"), auth=("admin", plant("wrong Basic"))))
    assert seen.http(rest.post("/admin/login", json={"username": "admin", "password": secrets.texts["admin"]})).is_success


def look(session, rest, program, seen):
    """Everything that can be shown."""
    for table in TABLES:
        seen.sql(session, f"SELECT * FROM {table}")
    for table, in session.run("SELECT TABLE_NAME FROM information_schema.TABLES"):
        seen.sql(session, f"SELECT * FROM {table}")
    for statement in SHOWN:
        seen.sql(session, statement)
    for path in PATHS:
        seen.http(rest.get("/api/" + path))
    seen.answers.append(("metrics", program.metrics()))


def search_files(folder, secrets):
    """Every file of the data folder, whatever it is."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    assert any(path.name == "fairlead.db-wal" or path.name == "fairlead.db" for path in paths)
    for path in paths:
        content = b"\0".join(part for part in path.read_bytes().split(b"\0" * 64) if part)  # most of the journal is empty
        found = secrets.found_in(content)
        assert not found, f"{path}: {found}"


@pytest.mark.parametrize("passphrase", [True, False], ids=["passphrase", "secret.key"])
def test_no_secret_comes_out(sim, started, tmp_path, secrets, passphrase):
    backend = sim(require_key=secrets.plant("key of the backend"), flags=["--no-record"])
    listeners = [{**stored.LISTENERS[0], "auth": "keys"}, *stored.LISTENERS[1:],
                 {"name": "master", "address": "127.0.0.1:0", "serves": ["inference"], "auth": "master",
                  "master_key": secrets.plant("master key")}]
    config = stored.configuration(
        [programs.server(backend, "file", models=["file"], api_key=backend_key(secrets)),
         programs.server(backend, "env", models=["env"], api_key="${PLANTED_KEY}"),
         programs.server(backend, "file-wrong", models=["file-wrong"], api_key=secrets.plant("wrong key in the file"))],
        listeners=listeners, log_level="debug", admin_password=secrets.plant("admin"),
        **({"api_key_encryption_key": secrets.plant("passphrase")} if passphrase else {}))
    environment = {"PLANTED_KEY": backend_key(secrets), "OPENAI_API_KEY": secrets.plant("OPENAI_API_KEY")}
    program = stored.restart(started, tmp_path, config, env=environment)
    seen = Seen()
    session = stored.Session(program, password=secrets.texts["admin"])
    with httpx.Client(base_url=program.listeners["admin"], timeout=programs.PATIENCE) as rest:
        log_in(program, rest, seen, secrets)
        write_by_sql(session, seen, secrets, backend)
        write_by_rest(rest, seen, secrets, backend)
        ask(program, seen, secrets)
        answer = httpx.post(program.listeners["master"] + "/v1/chat/completions",
                            headers={"Authorization": f"Bearer {secrets.texts['master key']}"},
                            json={"model": "file", "messages": [{"role": "user", "content": "x"}]})
        assert seen.http(answer).status_code == 200
        look(session, rest, program, seen)
        session.run("SET GLOBAL admin_password = %s", secrets.plant("admin by SET"))
        seen.sql(session, "SHOW VARIABLES LIKE 'admin%'")
        stored.Session(program, password=secrets.texts["admin by SET"]).close()
    wait_for(lambda: session.value("SELECT count(*) FROM usage_ledger") > 0, "the ledger")
    search_files(tmp_path / "data", secrets)
    program.kill()
    search_files(tmp_path / "data", secrets)  # with the WAL as it was
    again = stored.restart(started, tmp_path, config, env=environment)
    stored.Session(again, password=secrets.texts["admin by SET"]).close()  # it is known though nobody can read it
    again.stop()
    search_files(tmp_path / "data", secrets)
    seen.answers += [("a line", line) for run in (program, again) for line in run.lines + run.errors]
    if secrets.found_in("\n".join(text for _, text in seen.answers)):
        leaks = [(what, secrets.found_in(text), text) for what, text in seen.answers]
        raise AssertionError([leak for leak in leaks if leak[1]])
    assert program.log_lines() and program.errors, "nothing was logged that could leak"
    print(f"{len(secrets.texts)} secrets, {len(seen.answers)} answers, {len(program.lines + program.errors)} lines")


def test_the_search_finds():
    """What is searched for would be found in each of these spellings."""
    planted = Secrets()
    text = planted.plant("here")
    assert not planted.found_in("sk-0...")
    for spelling in (text, f"x{text}y", text[4:-4], base64.b64encode(f"admin:{text}".encode()).decode(), text.encode().hex(),
                     text.encode().hex().upper(), base64.b64encode(text.encode()).decode()):
        assert planted.found_in(spelling) == ["here"], spelling


# ---- core dumps ----


def crash(program):
    """SIGSEGV with all the room there may be for a core file; whether one was written."""
    _, most = resource.prlimit(program.pid, resource.RLIMIT_CORE)
    resource.prlimit(program.pid, resource.RLIMIT_CORE, (most, most))
    program.send_signal(signal.SIGSEGV)
    ended = os.waitid(os.P_PID, program.pid, os.WEXITED | os.WNOWAIT)
    program.was_killed = True
    program.wait_end()
    assert ended.si_status == signal.SIGSEGV
    return ended.si_code == os.CLD_DUMPED


def test_a_crash_leaves_no_core_file(fairlead):
    program = fairlead(stored.configuration())
    if harness.is_sanitized(program.pid):
        program.stop()  # the sanitizer deals with signals and core files itself
        return
    before = set(program.folder.rglob("*"))
    assert not crash(program)
    left = {path.name for path in set(program.folder.rglob("*")) - before}
    assert not any(name.startswith("core") for name in left), left


def test_core_dumps_can_be_wanted(fairlead):
    """Also shows that the test above could see one."""
    program = fairlead(stored.configuration(core_dumps=True))
    if harness.is_sanitized(program.pid):
        program.stop()
        return
    try:
        assert crash(program)
    finally:
        for path in program.folder.glob("core*"):
            path.unlink()
