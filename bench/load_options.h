/* SPDX-License-Identifier: Apache-2.0 */
/* What the command line of fairlead-load says. Views are into argv. */
#pragma once

#include "net/address.h"

#define LOAD_HEADERS_MAX 16
#define LOAD_WATCHED_MAX 8

struct load_options {
#define NUMBER(flag, field, unit, help) uint64_t field;
#include "load_options.def"
#undef NUMBER
    struct str host, path; /* of http://HOST:PORT/PATH */
    struct address address;
    struct str model;
    struct str headers[LOAD_HEADERS_MAX]; /* "Name: value" */
    size_t header_count;
    uint64_t watched[LOAD_WATCHED_MAX]; /* process ids */
    size_t watched_count;
    bool stream, unique, help;
};

/* ERR_INVALID: `why` says what is wrong. */
MUST_USE enum err load_options_parse(int count, char *const *arguments, struct load_options *ret_options,
                                     struct buf *why);

void load_options_help(struct buf *out);
