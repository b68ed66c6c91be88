/* SPDX-License-Identifier: Apache-2.0 */
/* The append-only journal: what every request came to, durable without the request path touching a disk.
 *
 * Each worker has a writer, which copies records into the mapped file that it has at the moment (store/segment.h). The
 * keeper, on the store thread, makes the next file of each writer ahead of need and takes over the full ones; both go
 * through a ring of one producer and one consumer, so neither side ever waits for the other. A writer without a next file
 * (a full disk, a keeper that stands still) drops records and counts them. A thread of the journal's own brings what is
 * new to the disk, so that a slow disk delays nothing but that.
 *
 * What a killed process had appended is there; what a power cut takes is at most what sync lag says. */
#pragma once

#include "base/buf.h"
#include "store/segment.h"

#define JOURNAL_WHY_MAX 512

struct journal;
struct journal_writer;

enum journal_state {
    JOURNAL_OK,
    JOURNAL_NO_SPACE, /* no next file can be made; goes away by itself once there is space */
    JOURNAL_FAILING,  /* the same for another reason, or the disk refuses what is written */
};

/* "ok", "degraded: no space", "degraded: cannot write". */
const char *journal_state_text(enum journal_state state);

struct journal_limits {
    uint64_t max_bytes;
    usec_t max_age; /* of the last record of a file */
};

struct journal_numbers {
    enum journal_state state;
    uint64_t bytes, segments; /* on the disk, prepared ones included */
    uint64_t unread_bytes;    /* that the ledger has not read yet */
    uint64_t dropped;         /* records, since the start */
    uint64_t torn;            /* damaged records met: the file is not read beyond one */
    uint64_t unreadable;      /* files that are no segments of this version, left alone */
    uint64_t unsynced_bytes;  /* what a power cut would take */
    usec_t sync_lag;          /* for how long the oldest of these has waited, at least */
};

/* ---- keeper: store thread, or the one that boots ---- */

/* Makes `directory` (0700) when missing, takes in the files of earlier runs and prepares a file for each of the
 * `writer_count` writers; a full disk is no failure, see the state. ERR_BUSY: another process has it. `why`
 * (JOURNAL_WHY_MAX bytes) says what went wrong. */
MUST_USE enum err journal_open(const char *directory, unsigned writer_count, struct journal_limits limits,
                               struct journal **ret_journal, char *why);

/* When no writer appends any more and no cursor is open. Brings everything to the disk. NULL is fine. */
void journal_close(struct journal *journal);

void journal_set_limits(struct journal *journal, struct journal_limits limits);

/* Prepares files, takes over full ones, starts bringing what is new to the disk, removes what is beyond the limits: the
 * oldest first, but none that is written to or that the ledger has not read. To be called every 200 ms or so; `now` is
 * monotonic. Files are prepared for as many records as came between the last two calls. */
void journal_tend(struct journal *journal, usec_t now);

/* Waits until everything is on the disk. ERR_SYSTEM: the disk refuses. */
enum err journal_sync(struct journal *journal);

/* Random number of this run. */
uint64_t journal_instance(const struct journal *journal);

/* All files, oldest (smallest number) first; valid until the next journal_tend. */
size_t journal_segment_count(const struct journal *journal);
struct segment *journal_segment(const struct journal *journal, size_t index);

/* By the name of its file; NULL: there is none. */
struct segment *journal_find(const struct journal *journal, struct str name);

/* Index of the first file whose number is at least `number`. */
size_t journal_index(const struct journal *journal, uint64_t number);

/* Pins a segment: its records can be read until it is unpinned, even when it is removed meanwhile. False, and counted:
 * the file cannot be read. */
MUST_USE bool journal_pin(struct journal *journal, struct segment *segment);
void journal_unpin(struct segment *segment);

/* A damaged record was met. */
void journal_count_torn(struct journal *journal);

/* ---- any thread ---- */

void journal_read_numbers(const struct journal *journal, struct journal_numbers *ret_numbers);

/* ---- writers: one thread each ---- */

struct journal_writer *journal_writer(struct journal *journal, unsigned index);

/* False: there is no room and the record is dropped. Payloads are at most RECORD_PAYLOAD_MAX bytes. A time smaller than
 * that of the record before is raised to it, so that a writer's records are in the order of their times. */
bool journal_append(struct journal_writer *writer, unsigned kind, usec_t realtime, struct str payload);
