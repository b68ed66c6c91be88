/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BUF_FIRST_SIZE 256

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

void buf_init_fixed(struct buf *b, void *memory, size_t size)
{
    *b = (struct buf){.ptr = memory, .cap = size, .max = size, .borrowed = true};
}

void buf_free(struct buf *b)
{
    if (!b->borrowed)
        free(b->ptr);
    *b = (struct buf){.max = b->max};
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->failed = false;
}

static bool buf_fail(struct buf *b)
{
    b->failed = true;
    return false;
}

bool buf_reserve(struct buf *b, size_t more)
{
    if (more <= b->cap - b->len)
        return true;
    if (b->borrowed || more > b->max - b->len)
        return buf_fail(b);
    size_t cap = MAX(b->cap, BUF_FIRST_SIZE);
    while (cap - b->len < more)
        cap *= 2;
    cap = MIN(cap, b->max);
    char *ptr = realloc(b->ptr, cap);
    if (!ptr)
        return buf_fail(b);
    b->ptr = ptr;
    b->cap = cap;
    return true;
}

void buf_add_u64(struct buf *b, uint64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);
    do
        digits[--at] = (char)('0' + value % 10);
    while ((value /= 10) > 0);
    buf_add(b, (struct str){digits + at, sizeof(digits) - at});
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    char small[512];
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(small, sizeof(small), fmt, args);
    va_end(args);
    if (len < 0) {
        b->failed = true;
    } else if ((size_t)len < sizeof(small)) {
        buf_add(b, (struct str){small, (size_t)len});
    } else if (buf_reserve(b, (size_t)len + 1)) { /* + 1: vsnprintf terminates */
        va_start(args, fmt);
        vsnprintf(b->ptr + b->len, (size_t)len + 1, fmt, args);
        va_end(args);
        b->len += (size_t)len;
    }
}

void buf_consume(struct buf *b, size_t n)
{
    ASSERT(n <= b->len);
    if (n > 0 && n < b->len)
        memmove(b->ptr, b->ptr + n, b->len - n);
    b->len -= n;
}
