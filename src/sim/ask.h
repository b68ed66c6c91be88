/* SPDX-License-Identifier: Apache-2.0 */
/* What an inference request asks for, read from its JSON body. Pure. */
#pragma once

#include "wire/json_read.h"

enum endpoint { ENDPOINT_CHAT, ENDPOINT_COMPLETIONS, ENDPOINT_EMBEDDINGS };

#define ASK_NO_LIMIT UINT64_MAX

struct ask {
    struct str model; /* between its quotes, as spelled in the body; a view of it */
    bool stream, include_usage;
    bool base64;           /* encoding_format */
    uint64_t max_tokens;   /* ASK_NO_LIMIT: not given */
    uint64_t dimensions;   /* 0: not given */
    uint64_t prompt_bytes; /* of messages, prompt or input, in JSON */
};

/* ERR_INVALID: not a JSON object, no model, or a member of the wrong type; `*ret_why` says which (a literal).
 */
MUST_USE enum err ask_read(struct json_reader *reader, struct str body, struct ask *ret_ask,
                           const char **ret_why);

/* Calls `on_input` with each input of an embeddings request: a string's or token list's JSON. */
MUST_USE enum err ask_each_input(struct json_reader *reader, struct str body,
                                 void (*on_input)(void *context, size_t index, struct str json),
                                 void *context);
