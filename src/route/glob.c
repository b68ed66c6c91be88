/* SPDX-License-Identifier: Apache-2.0 */
#include "route/glob.h"

/* Offset behind the class that opens at `at`; 0 when it is never closed. */
static size_t class_end(struct str pattern, size_t at)
{
    size_t i = at + 1;
    if (i < pattern.len && (pattern.ptr[i] == '!' || pattern.ptr[i] == '^'))
        i++;
    if (i < pattern.len && pattern.ptr[i] == ']')
        i++;
    while (i < pattern.len && pattern.ptr[i] != ']')
        i++;
    return i < pattern.len ? i + 1 : 0;
}

/* `end` is behind the closing bracket. */
static bool class_has(struct str pattern, size_t at, size_t end, unsigned char c)
{
    size_t i = at + 1, last = end - 1;
    bool negated = pattern.ptr[i] == '!' || pattern.ptr[i] == '^';
    if (negated)
        i++;
    while (i < last) {
        unsigned char low = (unsigned char)pattern.ptr[i], high = low;
        if (i + 2 < last && pattern.ptr[i + 1] == '-') {
            high = (unsigned char)pattern.ptr[i + 2];
            i += 2;
        }
        if (c >= low && c <= high)
            return !negated;
        i++;
    }
    return negated;
}

/* Offset behind the element at `at` when it matches `c`, else 0. */
static size_t element_match(struct str pattern, size_t at, unsigned char c)
{
    if (pattern.ptr[at] == '[') {
        size_t end = class_end(pattern, at);
        return class_has(pattern, at, end, c) ? end : 0;
    }
    return pattern.ptr[at] == '?' || (unsigned char)pattern.ptr[at] == c ? at + 1 : 0;
}

bool glob_has_specials(struct str pattern)
{
    for (size_t i = 0; i < pattern.len; i++)
        if (pattern.ptr[i] == '*' || pattern.ptr[i] == '?' || pattern.ptr[i] == '[')
            return true;
    return false;
}

ssize_t glob_find_fault(struct str pattern)
{
    for (size_t i = 0; i < pattern.len;) {
        size_t end = pattern.ptr[i] == '[' ? class_end(pattern, i) : i + 1;
        if (end == 0)
            return (ssize_t)i;
        i = end;
    }
    return -1;
}

/* Only the last star is ever worth trying again: what the earlier ones took can stay as short as it is. That
 * makes the cost a product instead of a power. */
bool glob_match(struct str pattern, struct str text)
{
    size_t p = 0, t = 0, star_p = 0, star_t = 0;
    bool starred = false;
    while (t < text.len) {
        if (p < pattern.len && pattern.ptr[p] == '*') {
            starred = true;
            star_p = ++p;
            star_t = t;
            continue;
        }
        size_t next = p < pattern.len ? element_match(pattern, p, (unsigned char)text.ptr[t]) : 0;
        if (next > 0) {
            p = next;
            t++;
        } else if (starred) {
            p = star_p;
            t = ++star_t;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*')
        p++;
    return p == pattern.len;
}
