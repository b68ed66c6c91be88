/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/web/admin_session.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#define NOW (1000 * USEC_PER_SEC)

static struct admin_sessions sessions;
static const struct admin_credential credential = {{1, 2, 3}}, other_credential = {{1, 2, 4}};

static int begin(void **state)
{
    (void)state;
    admin_sessions_init(&sessions);
    return 0;
}

static struct str token_view(const char *token)
{
    return (struct str){token, ADMIN_TOKEN_SIZE};
}

static void test_open_and_close(void **state)
{
    char token[ADMIN_TOKEN_SIZE + 1], other[ADMIN_TOKEN_SIZE + 1];
    (void)state;
    admin_session_open(&sessions, &credential, NOW, token);
    admin_session_open(&sessions, &credential, NOW, other);
    assert_int_equal(strlen(token), ADMIN_TOKEN_SIZE);
    assert_int_equal(strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
                     ADMIN_TOKEN_SIZE);
    assert_string_not_equal(token, other);
    assert_true(admin_session_is_open(&sessions, token_view(token), &credential, NOW));
    admin_session_close(&sessions, token_view(token));
    assert_false(admin_session_is_open(&sessions, token_view(token), &credential, NOW));
    assert_true(admin_session_is_open(&sessions, token_view(other), &credential, NOW));
    admin_session_close(&sessions, token_view(token));
    admin_session_close(&sessions, STR("short"));
}

static void test_end_of_life(void **state)
{
    char token[ADMIN_TOKEN_SIZE + 1];
    (void)state;
    admin_session_open(&sessions, &credential, NOW, token);
    assert_true(
        admin_session_is_open(&sessions, token_view(token), &credential, NOW + ADMIN_SESSION_LIFE - 1));
    assert_false(admin_session_is_open(&sessions, token_view(token), &credential, NOW + ADMIN_SESSION_LIFE));
}

static void test_another_credential_ends_it(void **state)
{
    char token[ADMIN_TOKEN_SIZE + 1];
    (void)state;
    admin_session_open(&sessions, &credential, NOW, token);
    assert_false(admin_session_is_open(&sessions, token_view(token), &other_credential, NOW));
}

static void test_wrong_tokens(void **state)
{
    char token[ADMIN_TOKEN_SIZE + 1];
    (void)state;
    admin_session_open(&sessions, &credential, NOW, token);
    assert_false(admin_session_is_open(&sessions, STR_NONE, &credential, NOW));
    token[7] ^= 1;
    assert_false(admin_session_is_open(&sessions, token_view(token), &credential, NOW));
    token[7] ^= 1;
    assert_false(
        admin_session_is_open(&sessions, (struct str){token, ADMIN_TOKEN_SIZE - 1}, &credential, NOW));
}

static void test_no_token_is_in_memory(void **state)
{
    char token[ADMIN_TOKEN_SIZE + 1];
    (void)state;
    admin_session_open(&sessions, &credential, NOW, token);
    assert_int_equal(str_find((struct str){(const char *)&sessions, sizeof(sessions)}, token_view(token)),
                     -1);
}

static void test_the_oldest_gives_way(void **state)
{
    static char tokens[ADMIN_SESSIONS_MAX + 1][ADMIN_TOKEN_SIZE + 1];
    (void)state;
    for (size_t i = 0; i <= ADMIN_SESSIONS_MAX; i++)
        admin_session_open(&sessions, &credential, NOW + i, tokens[i]);
    assert_false(admin_session_is_open(&sessions, token_view(tokens[0]), &credential, NOW + 1000));
    for (size_t i = 1; i <= ADMIN_SESSIONS_MAX; i++)
        assert_true(admin_session_is_open(&sessions, token_view(tokens[i]), &credential, NOW + 1000));
}

static void test_cookie(void **state)
{
    static const struct {
        const char *field, *token;
    } cases[] = {
        {"", ""},
        {"mindbalancer_session=abc", "abc"},
        {"a=b; mindbalancer_session=abc; c=d", "abc"},
        {"a=b;mindbalancer_session=abc", "abc"},
        {"xmindbalancer_session=abc", ""},
        {"mindbalancer_session", ""},
        {"mindbalancer_session=", ""},
        {"a=mindbalancer_session=abc", ""},
        {";;; mindbalancer_session=x ;", "x"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (!str_eq(admin_session_cookie(str_from(cases[i].field)), str_from(cases[i].token)))
            fail_msg("'%s'", cases[i].field);
}

static struct address peer_of(const char *text)
{
    struct address address;
    assert_true(address_parse(str_from(text), 1, &address));
    return address;
}

static void test_attempts(void **state)
{
    struct address peer = peer_of("192.0.2.1"), neighbour = peer_of("192.0.2.2");
    usec_t wait = 0;
    (void)state;
    for (unsigned i = 0; i < LOGIN_ATTEMPTS_MAX; i++) {
        assert_true(login_may_try(&sessions, &peer, NOW + i, &wait));
        login_note_failure(&sessions, &peer, NOW + i);
    }
    assert_false(login_may_try(&sessions, &peer, NOW + 10 * USEC_PER_SEC, &wait));
    assert_int_equal(wait, 50 * USEC_PER_SEC);
    assert_true(login_may_try(&sessions, &neighbour, NOW, &wait));
    assert_true(login_may_try(&sessions, &peer, NOW + 60 * USEC_PER_SEC, &wait));
    login_note_failure(&sessions, &peer, NOW + 60 * USEC_PER_SEC);
    assert_true(login_may_try(&sessions, &peer, NOW + 60 * USEC_PER_SEC, &wait));
}

static void test_a_host_with_many_addresses(void **state)
{
    char text[64];
    struct address here = peer_of("127.0.0.1");
    usec_t wait = 0;
    (void)state;
    for (unsigned i = 0; i < LOGIN_ATTEMPTS_MAX; i++) {
        snprintf(text, sizeof(text), "2001:db8::%x", i + 1);
        struct address peer = peer_of(text);
        login_note_failure(&sessions, &peer, NOW);
    }
    struct address peer = peer_of("2001:db8::ffff"), other = peer_of("2001:db8:0:1::1");
    assert_false(login_may_try(&sessions, &peer, NOW, &wait));
    assert_true(login_may_try(&sessions, &other, NOW, &wait));
    for (unsigned i = LOGIN_ATTEMPTS_MAX; i < LOGIN_ATTEMPTS_ALL; i++) {
        snprintf(text, sizeof(text), "10.0.%u.%u", i / 200, i % 200);
        peer = peer_of(text);
        login_note_failure(&sessions, &peer, NOW);
    }
    assert_false(login_may_try(&sessions, &other, NOW, &wait));
    assert_true(login_may_try(&sessions, &here, NOW, &wait));
}

static void test_networks_are_bounded(void **state)
{
    char text[64];
    struct address first = peer_of("10.0.0.0");
    (void)state;
    for (unsigned n = 0; n < LOGIN_ATTEMPTS_MAX; n++)
        login_note_failure(&sessions, &first, NOW);
    for (unsigned i = 1; i < LOGIN_NETWORKS_MAX + 1; i++) {
        snprintf(text, sizeof(text), "10.1.%u.%u", i / 200, i % 200);
        struct address peer = peer_of(text);
        login_note_failure(&sessions, &peer, NOW + 1 + i);
    }
    assert_null(find_network(&sessions, &first)); /* it failed longest ago */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_open_and_close, begin),
        cmocka_unit_test_setup(test_end_of_life, begin),
        cmocka_unit_test_setup(test_another_credential_ends_it, begin),
        cmocka_unit_test_setup(test_wrong_tokens, begin),
        cmocka_unit_test_setup(test_no_token_is_in_memory, begin),
        cmocka_unit_test_setup(test_the_oldest_gives_way, begin),
        cmocka_unit_test_setup(test_cookie, begin),
        cmocka_unit_test_setup(test_attempts, begin),
        cmocka_unit_test_setup(test_a_host_with_many_addresses, begin),
        cmocka_unit_test_setup(test_networks_are_bounded, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
