/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that run, as others may see and end them. The request path pays nothing for this: who asks sends a message,
 * and each worker copies what it has, some hundred requests a turn. */
#pragma once

#include "base/arena.h"
#include "net/address.h"
#include "proxy/gateway.h"

/* One running request, copied; texts live in the arena of the snapshot. */
struct live_request {
    uint64_t id;           /* process-wide, what KILL takes */
    struct str request_id; /* X-Request-ID */
    struct str user, model, server, api, state; /* state: name of the phase, lower case; server: empty before one is chosen */
    unsigned hostgroup;
    bool has_hostgroup, is_stream;
    struct address client;
    unsigned attempts;
    uint64_t events, bytes_out;
    usec_t age;            /* since its head came */
    usec_t first_byte;     /* until the first byte of the answer; 0: none yet */
};

/* All of them, oldest first per worker. Any thread but a worker's; waits for the workers, a few milliseconds.
 * ERR_TIMEOUT: a worker has not answered within a second. */
MUST_USE enum err live_snapshot(struct gateway *gateway, struct arena *arena, struct live_request **ret_requests,
                                size_t *ret_count);

/* Ends a request: its client gets an error, its server is hung up on. Waits as above. False: there is no such request. */
MUST_USE bool live_kill(struct gateway *gateway, uint64_t id);
MUST_USE bool live_kill_by_request_id(struct gateway *gateway, struct str request_id);

struct request;

/* For the end of a request, on its worker's thread: snapshots under way step over it. */
void live_request_ends(struct worker *worker, struct request *req);
