# SPDX-License-Identifier: Apache-2.0
"""OpenAI's own Python SDK, as users have it, against two simulators."""
import openai
import pytest

HELLO = [{"role": "user", "content": "hello"}]


@pytest.fixture
def client(sim, gateway):
    """An SDK client; .sims are the servers behind it."""
    sims = [sim(models="m", tokens=6, chunk_tokens=1, name=f"sim-{i}") for i in range(2)]
    gw = gateway(*sims, max_retries=0)
    with openai.OpenAI(base_url=gw.url + "/v1", api_key="unused", max_retries=0) as sdk:
        sdk.sims, sdk.gw = sims, gw
        yield sdk


def last_body(client):
    """The body of the request that reached one of the simulators."""
    bodies = [body for s in client.sims for body in s.bodies()]
    assert len(bodies) == 1
    return bodies[0]


def test_chat(client):
    answer = client.chat.completions.create(model="m", messages=HELLO)
    assert answer.model == "m"
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.completion_tokens == 6
    assert "stream_options" not in last_body(client)


def test_chat_stream_equals_chat(client):
    whole = client.chat.completions.create(model="m", messages=HELLO).choices[0].message.content
    chunks = list(client.chat.completions.create(model="m", messages=HELLO, stream=True))
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == whole
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert len(chunks) >= 6


def test_usage_chunk_is_removed_unless_asked_for(client):
    chunks = list(client.chat.completions.create(model="m", messages=HELLO, stream=True))
    assert all(c.choices and c.usage is None for c in chunks)
    assert '"include_usage":true' in last_body(client)


def test_usage_chunk_is_passed_when_asked_for(client):
    stream = client.chat.completions.create(
        model="m", messages=HELLO, stream=True, stream_options={"include_usage": True})
    chunks = list(stream)
    assert [c for c in chunks if c.usage] == [chunks[-1]]
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == 6


def test_usage_refused_by_client_is_still_accounted(client):
    stream = client.chat.completions.create(
        model="m", messages=HELLO, stream=True, stream_options={"include_usage": False})
    assert all(c.choices and c.usage is None for c in stream)
    total = sum(client.gw.metric("fairlead_output_tokens_total", server=f"s{i}") for i in range(2))
    assert total == 6


def test_completions(client):
    whole = client.completions.create(model="m", prompt="once upon")
    assert whole.object == "text_completion" and whole.choices[0].text
    chunks = list(client.completions.create(model="m", prompt="once upon", stream=True))
    assert "".join(c.choices[0].text for c in chunks if c.choices) == whole.choices[0].text


def test_embeddings_base64_and_float(client):
    packed = client.embeddings.create(model="m", input=["a", "b"], dimensions=8)
    plain = client.embeddings.create(model="m", input=["a", "b"], dimensions=8, encoding_format="float")
    assert [len(item.embedding) for item in packed.data] == [8, 8]
    for one, other in zip(packed.data, plain.data):
        assert one.embedding == pytest.approx(other.embedding, abs=1e-6)
    formats = [body for s in client.sims for body in s.bodies()]
    assert sum("base64" in body for body in formats) == 1


def test_models(client):
    assert [model.id for model in client.models.list()] == ["m"]
    assert client.models.retrieve("m").id == "m"
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("nothing")
    assert caught.value.code == "model_not_found"


def test_unknown_model(client):
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="nothing", messages=HELLO)
    assert caught.value.code == "model_not_found"
    assert "nothing" in caught.value.message
    assert all(s.state()["received"] == 0 for s in client.sims)


@pytest.mark.parametrize("status, error", [
    (400, openai.BadRequestError), (401, openai.AuthenticationError), (403, openai.PermissionDeniedError),
    (422, openai.UnprocessableEntityError), (429, openai.RateLimitError), (500, openai.InternalServerError),
    (503, openai.InternalServerError)])
@pytest.mark.parametrize("stream", [False, True])
def test_errors_of_servers(client, status, error, stream):
    with pytest.raises(error) as caught:
        client.chat.completions.create(model="m", messages=HELLO, stream=stream,
                                       extra_headers={"x-sim-fault": f"status={status}"})
    assert caught.value.status_code == status
    assert "scripted fault" in caught.value.message


def test_errors_of_fairlead(client):
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="m", messages=HELLO, stream="perhaps")
    assert caught.value.param == "stream"
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model="m", messages=HELLO,
                                       extra_headers={"x-sim-fault": "reset-before-head"})
    assert caught.value.status_code == 502 and caught.value.code == "upstream_disconnected"


def test_stream_that_dies_raises(client):
    stream = client.chat.completions.create(model="m", messages=HELLO, stream=True,
                                            extra_headers={"x-sim-fault": "events=50,event-bytes=200,cut=3000"})
    texts = []
    with pytest.raises(openai.APIError) as caught:
        for chunk in stream:
            texts.append(chunk.choices[0].delta.content)
    assert len(texts) > 3
    assert caught.value.code == "upstream_disconnected"


def test_the_sdks_own_retry_is_not_needed(sim, gateway):
    ill, well = sim(fault="status=503"), sim()
    gw = gateway(ill, well, retry_initial_delay_ms=1, circuit_breaker_threshold=1000)
    with openai.OpenAI(base_url=gw.url + "/v1", api_key="unused", max_retries=0) as sdk:
        for _ in range(10):
            assert sdk.chat.completions.create(model="m", messages=HELLO).choices
    assert well.state()["completed"] == 10
