/* SPDX-License-Identifier: Apache-2.0 */
/* A listening TCP socket on one loop. Every loop that serves an address has its own, shared by SO_REUSEPORT, so the
 * kernel spreads connections and no accept lock exists. */
#pragma once

#include "net/address.h"
#include "net/loop.h"

struct listener {
    uv_poll_t poll;
    struct loop *loop;
    int fd;
    bool is_closing;
    struct wheel_timer pause; /* out of descriptors: accepting rests for a moment */
    /* `fd` is non-blocking, has TCP_NODELAY, and is the callee's to close. */
    void (*on_accept)(struct listener *listener, int fd, const struct address *peer);
    void (*on_closed)(struct listener *listener);
};

/* Reserves `address` for this process: ERR_BUSY when any other socket listens there, even one that shares its port.
 * Port 0 is replaced by the one that the kernel gave. The returned descriptor keeps the address; listener_open dups
 * it for the first loop and binds a new one for the others. Errors leave errno set. */
MUST_USE enum err listener_reserve(struct address *io_address, int *ret_fd);

/* Starts accepting on `loop`. `reserved` >= 0 is the descriptor from listener_reserve, taken over by this listener;
 * -1 binds a further socket to the same address. */
MUST_USE enum err listener_open(struct listener *listener, struct loop *loop, const struct address *address,
                                int reserved,
                                void (*on_accept)(struct listener *, int, const struct address *));

/* No accept after this; `on_closed` (may be NULL) follows at the end of the turn. */
void listener_close(struct listener *listener, void (*on_closed)(struct listener *));
