/* SPDX-License-Identifier: Apache-2.0 */
/* One line per request, as JSON or as text for people. Pure: it only writes into a buf. */
#pragma once

#include "base/buf.h"
#include "base/clock.h"
#include "llm/usage.h"
#include "net/address.h"

/* Absent texts are empty and left out of the line. */
struct access_record {
    usec_t realtime; /* of the end */
    struct str id;
    const struct address *client;
    struct str method, path; /* without query: it may carry a key */
    struct str api, model, user, server, hostgroup;
    int status; /* 499: the client left before the answer was complete */
    bool is_stream;
    unsigned attempts;
    uint64_t bytes_in, bytes_out; /* bodies */
    usec_t queue, connect, first_byte, overhead, total;
    struct usage usage;
    struct str error; /* code of a fault */
};

void access_log_json(struct buf *out, const struct access_record *record);
void access_log_text(struct buf *out, const struct access_record *record);
