/* SPDX-License-Identifier: Apache-2.0 */
/* The life of an inference request:
 *
 *   inference_begin -> [queued] -> [delayed] -> streaming -> sending -> inference_ended
 *                                          \-> (whole answer) ->/ */
#pragma once

#include "sim/sim.h"

/* The request is complete in `body` (the connection's). The request may be gone when this returns. */
void inference_begin(struct sim_request *req, struct str body);

/* Makes more of the answer, if it is being made and the outlet takes it. The request may be gone after it. */
void inference_continue(struct sim_request *req);

/* Counts, leaves the batch or the queue, and gives the request back. The caller ends the answer on the
 * connection. */
void inference_ended(struct sim_request *req, enum outcome outcome);

/* Lets waiting requests into the batch, as it has room for. */
void inference_admit_waiting(struct sim *sim);
