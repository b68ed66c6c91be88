# SPDX-License-Identifier: Apache-2.0
"""fairlead migrate: the schema of the store, by hand."""
import json
import sqlite3
import subprocess

import programs


def migrate(*arguments):
    return subprocess.run([programs.BIN / "fairlead", "migrate", *map(str, arguments)], capture_output=True, text=True,
                          timeout=programs.PATIENCE)


def tables(folder):
    with sqlite3.connect(folder / "fairlead.db") as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}


def test_up_down_up(tmp_path):
    folder = tmp_path / "data"
    up = migrate("up", "--data", folder)
    assert (up.returncode, up.stdout) == (0, "schema version 1, this program knows up to 1: up to date\n")
    assert "ai_servers" in tables(folder)
    assert folder.joinpath("fairlead.db").stat().st_mode & 0o777 == 0o600
    down = migrate("down", "--data", folder)
    assert down.returncode == 0 and down.stdout.startswith("schema version 0, ")
    assert "ai_servers" not in tables(folder)
    again = migrate("down", "--data", folder)
    assert (again.returncode, again.stderr) == (1, "fairlead: store: there is no migration to take back\n")
    assert migrate("up", "--data", folder).returncode == 0
    assert "ai_servers" in tables(folder)


def test_the_folder_of_the_configuration(tmp_path):
    config = tmp_path / "fairlead.yaml"
    config.write_text(json.dumps({"data_dir": str(tmp_path / "elsewhere")}))
    assert migrate("up", "--config", config).returncode == 0
    assert migrate("status", "--data", tmp_path / "elsewhere").returncode == 0


def test_nothing_happens_without_a_store(tmp_path):
    result = migrate("status", "--data", tmp_path / "data")
    assert (result.returncode, result.stderr) == (1, f"fairlead: there is no store {tmp_path}/data/fairlead.db\n")
    assert not (tmp_path / "data").exists()


def test_a_newer_schema_is_left_alone(tmp_path):
    assert migrate("up", "--data", tmp_path).returncode == 0
    with sqlite3.connect(tmp_path / "fairlead.db") as db:
        db.execute("PRAGMA user_version = 99")
    for direction in ("up", "down"):
        result = migrate(direction, "--data", tmp_path)
        assert result.returncode == 1 and "its schema has version 99" in result.stderr
    assert "ai_servers" in tables(tmp_path)


def test_a_wrong_word_is_a_wrong_command_line(tmp_path):
    for words in ([], ["sideways"], ["up", "--force"]):
        assert migrate(*words).returncode == 2


def test_not_while_a_server_runs(fairlead):
    running = fairlead({"servers": []})
    result = migrate("up", "--data", running.folder / "data")
    assert result.returncode == 1
    assert f"is in use by another Fairlead (process {running.pid})" in result.stderr
