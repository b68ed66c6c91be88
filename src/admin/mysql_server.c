/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/mysql_internal.h"

#include "base/log.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define KEY_BITS 2048

struct mysql_listener {
    struct listener listener;
    struct mysql_server *server;
    struct list node;
};

void mysql_admin_account(const struct settings *settings, struct str user, struct mysql_account *ret_account)
{
    *ret_account = (struct mysql_account){
        .is_known = str_eq(user, settings->admin_username),
        .may_write = true,
        .password = settings->admin_password,
        .password_hash = settings->admin_password_hash,
    };
}

void mysql_server_init(struct mysql_server *server, struct loop *loop, struct sql_engine *engine,
                       struct mysql_owner *owner, struct str version)
{
    *server = (struct mysql_server){
        .loop = loop, .engine = engine, .owner = owner, .version = version, .started = loop_now(loop)};
    list_init(&server->listeners);
    list_init(&server->sessions);
}

void mysql_server_set_tls(struct mysql_server *server, SSL_CTX *context)
{
    if (context)
        SSL_CTX_up_ref(context);
    SSL_CTX_free(server->tls);
    server->tls = context;
}

EVP_PKEY *mysql_server_key(struct mysql_server *server)
{
    if (!server->key)
        server->key = EVP_RSA_gen(KEY_BITS);
    return server->key;
}

/* In place of the greeting. The socket is new, so that the few bytes fit; if not, the client sees its end. */
static void turn_away(int fd, uint64_t limit)
{
    char memory[256], message[128];
    uint8_t sequence = 0;
    struct buf out;
    buf_init_fixed(&out, memory, sizeof(memory));
    int len = snprintf(message, sizeof(message), "Too many connections: sql_max_sessions is %llu",
                       (unsigned long long)limit);
    mysql_put_error(&out, &sequence, MYSQL_ERROR_TOO_MANY_CONNECTIONS, NULL,
                    (struct str){message, (size_t)len});
    ssize_t sent = send(fd, out.ptr, out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0)
        log_debug("SQL client turned away without a word");
    close(fd);
}

static void server_on_accept(struct listener *listener, int fd, const struct address *peer)
{
    struct mysql_server *server = CONTAINER_OF(listener, struct mysql_listener, listener)->server;
    uint64_t limit = server->owner->settings(server->owner)->sql_max_sessions;
    if (server->session_count >= limit)
        turn_away(fd, limit);
    else
        mysql_session_open(server, fd, peer);
}

enum err mysql_server_listen(struct mysql_server *server, const struct address *address, int reserved)
{
    struct mysql_listener *listener = calloc(1, sizeof(*listener));
    if (!listener) {
        if (reserved >= 0)
            close(reserved);
        return ERR_NO_MEMORY;
    }
    enum err err = listener_open(&listener->listener, server->loop, address, reserved, server_on_accept);
    if (err != ERR_OK) {
        free(listener);
        return err;
    }
    listener->server = server;
    list_push_back(&server->listeners, &listener->node);
    server->listener_count++;
    return ERR_OK;
}

static void server_check_closed(struct mysql_server *server)
{
    if (server->is_closing && server->listener_count == 0 && server->session_count == 0 && server->on_closed)
        server->on_closed(server);
}

void mysql_server_forget(struct mysql_server *server)
{
    server->session_count--;
    server_check_closed(server);
}

static void server_on_listener_closed(struct listener *closed)
{
    struct mysql_listener *listener = CONTAINER_OF(closed, struct mysql_listener, listener);
    struct mysql_server *server = listener->server;
    list_remove(&listener->node);
    free(listener);
    server->listener_count--;
    server_check_closed(server);
}

void mysql_server_close(struct mysql_server *server, void (*on_closed)(struct mysql_server *server))
{
    server->is_closing = true;
    server->on_closed = on_closed;
    LIST_EACH (node, &server->listeners)
        listener_close(&LIST_ITEM(node, struct mysql_listener, node)->listener, server_on_listener_closed);
    LIST_EACH (node, &server->sessions)
        mysql_session_close(LIST_ITEM(node, struct mysql_session, node));
    server_check_closed(server);
}

void mysql_server_fini(struct mysql_server *server)
{
    EVP_PKEY_free(server->key);
    SSL_CTX_free(server->tls);
    OPENSSL_cleanse(&server->fast_login, sizeof(server->fast_login));
}
