/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/wire/mysql_auth.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define NONCE "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14"

/* What clients send for the password "secret" and this nonce; computed by another implementation. */
#define NATIVE                                                                                               \
    "\xb3\x2b\xb3\xa5\x83\xe1\x34\x0c\x0a\x11\x08\xd5\x8b\x1b\xe4\x97"                                       \
    "\x81\xad\x8c\x2f"
#define SHA2                                                                                                 \
    "\x74\x6e\xbe\x20\x5d\x56\xa0\x70\x7a\xcb\x3e\x79\x6e\x83\x4e\x0d"                                       \
    "\xd7\xb1\xd6\x17\x43\xb2\x6b\xd5\x20\x2c\x7a\x62\x32\x30\xc7\xc9"
#define DIGEST                                                                                               \
    "\x38\x81\x21\x9d\x08\x7d\xd9\xc6\x34\x37\x3f\xd3\x3d\xfa\x33\xa2"                                       \
    "\xcb\x6b\xfc\x6c\x52\x0b\x64\xb8\xbb\x60\xef\x2c\xeb\x53\x4a\xe7"

static const uint8_t *const nonce = (const uint8_t *)NONCE, *const other_nonce = (const uint8_t *)SHA2;

static void test_native(void **state)
{
    (void)state;
    char changed[] = NATIVE;
    assert_true(mysql_native_is(STR(NATIVE), nonce, STR("secret")));
    assert_false(mysql_native_is(STR(NATIVE), nonce, STR("Secret")));
    assert_false(mysql_native_is(STR(NATIVE), other_nonce, STR("secret")));
    for (size_t i = 0; i < SHA1_SIZE; i++) {
        changed[i] ^= 1;
        assert_false(mysql_native_is((struct str){changed, SHA1_SIZE}, nonce, STR("secret")));
        changed[i] ^= 1;
    }
}

static void test_native_needs_both(void **state)
{
    (void)state;
    assert_false(mysql_native_is(STR(""), nonce, STR("secret")));
    assert_false(mysql_native_is(STR_NONE, nonce, STR("")));
    assert_false(mysql_native_is((struct str){NATIVE, 19}, nonce, STR("secret")));
}

static void test_sha2(void **state)
{
    (void)state;
    uint8_t digest[MYSQL_DIGEST_SIZE];
    char changed[] = SHA2;
    mysql_sha2_digest(STR("secret"), digest);
    assert_memory_equal(digest, DIGEST, sizeof(digest));
    assert_true(mysql_sha2_is(STR(SHA2), nonce, digest));
    assert_false(mysql_sha2_is(STR(SHA2), other_nonce, digest));
    assert_false(mysql_sha2_is((struct str){SHA2, 31}, nonce, digest));
    assert_false(mysql_sha2_is(STR_NONE, nonce, digest));
    changed[31] ^= 1;
    assert_false(mysql_sha2_is((struct str){changed, 32}, nonce, digest));
    mysql_sha2_digest(STR("other"), digest);
    assert_false(mysql_sha2_is(STR(SHA2), nonce, digest));
}

/* As a client does: covers the password and its NUL with the nonce, and encrypts that. */
static struct str seal(EVP_PKEY *key, struct str plain, char *out, size_t size)
{
    uint8_t covered[128];
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
    for (size_t i = 0; i < plain.len; i++)
        covered[i] = (uint8_t)(plain.ptr[i] ^ NONCE[i % 20]);
    assert_int_equal(EVP_PKEY_encrypt_init(context), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING), 1);
    assert_int_equal(EVP_PKEY_encrypt(context, (uint8_t *)out, &size, covered, plain.len), 1);
    EVP_PKEY_CTX_free(context);
    return (struct str){out, size};
}

static void test_rsa(void **state)
{
    (void)state;
    char sealed[512], memory[MYSQL_PASSWORD_MAX];
    struct str password;
    EVP_PKEY *key = EVP_RSA_gen(1024), *other = EVP_RSA_gen(1024);
    struct str bytes = seal(key, STR("a password longer than the nonce is\0"), sealed, sizeof(sealed));
    assert_int_equal(mysql_rsa_open(key, bytes, nonce, memory, &password), ERR_OK);
    assert_true(str_eq(password, STR("a password longer than the nonce is")));
    assert_int_equal(mysql_rsa_open(other, bytes, nonce, memory, &password), ERR_INVALID);
    assert_int_equal(mysql_rsa_open(key, bytes, other_nonce, memory, &password), ERR_INVALID);
    assert_int_equal(mysql_rsa_open(key, (struct str){sealed, bytes.len - 1}, nonce, memory, &password),
                     ERR_INVALID);
    assert_int_equal(mysql_rsa_open(key, STR_NONE, nonce, memory, &password), ERR_INVALID);
    bytes = seal(key, STR("no NUL behind it"), sealed, sizeof(sealed));
    assert_int_equal(mysql_rsa_open(key, bytes, nonce, memory, &password), ERR_INVALID);
    bytes = seal(key, STR("\0"), sealed, sizeof(sealed));
    assert_int_equal(mysql_rsa_open(key, bytes, nonce, memory, &password), ERR_OK);
    assert_int_equal(password.len, 0);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_native),
        cmocka_unit_test(test_native_needs_both),
        cmocka_unit_test(test_sha2),
        cmocka_unit_test(test_rsa),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
