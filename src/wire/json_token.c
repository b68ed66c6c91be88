/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/json_token.h"

#include "wire/bytes.h"

/* What stands where a surrogate has lost its other half. */
#define REPLACEMENT 0xfffd

static const char *skip_digits(const char *at, const char *end)
{
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return at;
}

/* Past at least one digit, or NULL; NULL is passed on. */
static const char *need_digits(const char *at, const char *end)
{
    const char *stop = at ? skip_digits(at, end) : NULL;
    return stop == at ? NULL : stop;
}

bool json_token_is_number(struct str token)
{
    const char *at = token.ptr, *end = token.len > 0 ? at + token.len : at;
    at += at < end && *at == '-';
    at = at < end && *at == '0' ? at + 1 : need_digits(at, end);
    if (at && at < end && *at == '.')
        at = need_digits(at + 1, end);
    if (at && at < end && (*at | 0x20) == 'e') {
        at++;
        at += at < end && (*at == '+' || *at == '-');
        at = need_digits(at, end);
    }
    return at && at == end;
}

/* The four digits of "\uXXXX", or -1. */
static int hex4(const char *digits)
{
    int value = 0;
    for (int i = 0; i < 4; i++) {
        int digit = byte_hex_value((unsigned char)digits[i]);
        if (digit < 0)
            return -1;
        value = value << 4 | digit;
    }
    return value;
}

static char *put_utf8(char *to, unsigned code)
{
    if (code < 0x80) {
        *to++ = (char)code;
        return to;
    }
    if (code < 0x800) {
        *to++ = (char)(0xc0 | code >> 6);
    } else if (code < 0x10000) {
        *to++ = (char)(0xe0 | code >> 12);
        *to++ = (char)(0x80 | (code >> 6 & 0x3f));
    } else {
        *to++ = (char)(0xf0 | code >> 18);
        *to++ = (char)(0x80 | (code >> 12 & 0x3f));
        *to++ = (char)(0x80 | (code >> 6 & 0x3f));
    }
    *to++ = (char)(0x80 | (code & 0x3f));
    return to;
}

static bool is_high_surrogate(int unit)
{
    return unit >= 0xd800 && unit < 0xdc00;
}

static bool is_low_surrogate(int unit)
{
    return unit >= 0xdc00 && unit < 0xe000;
}

/* `in` begins behind "\u". Takes the second half of a pair along. Returns the bytes read, 0 for a bad escape.
 */
static size_t read_unicode(struct str in, char **io_to)
{
    int unit = in.len >= 4 ? hex4(in.ptr) : -1;
    if (unit < 0)
        return 0;
    if (is_high_surrogate(unit) && in.len >= 10 && in.ptr[4] == '\\' && in.ptr[5] == 'u') {
        int second = hex4(in.ptr + 6);
        if (is_low_surrogate(second)) {
            *io_to =
                put_utf8(*io_to, 0x10000u + ((unsigned)(unit - 0xd800) << 10) + (unsigned)(second - 0xdc00));
            return 10;
        }
    }
    bool is_lone = is_high_surrogate(unit) || is_low_surrogate(unit);
    *io_to = put_utf8(*io_to, is_lone ? REPLACEMENT : (unsigned)unit);
    return 4;
}

/* `in` begins behind a backslash. Returns the bytes read, 0 for a bad escape. */
static size_t read_escape(struct str in, char **io_to)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    if (in.len == 0)
        return 0;
    if (in.ptr[0] == 'u') {
        size_t len = read_unicode(str_from_offset(in, 1), io_to);
        return len > 0 ? len + 1 : 0;
    }
    const char *name = memchr(names, in.ptr[0], sizeof(names) - 1);
    if (!name)
        return 0;
    *(*io_to)++ = values[name - names];
    return 1;
}

bool json_token_unescape(struct str escaped, char *out, size_t *ret_len)
{
    const char *at = escaped.ptr, *end = escaped.len > 0 ? at + escaped.len : at;
    char *to = out;
    while (at < end) {
        const char *run_end = bytes_find_json_run_end(at, end);
        memcpy(to, at, (size_t)(run_end - at));
        to += run_end - at;
        at = run_end;
        if (at == end)
            break;
        size_t len = *at == '\\' ? read_escape((struct str){at + 1, (size_t)(end - at - 1)}, &to) : 0;
        if (len == 0)
            return false;
        at += 1 + len;
    }
    *ret_len = (size_t)(to - out);
    return true;
}
