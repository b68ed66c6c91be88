# SPDX-License-Identifier: Apache-2.0
"""Servers that are in no fault by HTTP, but that one does not meet every day."""
import asyncio
import json
import time

from fault import harness, recordings

MEGABYTE = 1 << 20


def body_of(text="hello", **more):
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": text}], **more}).encode()


STREAM = body_of(stream=True, stream_options={"include_usage": True})


def config_for(*backends, **settings):
    return {
        "servers": [{"name": f"b{i}", "provider": "custom", "models": ["m"], "endpoint": f"http://127.0.0.1:{b.port}"}
                    for i, b in enumerate(backends)],
        "settings": {"workers": 1, "access_log": "off", "health_check_interval_ms": 3600000, **settings},
    }


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


class EarlyAnswer(asyncio.Protocol):
    """Begins its answer at the request's head, reads the body slowly, and ends the answer behind the body."""

    def __init__(self, raw, first):
        self.raw, self.first = raw, first
        self.buffer = b""
        self.received = self.length = 0

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        if self.length == 0:
            self.buffer += data
            head, mark, rest = self.buffer.partition(b"\r\n\r\n")
            if not mark:
                return
            request = harness.Request(head)
            if request.method == "GET":
                self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
                self.transport.close()
                return
            self.length, data = request.length, rest
            self.transport.write(self.raw[: self.first])
            self.transport.pause_reading()
            asyncio.get_running_loop().call_later(0.2, self.transport.resume_reading)
        self.received += len(data)
        if self.received == self.length:
            self.transport.write(self.raw[self.first :])


def test_answer_that_begins_before_the_request_has_been_read(fairlead):
    """The rest of the body is still sent, and the rest of the answer still comes."""
    raw = recordings.chunk_per_event("early")
    first = raw.index(b"\n\n\r\n") + 4

    async def scene():
        loop = asyncio.get_running_loop()
        listener = await loop.create_server(lambda: EarlyAnswer(raw, first), "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]
        config = {"servers": [{"name": "b0", "provider": "custom", "models": ["m"],
                               "endpoint": f"http://127.0.0.1:{port}"}],
                  "settings": {"workers": 1, "idle_timeout_ms": 3000, "health_check_interval_ms": 3600000}}
        program = await asyncio.to_thread(fairlead, config)
        before = cpu_seconds(program.pid)
        request = harness.post(body_of("x" * 16 * MEGABYTE, stream=True, stream_options={"include_usage": True}))
        answer = await harness.ask(program.port, request)
        assert (answer.status, answer.is_whole) == (200, True)
        assert answer.body == harness.parse_answer(raw, True)[2]
        assert cpu_seconds(program.pid) - before < 2, "spins"
        await harness.wait_settled(program)
        listener.close()

    asyncio.run(scene())


def test_refusal_that_does_not_read_the_request(fairlead):
    """413 at the head and an end of the connection: the client gets the server's own words."""
    refusal = b'HTTP/1.1 413 Too Large\r\nContent-Type: application/json\r\nContent-Length: 22\r\n\r\n{"error":{"m":"nope"}}'

    async def scene():
        def play(connection, request):
            raise AssertionError("the whole request has come")

        class Refuser(harness.BackendConnection):
            def data_received(self, data):
                if data.startswith(b"POST"):
                    self.transport.write(refusal)
                    self.transport.pause_reading()
                    asyncio.get_running_loop().call_later(0.2, self.transport.close)
                elif data.startswith(b"GET"):
                    super().data_received(data)

        backend = harness.Backend(play)
        loop = asyncio.get_running_loop()
        backend.listener = await loop.create_server(lambda: Refuser(backend), "127.0.0.1", 0)
        backend.port = backend.listener.sockets[0].getsockname()[1]
        program = await asyncio.to_thread(fairlead, config_for(backend))
        answer = await harness.ask(program.port, harness.post(body_of("x" * 16 * MEGABYTE)))
        assert (answer.status, answer.body) == (413, b'{"error":{"m":"nope"}}')
        await harness.wait_settled(program, backend)
        backend.stop()

    asyncio.run(scene())


def test_plain_answer_where_a_stream_was_promised_by_keep_alives(fairlead):
    """Early keep-alives have begun a stream: a plain answer becomes its event. One that came before stays plain."""
    answer_body = b'{"id":"c","choices":[{"message":{"content":"' + b"y" * 500 + b'"}}]}'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(answer_body)

    async def scene(head_delay, pause, is_promised):
        def play(connection, request):
            loop = asyncio.get_running_loop()
            loop.call_later(head_delay, connection.send, head + answer_body[:100])
            loop.call_later(head_delay + pause, connection.send, answer_body[100:])
            loop.call_later(head_delay + pause, connection.done)

        backend = await harness.Backend(play).start()
        program = await asyncio.to_thread(fairlead, config_for(
            backend, stream_keepalive_ms=100, stream_keepalive_early=True, max_retries=0))
        answer = await harness.ask(program.port, harness.post(STREAM))
        assert (answer.status, answer.is_whole) == (200, True)
        if is_promised:
            assert answer.headers["content-type"] == "text/event-stream"
            assert answer.body.replace(b": keep-alive\n\n", b"") == b"data: " + answer_body + b"\n\n"
        else:
            assert (answer.headers["content-type"], answer.body) == ("application/json", answer_body)
        await harness.wait_settled(program, backend)
        backend.stop()

    asyncio.run(scene(0.35, 0, True))
    asyncio.run(scene(0.35, 0.35, True))
    asyncio.run(scene(0.02, 0.35, False))


def test_no_keep_alive_comment_within_a_plain_answer(fairlead):
    """A large plain answer with a long silence in it, to a request that asked for a stream."""
    answer_body = b'{"choices":[{"message":{"content":"' + b"y" * 200000 + b'"}}]}'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(answer_body)

    async def scene():
        def play(connection, request):
            connection.send(head + answer_body[:150000])
            asyncio.get_running_loop().call_later(0.5, connection.send, answer_body[150000:])
            asyncio.get_running_loop().call_later(0.5, connection.done)

        backend = await harness.Backend(play).start()
        program = await asyncio.to_thread(fairlead, config_for(
            backend, stream_keepalive_ms=100, stream_keepalive_early=True, max_retries=0))
        answer = await harness.ask(program.port, harness.post(STREAM))
        assert (answer.status, answer.is_whole) == (200, True)
        assert answer.body == answer_body
        backend.stop()

    asyncio.run(scene())


def test_late_keep_alive_does_not_promise_a_stream_by_itself(fairlead):
    """Without stream_keepalive_early, a head without an event is no promise: an error event can be retried still."""

    async def scene():
        def play(connection, request):
            if backend.received > 1:
                connection.send(recordings.chunk_per_event("second"))
                connection.done()
                return
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Its-Own: 1\r\n"
                            b"Connection: close\r\n\r\n: wait\n\n")
            asyncio.get_running_loop().call_later(0.4, connection.send, recordings.stream_events("first")[0])
            asyncio.get_running_loop().call_later(0.5, connection.send, b"".join(recordings.stream_events("first")[1:]))
            asyncio.get_running_loop().call_later(0.5, connection.close)

        backend = await harness.Backend(play).start()
        program = await asyncio.to_thread(fairlead, config_for(backend, stream_keepalive_ms=100))
        answer = await harness.ask(program.port, harness.post(STREAM))
        assert answer.is_whole
        assert answer.headers.get("x-its-own") == "1", "the server's fields are lost"
        assert answer.body.endswith(b"data: [DONE]\n\n")
        backend.stop()

    asyncio.run(scene())


def test_stream_of_tiny_pieces(fairlead):
    """Byte by byte, each in a turn of its own: nothing is lost, and the time it takes is not quadratic."""
    raw = recordings.chunk_per_event("drip")

    async def scene():
        def play(connection, request):
            async def drip():
                for i in range(len(raw)):
                    connection.send(raw[i : i + 1])
                    await asyncio.sleep(0.0005)
                connection.done()

            tasks.append(asyncio.ensure_future(drip()))

        tasks = []
        backend = await harness.Backend(play).start()
        program = await asyncio.to_thread(fairlead, config_for(backend))
        started = time.monotonic()
        answers = await asyncio.gather(*(harness.ask(program.port, harness.post(STREAM)) for _ in range(5)))
        for answer in answers:
            assert answer.is_whole and answer.body == harness.parse_answer(raw, True)[2]
        assert time.monotonic() - started < 20
        await harness.wait_settled(program, backend)
        backend.stop()

    asyncio.run(scene())
