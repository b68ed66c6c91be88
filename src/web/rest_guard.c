/* SPDX-License-Identifier: Apache-2.0 */
#include "web/rest_guard.h"

#include "store/seal.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#define BASIC_MAX 1024 /* bytes of name and password */

/* ---- the credential ---- */

/* The settings in force stay while the table is held. */
static struct table *hold_settings(struct rest *rest, const struct settings **ret_settings)
{
    struct table *table = gate_newer_table(&rest->gateway->gate, NULL);
    if (table)
        *ret_settings = &table->policy->config->settings;
    return table;
}

static bool has_credential(const struct settings *settings)
{
    return settings->admin_password.len > 0 || settings->admin_password_hash.len > 0;
}

/* Lengths stand before the texts, so that no other texts give the same digest. */
static void digest_texts(const uint8_t key[32], const struct str *texts, size_t count,
                         uint8_t out[ADMIN_DIGEST_SIZE])
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    ASSERT(md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1);
    EVP_DigestUpdate(md, key, 32);
    for (size_t i = 0; i < count; i++) {
        uint64_t len = texts[i].len;
        EVP_DigestUpdate(md, &len, sizeof(len));
        EVP_DigestUpdate(md, texts[i].ptr, texts[i].len);
    }
    EVP_DigestFinal_ex(md, out, NULL);
    EVP_MD_CTX_free(md);
}

static struct admin_credential credential_of(const struct rest *rest, const struct settings *settings)
{
    struct admin_credential credential;
    const struct str texts[] = {settings->admin_username, settings->admin_password,
                                settings->admin_password_hash};
    digest_texts(rest->known_login.key, texts, ARRAY_LEN(texts), credential.digest);
    return credential;
}

bool rest_credential(struct rest *rest, struct admin_credential *ret_credential)
{
    const struct settings *settings;
    struct table *table = hold_settings(rest, &settings);
    if (!table)
        return false;
    bool has = has_credential(settings);
    if (has)
        *ret_credential = credential_of(rest, settings);
    gate_drop_table(&rest->gateway->gate, table);
    return has;
}

static bool texts_equal(struct str a, struct str b)
{
    uint8_t left[SHA256_DIGEST_LENGTH], right[SHA256_DIGEST_LENGTH];
    SHA256((const unsigned char *)a.ptr, a.len, left);
    SHA256((const unsigned char *)b.ptr, b.len, right);
    return CRYPTO_memcmp(left, right, sizeof(left)) == 0;
}

/* A wrong name takes as long as a wrong password. */
static bool is_right(const struct settings *settings, struct str username, struct str password)
{
    bool is_name = texts_equal(username, settings->admin_username);
    bool is_password = settings->admin_password_hash.len > 0
                           ? password_is(password, settings->admin_password_hash)
                           : texts_equal(password, settings->admin_password);
    return is_name && is_password;
}

static bool check_login(struct rest *rest, const struct settings *settings, struct str username,
                        struct str password)
{
    struct rest_known_login *known = &rest->known_login;
    uint8_t digest[ADMIN_DIGEST_SIZE];
    struct admin_credential credential = credential_of(rest, settings);
    const struct str texts[] = {
        {(const char *)credential.digest, sizeof(credential.digest)}, username, password};
    digest_texts(known->key, texts, ARRAY_LEN(texts), digest);
    if (known->is_known && CRYPTO_memcmp(digest, known->digest, sizeof(digest)) == 0)
        return true;
    if (!is_right(settings, username, password))
        return false;
    memcpy(known->digest, digest, sizeof(digest));
    known->is_known = true;
    return true;
}

enum rest_login rest_check_login(struct rest *rest, const struct address *peer, struct str username,
                                 struct str password, usec_t *ret_wait)
{
    usec_t now = loop_now(rest->loop);
    enum rest_login answer = REST_LOGIN_OFF;
    const struct settings *settings;
    struct table *table = hold_settings(rest, &settings);
    if (!table)
        return REST_LOGIN_OFF;
    if (has_credential(settings)) {
        if (!login_may_try(&rest->sessions, peer, now, ret_wait))
            answer = REST_LOGIN_TOO_OFTEN;
        else
            answer = check_login(rest, settings, username, password) ? REST_LOGIN_GOOD : REST_LOGIN_BAD;
        if (answer == REST_LOGIN_BAD)
            login_note_failure(&rest->sessions, peer, now);
    }
    gate_drop_table(&rest->gateway->gate, table);
    return answer;
}

/* ---- who it is ---- */

/* RFC 7617: base64 of name, colon, password. */
static enum rest_login check_basic(struct rest *rest, const struct address *peer, struct str encoded,
                                   usec_t *ret_wait)
{
    unsigned char plain[BASIC_MAX + 3];
    if (encoded.len == 0 || encoded.len % 4 != 0 || encoded.len > BASIC_MAX / 3 * 4)
        return REST_LOGIN_BAD;
    int len = EVP_DecodeBlock(plain, (const unsigned char *)encoded.ptr, (int)encoded.len);
    if (len < 0)
        return REST_LOGIN_BAD;
    for (size_t i = encoded.len; i > 0 && encoded.ptr[i - 1] == '=' && len > 0; i--)
        len--;
    struct str pair = {(const char *)plain, (size_t)len};
    ssize_t colon = str_find(pair, STR(":"));
    enum rest_login answer = REST_LOGIN_BAD;
    if (colon >= 0)
        answer = rest_check_login(rest, peer, (struct str){pair.ptr, (size_t)colon},
                                  str_from_offset(pair, (size_t)colon + 1), ret_wait);
    OPENSSL_cleanse(plain, sizeof(plain));
    return answer;
}

static struct str after_scheme(struct str value, struct str scheme)
{
    if (value.len <= scheme.len || value.ptr[scheme.len] != ' ' ||
        !str_eq_nocase((struct str){value.ptr, scheme.len}, scheme))
        return STR_NONE;
    return str_trim(str_from_offset(value, scheme.len));
}

static struct str token_of(const struct http_head *head)
{
    struct str token = after_scheme(http_head_value(head, STR("Authorization")), STR("Bearer"));
    for (size_t i = 0; i < head->field_count && token.len == 0; i++)
        if (str_eq_nocase(head->fields[i].name, STR("Cookie")))
            token = admin_session_cookie(head->fields[i].value);
    return token;
}

bool rest_is_local(const struct http_conn *conn, const struct http_head *head)
{
    static const struct str forwarded[] = {{"Forwarded", 9}, {"X-Forwarded-For", 15}, {"X-Real-IP", 9}};
    for (size_t i = 0; i < ARRAY_LEN(forwarded); i++)
        if (http_head_find(head, forwarded[i]))
            return false;
    return address_is_loopback(&conn->peer);
}

/* ---- foreign pages ---- */

static bool changes_state(struct str method)
{
    return !str_eq(method, STR("GET")) && !str_eq(method, STR("HEAD")) && !str_eq(method, STR("OPTIONS"));
}

/* A browser says which page sent a request that changes something (Fetch Standard, "Origin" and "Sec-Fetch-Site"). */
static bool is_of_foreign_page(const struct http_head *head)
{
    struct str site = http_head_value(head, STR("Sec-Fetch-Site"));
    if (str_eq(site, STR("cross-site")) || str_eq(site, STR("same-site")))
        return true;
    if (!http_head_find(head, STR("Origin")))
        return false;
    struct str origin = http_head_value(head, STR("Origin"));
    ssize_t at = str_find(origin, STR("://"));
    return at < 0 ||
           !str_eq_nocase(str_from_offset(origin, (size_t)at + 3), http_head_value(head, STR("Host")));
}

bool rest_is_our_name(struct str host, struct str listener_name)
{
    struct address address;
    if (host.len == 0 || host.ptr[0] == '[')
        return true; /* no browser, or an IPv6 address */
    ssize_t colon = str_find(host, STR(":"));
    if (colon >= 0)
        host.len = (size_t)colon;
    if (address_parse(host, 0, &address) || str_eq_nocase(host, listener_name))
        return true;
    struct str local = STR("localhost"), end = host;
    if (host.len > local.len)
        end = str_from_offset(host, host.len - local.len);
    return str_eq_nocase(end, local) && (end.len == host.len || end.ptr[-1] == '.');
}

/* ---- the verdict ---- */

static enum rest_login who(struct rest *rest, const struct http_conn *conn, const struct http_head *head,
                           const struct admin_credential *credential, struct rest_verdict *verdict)
{
    struct str basic = after_scheme(http_head_value(head, STR("Authorization")), STR("Basic"));
    if (basic.len > 0)
        return check_basic(rest, &conn->peer, basic, &verdict->wait);
    return admin_session_is_open(&rest->sessions, verdict->token, credential, loop_now(rest->loop))
               ? REST_LOGIN_GOOD
               : REST_LOGIN_BAD;
}

static void refuse(struct rest_verdict *verdict, int status, const char *why)
{
    verdict->status = status;
    verdict->why = why;
}

struct rest_verdict rest_guard(struct rest *rest, const struct http_conn *conn, const struct http_head *head,
                               const struct rest_route *route)
{
    const struct gateway_listener *listener = conn->via;
    struct rest_verdict verdict = {.token = token_of(head)};
    struct admin_credential credential;
    if (changes_state(head->method) && is_of_foreign_page(head)) {
        refuse(&verdict, 403, "The request was sent by a page of another origin.");
        return verdict;
    }
    if (route->flags & REST_OPEN)
        return verdict;
    bool has = rest_credential(rest, &credential), is_local = rest_is_local(conn, head);
    enum rest_login login = has ? who(rest, conn, head, &credential, &verdict) : REST_LOGIN_OFF;
    verdict.is_admin = login == REST_LOGIN_GOOD || (login == REST_LOGIN_OFF && is_local);
    if (login == REST_LOGIN_GOOD)
        return verdict;
    if (login == REST_LOGIN_TOO_OFTEN)
        refuse(&verdict, 429, "Too many failed logins from this address.");
    else if (!has && !is_local)
        refuse(&verdict, 403,
               "No admin_password is configured: only the machine itself may use the administration.");
    else if (has && !(is_local && (route->flags & REST_LOCAL)))
        refuse(&verdict, 401, "A login is needed: POST /admin/login, or HTTP Basic.");
    else if (!rest_is_our_name(http_head_value(head, STR("Host")), listener->name))
        refuse(
            &verdict, 403,
            "The Host field is no name of this machine: use its address, localhost or the listener's name.");
    return verdict;
}
