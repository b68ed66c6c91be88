/* SPDX-License-Identifier: Apache-2.0 */
/* Finding the next byte of a class, many at a time: what the parsers of this folder spend their time on. The
 * only file of the folder that knows the processor; built with BYTES_PLAIN, or elsewhere than on x86-64, it
 * is plain C.
 *
 * Each bytes_find_x returns the first byte of the class in [at, end), or `end`; it never reads outside of the
 * range. */
#pragma once

#include "base/macros.h"

#include <stdbool.h>
#include <string.h>

/* Ends a field value or a line: control characters but the tab. */
static inline bool byte_is_control(unsigned char c)
{
    return (c < 0x20 && c != '\t') || c == 0x7f;
}

/* Neither a space nor a visible character of ASCII. */
static inline bool byte_is_odd_text(unsigned char c)
{
    return c < 0x20 || c >= 0x7f;
}

/* What a request target cannot hold: controls, the space, bytes outside of ASCII, and '#'. */
static inline bool byte_ends_target(unsigned char c)
{
    return c <= 0x20 || c >= 0x7f || c == '#';
}

/* A token character (RFC 9110 section 5.6.2). */
static inline bool byte_is_token(unsigned char c)
{
    static const uint64_t set[2] = {0x03ff6cfa00000000, 0x57ffffffc7fffffe};
    return c < 0x80 && (set[c >> 6] >> (c & 63) & 1);
}

/* No letter, digit or '-': where most field names end, and the rare ones are looked at byte by byte. */
static inline bool byte_ends_plain_name(unsigned char c)
{
    unsigned letter = (unsigned)(c | 0x20) - 'a';
    return letter > 25 && (unsigned)c - '0' > 9 && c != '-';
}

/* 0 to 15, or -1 for what is no hexadecimal digit. */
static inline int byte_hex_value(unsigned char c)
{
    unsigned digit = (unsigned)c - '0', letter = (unsigned)(c | 0x20) - 'a';
    return digit < 10 ? (int)digit : letter < 6 ? (int)letter + 10 : -1;
}

static inline bool byte_is_line_end(unsigned char c)
{
    return c == '\n' || c == '\r';
}

/* Within a JSON string. */
static inline bool byte_ends_json_run(unsigned char c)
{
    return c == '"' || c == '\\';
}

/* Between JSON strings: what changes the nesting, or begins a string. */
static inline bool byte_is_json_nesting(unsigned char c)
{
    return c == '"' || (c | 0x20) == '{' || (c | 0x20) == '}';
}

/* What cannot be copied into a JSON string as it is, or is to be checked for UTF-8. */
static inline bool byte_needs_json_care(unsigned char c)
{
    return c < 0x20 || c >= 0x80 || c == '"' || c == '\\';
}

/* The next of those that need no vector. */
static inline const char *bytes_find_plain(const char *at, const char *end, bool (*is)(unsigned char))
{
    while (at < end && !is((unsigned char)*at))
        at++;
    return at;
}

#if defined(__SSE2__) && !defined(BYTES_PLAIN)

#include <emmintrin.h>

/* SSE2 compares signed bytes only: a range is moved to the top of them, where one comparison bounds it. */
static inline __m128i bytes_in_range(__m128i v, char first, char last)
{
    __m128i moved = _mm_add_epi8(v, _mm_set1_epi8((char)(0x7f - last)));
    return _mm_cmpgt_epi8(moved, _mm_set1_epi8((char)(0x7f - (last - first) - 1)));
}

static inline __m128i bytes_out_of_range(__m128i v, char first, char last)
{
    __m128i moved = _mm_add_epi8(v, _mm_set1_epi8((char)(0x7f - last)));
    return _mm_cmplt_epi8(moved, _mm_set1_epi8((char)(0x7f - (last - first))));
}

static inline __m128i bytes_equal(__m128i v, char c)
{
    return _mm_cmpeq_epi8(v, _mm_set1_epi8(c));
}

static inline __m128i bytes_not(__m128i v)
{
    return _mm_cmpeq_epi8(v, _mm_setzero_si128());
}

static inline __m128i bytes_lower(__m128i v)
{
    return _mm_or_si128(v, _mm_set1_epi8(0x20));
}

static inline __m128i bytes_odd_text(__m128i v)
{
    return bytes_out_of_range(v, 0x20, 0x7e);
}

static inline __m128i bytes_target_end(__m128i v)
{
    return _mm_or_si128(bytes_equal(v, '#'), bytes_out_of_range(v, 0x21, 0x7e));
}

static inline __m128i bytes_name_end(__m128i v)
{
    __m128i letter = bytes_in_range(bytes_lower(v), 'a', 'z');
    __m128i other = _mm_or_si128(bytes_in_range(v, '0', '9'), bytes_equal(v, '-'));
    return bytes_not(_mm_or_si128(letter, other));
}

static inline __m128i bytes_line_end(__m128i v)
{
    return _mm_or_si128(bytes_equal(v, '\n'), bytes_equal(v, '\r'));
}

static inline __m128i bytes_json_run_end(__m128i v)
{
    return _mm_or_si128(bytes_equal(v, '"'), bytes_equal(v, '\\'));
}

static inline __m128i bytes_json_nesting(__m128i v)
{
    __m128i lower = bytes_lower(v);
    __m128i bracket = _mm_or_si128(bytes_equal(lower, '{'), bytes_equal(lower, '}'));
    return _mm_or_si128(bracket, bytes_equal(v, '"'));
}

static inline __m128i bytes_json_care(__m128i v)
{
    /* Signed: below 0x20 are also the bytes from 0x80 on. */
    return _mm_or_si128(_mm_cmplt_epi8(v, _mm_set1_epi8(0x20)), bytes_json_run_end(v));
}

static inline uint64_t bytes_mask(const char *at, __m128i (*members)(__m128i))
{
    return (uint64_t)(unsigned)_mm_movemask_epi8(members(_mm_loadu_si128((const __m128i *)(const void *)at)));
}

static inline __m128i bytes_head_stops_in(__m128i v)
{
    return _mm_or_si128(bytes_equal(v, ':'), bytes_out_of_range(v, 0x20, 0x7e));
}

__attribute__((always_inline)) static inline uint64_t bytes_mask_64(const char *at,
                                                                    __m128i (*members)(__m128i))
{
    return bytes_mask(at, members) | bytes_mask(at + 16, members) << 16 | bytes_mask(at + 32, members) << 32 |
           bytes_mask(at + 48, members) << 48;
}

/* Where a name or a value may end: bit i is set when byte i of the first 64 in [at, end) is a colon or odd
 * text. */
static inline uint64_t bytes_head_stops(const char *at, const char *end)
{
    char last[64];
    if (LIKELY(end - at >= 64))
        return bytes_mask_64(at, bytes_head_stops_in);
    memset(last, ' ', sizeof(last));
    memcpy(last, at, (size_t)(end - at));
    return bytes_mask_64(last, bytes_head_stops_in);
}

/* Whether [at, name_end) is of letters, digits and '-'. Bytes up to `end` may be read. */
static inline bool bytes_are_plain_name(const char *at, const char *name_end, const char *end)
{
    for (; end - at >= 16; at += 16) {
        uint64_t hits = bytes_mask(at, bytes_name_end);
        if (name_end - at <= 16)
            return (hits & ((1u << (name_end - at)) - 1)) == 0;
        if (hits)
            return false;
    }
    return bytes_find_plain(at, name_end, byte_ends_plain_name) == name_end;
}

/* The last bytes of a range that began at `first`: a load that overlaps what has been seen already covers
 * them. */
__attribute__((always_inline)) static inline const char *bytes_find_last(const char *first, const char *at,
                                                                         const char *end,
                                                                         __m128i (*members)(__m128i),
                                                                         bool (*is)(unsigned char))
{
    if (end - first < 16 || at == end)
        return bytes_find_plain(at, end, is);
    uint64_t hits = bytes_mask(end - 16, members) >> (16 - (end - at));
    return hits ? at + __builtin_ctzll(hits) : end;
}

/* For runs of a few dozen bytes. Always inlined, so that both function pointers are constants and vanish. */
__attribute__((always_inline)) static inline const char *
bytes_find_near(const char *at, const char *end, __m128i (*members)(__m128i), bool (*is)(unsigned char))
{
    const char *first = at;
    for (; end - at >= 16; at += 16) {
        uint64_t hits = bytes_mask(at, members);
        if (hits)
            return at + __builtin_ctzll(hits);
    }
    return bytes_find_last(first, at, end, members, is);
}

/* For runs of a hundred bytes and more. */
__attribute__((always_inline)) static inline const char *
bytes_find_far(const char *at, const char *end, __m128i (*members)(__m128i), bool (*is)(unsigned char))
{
    const char *first = at;
    for (; end - at >= 64; at += 64) {
        uint64_t hits = bytes_mask_64(at, members);
        if (hits)
            return at + __builtin_ctzll(hits);
    }
    for (; end - at >= 16; at += 16) {
        uint64_t hits = bytes_mask(at, members);
        if (hits)
            return at + __builtin_ctzll(hits);
    }
    return bytes_find_last(first, at, end, members, is);
}

/* What bytes_find_word does 16 bytes at a time; returns where less than that is left, or a hit. */
static inline const char *bytes_skip_to_word(const char *at, const char *end, char a, char b, char c)
{
    for (; end - at >= 17; at += 16) {
        __m128i next = _mm_loadu_si128((const __m128i *)(const void *)(at + 1));
        __m128i wanted =
            _mm_or_si128(bytes_equal(next, a), _mm_or_si128(bytes_equal(next, b), bytes_equal(next, c)));
        __m128i quote = bytes_equal(_mm_loadu_si128((const __m128i *)(const void *)at), '"');
        unsigned hits = (unsigned)_mm_movemask_epi8(_mm_and_si128(quote, wanted));
        if (hits)
            return at + __builtin_ctz(hits);
    }
    return at;
}

#define BYTES_FINDER(name, how, members, is)                                                                 \
    static inline const char *name(const char *at, const char *end)                                          \
    {                                                                                                        \
        return how(at, end, members, is);                                                                    \
    }

#else

static inline const char *bytes_skip_to_word(const char *at, const char *end, char a, char b, char c)
{
    (void)end, (void)a, (void)b, (void)c;
    return at;
}

static inline uint64_t bytes_head_stops(const char *at, const char *end)
{
    uint64_t stops = 0;
    for (size_t i = 0; i < 64 && at + i < end; i++)
        stops |= (uint64_t)(at[i] == ':' || byte_is_odd_text((unsigned char)at[i])) << i;
    return stops;
}

static inline bool bytes_are_plain_name(const char *at, const char *name_end, const char *end)
{
    (void)end;
    return bytes_find_plain(at, name_end, byte_ends_plain_name) == name_end;
}

#define BYTES_FINDER(name, how, members, is)                                                                 \
    static inline const char *name(const char *at, const char *end)                                          \
    {                                                                                                        \
        return bytes_find_plain(at, end, is);                                                                \
    }

#endif

BYTES_FINDER(bytes_find_odd_text, bytes_find_near, bytes_odd_text, byte_is_odd_text)
BYTES_FINDER(bytes_find_target_end, bytes_find_near, bytes_target_end, byte_ends_target)
BYTES_FINDER(bytes_find_plain_name_end, bytes_find_near, bytes_name_end, byte_ends_plain_name)
BYTES_FINDER(bytes_find_line_end, bytes_find_far, bytes_line_end, byte_is_line_end)
BYTES_FINDER(bytes_find_json_run_end, bytes_find_far, bytes_json_run_end, byte_ends_json_run)
BYTES_FINDER(bytes_find_json_nesting, bytes_find_far, bytes_json_nesting, byte_is_json_nesting)
BYTES_FINDER(bytes_find_json_care, bytes_find_far, bytes_json_care, byte_needs_json_care)

/* The first control character but the tab. Tabs and bytes outside of ASCII are rare enough to be looked at
 * singly. */
static inline const char *bytes_find_control(const char *at, const char *end)
{
    while ((at = bytes_find_odd_text(at, end)) < end && !byte_is_control((unsigned char)*at))
        at++;
    return at;
}

/* The first quotation mark of [at, end) behind which stands `a`, `b` or `c`, or `end`: where a JSON string may be one of
 * a few words. */
static inline const char *bytes_find_word(const char *at, const char *end, char a, char b, char c)
{
    for (at = bytes_skip_to_word(at, end, a, b, c); end - at >= 2; at++)
        if (at[0] == '"' && (at[1] == a || at[1] == b || at[1] == c))
            return at;
    return end;
}
