/* SPDX-License-Identifier: Apache-2.0 */
/* One client of the MySQL protocol.
 *
 *   accept -> LOGIN -> [TLS -> LOGIN] -> [AUTH] -> READY -> (COM_QUIT) -> CLOSED
 *                                                       \-> (error that ends it) -> LINGER -> CLOSED
 *
 * Commands are handled one at a time, in the order they come; what comes ahead waits in `ahead`. Before the login
 * nothing is read beyond the present packet, since TLS may begin behind it. Rows go out as the client takes them: the
 * SQL session pauses while more than MYSQL_OUT_HIGH bytes wait. */
#pragma once

#include "admin/mysql_server.h"
#include "net/sock.h"

#define MYSQL_OUT_HIGH ((size_t)65536)

enum mysql_session_state {
    MYSQL_SESSION_LOGIN, /* greeted; waits for the response */
    MYSQL_SESSION_TLS,   /* handshake */
    MYSQL_SESSION_AUTH,  /* an authentication plugin talks */
    MYSQL_SESSION_READY,
    MYSQL_SESSION_LINGER, /* told why it ends; what the client still sends is dropped, for a moment */
    MYSQL_SESSION_CLOSED,
};

/* What the next packet is in MYSQL_SESSION_AUTH. */
enum mysql_auth_step {
    MYSQL_AUTH_NATIVE,   /* mysql_native_password's scramble */
    MYSQL_AUTH_SCRAMBLE, /* caching_sha2_password's */
    MYSQL_AUTH_FULL, /* the password: in clear under TLS, else encrypted; or the request for the key to do so */
};

/* The answer that is under way. */
struct mysql_result {
    bool is_binary;
    bool has_columns;
    bool is_spoilt; /* a row could not be sent: `why` is what the client gets in the end */
    size_t column_count;
    struct sql_column *columns; /* names and types; in the arena */
    uint64_t rows;
    char why[256];
};

struct mysql_session {
    struct sock sock;
    struct mysql_server *server;
    struct list node;
    struct wheel_timer deadline;    /* of the login, of silence, of an open transaction, of lingering */
    struct wheel_timer write_timer; /* the client takes nothing */
    struct task after;              /* advances, outside of callbacks */
    struct address peer;
    uint32_t id;
    enum mysql_session_state state;
    enum mysql_auth_step auth_step;
    uint32_t capabilities;
    uint8_t nonce[MYSQL_NONCE_SIZE];
    struct buf user, database;
    struct mysql_inbound in;
    struct buf ahead; /* read from the socket, not looked at */
    struct buf out;   /* not yet taken by the socket */
    bool is_advancing, is_shut;
    struct sql_session *sql; /* NULL before the login */
    struct sql_sink sink;
    bool is_running; /* a statement; its text is in `in` or in a prepared statement */
    bool is_paused;  /* by row() */
    bool in_transaction;
    usec_t transaction_since;
    struct arena arena; /* of the statement that runs */
    struct mysql_result result;
    struct list statements; /* of struct mysql_statement */
    size_t statement_count, statement_bytes;
    uint32_t last_statement;
    struct mysql_statement *executing;
};

/* Takes over the accepted `fd`, greets, and adds itself to the server's sessions. Closes `fd` when it cannot. */
void mysql_session_open(struct mysql_server *server, int fd, const struct address *peer);

/* Without a word; it is freed at the end of the turn. */
void mysql_session_close(struct mysql_session *session);
