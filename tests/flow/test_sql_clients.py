# SPDX-License-Identifier: Apache-2.0
"""Stock clients of MySQL against the SQL administration: logins, TLS, limits, and what graphical tools ask."""
import os
import pty
import re
import select
import socket
import ssl
import subprocess
from pathlib import Path

import pymysql
import pytest
from programs import BIN, PATIENCE, make_certificate, mariadb, wait_for
from pymysql.constants import CLIENT, COMMAND

HERE = Path(__file__).parent
PASSWORD = "correct horse 'battery' staple"


def good(ended):
    assert ended.returncode == 0 and ended.stderr == "", ended
    return ended.stdout


def failed(ended, number):
    """The client's message; it must have ended with this error of the server."""
    assert ended.returncode != 0 and f"ERROR {number} " in ended.stderr, ended
    return ended.stderr


# ---- the mariadb command line ----


def test_mariadb_runs_a_statement(administered):
    gw = administered()
    assert good(mariadb(gw, "-e", "SHOW STATS")).splitlines()[0] == "Variable\tValue"
    added = good(mariadb(gw, "-vvv", "-e", "INSERT INTO routing_rules (match_model, destination_hostgroup) VALUES "
                                           "('llama*', 0), ('gpt-4*', 0)"))
    assert "Query OK, 2 rows affected" in added
    shown = good(mariadb(gw, "--column-names", "-t", "-e", "SELECT match_model, priority FROM routing_rules ORDER BY id"))
    assert shown == ("+-------------+----------+\n| match_model | priority |\n+-------------+----------+\n"
                     "| llama*      |      100 |\n| gpt-4*      |      100 |\n+-------------+----------+\n")


def test_mariadb_with_several_statements_and_a_terminal_like_input(administered):
    """What a person types: \\G, USE with its look at all tables for completion, SHOW DATABASES, \\s."""
    gw = administered()
    typed = ("SHOW DATABASES;\nUSE information_schema\nUSE fairlead;\nSELECT 1 AS one,\n 2 AS two\\G\n"
             "SELECT DATABASE();\nDESCRIBE ai_model_aliases;\nSHOW TABLES LIKE 'ai_u%';\nHELP;\n\\s\n")
    shown = good(mariadb(gw, "--auto-rehash", "-n", input=typed))
    assert "fairlead\ninformation_schema\n" in shown
    assert "one: 1\ntwo: 2\n" in shown
    assert "alias\tvarchar(128)\tNO\tPRI" in shown and "ai_users" in shown
    assert "5.7.0-MindBalancer" in shown and "admin@127.0.0.1" in shown


def test_mariadb_errors(administered):
    gw = administered()
    assert "(42000)" in failed(mariadb(gw, "-e", "NONSENSE"), 1064)
    assert "(42S02)" in failed(mariadb(gw, "-e", "SELECT * FROM nowhere"), 1146)
    assert "(42S22)" in failed(mariadb(gw, "-e", "SELECT none FROM ai_users"), 1054)
    failed(mariadb(gw, "elsewhere", "-e", "SELECT 1"), 1049)
    assert good(mariadb(gw, "fairlead", "-N", "-e", "SELECT DATABASE()")) == "fairlead\n"
    failed(mariadb(gw, "-uroot", "-e", "SELECT 1"), 1045)


def test_mariadb_takes_unicode_and_quotes(administered):
    gw = administered()
    good(mariadb(gw, input="INSERT INTO ai_users (username, comment) VALUES ('ada', 'it''s \\'a\\' \\\\ 日本 \"x\"; -- no');\n"))
    assert good(mariadb(gw, "-N", "-r", "-e", "SELECT comment FROM ai_users")) == "it's 'a' \\ 日本 \"x\"; -- no\n"


def test_the_quick_start_from_a_file(sim, administered, tmp_path):
    gw = administered()
    script = (f"INSERT INTO ai_servers (name, provider_type, endpoint, models) VALUES ('x', 'custom', '{sim().url}', 'm');\n"
              "LOAD AI SERVERS TO RUNTIME;\nSAVE AI SERVERS TO DISK;\nSET max_retries = 5;\nCACHE CLEAR;\n")
    good(mariadb(gw, input=script))
    assert gw.chat().status_code == 200
    assert good(mariadb(gw, "-N", "-e", "SHOW VARIABLES LIKE 'max_retries'")) == "max_retries\t5\n"


def test_mariadb_writes_xml(administered):
    gw = administered()
    gw.sql("INSERT INTO ai_users (username, comment) VALUES ('ada', 'bob & eve')")
    rows = good(mariadb(gw, "--xml", "-e", "SELECT username, comment FROM ai_users"))
    assert '<field name="username">ada</field>' in rows and '<field name="comment">bob &amp; eve</field>' in rows


def test_mariadb_admin_and_show(administered):
    """mysqladmin's and mysqlshow's successors: monitoring scripts use them."""
    gw = administered()
    admin = lambda *arguments: good(mariadb(gw, *arguments, program="mariadb-admin"))
    assert admin("ping") == "mysqld is alive\n"
    assert re.match(r"Uptime: \d+  Threads: \d+  Questions: \d+\n", admin("status"))
    assert "5.7.0-MindBalancer" in admin("version")
    assert "request_id" in admin("processlist")
    assert re.search(r"\| max_retries +\| 3 +\|", admin("variables"))
    assert re.search(r"\| Configuration_generation +\| \d+ +\|", admin("extended-status"))
    admin("flush-privileges")
    assert "Unknown thread id: 123456" in mariadb(gw, "kill", "123456", program="mariadb-admin").stderr
    show = lambda *arguments: good(mariadb(gw, *arguments, program="mariadb-show"))
    assert re.search(r"\| fairlead +\|", show())
    assert re.search(r"\| ai_servers +\|", show("fairlead"))
    assert re.search(r"\| username +\| varchar\(64\)", show("fairlead", "ai_users", "%"))


# ---- logins ----


@pytest.fixture
def hashed():
    """hashed(password): as fairlead hash-password prints it."""

    def make(password):
        done = subprocess.run([BIN / "fairlead", "hash-password"], input=password + "\n",
                              capture_output=True, text=True, timeout=PATIENCE, check=True)
        return done.stdout.strip()

    return make


# bcrypt of "secret", cost 4
BCRYPT = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"


def refusal(program, **options):
    """The number and the text that a login is refused with."""
    with pytest.raises(pymysql.MySQLError) as caught:
        pymysql.connect(host="127.0.0.1", port=program.sql_port, connect_timeout=PATIENCE, read_timeout=PATIENCE,
                        **{"user": "admin", **options})
    return caught.value.args


def test_login_with_a_password(administered, sql_session):
    gw = administered(admin_password=PASSWORD)
    assert sql_session(gw, password=PASSWORD)("SELECT user()").only() == "admin@127.0.0.1"
    assert good(mariadb(gw, f"-p{PASSWORD}", "-N", "-e", "SELECT 1")) == "1\n"
    for wrong in ("wrong", "", PASSWORD + " "):
        number, text = refusal(gw, password=wrong)
        assert number == 1045 and f"using password: {'YES' if wrong else 'NO'}" in text
    assert refusal(gw, password=PASSWORD, user="root")[0] == 1045
    failed(mariadb(gw, "-pwrong", "-e", "SELECT 1"), 1045)
    assert "correct horse" not in gw.output + gw.error_output


def test_login_with_caching_sha2(administered):
    gw = administered(admin_password=PASSWORD)
    assert good(mariadb(gw, "--default-auth=caching_sha2_password", f"-p{PASSWORD}", "-N", "-e", "SELECT 1")) == "1\n"
    failed(mariadb(gw, "--default-auth=caching_sha2_password", "-pwrong", "-e", "SELECT 1"), 1045)


@pytest.mark.parametrize("kind", ["argon2id", "bcrypt"])
def test_login_with_a_hash(administered, sql_session, hashed, kind):
    """The password itself is needed: it comes encrypted by the server's key, the second time by the short way."""
    gw = administered(admin_password_hash=hashed("secret") if kind == "argon2id" else BCRYPT)
    for _ in range(2):
        assert sql_session(gw, password="secret")("SELECT 1").only() == 1
    assert good(mariadb(gw, "-psecret", "-N", "-e", "SELECT 1")) == "1\n"
    assert refusal(gw, password="wrong")[0] == refusal(gw, password="")[0] == 1045
    assert refusal(gw, password="secret", user="root")[0] == 1045


def test_a_new_password_acts_at_once(administered, sql_session):
    gw = administered()
    gw.sql("SET admin_password = 'first one'")
    assert refusal(gw, password="")[0] == 1045
    assert sql_session(gw, password="first one")("SELECT 1").only() == 1
    gw.sql("SET admin_username = 'root'")
    assert refusal(gw, password="first one")[0] == 1045
    assert sql_session(gw, user="root", password="first one")("SELECT 1").only() == 1
    assert gw.sql("SELECT 1").only() == 1  # who is in stays in
    shown = gw.sql("SHOW VARIABLES LIKE 'admin_p%'")
    assert "first one" not in str(shown)


def test_too_many_sessions(administered, sql_session):
    gw = administered(sql_max_sessions=2)
    sessions = [sql_session(gw), sql_session(gw)]
    assert refusal(gw)[0] == 1040
    sessions[0].close()
    wait_for(lambda: not login_fails(gw), "room for a session")


def login_fails(gw):
    try:
        pymysql.connect(host="127.0.0.1", port=gw.sql_port, user="admin").close()
        return False
    except pymysql.MySQLError:
        return True


def test_who_says_nothing_is_hung_up_on(administered):
    gw = administered(sql_login_timeout_ms=200)
    with socket.create_connection(("127.0.0.1", gw.sql_port), timeout=PATIENCE) as connection:
        received = b""
        while piece := connection.recv(4096):
            received += piece
    assert b"5.7.0-MindBalancer" in received


def test_a_packet_that_is_too_large(administered, sql_session):
    gw = administered(sql_max_packet_bytes=2048)
    session = sql_session(gw)
    assert session("SELECT '" + "x" * 2000 + "'").only() == "x" * 2000
    number, _ = session.fails("SELECT '" + "x" * 4000 + "'")
    assert number == 1153
    assert sql_session(gw)("SELECT 1").only() == 1


def test_large_statements_and_rows(administered, sql_session):
    """At the bounds of how lengths are written, and more than one packet, which holds 16 MiB less one byte."""
    gw = administered(sql_max_packet_bytes=20_000_000)
    for size in (250, 251, 65_535, 65_536, 16_777_215 - 10, 16_777_216):
        assert len(sql_session(gw, max_allowed_packet=64 << 20)("SELECT '" + "x" * size + "'").only()) == size


def test_commands_of_the_protocol(administered, sql_session):
    session = sql_session(administered())
    connection = session.connection
    connection.ping(reconnect=False)
    connection.select_db("information_schema")
    assert session("SELECT database()").only() == "information_schema"
    for unknown in (0x1E, 0x55, COMMAND.COM_BINLOG_DUMP):
        connection._execute_command(unknown, b"x")
        with pytest.raises(pymysql.MySQLError) as caught:
            connection._read_packet()
        assert caught.value.args[0] == 1047
    assert connection.get_server_info() == "5.7.0-MindBalancer"
    assert session.fails("SELECT 1; SELECT 2")[0] == 1064


def test_multi_statements_are_off_even_if_asked_for(administered, sql_session):
    session = sql_session(administered(), client_flag=CLIENT.MULTI_STATEMENTS)
    assert session.fails("INSERT INTO ai_users (username) VALUES ('a'); DELETE FROM ai_users WHERE 1")[0] == 1064
    assert session("SELECT count(*) FROM ai_users").only() == 0


def test_escapes_of_pymysql(administered, sql_session):
    session = sql_session(administered())
    texts = ["it's", 'a "b"', "back\\slash", "new\nline\ttab\r", "percent % _", "日本 ü 😀", "; DROP TABLE x --", "\x1a", ""]
    for number, text in enumerate(texts):
        session("INSERT INTO ai_users (username, comment) VALUES (%s, %s)", f"u{number}", text)
        assert session("SELECT comment FROM ai_users WHERE username = %s", f"u{number}").only() == text
        assert session("SELECT count(*) FROM ai_users WHERE comment = %s", text).only() == 1
    assert session("SELECT %s, %s, %s", 1, 2.5, None).only() == (1, 2.5, None)


# ---- TLS ----


@pytest.fixture
def with_tls(administered, tmp_path):
    """(Fairlead whose SQL listener has a certificate, path of that)."""
    cert, key = make_certificate(tmp_path, "sql")
    return administered(listeners={"sql": {"tls_cert_file": cert, "tls_key_file": key}}, admin_password=PASSWORD), cert


def test_tls(with_tls, sql_session):
    gw, cert = with_tls
    session = sql_session(gw, password=PASSWORD, ssl=ssl.create_default_context(cafile=cert))
    assert session.connection._sock.version().startswith("TLSv1.")
    assert session("SELECT 1").only() == 1
    assert len(session("SELECT '" + "x" * 100_000 + "'").only()) == 100_000
    shown = good(mariadb(gw, "--ssl", f"--ssl-ca={cert}", "--ssl-verify-server-cert", f"-p{PASSWORD}", "-e", "\\s"))
    assert re.search(r"SSL:\s+Cipher in use is TLS", shown)
    assert sql_session(gw, password=PASSWORD)("SELECT 1").only() == 1  # in clear too, as MySQL has it
    other = ssl.create_default_context()
    assert refusal(gw, password=PASSWORD, ssl=other)[0] == 2003
    assert refusal(gw, password="wrong", ssl=ssl.create_default_context(cafile=cert))[0] == 1045


def test_tls_with_a_hash(administered, sql_session, hashed, tmp_path):
    """Under TLS the password goes as it is."""
    cert, key = make_certificate(tmp_path, "sql")
    gw = administered(listeners={"sql": {"tls_cert_file": cert, "tls_key_file": key}}, admin_password_hash=hashed("secret"))
    context = ssl.create_default_context(cafile=cert)
    for _ in range(2):
        assert sql_session(gw, password="secret", ssl=context)("SELECT 1").only() == 1
    assert refusal(gw, password="wrong", ssl=context)[0] == 1045
    assert good(mariadb(gw, "--ssl", "-psecret", "-N", "-e", "SELECT 1")) == "1\n"


# ---- other languages ----


@pytest.mark.parametrize("password", ["", PASSWORD])
def test_mysql2(administered, password):
    gw = administered(admin_password=password)
    script = HERE / "mysql2.mjs"
    done = subprocess.run(["node", script, str(gw.sql_port), password], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("ok ") == script.read_text().count("\n  async ")


@pytest.fixture(scope="session")
def go_client(tmp_path_factory):
    """The program of tests/flow/go, built."""
    program = tmp_path_factory.mktemp("go") / "client"
    done = subprocess.run(["go", "build", "-o", program, "."], cwd=HERE / "go", capture_output=True, text=True, timeout=280,
                          check=False)
    assert done.returncode == 0, done.stderr
    return program


@pytest.mark.parametrize("kind", ["none", "clear", "hash"])
def test_go_sql_driver(administered, go_client, hashed, kind):
    settings = {"none": {}, "clear": {"admin_password": "secret"}, "hash": {"admin_password_hash": hashed("secret")}}[kind]
    gw = administered(**settings)
    password = "" if kind == "none" else ":secret"
    done = subprocess.run([go_client, f"admin{password}@tcp(127.0.0.1:{gw.sql_port})/fairlead"], capture_output=True,
                          text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0 and done.stdout == "ok\n", done.stdout + done.stderr


# ---- a person at a terminal, and graphical tools ----


def read_until(terminal, pattern):
    """What the terminal shows, up to `pattern`."""
    shown = ""
    while not re.search(pattern, shown):
        ready, _, _ = select.select([terminal], [], [], PATIENCE)
        assert ready, f"waited for {pattern!r}, saw {shown!r}"
        shown += os.read(terminal, 65536).decode(errors="replace")
    return shown


def test_mariadb_on_a_terminal_completes_names(administered, tmp_path):
    """At the start it asks for all tables and columns; Tab then knows them."""
    gw = administered()
    terminal, other_end = pty.openpty()
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TERM": "dumb", "LC_ALL": "C.UTF-8"}
    client = subprocess.Popen(["mariadb", "--no-defaults", "-h127.0.0.1", f"-P{gw.sql_port}", "-uadmin", "fairlead"],
                              stdin=other_end, stdout=other_end, stderr=other_end, env=env, start_new_session=True)
    os.close(other_end)
    try:
        read_until(terminal, r"\[fairlead\]> ")
        os.write(terminal, b"SELECT count(*) AS found, max(username) FROM ai_us\t;\n")
        assert "ai_users" in read_until(terminal, r"1 row in set")
        os.write(terminal, b"SELECT max_requests_per\t FROM ai_users;\n")
        assert "max_requests_per_minute" in read_until(terminal, r"Empty set")
        os.write(terminal, b"USE information_schema\n")
        read_until(terminal, r"\[information_schema\]> ")
        os.write(terminal, b"\\q\n")
        assert client.wait(PATIENCE) == 0
    finally:
        client.kill()
        client.wait()
        os.close(terminal)


DBEAVER = """
/* mysql-connector-j-8.0.33 */SELECT  @@session.auto_increment_increment AS auto_increment_increment, @@character_set_client AS character_set_client, @@character_set_connection AS character_set_connection, @@character_set_results AS character_set_results, @@character_set_server AS character_set_server, @@collation_server AS collation_server, @@collation_connection AS collation_connection, @@init_connect AS init_connect, @@interactive_timeout AS interactive_timeout, @@license AS license, @@lower_case_table_names AS lower_case_table_names, @@max_allowed_packet AS max_allowed_packet, @@net_write_timeout AS net_write_timeout, @@performance_schema AS performance_schema, @@query_cache_size AS query_cache_size, @@query_cache_type AS query_cache_type, @@sql_mode AS sql_mode, @@system_time_zone AS system_time_zone, @@time_zone AS time_zone, @@tx_isolation AS transaction_isolation, @@wait_timeout AS wait_timeout
SET character_set_results = NULL
SET autocommit=1
SET sql_mode='STRICT_TRANS_TABLES'
/* ApplicationName=DBeaver 24.0.0 - Main */ SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ
select @@session.tx_read_only
select @@session.transaction_read_only
SHOW ENGINES
SHOW CHARSET
SHOW COLLATION
SHOW PLUGINS
SELECT @@GLOBAL.character_set_server, @@GLOBAL.collation_server
SHOW VARIABLES LIKE 'lower_case_%'
SHOW DATABASES
SHOW GLOBAL STATUS
SELECT * FROM information_schema.SCHEMATA
SELECT DATABASE()
/* ApplicationName=DBeaver 24.0.0 - Metadata */ SHOW FULL TABLES FROM `fairlead`
SELECT * FROM information_schema.TABLES t WHERE t.TABLE_SCHEMA = 'fairlead' AND t.TABLE_NAME = 'ai_servers'
SELECT * FROM information_schema.COLUMNS c WHERE c.TABLE_SCHEMA = 'fairlead' AND c.TABLE_NAME = 'ai_servers' ORDER BY c.ORDINAL_POSITION
SHOW TABLE STATUS FROM `fairlead`
SELECT * FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = 'fairlead' AND TABLE_NAME = 'ai_servers' ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX
SELECT kc.CONSTRAINT_NAME, kc.TABLE_NAME, kc.COLUMN_NAME, kc.ORDINAL_POSITION FROM INFORMATION_SCHEMA.KEY_COLUMN_USAGE kc WHERE kc.TABLE_SCHEMA = 'fairlead' AND kc.REFERENCED_TABLE_NAME IS NULL AND kc.TABLE_NAME = 'ai_servers' ORDER BY kc.CONSTRAINT_NAME, kc.ORDINAL_POSITION
SELECT * FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = 'fairlead'
SELECT * FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = 'fairlead' ORDER BY ROUTINE_NAME
SELECT * FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = 'fairlead'
SELECT * FROM information_schema.EVENTS WHERE EVENT_SCHEMA = 'fairlead'
SELECT * FROM information_schema.VIEWS WHERE TABLE_SCHEMA = 'fairlead'
SELECT * FROM information_schema.PARTITIONS WHERE TABLE_SCHEMA = 'fairlead' AND TABLE_NAME = 'ai_servers'
SHOW CREATE TABLE `fairlead`.`ai_servers`
SET SQL_SELECT_LIMIT=200
SELECT x.* FROM fairlead.ai_servers x LIMIT 0, 200
SELECT count(*) FROM fairlead.ai_servers
SHOW WARNINGS
SHOW FULL PROCESSLIST
SELECT /* ApplicationName=DBeaver */ @@version_comment
ROLLBACK
"""

WORKBENCH = """
SET NAMES 'utf8mb4'
SHOW SESSION VARIABLES LIKE 'lower_case_table_names'
SELECT current_user()
SET CHARACTER SET utf8
SET NAMES utf8
SET SQL_SAFE_UPDATES=1
SELECT CONNECTION_ID()
SHOW SESSION STATUS LIKE 'Ssl_cipher'
set autocommit=1
SHOW SESSION VARIABLES LIKE 'sql_mode'
SHOW SESSION VARIABLES LIKE 'version_comment'
SHOW SESSION VARIABLES LIKE 'version'
SELECT current_user()
SHOW GLOBAL VARIABLES
SHOW DATABASES
SHOW FULL TABLES FROM `fairlead`
SHOW FULL COLUMNS FROM `fairlead`.`routing_rules`
SHOW INDEXES FROM `fairlead`.`ai_servers`
SHOW TRIGGERS FROM `fairlead`
SHOW PROCEDURE STATUS WHERE Db='fairlead'
SHOW FUNCTION STATUS WHERE Db='fairlead'
SHOW EVENTS FROM `fairlead`
SHOW STATUS LIKE 'uptime'
SHOW GLOBAL STATUS
SHOW ENGINES
SHOW PLUGINS
SHOW GRANTS
SHOW CREATE TABLE `fairlead`.`ai_users`
SELECT name, type FROM (SELECT TABLE_NAME AS name, TABLE_TYPE AS type FROM information_schema.tables WHERE table_schema = 'fairlead') t
SELECT * FROM `fairlead`.`ai_users` LIMIT 0, 1000
EXPLAIN SELECT * FROM ai_servers
SELECT DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = 'fairlead'
"""

OTHERS = """
SELECT VERSION(), @@version_comment, @@hostname
SELECT @@lower_case_table_names, @@max_allowed_packet, @@socket
SELECT CAST('test plain returns' AS CHAR(60)) AS anon_1
SELECT TABLE_NAME, TABLE_ROWS, ENGINE FROM `information_schema`.`TABLES` WHERE TABLE_SCHEMA IN ('fairlead')
SHOW TABLES FROM `fairlead` LIKE 'ai%'
SHOW VARIABLES
SHOW COLUMNS FROM `ai_servers` WHERE Field = 'name'
SELECT SCHEMA_NAME FROM information_schema.SCHEMATA ORDER BY SCHEMA_NAME
SELECT UNIX_TIMESTAMP(), NOW(), CURDATE(), CONCAT('a', 1), IF(1, 'yes', 'no'), IFNULL(NULL, 2)
"""


@pytest.mark.parametrize("tool", ["DBEAVER", "WORKBENCH", "OTHERS"])
def test_graphical_tools(administered, sql_session, tool):
    """What they send when they connect and browse; each statement has to be answered."""
    session = sql_session(administered())
    failures = []
    for statement in globals()[tool].strip().splitlines():
        try:
            session(statement)
        except pymysql.MySQLError as error:
            failures.append((statement[:200], error.args))
    assert not failures, failures


def test_information_schema_tells_of_every_table(administered):
    gw = administered()
    tables = dict(gw.sql("SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = 'fairlead'"))
    assert tables["ai_servers"] == "BASE TABLE" and tables["requests_live"] == "VIEW"
    assert set(tables) == {name for (name,) in gw.sql("SHOW TABLES FROM fairlead")}
    for name in tables:
        told = gw.sql(f"SELECT column_name FROM information_schema.columns WHERE table_schema = 'fairlead' AND "
                      f"table_name = '{name}' ORDER BY ordinal_position")
        assert [row[0] for row in told] == gw.sql(f"SELECT * FROM {name} LIMIT 1").columns, name
    kinds = dict(gw.sql("SELECT column_name, column_type FROM information_schema.columns WHERE table_name = 'ai_servers'"))
    assert (kinds["id"], kinds["name"], kinds["tls_verify"], kinds["created_at"]) == (
        "bigint", "varchar(64)", "tinyint(1)", "datetime")
    keys = gw.sql("SELECT index_name, column_name, non_unique FROM information_schema.statistics WHERE table_name = 'ai_servers'")
    assert ("PRIMARY", "id", 0) in keys and ("name", "name", 0) in keys
