/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger: what the journal's records add up to, in the table usage_ledger, and the records themselves for the view
 * request_log. Store thread, but for the numbers.
 *
 * Each ended request is counted exactly once: sums and the places up to which the journal has been read are written in
 * one transaction. What fails is read again later. Requests that an earlier run began and did not end (it was killed) get
 * an END of state "aborted" in the journal, exactly once too, and are counted like any other. Two limits: a request whose
 * BEGIN the journal's own limits have removed is not found any more; and a power cut (not a kill) can take the ENDs of the
 * last second, which have been counted, from the journal, so that they are counted as aborted besides.
 *
 * In usage_ledger the model of a request that reached no server and no cached answer is empty: what a client makes up is
 * no row of ours. Errors are the states error, cut and aborted. */
#pragma once

#include "proxy/ledger_record.h"
#include "store/db.h"
#include "store/journal_cursor.h"

struct ledger;

struct ledger_numbers {
    uint64_t records;  /* ENDs counted since the start */
    uint64_t aborted;  /* ENDs written for requests of earlier runs */
    uint64_t unknown;  /* records of another version, passed over */
    uint64_t failures; /* transactions that are tried again */
};

/* `db` is a connection of the ledger's own, migrated; `writer` is one that no worker has. Looks for requests that earlier
 * runs left open; so it comes before the first request. */
MUST_USE enum err ledger_open(struct journal *journal, struct db *db, struct journal_writer *writer,
                              struct ledger **ret_ledger, char *why);
void ledger_close(struct ledger *ledger); /* NULL is fine */

/* Before ledger_close, when every request of this run has ended: the next start need not look for open ones. Left out, or
 * failed, it costs that start the reading of what this run has written. */
enum err ledger_finish(struct ledger *ledger, char *why);

/* Counts what came since the last call, up to some ten thousand records; *ret_has_more: call again soon. ERR_BUSY: another
 * session is writing; this and any other failure loses nothing, the next call goes on. What is new is one commit, which
 * waits for the disk: once a second is often enough. */
MUST_USE enum err ledger_collect(struct ledger *ledger, bool *ret_has_more, char *why);

void ledger_read_numbers(const struct ledger *ledger, struct ledger_numbers *ret_numbers); /* any thread */

/* ---- request_log: ended requests, newest first ---- */

/* Has to stay where it is while it is open. May be kept open over journal_tend, not over journal_close. */
struct ledger_reader {
    struct journal_cursor cursor;
    struct ledger_end end;
};

/* Ended in [from, to], realtime; 0 and USEC_FOREVER are no bounds. */
MUST_USE enum err ledger_read(struct ledger_reader *reader, struct journal *journal, usec_t from, usec_t to);

/* NULL: there is none left. Valid until the next call. */
MUST_USE const struct ledger_end *ledger_read_next(struct ledger_reader *reader);
void ledger_read_close(struct ledger_reader *reader); /* harmless on a zeroed one */
