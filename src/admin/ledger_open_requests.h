/* SPDX-License-Identifier: Apache-2.0 */
/* The requests that have a BEGIN and no END yet, while the journal of earlier runs is gone over. */
#pragma once

#include "base/macros.h"

#include <stdbool.h>

struct open_request {
    uint64_t run, id;
    uint64_t segment_number; /* of its BEGIN; 0: a free slot */
    size_t at;
};

struct open_requests {
    struct open_request *slots; /* linear probing */
    size_t slot_count, count;
};

/* False: no memory. One that is there already stays as it is. */
MUST_USE bool open_requests_add(struct open_requests *open, uint64_t run, uint64_t id,
                                uint64_t segment_number, size_t at);

/* Does nothing when it is not there. */
void open_requests_remove(struct open_requests *open, uint64_t run, uint64_t id);
void open_requests_free(struct open_requests *open);
