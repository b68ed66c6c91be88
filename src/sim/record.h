/* SPDX-License-Identifier: Apache-2.0 */
/* What was received: the last requests, so that tests can assert on them. Slots keep their memory, so
 * recording costs a copy and no allocation once the ring has turned. One loop, no lock. */
#pragma once

#include "base/clock.h"
#include "wire/http1.h"
#include "wire/json_write.h"

#define RECORD_SLOTS 1000
#define RECORD_BODY_MAX ((size_t)65536)
#define RECORD_TOTAL_MAX ((size_t)64 << 20) /* of all slots; beyond it the oldest are forgotten */

enum outcome { OUTCOME_UNDER_WAY, OUTCOME_COMPLETED, OUTCOME_CANCELLED, OUTCOME_FAULTED };

const char *outcome_name(enum outcome outcome);

struct record {
    uint64_t number; /* from 1; 0: free */
    usec_t at;
    enum outcome outcome;
    uint32_t method_len, target_len, fields_len; /* parts of `bytes`, which ends with the body */
    size_t body_len;                             /* as received; the kept part may be shorter */
    unsigned char digest[32];                    /* SHA-256 of a body that is not kept whole */
    struct buf bytes;
};

struct recorder {
    struct record slots[RECORD_SLOTS];
    uint64_t last;   /* number given last */
    uint64_t oldest; /* lowest number that is still kept */
    size_t kept_bytes;
};

void recorder_init(struct recorder *recorder);
void recorder_fini(struct recorder *recorder);

/* Forgets everything; numbers go on, so that late outcomes find nothing. */
void recorder_clear(struct recorder *recorder);

/* Keeps a head; returns the record's number. */
uint64_t record_head(struct recorder *recorder, const struct http_head *head, usec_t at);

/* Harmless when the record has gone, and with number 0. */
void record_body(struct recorder *recorder, uint64_t number, struct str body);
void record_outcome(struct recorder *recorder, uint64_t number, enum outcome outcome);

/* The last `count` records as a JSON list, oldest first. */
void recorder_write(const struct recorder *recorder, uint64_t count, struct json_writer *out);
