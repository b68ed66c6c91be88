/* SPDX-License-Identifier: Apache-2.0 */
/* Raw bytes of an answer on their way out, and what befalls them: cut, reset, stall, corrupt, drip. Without
 * such a fault bytes go straight to the connection. The end of the request is told to inference_ended(). */
#pragma once

#include "sim/sim.h"

void outlet_init(struct sim_request *req);

/* Adds bytes, borrowed until outlet_push or outlet_finish. */
void outlet_send(struct sim_request *req, struct str bytes);

/* The next `head_bytes` to be added are the head: faults that strike behind it find their place. */
void outlet_arm_after_head(struct sim_request *req, size_t head_bytes);

/* Sends what was added. False: a fault has ended the request, which is gone. */
MUST_USE bool outlet_push(struct sim_request *req);

/* The answer is whole; sends the rest and ends the request, now or later. It may be gone when this returns.
 */
void outlet_finish(struct sim_request *req);

/* Bytes wait; the maker pauses until inference_continue is called. */
bool outlet_is_backed_up(const struct sim_request *req);

/* The connection takes bytes again. */
void outlet_on_drained(struct sim_request *req);
