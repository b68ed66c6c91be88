/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/route/identity.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define USERS 500

static void name_of(size_t i, char *out)
{
    snprintf(out, 16, "user-%zu", i);
}

static void test_nobody(void **state)
{
    struct config config = {0};
    struct identities identities;
    struct arena arena;
    uint8_t digest[API_KEY_DIGEST_SIZE] = {0};
    (void)state;
    arena_init(&arena, NULL);
    assert_int_equal(identities_init(&identities, &config, &arena), ERR_OK);
    assert_null(identity_user(&identities, STR("alice")));
    assert_null(identity_of_key(&identities, digest));
    arena_fini(&arena);
}

/* Many, so that the index has collisions. */
static void test_all_are_found(void **state)
{
    static char names[USERS][16];
    static struct user_config users[USERS];
    static struct api_key_config keys[USERS];
    struct config config = {.users = users, .user_count = USERS, .api_keys = keys, .api_key_count = USERS};
    struct identities identities;
    struct arena arena;
    (void)state;
    for (size_t i = 0; i < USERS; i++) {
        name_of(i, names[i]);
        users[i].name = str_from(names[i]);
        keys[i] = (struct api_key_config){.user = USERS - 1 - i, .is_active = i % 10 != 0};
        keys[i].digest[0] = (uint8_t)i; /* the same beginning for many */
        keys[i].digest[API_KEY_DIGEST_SIZE - 1] = (uint8_t)(i / 256);
        keys[i].digest[API_KEY_DIGEST_SIZE - 2] = 1;
    }
    arena_init(&arena, NULL);
    assert_int_equal(identities_init(&identities, &config, &arena), ERR_OK);
    for (size_t i = 0; i < USERS; i++) {
        assert_ptr_equal(identity_user(&identities, str_from(names[i])), &users[i]);
        assert_ptr_equal(identity_of_key(&identities, keys[i].digest),
                         keys[i].is_active ? &users[USERS - 1 - i] : NULL);
    }
    assert_null(identity_user(&identities, STR("user-500")));
    assert_null(identity_user(&identities, STR("")));
    keys[0].digest[5] ^= 1; /* found by its digest in the index, but it is another key's now */
    uint8_t old[API_KEY_DIGEST_SIZE];
    memcpy(old, keys[0].digest, sizeof(old));
    old[5] ^= 1;
    assert_null(identity_of_key(&identities, old));
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nobody),
        cmocka_unit_test(test_all_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
