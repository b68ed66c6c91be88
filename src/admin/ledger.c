/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/ledger.h"

#include "admin/ledger_open_requests.h"
#include "admin/ledger_sums.h"

#include <stdio.h>
#include <stdlib.h>

#define RECORDS_MAX 20000u /* in one transaction: some milliseconds of reading */
#define CHANGES_MAX 256u
#define PRUNE_EVERY 256u /* transactions */

/* Row of journal_positions that is no file: all files of earlier runs up to this number have their open requests ended. */
#define SETTLED "settled"

/* How far a segment has been read in the batch at hand. */
struct change {
    struct segment *segment;
    size_t position;
};

struct ledger {
    struct journal *journal;
    struct db *db;
    struct journal_writer *writer;
    sqlite3_stmt *upsert, *move;
    struct ledger_sums sums;
    struct change changes[CHANGES_MAX];
    size_t change_count;
    unsigned batch_records, batch_unknown, batches_until_prune;
    bool must_load; /* what is committed is not known */
    /* ENDs to be written for what earlier runs left open, encoded. */
    struct arena pending_memory;
    struct str *pending;
    size_t pending_at, pending_count;
    uint64_t settle_upto; /* 0: settled */
    _Atomic uint64_t records, aborted, unknown, failures;
};

static void add(_Atomic uint64_t *number, uint64_t n)
{
    atomic_fetch_add_explicit(number, n, memory_order_relaxed);
}

/* ---- positions ---- */

static enum err delete_position(struct ledger *ledger, struct str name, char *why)
{
    sqlite3_stmt *stmt = db_prepare(ledger->db, "DELETE FROM journal_positions WHERE segment = ?1", why);
    if (!stmt)
        return ERR_SYSTEM;
    db_bind_str(stmt, 1, name);
    enum err err = db_run(ledger->db, stmt, why);
    sqlite3_finalize(stmt);
    return err;
}

/* Of files that are gone; `names` are terminated, the last is empty. */
static void delete_positions(struct ledger *ledger, struct str names)
{
    char why[DB_WHY_MAX];
    while (names.len > 0) {
        struct str name = str_from(names.ptr);
        if (delete_position(ledger, name, why) != ERR_OK)
            return; /* another time */
        names = str_from_offset(names, name.len + 1);
    }
}

/* Takes one row. Names of files that are gone are added to `gone`. */
static void load_position(struct ledger *ledger, struct str name, uint64_t position, uint64_t *io_settled,
                          struct buf *gone)
{
    struct segment *segment = journal_find(ledger->journal, name);
    if (segment) {
        segment->read = (size_t)MAX(position, SEGMENT_FIRST);
    } else if (str_eq(name, STR(SETTLED))) {
        *io_settled = position;
    } else {
        buf_add(gone, name);
        buf_add_char(gone, '\0');
    }
}

/* What the last transaction left, and the rows of files that are gone go. */
static enum err load_positions(struct ledger *ledger, uint64_t *ret_settled, char *why)
{
    sqlite3_stmt *stmt = db_prepare(ledger->db, "SELECT segment, position FROM journal_positions", why);
    if (!stmt)
        return db_error(ledger->db, why);
    struct buf gone;
    bool is_row = false;
    enum err err;
    buf_init(&gone, 1 << 20);
    for (size_t i = 0; i < journal_segment_count(ledger->journal); i++)
        journal_segment(ledger->journal, i)->read = SEGMENT_FIRST;
    while ((err = db_step(ledger->db, stmt, &is_row, why)) == ERR_OK && is_row)
        load_position(ledger, db_column_str(stmt, 0), (uint64_t)sqlite3_column_int64(stmt, 1), ret_settled,
                      &gone);
    sqlite3_finalize(stmt);
    if (err == ERR_OK && buf_ok(&gone))
        delete_positions(ledger, buf_str(&gone));
    buf_free(&gone);
    ledger->must_load = err != ERR_OK;
    ledger->batches_until_prune = PRUNE_EVERY;
    return err;
}

static enum err save_position(struct ledger *ledger, const char *name, uint64_t position, char *why)
{
    db_bind_str(ledger->move, 1, str_from(name));
    sqlite3_bind_int64(ledger->move, 2, (sqlite3_int64)position);
    return db_run(ledger->db, ledger->move, why);
}

/* ---- one batch ---- */

/* False: there is no room for another sum. */
static bool take_record(struct ledger *ledger, const struct record *record)
{
    struct ledger_end end;
    if (record->kind == LEDGER_BEGIN)
        return true;
    if (record->kind != LEDGER_END || !ledger_end_decode(record->payload, record->time, &end)) {
        ledger->batch_unknown++;
        return true;
    }
    if (!ledger_sums_add(&ledger->sums, &end))
        return false;
    ledger->batch_records++;
    return true;
}

/* Reads on in a pinned segment. False: the batch is full. */
static bool read_pinned(struct ledger *ledger, const struct segment *segment, size_t end, size_t *io_at)
{
    while (*io_at < end) {
        struct record record;
        size_t next = segment_next(segment, *io_at, end, &record);
        if (next == 0) {
            journal_count_torn(ledger->journal);
            *io_at = end; /* what lies behind the damage is not to be found */
            return true;
        }
        if (ledger->batch_records + ledger->batch_unknown >= RECORDS_MAX || !take_record(ledger, &record))
            return false;
        *io_at = next;
    }
    return true;
}

/* False: the batch is full. */
static bool read_segment(struct ledger *ledger, struct segment *segment)
{
    size_t at = segment->read, end = segment_used(segment);
    if (at >= end)
        return true;
    if (ledger->change_count == CHANGES_MAX)
        return false;
    if (!journal_pin(ledger->journal, segment))
        return true; /* another time, perhaps */
    bool has_room = read_pinned(ledger, segment, end, &at);
    journal_unpin(segment);
    if (at > segment->read)
        ledger->changes[ledger->change_count++] = (struct change){segment, at};
    return has_room;
}

/* False: there is more. */
static bool read_batch(struct ledger *ledger)
{
    ledger_sums_clear(&ledger->sums);
    ledger->change_count = 0;
    ledger->batch_records = ledger->batch_unknown = 0;
    for (size_t i = 0; i < journal_segment_count(ledger->journal); i++)
        if (!read_segment(ledger, journal_segment(ledger->journal, i)))
            return false;
    return true;
}

static enum err write_batch(struct ledger *ledger, char *why)
{
    enum err err = ERR_OK;
    for (size_t i = 0; i < ledger->sums.count && err == ERR_OK; i++)
        err = ledger_sums_write(&ledger->sums, i, ledger->db, ledger->upsert, why);
    for (size_t i = 0; i < ledger->change_count && err == ERR_OK; i++)
        err = save_position(ledger, ledger->changes[i].segment->name, ledger->changes[i].position, why);
    return err;
}

/* All or nothing. After a failure it is not believed but looked up which of both it was. */
static enum err transact(struct ledger *ledger, enum err (*write)(struct ledger *, char *), char *why)
{
    enum err err = db_exec(ledger->db, "BEGIN IMMEDIATE", why);
    if (err == ERR_OK) {
        err = write(ledger, why);
        if (err == ERR_OK)
            err = db_exec(ledger->db, "COMMIT", why);
        if (err != ERR_OK) {
            char ignored[DB_WHY_MAX];
            ledger->must_load = true;
            if (!sqlite3_get_autocommit(ledger->db->handle) &&
                db_exec(ledger->db, "ROLLBACK", ignored) != ERR_OK)
                snprintf(why, DB_WHY_MAX, "%s", ignored);
        }
    }
    if (err != ERR_OK)
        add(&ledger->failures, 1);
    return err;
}

static void batch_done(struct ledger *ledger)
{
    for (size_t i = 0; i < ledger->change_count; i++)
        ledger->changes[i].segment->read = ledger->changes[i].position;
    add(&ledger->records, ledger->batch_records);
    add(&ledger->unknown, ledger->batch_unknown);
    if (--ledger->batches_until_prune == 0)
        ledger->must_load = true;
}

/* ---- what earlier runs left open ---- */

static enum err write_settled(struct ledger *ledger, char *why)
{
    return save_position(ledger, SETTLED, ledger->settle_upto, why);
}

/* First the ENDs, on the disk; then the word that there are all of them. Cut off in between it is begun again, and finds
 * the ENDs that are there. */
static enum err settle(struct ledger *ledger, char *why)
{
    for (; ledger->pending_at < ledger->pending_count; ledger->pending_at++) {
        if (!journal_append(ledger->writer, LEDGER_END, clock_realtime(),
                            ledger->pending[ledger->pending_at])) {
            snprintf(why, DB_WHY_MAX, "no room in the journal for requests that an earlier run left open");
            return ERR_LIMIT;
        }
        add(&ledger->aborted, 1);
    }
    if (journal_sync(ledger->journal) != ERR_OK) {
        snprintf(why, DB_WHY_MAX, "the journal cannot be brought to the disk");
        return ERR_SYSTEM;
    }
    enum err err = transact(ledger, write_settled, why);
    if (err != ERR_OK)
        return err;
    ledger->settle_upto = 0;
    ledger->pending_at = ledger->pending_count = 0;
    arena_fini(&ledger->pending_memory);
    return ERR_OK;
}

static void scan_record(const struct ledger *ledger, struct open_requests *open,
                        const struct segment *segment, size_t at, const struct record *record,
                        bool *ret_is_full)
{
    struct ledger_begin begin;
    struct ledger_end end;
    bool is_earlier = segment->instance != journal_instance(ledger->journal);
    if (record->kind == LEDGER_BEGIN && is_earlier && ledger_begin_decode(record->payload, &begin))
        *ret_is_full |= !open_requests_add(open, segment->instance, begin.id, segment->number, at);
    else if (record->kind == LEDGER_END && ledger_end_decode(record->payload, record->time, &end))
        open_requests_remove(open, end.run != 0 ? end.run : segment->instance, end.id);
}

/* In the order of numbers an END comes behind its BEGIN: both are of one writer, or the END is of a later run. */
static enum err scan(struct ledger *ledger, struct open_requests *open, uint64_t settled)
{
    bool is_full = false;
    size_t count = journal_segment_count(ledger->journal);
    for (size_t i = journal_index(ledger->journal, settled + 1); i < count && !is_full; i++) {
        struct segment *segment = journal_segment(ledger->journal, i);
        size_t at = SEGMENT_FIRST, end = segment_used(segment), next;
        struct record record;
        if (segment->instance != journal_instance(ledger->journal))
            ledger->settle_upto = segment->number;
        if (at == end || !journal_pin(ledger->journal, segment))
            continue;
        for (; (next = segment_next(segment, at, end, &record)) != 0; at = next)
            scan_record(ledger, open, segment, at, &record, &is_full);
        journal_unpin(segment);
    }
    return is_full ? ERR_NO_MEMORY : ERR_OK;
}

/* The END of what began in this record. */
static struct str encode_aborted(struct ledger *ledger, const struct record *record, uint64_t run)
{
    char out[LEDGER_RECORD_MAX];
    struct ledger_begin begin;
    if (!ledger_begin_decode(record->payload, &begin))
        return STR_NONE;
    struct ledger_end end = {
        .id = begin.id,
        .run = run,
        .state = LEDGER_ABORTED,
        .access = {.id = begin.request_id, .api = begin.api, .model = begin.model, .user = begin.user},
    };
    return arena_dup(&ledger->pending_memory, ledger_end_encode(&end, out));
}

static enum err prepare_one(struct ledger *ledger, const struct open_request *request)
{
    struct record record;
    struct segment *segment =
        journal_segment(ledger->journal, journal_index(ledger->journal, request->segment_number));
    if (!journal_pin(ledger->journal, segment))
        return ERR_SYSTEM;
    size_t next = segment_next(segment, request->at, segment_used(segment), &record);
    struct str end = next != 0 ? encode_aborted(ledger, &record, request->run) : STR_NONE;
    journal_unpin(segment);
    if (!end.ptr)
        return ERR_NO_MEMORY;
    ledger->pending[ledger->pending_count++] = end;
    return ERR_OK;
}

static enum err prepare_pending(struct ledger *ledger, const struct open_requests *open)
{
    ledger->pending = ARENA_NEW_ARRAY(&ledger->pending_memory, struct str, open->count + 1);
    enum err err = ledger->pending ? ERR_OK : ERR_NO_MEMORY;
    for (size_t i = 0; i < open->slot_count && err == ERR_OK; i++)
        if (open->slots[i].segment_number != 0)
            err = prepare_one(ledger, &open->slots[i]);
    return err;
}

static enum err find_open_requests(struct ledger *ledger, uint64_t settled, char *why)
{
    struct open_requests open = {0};
    enum err err = scan(ledger, &open, settled);
    if (err == ERR_OK)
        err = prepare_pending(ledger, &open);
    open_requests_free(&open);
    if (err != ERR_OK)
        snprintf(why, DB_WHY_MAX, "looking for requests that an earlier run left open: %s", err_text(err));
    return err;
}

/* ---- opening, collecting, closing ---- */

static enum err prepare_statements(struct ledger *ledger, char *why)
{
    ledger->upsert = db_prepare(ledger->db, LEDGER_SUMS_UPSERT, why);
    ledger->move = db_prepare(ledger->db,
                              "INSERT INTO journal_positions (segment, position) VALUES (?1, ?2)"
                              " ON CONFLICT (segment) DO UPDATE SET position = excluded.position",
                              why);
    return ledger->upsert && ledger->move ? ERR_OK : ERR_INVALID;
}

enum err ledger_open(struct journal *journal, struct db *db, struct journal_writer *writer,
                     struct ledger **ret_ledger, char *why)
{
    struct ledger *ledger = calloc(1, sizeof(*ledger));
    uint64_t settled = 0;
    if (!ledger) {
        snprintf(why, DB_WHY_MAX, "%s", err_text(ERR_NO_MEMORY));
        return ERR_NO_MEMORY;
    }
    ledger->journal = journal;
    ledger->db = db;
    ledger->writer = writer;
    arena_init(&ledger->pending_memory, NULL);
    ledger_sums_init(&ledger->sums);
    enum err err = prepare_statements(ledger, why);
    if (err == ERR_OK)
        err = load_positions(ledger, &settled, why);
    if (err == ERR_OK)
        err = find_open_requests(ledger, settled, why);
    if (err != ERR_OK) {
        ledger_close(ledger);
        return err;
    }
    *ret_ledger = ledger;
    return ERR_OK;
}

/* Of the last file that has records, and so stays: later files get larger numbers, whatever the clock says. */
static uint64_t last_number(const struct journal *journal)
{
    for (size_t i = journal_segment_count(journal); i > 0; i--)
        if (segment_used(journal_segment(journal, i - 1)) > SEGMENT_FIRST)
            return journal_segment(journal, i - 1)->number;
    return 0;
}

/* Not when an END may have been dropped. */
enum err ledger_finish(struct ledger *ledger, char *why)
{
    struct journal_numbers numbers;
    uint64_t number = last_number(ledger->journal);
    journal_read_numbers(ledger->journal, &numbers);
    if (ledger->settle_upto != 0 || numbers.dropped > 0 || number == 0)
        return ERR_OK;
    ledger->settle_upto = number;
    enum err err = transact(ledger, write_settled, why);
    ledger->settle_upto = 0;
    return err;
}

void ledger_close(struct ledger *ledger)
{
    if (!ledger)
        return;
    sqlite3_finalize(ledger->upsert);
    sqlite3_finalize(ledger->move);
    arena_fini(&ledger->pending_memory);
    ledger_sums_fini(&ledger->sums);
    free(ledger);
}

enum err ledger_collect(struct ledger *ledger, bool *ret_has_more, char *why)
{
    uint64_t settled = 0;
    enum err err = ledger->must_load ? load_positions(ledger, &settled, why) : ERR_OK;
    if (err != ERR_OK)
        return err;
    /* What was left open waits for a place in the journal; that is no reason not to count what is there. */
    enum err settle_err = ledger->settle_upto != 0 ? settle(ledger, why) : ERR_OK;
    bool has_more = !read_batch(ledger);
    if (ledger->change_count > 0) {
        err = transact(ledger, write_batch, why);
        if (err != ERR_OK)
            return err;
        batch_done(ledger);
    }
    *ret_has_more = has_more;
    return settle_err;
}

void ledger_read_numbers(const struct ledger *ledger, struct ledger_numbers *ret_numbers)
{
    *ret_numbers = (struct ledger_numbers){
        .records = atomic_load_explicit(&ledger->records, memory_order_relaxed),
        .aborted = atomic_load_explicit(&ledger->aborted, memory_order_relaxed),
        .unknown = atomic_load_explicit(&ledger->unknown, memory_order_relaxed),
        .failures = atomic_load_explicit(&ledger->failures, memory_order_relaxed),
    };
}

/* ---- request_log ---- */

enum err ledger_read(struct ledger_reader *reader, struct journal *journal, usec_t from, usec_t to)
{
    return journal_cursor_open(&reader->cursor, journal, true, from, to);
}

const struct ledger_end *ledger_read_next(struct ledger_reader *reader)
{
    struct record record;
    while (journal_cursor_next(&reader->cursor, &record, NULL))
        if (record.kind == LEDGER_END && ledger_end_decode(record.payload, record.time, &reader->end))
            return &reader->end;
    return NULL;
}

void ledger_read_close(struct ledger_reader *reader)
{
    journal_cursor_close(&reader->cursor);
}
