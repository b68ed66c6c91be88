/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the whole journal in the order of time, from either end, while writers append. What is appended after the cursor
 * was opened may or may not be seen. A damaged record ends its file; the cursor counts it and goes on with the next file.
 * The keeper's thread. */
#pragma once

#include "store/journal.h"

struct journal_chain;

struct journal_cursor {
    struct journal *journal;
    struct journal_chain *chains; /* one a writer, each in the order of its times: merged */
    size_t chain_count;
    struct journal_chain *current;
    bool is_newest_first;
    usec_t from, to;
};

/* Records with a time in [from, to]; 0 and USEC_FOREVER are no bounds. */
MUST_USE enum err journal_cursor_open(struct journal_cursor *cursor, struct journal *journal,
                                      bool is_newest_first, usec_t from, usec_t to);
void journal_cursor_close(struct journal_cursor *cursor); /* harmless on a zeroed one */

/* False: there is none left. The payload is valid until the next call. `ret_segment` may be NULL. */
MUST_USE bool journal_cursor_next(struct journal_cursor *cursor, struct record *ret_record,
                                  const struct segment **ret_segment);
