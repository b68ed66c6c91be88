/* SPDX-License-Identifier: Apache-2.0 */
/* What routing and accounting have to know of a request in the OpenAI dialect, read in one pass without a copy.
 * Fields: https://platform.openai.com/docs/api-reference (chat, completions, embeddings). Pure. */
#pragma once

#include "base/arena.h"
#include "llm/fault.h"
#include "llm/splice.h"
#include "wire/json_read.h"

enum temperature { TEMPERATURE_ABSENT, TEMPERATURE_ZERO, TEMPERATURE_OTHER };

struct openai_request {
    struct str model;            /* unescaped; empty when the request has none */
    size_t model_at, model_size; /* its token in the body, quotes included */
    struct str user;             /* unescaped; the API's own "user" field */
    struct str last_text;        /* text of the last user message, or the prompt; only when asked for */
    enum temperature temperature;
    uint64_t max_tokens; /* most output tokens of a choice, by either name; 0: not said */
    uint64_t choices;    /* n; 0: not said, which is one */
    bool is_stream;
    bool wants_usage;  /* the client asked for the usage chunk of the stream */
    size_t object_at;  /* offset of the body's opening bracket */
    size_t options_at; /* offset of stream_options' value, 0: none */
    bool options_is_null, options_is_empty;
    size_t include_at; /* offset of include_usage's value, 0: none */
    size_t include_size;
};

/* Reads `body`, behind which JSON_PADDING bytes are readable. `needs_text`: last_text is wanted (an array of content
 * parts yields its last text part). Texts live in `arena` or in the body.
 * FAULT_NONE, or FAULT_BAD_JSON, FAULT_TOO_DEEP, or FAULT_BAD_FIELD with *ret_param naming the field: what two readers could
 * understand differently (a field given twice) is refused. */
enum fault openai_request_read(struct json_reader *reader, struct str body, bool needs_text,
                               struct arena *arena, struct openai_request *ret_request,
                               struct str *ret_param);

/* Adds the splice that replaces the model's name. `json_name` is the new token, quotes included. */
void openai_request_rename(const struct openai_request *req, struct str json_name,
                           struct splices *io_splices);

/* Adds the splice that makes a stream end with its usage chunk; none when the client asked for it itself. */
void openai_request_ask_usage(const struct openai_request *req, struct splices *io_splices);
