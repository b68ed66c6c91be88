# SPDX-License-Identifier: Apache-2.0
"""fairsql, the SQL console, against a running Fairlead: as scripts use it, and as people do on a terminal."""
import csv
import errno
import fcntl
import io
import json
import os
import pty
import re
import select
import signal
import stat
import struct
import subprocess
import termios
import threading
import time

import pytest
from programs import BIN, PATIENCE, server, wait_for

FAIRSQL = str(BIN / "fairsql")
ADD_SERVERS = (
    "INSERT INTO ai_servers (name, provider_type, endpoint, hostgroup, weight, comment) VALUES "
    "('one', 'custom', 'http://127.0.0.1:1', 7, 100, 'a \"b\", c'), "
    "('two', 'custom', 'http://127.0.0.1:2', 7, 5, 'bücher 日本');"
)
SERVERS = "SELECT name, weight, comment FROM ai_servers WHERE hostgroup = 7 ORDER BY name"


class SqlFairlead:
    """A Fairlead with a SQL listener on `port`."""

    def __init__(self, program):
        self.program = program
        self.port = int(program.wait_line(r"listening  +sql +mysql://127\.0\.0\.1:(\d+)  +\(sql\)").group(1))


def configuration(sql_port=0, servers=(), **settings):
    return {
        "listeners": [
            {"name": "api", "address": "127.0.0.1:0", "serves": ["inference"]},
            {"name": "sql", "address": f"127.0.0.1:{sql_port}", "serves": ["sql"]},
        ],
        "servers": list(servers),
        "settings": settings,
    }


@pytest.fixture
def sql(fairlead):
    return lambda **settings: SqlFairlead(fairlead(configuration(**settings)))


def environment(home, **more):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("FAIRSQL_", "LC_", "LANG"))}
    return {**clean, "HOME": str(home), "TERM": "xterm", "LC_ALL": "C.UTF-8", **more}


@pytest.fixture
def console(tmp_path):
    """console(target, "-e", "SELECT 1", input=..., FAIRSQL_PASSWORD=...): fairsql's end, output as bytes."""

    def run(target, *arguments, input=b"", **variables):
        port = target if isinstance(target, int) else target.port
        return subprocess.run([FAIRSQL, "-P", str(port), *arguments], input=input, capture_output=True,
                              timeout=PATIENCE, env=environment(tmp_path, **variables))

    return run


def has_cell(text, value):
    """A cell of a table; how wide it is depends on whether its column can be NULL."""
    return re.search(rf"\| +{value} +\|", text)


def good(ended):
    """Its output as text; it must have ended well and without a word on stderr."""
    assert (ended.returncode, ended.stderr) == (0, b""), ended
    return ended.stdout.decode()


# ---- for scripts ----


def test_tables(sql, console):
    fairlead = sql()
    added = good(console(fairlead, "-e", ADD_SERVERS))
    assert re.match(r"Query OK, 2 rows affected \(\d+\.\d\d sec\)\n", added)
    shown = good(console(fairlead, "-e", SERVERS))
    assert re.sub(r"\(\d+\.\d\d sec\)", "(0.00 sec)", shown) == (
        "+------+--------+-------------+\n"
        "| name | weight | comment     |\n"
        "+------+--------+-------------+\n"
        '| one  |    100 | a "b", c    |\n'
        "| two  |      5 | bücher 日本 |\n"
        "+------+--------+-------------+\n"
        "2 rows in set (0.00 sec)\n\n"
    )
    empty = good(console(fairlead, "-e", "SELECT * FROM ai_servers WHERE name = 'nobody'"))
    assert re.fullmatch(r"Empty set \(\d+\.\d\d sec\)\n\n", empty)
    assert "\n1 row in set (" in good(console(fairlead, "-e", "SELECT 1 AS one"))


def test_tables_are_those_of_the_stock_client(sql, console, tmp_path):
    """All but the footers, which the stock client writes for people only. (It takes bytes for columns: ASCII here.)"""
    fairlead = sql()
    good(console(fairlead, "-e", ADD_SERVERS))
    statements = ["SELECT name, weight, hostgroup FROM ai_servers ORDER BY weight", "SELECT 1 AS a, 2.5 AS b",
                  "SELECT * FROM ai_servers WHERE name = 'one'", "SHOW VARIABLES LIKE 'max%'"]
    for statement in statements:
        stock = subprocess.run(
            ["mariadb", "--no-defaults", "-h127.0.0.1", f"-P{fairlead.port}", "-uadmin", "--skip-ssl", "-t",
             "--default-character-set=utf8mb4", "-e", statement],
            capture_output=True, timeout=PATIENCE, env=environment(tmp_path))
        assert stock.returncode == 0, stock
        ours = good(console(fairlead, "-e", statement))
        assert re.sub(r"\d+ rows? in set .*\n\n$", "", ours) == stock.stdout.decode()


def test_json(sql, console):
    fairlead = sql()
    good(console(fairlead, "-e", ADD_SERVERS))
    assert json.loads(good(console(fairlead, "--json", "-e", SERVERS))) == [
        {"name": "one", "weight": 100, "comment": 'a "b", c'},
        {"name": "two", "weight": 5, "comment": "bücher 日本"},
    ]
    assert good(console(fairlead, "--json", "-e", SERVERS + " LIMIT 0")) == "[]\n"
    values = good(console(fairlead, "--json", "-e", "SELECT 1.5 AS n, '12' AS t, NULL AS nothing"))
    assert json.loads(values) == [{"n": 1.5, "t": "12", "nothing": None}]


def test_csv_tabs_and_vertical(sql, console):
    fairlead = sql()
    good(console(fairlead, "-e", ADD_SERVERS))
    text = console(fairlead, "--csv", "-e", SERVERS).stdout.decode()
    assert text.count("\r\n") == 3
    assert list(csv.reader(io.StringIO(text, newline=""))) == [
        ["name", "weight", "comment"], ["one", "100", 'a "b", c'], ["two", "5", "bücher 日本"]]
    assert good(console(fairlead, "--csv", "-e", "SELECT NULL AS a, '' AS b")) == 'a,b\r\n,""\r\n'
    assert good(console(fairlead, "-B", "-e", SERVERS)) == (
        'name\tweight\tcomment\none\t100\ta "b", c\ntwo\t5\tbücher 日本\n')
    assert good(console(fairlead, "-B", "-N", "-e", "SELECT 'a\tb', NULL")) == "a\\tb\tNULL\n"
    for vertical in (["-E", "-e", SERVERS], ["-e", SERVERS + "\\G"]):
        assert good(console(fairlead, *vertical)).startswith(
            "*************************** 1. row ***************************\n"
            "   name: one\n weight: 100\ncomment: a \"b\", c\n")


def test_several_statements(sql, console):
    fairlead = sql()
    text = "SELECT ';' AS a; -- no; end\nSELECT /* ; */ 2 AS b; ; SELECT 3 AS c"
    assert good(console(fairlead, "-B", "-e", text)) == "a\n;\nb\n2\nc\n3\n"


def test_statements_from_a_pipe(sql, console):
    fairlead = sql()
    assert good(console(fairlead, input=b"SELECT 1 AS a;\nSELECT\n2 AS b")) == "a\n1\nb\n2\n"
    text = b"SELECT 1 AS a;\n\nSELECT\n no_such_column;\nSELECT 3 AS c;\n"
    ended = console(fairlead, input=text)
    assert (ended.returncode, ended.stdout) == (1, b"a\n1\n")
    assert re.fullmatch(r"ERROR 1054 \(42S22\) at line 3: .*no_such_column.*\n", ended.stderr.decode())
    ended = console(fairlead, "--force", input=text)
    assert (ended.returncode, ended.stdout) == (1, b"a\n1\nc\n3\n")


def test_a_file_is_a_source(sql, console, tmp_path):
    fairlead = sql()
    (tmp_path / "inner.sql").write_text("SELECT 2 AS b;\n")
    (tmp_path / "outer.sql").write_text(f"SELECT 1 AS a;\nsource {tmp_path}/inner.sql\nSELECT 3 AS c")
    text = f"\\. {tmp_path}/outer.sql\nSELECT 4 AS d;"
    assert good(console(fairlead, "-B", "-e", text)) == "a\n1\nb\n2\nc\n3\nd\n4\n"
    ended = console(fairlead, "-e", f"source {tmp_path}/missing.sql\nSELECT 4")
    assert (ended.returncode, ended.stdout) == (1, b"")
    assert b"missing.sql: No such file" in ended.stderr


def test_exit_status(sql, console):
    fairlead = sql()
    wrong = console(fairlead, "-e", "SELECT 1 AS a; SELEC; SELECT 3 AS b")
    output = wrong.stdout.decode()
    assert wrong.returncode == 1 and has_cell(output, "a") and not has_cell(output, "b")
    assert re.fullmatch(rb"ERROR 1064 \(42000\): .+\n", wrong.stderr)
    for arguments in (["--nonsense"], ["--port"], ["-P", "0"], ["--json", "--csv"], ["extra"]):
        ended = console(fairlead, *arguments)
        assert (ended.returncode, ended.stdout) == (2, b""), arguments
        assert ended.stderr.startswith(b"fairsql: ")
    assert good(console(fairlead, "--help")).startswith("usage: fairsql ")
    assert good(console(fairlead, "--version")).startswith("fairsql ")


def test_nobody_there(console, sql):
    fairlead = sql()
    fairlead.program.stop()
    ended = console(fairlead, "-e", "SELECT 1")
    assert (ended.returncode, ended.stdout) == (3, b"")
    assert re.match(rb"ERROR 2\d\d\d \(HY000\): ", ended.stderr)


def test_no_tls_is_no_connection(sql, console, tmp_path):
    """--ssl never falls back to clear text."""
    fairlead = sql()
    for arguments in (["--ssl"], ["--ssl-ca", str(tmp_path / "missing.pem")]):
        ended = console(fairlead, *arguments, "-e", "SELECT 1")
        assert (ended.returncode, ended.stdout) == (3, b"") and b"ERROR 2026 (HY000): " in ended.stderr, ended


def test_output_that_nobody_takes(sql, tmp_path):
    """A full disk is told, a closed pipe is not; neither is a success, and what follows is not run."""
    fairlead = sql()
    statements = "SELECT 1; INSERT INTO ai_servers (name) VALUES ('late')"
    command = [FAIRSQL, "-P", str(fairlead.port), "-e", statements]
    with open("/dev/full", "wb") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, timeout=PATIENCE,
                               env=environment(tmp_path))
    assert ended.returncode == 1 and b"cannot be written: No space left" in ended.stderr
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, timeout=PATIENCE,
                           env=environment(tmp_path))
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (1, b"")
    count = subprocess.run([*command[:3], "-BNe", "SELECT COUNT(*) FROM ai_servers WHERE name = 'late'"],
                           capture_output=True, timeout=PATIENCE, env=environment(tmp_path))
    assert count.stdout == b"0\n"


def test_passwords(sql, console):
    fairlead = sql(admin_password="right-4711")
    assert has_cell(good(console(fairlead, "-pright-4711", "-e", "SELECT 1")), "1")
    assert has_cell(good(console(fairlead, "--password=right-4711", "-e", "SELECT 1")), "1")
    assert has_cell(good(console(fairlead, "-e", "SELECT 1", FAIRSQL_PASSWORD="right-4711")), "1")
    assert has_cell(good(console(fairlead, "-pright-4711", "-e", "SELECT 1", FAIRSQL_PASSWORD="wrong")), "1")
    for arguments in ([], ["-pwrong"], ["-pright-4711", "-u", "somebody"]):
        ended = console(fairlead, *arguments, "-e", "SELECT 1")
        assert ended.returncode == 3 and ended.stderr.startswith(b"ERROR 1045 (28000): "), ended
        assert b"wrong" not in ended.stderr and b"4711" not in ended.stderr


def test_kill_query_is_not_about_requests(sim, fairlead, console):
    """Ctrl-C sends KILL QUERY with the number of a connection; numbers of requests look the same."""
    slow = sim(models="m", tokens=40, decode_tokens_per_s=5)
    gw = SqlFairlead(fairlead(configuration(servers=[server(slow, "s0", models=["m"])])))
    answers = []
    chat = threading.Thread(target=lambda: answers.append(gw.program.chat()))
    chat.start()
    wait_for(lambda: slow.state()["running"] == 1, "the request at the server")
    console(gw, "--force", "-e", ";".join(f"KILL QUERY {number}" for number in range(30)))
    assert slow.state()["running"] == 1
    chat.join(PATIENCE)
    assert [answer.status_code for answer in answers] == [200]


# ---- on a terminal ----


class Terminal:
    """fairsql on a pseudo terminal: what is typed, and what is seen, without the codes that move the cursor."""

    PROMPT = r"fairsql> $"
    CODES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[()][A-Z0-9]|[\x07\r]")

    def __init__(self, port, home, *arguments, **variables):
        self.home = home
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
        self.process = subprocess.Popen(
            [FAIRSQL, "-P", str(port), *arguments], stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            env=environment(home, **variables), preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)
        self.seen = ""

    def _read(self, patience):
        if not select.select([self.master], [], [], patience)[0]:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError as error:
            if error.errno != errno.EIO:  # EIO: the program is gone
                raise
            data = b""
        self.seen += data.decode(errors="replace")
        return bool(data)

    def text(self):
        return self.CODES.sub("", self.seen)

    def expect(self, pattern):
        """Reads until `pattern` is there; returns all text up to now, which is then forgotten."""
        end = time.monotonic() + PATIENCE
        while not re.search(pattern, self.text()):
            alive = self._read(max(0.0, end - time.monotonic()))
            assert alive or re.search(pattern, self.text()), f"waited for {pattern!r}, saw: {self.text()!r}"
        text, self.seen = self.text(), ""
        return text

    def type(self, text):
        os.write(self.master, text.encode())

    def enter(self, line, pattern=PROMPT):
        """Types a line, and reads until what must come after it."""
        self.type(line + "\n")
        return self.expect(r"\n(.*\n)*?.*" + pattern)

    def wait_running(self):
        """Until the line is not being edited any more: the terminal is back in its own mode."""
        wait_for(lambda: termios.tcgetattr(self.master)[3] & termios.ICANON, "the statement to run")

    def history(self):
        return (self.home / ".fairsql_history").read_text()

    def end(self):
        self.type("\\q\n")
        self.expect(r"Bye\n")
        assert self.process.wait(PATIENCE) == 0

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE)
        os.close(self.master)


@pytest.fixture
def terminal(tmp_path):
    """terminal(target): a fairsql on a terminal that shows its first prompt."""
    terminals = []

    def start(target, *arguments, ready=Terminal.PROMPT, **variables):
        port = target if isinstance(target, int) else target.port
        terminals.append(Terminal(port, tmp_path, *arguments, **variables))
        terminals[-1].expect(ready)
        return terminals[-1]

    yield start
    for each in terminals:
        each.close()


def test_session(sql, terminal):
    screen = terminal(sql())
    assert has_cell(screen.enter("SELECT 1 AS one;"), "one")
    screen.enter("SELECT 'a;", r"      -> $")
    screen.enter("b' AS text, -- not yet;", r"      -> $")
    text = screen.enter("2 AS two\\G")
    assert "1. row" in text and "text: a;\nb\n" in text and " two: 2\n1 row in set (" in text
    screen.enter("SELECT nonsense", r"      -> $")
    assert "ERROR" not in screen.enter("\\c")
    assert "ERROR 1064 (42000): " in screen.enter("SELEC;")
    assert "Program:     fairsql" in screen.enter("\\s")
    assert "\\q quit" in screen.enter("help")
    text = screen.enter("SELECT 3 AS a; SELECT 4 AS b;")
    assert has_cell(text, "3") and has_cell(text, "4")
    screen.end()


def test_end_of_input_ends(sql, terminal):
    screen = terminal(sql())
    screen.type("\x04")
    screen.expect(r"Bye\n")
    assert screen.process.wait(PATIENCE) == 0


def test_completion(sql, terminal):
    screen = terminal(sql())
    screen.type("sel\tCOUNT(*) AS total FROM ai_serv\tWHERE hostg\t= 7")
    text = screen.enter(";")
    assert has_cell(text, "total") and "ERROR" not in text, text
    screen.type("SHOW HEA\tSTAT\t")
    text = screen.enter(";")
    assert re.search(r"in set|Empty set", text) and "ERROR" not in text, text
    screen.type("cache \t")
    assert re.search(r"clear +disable +enable", screen.expect(r"enable\s+fairsql> cache "))
    screen.type("\x15")
    screen.end()


def test_history(sql, terminal, tmp_path):
    fairlead = sql()
    screen = terminal(fairlead)
    screen.enter("SELECT 'first'", r"      -> $")
    screen.enter("  AS said; -- comment")
    screen.enter("SELECT 'planted-0815' AS api_key;")
    screen.enter("SET admin_password = 'planted-0815';")
    screen.type("\x1b[A")
    screen.expect(r"SELECT 'first' AS said;$")
    assert has_cell(screen.enter(""), "first")
    screen.end()
    assert "planted" not in screen.history() and "first" in screen.history()
    assert stat.S_IMODE((tmp_path / ".fairsql_history").stat().st_mode) == 0o600
    again = terminal(fairlead, FAIRSQL_PASSWORD="planted-0815")
    again.type("\x1b[A")
    again.expect(r"SELECT 'first' AS said;$")
    again.type("\x15")
    again.end()


def test_interrupt_drops_the_line(sql, terminal):
    screen = terminal(sql())
    screen.enter("SELECT nonsense,", r"      -> $")
    screen.type("more nonsense")
    screen.expect("more nonsense$")
    screen.type("\x03")
    screen.expect(Terminal.PROMPT)
    assert has_cell(screen.enter("SELECT 77;"), "77")
    screen.end()


def test_interrupt_ends_a_statement(sql, terminal):
    screen = terminal(sql())
    screen.type("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n;\n")
    screen.wait_running()
    screen.type("\x03")
    assert re.search(r"ERROR \d+ \(\w+\): ", screen.expect(Terminal.PROMPT))
    assert has_cell(screen.enter("SELECT 77;"), "77")
    screen.end()


def test_terminal_codes_in_values_do_not_reach_the_terminal(sql, terminal):
    screen = terminal(sql())
    screen.type("SELECT CAST(x'1b5b324a' AS CHAR) AS evil, 1 AS last;\n")
    screen.expect(r"\| last \|\n.*\n\| \\x1b\[2J +\| +1 \|\n")
    screen.end()


def test_server_comes_back(sql, fairlead, terminal, tmp_path):
    first = sql()
    screen = terminal(first)
    assert has_cell(screen.enter("SELECT 1;"), "1")
    first.program.stop()
    text = screen.enter("SELECT 2;")
    assert "The server went away." in text and "ERROR 2" in text
    SqlFairlead(fairlead(configuration(sql_port=first.port)))
    text = screen.enter("SELECT 3;")
    assert "Connected." in text and has_cell(text, "3")
    screen.end()


def test_password_is_asked_for_without_echo(sql, terminal):
    fairlead = sql(admin_password="right-4711")
    screen = terminal(fairlead, "-p", ready=r"Password: $")
    assert not termios.tcgetattr(screen.master)[3] & termios.ECHO
    screen.type("right-4711\n")
    assert "4711" not in screen.expect(Terminal.PROMPT)
    screen.end()


def test_interrupt_at_the_password_brings_the_echo_back(sql, terminal):
    screen = terminal(sql(), "-p", ready=r"Password: $")
    assert not termios.tcgetattr(screen.master)[3] & termios.ECHO
    screen.type("half\x03")
    assert screen.process.wait(PATIENCE) == -signal.SIGINT
    assert termios.tcgetattr(screen.master)[3] & termios.ECHO


def test_interrupt_leaves_scripts_to_die(sql, console, tmp_path):
    fairlead = sql()
    process = subprocess.Popen([FAIRSQL, "-P", str(fairlead.port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               env=environment(tmp_path))
    process.stdin.write(b"SELECT 1 AS a;\n")
    process.stdin.flush()
    assert process.stdout.readline() == b"a\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == -signal.SIGINT
    process.stdin.close()
    process.stdout.close()
