/* SPDX-License-Identifier: Apache-2.0 */
/* AUTH: who asks, and may he. In this order: a key that we know names its user; the X-User field of a peer that is
 * trusted; any other key is the user "default"; nothing at all is "anonymous". The last two are names that many share,
 * so their limits are counted apart: by key, and by address. */
#include "proxy/request.h"
#include "proxy/worker.h"

#include <openssl/crypto.h>

/* The four places where SDKs put their key. */
static struct str presented_key(const struct http_head *head)
{
    struct str bearer = http_head_value(head, STR("Authorization"));
    if (bearer.len > 7 && str_eq_nocase((struct str){bearer.ptr, 7}, STR("Bearer ")))
        return str_trim(str_from_offset(bearer, 7));
    static const struct str names[] = {{"X-Api-Key", 9}, {"Api-Key", 7}, {"X-Goog-Api-Key", 14}};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct str key = http_head_value(head, names[i]);
        if (key.len > 0)
            return key;
    }
    return STR_NONE;
}

static bool key_is(struct str key, struct str wanted)
{
    return key.len == wanted.len && CRYPTO_memcmp(key.ptr, wanted.ptr, key.len) == 0;
}

/* The digest costs a microsecond, so each worker remembers those of the keys it has seen last. */
static const uint8_t *digest_of(struct worker *worker, struct str key)
{
    XXH128_hash_t hash = XXH3_128bits_withSeed(key.ptr, key.len, worker->gateway->hash_seed);
    struct known_key *known = &worker->known_keys[hash.low64 % WORKER_KNOWN_KEYS];
    if (!known->is_used || !XXH128_isEqual(known->hash, hash)) {
        key_digest(worker->gateway->seal, key, known->digest);
        known->hash = hash;
        known->is_used = true;
    }
    return known->digest;
}

static const struct user_config *user_of_key(struct request *req, struct str key)
{
    const struct policy *policy = req->table->policy;
    if (key.len == 0 || policy->config->api_key_count == 0)
        return NULL;
    return identity_of_key(&policy->identities, digest_of(req->worker, key));
}

static struct str trusted_name(const struct request *req)
{
    enum trust trust = (enum trust)req->table->policy->config->settings.trust_user_header;
    bool is_trusted =
        trust == TRUST_ALWAYS || (trust == TRUST_LOOPBACK && address_is_loopback(&req->conn->peer));
    return is_trusted ? http_head_value(req->head, STR("X-User")) : STR_NONE;
}

/* Whether the listener lets a request in that came with `key`, which is of `user` (NULL: of nobody). */
static bool is_admitted(const struct gateway_listener *listener, struct str key, const struct user_config *user)
{
    switch (listener->auth) {
    case AUTH_MASTER:
        return key_is(key, listener->master_key);
    case AUTH_KEYS:
        return user != NULL;
    case AUTH_OPTIONAL:
        return user != NULL || key.len == 0;
    default:
        return true;
    }
}

enum subject_kind { SUBJECT_USER = 'u', SUBJECT_KEY = 'k', SUBJECT_ADDRESS = 'a' };

/* Who shares a limit, as a number. */
static XXH128_hash_t subject_of(const struct request *req, enum subject_kind kind, struct str text)
{
    return XXH3_128bits_withSeed(text.ptr, text.len, req->worker->gateway->hash_seed + (uint64_t)kind);
}

/* The name is known or believed: a user of ours, or one that only a name is known of. */
static void identify_as(struct request *req, struct str name, const struct user_config *account)
{
    req->account = account ? account : identity_user(&req->table->policy->identities, name);
    req->user = arena_dup(&req->arena, name);
    req->subject = subject_of(req, SUBJECT_USER, name);
}

enum step phase_auth(struct request *req)
{
    const struct gateway_listener *listener = req->conn->via;
    struct str key = presented_key(req->head);
    const struct user_config *user = user_of_key(req, key);
    bool is_open = api_row(req->api)->flags & API_IS_OPEN;
    if (!is_open && !is_admitted(listener, key, user))
        return request_fail(req, FAULT_UNAUTHORIZED);
    struct str name = user ? user->name : trusted_name(req);
    req->has_own_cache = user || listener->auth == AUTH_KEYS || listener->auth == AUTH_OPTIONAL;
    if (name.len > 0) {
        identify_as(req, name, user);
    } else if (key.len > 0) {
        identify_as(req, STR("default"), NULL);
        req->subject = subject_of(req, SUBJECT_KEY, key);
    } else {
        identify_as(req, STR("anonymous"), NULL);
        req->subject = subject_of(req, SUBJECT_ADDRESS, address_network(&req->client));
    }
    if (!is_open && req->account && !req->account->is_active)
        return request_fail(req, FAULT_USER_DISABLED);
    return STEP_NEXT;
}
