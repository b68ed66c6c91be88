/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/text.h"

void text_add(struct buf *out, uint64_t first, uint64_t count)
{
    for (uint64_t word = first; word < first + count; word++) {
        buf_add(out, STR("tok"));
        buf_add_u64(out, word);
        buf_add_char(out, ' ');
    }
}

float text_vector_item(uint64_t input_hash, uint64_t index)
{
    /* Fibonacci hashing spreads neighbouring indexes; the top byte is the best mixed. */
    uint64_t mixed = (input_hash + index) * 0x9e3779b97f4a7c15;
    return (float)((int)(mixed >> 56) - 128) / 128.0F;
}
