# SPDX-License-Identifier: Apache-2.0
"""Answers as an OpenAI server gives them, byte for byte, in every framing that servers use."""

_EVENT = '{"id":"c-%s","object":"chat.completion.chunk","created":1,"model":"m","choices":%s}'


def _choice(delta, finish="null"):
    return '[{"index":0,"delta":{%s},"finish_reason":%s}]' % (delta, finish)


def stream_events(name):
    """A stream's events: role, content, a tool call in two pieces, finish, usage, [DONE]."""
    tool = '"tool_calls":[{"index":0,%s"function":{%s"arguments":"%s"}}]'
    payloads = [
        _EVENT % (name, _choice('"role":"assistant","content":""')),
        _EVENT % (name, _choice(f'"content":"{name}: \\u00fc"')),
        _EVENT % (name, _choice('"content":" \\"finish_reason\\" ok"')),
        _EVENT % (name, _choice(tool % ('"id":"t1","type":"function",', '"name":"f",', '{\\"a\\":'))),
        _EVENT % (name, _choice(tool % ("", "", "1}"))),
        _EVENT % (name, _choice("", '"tool_calls"')),
        _EVENT[:-1] % (name, "[]") + ',"usage":{"prompt_tokens":3,"completion_tokens":5,"total_tokens":8}}',
        "[DONE]",
    ]
    return [f"data: {payload}\n\n".encode() for payload in payloads]


def _chunk(data):
    return b"%x\r\n%b\r\n" % (len(data), data)


def _head(*fields):
    return ("\r\n".join(["HTTP/1.1 200 OK", *fields]) + "\r\n\r\n").encode()


_STREAM = "Content-Type: text/event-stream"
_JSON = "Content-Type: application/json"
_CHUNKED = "Transfer-Encoding: chunked"


def chunk_per_event(name):
    return _head(_STREAM, _CHUNKED) + b"".join(map(_chunk, stream_events(name))) + b"0\r\n\r\n"


def events_over_chunks(name):
    """Chunks that end anywhere but between two events."""
    body = b"".join(stream_events(name))
    return _head(_STREAM, _CHUNKED) + b"".join(_chunk(body[i : i + 61]) for i in range(0, len(body), 61)) + b"0\r\n\r\n"


def events_in_chunks(name):
    """Several events in a chunk, and an extension and a trailer that nobody needs."""
    events = stream_events(name)
    chunks = [b"".join(events[i : i + 3]) for i in range(0, len(events), 3)]
    return (_head(_STREAM, _CHUNKED) + b"".join(map(_chunk, chunks)).replace(b"\r\n", b";x=1\r\n", 1)
            + b"0\r\nX-Trailer: t\r\n\r\n")


def to_close(name):
    return _head(_STREAM, "Connection: close") + b"".join(stream_events(name))


def _answer(name):
    return (
        '{"id":"c-%s","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":'
        '{"role":"assistant","content":"%s: hello"},"finish_reason":"stop"}],'
        '"usage":{"prompt_tokens":3,"completion_tokens":5,"total_tokens":8}}' % (name, name)
    ).encode()


def json_sized(name):
    body = _answer(name)
    return _head(_JSON, f"Content-Length: {len(body)}") + body


def json_chunked(name):
    body = _answer(name)
    return _head(_JSON, _CHUNKED) + _chunk(body[:100]) + _chunk(body[100:]) + b"0\r\n\r\n"


STREAMS = [chunk_per_event, events_over_chunks, events_in_chunks, to_close]
PLAIN = [json_sized, json_chunked]
