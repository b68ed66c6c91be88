/* SPDX-License-Identifier: Apache-2.0 */
/* The MySQL protocol on a port: listeners, and the sessions of the clients that come by them. Store thread. */
#pragma once

#include "admin/sql.h"
#include "conf/settings.h"
#include "net/listener.h"
#include "net/tls.h"
#include "wire/mysql.h"

/* What it takes to log in under a name. */
struct mysql_account {
    bool is_known;
    bool may_write;
    struct str password; /* in clear */
    struct str
        password_hash; /* used when `password` is empty. With neither, this machine logs in with any password */
};

/* The owner's answers; asked each time, so that a change acts at once. What they give is read before the loop's turn
 * ends. */
struct mysql_owner {
    const struct settings *(*settings)(struct mysql_owner *owner);
    /* For an unknown name, what would hold for a known one: so that both are refused in the same way. */
    void (*account)(struct mysql_owner *owner, struct str user, struct mysql_account *ret_account);
};

/* The account that the settings admin_username, admin_password and admin_password_hash make. */
void mysql_admin_account(const struct settings *settings, struct str user, struct mysql_account *ret_account);

/* One full login lets later ones with the same password take the short way of caching_sha2_password. */
struct mysql_fast_login {
    bool is_set;
    uint8_t account[MYSQL_DIGEST_SIZE]; /* digest of name and hash: a new hash makes this one void */
    uint8_t digest[MYSQL_DIGEST_SIZE];
};

struct mysql_server {
    struct loop *loop;
    struct sql_engine *engine;
    struct mysql_owner *owner;
    struct str version; /* borrowed */
    SSL_CTX *tls;       /* NULL: clients that want TLS are not offered it */
    EVP_PKEY *key;      /* of passwords without TLS; made when first asked for */
    struct mysql_fast_login fast_login;
    struct list listeners, sessions;
    size_t listener_count, session_count;
    uint32_t last_id;
    usec_t started;
    uint64_t questions;
    bool is_closing;
    void (*on_closed)(struct mysql_server *server);
};

/* `version` is what the greeting says, "5.7.0-Fairlead" for one; it stays. */
void mysql_server_init(struct mysql_server *server, struct loop *loop, struct sql_engine *engine,
                       struct mysql_owner *owner, struct str version);

/* Sessions from now on are offered TLS by `context` (NULL: none), of which a reference is taken. */
void mysql_server_set_tls(struct mysql_server *server, SSL_CTX *context);

/* As listener_open. May be called for several addresses. */
MUST_USE enum err mysql_server_listen(struct mysql_server *server, const struct address *address,
                                      int reserved);

/* Ends all sessions, rolling back what they have open. `on_closed` follows in a later turn, or at
 * once when nothing is open; then mysql_server_fini. */
void mysql_server_close(struct mysql_server *server, void (*on_closed)(struct mysql_server *server));
void mysql_server_fini(struct mysql_server *server);

/* ---- for its sessions ---- */

/* NULL when it cannot be made. Takes a second, the first time. */
EVP_PKEY *mysql_server_key(struct mysql_server *server);

void mysql_server_forget(struct mysql_server *server); /* a session has been freed */
