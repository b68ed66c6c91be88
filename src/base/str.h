/* SPDX-License-Identifier: Apache-2.0 */
/* A view of bytes: pointer and length, not terminated, not owned. */
#pragma once

#include "base/macros.h"

#include <stdbool.h>
#include <string.h>
#include <sys/types.h>

struct str {
    const char *ptr;
    size_t len;
};

#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})
#define STR_NONE ((struct str){NULL, 0})

/* For printf: STR_FMT in the format, STR_ARG(s) among the arguments. */
#define STR_FMT "%.*s"
#define STR_ARG(s) (int)(s).len, (s).ptr

static inline struct str str_from(const char *text)
{
    return (struct str){text, text ? strlen(text) : 0};
}

static inline bool str_eq(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool str_starts(struct str s, struct str prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

/* The rest of `s` from byte `from` on; empty when `from` is past the end. */
static inline struct str str_from_offset(struct str s, size_t from)
{
    return from >= s.len ? (struct str){s.ptr + s.len, 0} : (struct str){s.ptr + from, s.len - from};
}

/* ASCII letters compare equal in both cases; all other bytes exactly. */
bool str_eq_nocase(struct str a, struct str b);

/* Byte offset of `needle` in `s`, or -1. */
ssize_t str_find(struct str s, struct str needle);

/* `s` without the spaces and tabs at both ends. */
struct str str_trim(struct str s);

/* Whole of `s` as an unsigned decimal: digits only, no sign, no space. False on anything else or overflow. */
MUST_USE bool str_to_u64(struct str s, uint64_t *ret_value);
