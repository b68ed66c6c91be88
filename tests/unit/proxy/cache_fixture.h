/* SPDX-License-Identifier: Apache-2.0 */
/* A loop that tests turn by hand, and a reader that notes when it is called. */
#pragma once

#include "base/buf.h"
#include "proxy/cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#define SEC USEC_PER_SEC
#define GIVE_UP 60 /* seconds; the alarm then ends the process, whatever it waits for */
#define TTL (300 * SEC)
#define JSON STR("application/json")

struct listener {
    struct cache_reader reader;
    struct loop loop;
    unsigned calls;
};

static void on_ready(struct cache_reader *reader)
{
    CONTAINER_OF(reader, struct listener, reader)->calls++;
}

static inline void listener_init(struct listener *listener)
{
    ASSERT(loop_init(&listener->loop) == ERR_OK);
    cache_reader_init(&listener->reader, &listener->loop, on_ready);
    listener->calls = 0;
}

static inline void listener_fini(struct listener *listener)
{
    cache_reader_close(&listener->reader);
    loop_deliver(&listener->loop);
    loop_fini(&listener->loop);
}

/* All that is there now, behind what `text` holds; what came instead of more. */
static inline enum cache_next read_some(struct cache_reader *reader, struct buf *text)
{
    struct str bytes;
    enum cache_next next;
    while ((next = cache_reader_next(reader, &bytes)) == CACHE_DATA) {
        ASSERT(bytes.len > 0);
        buf_add(text, bytes);
    }
    return next;
}

/* As read_some, sleeping in the loop until the end. */
static inline enum cache_next read_all(struct listener *listener, struct buf *text)
{
    enum cache_next next;
    while ((next = read_some(&listener->reader, text)) == CACHE_WAIT)
        for (unsigned calls = listener->calls; listener->calls == calls;)
            uv_run(&listener->loop.uv, UV_RUN_ONCE);
    return next;
}

static inline void assert_text(const struct buf *text, const char *expected)
{
    assert_true(buf_ok(text));
    assert_int_equal(text->len, strlen(expected));
    if (text->len > 0)
        assert_memory_equal(text->ptr, expected, text->len);
}
