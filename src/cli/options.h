/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of fairsql. Views and pointers are into argv. */
#pragma once

#include "cli/format.h"

#include "base/err.h"

#define PASSWORD_MAX 256

struct options {
    const char *host, *user;
    unsigned port;
    unsigned connect_timeout; /* seconds */
    char password[PASSWORD_MAX];
    bool asks_password; /* -p without one */
    bool has_password;
    bool use_tls;
    const char *tls_ca_file;     /* NULL: the server's certificate is not checked */
    const char *statements;      /* of -e; NULL: none */
    const struct format *format; /* NULL: by what the program runs in */
    bool skip_names, is_forced;
    bool wants_help, wants_version;
};

/* Passwords in argv are overwritten, so that they do not stay in the list of processes. ERR_INVALID: `why` says what is
 * wrong. */
MUST_USE enum err options_parse(int argc, char **argv, struct options *ret_options, struct buf *why);

void options_help(struct buf *out);
