/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of answers. Functions add to `out`, which has room: nothing here waits or sends. */
#pragma once

#include "sim/sim.h"

#define RENDER_TOKENS_MAX ((uint64_t)200000)     /* of a document, which is made in one piece */
#define RENDER_EVENT_MAX ((uint64_t)1024 * 1024) /* bytes of an event */

/* The head of an answer whose body has `length` bytes, or comes chunked or until the end, as the request's
 * fault and the options say; sets req->is_chunked. `fields` are complete lines. */
void render_head(struct sim_request *req, struct buf *out, int status, struct str content_type,
                 struct str fields, uint64_t length);

/* The head of a stream. */
void render_stream_head(struct sim_request *req, struct buf *out);

/* {"error":{...}}; `code` may be NULL. */
void render_error(struct buf *out, const char *type, const char *code, struct str message);

/* A chat completion or completion; *ret_text_end is where its text ends and could go on. */
void render_document(const struct sim_request *req, struct buf *out, size_t *ret_text_end);

/* Of the request `body`. */
void render_embeddings(struct sim_request *req, struct str body, struct buf *out);

/* Events, in the stream's framing: the role (chat only), the next words, and what follows the last of them.
 */
void render_role_event(struct sim_request *req, struct buf *out);
void render_content_event(struct sim_request *req, struct buf *out);
void render_stream_tail(struct sim_request *req, struct buf *out);
