/* SPDX-License-Identifier: Apache-2.0 */
/* /metrics: everything counted, as Prometheus text (exposition format 0.0.4). Label values are names of the
 * configuration and fixed words, so the number of series is bounded by it. */
#pragma once

#include "proxy/gateway.h"

/* Any thread. */
void metrics_write(struct buf *out, struct gateway *gateway);
