/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/connection.h"

#include "cli/waiting.h"

#include <errmsg.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define CANCEL_PATIENCE 3 /* seconds; somebody has pressed Ctrl-C and waits */

static void tell_failure(MYSQL *mysql, struct failure *ret_failure)
{
    unsigned number = mysql_errno(mysql);
    *ret_failure = (struct failure){.number = number,
                                    .is_lost = number == CR_SERVER_GONE_ERROR || number == CR_SERVER_LOST};
    snprintf(ret_failure->sqlstate, sizeof(ret_failure->sqlstate), "%s", mysql_sqlstate(mysql));
    snprintf(ret_failure->message, sizeof(ret_failure->message), "%s", mysql_error(mysql));
}

/* ---- open and close ---- */

/* Only what the command line says counts: no option files, no Unix sockets, no files sent on the server's demand. */
static void set_options(MYSQL *mysql, const struct options *options)
{
    unsigned protocol = MYSQL_PROTOCOL_TCP, no = 0;
    my_bool yes = 1;
    mysql_options(mysql, MYSQL_OPT_PROTOCOL, &protocol);
    mysql_options(mysql, MYSQL_OPT_LOCAL_INFILE, &no);
    mysql_options(mysql, MYSQL_OPT_CONNECT_TIMEOUT, &options->connect_timeout);
    mysql_options(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    mysql_options(mysql, MYSQL_OPT_NONBLOCK, NULL);
    if (options->use_tls)
        mysql_options(mysql, MYSQL_OPT_SSL_ENFORCE, &yes);
    if (options->tls_ca_file) {
        mysql_options(mysql, MYSQL_OPT_SSL_CA, options->tls_ca_file);
        mysql_options(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &yes);
    }
}

/* `patience`: seconds that each answer may take; 0 is no limit. NULL: `ret_failure` says why. */
static MYSQL *connect_to(const struct options *options, unsigned patience, struct failure *ret_failure)
{
    MYSQL *mysql = mysql_init(NULL);
    if (!mysql) {
        *ret_failure = (struct failure){CR_OUT_OF_MEMORY, "HY000", "out of memory", false};
        return NULL;
    }
    set_options(mysql, options);
    if (patience > 0) {
        mysql_options(mysql, MYSQL_OPT_CONNECT_TIMEOUT, &patience);
        mysql_options(mysql, MYSQL_OPT_READ_TIMEOUT, &patience);
    }
    const char *password = options->password;
    bool is_good =
        mysql_real_connect(mysql, options->host, options->user, password, NULL, options->port, NULL, 0);
    if (is_good && (!options->use_tls || mysql_get_ssl_cipher(mysql)))
        return mysql;
    /* Without an authority to check, the library goes on in clear when the server has no TLS. */
    if (is_good)
        *ret_failure =
            (struct failure){CR_SSL_CONNECTION_ERROR, "HY000", "The server does not offer TLS", false};
    else
        tell_failure(mysql, ret_failure);
    mysql_close(mysql);
    return NULL;
}

static void forget_rows(struct connection *connection)
{
    if (connection->rows)
        mysql_free_result(connection->rows);
    free(connection->columns);
    free(connection->cells);
    connection->rows = NULL;
    connection->columns = NULL;
    connection->cells = NULL;
}

void connection_close(struct connection *connection)
{
    forget_rows(connection);
    if (connection->mysql)
        mysql_close(connection->mysql);
    connection->mysql = NULL;
}

enum err connection_open(struct connection *connection, struct failure *ret_failure)
{
    connection_close(connection);
    connection->mysql = connect_to(connection->options, 0, ret_failure);
    return connection->mysql ? ERR_OK : ERR_REFUSED;
}

bool connection_is_stale(const struct connection *connection)
{
    char byte;
    if (!connection->mysql)
        return true;
    ssize_t got = recv(mysql_get_socket(connection->mysql), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
}

bool connection_in_transaction(const struct connection *connection)
{
    unsigned status = 0;
    return connection->mysql &&
           mariadb_get_infov(connection->mysql, MARIADB_CONNECTION_SERVER_STATUS, &status) == 0 &&
           (status & SERVER_STATUS_IN_TRANS);
}

/* ---- statements ---- */

/* Over a connection of its own, as ours is busy with the statement. */
static bool ask_to_cancel(struct connection *connection)
{
    struct failure failure;
    char text[64];
    MYSQL *other = connect_to(connection->options, CANCEL_PATIENCE, &failure);
    if (!other)
        return false;
    int len = snprintf(text, sizeof(text), "KILL QUERY %lu", mysql_thread_id(connection->mysql));
    bool is_done = mysql_real_query(other, text, (unsigned long)len) == 0;
    mysql_close(other);
    return is_done;
}

static void cancel(struct connection *connection)
{
    if (connection->cancels++ == 0 && ask_to_cancel(connection))
        return;
    shutdown(mysql_get_socket(connection->mysql), SHUT_RDWR);
}

/* Until what the library waits for has come; what to tell it. */
static int wait_for(struct connection *connection, int wanted)
{
    int timeout = wanted & MYSQL_WAIT_TIMEOUT ? (int)mysql_get_timeout_value_ms(connection->mysql) : -1;
    short events = 0;
    if (wanted & MYSQL_WAIT_READ)
        events |= POLLIN;
    if (wanted & MYSQL_WAIT_WRITE)
        events |= POLLOUT;
    while (true) {
        switch (waiting_for(mysql_get_socket(connection->mysql), events, timeout)) {
        case WAITED_READY:
            return wanted & (MYSQL_WAIT_READ | MYSQL_WAIT_WRITE);
        case WAITED_TIMEOUT:
            return MYSQL_WAIT_TIMEOUT;
        case WAITED_INTERRUPT:
            cancel(connection);
            break;
        case WAITED_SIGNAL:
            break;
        }
    }
}

static enum err fail(struct connection *connection, struct failure *ret_failure)
{
    tell_failure(connection->mysql, ret_failure);
    if (!ret_failure->is_lost)
        return ERR_INVALID;
    connection_close(connection);
    return ERR_CLOSED;
}

static enum err take_columns(struct connection *connection)
{
    unsigned count = mysql_num_fields(connection->rows);
    const MYSQL_FIELD *fields = mysql_fetch_fields(connection->rows);
    connection->columns = calloc(count, sizeof(*connection->columns));
    connection->cells = calloc(count, sizeof(*connection->cells));
    if (!connection->columns || !connection->cells)
        return ERR_NO_MEMORY;
    for (unsigned i = 0; i < count; i++) {
        connection->columns[i] = (struct column){
            .name = {fields[i].name, fields[i].name_length},
            .is_numeric = IS_NUM(fields[i].type) && fields[i].type != MYSQL_TYPE_NULL,
            .is_nullable = !(fields[i].flags & NOT_NULL_FLAG),
        };
    }
    return ERR_OK;
}

enum err connection_run(struct connection *connection, struct str statement, struct answer *ret_answer,
                        struct failure *ret_failure)
{
    MYSQL *mysql = connection->mysql;
    int failed = 0, wanted;
    forget_rows(connection);
    connection->cancels = 0;
    wanted = mysql_real_query_start(&failed, mysql, statement.ptr, (unsigned long)statement.len);
    while (wanted)
        wanted = mysql_real_query_cont(&failed, mysql, wait_for(connection, wanted));
    if (failed)
        return fail(connection, ret_failure);
    wanted = mysql_store_result_start(&connection->rows, mysql);
    while (wanted)
        wanted = mysql_store_result_cont(&connection->rows, mysql, wait_for(connection, wanted));
    if (!connection->rows && mysql_field_count(mysql) > 0)
        return fail(connection, ret_failure);
    if (connection->rows && take_columns(connection) != ERR_OK)
        return ERR_NO_MEMORY;
    *ret_answer = (struct answer){
        .has_rows = connection->rows != NULL,
        .row_count = connection->rows ? mysql_num_rows(connection->rows) : 0,
        .affected = mysql_affected_rows(mysql),
        .warnings = mysql_warning_count(mysql),
        .info = mysql_info(mysql),
    };
    return ERR_OK;
}

const struct cell *connection_next_row(struct connection *connection)
{
    MYSQL_ROW row = mysql_fetch_row(connection->rows);
    const unsigned long *lengths = mysql_fetch_lengths(connection->rows);
    for (unsigned i = 0; row && i < mysql_num_fields(connection->rows); i++)
        connection->cells[i] = (struct cell){.text = {row[i], row[i] ? lengths[i] : 0}, .is_null = !row[i]};
    return row ? connection->cells : NULL;
}

void connection_rewind(struct connection *connection)
{
    mysql_data_seek(connection->rows, 0);
}

void connection_describe(const struct connection *connection, struct buf *out)
{
    const struct options *options = connection->options;
    if (!connection->mysql) {
        buf_printf(out, "Not connected to %s:%u\n", options->host, options->port);
        return;
    }
    const char *cipher = mysql_get_ssl_cipher(connection->mysql);
    buf_printf(out, "Server:      %s:%u, version %s\n", options->host, options->port,
               mysql_get_server_info(connection->mysql));
    buf_printf(out, "Connection:  %lu, as %s\n", mysql_thread_id(connection->mysql), options->user);
    buf_printf(out, "TLS:         %s\n", cipher ? cipher : "not in use");
    buf_printf(out, "Transaction: %s\n", connection_in_transaction(connection) ? "open" : "none");
}
