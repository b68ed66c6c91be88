/* SPDX-License-Identifier: Apache-2.0 */
/* Active health checks and model discovery, on the control thread's loop. Free probes only: a health path or the
 * model list, never a completion. */
#pragma once

#include "http/exchange.h"
#include "proxy/gateway.h"
#include "wire/json_read.h"

struct prober {
    struct loop *loop;
    struct gateway *gateway;
    struct json_reader *json;
    struct list probes; /* of struct probe */
    struct origin_limits limits;
    struct table *table;                      /* reference: whose servers are probed */
    void (*on_models)(struct prober *prober); /* a server's list has changed: a new table is due */
};

MUST_USE enum err prober_init(struct prober *prober, struct loop *loop, struct gateway *gateway,
                              void (*on_models)(struct prober *));

/* Probes the servers of `table` from now on: new ones at once, old ones as before. */
void prober_sync(struct prober *prober, struct table *table);

/* Stops all probes; their connections close in the loop's next turns. */
void prober_fini(struct prober *prober);
