/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/admin/ledger.c"

#include "../store/folder.h"
#include "base/rng.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <cmocka.h>

#define HOUR_USEC (3600 * USEC_PER_SEC)
#define WRITERS 3u /* the last is the ledger's own */

/* One run of the process. */
struct run {
    struct db db;
    struct journal *journal;
    struct ledger *ledger;
    char why[JOURNAL_WHY_MAX];
};

static enum err try_run_open(struct run *run)
{
    static const struct journal_limits wide = {.max_bytes = UINT64_MAX, .max_age = USEC_FOREVER};
    enum err err = db_open(&run->db, in_folder(DB_FILE), run->why);
    if (err == ERR_OK)
        err = db_migrate_up(&run->db, run->why);
    if (err == ERR_OK)
        err = journal_open(folder, WRITERS, wide, &run->journal, run->why);
    if (err == ERR_OK)
        err = ledger_open(run->journal, &run->db, journal_writer(run->journal, WRITERS - 1), &run->ledger,
                          run->why);
    return err;
}

static void run_open(struct run *run)
{
    memset(run, 0, sizeof(*run));
    enum err err = try_run_open(run);
    if (err != ERR_OK)
        fail_msg("%s", run->why);
}

static void run_close(struct run *run)
{
    ledger_close(run->ledger);
    journal_close(run->journal);
    db_close(&run->db);
}

static void collect(struct run *run)
{
    bool has_more = true;
    while (has_more)
        if (ledger_collect(run->ledger, &has_more, run->why) != ERR_OK)
            fail_msg("%s", run->why);
}

static bool append_begin(struct journal *journal, unsigned writer, uint64_t id)
{
    char out[LEDGER_RECORD_MAX];
    struct ledger_begin begin = {id, STR("req"), STR("alice"), STR("gpt"), STR("chat")};
    return journal_append(journal_writer(journal, writer), LEDGER_BEGIN, clock_realtime(),
                          ledger_begin_encode(&begin, out));
}

static struct ledger_end end_of(uint64_t id, const char *user, const char *server, const char *model)
{
    return (struct ledger_end){
        .id = id,
        .tokens = {1, 2, 3, 4, 5},
        .cost = 1000,
        .access = {.id = STR("req"),
                   .user = str_from(user),
                   .server = str_from(server),
                   .model = str_from(model),
                   .status = 200},
    };
}

static bool append_end(struct journal *journal, unsigned writer, usec_t time, const struct ledger_end *end)
{
    char out[LEDGER_RECORD_MAX];
    return journal_append(journal_writer(journal, writer), LEDGER_END, time, ledger_end_encode(end, out));
}

static bool append_plain_end(struct run *run, unsigned writer, usec_t time, uint64_t id)
{
    struct ledger_end end = end_of(id, "alice", "one", "gpt");
    return append_end(run->journal, writer, time, &end);
}

static int64_t query(struct run *run, const char *sql)
{
    sqlite3_stmt *stmt = db_prepare(&run->db, sql, run->why);
    if (!stmt)
        fail_msg("%s", run->why);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return value;
}

static int64_t requests_in_table(struct run *run)
{
    return query(run, "SELECT coalesce(sum(requests), 0) FROM usage_ledger");
}

static void test_adds_up_by_hour_user_server_and_model(void **state)
{
    (void)state;
    struct run run;
    run_open(&run);
    struct ledger_end end = end_of(1, "alice", "one", "gpt");
    assert_true(append_end(run.journal, 0, 5, &end));
    end = end_of(2, "alice", "one", "gpt");
    end.state = LEDGER_CUT;
    assert_true(append_end(run.journal, 1, HOUR_USEC - 1, &end));
    end.state = LEDGER_CLIENT_GONE;
    assert_true(append_end(run.journal, 1, HOUR_USEC, &end)); /* the next hour */
    end = end_of(3, "bob", "", "gpt");
    end.cache = LEDGER_CACHE_HIT;
    assert_true(append_end(run.journal, 1, HOUR_USEC, &end));
    end = end_of(4, "bob", "", "made up by a client");
    end.state = LEDGER_ERROR;
    assert_true(append_end(run.journal, 1, HOUR_USEC, &end));
    collect(&run);
    assert_int_equal(query(&run, "SELECT count(*) FROM usage_ledger"), 4);
    assert_int_equal(
        query(&run, "SELECT count(*) FROM usage_ledger WHERE hour = '1970-01-01 00:00:00' AND username ="
                    " 'alice' AND server = 'one' AND model = 'gpt' AND requests = 2 AND errors = 1 AND"
                    " cache_hits = 0 AND input_tokens = 2 AND cache_read_tokens = 4 AND"
                    " cache_write_tokens = 6 AND output_tokens = 8 AND reasoning_tokens = 10 AND"
                    " cost_nano_usd = 2000"),
        1);
    assert_int_equal(
        query(&run, "SELECT count(*) FROM usage_ledger WHERE hour = '1970-01-01 01:00:00' AND username ="
                    " 'alice' AND requests = 1 AND errors = 0"),
        1);
    assert_int_equal(
        query(&run, "SELECT cache_hits FROM usage_ledger WHERE username = 'bob' AND model = 'gpt'"), 1);
    assert_int_equal(query(&run, "SELECT errors FROM usage_ledger WHERE username = 'bob' AND model = ''"), 1);
    /* Into rows that are there. */
    assert_true(append_plain_end(&run, 0, 6, 5));
    collect(&run);
    assert_int_equal(query(&run, "SELECT requests FROM usage_ledger WHERE hour = '1970-01-01 00:00:00'"), 3);
    assert_int_equal(query(&run, "SELECT cost_nano_usd FROM usage_ledger WHERE hour = '1970-01-01 00:00:00'"),
                     3000);
    struct ledger_numbers numbers;
    ledger_read_numbers(run.ledger, &numbers);
    assert_int_equal(numbers.records, 6);
    run_close(&run);
}

static void test_counts_once_over_restarts(void **state)
{
    (void)state;
    struct run run;
    for (unsigned round = 0; round < 3; round++) {
        run_open(&run);
        assert_true(append_plain_end(&run, 0, 1, round));
        if (round != 1) /* the second run's is left to the third */
            collect(&run);
        run_close(&run);
    }
    run_open(&run);
    collect(&run);
    assert_int_equal(requests_in_table(&run), 3);
    run_close(&run);
}

static void test_busy_store_loses_nothing(void **state)
{
    (void)state;
    struct run run;
    struct db other;
    bool has_more;
    run_open(&run);
    collect(&run);
    assert_int_equal(db_open(&other, in_folder(DB_FILE), run.why), ERR_OK);
    assert_int_equal(db_exec(&other, "BEGIN IMMEDIATE", run.why), ERR_OK);
    assert_true(append_plain_end(&run, 0, 1, 1));
    assert_int_equal(ledger_collect(run.ledger, &has_more, run.why), ERR_BUSY);
    assert_true(append_plain_end(&run, 0, 1, 2));
    assert_int_equal(ledger_collect(run.ledger, &has_more, run.why), ERR_BUSY);
    assert_int_equal(db_exec(&other, "COMMIT", run.why), ERR_OK);
    collect(&run);
    collect(&run);
    assert_int_equal(requests_in_table(&run), 2);
    struct ledger_numbers numbers;
    ledger_read_numbers(run.ledger, &numbers);
    assert_int_equal(numbers.failures, 2);
    assert_int_equal(numbers.records, 2);
    db_close(&other);
    run_close(&run);
}

/* Half of the transaction is written when it fails. */
static void test_failed_transaction_counts_nothing(void **state)
{
    (void)state;
    struct run run;
    bool has_more;
    run_open(&run);
    collect(&run);
    assert_int_equal(db_exec(&run.db,
                             "CREATE TEMP TRIGGER broken BEFORE INSERT ON main.journal_positions BEGIN"
                             " SELECT RAISE(ABORT, 'broken'); END",
                             run.why),
                     ERR_OK);
    assert_true(append_plain_end(&run, 0, 1, 1));
    assert_int_not_equal(ledger_collect(run.ledger, &has_more, run.why), ERR_OK);
    assert_int_equal(requests_in_table(&run), 0);
    assert_int_equal(db_exec(&run.db, "DROP TRIGGER broken", run.why), ERR_OK);
    collect(&run);
    assert_int_equal(requests_in_table(&run), 1);
    run_close(&run);
}

static void test_many_rows_take_several_batches(void **state)
{
    (void)state;
    struct run run;
    run_open(&run);
    for (unsigned i = 0; i < 3 * LEDGER_SUMS_MAX; i++) {
        char user[32];
        snprintf(user, sizeof(user), "user%u", i % (2 * LEDGER_SUMS_MAX));
        struct ledger_end end = end_of(i, user, "one", "gpt");
        assert_true(append_end(run.journal, i % 2, 1, &end));
    }
    bool has_more = false;
    assert_int_equal(ledger_collect(run.ledger, &has_more, run.why), ERR_OK);
    assert_true(has_more);
    collect(&run);
    assert_int_equal(requests_in_table(&run), 3 * LEDGER_SUMS_MAX);
    assert_int_equal(query(&run, "SELECT count(*) FROM usage_ledger"), 2 * LEDGER_SUMS_MAX);
    run_close(&run);
}

static void test_unknown_records_are_passed_over(void **state)
{
    (void)state;
    struct run run;
    run_open(&run);
    assert_true(journal_append(journal_writer(run.journal, 0), LEDGER_END, 1, STR("of another version")));
    assert_true(journal_append(journal_writer(run.journal, 0), 99, 1, STR_NONE));
    assert_true(append_plain_end(&run, 0, 1, 1));
    collect(&run);
    struct ledger_numbers numbers;
    ledger_read_numbers(run.ledger, &numbers);
    assert_int_equal(numbers.unknown, 2);
    assert_int_equal(numbers.records, 1);
    struct ledger_reader reader;
    assert_int_equal(ledger_read(&reader, run.journal, 0, USEC_FOREVER), ERR_OK);
    assert_non_null(ledger_read_next(&reader));
    assert_null(ledger_read_next(&reader));
    ledger_read_close(&reader);
    run_close(&run);
}

static void test_positions_of_files_that_are_gone_go(void **state)
{
    (void)state;
    struct run run;
    run_open(&run);
    assert_true(append_plain_end(&run, 0, 1, 1));
    collect(&run);
    assert_int_equal(db_exec(&run.db,
                             "INSERT INTO journal_positions VALUES ('w000-0000000000000001.journal', 64),"
                             " ('other', 1)",
                             run.why),
                     ERR_OK);
    run_close(&run);
    run_open(&run);
    assert_int_equal(query(&run, "SELECT count(*) FROM journal_positions"), 1);
    collect(&run);
    assert_int_equal(requests_in_table(&run), 1);
    journal_set_limits(run.journal, (struct journal_limits){.max_bytes = 1, .max_age = USEC_FOREVER});
    journal_tend(run.journal, clock_monotonic());
    run.ledger->batches_until_prune = 1;
    assert_true(append_plain_end(&run, 0, 1, 2));
    collect(&run); /* the last before they are looked through */
    collect(&run);
    assert_int_equal(query(&run, "SELECT count(*) FROM journal_positions"),
                     2); /* the new file's, and that all is settled */
    assert_int_equal(requests_in_table(&run), 2);
    run_close(&run);
}

static void assert_ids(struct run *run, usec_t from, usec_t to, const char *expected)
{
    char seen[256] = "";
    size_t len = 0;
    struct ledger_reader reader;
    const struct ledger_end *end;
    assert_int_equal(ledger_read(&reader, run->journal, from, to), ERR_OK);
    while ((end = ledger_read_next(&reader)))
        len += (size_t)snprintf(seen + len, sizeof(seen) - len, "%u@%u ", (unsigned)end->id,
                                (unsigned)end->access.realtime);
    ledger_read_close(&reader);
    assert_string_equal(seen, expected);
}

static void test_request_log_newest_first(void **state)
{
    (void)state;
    struct run run;
    run_open(&run);
    assert_ids(&run, 0, USEC_FOREVER, "");
    assert_true(append_plain_end(&run, 0, 10, 1));
    assert_true(append_plain_end(&run, 1, 20, 2));
    assert_true(append_begin(run.journal, 1, 3));
    run_close(&run);
    run_open(&run);
    assert_true(append_plain_end(&run, 0, 30, 4));
    assert_ids(&run, 0, USEC_FOREVER, "4@30 2@20 1@10 ");
    assert_ids(&run, 15, 25, "2@20 ");
    assert_ids(&run, 20, 30, "4@30 2@20 ");
    run_close(&run);
}

/* ---- requests that a killed process left open ---- */

/* Number of ENDs of state aborted, and of all. */
static void count_ends(struct run *run, unsigned *ret_aborted, unsigned *ret_all)
{
    struct ledger_reader reader;
    const struct ledger_end *end;
    *ret_aborted = *ret_all = 0;
    assert_int_equal(ledger_read(&reader, run->journal, 0, USEC_FOREVER), ERR_OK);
    while ((end = ledger_read_next(&reader))) {
        *ret_aborted += end->state == LEDGER_ABORTED;
        ++*ret_all;
    }
    ledger_read_close(&reader);
}

static void assert_ends(struct run *run, unsigned aborted, unsigned all)
{
    unsigned aborted_now, all_now;
    count_ends(run, &aborted_now, &all_now);
    assert_int_equal(aborted_now, aborted);
    assert_int_equal(all_now, all);
    assert_int_equal(requests_in_table(run), all);
}

static void test_open_requests_end_once(void **state)
{
    (void)state;
    struct run run;
    run_open(&run);
    assert_true(append_begin(run.journal, 0, 1));
    assert_true(append_begin(run.journal, 0, 2));
    assert_true(append_begin(run.journal, 1, 3));
    assert_true(append_plain_end(&run, 0, clock_realtime(), 1));
    collect(&run);
    assert_ends(&run, 0, 1);
    run_close(&run);
    for (unsigned round = 0; round < 3; round++) {
        run_open(&run);
        collect(&run);
        assert_ends(&run, 2, 3);
        run_close(&run);
    }
    /* The first to tell what became of them is believed, even by a store that has forgotten everything. */
    assert_int_equal(unlink(in_folder(DB_FILE)), 0);
    run_open(&run);
    collect(&run);
    assert_ends(&run, 2, 3);
    struct ledger_reader reader;
    assert_int_equal(ledger_read(&reader, run.journal, 0, USEC_FOREVER), ERR_OK);
    const struct ledger_end *end = ledger_read_next(&reader);
    assert_non_null(end);
    assert_int_equal(end->state, LEDGER_ABORTED);
    assert_int_equal(end->access.status, 0);
    assert_true(end->id == 2 || end->id == 3);
    assert_true(str_eq(end->access.user, STR("alice")) && str_eq(end->access.model, STR("gpt")));
    ledger_read_close(&reader);
    run_close(&run);
}

/* Its recovery is cut off between the journal and the store. */
static void test_recovery_that_is_cut_off_goes_on(void **state)
{
    (void)state;
    struct run run;
    bool has_more;
    run_open(&run);
    for (uint64_t id = 1; id <= 10; id++)
        assert_true(append_begin(run.journal, 0, id));
    run_close(&run);
    for (unsigned round = 0; round < 3; round++) {
        struct db other;
        run_open(&run);
        assert_int_equal(db_open(&other, in_folder(DB_FILE), run.why), ERR_OK);
        assert_int_equal(db_exec(&other, "BEGIN IMMEDIATE", run.why), ERR_OK);
        run.ledger->pending_count = MIN(run.ledger->pending_count, 4); /* only some were written */
        assert_int_equal(ledger_collect(run.ledger, &has_more, run.why), ERR_BUSY);
        db_close(&other);
        run_close(&run);
    }
    run_open(&run);
    collect(&run);
    assert_ends(&run, 10, 10);
    run_close(&run);
}

static void test_recovery_waits_for_room(void **state)
{
    (void)state;
    struct run run;
    char large[RECORD_PAYLOAD_MAX] = "";
    bool has_more;
    run_open(&run);
    assert_true(append_begin(run.journal, 0, 1));
    run_close(&run);
    run_open(&run);
    while (journal_append(run.ledger->writer, 99, 1, (struct str){large, sizeof(large)}))
        continue;
    while (journal_append(run.ledger->writer, 99, 1, STR_NONE))
        continue;
    assert_int_equal(ledger_collect(run.ledger, &has_more, run.why), ERR_LIMIT);
    assert_ends(&run, 0, 0);
    journal_tend(run.journal, clock_monotonic());
    collect(&run);
    assert_ends(&run, 1, 1);
    run_close(&run);
}

/* What a run that ended in peace has written is not gone over again. */
static void test_finished_run_is_settled(void **state)
{
    (void)state;
    struct run run;
    run_open(&run);
    assert_true(append_begin(run.journal, 0, 1));
    assert_true(append_plain_end(&run, 0, clock_realtime(), 1));
    collect(&run);
    assert_int_equal(ledger_finish(run.ledger, run.why), ERR_OK);
    run_close(&run);
    run_open(&run);
    assert_int_equal(run.ledger->settle_upto, 0);
    assert_true(append_begin(run.journal, 0, 1));
    run_close(&run);
    run_open(&run);
    assert_int_not_equal(run.ledger->settle_upto, 0);
    assert_int_equal(ledger_finish(run.ledger, run.why), ERR_OK); /* not yet: one is open */
    run_close(&run);
    run_open(&run);
    collect(&run);
    assert_ends(&run, 1, 2);
    run_close(&run);
}

static void test_run_that_dropped_records_is_not_settled(void **state)
{
    (void)state;
    struct run run;
    run_open(&run);
    collect(&run);
    assert_true(append_begin(run.journal, 0, 1));
    unsigned dropped = 0;
    while (dropped == 0)
        dropped += !append_plain_end(&run, 1, 1, 1);
    assert_int_equal(ledger_finish(run.ledger, run.why), ERR_OK);
    run_close(&run);
    run_open(&run);
    assert_int_not_equal(run.ledger->settle_upto, 0);
    run_close(&run);
}

/* ---- kill -9 ---- */

/* What the processes that are killed have said, in memory that outlives them. */
struct said {
    _Atomic uint64_t begun[WRITERS], ended[WRITERS]; /* records whose append has returned */
    _Atomic uint64_t next_id;
};

struct client {
    struct run *run;
    struct said *said;
    unsigned writer;
};

/* Each request begins and ends, with up to eight open at a time. */
static void *serve(void *argument)
{
    struct client *client = argument;
    struct rng rng;
    uint64_t open[8];
    unsigned count = 0;
    rng_init_random(&rng);
    for (;;) {
        if (count < ARRAY_LEN(open) && rng_below(&rng, 2)) {
            open[count] = atomic_fetch_add(&client->said->next_id, 1);
            if (!append_begin(client->run->journal, client->writer, open[count])) {
                usleep(500);
                continue;
            }
            count++;
            atomic_fetch_add(&client->said->begun[client->writer], 1);
        } else if (count > 0) {
            while (!append_plain_end(client->run, client->writer, clock_realtime(), open[count - 1]))
                usleep(500);
            count--;
            atomic_fetch_add(&client->said->ended[client->writer], 1);
        }
    }
    return NULL;
}

static void run_victim(struct said *said)
{
    static struct run run;
    static struct client clients[WRITERS - 1];
    pthread_t thread;
    bool has_more;
    memset(&run, 0, sizeof(run));
    if (try_run_open(&run) != ERR_OK)
        _exit(1);
    for (unsigned i = 0; i < WRITERS - 1; i++) {
        clients[i] = (struct client){&run, said, i};
        if (pthread_create(&thread, NULL, serve, &clients[i]) != 0)
            _exit(1);
    }
    for (;;) {
        journal_tend(run.journal, clock_monotonic());
        if (ledger_collect(run.ledger, &has_more, run.why) != ERR_OK)
            _exit(2);
        usleep(300);
    }
}

/* The journal's BEGINs and ENDs: each BEGIN has one END. */
static void check_journal(struct run *run, uint64_t *ret_begun, uint64_t *ret_ended)
{
    struct journal_cursor cursor;
    struct record record;
    const struct segment *segment;
    struct open_requests begun = {0};
    *ret_begun = *ret_ended = 0;
    assert_int_equal(journal_cursor_open(&cursor, run->journal, false, 0, USEC_FOREVER), ERR_OK);
    while (journal_cursor_next(&cursor, &record, &segment)) {
        struct ledger_begin begin;
        struct ledger_end end;
        if (record.kind == LEDGER_BEGIN) {
            assert_true(ledger_begin_decode(record.payload, &begin));
            assert_true(open_requests_add(&begun, segment->instance, begin.id, 1, 0));
            assert_int_equal(begun.count, ++*ret_begun - *ret_ended);
        } else {
            assert_true(ledger_end_decode(record.payload, record.time, &end));
            open_requests_remove(&begun, end.run != 0 ? end.run : segment->instance, end.id);
            assert_int_equal(begun.count, *ret_begun - ++*ret_ended);
        }
    }
    assert_int_equal(begun.count, 0);
    open_requests_free(&begun);
    journal_cursor_close(&cursor);
}

static uint64_t sum_of(const _Atomic uint64_t *counts)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < WRITERS; i++)
        sum += atomic_load(&counts[i]);
    return sum;
}

static void test_kill_at_any_moment(void **state)
{
    (void)state;
    struct said *said = mmap(NULL, sizeof(*said), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(said != MAP_FAILED);
    struct rng rng;
    rng_init(&rng, 5);
    for (unsigned round = 1; round <= 10; round++) {
        struct run run;
        uint64_t begun, ended, begun_before = sum_of(said->begun);
        pid_t child = fork();
        if (child == 0)
            run_victim(said);
        assert_true(child > 0);
        /* Every other one is killed at any moment of its start: while it ends what the one before left open. */
        if (round % 2)
            while (sum_of(said->begun) == begun_before && waitpid(child, NULL, WNOHANG) == 0)
                usleep(100);
        usleep((useconds_t)rng_below(&rng, 50000));
        kill(child, SIGKILL);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        if (round % 4 == 2)
            continue; /* two in a row */
        run_open(&run);
        collect(&run);
        check_journal(&run, &begun, &ended);
        /* At most one record a writer and kill was complete without its append having returned. */
        assert_in_range(begun, sum_of(said->begun), sum_of(said->begun) + round * (WRITERS - 1));
        assert_true(ended >= sum_of(said->ended));
        assert_int_equal(requests_in_table(&run), ended);
        assert_int_equal(query(&run, "SELECT sum(cost_nano_usd) FROM usage_ledger WHERE server = 'one'"),
                         1000 * query(&run, "SELECT sum(requests) FROM usage_ledger WHERE server = 'one'"));
        struct journal_numbers numbers;
        journal_read_numbers(run.journal, &numbers);
        assert_int_equal(numbers.unreadable, 0);
        run_close(&run);
    }
    assert_true(sum_of(said->ended) > 0);
    munmap(said, sizeof(*said));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_adds_up_by_hour_user_server_and_model, folder_make,
                                        folder_remove),
        cmocka_unit_test_setup_teardown(test_counts_once_over_restarts, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(test_busy_store_loses_nothing, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(test_failed_transaction_counts_nothing, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(test_many_rows_take_several_batches, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(test_unknown_records_are_passed_over, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(test_positions_of_files_that_are_gone_go, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(test_request_log_newest_first, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(test_open_requests_end_once, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(test_recovery_that_is_cut_off_goes_on, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(test_recovery_waits_for_room, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(test_finished_run_is_settled, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(test_run_that_dropped_records_is_not_settled, folder_make,
                                        folder_remove),
        cmocka_unit_test_setup_teardown(test_kill_at_any_moment, folder_make, folder_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
