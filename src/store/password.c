/* SPDX-License-Identifier: Apache-2.0 */
#include "store/seal.h"

#include <argon2.h>
#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>

/* OWASP's password storage cheat sheet: 19 MiB, two passes, one lane. */
#define HASH_MEMORY_KIB 19456
#define HASH_PASSES 2
#define HASH_LANES 1
#define SALT_SIZE 16
#define HASH_SIZE 32

/* A hash from elsewhere may ask for more, but not for seconds of this thread. */
#define MEMORY_KIB_MAX 262144
#define PASSES_MAX 16
#define LANES_MAX 16
#define BCRYPT_COST_MAX 14

#define HASH_TEXT_MAX 256
#define BCRYPT_SIZE 60
#define PASSWORD_MAX 4096 /* bytes */

/* "$2b$10$" and 53 characters: cost, salt and hash. */
static bool is_bcrypt(struct str text)
{
    static const char digits[] = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    uint64_t cost;
    if (text.len != BCRYPT_SIZE || !str_starts(text, STR("$2")) || !memchr("aby", text.ptr[2], 3) ||
        text.ptr[3] != '$' || text.ptr[6] != '$')
        return false;
    for (size_t i = 7; i < text.len; i++)
        if (!memchr(digits, text.ptr[i], sizeof(digits) - 1))
            return false;
    return str_to_u64((struct str){text.ptr + 4, 2}, &cost) && cost >= 4 && cost <= BCRYPT_COST_MAX;
}

static bool is_argon2(struct str text)
{
    char copy[HASH_TEXT_MAX], salt[HASH_TEXT_MAX], hash[HASH_TEXT_MAX];
    unsigned version, memory, passes, lanes;
    int end = 0;
    if (text.len >= sizeof(copy) || memchr(text.ptr, '\0', text.len))
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    int count = sscanf(copy, "$argon2id$v=%9u$m=%9u,t=%9u,p=%9u$%120[A-Za-z0-9+/]$%120[A-Za-z0-9+/]%n",
                       &version, &memory, &passes, &lanes, salt, hash, &end);
    OPENSSL_cleanse(copy, sizeof(copy)); /* perhaps it is a password */
    return count == 6 && (size_t)end == text.len && version == ARGON2_VERSION_13 && memory >= 8 &&
           memory <= MEMORY_KIB_MAX && passes >= 1 && passes <= PASSES_MAX && lanes >= 1 &&
           lanes <= LANES_MAX;
}

bool password_is_hash(struct str text)
{
    if (str_starts(text, STR("$argon2id$")))
        return is_argon2(text);
    return is_bcrypt(text);
}

enum err password_hash(struct str password, struct buf *out)
{
    uint8_t salt[SALT_SIZE];
    char encoded[HASH_TEXT_MAX];
    if (password.len > PASSWORD_MAX)
        return ERR_LIMIT;
    int good = RAND_bytes(salt, sizeof(salt));
    ASSERT(good == 1);
    if (argon2id_hash_encoded(HASH_PASSES, HASH_MEMORY_KIB, HASH_LANES, password.ptr, password.len, salt,
                              sizeof(salt), HASH_SIZE, encoded, sizeof(encoded)) != ARGON2_OK)
        return ERR_NO_MEMORY;
    buf_add(out, str_from(encoded));
    return buf_ok(out) ? ERR_OK : ERR_NO_MEMORY;
}

static bool bcrypt_is(struct str password, const char *hash)
{
    char text[PASSWORD_MAX + 1];
    struct crypt_data *data = calloc(1, sizeof(*data)); /* 32 KiB */
    if (!data)
        return false;
    memcpy(text, password.ptr, password.len);
    text[password.len] = '\0';
    const char *made = crypt_rn(text, hash, data, (int)sizeof(*data));
    bool is_same = made && strlen(made) == BCRYPT_SIZE && CRYPTO_memcmp(made, hash, BCRYPT_SIZE) == 0;
    OPENSSL_cleanse(text, sizeof(text));
    OPENSSL_cleanse(data, sizeof(*data));
    free(data);
    return is_same;
}

bool password_is(struct str password, struct str hash)
{
    char text[HASH_TEXT_MAX];
    if (!password_is_hash(hash) || password.len > PASSWORD_MAX)
        return false;
    memcpy(text, hash.ptr, hash.len);
    text[hash.len] = '\0';
    if (!is_bcrypt(hash))
        return argon2id_verify(text, password.ptr, password.len) == ARGON2_OK;
    if (password.len > 0 && memchr(password.ptr, '\0', password.len))
        return false; /* bcrypt would stop there */
    return bcrypt_is(password.len > 0 ? password : STR(""), text);
}
