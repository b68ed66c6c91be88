# SPDX-License-Identifier: Apache-2.0
"""A mindbalancer.db lies in the data folder at the first start: its servers, users, rules and keys serve at once."""
import base64
import hashlib
import os
import sqlite3

import programs
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from programs import wait_for

from fault import stored

PASSPHRASE = "MindBalancer's own passphrase"
KEY = "sk-imported-0123456789abcdef"
# The columns of its tables, in its order.
SCHEMA = """
CREATE TABLE ai_servers (id INTEGER PRIMARY KEY, name TEXT UNIQUE, provider_type TEXT, endpoint TEXT, api_key_encrypted TEXT,
    hostgroup INTEGER, weight INTEGER, max_connections INTEGER, status TEXT, comment TEXT, created_at DATETIME,
    updated_at DATETIME);
CREATE TABLE ai_users (id INTEGER PRIMARY KEY, username TEXT, password_hash TEXT, active INTEGER, default_hostgroup INTEGER,
    max_requests_per_minute INTEGER, max_tokens_per_minute INTEGER, comment TEXT, created_at DATETIME, updated_at DATETIME);
CREATE TABLE ai_routing_rules (id INTEGER PRIMARY KEY, rule_id INTEGER, active INTEGER, match_model TEXT, match_pattern TEXT,
    match_user TEXT, destination_hostgroup INTEGER, mirror_hostgroup INTEGER, priority INTEGER, comment TEXT,
    created_at DATETIME, updated_at DATETIME);
CREATE TABLE ai_hostgroups (id INTEGER PRIMARY KEY, group_id INTEGER, name TEXT, comment TEXT);
CREATE TABLE global_variables (variable_name TEXT PRIMARY KEY, variable_value TEXT);
INSERT INTO ai_hostgroups (group_id, name, comment) VALUES (0, 'default', 'Default hostgroup'), (7, 'special', '');
"""


def seal(plain):
    """As MindBalancer does it: AES-256-GCM under the passphrase's SHA-256."""
    nonce = os.urandom(12)
    key = hashlib.sha256(PASSPHRASE.encode()).digest()
    return "enc:" + base64.b64encode(nonce + AESGCM(key).encrypt(nonce, plain.encode(), None)).decode()


def make_database(path, servers):
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode = WAL")
    database.executescript(SCHEMA)
    for name, endpoint, key, hostgroup in servers:
        database.execute(
            "INSERT INTO ai_servers (name, provider_type, endpoint, api_key_encrypted, hostgroup, weight, max_connections,"
            " status) VALUES (?, 'custom', ?, ?, ?, 5, 100, 'ONLINE')", (name, endpoint, key, hostgroup))
    database.execute("INSERT INTO ai_users (username, password_hash, active, default_hostgroup, max_requests_per_minute,"
                     " max_tokens_per_minute) VALUES ('ann', '', 1, 0, 3, 100000)")
    database.execute("INSERT INTO ai_routing_rules (rule_id, active, match_model, destination_hostgroup, priority) VALUES"
                     " (1, 1, 'special-*', 7, 10)")
    database.execute("INSERT INTO global_variables VALUES ('max_retries', '1')")
    database.commit()
    database.close()


def ask_when_known(program, model):
    """Such servers name no models, so each is asked for them behind the start."""
    wait_for(lambda: model in program.http.get("/v1/models").text, f"{model} to be discovered")
    assert program.chat(model=model).status_code == 200


def test_a_database_is_taken_over(sim, started, tmp_path):
    sealed_one, special = sim(require_key=KEY, models="any"), sim(models="special-one")
    (tmp_path / "data").mkdir()
    source = tmp_path / "data" / "mindbalancer.db"
    make_database(source, [("sealed", sealed_one.url, seal(KEY), 0), ("special", special.url, "", 7)])
    before = source.read_bytes()
    config = stored.configuration(api_key_encryption_key=PASSPHRASE, trust_user_header="always")

    program = stored.restart(started, tmp_path, config)
    program.wait_line(r"mindbalancer\.db: imported 2 servers, 1 users, 1 rules, \d hostgroups, 1 variables")
    ask_when_known(program, "any")
    assert len(sealed_one.requests()) == 1
    ask_when_known(program, "special-one")
    assert len(special.requests()) == 1
    limited = [program.chat(model="any", headers={"X-User": "ann"}).status_code for _ in range(4)]
    assert limited == [200, 200, 200, 429]
    session = stored.Session(program)
    assert session.value("SELECT api_key_encrypted FROM ai_servers WHERE name = 'sealed'") == f"{KEY[:4]}...{KEY[-4:]}"
    assert session.value("SELECT @@max_retries") == 1
    session.run("DELETE FROM ai_servers WHERE name = 'special'")
    session.close()
    program.stop()
    assert KEY not in program.output + program.error_output
    assert source.read_bytes() == before, "it is not ours to change"

    # The second start has a store of its own.
    program = stored.restart(started, tmp_path, config)
    assert not program.find_line("imported")
    ask_when_known(program, "any")
    session = stored.Session(program)
    assert session.run("SELECT name FROM ai_servers") == (("sealed",),)
    session.close()


def test_with_another_passphrase_it_does_not_start(sim, tmp_path, started):
    backend = sim(require_key=KEY, models="any")
    (tmp_path / "data").mkdir()
    make_database(tmp_path / "data" / "mindbalancer.db", [("sealed", backend.url, seal(KEY), 0)])
    program = programs.Fairlead(tmp_path, stored.configuration(api_key_encryption_key="quite another one"), wait=False)
    assert program.wait_end() == 1
    assert "server 'sealed': its key cannot be opened; set api_key_encryption_key" in program.error_output
    program = stored.restart(started, tmp_path, stored.configuration(api_key_encryption_key=PASSPHRASE))
    ask_when_known(program, "any")
