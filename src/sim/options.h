/* SPDX-License-Identifier: Apache-2.0 */
/* What the command line of fairlead-sim says. Views are into argv or literals and live as long as the
 * process. */
#pragma once

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"

/* What POST /sim/config can change while the server runs. */
struct sim_settings {
    uint64_t prefill_rate, decode_rate; /* tokens a second, 0: at once */
    uint64_t batch;                     /* 0: no limit */
    uint64_t queue;
    usec_t first_byte;
    uint64_t tokens, chunk_tokens, dimensions;
};

struct sim_options {
    struct sim_settings settings;
    struct str listen;      /* HOST:PORT, the host numeric */
    struct str models;      /* comma-separated; empty: any name is served */
    struct str name;        /* told in x-sim-name, and as system_fingerprint when it was given */
    struct str require_key; /* empty: none */
    struct str fault;       /* of every request that brings none of its own */
    bool is_named;
    bool unsized_head; /* answers that are no streams come chunked instead of with a Content-Length */
    bool no_record;
    bool help;
};

/* Defaults, then `arguments` (without the program's name). ERR_INVALID: `why` says what is wrong. */
MUST_USE enum err sim_options_parse(int count, char *const *arguments, struct sim_options *ret_options,
                                    struct buf *why);

/* The text of --help. */
void sim_options_help(struct buf *out);

/* Sets the number that POST /sim/config calls `key`. ERR_NOT_FOUND: no such key; ERR_LIMIT: out of range. */
MUST_USE enum err sim_settings_set(struct sim_settings *settings, struct str key, uint64_t value);
