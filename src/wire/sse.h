/* SPDX-License-Identifier: Apache-2.0 */
/* Server-sent events (WHATWG HTML, "Parsing an event stream"): finding where events end, and reading one.
 * Lines end in LF, CR LF or CR; an event ends at an empty line. Pure, resumable at every byte. */
#pragma once

#include "base/str.h"

/* Finds ends of events in a stream that comes in pieces. Zeroed to begin. */
struct sse_splitter {
    uint8_t state; /* enum in sse.c */
};

/* Scans `in` for the end of the event under way. Returns the number of bytes up to and with its last line
 * end, or 0 when `in` holds no end (all of it then belongs to the event under way). CR LF CR LF is one end,
 * also when split: an LF that completes a CR LF already counted begins the next call's input and is passed on
 * as a piece of its own, an "event" of one byte that sse_event_read reads as empty. */
size_t sse_split(struct sse_splitter *s, struct str in);

/* One event's fields. Views into the event's bytes. */
struct sse_event {
    struct str name; /* "event:" field, may be empty */
    struct str data; /* first "data:" line without the one space after the colon */
    bool has_data;
    bool more_data; /* further data: lines exist, to be joined with LF (no LLM API is known to send them) */
};

/* Reads the event that `bytes` is, its end included. Comments and unknown fields are passed over. */
void sse_event_read(struct str bytes, struct sse_event *ret_event);
