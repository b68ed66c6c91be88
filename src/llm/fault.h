/* SPDX-License-Identifier: Apache-2.0 */
/* Errors of the gateway, and how a dialect says them. */
#pragma once

#include "base/buf.h"

enum fault {
    FAULT_NONE,
#define FAULT(name, ...) name,
#include "llm/fault.def"
#undef FAULT
    FAULT_COUNT_
};

struct fault_row {
    int status;
    struct str type, code, message;
};

/* Not for FAULT_NONE. */
const struct fault_row *fault_row(enum fault fault);

/* The fault that an HTTP status of the connection layer means (400, 408, 413, 414, 431, 501, 505). */
enum fault fault_of_http_status(int status);

/* {"error":{"message","type","param","code"}} of the OpenAI API. `detail` (may be empty) replaces the row's message;
 * `param` (may be empty) names the field. */
void openai_error_write(struct buf *out, enum fault fault, struct str detail, struct str param);

/* The same as an event of a stream, after which the stream ends without [DONE]. */
void openai_error_event_write(struct buf *out, enum fault fault, struct str detail);
