/* SPDX-License-Identifier: Apache-2.0 */
/* One file of the journal: a head and records behind each other, written once, from the front to the back, by one
 * thread. The whole file is allocated before it is used (a full disk must not become a SIGBUS) and mapped, so that a
 * record costs a copy and no system call, and outlives a process that is killed.
 *
 * `used` in the head is where the records that are complete end. It is stored after the record's bytes (release), so
 * what lies below it may be read by any thread that loads it (acquire). After a power cut it may be stale: a file that
 * was not sealed is read from the front up to the first record whose checksum is wrong, and sealed there. */
#pragma once

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"

#include <stdatomic.h>

#define SEGMENT_SIZE ((size_t)4 << 20)
#define SEGMENT_NAME_MAX 48
#define SEGMENT_WRITERS_MAX 1024u
#define RECORD_PAYLOAD_MAX ((size_t)64 << 10)

/* Offset of the first record. */
#define SEGMENT_FIRST ((size_t)64)

struct segment_head;

struct record {
    unsigned kind; /* 16 bits, the caller's */
    usec_t time;   /* realtime; never smaller than that of the record before it */
    struct str payload;
};

/* Belongs to the journal. Threads: the mapped bytes as said above; everything else is the keeper's. */
struct segment {
    uint64_t number;   /* grows over all writers and all runs; never used twice */
    uint64_t instance; /* run that wrote it */
    unsigned writer;
    char name[SEGMENT_NAME_MAX];
    int fd;    /* -1 once everything is on the disk */
    char *map; /* the file's bytes while pins > 0 */
    size_t map_size;
    unsigned pins;
    bool is_finished, is_removed, is_syncing;
    size_t used;   /* of a finished one */
    usec_t ended;  /* time of the last record of a finished one */
    size_t read;   /* up to where the ledger has it */
    size_t synced; /* up to where it is known to be on the disk */
};

/* The number in a file's name. False: it is no such name. */
MUST_USE bool segment_number(struct str name, uint64_t *ret_number);

/* A new file, mapped and pinned once. ERR_LIMIT: there is no space; ERR_SYSTEM: errno says why; nothing is left. */
MUST_USE enum err segment_create(int directory, unsigned writer, uint64_t number, uint64_t instance,
                                 usec_t now, struct segment **ret_segment);

/* A file of an earlier run. What was not sealed is sealed behind its last good record; *ret_is_torn says that there was
 * something behind it. ERR_INVALID: no segment, or one of another version. ERR_NOT_FOUND: it had no record and is gone. */
MUST_USE enum err segment_open(int directory, const char *name, struct segment **ret_segment,
                               bool *ret_is_torn);

/* The writer is done with it: no record comes any more. Drops the pin of segment_create. One without records is
 * removed. */
void segment_finish(int directory, struct segment *segment);

/* Takes the file away; the memory goes with segment_free, or the last pin. */
void segment_remove(int directory, struct segment *segment);
void segment_free(struct segment *segment);

/* Keeps the bytes mapped. False: they cannot be, errno says why. */
MUST_USE bool segment_pin(int directory, struct segment *segment);
void segment_unpin(struct segment *segment);

/* Up to where it may be read now. */
size_t segment_used(const struct segment *segment);

/* The file's size on the disk. */
size_t segment_bytes(const struct segment *segment);

/* The one writer's: false when there is no room. */
MUST_USE bool segment_append(struct segment *segment, const struct record *record);

/* Makes the next `len` bytes from offset `from` on ready to be written, so that the first record on a page does not wait
 * for the file system. The bytes stay what they are: the writer may be writing them. The keeper's, while the writer has
 * the segment or is to get it. */
void segment_warm(struct segment *segment, size_t from, size_t len);

/* The record at offset `at`, before `end`. Returns where the next begins, 0: damaged. The payload is valid while the
 * segment is pinned. */
MUST_USE size_t segment_next(const struct segment *segment, size_t at, size_t end, struct record *ret_record);

/* The record that ends at offset `at`. Returns where it begins, 0: damaged. */
MUST_USE size_t segment_previous(const struct segment *segment, size_t at, struct record *ret_record);
