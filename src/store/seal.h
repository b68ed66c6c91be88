/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets at rest: provider keys sealed with AES-256-GCM, passwords and client keys hashed. Pure but for randomness and
 * the key file. The texts are MindBalancer's format, so that its rows stay readable:
 * "enc:" + base64(12-byte nonce | ciphertext | 16-byte tag), key = SHA-256(passphrase). */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#define SEAL_KEY_SIZE 32
#define SEAL_PREFIX "enc:"
#define SEAL_PASSPHRASE_MIN 16 /* bytes */
#define KEY_DIGEST_SIZE 32

/* The keys of one process; the old one only opens. Wiped by seal_fini. */
struct seal {
    uint8_t key[SEAL_KEY_SIZE], old_key[SEAL_KEY_SIZE];
    bool has_old_key;
    uint8_t digest_key[SEAL_KEY_SIZE]; /* of client keys; derived from a file that is never rotated */
};

/* `passphrase` may be empty: then the key is the content of `data_dir`/secret.key, made at random (mode 0600) when
 * missing. `old_passphrase` may be empty: then a secret.key that is there still opens what it has sealed, so that a
 * passphrase can be set later. data_dir/digest.key is made in any case. On failure `why` names the setting or the file,
 * and `seal` is wiped. */
#define SEAL_WHY_MAX 512
MUST_USE enum err seal_init(struct seal *seal, struct str data_dir, struct str passphrase,
                            struct str old_passphrase, char *why);
void seal_fini(struct seal *seal);

bool seal_is_sealed(struct str text);

/* Appends the sealed form. */
MUST_USE enum err seal_close(const struct seal *seal, struct str plain, struct buf *out);

/* Appends the plain text. A text without the prefix is plain already. ERR_INVALID: neither key opens it.
 * *ret_is_old (may be NULL): only the old key did, the row should be sealed anew. */
MUST_USE enum err seal_open(const struct seal *seal, struct str text, struct buf *out, bool *ret_is_old);

/* "sk-a...1234": first 4 and last 4 bytes; "****" for 8 and fewer. */
#define SECRET_MASK_MAX 16
struct str secret_mask(struct str secret, char out[SECRET_MASK_MAX]);

/* ---- client API keys: random, so a keyed digest is enough at rest and costs one hash per request ---- */

/* HMAC-SHA-256 of the key under digest_key. Any thread, no allocation. */
void key_digest(const struct seal *seal, struct str key, uint8_t out[KEY_DIGEST_SIZE]);

/* "fl-" and 43 random characters. */
#define CLIENT_KEY_SIZE 46
void client_key_make(char out[CLIENT_KEY_SIZE + 1]);

/* ---- passwords ---- */

/* Whether `text` is a hash that password_is understands: argon2id, or bcrypt ("$2a$", "$2b$", "$2y$"). */
bool password_is_hash(struct str text);

/* Argon2id with OWASP's parameters; takes tens of milliseconds. */
MUST_USE enum err password_hash(struct str password, struct buf *out);

/* Takes tens of milliseconds. */
bool password_is(struct str password, struct str hash);
