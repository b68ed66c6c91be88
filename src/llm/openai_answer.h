/* SPDX-License-Identifier: Apache-2.0 */
/* Reading answers in the OpenAI dialect as they pass: usage, and whether a stream has really ended. Pure. */
#pragma once

#include "llm/usage.h"
#include "wire/json_read.h"

/* What one event of a stream is. */
struct openai_event {
    bool is_empty;      /* a comment or a line end: carries no data */
    bool is_done;       /* data: [DONE] */
    bool has_finish;    /* a choice says why it ended */
    bool is_error;      /* a top-level "error" */
    bool is_usage_only; /* usage and no choice: the chunk that include_usage adds */
};

/* Reads one whole event, its end included; JSON_PADDING bytes behind it are readable. Usage that it carries is stored
 * in *io_usage. What is not understood is an event like any other. */
void openai_event_read(struct json_reader *reader, struct str event, struct openai_event *ret_event,
                       struct usage *io_usage);

/* Reads a "usage" object's text (from json_scan) into *io_usage; it stays as it is when that is none. */
void openai_usage_read(struct json_reader *reader, struct str json, struct usage *io_usage);
