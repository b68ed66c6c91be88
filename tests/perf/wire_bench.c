/* SPDX-License-Identifier: Apache-2.0 */
/* Nanoseconds per operation of the codecs in src/wire/, which every proxied byte passes. The best of several
 * rounds, since what disturbs a measurement only ever makes it longer. */
/* clang-format off */
/* links: src/base/assert.c src/base/str.c src/base/buf.c src/wire/http1.c src/wire/http1_fields.c src/wire/chunked.c src/wire/sse.c src/wire/json_read.cc src/wire/json_token.c src/wire/json_scan.c src/wire/json_write.c -lsimdjson -lstdc++ */
/* clang-format on */
#include "base/buf.h"
#include "wire/chunked.h"
#include "wire/http1.h"
#include "wire/json_read.h"
#include "wire/json_scan.h"
#include "wire/json_write.h"
#include "wire/sse.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS 15
#define ROUND_NS 20000000

static const struct http_limits limits = {.line_bytes = 8192, .head_bytes = 32768, .field_count = 100};

static const char request_head[] =
    "POST /v1/chat/completions HTTP/1.1\r\n"
    "Host: inference.example.org:6034\r\n"
    "User-Agent: OpenAI/Python 1.54.3\r\n"
    "Accept: application/json\r\n"
    "Accept-Encoding: gzip, deflate, br\r\n"
    "Connection: keep-alive\r\n"
    "Content-Length: 4096\r\n"
    "Content-Type: application/json\r\n"
    "Authorization: Bearer sk-0123456789abcdef0123456789abcdef0123456789abcdef\r\n"
    "X-Stainless-Arch: x64\r\n"
    "X-Stainless-Async: false\r\n"
    "X-Stainless-Lang: python\r\n"
    "X-Stainless-OS: Linux\r\n"
    "X-Stainless-Package-Version: 1.54.3\r\n"
    "X-Stainless-Retry-Count: 0\r\n"
    "X-Stainless-Runtime: CPython\r\n"
    "X-Stainless-Runtime-Version: 3.11.2\r\n"
    "\r\n";

static const char response_head[] = "HTTP/1.1 200 OK\r\n"
                                    "date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
                                    "server: uvicorn\r\n"
                                    "content-type: text/event-stream; charset=utf-8\r\n"
                                    "x-request-id: 7d4f0c1e9a6b4f0e8c1d2e3f40516273\r\n"
                                    "cache-control: no-cache\r\n"
                                    "transfer-encoding: chunked\r\n"
                                    "\r\n";

static const char event_text[] =
    "data: {\"id\":\"chatcmpl-7d4f0c1e9a6b4f0e\",\"object\":\"chat.completion.chunk\",\"created\":1760000000,"
    "\"model\":\"llama-3.1-8b\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" token\"}}]}\n\n";

static struct str body_4k, answer_4k, answer_64k, chunked_stream;
static struct json_reader *reader;
static volatile size_t sink;

static void request_head_16_fields(void)
{
    struct http_head head;
    size_t length;
    if (http_parse_request(STR(request_head), 0, &limits, &head, &length) == HTTP_PARSE_DONE)
        sink = head.field_count + length;
}

static void response_head_6_fields(void)
{
    struct http_head head;
    size_t length;
    if (http_parse_response(STR(response_head), 0, false, &limits, &head, &length) == HTTP_PARSE_DONE)
        sink = head.field_count + length;
}

static void hop_by_hop_16_fields(void)
{
    static struct http_head head;
    size_t length, count = 0;
    if (head.field_count == 0 &&
        http_parse_request(STR(request_head), 0, &limits, &head, &length) != HTTP_PARSE_DONE)
        abort();
    for (size_t i = 0; i < head.field_count; i++)
        count += http_field_is_hop_by_hop(&head, &head.fields[i]);
    sink = count;
}

/* One chunk of 16; see the divisor in the table. */
static void chunk_read(void)
{
    struct chunked c = {0};
    struct str in = chunked_stream, data;
    size_t total = 0;
    while (chunked_next(&c, &in, &data) == CHUNKED_DATA)
        total += data.len;
    sink = total;
}

static void chunk_write_head(void)
{
    char out[CHUNKED_HEAD_MAX];
    sink = chunked_write_head(sizeof(event_text) - 1, out) + (size_t)out[0];
}

static void sse_event(void)
{
    static struct sse_splitter splitter;
    struct sse_event event;
    size_t len = sse_split(&splitter, STR(event_text));
    sse_event_read((struct str){event_text, len}, &event);
    sink = event.data.len;
}

struct facts {
    struct str model;
    bool stream;
    uint64_t max_tokens;
    size_t message_bytes;
};

static enum json_visit visit_body(void *context, const struct json_item *item)
{
    struct facts *facts = context;
    if (item->depth == 0)
        return JSON_ENTER;
    if (item->depth == 1 && str_eq(item->key, STR("messages")))
        return item->closing ? JSON_SKIP : JSON_ENTER;
    if (item->depth == 2)
        return JSON_ENTER;
    if (item->depth == 3 && str_eq(item->key, STR("content")))
        facts->message_bytes += item->raw.len;
    else if (str_eq(item->key, STR("model")) && json_item_text(item, &facts->model) != ERR_OK)
        return JSON_STOP;
    else if (str_eq(item->key, STR("max_tokens")) && json_item_u64(item, &facts->max_tokens) != ERR_OK)
        return JSON_STOP;
    else if (str_eq(item->key, STR("stream")))
        facts->stream = item->type == JSON_TRUE;
    return JSON_SKIP;
}

static void json_facts_4k(void)
{
    struct facts facts = {0};
    if (json_walk(reader, body_4k, visit_body, &facts) != ERR_OK || facts.max_tokens != 512)
        abort();
    sink = facts.message_bytes;
}

static void scan_usage(struct str answer)
{
    struct json_scan scan;
    json_scan_init(&scan, STR("usage"));
    json_scan_feed(&scan, answer);
    sink = json_scan_value(&scan).len;
}

static void json_scan_4k(void)
{
    scan_usage(answer_4k);
}

static void json_scan_64k(void)
{
    scan_usage(answer_64k);
}

static void json_write_4k(void)
{
    static char memory[16384];
    struct buf out;
    buf_init_fixed(&out, memory, sizeof(memory));
    json_append_string(&out, body_4k);
    sink = out.len;
}

/* Prose with a line break now and then, as models write it. */
static void add_prose(struct buf *out, size_t bytes)
{
    size_t end = out->len + bytes;
    for (size_t i = 0; out->len < end; i++)
        buf_add(out, i % 4 == 3 ? STR("and that was all there was to say.\\n\\n")
                                : STR("The quick brown fox jumps over the lazy dog, "));
}

static struct str make_body(size_t bytes)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    buf_add(&out, STR("{\"model\":\"llama-3.1-8b\",\"max_tokens\":512,\"temperature\":0.7,\"messages\":["));
    for (int i = 0; i < 8; i++) {
        buf_add(&out, i > 0 ? STR(",{\"role\":\"user\",\"content\":\"")
                            : STR("{\"role\":\"system\",\"content\":\""));
        add_prose(&out, (bytes - 360) / 8);
        buf_add(&out, STR("\"}"));
    }
    buf_add(&out, STR("],\"stream\":true,\"stream_options\":{\"include_usage\":true}}"));
    size_t len = out.len;
    for (size_t i = 0; i < JSON_PADDING; i++)
        buf_add_char(&out, 0);
    return (struct str){out.ptr, len};
}

static struct str make_answer(size_t bytes)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    buf_add(&out, STR("{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"choices\":[{\"index\":0,"
                      "\"message\":{\"role\":\"assistant\",\"content\":\""));
    add_prose(&out, bytes - 260);
    buf_add(&out,
            STR("\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":21,\"completion_tokens\":812,"
                "\"total_tokens\":833}}"));
    return buf_str(&out);
}

static struct str make_chunks(void)
{
    struct buf out;
    char head[CHUNKED_HEAD_MAX];
    buf_init(&out, 1 << 20);
    for (int i = 0; i < 16; i++) {
        buf_add(&out, (struct str){head, chunked_write_head(sizeof(event_text) - 1, head)});
        buf_add(&out, STR(event_text));
        buf_add(&out, STR("\r\n"));
    }
    buf_add(&out, CHUNKED_LAST);
    return buf_str(&out);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static double measure(void (*operation)(void))
{
    double best = 1e18;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t start = now_ns(), end = start, count = 0;
        while (end - start < ROUND_NS) {
            for (int i = 0; i < 256; i++)
                operation();
            count += 256;
            end = now_ns();
        }
        best = MIN(best, (double)(end - start) / (double)count);
    }
    return best;
}

int main(void)
{
    static const struct {
        const char *name;
        void (*operation)(void);
        double units;
    } cases[] = {
        {"request head, 16 fields", request_head_16_fields, 1},
        {"response head, 6 fields", response_head_6_fields, 1},
        {"hop-by-hop check of 16 fields", hop_by_hop_16_fields, 1},
        {"chunk of 180 bytes, read", chunk_read, 16},
        {"chunk head, written", chunk_write_head, 1},
        {"SSE event of 180 bytes, split and read", sse_event, 1},
        {"chat body of 4 KB, facts", json_facts_4k, 1},
        {"answer of 4 KB, usage", json_scan_4k, 1},
        {"answer of 64 KB, usage", json_scan_64k, 1},
        {"JSON string of 4 KB, written", json_write_4k, 1},
    };
    reader = json_reader_new(1 << 20);
    body_4k = make_body(4096);
    answer_4k = make_answer(4096);
    answer_64k = make_answer(65536);
    chunked_stream = make_chunks();
    printf("head %zu bytes, event %zu, body %zu, answers %zu and %zu\n", sizeof(request_head) - 1,
           sizeof(event_text) - 1, body_4k.len, answer_4k.len, answer_64k.len);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        printf("%-40s %9.1f ns\n", cases[i].name, measure(cases[i].operation) / cases[i].units);
    json_reader_free(reader);
    free((void *)(uintptr_t)body_4k.ptr);
    free((void *)(uintptr_t)answer_4k.ptr);
    free((void *)(uintptr_t)answer_64k.ptr);
    free((void *)(uintptr_t)chunked_stream.ptr);
    return 0;
}
