/* SPDX-License-Identifier: Apache-2.0 */
#include "store/journal_cursor.h"

#include <stdlib.h>

/* The files of one writer, seen as one run of records. */
struct journal_chain {
    unsigned writer;
    struct segment *segment; /* pinned; NULL: at the end */
    size_t at, end;          /* what is left of it, without `record` */
    struct record record;    /* the next one */
};

static bool is_wanted(const struct segment *segment, const struct journal_chain *chain)
{
    return segment->writer == chain->writer && segment_used(segment) > SEGMENT_FIRST;
}

/* The chain's next file beyond the one numbered `number`. NULL: none. */
static struct segment *find_older(const struct journal *journal, const struct journal_chain *chain,
                                  uint64_t number)
{
    for (size_t i = journal_index(journal, number); i > 0; i--)
        if (is_wanted(journal_segment(journal, i - 1), chain))
            return journal_segment(journal, i - 1);
    return NULL;
}

static struct segment *find_newer(const struct journal *journal, const struct journal_chain *chain,
                                  uint64_t number)
{
    size_t count = journal_segment_count(journal);
    for (size_t i = journal_index(journal, number + 1); i < count; i++)
        if (is_wanted(journal_segment(journal, i), chain))
            return journal_segment(journal, i);
    return NULL;
}

static bool begins_in_time(const struct journal_cursor *cursor, const struct segment *segment)
{
    struct record first;
    /* A damaged one is met, and counted, on reading. */
    return segment_next(segment, SEGMENT_FIRST, segment_used(segment), &first) == 0 ||
           first.time <= cursor->to;
}

static struct segment *find_next(const struct journal_cursor *cursor, const struct journal_chain *chain,
                                 uint64_t number)
{
    return cursor->is_newest_first ? find_older(cursor->journal, chain, number)
                                   : find_newer(cursor->journal, chain, number);
}

/* False: nothing in it is wanted, or it cannot be read. */
static bool chain_enter(struct journal_cursor *cursor, struct journal_chain *chain, struct segment *segment)
{
    if (segment->is_finished && segment->ended < cursor->from)
        return false;
    if (!journal_pin(cursor->journal, segment))
        return false;
    if (!begins_in_time(cursor, segment)) {
        journal_unpin(segment);
        return false;
    }
    chain->segment = segment;
    chain->at = SEGMENT_FIRST;
    chain->end = segment_used(segment);
    return true;
}

/* Goes to `segment`, or the first behind it that has records of the wanted time. */
static void chain_move(struct journal_cursor *cursor, struct journal_chain *chain, struct segment *segment)
{
    struct segment *old = chain->segment;
    chain->segment = NULL;
    while (segment && !chain_enter(cursor, chain, segment))
        segment = find_next(cursor, chain, segment->number);
    if (old)
        journal_unpin(old);
}

/* Takes one record off the end that is read. False: it is damaged. */
static bool take_record(const struct journal_cursor *cursor, struct journal_chain *chain)
{
    size_t next = cursor->is_newest_first
                      ? segment_previous(chain->segment, chain->end, &chain->record)
                      : segment_next(chain->segment, chain->at, chain->end, &chain->record);
    if (cursor->is_newest_first)
        chain->end = next;
    else
        chain->at = next;
    return next != 0;
}

/* Behind a record that is beyond the bound which the cursor moves to, none of its file is wanted. */
static void skip_beyond(const struct journal_cursor *cursor, struct journal_chain *chain)
{
    if (cursor->is_newest_first && chain->record.time < cursor->from)
        chain->end = chain->at;
    else if (!cursor->is_newest_first && chain->record.time > cursor->to)
        chain->at = chain->end;
}

/* At the end of a file: goes on to the next one. Who reads forward looks for that first, and then whether the file has
 * grown since it was entered: a writer that has gone on has written its last there. */
static void chain_leave(struct journal_cursor *cursor, struct journal_chain *chain)
{
    struct segment *next = find_next(cursor, chain, chain->segment->number);
    size_t used = segment_used(chain->segment);
    if (!cursor->is_newest_first && used > chain->end)
        chain->end = used;
    else
        chain_move(cursor, chain, next);
}

static void chain_advance(struct journal_cursor *cursor, struct journal_chain *chain)
{
    while (chain->segment) {
        if (chain->at == chain->end) {
            chain_leave(cursor, chain);
        } else if (!take_record(cursor, chain)) {
            journal_count_torn(cursor->journal);
            chain_move(cursor, chain, find_next(cursor, chain, chain->segment->number));
        } else if (chain->record.time >= cursor->from && chain->record.time <= cursor->to) {
            return;
        } else {
            skip_beyond(cursor, chain);
        }
    }
}

static size_t count_writers(const struct journal *journal)
{
    unsigned most = 0;
    for (size_t i = 0; i < journal_segment_count(journal); i++)
        most = MAX(most, journal_segment(journal, i)->writer);
    return (size_t)most + 1;
}

enum err journal_cursor_open(struct journal_cursor *cursor, struct journal *journal, bool is_newest_first,
                             usec_t from, usec_t to)
{
    size_t count = count_writers(journal);
    struct journal_chain *chains = calloc(count, sizeof(*chains));
    if (!chains)
        return ERR_NO_MEMORY;
    *cursor = (struct journal_cursor){journal, chains, count, NULL, is_newest_first, from, to};
    for (size_t i = 0; i < count; i++) {
        chains[i].writer = (unsigned)i;
        chain_move(cursor, &chains[i], find_next(cursor, &chains[i], is_newest_first ? UINT64_MAX : 0));
        chain_advance(cursor, &chains[i]);
    }
    return ERR_OK;
}

void journal_cursor_close(struct journal_cursor *cursor)
{
    for (size_t i = 0; i < cursor->chain_count; i++)
        if (cursor->chains[i].segment)
            journal_unpin(cursor->chains[i].segment);
    free(cursor->chains);
    *cursor = (struct journal_cursor){0};
}

static bool is_before(const struct journal_cursor *cursor, const struct journal_chain *a,
                      const struct journal_chain *b)
{
    return cursor->is_newest_first ? a->record.time > b->record.time : a->record.time < b->record.time;
}

bool journal_cursor_next(struct journal_cursor *cursor, struct record *ret_record,
                         const struct segment **ret_segment)
{
    if (cursor->current)
        chain_advance(cursor, cursor->current);
    struct journal_chain *best = NULL;
    for (size_t i = 0; i < cursor->chain_count; i++) {
        struct journal_chain *chain = &cursor->chains[i];
        if (chain->segment && (!best || is_before(cursor, chain, best)))
            best = chain;
    }
    cursor->current = best;
    if (!best)
        return false;
    *ret_record = best->record;
    if (ret_segment)
        *ret_segment = best->segment;
    return true;
}
