/* SPDX-License-Identifier: Apache-2.0 */
/* The part of /metrics that goes by server and model, under the names of MindBalancer's families. */
#pragma once

#include "proxy/gateway.h"

/* Any thread. */
void model_metrics_write(struct buf *out, struct gateway *gateway);

/* `name` as the value of a label, without the quotes; clipped to `size`. */
void metrics_escape_label(struct str name, char *out, size_t size);
