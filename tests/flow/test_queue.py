# SPDX-License-Identifier: Apache-2.0
"""max_concurrent, and the queue in front of it."""
import asyncio
import json

import pytest
from programs import server, wait_for

CHAT = '{"model":"m","messages":[]}'
HANG = "X-Sim-Fault: first-byte-ms=60000\r\n"


async def one_client(port, count, statuses):
    """`count` chats over one connection, one after the other."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(count):
        writer.write(f"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: {len(CHAT)}\r\n\r\n"
                     f"{CHAT}".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.split("content-length: ")[1].split("\r\n")[0])
        await reader.readexactly(length)
        statuses.append(int(head.split(" ")[1]))
    writer.close()


async def many_clients(port, clients, count):
    statuses = []
    await asyncio.gather(*[one_client(port, count, statuses) for _ in range(clients)])
    return statuses


@pytest.mark.parametrize("strategy", ["least_connections", "weighted_round_robin", "latency", "random"])
def test_max_concurrent_is_exact(sim, fairlead, strategy):
    limits = [1, 3, 7]
    sims = [sim(tokens=1, first_byte_ms=8) for _ in limits]
    servers = [server(s, f"s{n}", max_concurrent=n, models=["m"]) for s, n in zip(sims, limits)]
    gw = fairlead({"servers": servers, "hostgroups": [{"id": 0, "strategy": strategy}],
                   "settings": {"workers": 4, "access_log": "off"}})
    statuses = asyncio.run(many_clients(gw.port, 200, 4))
    assert statuses == [200] * 800
    assert [s.state()["max_in_flight"] for s in sims] == limits
    assert sum(s.state()["completed"] for s in sims) == 800


@pytest.fixture
def full(sim, gateway, wire):
    """full(settings): (simulator, Fairlead, the connection whose request takes the one place there is)."""

    def start(**settings):
        backend = sim(tokens=1)
        gw = gateway(backend, server_options={"max_concurrent": 1}, **settings)
        holder = wire(gw)
        holder.post(CHAT, headers=HANG)
        backend.wait_state(in_flight=1)
        return backend, gw, holder

    return start


def wait_queue(gw, length):
    wait_for(lambda: gw.metric("fairlead_queue_length", hostgroup="0") == length, f"{length} waiting")


def test_full_queue_refuses(full, wire):
    backend, gw, holder = full(queue_max_length=2)
    waiting = [wire(gw) for _ in range(2)]
    for i, client in enumerate(waiting):
        client.post(CHAT)
        wait_queue(gw, i + 1)
    answer = gw.chat()
    assert answer.status_code == 503 and answer.json()["error"]["code"] == "queue_full"
    assert int(answer.headers["Retry-After"]) >= 1
    holder.close()
    assert [client.read_answer().status for client in waiting] == [200, 200]
    assert backend.state()["max_in_flight"] == 1


def test_no_queue_at_all(full):
    _, gw, _ = full(queue_max_length=0)
    assert gw.chat().json()["error"]["code"] == "queue_full"


def test_time_in_the_queue_is_limited(full):
    backend, gw, _ = full(queue_max_wait_ms=200)
    answer = gw.chat()
    assert answer.status_code == 503 and answer.json()["error"]["code"] == "queue_timeout"
    assert int(answer.headers["Retry-After"]) >= 1
    assert 200 <= int(answer.headers["X-Fairlead-Queue-Ms"]) < 5000
    wait_queue(gw, 0)
    assert backend.state()["received"] == 1


@pytest.mark.parametrize("ending", ["close", "reset"])
def test_hang_up_leaves_the_queue(full, wire, ending):
    backend, gw, holder = full()
    client = wire(gw)
    client.post(CHAT.replace("[]", '[],"stream":true'))
    wait_queue(gw, 1)
    getattr(client, ending)()
    wait_queue(gw, 0)
    holder.close()
    assert gw.chat().status_code == 200
    assert backend.state()["received"] == 2, "the one that hung up never arrived"


def test_hang_up_frees_the_place_at_once(full, wire):
    backend, gw, holder = full()
    client = wire(gw)
    client.post(CHAT)
    wait_queue(gw, 1)
    holder.reset()
    assert client.read_answer().status == 200
    assert backend.wait_state(in_flight=0)["cancelled"] == 1


def test_first_come_first_served(full, wire):
    backend, gw, holder = full()
    clients = [wire(gw) for _ in range(8)]
    for i, client in enumerate(clients):
        client.post(json.dumps({"model": "m", "messages": [], "n": i}))
        wait_queue(gw, i + 1)
    holder.close()
    for client in clients:
        assert client.read_answer().status == 200
    assert [json.loads(body)["n"] for body in backend.bodies()[1:]] == list(range(8))


def test_queue_time_is_told(full, wire):
    _, gw, holder = full()
    client = wire(gw)
    client.post(CHAT)
    wait_queue(gw, 1)
    asyncio.run(asyncio.sleep(0.1))  # the time that is to be measured
    holder.close()
    answer = client.read_answer()
    assert int(answer["X-Fairlead-Queue-Ms"]) >= 100


def test_a_reload_that_brings_a_server_frees_the_queue(sim, full, wire):
    _, gw, _ = full()
    client = wire(gw)
    client.post(CHAT)
    wait_queue(gw, 1)
    config = json.loads(gw.config_path.read_text())
    config["servers"].append(server(sim(), "late", models=["m"]))
    gw.reload(config)
    answer = client.read_answer()
    assert (answer.status, answer["X-Fairlead-Server"]) == (200, "late")


def test_a_limit_raised_by_a_reload_frees_the_queue(full, wire):
    backend, gw, _ = full()
    client = wire(gw)
    client.post(CHAT)
    wait_queue(gw, 1)
    config = json.loads(gw.config_path.read_text())
    config["servers"][0]["max_concurrent"] = 2
    gw.reload(config)
    assert client.read_answer().status == 200
    assert backend.state()["max_in_flight"] == 2
