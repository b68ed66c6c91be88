/* SPDX-License-Identifier: Apache-2.0 */
#include "llm/splice.h"

void splices_add(struct splices *splices, size_t at, size_t cut, struct str insert)
{
    ASSERT(splices->count < SPLICES_MAX);
    size_t place = splices->count++;
    while (place > 0 && splices->items[place - 1].at > at) {
        splices->items[place] = splices->items[place - 1];
        place--;
    }
    splices->items[place] = (struct splice){.at = at, .cut = cut, .insert = insert};
}

size_t splices_length(const struct splices *splices, struct str body)
{
    size_t length = body.len;
    for (size_t i = 0; i < splices->count; i++)
        length = length - splices->items[i].cut + splices->items[i].insert.len;
    return length;
}

static size_t add_piece(struct iovec *out, size_t count, const char *ptr, size_t len)
{
    if (len == 0)
        return count;
    out[count] = (struct iovec){.iov_base = (void *)(uintptr_t)ptr, .iov_len = len};
    return count + 1;
}

size_t splices_apply(const struct splices *splices, struct str body, struct iovec out[SPLICE_PIECES_MAX])
{
    size_t count = 0, from = 0;
    for (size_t i = 0; i < splices->count; i++) {
        const struct splice *splice = &splices->items[i];
        count = add_piece(out, count, body.ptr + from, splice->at - from);
        count = add_piece(out, count, splice->insert.ptr, splice->insert.len);
        from = splice->at + splice->cut;
    }
    return add_piece(out, count, body.ptr + from, body.len - from);
}
