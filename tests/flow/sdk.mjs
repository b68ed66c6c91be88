// SPDX-License-Identifier: Apache-2.0
// OpenAI's own JavaScript SDK. Usage: node sdk.mjs URL; the server behind has the model "m" and answers 6 tokens.
import assert from "node:assert/strict";
import OpenAI from "openai";

const client = new OpenAI({ baseURL: process.argv[2] + "/v1", apiKey: "unused", maxRetries: 0 });
const messages = [{ role: "user", content: "hello" }];

async function streamOf(options = {}) {
  const chunks = [];
  for await (const chunk of await client.chat.completions.create({ model: "m", messages, stream: true, ...options }))
    chunks.push(chunk);
  return chunks;
}

const checks = {
  async "a chat, whole and streamed, is the same"() {
    const whole = await client.chat.completions.create({ model: "m", messages });
    assert.equal(whole.usage.completion_tokens, 6);
    const chunks = await streamOf();
    assert.equal(chunks.map((c) => c.choices[0].delta.content ?? "").join(""), whole.choices[0].message.content);
    assert.ok(chunks.every((c) => !c.usage));
  },
  async "usage comes when asked for"() {
    const chunks = await streamOf({ stream_options: { include_usage: true } });
    assert.equal(chunks.at(-1).usage.completion_tokens, 6);
    assert.deepEqual(chunks.at(-1).choices, []);
  },
  async "completions, whole and streamed"() {
    const whole = await client.completions.create({ model: "m", prompt: "once" });
    let text = "";
    for await (const chunk of await client.completions.create({ model: "m", prompt: "once", stream: true }))
      text += chunk.choices[0]?.text ?? "";
    assert.equal(text, whole.choices[0].text);
  },
  async "embeddings, base64 and float"() {
    const packed = await client.embeddings.create({ model: "m", input: ["a", "b"], dimensions: 8 });
    const plain = await client.embeddings.create({
      model: "m", input: ["a", "b"], dimensions: 8, encoding_format: "float" });
    assert.equal(packed.data.length, 2);
    packed.data[1].embedding.forEach((x, i) => assert.ok(Math.abs(x - plain.data[1].embedding[i]) < 1e-6));
  },
  async "models"() {
    const names = [];
    for await (const model of client.models.list()) names.push(model.id);
    assert.deepEqual(names, ["m"]);
    assert.equal((await client.models.retrieve("m")).id, "m");
  },
  async "errors"() {
    const chat = (model, fault) => client.chat.completions.create(
      { model, messages }, { headers: fault ? { "x-sim-fault": fault } : {} });
    await assert.rejects(chat("nothing"), (e) => e instanceof OpenAI.NotFoundError && e.code === "model_not_found");
    await assert.rejects(chat("m", "status=400"), OpenAI.BadRequestError);
    await assert.rejects(chat("m", "status=429"), OpenAI.RateLimitError);
    await assert.rejects(chat("m", "status=500"), OpenAI.InternalServerError);
  },
  async "a stream that dies throws"() {
    const stream = await client.chat.completions.create(
      { model: "m", messages, stream: true }, { headers: { "x-sim-fault": "events=50,event-bytes=200,cut=3000" } });
    let count = 0;
    await assert.rejects(async () => { for await (const _ of stream) count++; }, OpenAI.APIError);
    assert.ok(count > 3);
  },
  async "a stream that is aborted"() {
    const stream = await client.chat.completions.create(
      { model: "m", messages, stream: true }, { headers: { "x-sim-fault": "events=100000,interval-us=1000" } });
    for await (const _ of stream) break;
    stream.controller.abort();
  },
};

for (const [name, check] of Object.entries(checks)) {
  await check();
  console.log("ok", name);
}
