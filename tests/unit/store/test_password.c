/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/store/password.c"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* Vectors of bcrypt's first implementation, and one with a lower cost of each newer prefix. */
static const struct {
    struct str password, hash;
} known[] = {
    {STR("U*U"), STR("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW")},
    {STR("U*U*"), STR("$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK")},
    {STR(""), STR("$2a$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy")},
    {STR("U*U"), STR("$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW")},
    {STR("U*U"), STR("$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW")},
    {STR("password"),
     STR("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")},
};

static void known_hashes_fit(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        assert_true(password_is_hash(known[i].hash));
        assert_true(password_is(known[i].password, known[i].hash));
        assert_false(password_is(STR("another"), known[i].hash));
    }
    assert_false(password_is(STR("U*U\0more"), known[0].hash));
}

static void new_hashes_are_argon2id(void **state)
{
    struct buf a, b;
    (void)state;
    buf_init(&a, 256);
    buf_init(&b, 256);
    assert_int_equal(password_hash(STR("correct horse"), &a), ERR_OK);
    assert_int_equal(password_hash(STR("correct horse"), &b), ERR_OK);
    assert_true(str_starts(buf_str(&a), STR("$argon2id$v=19$m=19456,t=2,p=1$")));
    assert_false(str_eq(buf_str(&a), buf_str(&b)));
    assert_true(password_is(STR("correct horse"), buf_str(&a)));
    assert_true(password_is(STR("correct horse"), buf_str(&b)));
    assert_false(password_is(STR("correct horsf"), buf_str(&a)));
    assert_false(password_is(STR_NONE, buf_str(&a)));
    a.ptr[a.len - 1] = a.ptr[a.len - 1] == 'A' ? 'Q' : 'A';
    assert_false(password_is(STR("correct horse"), buf_str(&a)));
    buf_free(&a);
    buf_free(&b);
}

static void passwords_are_not_taken_for_hashes(void **state)
{
    static const struct str texts[] = {
        STR_NONE,
        STR("secret"),
        STR("$2a$05$short"),
        STR("$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
        STR("$2a$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"), /* would take days */
        STR("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe!"),
        STR("$argon2id$"),
        STR("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ"),
        STR("$argon2id$v=19$m=999999999,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"),
        STR("$argon2id$v=19$m=65536,t=900,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"),
        STR("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc\0x"),
        STR("$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"),
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        assert_false(password_is_hash(texts[i]));
        assert_false(password_is(texts[i], texts[i]));
    }
}

static void long_passwords_are_refused(void **state)
{
    static char text[PASSWORD_MAX + 1];
    struct buf out;
    (void)state;
    memset(text, 'x', sizeof(text));
    buf_init(&out, 256);
    assert_int_equal(password_hash((struct str){text, sizeof(text)}, &out), ERR_LIMIT);
    assert_false(password_is((struct str){text, sizeof(text)}, known[0].hash));
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_hashes_fit),
        cmocka_unit_test(new_hashes_are_argon2id),
        cmocka_unit_test(passwords_are_not_taken_for_hashes),
        cmocka_unit_test(long_passwords_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
