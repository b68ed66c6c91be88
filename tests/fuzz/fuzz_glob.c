/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/route/glob.c src/base/str.c src/base/assert.c */
/* The glob matcher against one that is too slow to be wrong. Input: the pattern, a newline, the text. */
#include "route/glob.h"

#include <stdint.h>
#include <stdlib.h>

#define PATTERN_MAX 24
#define TEXT_MAX 24

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* Bit set of the bytes that the element at the front stands for; returns its length, 0 when it is broken. */
static size_t read_element(struct str pattern, bool set[256])
{
    bool negated = false;
    size_t i = 1;
    memset(set, 0, 256 * sizeof(bool));
    if (pattern.ptr[0] == '?') {
        memset(set, 1, 256 * sizeof(bool));
        return 1;
    }
    if (pattern.ptr[0] != '[') {
        set[(unsigned char)pattern.ptr[0]] = true;
        return 1;
    }
    if (i < pattern.len && (pattern.ptr[i] == '!' || pattern.ptr[i] == '^')) {
        negated = true;
        i++;
    }
    size_t first = i;
    while (i < pattern.len && (pattern.ptr[i] != ']' || i == first)) {
        unsigned low = (unsigned char)pattern.ptr[i], high = low;
        if (i + 2 < pattern.len && pattern.ptr[i + 1] == '-' && pattern.ptr[i + 2] != ']') {
            high = (unsigned char)pattern.ptr[i + 2];
            i += 2;
        }
        for (unsigned c = low; c <= high; c++)
            set[c] = true;
        i++;
    }
    if (i >= pattern.len)
        return 0;
    for (unsigned c = 0; c < 256; c++)
        set[c] = set[c] != negated;
    return i + 1;
}

/* reach[t]: the pattern up to here can end at text position t. */
static bool reference_match(struct str pattern, struct str text)
{
    bool reach[TEXT_MAX + 1] = {[0] = true}, next[TEXT_MAX + 1], set[256];
    while (pattern.len > 0) {
        memset(next, 0, sizeof(next));
        size_t len = 1;
        if (pattern.ptr[0] == '*') {
            bool seen = false;
            for (size_t t = 0; t <= text.len; t++)
                next[t] = seen = seen || reach[t];
        } else {
            len = read_element(pattern, set);
            for (size_t t = 0; t < text.len; t++)
                next[t + 1] = reach[t] && set[(unsigned char)text.ptr[t]];
        }
        memcpy(reach, next, sizeof(reach));
        pattern = str_from_offset(pattern, len);
    }
    return reach[text.len];
}

static bool reference_has_fault(struct str pattern)
{
    bool set[256];
    while (pattern.len > 0) {
        size_t len = read_element(pattern, set);
        if (len == 0)
            return true;
        pattern = str_from_offset(pattern, len);
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str input = {(const char *)data, size};
    ssize_t split = str_find(input, STR("\n"));
    if (split < 0 || split > PATTERN_MAX || size - (size_t)split - 1 > TEXT_MAX)
        return 0;
    struct str pattern = {input.ptr, (size_t)split}, text = str_from_offset(input, (size_t)split + 1);
    ssize_t fault = glob_find_fault(pattern);
    require((fault >= 0) == reference_has_fault(pattern));
    if (fault >= 0) {
        require(pattern.ptr[fault] == '[' && !reference_has_fault((struct str){pattern.ptr, (size_t)fault}));
        return 0;
    }
    require(glob_match(pattern, text) == reference_match(pattern, text));
    if (!glob_has_specials(pattern))
        require(glob_match(pattern, text) == str_eq(pattern, text));
    return 0;
}
