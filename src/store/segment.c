/* SPDX-License-Identifier: Apache-2.0 */
#include "store/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#define VERSION 1u
#define MAGIC "FLJournl"
#define PAGE ((size_t)4096) /* the smallest there is */
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

/* The first bytes of a file. */
struct segment_head {
    char magic[8];
    uint32_t version, writer;
    uint64_t instance, number, created;
    uint64_t checksum;      /* of what stands above */
    _Atomic uint64_t used;  /* behind the last complete record */
    _Atomic uint64_t ended; /* sealed: time of the last record; 0: not sealed */
};
_Static_assert(sizeof(struct segment_head) == SEGMENT_FIRST, "the head has its place");

/* Before the payload, which is filled up to eight bytes; behind it the size again, for who reads backwards. */
struct record_head {
    uint32_t size; /* of the record, with all of this */
    uint32_t checksum;
    uint32_t payload_len;
    uint16_t kind, reserved;
    uint64_t time;
};
#define CHECKED_FROM offsetof(struct record_head, payload_len)

/* 8 bytes, so that every record is aligned. */
struct record_tail {
    uint32_t size, reserved;
};

static struct segment_head *head_of(const struct segment *segment)
{
    return (struct segment_head *)(void *)segment->map;
}

static uint64_t head_checksum(const struct segment_head *head)
{
    return XXH3_64bits(head, offsetof(struct segment_head, checksum));
}

static size_t record_size(size_t payload_len)
{
    return sizeof(struct record_head) + ((payload_len + 7) & ~(size_t)7) + sizeof(struct record_tail);
}

/* Of the record at `at`; the place is part of it, so that bytes from elsewhere are no record. */
static uint32_t record_checksum(const struct segment *segment, size_t at, size_t payload_len)
{
    size_t len = sizeof(struct record_head) - CHECKED_FROM + payload_len;
    uint64_t sum = XXH3_64bits(segment->map + at + CHECKED_FROM, len);
    return (uint32_t)(sum ^ segment->number ^ at);
}

size_t segment_used(const struct segment *segment)
{
    if (segment->is_finished)
        return segment->used;
    return (size_t)atomic_load_explicit(&head_of(segment)->used, memory_order_acquire);
}

size_t segment_bytes(const struct segment *segment)
{
    return segment->is_finished ? segment->used : SEGMENT_SIZE;
}

/* ---- records ---- */

bool segment_append(struct segment *segment, const struct record *record)
{
    struct segment_head *segment_head = head_of(segment);
    size_t at = (size_t)atomic_load_explicit(&segment_head->used, memory_order_relaxed);
    size_t len = record->payload.len, size = record_size(len);
    ASSERT(len <= RECORD_PAYLOAD_MAX && record->kind <= UINT16_MAX);
    if (size > SEGMENT_SIZE - at)
        return false;
    struct record_head head = {
        .size = (uint32_t)size,
        .payload_len = (uint32_t)len,
        .kind = (uint16_t)record->kind,
        .time = record->time,
    };
    struct record_tail tail = {.size = (uint32_t)size};
    char *to = segment->map + at;
    memcpy(to, &head, sizeof(head));
    if (len > 0)
        memcpy(to + sizeof(head), record->payload.ptr, len);
    memcpy(to + size - sizeof(tail), &tail, sizeof(tail));
    uint32_t checksum = record_checksum(segment, at, len);
    memcpy(to + offsetof(struct record_head, checksum), &checksum, sizeof(checksum));
    atomic_store_explicit(&segment_head->used, at + size, memory_order_release);
    return true;
}

void segment_warm(struct segment *segment, size_t from, size_t len)
{
    size_t begin = from & ~(PAGE - 1), end = MIN(from + len, SEGMENT_SIZE);
    /* An older kernel does not know it: then the first record on a page waits a little. */
    (void)madvise(segment->map + begin, end - begin, MADV_POPULATE_WRITE);
}

size_t segment_next(const struct segment *segment, size_t at, size_t end, struct record *ret_record)
{
    struct record_head head;
    struct record_tail tail;
    if (at < SEGMENT_FIRST || at > end || end - at < sizeof(head) + sizeof(tail))
        return 0;
    memcpy(&head, segment->map + at, sizeof(head));
    if (head.payload_len > RECORD_PAYLOAD_MAX || head.size != record_size(head.payload_len) ||
        head.size > end - at || head.reserved != 0)
        return 0;
    memcpy(&tail, segment->map + at + head.size - sizeof(tail), sizeof(tail));
    if (tail.size != head.size || tail.reserved != 0 ||
        head.checksum != record_checksum(segment, at, head.payload_len))
        return 0;
    *ret_record = (struct record){head.kind, head.time, {segment->map + at + sizeof(head), head.payload_len}};
    return at + head.size;
}

size_t segment_previous(const struct segment *segment, size_t at, struct record *ret_record)
{
    struct record_tail tail;
    if (at < SEGMENT_FIRST + sizeof(struct record_head) + sizeof(tail))
        return 0;
    memcpy(&tail, segment->map + at - sizeof(tail), sizeof(tail));
    if (tail.size > at - SEGMENT_FIRST || segment_next(segment, at - tail.size, at, ret_record) != at)
        return 0;
    return at - tail.size;
}

/* ---- files ---- */

void segment_free(struct segment *segment)
{
    if (!segment)
        return;
    if (segment->map)
        munmap(segment->map, segment->map_size);
    if (segment->fd >= 0)
        close(segment->fd);
    free(segment);
}

static struct segment *segment_new(const char *name)
{
    struct segment *segment = calloc(1, sizeof(*segment));
    if (!segment)
        return NULL;
    segment->fd = -1;
    ASSERT(strlen(name) < sizeof(segment->name));
    memcpy(segment->name, name, strlen(name));
    return segment;
}

static void write_name(char *out, unsigned writer, uint64_t number)
{
    snprintf(out, SEGMENT_NAME_MAX, "w%03u-%016llx.journal", writer, (unsigned long long)number);
}

bool segment_number(struct str name, uint64_t *ret_number)
{
    char text[SEGMENT_NAME_MAX];
    unsigned writer;
    unsigned long long number;
    if (name.len >= sizeof(text))
        return false;
    memcpy(text, name.ptr, name.len);
    text[name.len] = '\0';
    if (sscanf(text, "w%u-%llx.journal", &writer, &number) != 2)
        return false;
    *ret_number = number;
    return true;
}

static bool map_bytes(struct segment *segment, int fd, size_t size, int protection)
{
    void *map = mmap(NULL, size, protection, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return false;
    segment->map = map;
    segment->map_size = size;
    return true;
}

static void unmap_bytes(struct segment *segment)
{
    munmap(segment->map, segment->map_size);
    segment->map = NULL;
}

static bool make_file(struct segment *segment, int directory)
{
    segment->fd = openat(directory, segment->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (segment->fd < 0)
        return false;
    errno = posix_fallocate(segment->fd, 0, (off_t)SEGMENT_SIZE);
    return errno == 0 && map_bytes(segment, segment->fd, SEGMENT_SIZE, PROT_READ | PROT_WRITE);
}

enum err segment_create(int directory, unsigned writer, uint64_t number, uint64_t instance, usec_t now,
                        struct segment **ret_segment)
{
    char name[SEGMENT_NAME_MAX];
    write_name(name, writer, number);
    struct segment *segment = segment_new(name);
    if (!segment)
        return ERR_NO_MEMORY;
    segment->writer = writer;
    segment->number = number;
    segment->instance = instance;
    if (!make_file(segment, directory)) {
        int reason = errno;
        if (segment->fd >= 0)
            unlinkat(directory, name, 0);
        segment_free(segment);
        errno = reason;
        return reason == ENOSPC || reason == EDQUOT || reason == EFBIG ? ERR_LIMIT : ERR_SYSTEM;
    }
    struct segment_head *head = head_of(segment);
    memcpy(head->magic, MAGIC, sizeof(head->magic));
    head->version = VERSION;
    head->writer = writer;
    head->instance = instance;
    head->number = number;
    head->created = now;
    head->checksum = head_checksum(head);
    atomic_store_explicit(&head->used, SEGMENT_FIRST, memory_order_release);
    segment->pins = 1;
    segment->read = SEGMENT_FIRST;
    *ret_segment = segment;
    return ERR_OK;
}

/* Ends the file behind its last record and marks it. The time of the last record is never 0 in practice; 1 keeps a clock
 * that says so from unsealing the file. */
static void seal(struct segment *segment, usec_t last)
{
    struct segment_head *head = head_of(segment);
    segment->ended = MAX(last, 1);
    atomic_store_explicit(&head->used, segment->used, memory_order_relaxed);
    atomic_store_explicit(&head->ended, segment->ended, memory_order_release);
    segment->is_finished = true;
    /* Gives the space behind back. That it fails costs only the space. */
    if (ftruncate(segment->fd, (off_t)segment->used) != 0)
        return;
}

void segment_finish(int directory, struct segment *segment)
{
    struct record last;
    ASSERT(!segment->is_finished && segment->pins > 0);
    segment->used = segment_used(segment);
    if (segment->used > SEGMENT_FIRST) {
        seal(segment, segment_previous(segment, segment->used, &last) != 0 ? last.time : 0);
    } else {
        segment->is_finished = true;
        segment_remove(directory, segment);
    }
    segment_unpin(segment);
}

/* Goes over the records of a file that nobody sealed. */
static bool recover(struct segment *segment, size_t size)
{
    struct record record = {.time = 0};
    size_t at = SEGMENT_FIRST, next;
    while ((next = segment_next(segment, at, size, &record)) != 0)
        at = next;
    size_t published = (size_t)atomic_load_explicit(&head_of(segment)->used, memory_order_relaxed);
    uint32_t begun = 0;
    if (size - at >= sizeof(begun))
        memcpy(&begun, segment->map + at, sizeof(begun));
    segment->used = at;
    segment->synced = 0;
    if (at > SEGMENT_FIRST)
        seal(segment, record.time);
    return at < published || begun != 0;
}

/* Fills `segment` from the head of its mapped file. False: it is none of ours, or a copy under another name, whose
 * records must not count twice. */
static bool read_head(struct segment *segment, size_t size)
{
    const struct segment_head *head = head_of(segment);
    if (memcmp(head->magic, MAGIC, sizeof(head->magic)) != 0 || head->version != VERSION ||
        head->checksum != head_checksum(head))
        return false;
    char name[SEGMENT_NAME_MAX];
    write_name(name, head->writer, head->number);
    if (head->writer >= SEGMENT_WRITERS_MAX || strcmp(name, segment->name) != 0)
        return false;
    segment->writer = head->writer;
    segment->instance = head->instance;
    segment->number = head->number;
    segment->read = SEGMENT_FIRST;
    segment->used = (size_t)atomic_load_explicit(&head->used, memory_order_relaxed);
    segment->ended = atomic_load_explicit(&head->ended, memory_order_relaxed);
    /* One that was cut by someone else is gone over like one that was never sealed. */
    segment->is_finished = segment->ended != 0 && segment->used > SEGMENT_FIRST && segment->used <= size;
    segment->synced = segment->used;
    return true;
}

/* A process was killed while it made the file: no writer ever had it. */
static bool was_never_used(const struct segment *segment, size_t size)
{
    uint64_t number;
    return segment_number(str_from(segment->name), &number) &&
           (size < SEGMENT_FIRST || atomic_load_explicit(&head_of(segment)->used, memory_order_relaxed) == 0);
}

static enum err open_mapped(int directory, struct segment *segment, size_t size, bool *ret_is_torn)
{
    if (!read_head(segment, size))
        return ERR_INVALID;
    *ret_is_torn = !segment->is_finished && recover(segment, size);
    if (segment->used == SEGMENT_FIRST) {
        unlinkat(directory, segment->name, 0);
        return ERR_NOT_FOUND;
    }
    unmap_bytes(segment);
    if (segment->synced == segment->used) {
        close(segment->fd);
        segment->fd = -1;
    }
    return ERR_OK;
}

enum err segment_open(int directory, const char *name, struct segment **ret_segment, bool *ret_is_torn)
{
    struct stat status;
    if (strlen(name) >= SEGMENT_NAME_MAX)
        return ERR_INVALID;
    struct segment *segment = segment_new(name);
    if (!segment)
        return ERR_NO_MEMORY;
    enum err err = ERR_SYSTEM;
    segment->fd = openat(directory, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (segment->fd < 0 || fstat(segment->fd, &status) != 0)
        goto out;
    err = ERR_INVALID;
    if (!S_ISREG(status.st_mode) || (size_t)status.st_size > SEGMENT_SIZE)
        goto out;
    size_t size = (size_t)status.st_size;
    err = ERR_SYSTEM;
    if (size >= SEGMENT_FIRST && !map_bytes(segment, segment->fd, size, PROT_READ | PROT_WRITE))
        goto out;
    err = ERR_NOT_FOUND;
    if (was_never_used(segment, size))
        unlinkat(directory, name, 0);
    else
        err = size >= SEGMENT_FIRST ? open_mapped(directory, segment, size, ret_is_torn) : ERR_INVALID;
out:
    if (err != ERR_OK)
        segment_free(segment);
    else
        *ret_segment = segment;
    return err;
}

void segment_remove(int directory, struct segment *segment)
{
    unlinkat(directory, segment->name, 0);
    segment->is_removed = true;
}

bool segment_pin(int directory, struct segment *segment)
{
    if (segment->pins == 0) {
        struct stat status;
        int fd = openat(directory, segment->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
            return false;
        errno = EIO;
        bool is_mapped = fstat(fd, &status) == 0 && (size_t)status.st_size >= segment->used &&
                         map_bytes(segment, fd, segment->used, PROT_READ);
        close(fd);
        if (!is_mapped)
            return false;
    }
    segment->pins++;
    return true;
}

void segment_unpin(struct segment *segment)
{
    ASSERT(segment->pins > 0);
    if (--segment->pins == 0)
        unmap_bytes(segment);
}
