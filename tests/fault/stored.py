# SPDX-License-Identifier: Apache-2.0
"""What the tests of the store share: a Fairlead with SQL and REST, sessions of SQL, and its files as they lie on disk."""
import shutil
import sqlite3
import time

import programs
import pymysql

LISTENERS = [
    {"name": "api", "address": "127.0.0.1:0", "serves": ["inference"]},
    {"name": "sql", "address": "127.0.0.1:0", "serves": ["sql"]},
    {"name": "admin", "address": "127.0.0.1:0", "serves": ["admin", "metrics"]},
]
LOCKED = 1205
DISCONNECTED = 4031
DISK_FULL = 1021


def configuration(servers=(), listeners=LISTENERS, **settings):
    return {"listeners": listeners, "servers": list(servers), "settings": settings}


def restart(started, folder, config, **more):
    """A Fairlead on the data that an earlier one left in `folder`."""
    program = started.add(programs.Fairlead(folder, config, **more))
    program.listeners["metrics"] = program.listeners["admin"]
    return program


class Session:
    """A SQL session; run() gives the rows."""

    def __init__(self, program, user="admin", password="", **more):
        port = int(program.listeners["sql"].rsplit(":", 1)[1])
        self.connection = pymysql.connect(host="127.0.0.1", port=port, user=user, password=password, autocommit=True,
                                          connect_timeout=programs.PATIENCE, read_timeout=programs.PATIENCE, **more)

    def run(self, sql, *values):
        with self.connection.cursor() as cursor:
            cursor.execute(sql, values or None)
            return cursor.fetchall()

    def value(self, sql, *values):
        return self.run(sql, *values)[0][0]

    def run_patiently(self, sql):
        """Goes on when another session is writing."""
        end = time.monotonic() + programs.PATIENCE
        while True:
            try:
                return self.run(sql)
            except pymysql.err.OperationalError as error:
                if error.args[0] != LOCKED or time.monotonic() > end:
                    raise
            time.sleep(0.001)

    def error(self, sql, *values):
        """(number, message) of a statement that has to fail."""
        try:
            self.run(sql, *values)
        except pymysql.err.MySQLError as error:
            return error.args
        raise AssertionError(f"no error of {sql}")

    def close(self):
        self.connection.close()


def check_files(data, to):
    """Copies the database of a stopped or killed process and has SQLite look at it; a connection to the copy."""
    to.mkdir(parents=True)
    for path in data.glob("fairlead.db*"):
        if not path.name.endswith("-shm"):  # SQLite makes it anew
            shutil.copy(path, to)
    database = sqlite3.connect(to / "fairlead.db")
    assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert database.execute("PRAGMA foreign_key_check").fetchall() == []
    return database
