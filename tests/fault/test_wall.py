# SPDX-License-Identifier: Apache-2.0
"""The fault wall: recorded answers, with a fault at every byte offset.

Whatever a server does, its client sees no clean end on a truncated answer, no byte twice and none that was not sent;
nothing hangs, and no place stays taken.
"""
import asyncio
import json

import pytest

from fault import harness
from fault.recordings import PLAIN, STREAMS

DONE = b"data: [DONE]\n\n"
BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hello"}]}).encode()
STREAM_BODY = json.dumps({
    "model": "m", "stream": True, "stream_options": {"include_usage": True},
    "messages": [{"role": "user", "content": "hello"}],
}).encode()
NO_LIMITS = {
    "workers": 1, "access_log": "off", "circuit_breaker_threshold": 10000, "circuit_breaker_timeout_ms": 10,
    "health_check_interval_ms": 3600000, "retry_budget_percent": 100, "retry_budget_min_per_second": 100000,
    "retry_initial_delay_ms": 0, "upstream_max_idle_connections": 1000,
}
STALL_MS = 300  # a server that has begun falls silent
SILENCE_MS = 2000  # one that has not; hundreds ask at once, so that the player itself takes a while
ids = [recording.__name__ for recording in STREAMS + PLAIN]
every_recording = pytest.mark.parametrize("recording", STREAMS + PLAIN, ids=ids)


# ---- faults: what a backend does with the bytes of its answer ----


def cut(connection, raw, at):
    connection.send(raw[:at])
    connection.close()


def reset(connection, raw, at):
    connection.send(raw[:at])
    connection.reset()


def stall(connection, raw, at):
    connection.send(raw[:at])


def corrupt(connection, raw, at):
    connection.send(corrupted(raw, at))
    connection.close()


def split(connection, raw, at):
    """In two pieces; the second comes when Fairlead has had time to read the first."""
    connection.send(raw[:at])
    asyncio.get_running_loop().call_later(0.003, whole, connection, raw, at)


def whole(connection, raw, at=0):
    connection.send(raw[at:])
    connection.done()
    if b"Connection: close" in raw:
        connection.close()


def corrupted(raw, at):
    return raw[:at] + bytes([raw[at] ^ 0x55]) + raw[at + 1 :]


# ---- the scene ----


class Scene:
    """Fairlead between `servers` scripted backends; request `at` gets its first answer with `fault` at that offset,
    and each further one whole and under another name."""

    def __init__(self, recording, fault):
        self.recording, self.fault = recording, fault
        self.raw = recording("first")
        self.other = recording("other")
        self.attempts = {}

    def play(self, connection, request):
        at = int(request.headers["x-at"])
        self.attempts[at] = self.attempts.get(at, 0) + 1
        if self.attempts[at] == 1:
            self.fault(connection, self.raw, at)
        else:
            whole(connection, self.other)

    async def run(self, start, check, offsets, servers=1, concurrency=16, **settings):
        backends = [await harness.Backend(self.play).start() for _ in range(servers)]
        config = {
            "servers": [{"name": f"b{i}", "provider": "custom", "models": ["m"],
                         "endpoint": f"http://127.0.0.1:{b.port}"} for i, b in enumerate(backends)],
            "settings": {**NO_LIMITS, **settings},
        }
        fairlead = await asyncio.to_thread(start, config)
        body = STREAM_BODY if self.recording in STREAMS else BODY
        faults = {}  # by what is wrong: every offset's story

        async def ask(at):
            answer = await harness.ask(fairlead.port, harness.post(body, f"X-At: {at}"))
            try:
                check(self, at, answer)
            except AssertionError as failure:
                faults.setdefault(str(failure).splitlines()[0], []).append(
                    f"   at {at}, sent {self.raw[max(0, at - 40):at]!r}\n"
                    f"   got {answer.raw[-160:]!r} {'RST' if answer.was_reset else 'FIN'}")

        await harness.run_many([lambda at=at: ask(at) for at in offsets], concurrency)
        await harness.wait_settled(fairlead, *backends)
        for backend in backends:
            backend.stop()
        assert not faults, "\n".join(f"{len(stories)} of {len(offsets)} offsets: {what}\n{stories[0]}\n{stories[-1]}"
                                     for what, stories in faults.items())


def arrived_events(raw, at):
    """The whole events of the first `at` bytes."""
    body = harness.parse_answer(raw[:at], True)[2]
    return body[: body.rfind(b"\n\n") + 2] if b"\n\n" in body else b""


def split_error(body):
    """A stream's body without its error event, and whether there was one; it has to be the last."""
    start = body.rfind(b"data: ", 0, len(body))
    try:
        error = json.loads(body[start + 6 :])
    except ValueError:
        return body, False
    if not isinstance(error, dict) or "error" not in error:
        return body, False
    assert body.endswith(b"\n\n") and error["error"]["message"]
    return body[:start], True


def assert_error_answer(answer):
    assert answer.is_whole and answer.status in (502, 504), f"expected an error, not {answer.status}"
    assert json.loads(answer.body)["error"]["message"]


def assert_cut_stream(answer, events, arrived, raw):
    """`events` have come, then the server was lost: they are all there, and after them an error or a broken end."""
    assert answer.status == 200
    content, has_error = split_error(answer.body)
    if arrived.strip().endswith(DONE.strip()) and content.strip() == arrived.strip():
        return  # [DONE] has come but for an empty line: it may count
    assert content == events, "not exactly the events that had come"
    if DONE in events:
        return
    finish_has_come = b'"finish_reason":"tool_calls"' in events
    by_close = b"Transfer-Encoding" not in raw
    # A server that leaves out [DONE] and ends by closing cannot be told from one that was cut between the two.
    assert has_error or not answer.is_whole or (by_close and finish_has_come), "clean end of a truncated stream"


def check_truncated(scene, at, answer):
    if scene.recording in PLAIN:
        assert_error_answer(answer)
        return
    events = arrived_events(scene.raw, at)
    if events:
        arrived = harness.parse_answer(scene.raw[:at], True)[2]
        assert_cut_stream(answer, events, arrived, scene.raw)
    elif answer.status == 200 and not scene.raw[:at]:
        raise AssertionError("an answer out of nothing")
    else:
        assert_error_answer(answer)


def check_whole(scene, at, answer, raw=None):
    expected = harness.parse_answer(raw or scene.raw, True)
    assert (answer.status, answer.body, answer.is_whole) == (200, expected[2], True), "not the whole answer"


def without_first(body):
    """Without its first event, if that one has no data: what says nothing need not be passed on before the rest."""
    first, _, rest = body.partition(b"\n\n")
    return body if b"\ndata:" in b"\n" + first else rest


def check_corrupted(scene, at, answer):
    raw = corrupted(scene.raw, at)
    if answer.status != 200:
        assert answer.is_whole, f"broken error answer, status {answer.status}"
        return
    try:
        _, _, sent, is_whole = harness.parse_answer(raw, True)
    except ValueError:
        raise AssertionError("200 for an answer that nobody can read") from None
    content, has_error = split_error(answer.body)
    assert sent.startswith(content) or without_first(sent).startswith(content), "bytes that the server did not send"
    assert is_whole or has_error or not answer.is_whole or DONE in content, "clean end of a broken answer"


def check_retried(scene, at, answer):
    """A fault before the first event is mended by another server; after it, there is none."""
    if scene.recording in STREAMS and arrived_events(scene.raw, at):
        assert scene.attempts[at] == 1, "retried after content had gone out"
        check_truncated(scene, at, answer)
        return
    assert scene.attempts[at] == 2, f"{scene.attempts[at]} attempts"
    check_whole(scene, at, answer, scene.other)
    assert answer.headers["x-retry-count"] == "1"


# ---- the wall ----


@pytest.mark.parametrize("fault", [cut, reset], ids=lambda f: f.__name__)
@every_recording
def test_truncated(fairlead, recording, fault):
    scene = Scene(recording, fault)
    asyncio.run(scene.run(fairlead, check_truncated, range(len(scene.raw)), max_retries=0))


@every_recording
def test_stalled(fairlead, recording):
    scene = Scene(recording, stall)
    asyncio.run(scene.run(fairlead, check_truncated, range(len(scene.raw)), concurrency=400, max_retries=0,
                          first_byte_timeout_ms=SILENCE_MS, idle_timeout_ms=STALL_MS))


@every_recording
def test_corrupted(fairlead, recording):
    scene = Scene(recording, corrupt)
    asyncio.run(scene.run(fairlead, check_corrupted, range(len(scene.raw)), max_retries=0))


@every_recording
def test_split(fairlead, recording):
    scene = Scene(recording, split)
    asyncio.run(scene.run(fairlead, check_whole, range(1, len(scene.raw)), max_retries=0))


@pytest.mark.parametrize("fault", [cut, reset], ids=lambda f: f.__name__)
@every_recording
def test_retried_elsewhere(fairlead, recording, fault):
    scene = Scene(recording, fault)
    asyncio.run(scene.run(fairlead, check_retried, range(len(scene.raw)), servers=2, max_retries=1))


@every_recording
def test_stalled_and_retried_elsewhere(fairlead, recording):
    scene = Scene(recording, stall)
    asyncio.run(scene.run(fairlead, check_retried, range(0, len(scene.raw), 3), servers=2, concurrency=400,
                          max_retries=1, first_byte_timeout_ms=SILENCE_MS, idle_timeout_ms=STALL_MS))
