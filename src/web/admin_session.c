/* SPDX-License-Identifier: Apache-2.0 */
#include "web/admin_session.h"

#include "base/macros.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#define WINDOW (60 * USEC_PER_SEC)
#define TOKEN_BYTES 32

/* ---- sessions ---- */

void admin_sessions_init(struct admin_sessions *sessions)
{
    *sessions = (struct admin_sessions){0};
}

void admin_sessions_fini(struct admin_sessions *sessions)
{
    OPENSSL_cleanse(sessions, sizeof(*sessions));
}

static void digest_token(struct str token, uint8_t out[ADMIN_DIGEST_SIZE])
{
    SHA256((const unsigned char *)token.ptr, token.len, out);
}

static void make_token(char out[ADMIN_TOKEN_SIZE + 1])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint8_t bytes[TOKEN_BYTES + 1] = {0}; /* one more: the last digit reads beyond */
    ASSERT(RAND_bytes(bytes, TOKEN_BYTES) == 1);
    for (size_t i = 0; i < ADMIN_TOKEN_SIZE; i++) {
        size_t bit = 6 * i;
        unsigned pair = (unsigned)bytes[bit / 8] << 8 | bytes[bit / 8 + 1];
        out[i] = digits[pair >> (10 - bit % 8) & 63];
    }
    out[ADMIN_TOKEN_SIZE] = '\0';
    OPENSSL_cleanse(bytes, sizeof(bytes));
}

void admin_session_open(struct admin_sessions *sessions, const struct admin_credential *credential,
                        usec_t now, char out[ADMIN_TOKEN_SIZE + 1])
{
    struct admin_session *chosen = &sessions->sessions[0];
    for (size_t i = 0; i < ADMIN_SESSIONS_MAX; i++) {
        struct admin_session *session = &sessions->sessions[i];
        if (session->ends_at <= now) {
            chosen = session;
            break;
        }
        if (session->opened_at < chosen->opened_at)
            chosen = session;
    }
    make_token(out);
    *chosen = (struct admin_session){
        .credential = *credential, .opened_at = now, .ends_at = now + ADMIN_SESSION_LIFE};
    digest_token((struct str){out, ADMIN_TOKEN_SIZE}, chosen->token_digest);
}

/* Compares digests of tokens: how long that takes tells nothing about a token. */
static const struct admin_session *find(const struct admin_sessions *sessions, struct str token)
{
    uint8_t digest[ADMIN_DIGEST_SIZE];
    if (token.len != ADMIN_TOKEN_SIZE)
        return NULL;
    digest_token(token, digest);
    for (size_t i = 0; i < ADMIN_SESSIONS_MAX; i++) {
        const struct admin_session *session = &sessions->sessions[i];
        if (session->ends_at > 0 && CRYPTO_memcmp(session->token_digest, digest, sizeof(digest)) == 0)
            return session;
    }
    return NULL;
}

bool admin_session_is_open(const struct admin_sessions *sessions, struct str token,
                           const struct admin_credential *credential, usec_t now)
{
    const struct admin_session *session = find(sessions, token);
    return session && session->ends_at > now &&
           CRYPTO_memcmp(&session->credential, credential, sizeof(*credential)) == 0;
}

void admin_session_close(struct admin_sessions *sessions, struct str token)
{
    const struct admin_session *session = find(sessions, token);
    if (session)
        sessions->sessions[session - sessions->sessions] = (struct admin_session){0};
}

struct str admin_session_cookie(struct str field)
{
    while (field.len > 0) {
        ssize_t end = str_find(field, STR(";"));
        struct str pair = str_trim((struct str){field.ptr, end < 0 ? field.len : (size_t)end});
        if (str_starts(pair, STR(ADMIN_SESSION_COOKIE "=")))
            return str_from_offset(pair, sizeof(ADMIN_SESSION_COOKIE "=") - 1);
        field = str_from_offset(field, end < 0 ? field.len : (size_t)end + 1);
    }
    return STR_NONE;
}

/* ---- attempts ---- */

static bool is_recent(usec_t since, usec_t now)
{
    return now - since < WINDOW;
}

static const struct login_network *find_network(const struct admin_sessions *sessions,
                                                const struct address *peer)
{
    struct str key = address_network(peer);
    for (size_t i = 0; i < LOGIN_NETWORKS_MAX; i++) {
        const struct login_network *network = &sessions->networks[i];
        if (network->key_len == key.len && memcmp(network->key, key.ptr, key.len) == 0)
            return network;
    }
    return NULL;
}

bool login_may_try(const struct admin_sessions *sessions, const struct address *peer, usec_t now,
                   usec_t *ret_wait)
{
    const struct login_network *network = find_network(sessions, peer);
    if (network && is_recent(network->since, now) && network->failures >= LOGIN_ATTEMPTS_MAX) {
        *ret_wait = network->since + WINDOW - now;
        return false;
    }
    if (!address_is_loopback(peer) && is_recent(sessions->since, now) &&
        sessions->failures >= LOGIN_ATTEMPTS_ALL) {
        *ret_wait = sessions->since + WINDOW - now;
        return false;
    }
    return true;
}

/* Its own place, else a free one, else that of whoever failed longest ago. */
static struct login_network *place_of(struct admin_sessions *sessions, const struct address *peer)
{
    const struct login_network *known = find_network(sessions, peer);
    if (known)
        return &sessions->networks[known - sessions->networks];
    struct login_network *oldest = &sessions->networks[0];
    for (size_t i = 0; i < LOGIN_NETWORKS_MAX; i++) {
        struct login_network *network = &sessions->networks[i];
        if (network->key_len == 0 || network->since < oldest->since)
            oldest = network;
        if (network->key_len == 0)
            break;
    }
    struct str key = address_network(peer);
    *oldest = (struct login_network){.key_len = key.len};
    memcpy(oldest->key, key.ptr, key.len);
    return oldest;
}

void login_note_failure(struct admin_sessions *sessions, const struct address *peer, usec_t now)
{
    struct login_network *network = place_of(sessions, peer);
    if (network->failures == 0 || !is_recent(network->since, now)) {
        network->failures = 0;
        network->since = now;
    }
    network->failures++;
    if (address_is_loopback(peer))
        return;
    if (!is_recent(sessions->since, now)) {
        sessions->failures = 0;
        sessions->since = now;
    }
    sessions->failures++;
}
