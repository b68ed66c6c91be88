/* SPDX-License-Identifier: Apache-2.0 */
/* Whether an answer is what fairlead-sim sends: complete, in order, nothing doubled. Pure. */
#pragma once

#include "base/buf.h"
#include "base/clock.h"
#include "wire/sse.h"

enum verify_result {
    VERIFY_OK,
    VERIFY_CONNECT, /* no connection */
    VERIFY_CLOSED,  /* ended or reset before the answer was complete */
    VERIFY_STATUS,  /* not 200 */
    VERIFY_FRAMING, /* HTTP that cannot be read */
    VERIFY_CONTENT, /* a document that differs from the first one, or is none */
    VERIFY_ORDER,   /* a word is missing, doubled or out of place */
    VERIFY_NO_DONE, /* a stream without [DONE], or too few events */
    VERIFY_TIMEOUT,
    VERIFY_COUNT_,
};

const char *verify_name(enum verify_result result);

/* Of one answer. */
struct verify {
    struct sse_splitter splitter;
    struct buf partial; /* an event that has not come whole */
    uint64_t words;     /* content events seen */
    uint64_t offset;    /* of a document: bytes seen */
    usec_t last_at;     /* time of the last content event */
    bool is_done;
};

/* A content event's times. */
struct verify_event {
    usec_t stamp;  /* when it was sent; 0: not told */
    usec_t before; /* when the one before came; 0: none */
};

void verify_begin(struct verify *verify);
void verify_end(struct verify *verify); /* frees */

/* Takes one event from the front of *io_data; *ret_has_event says whether a content event ended in it.
 * Call until *io_data is empty. */
MUST_USE enum verify_result verify_stream(struct verify *verify, struct str *io_data, usec_t now,
                                          struct verify_event *ret_event, bool *ret_has_event);

/* A piece of a document: equal to `reference` at its place. An incomplete reference is what is being filled.
 */
MUST_USE enum verify_result verify_document(struct verify *verify, struct str data, struct buf *reference,
                                            bool reference_is_complete);

/* The answer is complete by its framing. */
MUST_USE enum verify_result verify_whole(const struct verify *verify, bool is_stream, uint64_t expected_words,
                                         const struct buf *reference);

/* Whether a document, the first one that came whole, is an answer at all: all its words, in order. */
bool verify_reference(struct str document);
