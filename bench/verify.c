/* SPDX-License-Identifier: Apache-2.0 */
#include "verify.h"

#define EVENT_MAX ((size_t)4 << 20)

const char *verify_name(enum verify_result result)
{
    static const char *const names[VERIFY_COUNT_] = {
        [VERIFY_OK] = "ok",         [VERIFY_CONNECT] = "connect", [VERIFY_CLOSED] = "closed",
        [VERIFY_STATUS] = "status", [VERIFY_FRAMING] = "framing", [VERIFY_CONTENT] = "content",
        [VERIFY_ORDER] = "order",   [VERIFY_NO_DONE] = "no_done", [VERIFY_TIMEOUT] = "timeout",
    };
    return names[result];
}

void verify_begin(struct verify *verify)
{
    struct buf partial = verify->partial;
    *verify = (struct verify){.partial = partial};
    if (partial.max == 0)
        buf_init(&verify->partial, EVENT_MAX);
    buf_clear(&verify->partial);
}

void verify_end(struct verify *verify)
{
    buf_free(&verify->partial);
}

/* The number behind `key`, as far as digits go; false without the key. */
static bool number_behind(struct str text, struct str key, uint64_t *ret_number)
{
    const char *at = memmem(text.ptr, text.len, key.ptr, key.len);
    if (!at)
        return false;
    uint64_t number = 0;
    for (at += key.len; at < text.ptr + text.len && *at >= '0' && *at <= '9'; at++)
        number = number * 10 + (uint64_t)(*at - '0');
    *ret_number = number;
    return true;
}

static enum verify_result verify_event(struct verify *verify, struct str event, usec_t now,
                                       struct verify_event *ret_event, bool *ret_has_event)
{
    uint64_t word = 0;
    uint64_t stamp = 0;
    if (event.len <= 2) /* the second half of a CR LF, or an empty line */
        return VERIFY_OK;
    if (verify->is_done || !str_starts(event, STR("data: ")))
        return VERIFY_ORDER;
    if (str_starts(event, STR("data: [DONE]"))) {
        verify->is_done = true;
        return VERIFY_OK;
    }
    if (str_starts(event, STR("data: {\"error\"")))
        return VERIFY_CONTENT;
    if (!number_behind(event, STR("\"content\":\"tok"), &word))
        return VERIFY_OK; /* role, finish, usage */
    if (word != verify->words)
        return VERIFY_ORDER;
    number_behind(event, STR("\"sim_stamp\":"), &stamp);
    *ret_event = (struct verify_event){.stamp = stamp / 1000, .before = verify->last_at};
    *ret_has_event = true;
    verify->words++;
    verify->last_at = now;
    return VERIFY_OK;
}

enum verify_result verify_stream(struct verify *verify, struct str *io_data, usec_t now,
                                 struct verify_event *ret_event, bool *ret_has_event)
{
    size_t n = sse_split(&verify->splitter, *io_data);
    struct str piece = {io_data->ptr, n > 0 ? n : io_data->len};
    *io_data = str_from_offset(*io_data, piece.len);
    *ret_has_event = false;
    if (n > 0 && verify->partial.len == 0)
        return verify_event(verify, piece, now, ret_event, ret_has_event);
    buf_add(&verify->partial, piece);
    if (!buf_ok(&verify->partial))
        return VERIFY_FRAMING;
    if (n == 0)
        return VERIFY_OK;
    enum verify_result result =
        verify_event(verify, buf_str(&verify->partial), now, ret_event, ret_has_event);
    buf_clear(&verify->partial);
    return result;
}

enum verify_result verify_document(struct verify *verify, struct str data, struct buf *reference,
                                   bool reference_is_complete)
{
    size_t at = (size_t)verify->offset;
    verify->offset += data.len;
    size_t known = at < reference->len ? MIN(data.len, reference->len - at) : 0;
    if (known > 0 && memcmp(reference->ptr + at, data.ptr, known) != 0)
        return VERIFY_CONTENT;
    if (known == data.len)
        return VERIFY_OK;
    if (reference_is_complete)
        return VERIFY_CONTENT;
    buf_add(reference, str_from_offset(data, known));
    return buf_ok(reference) ? VERIFY_OK : VERIFY_CONTENT;
}

enum verify_result verify_whole(const struct verify *verify, bool is_stream, uint64_t expected_words,
                                const struct buf *reference)
{
    if (is_stream) {
        bool is_short = expected_words > 0 && verify->words != expected_words;
        return verify->is_done && !is_short && verify->partial.len == 0 ? VERIFY_OK : VERIFY_NO_DONE;
    }
    bool is_object =
        reference->len >= 2 && reference->ptr[0] == '{' && reference->ptr[reference->len - 1] == '}';
    return is_object && verify->offset == reference->len ? VERIFY_OK : VERIFY_CONTENT;
}

bool verify_reference(struct str document)
{
    const struct str begin = STR("\"content\":\"");
    ssize_t at = str_find(document, begin);
    if (at < 0)
        return false;
    struct str text = str_from_offset(document, (size_t)at + begin.len);
    for (uint64_t number = 0;; number++) {
        char memory[32];
        struct buf word;
        buf_init_fixed(&word, memory, sizeof(memory));
        buf_printf(&word, "tok%llu ", (unsigned long long)number);
        if (!str_starts(text, buf_str(&word))) {
            while (str_starts(text, STR("."))) /* a padded answer */
                text = str_from_offset(text, 1);
            return number > 0 && str_starts(text, STR("\","));
        }
        text = str_from_offset(text, word.len);
    }
}
