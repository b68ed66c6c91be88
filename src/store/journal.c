/* SPDX-License-Identifier: Apache-2.0 */
#include "store/journal.h"

#include "base/rng.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define RING 8u /* files of one writer that the keeper has not taken over yet: prepared, written to, full */
#define SPARES_MAX 6u /* prepared ones of them */
#define SYNC_MAX 256u /* files in one go of the sync thread */
#define SYNC_PAUSE (1 * USEC_PER_SEC)
#define CACHE_LINE 64
#define WARM_MIN ((size_t)64 << 10) /* bytes ahead of a writer that are ready to be written */

/* A file's number is also its place in the ring, modulo RING:
 *   finished <= taken <= handed <= finished + RING
 * The writer writes to taken - 1; [finished, taken - 1) are full; [taken, handed) are prepared. */
struct journal_writer {
    /* The writer's. */
    _Alignas(CACHE_LINE) struct segment *active;
    usec_t last_time;
    _Atomic uint64_t taken, dropped;
    /* The keeper's. */
    _Alignas(CACHE_LINE) _Atomic uint64_t handed;
    struct segment *ring[RING];
    uint64_t finished;
    uint64_t taken_before, written_before; /* at the last tend: files, bytes of all of them */
    unsigned spares_wanted;
};

struct sync_item {
    struct segment *segment; /* not removed before the job has ended; the thread knows the descriptor only */
    int fd;
    size_t upto;
};

/* A thread that brings files to the disk, one job at a time. */
struct sync {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_started, is_busy, is_ending;
    /* The job: the keeper's while !is_busy. */
    struct sync_item items[SYNC_MAX];
    size_t count;
    int directory;            /* to be synced too, or -1 */
    bool has_job, is_partial; /* partial: there was more than a job holds */
    int failure;              /* errno of one that failed */
};

struct shared_numbers {
    _Atomic uint64_t state, bytes, segments, unread_bytes, torn, unreadable, unsynced_bytes, sync_lag;
};

struct journal {
    int directory;
    uint64_t instance, last_number;
    struct journal_limits limits;
    struct segment **segments; /* in the order of their numbers */
    size_t count, capacity;
    struct journal_writer *writers;
    unsigned writer_count;
    enum journal_state create_state;
    bool sync_fails, has_new_names;
    usec_t synced_at; /* monotonic: when the last job began */
    usec_t clean_at;  /* monotonic: when all that there was is known to have been on the disk */
    struct sync sync;
    struct shared_numbers numbers;
};

const char *journal_state_text(enum journal_state state)
{
    static const char *const texts[] = {"ok", "degraded: no space", "degraded: cannot write"};
    ASSERT((size_t)state < ARRAY_LEN(texts));
    return texts[state];
}

static void set_number(_Atomic uint64_t *number, uint64_t value)
{
    atomic_store_explicit(number, value, memory_order_relaxed);
}

static uint64_t get_number(const _Atomic uint64_t *number)
{
    return atomic_load_explicit(number, memory_order_relaxed);
}

static void count_up(_Atomic uint64_t *number)
{
    atomic_fetch_add_explicit(number, 1, memory_order_relaxed);
}

/* ---- writers ---- */

static bool writer_next(struct journal_writer *writer)
{
    uint64_t taken = get_number(&writer->taken);
    if (taken == atomic_load_explicit(&writer->handed, memory_order_acquire))
        return false;
    writer->active = writer->ring[taken % RING];
    /* Says also that nothing is written to the one before any more. */
    atomic_store_explicit(&writer->taken, taken + 1, memory_order_release);
    return true;
}

bool journal_append(struct journal_writer *writer, unsigned kind, usec_t realtime, struct str payload)
{
    writer->last_time = MAX(writer->last_time, realtime);
    struct record record = {kind, writer->last_time, payload};
    if (LIKELY(writer->active && segment_append(writer->active, &record)))
        return true;
    if (writer_next(writer) && segment_append(writer->active, &record))
        return true;
    set_number(&writer->dropped, get_number(&writer->dropped) + 1);
    return false;
}

struct journal_writer *journal_writer(struct journal *journal, unsigned index)
{
    ASSERT(index < journal->writer_count);
    return &journal->writers[index];
}

/* ---- the list of files ---- */

/* Room for one more, so that a file that was made is never without a place. */
static bool list_reserve(struct journal *journal)
{
    if (journal->count < journal->capacity)
        return true;
    size_t capacity = MAX(2 * journal->capacity, 64);
    struct segment **segments = reallocarray(journal->segments, capacity, sizeof(struct segment *));
    if (!segments)
        return false;
    journal->segments = segments;
    journal->capacity = capacity;
    return true;
}

static void list_add(struct journal *journal, struct segment *segment)
{
    journal->segments[journal->count++] = segment;
    journal->last_number = MAX(journal->last_number, segment->number);
}

/* Frees those that were removed and nobody reads. */
static void list_sweep(struct journal *journal)
{
    size_t kept = 0;
    for (size_t i = 0; i < journal->count; i++) {
        struct segment *segment = journal->segments[i];
        if (!segment->is_removed)
            journal->segments[kept++] = segment;
        else if (segment->pins == 0)
            segment_free(segment);
    }
    journal->count = kept;
}

size_t journal_segment_count(const struct journal *journal)
{
    return journal->count;
}

struct segment *journal_segment(const struct journal *journal, size_t index)
{
    ASSERT(index < journal->count);
    return journal->segments[index];
}

size_t journal_index(const struct journal *journal, uint64_t number)
{
    size_t low = 0, high = journal->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (journal->segments[middle]->number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct segment *journal_find(const struct journal *journal, struct str name)
{
    uint64_t number;
    if (!segment_number(name, &number))
        return NULL;
    size_t index = journal_index(journal, number);
    struct segment *segment = index < journal->count ? journal->segments[index] : NULL;
    return segment && str_eq(str_from(segment->name), name) ? segment : NULL;
}

bool journal_pin(struct journal *journal, struct segment *segment)
{
    bool is_pinned = segment_pin(journal->directory, segment);
    if (!is_pinned)
        count_up(&journal->numbers.unreadable);
    return is_pinned;
}

void journal_unpin(struct segment *segment)
{
    segment_unpin(segment);
    if (segment->is_removed && segment->pins == 0)
        segment_free(segment);
}

void journal_count_torn(struct journal *journal)
{
    count_up(&journal->numbers.torn);
}

uint64_t journal_instance(const struct journal *journal)
{
    return journal->instance;
}

void journal_set_limits(struct journal *journal, struct journal_limits limits)
{
    journal->limits = limits;
}

/* ---- preparing and taking over ---- */

static bool prepare_one(struct journal *journal, struct journal_writer *writer)
{
    usec_t now = clock_realtime();
    struct segment *segment;
    enum err err = ERR_NO_MEMORY;
    if (list_reserve(journal))
        err = segment_create(journal->directory, (unsigned)(writer - journal->writers),
                             MAX(journal->last_number + 1, now), journal->instance, now, &segment);
    if (err != ERR_OK) {
        journal->create_state = err == ERR_LIMIT ? JOURNAL_NO_SPACE : JOURNAL_FAILING;
        return false;
    }
    segment_warm(segment, 0, WARM_MIN);
    list_add(journal, segment);
    journal->has_new_names = true;
    uint64_t handed = get_number(&writer->handed);
    writer->ring[handed % RING] = segment;
    atomic_store_explicit(&writer->handed, handed + 1, memory_order_release);
    return true;
}

static void take_over_full(struct journal *journal, struct journal_writer *writer, uint64_t taken)
{
    for (; writer->finished + 1 < taken; writer->finished++)
        segment_finish(journal->directory, writer->ring[writer->finished % RING]);
}

/* Twice what was used since the last time, but falling slowly: bursts come again. */
static void set_spares(struct journal_writer *writer, uint64_t taken)
{
    uint64_t used = taken - writer->taken_before;
    uint64_t wanted = MAX(2 * used, writer->spares_wanted > 1 ? writer->spares_wanted - 1 : 1);
    writer->spares_wanted = (unsigned)MIN(wanted, SPARES_MAX);
    writer->taken_before = taken;
}

static void take_over(struct journal *journal, struct journal_writer *writer)
{
    uint64_t taken = atomic_load_explicit(&writer->taken, memory_order_acquire);
    take_over_full(journal, writer, taken);
    set_spares(writer, taken);
}

/* False: no file could be made; the others need not try. */
static bool prepare_spares(struct journal *journal, struct journal_writer *writer)
{
    for (;;) {
        uint64_t handed = get_number(&writer->handed), taken = get_number(&writer->taken);
        if (handed - taken >= writer->spares_wanted || handed - writer->finished >= RING)
            return true;
        if (!prepare_one(journal, writer))
            return false;
    }
}

/* Twice what was written since the last time, and over the end of the file into the next. Not all of every file: what is
 * warm is memory of this process. */
static void warm_ahead(struct journal_writer *writer)
{
    uint64_t taken = writer->taken_before, handed = get_number(&writer->handed);
    if (taken == 0)
        return;
    size_t at = segment_used(writer->ring[(taken - 1) % RING]);
    uint64_t written = (taken - 1) * SEGMENT_SIZE + at, grown = written - writer->written_before;
    writer->written_before = written;
    size_t ahead = grown > 0 ? (size_t)MIN(MAX(2 * grown, WARM_MIN), RING * SEGMENT_SIZE) : 0;
    for (uint64_t i = taken - 1; i < handed && ahead > 0; i++, at = 0) {
        size_t len = MIN(ahead, SEGMENT_SIZE - at);
        segment_warm(writer->ring[i % RING], at, len);
        ahead -= len;
    }
}

static void prepare(struct journal *journal)
{
    bool has_room = true;
    for (unsigned i = 0; i < journal->writer_count; i++)
        take_over(journal, &journal->writers[i]);
    for (unsigned i = 0; i < journal->writer_count && has_room; i++)
        has_room = prepare_spares(journal, &journal->writers[i]);
    for (unsigned i = 0; i < journal->writer_count; i++)
        warm_ahead(&journal->writers[i]);
    if (has_room)
        journal->create_state = JOURNAL_OK;
}

/* ---- bringing to the disk ---- */

static int sync_files(const struct sync *sync)
{
    int failure = 0;
    if (sync->directory >= 0 && fsync(sync->directory) != 0)
        failure = errno;
    for (size_t i = 0; i < sync->count; i++)
        if (fdatasync(sync->items[i].fd) != 0)
            failure = errno;
    return failure;
}

static void *sync_run(void *argument)
{
    struct sync *sync = argument;
    pthread_mutex_lock(&sync->lock);
    for (;;) {
        while (!sync->is_busy && !sync->is_ending)
            pthread_cond_wait(&sync->changed, &sync->lock);
        if (!sync->is_busy)
            break;
        pthread_mutex_unlock(&sync->lock);
        int failure = sync_files(sync);
        pthread_mutex_lock(&sync->lock);
        sync->failure = failure;
        sync->is_busy = false;
        pthread_cond_broadcast(&sync->changed);
    }
    pthread_mutex_unlock(&sync->lock);
    return NULL;
}

/* A file that is full and on the disk needs no descriptor any more. */
static void close_synced(struct segment *segment)
{
    if (segment->fd < 0 || !segment->is_finished || segment->synced < segment->used)
        return;
    close(segment->fd);
    segment->fd = -1;
}

/* What the job that has ended came to. */
static void sync_collect(struct journal *journal)
{
    struct sync *sync = &journal->sync;
    if (!sync->has_job)
        return;
    journal->sync_fails = sync->failure != 0;
    for (size_t i = 0; i < sync->count; i++) {
        struct segment *segment = sync->items[i].segment;
        segment->is_syncing = false;
        if (!journal->sync_fails)
            segment->synced = sync->items[i].upto;
        close_synced(segment);
    }
    if (journal->sync_fails)
        journal->has_new_names |= sync->directory >= 0;
    else if (!sync->is_partial)
        journal->clean_at = journal->synced_at;
    sync->has_job = false;
}

/* Fills the job. False: everything is on the disk. */
static bool sync_gather(struct journal *journal)
{
    struct sync *sync = &journal->sync;
    sync->count = 0;
    sync->is_partial = false;
    for (size_t i = 0; i < journal->count; i++) {
        struct segment *segment = journal->segments[i];
        size_t used = segment_used(segment);
        /* A full one once more: that it is sealed has to get there too. */
        if (segment->fd < 0 || (!segment->is_finished && used <= MAX(segment->synced, SEGMENT_FIRST)))
            continue;
        sync->is_partial = sync->count == SYNC_MAX;
        if (sync->is_partial)
            break;
        segment->is_syncing = true;
        sync->items[sync->count++] = (struct sync_item){segment, segment->fd, used};
    }
    sync->directory = journal->has_new_names ? journal->directory : -1;
    journal->has_new_names = false;
    sync->has_job = sync->count > 0 || sync->directory >= 0;
    return sync->has_job;
}

static bool sync_is_busy(struct sync *sync)
{
    pthread_mutex_lock(&sync->lock);
    bool is_busy = sync->is_busy;
    pthread_mutex_unlock(&sync->lock);
    return is_busy;
}

static void sync_start(struct sync *sync)
{
    pthread_mutex_lock(&sync->lock);
    sync->is_busy = true;
    pthread_cond_broadcast(&sync->changed);
    pthread_mutex_unlock(&sync->lock);
}

static void sync_tend(struct journal *journal, usec_t now)
{
    if (sync_is_busy(&journal->sync))
        return;
    sync_collect(journal);
    if (now - journal->synced_at < SYNC_PAUSE)
        return;
    journal->synced_at = now;
    if (sync_gather(journal))
        sync_start(&journal->sync);
    else
        journal->clean_at = now;
}

static void sync_wait(struct sync *sync)
{
    pthread_mutex_lock(&sync->lock);
    while (sync->is_busy)
        pthread_cond_wait(&sync->changed, &sync->lock);
    pthread_mutex_unlock(&sync->lock);
}

enum err journal_sync(struct journal *journal)
{
    sync_wait(&journal->sync);
    sync_collect(journal);
    while (sync_gather(journal)) {
        journal->synced_at = clock_monotonic();
        sync_start(&journal->sync);
        sync_wait(&journal->sync);
        sync_collect(journal);
        if (journal->sync_fails)
            return ERR_SYSTEM;
    }
    return ERR_OK;
}

/* ---- limits and numbers ---- */

static bool may_remove(const struct segment *segment)
{
    return segment->is_finished && segment->read >= segment->used && !segment->is_syncing;
}

static void retain(struct journal *journal)
{
    uint64_t bytes = 0;
    usec_t now = clock_realtime();
    usec_t oldest = now > journal->limits.max_age ? now - journal->limits.max_age : 0;
    for (size_t i = 0; i < journal->count; i++)
        bytes += segment_bytes(journal->segments[i]);
    for (size_t i = 0; i < journal->count; i++) {
        struct segment *segment = journal->segments[i];
        bool is_over = bytes > journal->limits.max_bytes || segment->ended < oldest;
        if (!is_over || !may_remove(segment))
            continue;
        bytes -= segment_bytes(segment);
        segment_remove(journal->directory, segment);
    }
}

static void publish_numbers(struct journal *journal, usec_t now)
{
    uint64_t bytes = 0, unread = 0, unsynced = 0;
    for (size_t i = 0; i < journal->count; i++) {
        const struct segment *segment = journal->segments[i];
        size_t used = segment_used(segment);
        bytes += segment_bytes(segment);
        unread += used - MIN(used, segment->read);
        unsynced += segment->fd >= 0 ? used - MIN(used, MAX(segment->synced, SEGMENT_FIRST)) : 0;
    }
    enum journal_state state = journal->create_state;
    if (state == JOURNAL_OK && journal->sync_fails)
        state = JOURNAL_FAILING;
    set_number(&journal->numbers.state, state);
    set_number(&journal->numbers.bytes, bytes);
    set_number(&journal->numbers.segments, journal->count);
    set_number(&journal->numbers.unread_bytes, unread);
    set_number(&journal->numbers.unsynced_bytes, unsynced);
    set_number(&journal->numbers.sync_lag, unsynced > 0 ? now - MIN(now, journal->clean_at) : 0);
}

void journal_read_numbers(const struct journal *journal, struct journal_numbers *ret_numbers)
{
    const struct shared_numbers *shared = &journal->numbers;
    *ret_numbers = (struct journal_numbers){
        .state = (enum journal_state)get_number(&shared->state),
        .bytes = get_number(&shared->bytes),
        .segments = get_number(&shared->segments),
        .unread_bytes = get_number(&shared->unread_bytes),
        .torn = get_number(&shared->torn),
        .unreadable = get_number(&shared->unreadable),
        .unsynced_bytes = get_number(&shared->unsynced_bytes),
        .sync_lag = get_number(&shared->sync_lag),
    };
    for (unsigned i = 0; i < journal->writer_count; i++)
        ret_numbers->dropped += get_number(&journal->writers[i].dropped);
}

void journal_tend(struct journal *journal, usec_t now)
{
    prepare(journal);
    sync_tend(journal, now);
    retain(journal);
    list_sweep(journal);
    publish_numbers(journal, now);
}

/* ---- opening and closing ---- */

static int by_number(const void *a, const void *b)
{
    const struct segment *first = *(struct segment *const *)a, *second = *(struct segment *const *)b;
    return first->number < second->number ? -1 : first->number > second->number;
}

static enum err take_in(struct journal *journal, const char *name)
{
    struct segment *segment;
    bool is_torn = false;
    if (!list_reserve(journal))
        return ERR_NO_MEMORY;
    enum err err = segment_open(journal->directory, name, &segment, &is_torn);
    if (is_torn)
        count_up(&journal->numbers.torn);
    if (err == ERR_OK)
        list_add(journal, segment);
    else if (err == ERR_INVALID)
        count_up(&journal->numbers.unreadable);
    return err == ERR_INVALID || err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* Files of earlier runs. */
static enum err take_in_all(struct journal *journal, char *why)
{
    int fd = openat(journal->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *listing = fd >= 0 ? fdopendir(fd) : NULL;
    enum err err = listing ? ERR_OK : ERR_SYSTEM;
    const struct dirent *entry;
    while (err == ERR_OK && (entry = readdir(listing))) {
        struct str name = str_from(entry->d_name);
        if (name.len < 8 || !str_eq(str_from_offset(name, name.len - 8), STR(".journal")))
            continue;
        err = take_in(journal, entry->d_name);
        if (err != ERR_OK)
            snprintf(why, JOURNAL_WHY_MAX, "%s: %s", entry->d_name, strerror(errno));
    }
    if (listing)
        closedir(listing);
    else if (fd >= 0)
        close(fd);
    if (journal->count > 0)
        qsort(journal->segments, journal->count, sizeof(struct segment *), by_number);
    return err;
}

static enum err open_directory(struct journal *journal, const char *path, char *why)
{
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        snprintf(why, JOURNAL_WHY_MAX, "cannot make %s: %s", path, strerror(errno));
        return ERR_SYSTEM;
    }
    journal->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (journal->directory < 0) {
        snprintf(why, JOURNAL_WHY_MAX, "cannot open %s: %s", path, strerror(errno));
        return ERR_SYSTEM;
    }
    if (flock(journal->directory, LOCK_EX | LOCK_NB) != 0) {
        snprintf(why, JOURNAL_WHY_MAX, "%s is in use by another process", path);
        return ERR_BUSY;
    }
    return ERR_OK;
}

static bool start_sync(struct sync *sync)
{
    sync->is_started = pthread_create(&sync->thread, NULL, sync_run, sync) == 0;
    return sync->is_started;
}

/* Everything but what is open: the threads have ended. */
static void journal_free(struct journal *journal)
{
    for (size_t i = 0; i < journal->count; i++)
        segment_free(journal->segments[i]);
    if (journal->directory >= 0)
        close(journal->directory);
    pthread_mutex_destroy(&journal->sync.lock);
    pthread_cond_destroy(&journal->sync.changed);
    free(journal->segments);
    free(journal->writers);
    free(journal);
}

static struct journal *journal_new(unsigned writer_count, struct journal_limits limits)
{
    struct journal *journal = calloc(1, sizeof(*journal));
    if (!journal)
        return NULL;
    size_t size = writer_count * sizeof(struct journal_writer);
    journal->writers = aligned_alloc(CACHE_LINE, size);
    if (!journal->writers) {
        free(journal);
        return NULL;
    }
    memset(journal->writers, 0, size);
    struct rng rng;
    rng_init_random(&rng);
    journal->instance = rng_next(&rng);
    journal->writer_count = writer_count;
    journal->limits = limits;
    journal->directory = -1;
    pthread_mutex_init(&journal->sync.lock, NULL);
    pthread_cond_init(&journal->sync.changed, NULL);
    return journal;
}

enum err journal_open(const char *directory, unsigned writer_count, struct journal_limits limits,
                      struct journal **ret_journal, char *why)
{
    ASSERT(writer_count > 0 && writer_count <= SEGMENT_WRITERS_MAX);
    struct journal *journal = journal_new(writer_count, limits);
    if (!journal) {
        snprintf(why, JOURNAL_WHY_MAX, "%s", err_text(ERR_NO_MEMORY));
        return ERR_NO_MEMORY;
    }
    enum err err = open_directory(journal, directory, why);
    if (err == ERR_OK)
        err = take_in_all(journal, why);
    if (err == ERR_OK && !start_sync(&journal->sync)) {
        snprintf(why, JOURNAL_WHY_MAX, "cannot start a thread");
        err = ERR_SYSTEM;
    }
    if (err != ERR_OK) {
        journal_free(journal);
        return err;
    }
    prepare(journal);
    usec_t now = clock_monotonic();
    journal->clean_at = journal->synced_at = now;
    publish_numbers(journal, now);
    *ret_journal = journal;
    return ERR_OK;
}

/* Those that were written to are sealed, those that were only prepared go. */
static void finish_all(struct journal *journal)
{
    for (unsigned i = 0; i < journal->writer_count; i++) {
        struct journal_writer *writer = &journal->writers[i];
        uint64_t handed = get_number(&writer->handed);
        for (; writer->finished < handed; writer->finished++)
            segment_finish(journal->directory, writer->ring[writer->finished % RING]);
    }
    list_sweep(journal);
}

void journal_close(struct journal *journal)
{
    if (!journal)
        return;
    sync_wait(&journal->sync);
    sync_collect(journal);
    finish_all(journal);
    journal_sync(journal); /* the page cache has it anyway */
    pthread_mutex_lock(&journal->sync.lock);
    journal->sync.is_ending = true;
    pthread_cond_broadcast(&journal->sync.changed);
    pthread_mutex_unlock(&journal->sync.lock);
    pthread_join(journal->sync.thread, NULL);
    journal_free(journal);
}
