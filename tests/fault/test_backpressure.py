# SPDX-License-Identifier: Apache-2.0
"""Clients that read slowly, or not at all: the server has to wait for them, and nobody else."""
import asyncio
import json
import socket
import time

import pytest

from fault import harness

MEGABYTE = 1 << 20
TOTAL = 64 * MEGABYTE
# What two kernels' socket buffers and one turn may hold between a server that writes and a client that does not read.
ON_THE_WAY_MAX = 24 * MEGABYTE
PLAIN_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % TOTAL
STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
PIECE = 65536


def event(number):
    payload = b'{"id":"%08d","choices":[{"index":0,"delta":{"content":"' % number
    text = b"data: " + payload + b"z" * (PIECE - len(payload) - 60) + b'"},"finish_reason":null}]}\n\n'
    return text


def plain_pieces():
    yield PLAIN_HEAD
    for number in range(TOTAL // PIECE):
        yield (b"%08d" % number) * (PIECE // 8)


def stream_pieces():
    yield STREAM_HEAD
    for number in range(TOTAL // PIECE):
        data = event(number)
        yield b"%x\r\n%b\r\n" % (len(data), data)
    last = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    yield b"%x\r\n%b\r\n0\r\n\r\n" % (len(last), last)


class Fountain(harness.BackendConnection):
    """Writes as fast as it is let; counts what it could write."""

    def connection_made(self, transport):
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=PIECE)
        self.may_write = asyncio.Event()
        self.may_write.set()

    def pause_writing(self):
        self.may_write.clear()

    def resume_writing(self):
        self.may_write.set()

    def connection_lost(self, error):
        super().connection_lost(error)
        self.may_write.set()

    async def pour(self, pieces):
        for piece in pieces:
            await self.may_write.wait()
            if self.transport.is_closing():
                return
            self.transport.write(piece)
            self.backend.poured += len(piece)
        self.done()


class Scene:
    """A fountain behind Fairlead; small requests ("model": "small") are answered at once."""

    def __init__(self, start):
        self.start = start
        self.tasks = []

    def play(self, connection, request):
        body = json.loads(request.body)
        if body["model"] == "small":
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
            connection.done()
            return
        pieces = stream_pieces() if body.get("stream") else plain_pieces()
        self.tasks.append(asyncio.ensure_future(connection.pour(pieces)))

    async def __aenter__(self):
        self.backend = harness.Backend(self.play)
        self.backend.poured = 0
        loop = asyncio.get_running_loop()
        self.listener = await loop.create_server(lambda: Fountain(self.backend), "127.0.0.1", 0)
        self.backend.listener = self.listener
        return self

    async def run(self, **settings):
        port = self.listener.sockets[0].getsockname()[1]
        self.program = await asyncio.to_thread(self.start, {
            "servers": [{"name": "b0", "provider": "custom", "models": ["large", "small"],
                         "endpoint": f"http://127.0.0.1:{port}"}],
            "settings": {"workers": 1, "access_log": "off", "health_check_interval_ms": 3600000, "max_retries": 0,
                         **settings},
        })
        return self.program

    async def __aexit__(self, *_error):
        self.backend.stop()
        for task in self.tasks:
            task.cancel()

    def slow_client(self, is_stream):
        body = json.dumps({"model": "large", "stream": is_stream, "stream_options": {"include_usage": True},
                           "messages": [{"role": "user", "content": "x"}]}).encode()
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        client.connect(("127.0.0.1", self.program.port))
        client.sendall(harness.post(body))
        client.setblocking(False)
        return client

    async def until_stuck(self):
        """Until nothing more goes into the pipe."""
        seen = -1
        while seen != self.backend.poured or seen < PIECE:
            seen = self.backend.poured
            await asyncio.sleep(0.3)

    async def small_requests(self, count):
        """Seconds that `count` small requests took, each."""
        body = json.dumps({"model": "small", "messages": [{"role": "user", "content": "x"}]}).encode()
        times = []
        for _ in range(count):
            started = time.monotonic()
            answer = await harness.ask(self.program.port, harness.post(body))
            times.append(time.monotonic() - started)
            assert (answer.status, answer.body) == (200, b"{}")
        return sorted(times)


async def read_all(client):
    """Everything until the end, in the client's own time; (bytes, digest of what follows the head)."""
    loop = asyncio.get_running_loop()
    raw = bytearray()
    while data := await asyncio.wait_for(loop.sock_recv(client, 1 << 18), harness.PATIENCE):
        raw += data
    return bytes(raw)


@pytest.mark.parametrize("is_stream", [False, True], ids=["plain", "stream"])
def test_slow_reader_holds_up_nobody_but_his_server(fairlead, is_stream):
    async def scene():
        async with Scene(fairlead) as it:
            program = await it.run()
            await it.small_requests(20)
            memory = harness.resident_bytes(program.pid)
            client = it.slow_client(is_stream)
            await it.until_stuck()
            assert it.backend.poured < ON_THE_WAY_MAX, "the server is not held up"
            grown = harness.resident_bytes(program.pid) - memory
            assert grown < 4 * MEGABYTE or harness.is_sanitized(program.pid), f"grew by {grown} bytes"
            times = await it.small_requests(100)
            assert times[len(times) // 2] < 0.05
            raw = await read_all(client)
            client.close()
            answer = harness.Answer(raw, False)
            assert (answer.status, answer.is_whole) == (200, True)
            pieces = list(stream_pieces() if is_stream else plain_pieces())
            assert answer.body == harness.parse_answer(b"".join(pieces), True)[2]
            grown = harness.resident_bytes(program.pid) - memory
            assert grown < 8 * MEGABYTE or harness.is_sanitized(program.pid), f"grew by {grown} bytes"
            await harness.wait_settled(program, it.backend)

    asyncio.run(scene())


@pytest.mark.parametrize("is_stream", [False, True], ids=["plain", "stream"])
def test_client_that_reads_nothing_is_ended(fairlead, is_stream):
    async def scene():
        async with Scene(fairlead) as it:
            program = await it.run(client_write_timeout_ms=500)
            client = it.slow_client(is_stream)
            await it.until_stuck()
            await harness.wait_settled(program)
            await harness.wait_until(lambda: not it.backend.connections or not it.backend.busy, "the server's release")
            assert it.backend.poured < ON_THE_WAY_MAX
            client.close()

    asyncio.run(scene())


@pytest.mark.parametrize("is_stream", [False, True], ids=["plain", "stream"])
def test_client_that_reads_steadily_is_not_ended(fairlead, is_stream):
    """The idle limit towards the server does not count either while it is the client who is waited for."""

    async def scene():
        async with Scene(fairlead) as it:
            program = await it.run(client_write_timeout_ms=1500, idle_timeout_ms=300)
            client = it.slow_client(is_stream)
            loop = asyncio.get_running_loop()
            received = 0
            end = time.monotonic() + 4
            while time.monotonic() < end:
                received += len(await asyncio.wait_for(loop.sock_recv(client, 1 << 18), 10))
                await asyncio.sleep(0.05)
            received += len(await read_all(client))
            assert received > TOTAL * 0.99
            client.close()
            await harness.wait_settled(program, it.backend)

    asyncio.run(scene())


def test_slow_reader_who_hangs_up(fairlead):
    """While the upstream is paused and unread, a hang-up is still noticed at once."""

    async def scene():
        async with Scene(fairlead) as it:
            program = await it.run()
            for how in ("FIN", "RST"):
                client = it.slow_client(True)
                await it.until_stuck()
                if how == "RST":
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, harness.RST)
                client.close()
                await harness.wait_settled(program, it.backend)
                it.backend.poured = 0

    asyncio.run(scene())


def test_server_that_dies_while_it_is_held_up(fairlead):
    """What had come is passed on, and then the truth: a broken end."""

    async def scene():
        async with Scene(fairlead) as it:
            program = await it.run()
            client = it.slow_client(False)
            await it.until_stuck()
            for connection in list(it.backend.connections):
                connection.reset()
            try:
                raw = await read_all(client)
            except ConnectionResetError:
                raw = b""
            assert len(raw) < TOTAL
            client.close()
            await harness.wait_settled(program)

    asyncio.run(scene())
