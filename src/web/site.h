/* SPDX-License-Identifier: Apache-2.0 */
/* What the control thread serves over HTTP: /metrics and health, on listeners that serve metrics alone. */
#pragma once

#include "http/conn.h"
#include "net/listener.h"
#include "proxy/gateway.h"

struct site_listener {
    struct listener listener;
    struct site *site;
    const struct gateway_listener *shared;
};

struct site {
    struct loop *loop;
    struct gateway *gateway;
    struct body_pool bodies;
    struct http_service service;
    struct site_listener *listeners;
    size_t listener_count;
};

/* Opens the gateway's listeners that serve metrics and neither inference nor admin (rest.h). */
MUST_USE enum err site_init(struct site *site, struct loop *loop, struct gateway *gateway);

/* Closes listeners and connections; the loop's next turns finish it. */
void site_fini(struct site *site);
