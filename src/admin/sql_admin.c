/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that end, drain, make and undo. */
#include "admin/sql_commands.h"

#include "proxy/cache.h"
#include "proxy/live.h"

#include <openssl/rand.h>
#include <stdio.h>

void sql_nothing(struct sql_session *session, const struct sql_call *call)
{
    (void)session;
    (void)call;
}

/* ---- transactions ---- */

/* As in MySQL, what is open is committed first. */
void sql_begin(struct sql_session *session, const struct sql_call *call)
{
    struct sql_lexer lexer = call->lexer;
    struct sql_token token;
    do {
        token = sql_lexer_next(&lexer);
        session->begins_reading = session->begins_reading || sql_token_is(&token, STR("ONLY"));
    } while (token.kind != SQL_TOKEN_END && token.kind != SQL_TOKEN_FAULT);
    session->begins_afterwards = true;
    session->commits_at_once = sql_session_in_transaction(session);
}

void sql_commit(struct sql_session *session, const struct sql_call *call)
{
    (void)call;
    session->commits_at_once = sql_session_in_transaction(session);
}

void sql_rollback(struct sql_session *session, const struct sql_call *call)
{
    (void)call;
    sql_session_rollback(session);
}

static void with_savepoint(struct sql_session *session, const struct sql_call *call, const char *statement)
{
    char text[256];
    struct buf sql;
    struct str name = sql_call_text(session, call, 0);
    buf_init_fixed(&sql, text, sizeof(text));
    buf_add(&sql, str_from(statement));
    sql_quote_name(name, &sql);
    buf_add_char(&sql, '\0');
    if (!buf_ok(&sql) || memchr(name.ptr, '\0', name.len))
        sql_error_set(&session->error, SQL_ERR_TOO_LONG, "The savepoint's name is too long");
    else
        sql_session_exec(session, sql.ptr);
}

/* Without a transaction there is nothing to come back to, which MySQL takes as a success. */
void sql_savepoint(struct sql_session *session, const struct sql_call *call)
{
    if (sql_session_in_transaction(session))
        with_savepoint(session, call, "SAVEPOINT ");
}

static bool needs_transaction(struct sql_session *session, const struct sql_call *call)
{
    if (sql_session_in_transaction(session))
        return true;
    struct str name = sql_call_text(session, call, 0);
    sql_error_set(&session->error, SQL_ERR_NO_ROUTINE, "SAVEPOINT " STR_FMT " does not exist", STR_ARG(name));
    return false;
}

void sql_rollback_to(struct sql_session *session, const struct sql_call *call)
{
    if (needs_transaction(session, call))
        with_savepoint(session, call, "ROLLBACK TO ");
}

void sql_release(struct sql_session *session, const struct sql_call *call)
{
    if (needs_transaction(session, call))
        with_savepoint(session, call, "RELEASE ");
}

/* ---- running requests, servers, the cache ---- */

static bool may_act(struct sql_session *session)
{
    if (!session->identity.may_write)
        sql_error_set(&session->error, SQL_ERR_READ_ONLY, "This session may only read");
    return session->identity.may_write;
}

void sql_cache_clear(struct sql_session *session, const struct sql_call *call)
{
    (void)call;
    if (may_act(session))
        cache_clear(&session->engine->gateway->cache);
}

void sql_kill(struct sql_session *session, const struct sql_call *call)
{
    struct str what = sql_call_text(session, call, 0);
    uint64_t id;
    if (!may_act(session))
        return;
    bool is_number = str_to_u64(what, &id);
    bool is_found = is_number ? live_kill(session->engine->gateway, id)
                              : live_kill_by_request_id(session->engine->gateway, what);
    if (!is_found)
        sql_error_set(&session->error, SQL_ERR_NO_SUCH_THREAD, "Unknown thread id: " STR_FMT, STR_ARG(what));
    session->affected = is_found;
}

/* What clients send on Ctrl-C, with the number of their session: never about requests, whose numbers may be the same.
 * Statements end within sql_statement_timeout_ms, on this one thread: when this is read, the one that is meant has. */
void sql_kill_query(struct sql_session *session, const struct sql_call *call)
{
    struct str what = sql_call_text(session, call, 0);
    uint64_t id = 0;
    if (str_to_u64(what, &id) && id > 0)
        LIST_EACH (node, &session->engine->sessions)
            if (LIST_ITEM(node, struct sql_session, node)->identity.id == id)
                return;
    sql_error_set(&session->error, SQL_ERR_NO_SUCH_THREAD, "Unknown thread id: " STR_FMT, STR_ARG(what));
}

void sql_drain(struct sql_session *session, const struct sql_call *call)
{
    struct str name = sql_call_text(session, call, 0);
    if (!sql_session_begin_write(session, true) ||
        !sql_session_write(session, "UPDATE main.ai_servers SET status = 'DRAINING' WHERE name = ?", &name,
                           1))
        return;
    if (session->affected == 0)
        sql_error_set(&session->error, SQL_ERR_ARGUMENTS, "ai_servers has no server '" STR_FMT "'",
                      STR_ARG(name));
}

/* ---- keys of clients ---- */

static struct str key_name(struct sql_session *session, const struct sql_call *call, struct str user)
{
    unsigned char random[4];
    char text[160];
    if (sql_call_has(call, 1))
        return sql_call_text(session, call, 1);
    if (RAND_bytes(random, sizeof(random)) != 1)
        return STR_NONE;
    snprintf(text, sizeof(text), "%.*s-%02x%02x%02x%02x", (int)MIN(user.len, 128u), user.ptr, random[0],
             random[1], random[2], random[3]);
    return arena_dup(&session->arena, str_from(text));
}

/* The key is shown when the change is in force, and never again. */
void sql_create_api_key(struct sql_session *session, const struct sql_call *call)
{
    static const struct sql_column columns[] = {{STR("name"), STR("ai_api_keys"), SQL_TEXT},
                                                {STR("username"), STR("ai_api_keys"), SQL_TEXT},
                                                {STR("api_key"), STR("ai_api_keys"), SQL_TEXT}};
    struct str user = sql_call_text(session, call, 0), name = key_name(session, call, user);
    if (!name.ptr) {
        sql_error_set(&session->error, SQL_ERR_NO_MEMORY, "Out of memory");
        return;
    }
    client_key_make(session->made_key);
    const struct str values[] = {name, user, {session->made_key, CLIENT_KEY_SIZE}};
    if (!sql_session_begin_write(session, true) ||
        !sql_session_write(session, "INSERT INTO main.ai_api_keys (name, username, api_key) VALUES (?, ?, ?)",
                           values, ARRAY_LEN(values)))
        return;
    struct sql_rows *rows = sql_session_answer(session, columns, ARRAY_LEN(columns));
    sql_rows_begin(rows);
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        sql_add_text(rows, values[i]);
}
