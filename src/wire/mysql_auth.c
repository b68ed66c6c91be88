/* SPDX-License-Identifier: Apache-2.0 */
/* mysql_native_password and caching_sha2_password, as the server checks them. Both answers prove knowledge of a hash by
 * covering it with a hash over the nonce; so the hash is uncovered, hashed once more and compared. */
#include "wire/mysql.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>

#define SHA1_SIZE ((size_t)20)

static bool hash(const EVP_MD *kind, struct str first, struct str second, uint8_t *out)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool is_done = context && EVP_DigestInit_ex(context, kind, NULL) == 1 &&
                   EVP_DigestUpdate(context, first.ptr, first.len) == 1 &&
                   (second.len == 0 || EVP_DigestUpdate(context, second.ptr, second.len) == 1) &&
                   EVP_DigestFinal_ex(context, out, NULL) == 1;
    EVP_MD_CTX_free(context);
    return is_done;
}

static struct str view(const uint8_t *bytes, size_t size)
{
    return (struct str){(const char *)bytes, size};
}

static void cover(uint8_t *io_bytes, const uint8_t *with, size_t size)
{
    for (size_t i = 0; i < size; i++)
        io_bytes[i] ^= with[i];
}

bool mysql_native_is(struct str auth, const uint8_t *nonce, struct str password)
{
    uint8_t once[SHA1_SIZE], twice[SHA1_SIZE], salted[SHA1_SIZE];
    if (auth.len != SHA1_SIZE || password.len == 0)
        return false;
    bool is_same = hash(EVP_sha1(), password, STR_NONE, once) &&
                   hash(EVP_sha1(), view(once, SHA1_SIZE), STR_NONE, twice) &&
                   hash(EVP_sha1(), view(nonce, MYSQL_NONCE_SIZE), view(twice, SHA1_SIZE), salted);
    if (is_same) {
        cover(salted, once, SHA1_SIZE);
        is_same = CRYPTO_memcmp(salted, auth.ptr, SHA1_SIZE) == 0;
    }
    OPENSSL_cleanse(once, sizeof(once));
    OPENSSL_cleanse(twice, sizeof(twice));
    return is_same;
}

void mysql_sha2_digest(struct str password, uint8_t out[MYSQL_DIGEST_SIZE])
{
    uint8_t once[MYSQL_DIGEST_SIZE];
    SHA256((const uint8_t *)password.ptr, password.len, once);
    SHA256(once, sizeof(once), out);
    OPENSSL_cleanse(once, sizeof(once));
}

bool mysql_sha2_is(struct str auth, const uint8_t *nonce, const uint8_t digest[MYSQL_DIGEST_SIZE])
{
    uint8_t once[MYSQL_DIGEST_SIZE], twice[MYSQL_DIGEST_SIZE];
    if (auth.len != MYSQL_DIGEST_SIZE)
        return false;
    bool is_same = hash(EVP_sha256(), view(digest, MYSQL_DIGEST_SIZE), view(nonce, MYSQL_NONCE_SIZE), once);
    if (is_same) {
        cover(once, (const uint8_t *)auth.ptr, sizeof(once));
        SHA256(once, sizeof(once), twice);
        is_same = CRYPTO_memcmp(twice, digest, sizeof(twice)) == 0;
    }
    OPENSSL_cleanse(once, sizeof(once));
    return is_same;
}

enum err mysql_rsa_open(struct evp_pkey_st *key, struct str sealed, const uint8_t *nonce, char *out,
                        struct str *ret_password)
{
    size_t size = MYSQL_PASSWORD_MAX;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
    bool is_open =
        context && EVP_PKEY_get_size(key) <= MYSQL_PASSWORD_MAX && EVP_PKEY_decrypt_init(context) == 1 &&
        EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) == 1 &&
        EVP_PKEY_decrypt(context, (uint8_t *)out, &size, (const uint8_t *)sealed.ptr, sealed.len) == 1;
    EVP_PKEY_CTX_free(context);
    ERR_clear_error();
    if (!is_open || size == 0)
        return ERR_INVALID;
    for (size_t i = 0; i < size; i++)
        out[i] = (char)(out[i] ^ nonce[i % MYSQL_NONCE_SIZE]);
    if (out[size - 1] != '\0')
        return ERR_INVALID;
    *ret_password = (struct str){out, size - 1};
    return ERR_OK;
}
