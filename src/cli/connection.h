/* SPDX-License-Identifier: Apache-2.0 */
/* The connection to the server: the only file that knows the client library. */
#pragma once

#include "cli/format.h"
#include "cli/options.h"

#include <mysql.h>

struct connection {
    const struct options *options; /* borrowed */
    MYSQL *mysql;                  /* NULL: not connected */
    MYSQL_RES *rows;               /* of the last statement */
    struct column *columns;        /* theirs */
    struct cell *cells;            /* of one row */
    unsigned cancels;              /* times that Ctrl-C came in the statement that runs */
};

struct failure {
    unsigned number; /* MySQL's; 0: none */
    char sqlstate[6];
    char message[512];
    bool is_lost; /* and with it the connection */
};

struct answer {
    bool has_rows;
    uint64_t row_count, affected;
    unsigned warnings;
    const char *info; /* further words of the server, or NULL; until the next statement */
};

/* Closes what there was. ERR_REFUSED: `ret_failure` says why. */
MUST_USE enum err connection_open(struct connection *connection, struct failure *ret_failure);
void connection_close(struct connection *connection);

/* The server has closed it while nothing was asked. */
bool connection_is_stale(const struct connection *connection);

/* The server said last that a transaction is open. */
bool connection_in_transaction(const struct connection *connection);

/* Runs a statement and fetches its rows whole. Ctrl-C asks the server to end it, a second one cuts the connection.
 * ERR_INVALID: the server refused, ERR_CLOSED: the connection is gone; `ret_failure` says why. ERR_NO_MEMORY. */
MUST_USE enum err connection_run(struct connection *connection, struct str statement,
                                 struct answer *ret_answer, struct failure *ret_failure);

/* Rows of the last answer, one after another; NULL at the end. The cells are valid until the next call. */
const struct cell *connection_next_row(struct connection *connection);
void connection_rewind(struct connection *connection);

/* Lines for people: who, where, which server. */
void connection_describe(const struct connection *connection, struct buf *out);
