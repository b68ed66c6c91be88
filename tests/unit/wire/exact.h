/* SPDX-License-Identifier: Apache-2.0 */
/* Inputs in memory of exactly their size, so that the address sanitizer sees a parser that reads past them.
 */
#pragma once

#include "base/str.h"

#include <stdlib.h>

static inline struct str exact_copy(struct str s)
{
    char *copy = malloc(s.len > 0 ? s.len : 1);
    if (!copy)
        abort();
    if (s.len > 0)
        memcpy(copy, s.ptr, s.len);
    return (struct str){copy, s.len};
}

static inline void exact_free(struct str s)
{
    free((void *)(uintptr_t)s.ptr);
}
