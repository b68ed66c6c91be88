# SPDX-License-Identifier: Apache-2.0
"""The passphrase of the keys at rest is changed, set for the first time, and wrong."""
import programs
import pytest

from fault import stored

OLD, NEW, WRONG = "the first passphrase", "the second passphrase", "a wrong passphrase"
KEYS = {f"s{i}": f"sk-provider-{i}-0123456789abcdef" for i in range(3)}


@pytest.fixture
def backends(sim):
    """Each wants the key of one server."""
    return {name: sim(require_key=key, flags=["--no-record"]) for name, key in KEYS.items()}


def configuration(**settings):
    return stored.configuration(access_log="off", **settings)


def insert(program, backends):
    session = stored.Session(program)
    for name, backend in backends.items():
        session.run("INSERT INTO ai_servers (name, provider_type, endpoint, models, api_key_encrypted) VALUES (%s, 'custom', "
                    "%s, %s, %s)", name, backend.url, name, KEYS[name])
    session.close()


def assert_served(program):
    """The right key goes to each server, and SQL shows its mask."""
    assert [program.chat(model=name).status_code for name in KEYS] == [200] * len(KEYS)
    session = stored.Session(program)
    rows = dict(session.run("SELECT name, api_key_encrypted FROM ai_servers"))
    assert rows == {name: f"{key[:4]}...{key[-4:]}" for name, key in KEYS.items()}
    session.close()


def sealed(folder, to):
    """The keys as they lie on the disk."""
    database = stored.check_files(folder / "data", to)
    rows = dict(database.execute("SELECT name, api_key_encrypted FROM ai_servers"))
    database.close()
    assert all(text.startswith("enc:") for text in rows.values())
    return rows


def assert_refused(folder, config, *words):
    """It does not start, and says why in these words; what is stored stays as it was."""
    program = programs.Fairlead(folder, config, wait=False)
    assert program.wait_end() == 1
    for word in words:
        assert word in program.error_output
    for text in (OLD, NEW, WRONG, *KEYS.values()):
        assert text not in program.error_output + program.output


def test_a_new_passphrase(started, backends, tmp_path):
    program = stored.restart(started, tmp_path, configuration(api_key_encryption_key=OLD))
    insert(program, backends)
    assert_served(program)
    program.stop()
    first = sealed(tmp_path, tmp_path / "first")

    # Both are given: rows are sealed anew.
    program = stored.restart(started, tmp_path, configuration(api_key_encryption_key=NEW, api_key_encryption_key_old=OLD))
    assert_served(program)
    program.stop()
    second = sealed(tmp_path, tmp_path / "second")
    assert all(second[name] != first[name] for name in KEYS)

    program = stored.restart(started, tmp_path, configuration(api_key_encryption_key=NEW))
    assert_served(program)
    program.stop()
    assert sealed(tmp_path, tmp_path / "third") == second

    assert_refused(tmp_path, configuration(api_key_encryption_key=WRONG), "api_key_encryption_key", "s0")
    assert_refused(tmp_path, configuration(api_key_encryption_key=OLD), "api_key_encryption_key", "s0")
    assert_refused(tmp_path, configuration(), "api_key_encryption_key", "s0")
    assert_refused(tmp_path, configuration(api_key_encryption_key="too short"), "api_key_encryption_key", "16")
    assert sealed(tmp_path, tmp_path / "fourth") == second

    program = stored.restart(started, tmp_path, configuration(api_key_encryption_key=NEW))
    assert_served(program)


def test_killed_while_sealing_anew(started, backends, tmp_path):
    """Anywhere in that start: each row is sealed with one of both, and the same start repeated goes on."""
    program = stored.restart(started, tmp_path, configuration(api_key_encryption_key=OLD))
    insert(program, backends)
    program.stop()
    both = configuration(api_key_encryption_key=NEW, api_key_encryption_key_old=OLD)
    for line in ("^fairlead ", "^configured ", "^listening ", "^ready$"):
        program = programs.Fairlead(tmp_path, both, wait=False)
        program.wait_line(line)
        program.kill()
        sealed(tmp_path, tmp_path / f"at {line[1:4]}")
    assert_served(stored.restart(started, tmp_path, both))


def test_from_the_made_key_to_a_passphrase(started, backends, tmp_path):
    """At first secret.key is made and used; a passphrase can be set later, and opens what that had sealed."""
    program = stored.restart(started, tmp_path, configuration())
    secret = tmp_path / "data" / "secret.key"
    assert secret.stat().st_mode & 0o777 == 0o600
    insert(program, backends)
    program.stop()
    first = sealed(tmp_path, tmp_path / "first")

    program = stored.restart(started, tmp_path, configuration(api_key_encryption_key=NEW))
    assert_served(program)
    program.stop()
    second = sealed(tmp_path, tmp_path / "second")
    assert all(second[name] != first[name] for name in KEYS)

    secret.rename(tmp_path / "secret.key")
    program = stored.restart(started, tmp_path, configuration(api_key_encryption_key=NEW))
    assert_served(program)
    program.stop()
    assert_refused(tmp_path, configuration(), "api_key_encryption_key", "s0")
