/* SPDX-License-Identifier: Apache-2.0 */
/* The answer to an inference request, made piece by piece as time and the client allow. In each of these the
 * request may be gone on return. */
#pragma once

#include "sim/sim.h"

/* Delays are over: the first bytes, or all of them. */
void answer_begin(struct sim_request *req);

/* More of it: what is due and what the outlet takes. */
void answer_continue(struct sim_request *req);

/* An error in OpenAI's form; `code` may be NULL. */
void answer_fail(struct sim_request *req, int status, const char *type, const char *code, const char *why);
