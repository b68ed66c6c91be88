/* SPDX-License-Identifier: Apache-2.0 */
/* A chat request of any size: turns of several kinds, escapes, UTF-8, the scalars last, as clients send them.
 */
#include "load.h"

#define TURNS 8
#define NO_NUMBER "0000000000"

static const struct str words =
    STR("The ship's log says \\\"steady\\\" at 4\\u00b0 C, na\xc3\xafve r\xc3\xa9sum\xc3\xa9 {[]} 42; ");

static void add_text(struct buf *out, size_t size)
{
    while (size >= words.len) {
        buf_add(out, words);
        size -= words.len;
    }
    for (; size > 0; size--)
        buf_add_char(out, 'x');
}

static void add_turn(struct buf *out, size_t turn, size_t size)
{
    buf_add(out, turn == 0  ? STR("{\"role\":\"system\",\"content\":\"")
                 : turn % 2 ? STR(",{\"role\":\"user\",\"content\":\"")
                            : STR(",{\"role\":\"assistant\",\"content\":\""));
    add_text(out, size);
    buf_add(out, STR("\"}"));
}

static void build_body(const struct load_options *options, size_t text_bytes, struct buf *out)
{
    buf_add(out, STR("{\"messages\":["));
    for (size_t turn = 0; turn < TURNS; turn++)
        add_turn(out, turn,
                 turn + 1 < TURNS ? text_bytes / TURNS : text_bytes - text_bytes / TURNS * (TURNS - 1));
    buf_add(out, options->unique ? STR("],\"temperature\":0.0,\"model\":") : STR("],\"temperature\":0.7,\"model\":"));
    buf_add_char(out, '"');
    buf_add(out, options->model);
    buf_add(out, STR("\",\"user\":\"load-" NO_NUMBER "\""));
    if (options->stream)
        buf_add(out, STR(",\"stream\":true"));
    buf_add_char(out, '}');
}

/* Behind the messages, so it stands near the end: looked for from there. */
size_t request_number_at(const struct buf *request)
{
    struct str number = STR(NO_NUMBER);
    for (size_t at = request->len - number.len; at > 0; at--)
        if (memcmp(request->ptr + at, number.ptr, number.len) == 0)
            return at;
    return 0;
}

void request_set_number(struct buf *request, size_t at, uint64_t number)
{
    for (size_t i = sizeof(NO_NUMBER) - 1; i-- > 0; number /= 10)
        request->ptr[at + i] = (char)('0' + number % 10);
}

void request_build(const struct load_options *options, struct buf *out)
{
    struct buf body;
    buf_init(&body, (size_t)1 << 30);
    build_body(options, 0, &body);
    size_t text_bytes = options->body_bytes > body.len ? (size_t)options->body_bytes - body.len : 0;
    buf_clear(&body);
    build_body(options, text_bytes, &body);
    buf_printf(out,
               "POST " STR_FMT " HTTP/1.1\r\nHost: " STR_FMT
               "\r\nUser-Agent: fairlead-load\r\nAccept: */*\r\n"
               "Content-Type: application/json\r\nContent-Length: %zu\r\n",
               STR_ARG(options->path), STR_ARG(options->host), body.len);
    for (size_t i = 0; i < options->header_count; i++)
        buf_printf(out, STR_FMT "\r\n", STR_ARG(options->headers[i]));
    buf_add(out, STR("\r\n"));
    buf_add(out, buf_str(&body));
    buf_free(&body);
}
