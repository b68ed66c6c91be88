/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
/* links: src/base/assert.c src/base/buf.c src/base/str.c src/wire/json_read.cc src/wire/json_scan.c src/wire/json_token.c src/wire/json_write.c -lsimdjson -lstdc++ */
/* clang-format on */
/* Any bytes as JSON: what a walk that visits everything accepts is what the grammar allows, whatever lies
 * behind the document; a scan finds the member that the walk has seen last; and any bytes written as a string
 * are read back. */
#include "wire/json_read.h"
#include "wire/json_scan.h"
#include "wire/json_write.h"

#include <stdlib.h>

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

#define KEYS_MAX 8

static struct json_reader *reader;

/* ---- the grammar of RFC 8259, as plainly as it can be written ---- */

struct grammar {
    const unsigned char *at, *end;
    unsigned depth, deepest;
};

static void skip_space(struct grammar *g)
{
    while (g->at < g->end && (*g->at == ' ' || *g->at == '\t' || *g->at == '\n' || *g->at == '\r'))
        g->at++;
}

static bool take(struct grammar *g, unsigned char c)
{
    if (g->at == g->end || *g->at != c)
        return false;
    g->at++;
    return true;
}

static bool take_word(struct grammar *g, const char *word)
{
    while (*word)
        if (!take(g, (unsigned char)*word++))
            return false;
    return true;
}

static bool take_digits(struct grammar *g)
{
    const unsigned char *first = g->at;
    while (g->at < g->end && *g->at >= '0' && *g->at <= '9')
        g->at++;
    return g->at > first;
}

static bool take_number(struct grammar *g)
{
    take(g, '-');
    if (!take(g, '0') && !take_digits(g))
        return false;
    if (take(g, '.') && !take_digits(g))
        return false;
    if (!take(g, 'e') && !take(g, 'E'))
        return true;
    return (take(g, '+') || take(g, '-') || true) && take_digits(g);
}

static bool take_utf8(struct grammar *g)
{
    unsigned lead = *g->at++, more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1, code = lead & (0x3f >> more);
    if (lead < 0xc2 || lead > 0xf4)
        return false;
    for (unsigned i = 0; i < more; i++) {
        if (g->at == g->end || (*g->at & 0xc0) != 0x80)
            return false;
        code = code << 6 | (*g->at++ & 0x3f);
    }
    return more == 1 ||
           (code >= (more == 2 ? 0x800u : 0x10000u) && code <= 0x10ffff && (code & 0x1ff800) != 0xd800);
}

static bool take_escape(struct grammar *g)
{
    if (g->at == g->end || !strchr("\"\\/bfnrtu", *g->at) || *g->at == 0)
        return false;
    if (*g->at++ != 'u')
        return true;
    for (int i = 0; i < 4; i++, g->at++)
        if (g->at == g->end || *g->at == 0 || !strchr("0123456789abcdefABCDEF", *g->at))
            return false;
    return true;
}

static bool take_string(struct grammar *g)
{
    if (!take(g, '"'))
        return false;
    while (g->at < g->end && *g->at != '"') {
        bool is_fine = *g->at >= 0x80   ? take_utf8(g)
                       : *g->at == '\\' ? (g->at++, take_escape(g))
                                        : *g->at++ >= 0x20;
        if (!is_fine)
            return false;
    }
    return take(g, '"');
}

static bool take_value(struct grammar *g);

static bool take_members(struct grammar *g, bool is_object)
{
    unsigned char close = is_object ? '}' : ']';
    g->at++;
    g->depth++;
    g->deepest = MAX(g->deepest, g->depth);
    skip_space(g);
    for (bool is_first = true; !take(g, close); is_first = false) {
        if (!is_first && !take(g, ','))
            return false;
        skip_space(g);
        if (is_object && !take_string(g))
            return false;
        skip_space(g);
        if (is_object && !take(g, ':'))
            return false;
        if (!take_value(g))
            return false;
    }
    g->depth--;
    return true;
}

static bool take_value(struct grammar *g)
{
    bool is_fine;
    skip_space(g);
    switch (g->at < g->end && g->depth < 1000 ? *g->at : 0) {
    case '{':
    case '[':
        is_fine = take_members(g, *g->at == '{');
        break;
    case '"':
        is_fine = take_string(g);
        break;
    case 't':
        is_fine = take_word(g, "true");
        break;
    case 'f':
        is_fine = take_word(g, "false");
        break;
    case 'n':
        is_fine = take_word(g, "null");
        break;
    default:
        is_fine = take_number(g);
    }
    skip_space(g);
    return is_fine;
}

static bool is_json(struct str document, unsigned *ret_deepest)
{
    struct grammar g = {(const unsigned char *)document.ptr,
                        (const unsigned char *)document.ptr + document.len, 0, 0};
    bool is_fine = take_value(&g) && g.at == g.end;
    *ret_deepest = g.deepest;
    return is_fine;
}

/* ---- the walk ---- */

struct seen {
    struct str document;
    struct str keys[KEYS_MAX], values[KEYS_MAX]; /* top-level members; of equal keys the last value */
    bool is_tracked[KEYS_MAX];
    size_t key_count;
    bool has_bad_text;
    size_t items, closed, entered;
};

static void remember(struct seen *seen, const struct json_item *item)
{
    size_t i = 0;
    while (i < seen->key_count && !str_eq(seen->keys[i], item->key))
        i++;
    if (i == KEYS_MAX)
        return;
    seen->key_count = MAX(seen->key_count, i + 1);
    seen->keys[i] = item->key;
    seen->values[i] = item->raw;
    /* A scan for a key passes over those that are spelled with escapes. */
    seen->is_tracked[i] = (i + 1 == seen->key_count || seen->is_tracked[i]) && !item->key_is_escaped;
}

static enum json_visit see(void *context, const struct json_item *item)
{
    struct seen *seen = context;
    const char *end = seen->document.ptr + seen->document.len;
    bool is_container = item->type == JSON_OBJECT || item->type == JSON_ARRAY;
    struct str text;
    uint64_t u64;
    double real;
    CHECK(item->raw.len > 0 && item->raw.ptr >= seen->document.ptr && item->raw.ptr + item->raw.len <= end);
    CHECK(!is_container || item->closing || item->raw.ptr + item->raw.len == end);
    seen->items++;
    seen->closed += item->closing;
    seen->entered += is_container && !item->closing;
    enum err err = json_item_text(item, &text);
    CHECK(item->type == JSON_STRING || err == ERR_INVALID);
    seen->has_bad_text |= item->type == JSON_STRING && err != ERR_OK;
    CHECK(json_item_u64(item, &u64) != ERR_OK || json_item_double(item, &real) == ERR_OK);
    if (item->depth == 1 && seen->document.len > 0 && (!is_container || item->closing))
        remember(seen, item);
    return JSON_ENTER;
}

static char *padded(struct str document, unsigned char filler)
{
    char *copy = malloc(document.len + JSON_PADDING);
    CHECK(copy);
    memcpy(copy, document.ptr, document.len);
    memset(copy + document.len, filler, JSON_PADDING);
    return copy;
}

static enum json_visit skip_members(void *context, const struct json_item *item)
{
    (void)context;
    return item->depth == 0 ? JSON_ENTER : JSON_SKIP;
}

/* ---- the scan ---- */

static void check_scan(struct str document, struct str key, struct str value, size_t piece)
{
    struct json_scan scan;
    json_scan_init(&scan, key);
    for (size_t at = 0; at < document.len; at += piece)
        json_scan_feed(&scan, (struct str){document.ptr + at, MIN(piece, document.len - at)});
    CHECK(scan.found == (value.len <= JSON_SCAN_VALUE_MAX));
    CHECK(!scan.found || str_eq(json_scan_value(&scan), value));
}

static void check_document(struct str in, uint8_t filler, size_t piece)
{
    char *memory = padded(in, filler);
    struct str document = {memory, in.len};
    struct seen seen = {.document = document};
    unsigned deepest = 0;
    bool is_fine = is_json(document, &deepest);
    enum err err = json_walk(reader, document, see, &seen);
    CHECK(json_error_offset(reader) <= document.len);
    if (deepest <= JSON_DEPTH_MAX)
        CHECK((err == ERR_OK && !seen.has_bad_text) == is_fine);
    else
        CHECK(err != ERR_OK);
    if (err == ERR_OK && !seen.has_bad_text) {
        CHECK(seen.closed == seen.entered);
        for (size_t i = 0; i < seen.key_count && memory[strspn(memory, " \t\r\n")] == '{'; i++)
            if (seen.is_tracked[i])
                check_scan(document, seen.keys[i], seen.values[i], piece);
        CHECK(json_walk(reader, document, skip_members, NULL) == ERR_OK);
    }
    free(memory);
}

/* Feeds what is no object, too: it must only not go wrong, and not depend on the pieces. */
static void check_scan_of_anything(struct str in, size_t piece)
{
    struct json_scan whole, cut;
    json_scan_init(&whole, STR("a"));
    json_scan_init(&cut, STR("a"));
    json_scan_feed(&whole, in);
    for (size_t at = 0; at < in.len; at += piece)
        json_scan_feed(&cut, (struct str){in.ptr + at, MIN(piece, in.len - at)});
    CHECK(whole.found == cut.found && str_eq(json_scan_value(&whole), json_scan_value(&cut)));
}

/* ---- the writer ---- */

static enum json_visit copy_text(void *context, const struct json_item *item)
{
    struct str text;
    CHECK(item->depth == 0 && item->type == JSON_STRING && json_item_text(item, &text) == ERR_OK);
    buf_add(context, text);
    return JSON_SKIP;
}

/* Bytes that are not UTF-8 change on the first way only. */
static void check_round_trip(struct str value, bool is_utf8)
{
    struct buf written, read, again;
    buf_init(&written, 1 << 24);
    buf_init(&read, 1 << 24);
    buf_init(&again, 1 << 24);
    json_append_string(&written, value);
    char *memory = padded(buf_str(&written), '"');
    CHECK(json_walk(reader, (struct str){memory, written.len}, copy_text, &read) == ERR_OK);
    json_append_string(&again, buf_str(&read));
    CHECK(str_eq(buf_str(&again), buf_str(&written)));
    CHECK(!is_utf8 || str_eq(buf_str(&read), value));
    free(memory);
    buf_free(&written);
    buf_free(&read);
    buf_free(&again);
}

static bool is_utf8(struct str bytes)
{
    struct grammar g = {(const unsigned char *)bytes.ptr, (const unsigned char *)bytes.ptr + bytes.len, 0, 0};
    while (g.at < g.end)
        if (*g.at < 0x80)
            g.at++;
        else if (!take_utf8(&g))
            return false;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t fillers[] = {0, '}', ']', ',', '"'};
    if (!reader)
        reader = json_reader_new(1 << 20);
    if (size < 2 || size > 1 << 16)
        return 0;
    struct str in = {(const char *)data + 1, size - 1};
    size_t piece = (size_t)data[0] % 67 + 1;
    for (size_t i = 0; i < ARRAY_LEN(fillers); i++)
        check_document(in, fillers[i], piece);
    check_scan_of_anything(in, piece);
    check_round_trip(in, is_utf8(in));
    return 0;
}
