/* SPDX-License-Identifier: Apache-2.0 */
/* Who a client is. An account with a password in clear is asked by mysql_native_password, and a client that prefers
 * caching_sha2_password may use that. Of an account with a hash the password itself is needed: caching_sha2_password's
 * full way brings it, under TLS or encrypted for the server's key; the short way serves once it has succeeded. */
#include "admin/mysql_internal.h"

#include "base/log.h"
#include "store/seal.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#define CAPABILITIES                                                                                         \
    (MYSQL_CAN_LONG_PASSWORD | MYSQL_CAN_FOUND_ROWS | MYSQL_CAN_LONG_FLAG | MYSQL_CAN_CONNECT_WITH_DB |      \
     MYSQL_CAN_PROTOCOL_41 | MYSQL_CAN_TRANSACTIONS | MYSQL_CAN_SECURE_CONNECTION | MYSQL_CAN_PLUGIN_AUTH |  \
     MYSQL_CAN_CONNECT_ATTRS | MYSQL_CAN_LENENC_AUTH | MYSQL_CAN_DEPRECATE_EOF)

static uint32_t offered(const struct mysql_session *session)
{
    return CAPABILITIES | (session->server->tls ? MYSQL_CAN_TLS : 0);
}

/* Seven bits, neither 0, which would end it for some clients, nor '$', which separates fields in stored hashes. */
static bool nonce_make(uint8_t *nonce)
{
    if (RAND_bytes(nonce, MYSQL_NONCE_SIZE) != 1)
        return false;
    for (size_t i = 0; i < MYSQL_NONCE_SIZE; i++) {
        nonce[i] &= 0x7f;
        if (nonce[i] == 0 || nonce[i] == '$')
            nonce[i]++;
    }
    return true;
}

bool mysql_greet(struct mysql_session *session)
{
    if (!nonce_make(session->nonce))
        return false;
    struct mysql_greeting greeting = {
        .version = session->server->version,
        .connection_id = session->id,
        .nonce = session->nonce,
        .capabilities = offered(session),
        .plugin = MYSQL_NATIVE_PASSWORD,
    };
    mysql_put_greeting(&session->out, &session->in.sequence, &greeting);
    return true;
}

/* ---- outcome ---- */

static void deny(struct mysql_session *session, bool with_password)
{
    char host_text[MYSQL_HOST_TEXT_MAX];
    struct str host = mysql_session_host(session, host_text);
    log_warn("SQL login from " STR_FMT " refused: wrong name or password", STR_ARG(host));
    mysql_session_refuse(session, MYSQL_ERROR_ACCESS_DENIED,
                         "Access denied for user '" STR_FMT "'@'" STR_FMT "' (using password: %s)",
                         STR_ARG(buf_str(&session->user)), STR_ARG(host), with_password ? "YES" : "NO");
}

static struct mysql_account account_of(const struct mysql_session *session)
{
    struct mysql_account account = {0};
    struct mysql_owner *owner = session->server->owner;
    owner->account(owner, buf_str(&session->user), &account);
    return account;
}

bool mysql_open_sql(struct mysql_session *session)
{
    char host_text[MYSQL_HOST_TEXT_MAX];
    struct sql_identity identity = {
        .user = buf_str(&session->user),
        .host = mysql_session_host(session, host_text),
        .may_write = account_of(session).may_write,
        .id = session->id,
    };
    struct str database = buf_str(&session->database);
    mysql_session_drop_sql(session);
    session->sql = sql_session_new(session->server->engine, &identity);
    if (!session->sql) {
        mysql_session_refuse(session, MYSQL_ERROR_OUT_OF_RESOURCES,
                             "The store cannot be opened for this session");
        return false;
    }
    if (database.len > 0 && !sql_session_use(session->sql, database)) {
        mysql_session_refuse(session, MYSQL_ERROR_UNKNOWN_DATABASE, "Unknown database '" STR_FMT "'",
                             STR_ARG(database));
        return false;
    }
    return true;
}

static void settle(struct mysql_session *session, bool is_right, bool with_password)
{
    if (!is_right) {
        deny(session, with_password);
    } else if (mysql_open_sql(session)) {
        mysql_session_ok(session);
        mysql_session_await_command(session);
    }
}

/* ---- passwords ---- */

/* Binds what is remembered of a login to the hash that it was checked against. */
static bool fast_login_account(const struct mysql_session *session, struct str hash, uint8_t *out)
{
    struct str user = buf_str(&session->user);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool is_done =
        context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
        EVP_DigestUpdate(context, user.ptr, user.len) == 1 && EVP_DigestUpdate(context, "", 1) == 1 &&
        EVP_DigestUpdate(context, hash.ptr, hash.len) == 1 && EVP_DigestFinal_ex(context, out, NULL) == 1;
    EVP_MD_CTX_free(context);
    return is_done;
}

static bool is_fast_login(const struct mysql_session *session, struct str hash, struct str scramble)
{
    const struct mysql_fast_login *fast = &session->server->fast_login;
    uint8_t account[MYSQL_DIGEST_SIZE];
    return fast->is_set && fast_login_account(session, hash, account) &&
           CRYPTO_memcmp(account, fast->account, sizeof(account)) == 0 &&
           mysql_sha2_is(scramble, session->nonce, fast->digest);
}

static bool is_password_of_hash(struct mysql_session *session, const struct mysql_account *account,
                                struct str password)
{
    struct mysql_fast_login *fast = &session->server->fast_login;
    if (!password_is(password, account->password_hash) || !account->is_known)
        return false;
    fast->is_set = fast_login_account(session, account->password_hash, fast->account);
    mysql_sha2_digest(password, fast->digest);
    return true;
}

/* No password is configured: whoever sits at this machine is the administrator. */
static bool is_open(const struct mysql_session *session, const struct mysql_account *account)
{
    return account->password.len == 0 && account->password_hash.len == 0 &&
           address_is_loopback(&session->peer);
}

static bool is_password(struct mysql_session *session, struct str password)
{
    struct mysql_account account = account_of(session);
    uint8_t given[MYSQL_DIGEST_SIZE], right[MYSQL_DIGEST_SIZE];
    if (account.password.len == 0 && account.password_hash.len > 0)
        return is_password_of_hash(session, &account, password);
    if (account.password.len == 0)
        return account.is_known && is_open(session, &account);
    mysql_sha2_digest(password, given);
    mysql_sha2_digest(account.password, right);
    bool is_right = CRYPTO_memcmp(given, right, sizeof(right)) == 0 && account.is_known;
    OPENSSL_cleanse(right, sizeof(right));
    OPENSSL_cleanse(given, sizeof(given));
    return is_right;
}

/* A password sent as it is ends with a NUL. */
static void check_clear(struct mysql_session *session, struct str payload)
{
    bool is_text = payload.len > 0 && payload.ptr[payload.len - 1] == '\0';
    struct str password = {payload.ptr, payload.len - is_text};
    settle(session, is_text && is_password(session, password), password.len > 0);
}

static void check_native(struct mysql_session *session, struct str scramble)
{
    struct mysql_account account = account_of(session);
    bool is_right = is_open(session, &account) || mysql_native_is(scramble, session->nonce, account.password);
    settle(session, is_right && account.is_known, scramble.len > 0);
}

/* ---- caching_sha2_password ---- */

static void ask(struct mysql_session *session, enum mysql_auth_step step)
{
    session->auth_step = step;
    session->state = MYSQL_SESSION_AUTH;
}

static void ask_plugin(struct mysql_session *session, struct str plugin, enum mysql_auth_step step)
{
    if (!(session->capabilities & MYSQL_CAN_PLUGIN_AUTH)) {
        mysql_session_refuse(
            session, MYSQL_ERROR_OLD_CLIENT,
            "The client does not support the authentication that the account needs: " STR_FMT,
            STR_ARG(plugin));
        return;
    }
    mysql_put_auth_switch(&session->out, &session->in.sequence, plugin, session->nonce);
    ask(session, step);
}

static void put_sha2(struct mysql_session *session, enum mysql_sha2 byte)
{
    char data = (char)byte;
    mysql_put_auth_more(&session->out, &session->in.sequence, (struct str){&data, 1});
}

/* What can be said by the scramble alone: an account in clear, or one that has logged in before. */
static bool is_scramble(const struct mysql_session *session, const struct mysql_account *account,
                        struct str scramble)
{
    uint8_t digest[MYSQL_DIGEST_SIZE];
    if (!account->is_known)
        return false;
    if (account->password.len == 0)
        return is_open(session, account) || is_fast_login(session, account->password_hash, scramble);
    mysql_sha2_digest(account->password, digest);
    bool is_right = mysql_sha2_is(scramble, session->nonce, digest);
    OPENSSL_cleanse(digest, sizeof(digest));
    return is_right;
}

static void check_scramble(struct mysql_session *session, struct str scramble)
{
    struct mysql_account account = account_of(session);
    if (scramble.len != MYSQL_DIGEST_SIZE) {
        /* A client without a password sends nothing, or a lone NUL. */
        settle(session, account.is_known && is_open(session, &account), scramble.len > 1);
    } else if (is_scramble(session, &account, scramble)) {
        put_sha2(session, MYSQL_SHA2_FAST_OK);
        settle(session, true, true);
    } else if (account.password_hash.len > 0 && account.password.len == 0) {
        put_sha2(session, MYSQL_SHA2_FULL);
        ask(session, MYSQL_AUTH_FULL);
    } else {
        deny(session, true);
    }
}

static void give_key(struct mysql_session *session)
{
    EVP_PKEY *key = mysql_server_key(session->server);
    BIO *text = BIO_new(BIO_s_mem());
    char *pem = NULL;
    if (key && text && PEM_write_bio_PUBKEY(text, key) == 1) {
        long size = BIO_get_mem_data(text, &pem);
        mysql_put_auth_more(&session->out, &session->in.sequence, (struct str){pem, (size_t)size});
    } else {
        mysql_session_refuse(session, MYSQL_ERROR_OUT_OF_RESOURCES,
                             "No key could be made to encrypt the password");
    }
    BIO_free(text);
}

static void check_full(struct mysql_session *session, struct str payload)
{
    char memory[MYSQL_PASSWORD_MAX];
    struct str password;
    if (session->sock.tls) {
        check_clear(session, payload);
        return;
    }
    if (payload.len == 1 && payload.ptr[0] == MYSQL_SHA2_KEY_REQUEST) {
        give_key(session);
        return;
    }
    EVP_PKEY *key = mysql_server_key(session->server);
    bool is_right = key && mysql_rsa_open(key, payload, session->nonce, memory, &password) == ERR_OK &&
                    is_password(session, password);
    OPENSSL_cleanse(memory, sizeof(memory));
    settle(session, is_right, true);
}

/* ---- packets ---- */

static void deny_host(struct mysql_session *session)
{
    char host_text[MYSQL_HOST_TEXT_MAX];
    struct str host = mysql_session_host(session, host_text);
    log_warn("SQL login from " STR_FMT " refused: without a password only this machine may connect",
             STR_ARG(host));
    mysql_session_refuse(session, MYSQL_ERROR_HOST_NOT_ALLOWED,
                         "Host '" STR_FMT
                         "' is not allowed to connect to this server: without admin_password or "
                         "admin_password_hash only the local machine may",
                         STR_ARG(host));
}

static bool remember(struct buf *buf, struct str text)
{
    buf_clear(buf);
    buf_add(buf, text);
    return buf_ok(buf);
}

static void authenticate(struct mysql_session *session, const struct mysql_login *login)
{
    if (!remember(&session->user, login->user) || !remember(&session->database, login->database)) {
        mysql_session_refuse(session, MYSQL_ERROR_BAD_HANDSHAKE,
                             "The name of the user or database is too long");
        return;
    }
    struct mysql_account account = account_of(session);
    bool has_hash = account.password.len == 0 && account.password_hash.len > 0;
    bool is_old =
        !(login->capabilities & MYSQL_CAN_PLUGIN_AUTH); /* speaks mysql_native_password and nothing else */
    if (account.password.len == 0 && !has_hash && !is_open(session, &account))
        deny_host(session);
    else if (str_eq(login->plugin, MYSQL_CLEAR_PASSWORD) && session->sock.tls)
        check_clear(session, login->auth);
    else if (str_eq(login->plugin, MYSQL_CACHING_SHA2) && login->auth.len == MYSQL_DIGEST_SIZE)
        check_scramble(session, login->auth);
    else if (has_hash ||
             str_eq(login->plugin, MYSQL_CACHING_SHA2)) /* who did not expect it has sent no scramble yet */
        ask_plugin(session, MYSQL_CACHING_SHA2, MYSQL_AUTH_SCRAMBLE);
    else if (is_old || str_eq(login->plugin, MYSQL_NATIVE_PASSWORD))
        check_native(session, login->auth);
    else
        ask_plugin(session, MYSQL_NATIVE_PASSWORD, MYSQL_AUTH_NATIVE);
}

static void begin_tls(struct mysql_session *session)
{
    SSL *tls = session->out.len == 0 && !session->sock.tls ? SSL_new(session->server->tls) : NULL;
    if (!tls) {
        mysql_session_close(session);
        return;
    }
    SSL_set_accept_state(tls);
    sock_set_tls(&session->sock, tls);
    session->state = MYSQL_SESSION_TLS;
}

void mysql_on_login(struct mysql_session *session, struct str payload)
{
    struct mysql_login login;
    if (mysql_read_login(payload, offered(session), &login) != ERR_OK) {
        mysql_session_refuse(session, MYSQL_ERROR_BAD_HANDSHAKE, "Bad handshake");
        return;
    }
    session->capabilities = login.capabilities;
    if (login.wants_tls)
        begin_tls(session);
    else
        authenticate(session, &login);
}

void mysql_on_auth(struct mysql_session *session, struct str payload)
{
    switch (session->auth_step) {
    case MYSQL_AUTH_NATIVE:
        check_native(session, payload);
        return;
    case MYSQL_AUTH_SCRAMBLE:
        check_scramble(session, payload);
        return;
    case MYSQL_AUTH_FULL:
        check_full(session, payload);
        return;
    }
}

void mysql_on_change_user(struct mysql_session *session, struct str payload)
{
    struct mysql_login login;
    if (mysql_read_change_user(payload, session->capabilities, &login) != ERR_OK) {
        mysql_session_refuse(session, MYSQL_ERROR_MALFORMED, "Malformed communication packet");
        return;
    }
    mysql_session_drop_sql(session);
    mysql_session_await_login(session, MYSQL_SESSION_AUTH);
    authenticate(session, &login);
}
