# SPDX-License-Identifier: Apache-2.0
"""A start without a configuration. Ports are the usual ones, so these tests take turns with whoever has them."""
import shlex
import socket
import subprocess

import httpx
import pytest
from programs import wait_for

OWN_PORTS = [6034, 6033, 9090]
ENGINES = {11434: "ollama", 8000: "vllm", 8080: "llamacpp", 30000: "sglang", 1234: "lmstudio"}


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False


@pytest.fixture
def bare(fairlead):
    """bare(env): Fairlead as it starts without a file."""

    def start(env=None, **more):
        wait_for(lambda: all(map(is_free, OWN_PORTS)), f"the ports {OWN_PORTS}", timeout=120)
        return fairlead(None, env=env, **more)

    return start


def curl_of(gw, word):
    """The banner's curl line that has `word`, as a command."""
    line = gw.find_line(rf"^try +(curl .*{word}.*)$").group(1)
    return shlex.split(line)


def test_the_first_minute(bare):
    """Whoever answers, an engine that runs on this machine or else the simulator: the printed lines work."""
    gw = bare()
    engine = gw.find_line(r"^found +\w+ on 127")
    simulator = gw.find_line(r"^server +sim +http://127\.0\.0\.1:(\d+)")
    assert (engine is None) == (gw.find_line(r"^found .*started fairlead-sim") is not None)
    assert (engine is None) == (simulator is not None)
    models = subprocess.run(curl_of(gw, "/v1/models$"), capture_output=True, text=True, timeout=60, check=True)
    assert '"object":"list"' in models.stdout
    if simulator:
        chat = subprocess.run(curl_of(gw, "chat/completions"), capture_output=True, text=True, timeout=60, check=True)
        assert chat.stdout.startswith("data: {") and chat.stdout.endswith("data: [DONE]\n\n")
        assert '"id":"sim"' in models.stdout
        gw.stop()
        wait_for(lambda: is_free(int(simulator.group(1))), "the simulator to go with its Fairlead")


def test_usual_ports(bare):
    gw = bare()
    assert gw.port == 6034
    assert httpx.get("http://127.0.0.1:9090/metrics").status_code == 200
    assert httpx.get("http://127.0.0.1:6033/metrics").status_code == 200


def test_a_provider_key_in_the_environment(bare):
    gw = bare({"OPENAI_API_KEY": "sk-not-a-real-key", "ANTHROPIC_API_KEY": "sk-other"})
    assert gw.find_line(r"^found +openai by OPENAI_API_KEY$")
    assert gw.find_line(r"^server +openai +https://api\.openai\.com")
    assert gw.find_line(r"^ignored +ANTHROPIC_API_KEY")
    assert not gw.find_line("started fairlead-sim")
    assert "sk-not-a-real-key" not in gw.output + gw.error_output
    assert "sk-other" not in gw.output + gw.error_output


def test_a_local_engine_is_found(bare, sim):
    port = next(port for port in ENGINES if is_free(port))
    backend = sim(listen=f"127.0.0.1:{port}", models="local-model")
    gw = bare()
    assert gw.find_line(rf"^found +{ENGINES[port]} on 127\.0\.0\.1:{port}$")
    assert not gw.find_line("started fairlead-sim")
    wait_for(lambda: "local-model" in gw.http.get("/v1/models").text, "the engine's models")
    assert gw.chat("local-model").status_code == 200
    assert backend.state()["completed"] == 1


def test_a_port_in_use_is_named(bare):
    first = bare()
    second = first.folder.parent / "second"
    with pytest.raises(AssertionError, match="6034"):
        type(first)(second, None)
    assert first.is_running
