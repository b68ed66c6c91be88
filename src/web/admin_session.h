/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions of administrators who logged in, and the limit of attempts to. Memory only: a restart ends all sessions.
 * Store thread. Times are of CLOCK_MONOTONIC. */
#pragma once

#include "base/clock.h"
#include "net/address.h"

#define ADMIN_SESSION_COOKIE "mindbalancer_session"
#define ADMIN_SESSION_LIFE (24 * 3600 * USEC_PER_SEC)
#define ADMIN_SESSIONS_MAX 256 /* the oldest gives way */
#define ADMIN_TOKEN_SIZE 43 /* characters: 256 random bits, base64url without padding (RFC 4648 section 5) */
#define ADMIN_DIGEST_SIZE 32

#define LOGIN_ATTEMPTS_MAX 10 /* failed ones a minute, of one network (address_network) */
#define LOGIN_NETWORKS_MAX 1024

/* What a session is good for: a digest over the credential in force. Another credential ends all older sessions. */
struct admin_credential {
    uint8_t digest[ADMIN_DIGEST_SIZE];
};

struct admin_session {
    uint8_t token_digest[ADMIN_DIGEST_SIZE]; /* SHA-256: memory that leaks opens nothing */
    struct admin_credential credential;
    usec_t opened_at, ends_at; /* ends_at 0: free */
};

struct login_network {
    uint8_t key[16];
    size_t key_len; /* 0: free */
    unsigned failures;
    usec_t since; /* the first of them */
};

struct admin_sessions {
    struct admin_session sessions[ADMIN_SESSIONS_MAX];
    struct login_network networks[LOGIN_NETWORKS_MAX];
    unsigned failures; /* of all networks that are not this machine */
    usec_t since;
};

void admin_sessions_init(struct admin_sessions *sessions);

/* Wipes. */
void admin_sessions_fini(struct admin_sessions *sessions);

/* `out` gets the token and a NUL. */
void admin_session_open(struct admin_sessions *sessions, const struct admin_credential *credential,
                        usec_t now, char out[ADMIN_TOKEN_SIZE + 1]);

bool admin_session_is_open(const struct admin_sessions *sessions, struct str token,
                           const struct admin_credential *credential, usec_t now);

/* Harmless when there is none. */
void admin_session_close(struct admin_sessions *sessions, struct str token);

/* The token in the value of a Cookie field (RFC 6265 section 5.4); empty: none. */
struct str admin_session_cookie(struct str field);

/* Whether `peer` may try a password now; if not, *ret_wait is when it may again. An attempt of many addresses at once is
 * limited too, at LOGIN_ATTEMPTS_ALL a minute, from which this machine is free. */
#define LOGIN_ATTEMPTS_ALL 120
bool login_may_try(const struct admin_sessions *sessions, const struct address *peer, usec_t now,
                   usec_t *ret_wait);
void login_note_failure(struct admin_sessions *sessions, const struct address *peer, usec_t now);
