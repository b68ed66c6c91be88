/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a record of the ledger: what is taken for one is, written again, the same bytes. */
#include "proxy/ledger_record.h"

#include <stdlib.h>

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

static void check_begin(struct str payload, char *out)
{
    struct ledger_begin begin;
    if (ledger_begin_decode(payload, &begin))
        CHECK(str_eq(ledger_begin_encode(&begin, out), payload));
}

static void check_end(struct str payload, char *out)
{
    struct ledger_end end;
    if (!ledger_end_decode(payload, 1, &end))
        return;
    CHECK(ledger_state_text(end.state).len > 0 && ledger_cache_text(end.cache).len > 0);
    CHECK(str_eq(ledger_end_encode(&end, out), payload));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char out[LEDGER_RECORD_MAX];
    char *exact = malloc(size > 0 ? size : 1);
    CHECK(exact);
    if (size > 0)
        memcpy(exact, data, size);
    check_begin((struct str){exact, size}, out);
    check_end((struct str){exact, size}, out);
    free(exact);
    return 0;
}
