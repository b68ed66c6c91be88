/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
/* links: src/base/assert.c src/base/str.c src/wire/chunked.c */
/* clang-format on */
/* Any bytes as a chunked body: cut into pieces it reads as it does whole. And any bytes as payload: what is
 * framed with chunked_write_head is read back. */
#include "wire/chunked.h"

#include <stdlib.h>

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

struct outcome {
    enum chunked_result result;
    char *payload;
    size_t payload_len, taken;
};

/* In pieces of `piece` bytes, each in memory of its own. */
static struct outcome read_pieces(struct str in, size_t piece)
{
    struct chunked c = {0};
    struct outcome outcome = {.result = CHUNKED_MORE, .payload = malloc(in.len + 1)};
    CHECK(outcome.payload);
    while (outcome.taken < in.len && outcome.result == CHUNKED_MORE) {
        size_t len = MIN(piece, in.len - outcome.taken);
        char *exact = malloc(len);
        CHECK(exact);
        memcpy(exact, in.ptr + outcome.taken, len);
        struct str rest = {exact, len}, data;
        while ((outcome.result = chunked_next(&c, &rest, &data)) == CHUNKED_DATA) {
            CHECK(data.len > 0 && data.ptr >= exact && data.ptr + data.len <= exact + len);
            memcpy(outcome.payload + outcome.payload_len, data.ptr, data.len);
            outcome.payload_len += data.len;
        }
        CHECK(outcome.result != CHUNKED_MORE || rest.len == 0);
        outcome.taken += len - rest.len;
        free(exact);
    }
    return outcome;
}

static void check_pieces(struct str in, const struct outcome *whole, size_t piece)
{
    struct outcome cut = read_pieces(in, piece);
    CHECK(cut.result == whole->result && cut.taken == whole->taken);
    CHECK(cut.payload_len == whole->payload_len);
    CHECK(memcmp(cut.payload, whole->payload, cut.payload_len) == 0);
    free(cut.payload);
}

/* `payload` framed in chunks of `chunk` bytes. */
static void check_round_trip(struct str payload, size_t chunk)
{
    char *framed = malloc(payload.len * (CHUNKED_HEAD_MAX + 3) + CHUNKED_LAST.len);
    size_t len = 0;
    CHECK(framed);
    for (size_t at = 0; at < payload.len; at += chunk) {
        size_t size = MIN(chunk, payload.len - at), head = chunked_write_head(size, framed + len);
        CHECK(head <= CHUNKED_HEAD_MAX);
        memcpy(framed + len + head, payload.ptr + at, size);
        memcpy(framed + len + head + size, "\r\n", 2);
        len += head + size + 2;
    }
    memcpy(framed + len, CHUNKED_LAST.ptr, CHUNKED_LAST.len);
    len += CHUNKED_LAST.len;
    struct outcome outcome = read_pieces((struct str){framed, len}, chunk + 3);
    CHECK(outcome.result == CHUNKED_END && outcome.taken == len);
    CHECK(str_eq((struct str){outcome.payload, outcome.payload_len}, payload));
    free(outcome.payload);
    free(framed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t pieces[] = {1, 2, 3, 7, 16, 61};
    if (size == 0)
        return 0;
    struct str in = {(const char *)data + 1, size - 1};
    struct outcome whole = read_pieces(in, in.len);
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++)
        check_pieces(in, &whole, pieces[i]);
    check_pieces(in, &whole, (size_t)data[0] + 1);
    check_round_trip(in, (size_t)data[0] + 1);
    free(whole.payload);
    return 0;
}
