/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/text.h"

#include <stdio.h>
#include <wchar.h>

/* Bytes of the UTF-8 character at the front of `s`, which is not empty; 0: it is none (RFC 3629). */
static size_t decode(struct str s, uint32_t *ret_code)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *bytes = (const unsigned char *)s.ptr;
    size_t len = bytes[0] < 0x80 ? 1 : bytes[0] < 0xc2 ? 0 : bytes[0] < 0xe0 ? 2 : bytes[0] < 0xf0 ? 3 : 4;
    if (len == 0 || bytes[0] > 0xf4 || len > s.len)
        return 0;
    uint32_t code = len == 1 ? bytes[0] : bytes[0] & (0x7fU >> len);
    for (size_t i = 1; i < len; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (bytes[i] & 0x3f);
    }
    if (code < smallest[len == 1 ? 0 : len] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
        return 0;
    *ret_code = code;
    return len;
}

static size_t escape(struct buf *out, unsigned char byte)
{
    static const char letters[] = "abtnvfr"; /* of 7 to 13 */
    char text[8];
    int len = byte >= 7 && byte <= 13 ? snprintf(text, sizeof(text), "\\%c", letters[byte - 7])
                                      : snprintf(text, sizeof(text), "\\x%02x", byte);
    if (out)
        buf_add(out, (struct str){text, (size_t)len});
    return (size_t)len;
}

static size_t escape_all(struct buf *out, struct str bytes)
{
    size_t width = 0;
    for (size_t i = 0; i < bytes.len; i++)
        width += escape(out, (unsigned char)bytes.ptr[i]);
    return width;
}

/* U+0080 to U+009F steer terminals as the ones below U+0020 do; U+202A to U+202E and U+2066 to U+2069 turn the direction
 * of what follows. */
static bool is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x202a && code <= 0x202e) ||
           (code >= 0x2066 && code <= 0x2069);
}

size_t text_show(struct buf *out, struct str text, bool is_multiline)
{
    size_t width = 0;
    for (size_t at = 0; at < text.len;) {
        uint32_t code = 0;
        size_t len = decode(str_from_offset(text, at), &code);
        struct str bytes = {text.ptr + at, MAX(len, 1)};
        at += bytes.len;
        if (len == 0 || (is_control(code) && !(is_multiline && code == '\n'))) {
            width += escape_all(out, bytes);
            continue;
        }
        int columns = wcwidth((wchar_t)code);
        width += columns < 0 ? 1 : (size_t)columns;
        if (out)
            buf_add(out, bytes);
    }
    return width;
}

void text_repeat(struct buf *out, char c, size_t count)
{
    if (!buf_reserve(out, count))
        return;
    memset(out->ptr + out->len, c, count);
    out->len += count;
}
