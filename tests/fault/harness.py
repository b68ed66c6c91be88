# SPDX-License-Identifier: Apache-2.0
"""What the fault tests share: a scripted backend and a client that see every byte, both on one asyncio loop.

The backend plays raw bytes, well-formed or not; the client reads until the connection ends and says how it ended.
"""
import asyncio
import os
import re
import socket
import struct
import time

from programs import PATIENCE

RST = struct.pack("ii", 1, 0)


def reset(transport):
    """Closes at once, with RST."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)
    transport.abort()


# ---- the backend ----


class BackendConnection(asyncio.Protocol):
    """One connection from Fairlead. GET is answered as a health probe; a POST goes to backend.play(self, request)."""

    def __init__(self, backend):
        self.backend = backend
        self.buffer = b""
        self.is_busy = False

    def connection_made(self, transport):
        self.transport = transport
        self.backend.connections.add(self)

    def connection_lost(self, _error):
        self.backend.connections.discard(self)

    def data_received(self, data):
        self.buffer += data
        head, mark, rest = self.buffer.partition(b"\r\n\r\n")
        if not mark:
            return
        request = Request(head)
        if len(rest) < request.length:
            return
        request.body, self.buffer = rest[: request.length], rest[request.length :]
        if request.method == "GET":
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n" + b'{"data": []}')
            return
        self.is_busy = True
        self.backend.received += 1
        self.backend.play(self, request)

    def send(self, data):
        self.transport.write(data)

    def done(self):
        """The answer is whole: the connection may be used again."""
        self.is_busy = False

    def close(self):
        self.transport.close()

    def reset(self):
        reset(self.transport)


class Request:
    def __init__(self, head):
        lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, _ = lines[0].split(" ")
        self.headers = {}
        for line in lines[1:]:
            name, value = line.split(":", 1)
            self.headers[name.lower()] = value.strip()
        self.length = int(self.headers.get("content-length", 0))
        self.body = b""


class Backend:
    """`play(connection, request)` is called for every POST."""

    def __init__(self, play):
        self.play = play
        self.connections = set()
        self.received = 0

    async def start(self):
        loop = asyncio.get_running_loop()
        self.listener = await loop.create_server(lambda: BackendConnection(self), "127.0.0.1", 0, backlog=1024)
        self.port = self.listener.sockets[0].getsockname()[1]
        return self

    @property
    def busy(self):
        return sum(c.is_busy for c in self.connections)

    def stop(self):
        self.listener.close()
        for connection in list(self.connections):
            connection.transport.abort()


# ---- the client ----


class Answer:
    """What a client saw until the connection ended. `is_whole`: by its framing it is complete, and nothing follows."""

    def __init__(self, raw, was_reset):
        self.raw, self.was_reset = raw, was_reset
        self.status, self.headers, self.body, self.is_whole = parse_answer(raw, not was_reset)


def parse_answer(raw, ended_well):
    """Status, headers, body and whether it is whole, of the beginning of an answer. Status 0: no whole head."""
    head, mark, rest = raw.partition(b"\r\n\r\n")
    if not mark:
        return 0, {}, b"", False
    lines = head.decode("latin-1").split("\r\n")
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    status = int(lines[0].split(" ")[1])
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body, is_whole = parse_chunks(rest)
    elif "content-length" in headers:
        length = int(headers["content-length"])
        body, is_whole = rest[:length], len(rest) == length
    else:
        body, is_whole = rest, ended_well
    return status, headers, body, is_whole


CHUNK_HEAD = re.compile(rb"([0-9a-fA-F]{1,15})(?:;[^\x00-\x08\x0a-\x1f\x7f]*)?\r\n")


def parse_chunks(rest):
    body = bytearray()
    at = 0
    while found := CHUNK_HEAD.match(rest, at):
        at, size = found.end(), int(found.group(1), 16)
        if size == 0:
            trailers = rest[at - 2 :]
            return bytes(body), trailers.find(b"\r\n\r\n") == len(trailers) - 4 >= 0
        body += rest[at : at + size]
        at += size + 2
        if rest[at - 2 : at] != b"\r\n":
            break
    return bytes(body), False


class ClientConnection(asyncio.Protocol):
    def __init__(self):
        self.pieces = []
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.pieces.append(data)

    def connection_lost(self, error):
        if not self.ended.done():
            self.ended.set_result(error is not None)


async def ask(port, request, deadline=PATIENCE):
    """Sends `request` on a connection of its own; the Answer. A test that waits longer than `deadline` has hung."""
    loop = asyncio.get_running_loop()
    transport, connection = await loop.create_connection(ClientConnection, "127.0.0.1", port)
    try:
        transport.write(request)
        was_reset = await asyncio.wait_for(connection.ended, deadline)
    finally:
        transport.abort()
    return Answer(b"".join(connection.pieces), was_reset)


def post(body, *fields, path="/v1/chat/completions", close=True):
    """The bytes of a POST; `fields` are whole header lines."""
    lines = [f"POST {path} HTTP/1.1", "Host: test", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    lines += list(fields) + (["Connection: close"] if close else [])
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


async def run_many(jobs, concurrency):
    """Runs the coroutine functions `jobs`, at most `concurrency` at a time; the first failure ends it."""
    pending = iter(jobs)

    async def work():
        for job in pending:
            await job()

    workers = [asyncio.create_task(work()) for _ in range(concurrency)]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()


# ---- the state of a Fairlead ----


async def metrics_of(fairlead):
    port = int(fairlead.listeners["metrics"].rsplit(":", 1)[1])
    answer = await ask(port, b"GET /metrics HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
    assert answer.status == 200 and answer.is_whole
    return answer.body.decode()


def values(metrics, name):
    """All values of a metric, of every label."""
    return [float(v) for v in re.findall(rf"^{name}(?:\{{.*\}})? (\S+)$", metrics, re.MULTILINE)]


async def wait_until(condition, what, timeout=PATIENCE):
    """Like programs.wait_for, on the loop. `condition` may be a coroutine function."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if asyncio.iscoroutine(value):
            value = await value
        if value:
            return value
        assert time.monotonic() < end, f"waited {timeout} s in vain for {what}"
        await asyncio.sleep(0.01)


async def wait_settled(fairlead, *backends):
    """Every place is given back, and no backend has a connection that still carries a request."""

    async def is_settled():
        metrics = await metrics_of(fairlead)
        return sum(values(metrics, "fairlead_server_in_flight") + values(metrics, "fairlead_queue_length")
                   + values(metrics, "fairlead_requests_in_flight")) == 0

    await wait_until(is_settled, "every place to be given back")
    await wait_until(lambda: not any(b.busy for b in backends), "every upstream connection to be idle or closed")
    fairlead.assert_sane()
    assert fairlead.is_running


def resident_bytes(pid):
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * 4096


def descriptors(pid):
    return os.listdir(f"/proc/{pid}/fd")


def is_sanitized(pid):
    """Memory says nothing then: a sanitizer keeps what was freed."""
    try:
        with open(f"/proc/{pid}/maps") as file:
            text = file.read()
    except PermissionError:
        return False  # core_dumps is off, which only other builds do
    return "libasan" in text or "libtsan" in text or "asan" in text.rsplit("/", 1)[0]
