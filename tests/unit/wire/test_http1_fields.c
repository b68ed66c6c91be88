/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/base/assert.c src/base/str.c */
#include "../../../src/wire/http1_fields.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void add_field(struct http_head *head, struct str name, struct str value)
{
    head->fields[head->field_count++] = (struct http_field){name, value};
}

static void test_words_are_exact(void **state)
{
    (void)state;
    static const char words[][20] = {"te",      "host",       "expect",         "trailer",
                                     "chunked", "connection", "content-length", "transfer-encoding"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        char word[20];
        size_t len = strlen(words[i]);
        memcpy(word, words[i], sizeof(word));
        assert_true(word_is((struct str){word, len}, words[i], len));
        assert_false(word_is((struct str){word, len - 1}, words[i], len));
        for (size_t at = 0; at < len; at++) {
            for (int c = 0x20; c < 256; c++) {
                bool same = c == words[i][at] || (words[i][at] >= 'a' && c == words[i][at] - 0x20);
                word[at] = (char)c;
                assert_int_equal(word_is((struct str){word, len}, words[i], len), same);
            }
            word[at] = words[i][at];
        }
    }
}

static void test_finds_fields_by_name(void **state)
{
    (void)state;
    static struct http_head head;
    head.field_count = 0;
    add_field(&head, STR("Accept"), STR("1"));
    add_field(&head, STR("X-Key"), STR("2"));
    add_field(&head, STR("x-key"), STR("3"));
    assert_ptr_equal(http_head_find(&head, STR("X-KEY")), &head.fields[1]);
    assert_ptr_equal(http_head_find(&head, STR("accept")), &head.fields[0]);
    assert_null(http_head_find(&head, STR("X-Ke")));
    assert_null(http_head_find(&head, STR("X-Key2")));
    assert_null(http_head_find(&head, STR("")));
    assert_true(str_eq(http_head_value(&head, STR("x-KEY")), STR("2")));
    assert_int_equal(http_head_value(&head, STR("none")).len, 0);
}

static const struct {
    struct str name;
    bool always, when_listed;
} hop_by_hop_cases[] = {
    {STR("Connection"), true, true},
    {STR("Keep-Alive"), true, true},
    {STR("keep-alive"), true, true},
    {STR("Proxy-Authorization"), true, true},
    {STR("Proxy-Authenticate"), true, true},
    {STR("proxy-connection"), true, true},
    {STR("TE"), true, true},
    {STR("Trailer"), true, true},
    {STR("TRANSFER-ENCODING"), true, true},
    {STR("Upgrade"), true, true},
    {STR("X-Listed"), false, true},
    {STR("x-also"), false, true},
    {STR("X-Second"), false, true},
    {STR("X-Free"), false, false},
    {STR("X-List"), false, false},
    {STR("Proxy"), false, false},
    {STR("TX"), false, false},
    {STR("Content-Length"), false, false},
    {STR("Authorization"), false, false},
    {STR("Trailers"), false, false},
};

static void test_hop_by_hop(void **state)
{
    (void)state;
    static struct http_head bare, listing;
    bare.minor_version = listing.minor_version = 1;
    bare.field_count = listing.field_count = 0;
    add_field(&bare, STR("Connection"), STR("keep-alive"));
    add_field(&listing, STR("Connection"), STR("close , X-Listed,, X-ALSO"));
    add_field(&listing, STR("Accept"), STR("X-Free"));
    add_field(&listing, STR("connection"), STR("x-second"));
    assert_int_equal(http_response_fields_apply(&bare, false), HTTP_PARSE_DONE);
    assert_int_equal(http_response_fields_apply(&listing, false), HTTP_PARSE_DONE);
    assert_false(bare.names_hop_by_hop);
    assert_true(listing.names_hop_by_hop);
    for (size_t i = 0; i < ARRAY_LEN(hop_by_hop_cases); i++) {
        struct http_field field = {hop_by_hop_cases[i].name, STR("v")};
        assert_int_equal(http_field_is_hop_by_hop(&bare, &field), hop_by_hop_cases[i].always);
        assert_int_equal(http_field_is_hop_by_hop(&listing, &field), hop_by_hop_cases[i].when_listed);
    }
}

static void test_host_forms(void **state)
{
    (void)state;
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$&'()*+,;=%:[]";
    assert_true(has_host_form(STR("")));
    for (int c = 0; c < 256; c++) {
        char text[3] = {'a', (char)c, 'b'};
        assert_int_equal(has_host_form((struct str){text, 3}), c != 0 && strchr(allowed, c));
    }
}

static void test_lists(void **state)
{
    (void)state;
    static const struct {
        struct str list;
        const char *joined;
    } cases[] = {
        {STR("a"), "[a]"}, {STR("a,b"), "[a][b]"}, {STR(" a ,\tb\t"), "[a][b]"},
        {STR(""), "[]"},   {STR(","), "[][]"},     {STR("a,,b,"), "[a][][b][]"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char joined[64] = "";
        size_t len = 0;
        struct str list = cases[i].list, element;
        while (list_next(&list, &element))
            len += (size_t)sprintf(joined + len, "[" STR_FMT "]", STR_ARG(element));
        assert_string_equal(joined, cases[i].joined);
    }
}

static void test_status_texts(void **state)
{
    (void)state;
    assert_string_equal(http_status_text(200), "OK");
    assert_string_equal(http_status_text(429), "Too Many Requests");
    assert_string_equal(http_status_text(503), "Service Unavailable");
    assert_string_equal(http_status_text(299), "Unknown");
    assert_string_equal(http_status_text(0), "Unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_are_exact), cmocka_unit_test(test_finds_fields_by_name),
        cmocka_unit_test(test_hop_by_hop),      cmocka_unit_test(test_host_forms),
        cmocka_unit_test(test_lists),           cmocka_unit_test(test_status_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
