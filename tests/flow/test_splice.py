# SPDX-License-Identifier: Apache-2.0
"""What reaches the server is what the client sent, byte for byte, but for the named splices."""
import hashlib
import json
import random
import re

import pytest
from programs import wait_for

SEED = 20260
CASES = 150
MIB = 1 << 20
INSERTS = ['"stream_options":{"include_usage":true},', '"include_usage":true', '"include_usage":true,']


class Writer:
    """Random JSON: odd spacing, escapes, nesting; the same value in many spellings."""

    def __init__(self, rng):
        self.rng = rng

    def space(self):
        return "".join(self.rng.choice([" ", "\t", "\n", "\r\n"]) for _ in range(self.rng.choice([0, 0, 0, 1, 3])))

    def string(self, text):
        """`text` with characters escaped at random, in each of the ways that JSON has."""
        short = {'"': '\\"', "\\": "\\\\", "/": "\\/", "\n": "\\n", "\t": "\\t", "\b": "\\b", "\f": "\\f", "\r": "\\r"}
        out = ""
        for c in text:
            units = c.encode("utf-16-be").hex()
            long = "".join(f"\\u{units[i:i + 4]}" for i in range(0, len(units), 4))
            must = c < " " or c in '"\\'
            ways = [w for w in (None if must else c, short.get(c), long) if w]
            out += ways[0] if self.rng.random() < 0.8 else self.rng.choice(ways)
        return f'"{out}"'

    def text(self):
        alphabet = 'abc xyz0"\\/\n\t{}[]:,äß√日本😀\x01\x7f\u2028'
        return "".join(self.rng.choice(alphabet) for _ in range(self.rng.randrange(20)))

    def value(self, depth=0):
        kind = self.rng.randrange(7 if depth < 4 else 5)
        if kind == 5:
            return self.sequence("[", [self.value(depth + 1) for _ in range(self.rng.randrange(4))], "]")
        if kind == 6:
            members = [(self.rng.choice(["model", "stream", "stream_options", "x", self.text()]), self.value(depth + 1))
                       for _ in range(self.rng.randrange(4))]
            return self.object(members)
        return [self.string(self.text()), self.rng.choice(["0", "-1", "1e400", "1.50", "123456789012345678901"]),
                "true", "false", "null"][kind]

    def sequence(self, left, items, right):
        return left + ",".join(self.space() + item + self.space() for item in items) + self.space() + right

    def object(self, members):
        return self.sequence("{", [self.string(k) + self.space() + ":" + self.space() + v for k, v in members], "}")


def a_body(rng, model, is_stream):
    """A chat with unknown fields around it, in any order; the model's token is the second result."""
    writer = Writer(rng)
    token = writer.string(model)
    members = [("model", token), ("messages", '[{"role":"user","content":' + writer.string(writer.text()) + "}]")]
    members += [(f"x{i}{writer.text()}", writer.value()) for i in range(rng.randrange(5))]
    if is_stream or rng.random() < 0.3:
        members.append(("stream", "true" if is_stream else rng.choice(["false", "null"])))
    options = ["{}", "{ }", "null", '{"include_usage":false}', '{"x": 1 , "include_usage" : false}',
               '{"continuous_usage_stats":true}', '{"include_usage":true}']
    if rng.random() < 0.6:
        members.append(("stream_options", rng.choice(options)))
    rng.shuffle(members)
    return writer.space() + writer.object(members) + writer.space(), token


def difference(before, after):
    """(what was cut, what stands there now) of the one place where the texts differ."""
    start = next((i for i, (a, b) in enumerate(zip(before, after)) if a != b), min(len(before), len(after)))
    end = 0
    while end < min(len(before), len(after)) - start and before[-1 - end] == after[-1 - end]:
        end += 1
    return before[start:len(before) - end], after[start:len(after) - end]


def is_named_splice(cut, put):
    """Bytes that insert and surroundings share may have been counted to either end: hence rotations."""
    if cut:
        return (cut, put) in [("fals", "tru"), ("null", '{"include_usage":true}')]
    return any(put == text[i:] + text[:i] for text in INSERTS for i in range(len(text)))


@pytest.fixture
def pair(sim, gateway):
    """(simulator, Fairlead): requests for "alias" go out as "m", those for "m" stay."""
    backend = sim(tokens=1)
    gw = gateway(backend, server_options={"models": ["m", "modèle \"x\"/ü"]}, rules=[
        {"priority": 1, "match_model": "alias", "hostgroup": 0, "rewrite_model": 'modèle "x"/ü'}])
    return backend, gw


def post(gw, body):
    data = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
    return gw.http.post("/v1/chat/completions", content=data, headers={"Content-Type": "application/json"})


def what_arrived(backend):
    record = backend.requests(1)[0]
    body = record["body"]
    assert hashlib.sha256(body.encode()).hexdigest() == record["body_sha256"]
    return body


def test_whole_answers_change_nothing_but_the_model(pair):
    backend, gw = pair
    rng = random.Random(SEED)
    for _ in range(CASES):
        model = rng.choice(["m", "alias"])
        body, token = a_body(rng, model, False)
        answer = post(gw, body)
        assert answer.status_code == 200, (body, answer.text)
        wanted = body if model == "m" else replace_model(body, token)
        assert what_arrived(backend) == wanted


def replace_model(body, token):
    """The top-level model's token replaced, found by its position among the members."""
    found = [m.start() for m in re.finditer(re.escape(token), body)]
    wanted = {**json.loads(body), "model": 'modèle "x"/ü'}
    for at in found:
        for spelling in (json.dumps('modèle "x"/ü', ensure_ascii=False), json.dumps('modèle "x"/ü')):
            candidate = body[:at] + spelling + body[at + len(token):]
            if json.loads(candidate) == wanted:
                return candidate
    raise AssertionError("the test cannot find the model in its own body")


def test_streams_gain_include_usage_and_nothing_else(pair):
    backend, gw = pair
    rng = random.Random(SEED + 1)
    for _ in range(CASES):
        body, _ = a_body(rng, "m", True)
        answer = post(gw, body)
        assert answer.status_code == 200, (body, answer.text)
        arrived = what_arrived(backend)
        options = json.loads(body).get("stream_options") or {}
        assert json.loads(arrived) == {**json.loads(body), "stream_options": {**options, "include_usage": True}}
        cut, put = difference(body, arrived)
        if options.get("include_usage"):
            assert arrived == body
        else:
            assert is_named_splice(cut, put), (cut, put)
        assert ('"usage":{' in answer.text) == bool(options.get("include_usage"))


def test_escaped_keys_mean_the_same(pair):
    backend, gw = pair
    body = ('{"\\u006dodel":"\\u006d","\\u0073tream":true,"messages":[],'
            '"stream_\\u006fptions":{"include_\\u0075sage":false}}')
    assert post(gw, body).status_code == 200
    assert what_arrived(backend) == body.replace("false", "true")


def test_two_splices_in_either_order(pair):
    backend, gw = pair
    new = '"modèle \\"x\\"/ü"'
    for body in ('{"stream":true,"model":"alias","messages":[],"stream_options":{}}',
                 '{"stream":true,"stream_options":{},"model":"alias","messages":[]}',
                 '{"model":"alias","stream":true,"messages":[]}'):
        assert post(gw, body).status_code == 200
        arrived = what_arrived(backend)
        assert new in arrived and '"include_usage":true' in arrived
        assert len(arrived.encode()) <= len(body.encode()) + len(new.encode()) - 7 + 40


@pytest.mark.parametrize("body", [
    '{"model":"m","model":"m","messages":[]}', '{"model":"m","\\u006dodel":"x","messages":[]}',
    '{"model":"m","stream":true,"stream":false}', '{"model":"m","stream_options":{},"stream_options":null}',
    '{"model":5}', '{"model":null}', '{"model":["m"]}', '{"model":"m","stream":"true"}',
    '{"model":"m","stream":true,"stream_options":{"include_usage":true,"include_usage":false}}'])
def test_what_two_readers_could_read_differently_is_refused(pair, body):
    backend, gw = pair
    answer = post(gw, body)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["type"] == "invalid_request_error" and error["message"] and "code" in error and "param" in error
    assert backend.state()["received"] == 0


@pytest.mark.parametrize("body", [
    "", " ", "{", "[]", '"m"', "5", "null", '{"model":"m"', '{"model":"m",}', '{"model":"m"}x', '{"model":"m"}{}',
    "{'model':'m'}", '{"model":"m\n"}', '{"model":"m\\x"}', b'{"model":"m\xff","messages":[]}',
    '\ufeff{"model":"m"}', '{"model":"m","x":01}'])
def test_what_is_no_json_object_is_refused(pair, body):
    backend, gw = pair
    answer = post(gw, body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert backend.state()["received"] == 0


def test_deep_nesting_is_no_danger(pair):
    backend, gw = pair
    body = '{"model":"m","x":' + "[" * 255 + "]" * 255 + "}"
    assert post(gw, body).status_code == 200
    assert what_arrived(backend) == body
    for depth in (256, 5000):
        answer = post(gw, '{"model":"m","x":' + "[" * depth + "]" * depth + "}")
        assert answer.status_code == 400 and "more than 256" in answer.json()["error"]["message"]
    assert post(gw, '{"model":"m","messages":' + "[" * 3_000_000).status_code == 400


def test_a_missing_model_is_named(pair):
    answer = post(pair[1], '{"messages":[]}')
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "model"
    assert answer.json()["error"]["code"] == "missing_required_parameter"


@pytest.mark.parametrize("is_chunked", [False, True])
@pytest.mark.parametrize("model", ["m", "alias"])
def test_32_mib_pass(pair, is_chunked, model):
    backend, gw = pair
    start, end = '{"messages":[{"role":"user","content":"', f'"}}],"model":"{model}"}}'
    body = (start + "x" * (32 * MIB - len(start) - len(end)) + end).encode()
    assert len(body) == 32 * MIB
    content = (body[i:i + 100_000] for i in range(0, len(body), 100_000)) if is_chunked else body
    answer = gw.http.post("/v1/chat/completions", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200, answer.text
    wanted = body if model == "m" else body.replace(b'"alias"', '"modèle \\"x\\"/ü"'.encode())
    record = backend.requests(1)[0]
    assert record["body_length"] == len(wanted)
    assert record["body_sha256"] == hashlib.sha256(wanted).hexdigest()


@pytest.mark.parametrize("is_chunked", [False, True])
def test_32_mib_and_a_byte_do_not(pair, wire, is_chunked):
    backend, gw = pair
    client = wire(gw)
    framing = "Transfer-Encoding: chunked" if is_chunked else f"Content-Length: {32 * MIB + 1}"
    client.send(f"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\n{framing}\r\n\r\n")
    if is_chunked:
        client.send(f"{32 * MIB + 1:x}\r\n")
        piece = b"x" * MIB
        try:
            for _ in range(32):
                client.send(piece)
            client.send("x\r\n0\r\n\r\n")
        except ConnectionError:
            pass  # the answer may come before all is sent
    answer = client.read_answer()
    assert answer.status == 413
    error = json.loads(answer.body)["error"]
    assert error["type"] == "invalid_request_error" and error["code"] == "request_too_large"
    wait_for(lambda: gw.chat().status_code == 200, "the next request")
    assert backend.state()["received"] == 1
