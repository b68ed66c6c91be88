/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of one host, by getaddrinfo on libuv's threads, cached for a time and renewed in the background:
 * a request waits for DNS only when the host was never resolved or its last answer failed. */
#pragma once

#include "net/address.h"
#include "net/loop.h"

#define RESOLVER_ADDRESSES_MAX 8

struct resolver;

/* Waits for an answer; a member of whoever asks. */
struct resolver_wait {
    struct list node;
    void (*on_resolved)(struct resolver_wait *wait, enum err err); /* then resolver_addresses() is filled */
};

/* For one host and port on one loop. A numeric `host` is resolved at once and for ever. NULL: no memory. */
MUST_USE struct resolver *resolver_new(struct loop *loop, struct str host, uint16_t port);

/* Waits are dropped without an answer; also from within on_resolved. */
void resolver_free(struct resolver *resolver);

/* ERR_OK: addresses are there (and, if older than `ttl`, are being renewed). ERR_BUSY: `wait` will be answered.
 * ERR_RESOLVE: failed within the last second. */
MUST_USE enum err resolver_ask(struct resolver *resolver, usec_t ttl, struct resolver_wait *wait);

void resolver_cancel(struct resolver_wait *wait);

/* Valid until the loop's next turn; at least one after ERR_OK. */
const struct address *resolver_addresses(const struct resolver *resolver, size_t *ret_count);
