/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdbool.h>

/* A disk that is full when the test says so. */
static bool disk_is_full;

static int fallocate_or_full(int fd, off_t offset, off_t len);
#define posix_fallocate fallocate_or_full
#include "../../../src/store/segment.c"
#undef posix_fallocate

#include "../../../src/store/journal.c"
#include "store/journal_cursor.h"

#include "folder.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <cmocka.h>

static int fallocate_or_full(int fd, off_t offset, off_t len)
{
    return disk_is_full ? ENOSPC : posix_fallocate(fd, offset, len);
}

static const struct journal_limits wide = {.max_bytes = UINT64_MAX, .max_age = USEC_FOREVER};

static struct journal *open_journal(unsigned writers)
{
    char why[JOURNAL_WHY_MAX];
    struct journal *journal;
    assert_int_equal(journal_open(folder, writers, wide, &journal, why), ERR_OK);
    return journal;
}

static struct journal_numbers numbers_of(const struct journal *journal)
{
    struct journal_numbers numbers;
    journal_read_numbers(journal, &numbers);
    return numbers;
}

static bool append_text(struct journal *journal, unsigned writer, usec_t time, const char *text)
{
    return journal_append(journal_writer(journal, writer), 7, time, str_from(text));
}

/* All payloads, in the order of the cursor, with a space behind each. */
static void assert_reads(struct journal *journal, bool is_newest_first, usec_t from, usec_t to,
                         const char *expected)
{
    char seen[512] = "";
    size_t len = 0;
    struct journal_cursor cursor;
    struct record record;
    assert_int_equal(journal_cursor_open(&cursor, journal, is_newest_first, from, to), ERR_OK);
    while (journal_cursor_next(&cursor, &record, NULL)) {
        assert_int_equal(record.kind, 7);
        len += (size_t)snprintf(seen + len, sizeof(seen) - len, STR_FMT " ", STR_ARG(record.payload));
    }
    journal_cursor_close(&cursor);
    assert_string_equal(seen, expected);
}

static void test_merges_writers_by_time(void **state)
{
    (void)state;
    struct journal *journal = open_journal(3);
    assert_reads(journal, true, 0, USEC_FOREVER, "");
    assert_true(append_text(journal, 0, 10, "a"));
    assert_true(append_text(journal, 2, 20, "b"));
    assert_true(append_text(journal, 0, 30, "c"));
    assert_true(append_text(journal, 1, 40, "d"));
    assert_true(append_text(journal, 2, 15, "e")); /* raised to 20 */
    assert_reads(journal, false, 0, USEC_FOREVER, "a b e c d ");
    assert_reads(journal, true, 0, USEC_FOREVER, "d c e b a ");
    assert_reads(journal, true, 20, 30, "c e b ");
    assert_reads(journal, false, 20, 30, "b e c ");
    assert_reads(journal, true, 41, USEC_FOREVER, "");
    assert_reads(journal, false, 0, 9, "");
    journal_close(journal);
    /* Again from sealed files, beside new records. */
    journal = open_journal(1);
    assert_reads(journal, true, 20, 30, "c e b ");
    assert_true(append_text(journal, 0, 50, "f"));
    assert_reads(journal, true, 0, USEC_FOREVER, "f d c e b a ");
    assert_reads(journal, false, 0, USEC_FOREVER, "a b e c d f ");
    assert_int_equal(numbers_of(journal).torn, 0);
    journal_close(journal);
}

static void test_only_one_process(void **state)
{
    (void)state;
    char why[JOURNAL_WHY_MAX];
    struct journal *journal = open_journal(1), *other;
    assert_int_equal(file_mode(in_folder(journal->segments[0]->name)), 0600);
    assert_int_equal(journal_open(folder, 1, wide, &other, why), ERR_BUSY);
    assert_non_null(strstr(why, "in use by another process"));
    journal_close(journal);
}

static void test_empty_and_large_payloads(void **state)
{
    (void)state;
    static char large[RECORD_PAYLOAD_MAX];
    struct journal *journal = open_journal(1);
    struct journal_cursor cursor;
    struct record record;
    memset(large, 'x', sizeof(large));
    assert_true(
        journal_append(journal_writer(journal, 0), UINT16_MAX, 1, (struct str){large, sizeof(large)}));
    assert_true(journal_append(journal_writer(journal, 0), 0, 2, STR_NONE));
    assert_int_equal(journal_cursor_open(&cursor, journal, true, 0, USEC_FOREVER), ERR_OK);
    assert_true(journal_cursor_next(&cursor, &record, NULL));
    assert_int_equal(record.payload.len, 0);
    assert_true(journal_cursor_next(&cursor, &record, NULL));
    assert_int_equal(record.kind, UINT16_MAX);
    assert_true(str_eq(record.payload, (struct str){large, sizeof(large)}));
    assert_false(journal_cursor_next(&cursor, &record, NULL));
    journal_cursor_close(&cursor);
    journal_close(journal);
}

/* Fills more than one file. */
static unsigned append_many(struct journal *journal, unsigned writer, unsigned count, usec_t from)
{
    char payload[RECORD_PAYLOAD_MAX] = "";
    unsigned done = 0;
    for (unsigned i = 0; i < count; i++)
        done += journal_append(journal_writer(journal, writer), 7, from + i,
                               (struct str){payload, sizeof(payload)});
    return done;
}

#define PER_SEGMENT 63u /* records with a full payload */

static void mark_read(struct journal *journal)
{
    for (size_t i = 0; i < journal_segment_count(journal); i++)
        journal_segment(journal, i)->read = segment_used(journal_segment(journal, i));
}

static void test_full_disk_drops_and_recovers(void **state)
{
    (void)state;
    struct journal *journal = open_journal(1);
    disk_is_full = true;
    assert_int_equal(append_many(journal, 0, PER_SEGMENT, 1), PER_SEGMENT);
    assert_int_equal(append_many(journal, 0, 1, 2), 0); /* the next file was never made */
    journal_tend(journal, 1);
    assert_int_equal(numbers_of(journal).state, JOURNAL_NO_SPACE);
    assert_string_equal(journal_state_text(numbers_of(journal).state), "degraded: no space");
    assert_int_equal(append_many(journal, 0, 1, 3), 0);
    assert_int_equal(numbers_of(journal).dropped, 2);
    assert_int_equal(numbers_of(journal).segments, 1);
    disk_is_full = false;
    journal_tend(journal, 2);
    assert_int_equal(numbers_of(journal).state, JOURNAL_OK);
    assert_int_equal(append_many(journal, 0, 1, 4), 1);
    assert_int_equal(numbers_of(journal).dropped, 2);
    journal_close(journal);
}

static void test_opens_on_a_full_disk(void **state)
{
    (void)state;
    disk_is_full = true;
    struct journal *journal = open_journal(2);
    disk_is_full = false;
    assert_int_equal(numbers_of(journal).state, JOURNAL_NO_SPACE);
    assert_false(append_text(journal, 1, 1, "lost"));
    journal_tend(journal, 1);
    assert_true(append_text(journal, 1, 1, "kept"));
    journal_close(journal);
}

/* The kernel itself refuses to make room. */
static void test_limit_of_file_sizes(void **state)
{
    (void)state;
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = (struct rlimit){SEGMENT_SIZE / 2, before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    struct journal *journal = open_journal(1);
    assert_int_equal(append_many(journal, 0, PER_SEGMENT, 1), PER_SEGMENT);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    journal_tend(journal, 1);
    assert_int_equal(append_many(journal, 0, 1, 1), 0);
    assert_int_equal(numbers_of(journal).state, JOURNAL_NO_SPACE);
    assert_int_equal(numbers_of(journal).segments, 1);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    journal_tend(journal, 2);
    assert_int_equal(numbers_of(journal).state, JOURNAL_OK);
    assert_int_equal(append_many(journal, 0, 1, 1), 1);
    journal_close(journal);
    signal(SIGXFSZ, SIG_DFL);
}

/* A real file system of 10 MiB, where this user may mount one. */
static void test_full_file_system(void **state)
{
    (void)state;
    char options[] = "size=10m";
    if (mount("none", folder, "tmpfs", 0, options) != 0) {
        assert_true(errno == EPERM || errno == EACCES);
        skip();
    }
    struct journal *journal = open_journal(1);
    unsigned kept = 0;
    for (unsigned i = 0; i < 5; i++) {
        kept += append_many(journal, 0, PER_SEGMENT, 1);
        journal_tend(journal, i);
    }
    assert_int_equal(kept, 2 * PER_SEGMENT);
    assert_int_equal(numbers_of(journal).state, JOURNAL_NO_SPACE);
    assert_int_equal(numbers_of(journal).dropped, 3 * PER_SEGMENT);
    mark_read(journal);
    journal_set_limits(journal, (struct journal_limits){.max_bytes = 5 << 20, .max_age = USEC_FOREVER});
    journal_tend(journal, 6); /* removes the oldest */
    journal_tend(journal, 7); /* finds the space */
    assert_int_equal(numbers_of(journal).state, JOURNAL_OK);
    assert_true(append_text(journal, 0, 2, "kept"));
    journal_close(journal);
    assert_int_equal(umount(folder), 0);
}

static void test_limits_remove_the_oldest_that_was_read(void **state)
{
    (void)state;
    struct journal *journal = open_journal(1);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(append_many(journal, 0, PER_SEGMENT, 1 + i * PER_SEGMENT), PER_SEGMENT);
        journal_tend(journal, i);
    }
    journal_set_limits(journal,
                       (struct journal_limits){.max_bytes = 3 * SEGMENT_SIZE, .max_age = USEC_FOREVER});
    journal_tend(journal, 10);
    size_t before = journal_segment_count(journal);
    assert_true(before >= 5);
    assert_int_equal(numbers_of(journal).unread_bytes,
                     4 * (segment_used(journal_segment(journal, 0)) - SEGMENT_FIRST));
    uint64_t second = journal_segment(journal, 1)->number;
    /* The second and third have been read, the first has not. */
    journal_segment(journal, 1)->read = journal_segment(journal, 2)->read = SEGMENT_SIZE;
    journal_tend(journal, 11);
    assert_int_equal(journal_segment_count(journal), before - 2);
    assert_true(journal_segment(journal, 0)->number < second);
    /* A reader keeps what it reads, though its file goes. */
    struct journal_cursor cursor;
    struct record record;
    assert_int_equal(journal_cursor_open(&cursor, journal, false, 0, USEC_FOREVER), ERR_OK);
    assert_true(journal_cursor_next(&cursor, &record, NULL));
    mark_read(journal);
    journal_set_limits(journal, (struct journal_limits){.max_bytes = 1, .max_age = USEC_FOREVER});
    journal_tend(journal, 12);
    unsigned count = 1;
    for (; journal_cursor_next(&cursor, &record, NULL); count++)
        assert_int_equal(record.time, count < PER_SEGMENT ? count + 1 : 2 * PER_SEGMENT + count + 1);
    assert_int_equal(count, 2 * PER_SEGMENT); /* the first file, and the fourth, which is being written to */
    journal_cursor_close(&cursor);
    for (size_t i = 0; i < journal_segment_count(journal); i++)
        assert_false(journal_segment(journal, i)->is_finished);
    journal_close(journal);
}

static void test_age_limit(void **state)
{
    (void)state;
    struct journal *journal = open_journal(2);
    usec_t now = clock_realtime();
    assert_true(append_text(journal, 0, now - 10 * USEC_PER_SEC, "old"));
    assert_true(append_text(journal, 1, now, "new"));
    journal_close(journal);
    journal = open_journal(1);
    mark_read(journal);
    journal_set_limits(journal,
                       (struct journal_limits){.max_bytes = UINT64_MAX, .max_age = 5 * USEC_PER_SEC});
    journal_tend(journal, 1);
    assert_reads(journal, true, 0, USEC_FOREVER, "new ");
    journal_close(journal);
}

static void test_sync_lag_and_sync(void **state)
{
    (void)state;
    struct journal *journal = open_journal(1);
    usec_t now = clock_monotonic();
    assert_true(append_text(journal, 0, 1, "a"));
    journal_tend(journal, now + USEC_PER_SEC / 2); /* too early for the disk */
    assert_true(numbers_of(journal).unsynced_bytes > 0);
    assert_true(numbers_of(journal).sync_lag > 0);
    assert_int_equal(journal_sync(journal), ERR_OK);
    journal_tend(journal, now + USEC_PER_SEC / 2 + 1);
    assert_int_equal(numbers_of(journal).unsynced_bytes, 0);
    assert_int_equal(numbers_of(journal).sync_lag, 0);
    assert_true(append_text(journal, 0, 2, "b"));
    journal_tend(journal, now + 10 * USEC_PER_SEC); /* starts the job */
    sync_wait(&journal->sync);
    journal_tend(journal, now + 10 * USEC_PER_SEC + 1); /* sees its end */
    assert_int_equal(numbers_of(journal).unsynced_bytes, 0);
    journal_close(journal);
}

static void test_full_files_are_closed_once_on_the_disk(void **state)
{
    (void)state;
    struct journal *journal = open_journal(1);
    assert_int_equal(append_many(journal, 0, PER_SEGMENT, 1), PER_SEGMENT);
    journal_tend(journal, 1);                        /* makes the next one */
    assert_int_equal(journal_sync(journal), ERR_OK); /* all of it, before anyone knows that it is full */
    assert_int_equal(append_many(journal, 0, 1, 1), 1);
    journal_tend(journal, 1);
    assert_true(journal_segment(journal, 0)->is_finished);
    assert_int_equal(journal_sync(journal), ERR_OK);
    assert_int_equal(journal_segment(journal, 0)->fd, -1);
    assert_true(journal_segment(journal, 1)->fd >= 0);
    journal_close(journal);
    journal = open_journal(1); /* sealed: nothing to be done */
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(journal_segment(journal, i)->fd, -1);
    journal_close(journal);
}

/* ---- damaged files ---- */

static void copy_as_crashed(char *to)
{
    /* What a kill leaves: the file as it is, not sealed. */
    struct journal *journal = open_journal(1);
    assert_true(append_text(journal, 0, 1, "first"));
    assert_true(append_text(journal, 0, 2, "second"));
    assert_true(append_text(journal, 0, 3, "third"));
    size_t len;
    char *content = file_content(in_folder(journal->segments[0]->name), &len);
    strcpy(to, journal->segments[0]->name);
    journal_close(journal);
    file_write(in_folder(to), content, len);
    free(content);
}

static void damage(const char *name, size_t at, const void *bytes, size_t len)
{
    int fd = open(in_folder(name), O_RDWR);
    assert_true(fd >= 0 && pwrite(fd, bytes, len, (off_t)at) == (ssize_t)len);
    close(fd);
}

#define RECORD_LEN 40u /* of the three in copy_as_crashed */

static void test_seals_what_crashed(void **state)
{
    (void)state;
    char name[SEGMENT_NAME_MAX] = "";
    copy_as_crashed(name);
    struct journal *journal = open_journal(1);
    assert_reads(journal, true, 0, USEC_FOREVER, "third second first ");
    assert_int_equal(numbers_of(journal).torn, 0);
    assert_int_equal(segment_bytes(journal_segment(journal, 0)), SEGMENT_FIRST + 3 * RECORD_LEN);
    journal_close(journal);
}

static void test_every_damaged_byte_of_a_crashed_file(void **state)
{
    (void)state;
    char name[SEGMENT_NAME_MAX] = "";
    copy_as_crashed(name);
    size_t len;
    char *content = file_content(in_folder(name), &len);
    for (size_t at = SEGMENT_FIRST + RECORD_LEN; at < SEGMENT_FIRST + 2 * RECORD_LEN; at++) {
        file_write(in_folder(name), content, len);
        damage(name, at, &(char){(char)(content[at] ^ 0x41)}, 1);
        struct journal *journal = open_journal(1);
        bool is_padding =
            at >= SEGMENT_FIRST + RECORD_LEN + 24 + 6 && at < SEGMENT_FIRST + 2 * RECORD_LEN - 8;
        assert_reads(journal, true, 0, USEC_FOREVER, is_padding ? "third second first " : "first ");
        assert_int_equal(numbers_of(journal).torn, !is_padding);
        journal_close(journal);
    }
    free(content);
}

static void test_used_is_not_believed(void **state)
{
    (void)state;
    char name[SEGMENT_NAME_MAX] = "";
    copy_as_crashed(name);
    damage(name, offsetof(struct segment_head, used), &(uint64_t){SEGMENT_FIRST + 4000}, 8);
    struct journal *journal = open_journal(1);
    assert_reads(journal, false, 0, USEC_FOREVER, "first second third ");
    assert_int_equal(numbers_of(journal).torn, 1);
    journal_close(journal);
    copy_as_crashed(name);
    damage(name, offsetof(struct segment_head, used), &(uint64_t){SEGMENT_FIRST}, 8);
    journal = open_journal(1);
    assert_int_equal(segment_bytes(journal_segment(journal, 1)), SEGMENT_FIRST + 3 * RECORD_LEN);
    journal_close(journal);
}

static void test_damage_in_a_sealed_file_is_counted(void **state)
{
    (void)state;
    struct journal *journal = open_journal(1);
    char name[SEGMENT_NAME_MAX] = "";
    assert_true(append_text(journal, 0, 1, "first"));
    assert_true(append_text(journal, 0, 2, "second"));
    strcpy(name, journal->segments[0]->name);
    journal_close(journal);
    damage(name, SEGMENT_FIRST + RECORD_LEN + 25, "X", 1);
    journal = open_journal(1);
    assert_reads(journal, false, 0, USEC_FOREVER, "first ");
    assert_int_equal(numbers_of(journal).torn, 1);
    assert_reads(journal, true, 0, USEC_FOREVER, "");
    assert_int_equal(numbers_of(journal).torn, 2);
    journal_close(journal);
}

static void test_foreign_files_are_left_alone(void **state)
{
    (void)state;
    char name[SEGMENT_NAME_MAX] = "";
    copy_as_crashed(name);
    size_t len;
    char *content = file_content(in_folder(name), &len);
    file_write(in_folder("w000-copy.journal"), content, len); /* would count everything twice */
    file_write(in_folder("short.journal"), "x", 1);
    file_write(in_folder("other.txt"), "x", 1);
    free(content);
    damage(name, 8, &(uint32_t){VERSION + 1}, 4);
    /* Cut off while they were made: these are ours. */
    static const char zeros[4096];
    file_write(in_folder("w000-0000000000000001.journal"), zeros, sizeof(zeros));
    file_write(in_folder("w000-0000000000000002.journal"), zeros, 0);
    struct journal *journal = open_journal(1);
    assert_reads(journal, true, 0, USEC_FOREVER, "");
    assert_int_equal(numbers_of(journal).unreadable, 3);
    journal_close(journal);
    assert_int_not_equal(access(in_folder("w000-0000000000000001.journal"), F_OK), 0);
    assert_int_not_equal(access(in_folder("w000-0000000000000002.journal"), F_OK), 0);
    assert_int_equal(access(in_folder(name), F_OK), 0);
    assert_int_equal(access(in_folder("w000-copy.journal"), F_OK), 0);
}

/* ---- threads ---- */

#define THREADS 3u
#define PER_THREAD 30000u

struct appender {
    struct journal *journal;
    unsigned index;
    _Atomic uint64_t
        *done; /* number of the last record whose append has returned; may be shared with a process */
    uint64_t stop_at;
};

static void *append_numbers(void *argument)
{
    struct appender *appender = argument;
    struct journal_writer *writer = journal_writer(appender->journal, appender->index);
    for (uint64_t number = 1; number <= appender->stop_at; number++) {
        char text[400];
        memset(text, 'a' + (int)(number % 26), sizeof(text));
        memcpy(text, &number, sizeof(number));
        /* Of several lengths; one that finds no file comes again when the keeper has made one. */
        while (!journal_append(writer, appender->index, number, (struct str){text, 8 + (size_t)number % 390}))
            usleep(1000);
        atomic_store(appender->done, number);
    }
    return NULL;
}

/* Every writer's records, from either end: numbers without a gap. Returns how many there are. */
static void count_numbers(struct journal *journal, bool is_newest_first, uint64_t *ret_counts)
{
    struct journal_cursor cursor;
    struct record record;
    uint64_t last[THREADS] = {0}, number;
    memset(ret_counts, 0, THREADS * sizeof(uint64_t));
    assert_int_equal(journal_cursor_open(&cursor, journal, is_newest_first, 0, USEC_FOREVER), ERR_OK);
    while (journal_cursor_next(&cursor, &record, NULL)) {
        assert_true(record.kind < THREADS && record.payload.len >= 8);
        memcpy(&number, record.payload.ptr, sizeof(number));
        assert_int_equal(record.payload.len, 8 + number % 390);
        for (size_t i = 8; i < record.payload.len; i++)
            assert_int_equal(record.payload.ptr[i], 'a' + (int)(number % 26));
        if (last[record.kind] != 0)
            assert_int_equal(number, is_newest_first ? last[record.kind] - 1 : last[record.kind] + 1);
        else if (!is_newest_first)
            assert_int_equal(number, 1);
        last[record.kind] = number;
        ret_counts[record.kind]++;
    }
    journal_cursor_close(&cursor);
    for (unsigned i = 0; is_newest_first && i < THREADS; i++)
        assert_true(ret_counts[i] == 0 || last[i] == 1);
}

static void test_reads_while_threads_append(void **state)
{
    (void)state;
    struct journal *journal = open_journal(THREADS);
    struct appender appenders[THREADS];
    pthread_t threads[THREADS];
    _Atomic uint64_t done[THREADS] = {0};
    uint64_t counts[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        appenders[i] = (struct appender){journal, i, &done[i], PER_THREAD};
        assert_int_equal(pthread_create(&threads[i], NULL, append_numbers, &appenders[i]), 0);
    }
    for (usec_t now = clock_monotonic();;
         now += USEC_PER_SEC) { /* a clock that runs: each turn begins a job */
        uint64_t before[THREADS], all = 0;
        for (unsigned i = 0; i < THREADS; i++)
            all += before[i] = atomic_load(&done[i]);
        journal_tend(journal, now);
        count_numbers(journal, all % 2, counts);
        for (unsigned i = 0; i < THREADS; i++)
            assert_true(counts[i] >= before[i]);
        if (all == THREADS * PER_THREAD)
            break;
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_true(journal_segment_count(journal) > 2 * THREADS);
    journal_close(journal);
}

/* ---- kill -9 ---- */

/* Appends until it is killed. */
static void run_victim(_Atomic uint64_t *done)
{
    char why[JOURNAL_WHY_MAX];
    struct journal *journal;
    struct appender appenders[THREADS];
    pthread_t thread;
    if (journal_open(folder, THREADS, wide, &journal, why) != ERR_OK)
        _exit(1);
    for (unsigned i = 0; i < THREADS; i++) {
        appenders[i] = (struct appender){journal, i, &done[i], UINT64_MAX};
        if (pthread_create(&thread, NULL, append_numbers, &appenders[i]) != 0)
            _exit(1);
    }
    for (;;) {
        journal_tend(journal, clock_monotonic());
        usleep(500);
    }
}

static void test_kill_keeps_what_was_appended(void **state)
{
    (void)state;
    size_t size = THREADS * sizeof(uint64_t);
    _Atomic uint64_t *done = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(done != MAP_FAILED);
    struct rng rng;
    rng_init(&rng, 3);
    for (unsigned round = 0; round < 12; round++) {
        uint64_t counts[THREADS];
        memset((void *)done, 0, size);
        pid_t child = fork();
        if (child == 0)
            run_victim(done);
        assert_true(child > 0);
        while (atomic_load(&done[0]) == 0)
            usleep(100);
        usleep((useconds_t)rng_below(&rng, 60000));
        assert_int_equal(kill(child, SIGKILL), 0);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        struct journal *journal = open_journal(1);
        count_numbers(journal, round % 2, counts);
        for (unsigned i = 0; i < THREADS; i++) /* the one that was being appended may be there or not */
            assert_true(counts[i] == atomic_load(&done[i]) || counts[i] == atomic_load(&done[i]) + 1);
        mark_read(journal);
        journal_set_limits(journal, (struct journal_limits){.max_bytes = 0, .max_age = USEC_FOREVER});
        journal_tend(journal, clock_monotonic());
        journal_close(journal);
    }
    munmap((void *)done, size);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_merges_writers_by_time, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(test_only_one_process, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(test_empty_and_large_payloads, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(test_full_disk_drops_and_recovers, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(test_opens_on_a_full_disk, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(test_limit_of_file_sizes, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(test_full_file_system, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(test_limits_remove_the_oldest_that_was_read, folder_make,
                                        folder_remove),
        cmocka_unit_test_setup_teardown(test_age_limit, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(test_sync_lag_and_sync, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(test_full_files_are_closed_once_on_the_disk, folder_make,
                                        folder_remove),
        cmocka_unit_test_setup_teardown(test_seals_what_crashed, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(test_every_damaged_byte_of_a_crashed_file, folder_make,
                                        folder_remove),
        cmocka_unit_test_setup_teardown(test_used_is_not_believed, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(test_damage_in_a_sealed_file_is_counted, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(test_foreign_files_are_left_alone, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(test_reads_while_threads_append, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(test_kill_keeps_what_was_appended, folder_make, folder_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
