/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/proxy/ledger_record.c"

#include "../wire/exact.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void assert_str(struct str is, struct str wanted)
{
    if (!str_eq(is, wanted))
        fail_msg("'" STR_FMT "' is not '" STR_FMT "'", STR_ARG(is), STR_ARG(wanted));
}

static struct ledger_end sample_end(const struct address *client)
{
    return (struct ledger_end){
        .id = 77,
        .run = 5,
        .state = LEDGER_CUT,
        .cache = LEDGER_CACHE_FOLLOW,
        .tokens = {1, 2, 3, 4, 5},
        .cost = LEDGER_NUMBER_MAX,
        .access =
            {
                .id = STR("req-1"),
                .client = client,
                .method = STR("POST"),
                .path = STR("/v1/chat/completions"),
                .api = STR("chat"),
                .model = STR("gpt"),
                .user = STR("alice"),
                .server = STR("one"),
                .hostgroup = STR("main"),
                .status = 502,
                .is_stream = true,
                .attempts = 3,
                .bytes_in = 10,
                .bytes_out = 1ull << 40,
                .queue = 11,
                .connect = 12,
                .first_byte = 13,
                .overhead = 14,
                .total = 15,
                .usage = {.is_known = true},
                .error = STR("upstream_cut"),
            },
    };
}

static void test_end_round_trip(void **state)
{
    (void)state;
    char out[LEDGER_RECORD_MAX], text[ADDRESS_TEXT_MAX];
    struct address client;
    assert_true(address_parse(STR("2001:db8::1"), 4711, &client));
    struct ledger_end end = sample_end(&client), back;
    struct str payload = exact_copy(ledger_end_encode(&end, out));
    assert_true(ledger_end_decode(payload, 99, &back));
    assert_int_equal(back.id, 77);
    assert_int_equal(back.run, 5);
    assert_int_equal(back.state, LEDGER_CUT);
    assert_int_equal(back.cache, LEDGER_CACHE_FOLLOW);
    assert_memory_equal(&back.tokens, &end.tokens, sizeof(end.tokens));
    assert_int_equal(back.cost, LEDGER_NUMBER_MAX);
    assert_int_equal(back.access.realtime, 99);
    assert_str(back.access.id, STR("req-1"));
    assert_str(address_format(back.access.client, text), STR("[2001:db8::1]:4711"));
    assert_str(back.access.method, STR("POST"));
    assert_str(back.access.path, STR("/v1/chat/completions"));
    assert_str(back.access.api, STR("chat"));
    assert_str(back.access.model, STR("gpt"));
    assert_str(back.access.user, STR("alice"));
    assert_str(back.access.server, STR("one"));
    assert_str(back.access.hostgroup, STR("main"));
    assert_str(back.access.error, STR("upstream_cut"));
    assert_int_equal(back.access.status, 502);
    assert_true(back.access.is_stream);
    assert_int_equal(back.access.attempts, 3);
    assert_int_equal(back.access.bytes_in, 10);
    assert_int_equal(back.access.bytes_out, 1ull << 40);
    assert_int_equal(back.access.queue, 11);
    assert_int_equal(back.access.connect, 12);
    assert_int_equal(back.access.first_byte, 13);
    assert_int_equal(back.access.overhead, 14);
    assert_int_equal(back.access.total, 15);
    assert_true(back.access.usage.is_known);
    assert_int_equal(back.access.usage.input_tokens, 6);
    assert_int_equal(back.access.usage.cached_tokens, 2);
    assert_int_equal(back.access.usage.output_tokens, 9);
    assert_int_equal(back.access.usage.reasoning_tokens, 5);
    exact_free(payload);
}

static void test_begin_round_trip(void **state)
{
    (void)state;
    char out[LEDGER_RECORD_MAX];
    struct ledger_begin begin = {9, STR("req-1"), STR("bob"), STR("gpt"), STR("chat")}, back;
    struct str payload = exact_copy(ledger_begin_encode(&begin, out));
    assert_true(ledger_begin_decode(payload, &back));
    assert_int_equal(back.id, 9);
    assert_str(back.request_id, STR("req-1"));
    assert_str(back.user, STR("bob"));
    assert_str(back.model, STR("gpt"));
    assert_str(back.api, STR("chat"));
    exact_free(payload);
}

static void test_no_client_and_numbers_beyond_the_bound(void **state)
{
    (void)state;
    char out[LEDGER_RECORD_MAX];
    struct address none = {.size = 0}, v4;
    struct ledger_end end = sample_end(NULL), back;
    end.cost = end.tokens.output = UINT64_MAX;
    assert_true(ledger_end_decode(ledger_end_encode(&end, out), 1, &back));
    assert_int_equal(back.access.client->size, 0);
    assert_int_equal(back.tokens.output, LEDGER_NUMBER_MAX);
    assert_int_equal(back.cost, LEDGER_NUMBER_MAX);
    end.access.client = &none;
    assert_true(ledger_end_decode(ledger_end_encode(&end, out), 1, &back));
    assert_int_equal(back.access.client->size, 0);
    assert_true(address_parse(STR("10.1.2.3"), 80, &v4));
    end.access.client = &v4;
    assert_true(ledger_end_decode(ledger_end_encode(&end, out), 1, &back));
    assert_true(address_port(back.access.client) == 80 &&
                back.access.client->v4.sin_addr.s_addr == v4.v4.sin_addr.s_addr);
}

static void test_long_texts_are_cut_at_a_character(void **state)
{
    (void)state;
    char out[LEDGER_RECORD_MAX], text[600];
    struct ledger_begin back;
    memset(text, 'x', sizeof(text));
    struct ledger_begin begin = {.user = {text, sizeof(text)}, .model = {text, LEDGER_TEXT_MAX}};
    assert_true(ledger_begin_decode(ledger_begin_encode(&begin, out), &back));
    assert_int_equal(back.user.len, LEDGER_TEXT_MAX);
    assert_int_equal(back.model.len, LEDGER_TEXT_MAX);
    memcpy(text + LEDGER_TEXT_MAX - 2, "\xe2\x82\xac", 3); /* the euro sign, one byte too long */
    assert_true(ledger_begin_decode(ledger_begin_encode(&begin, out), &back));
    assert_int_equal(back.user.len, LEDGER_TEXT_MAX - 2);
    memset(text, '\x80', sizeof(text)); /* no UTF-8 at all */
    assert_true(ledger_begin_decode(ledger_begin_encode(&begin, out), &back));
    assert_int_equal(back.user.len, LEDGER_TEXT_MAX - 3);
}

static void test_largest_record_fits(void **state)
{
    (void)state;
    char out[LEDGER_RECORD_MAX], text[LEDGER_TEXT_MAX];
    memset(text, 'x', sizeof(text));
    struct str t = {text, sizeof(text)};
    struct ledger_end back, end = {.access = {.id = t,
                                              .method = t,
                                              .path = t,
                                              .api = t,
                                              .model = t,
                                              .user = t,
                                              .server = t,
                                              .hostgroup = t,
                                              .error = t}};
    struct str payload = ledger_end_encode(&end, out);
    assert_true(payload.len <= LEDGER_RECORD_MAX);
    assert_true(ledger_end_decode(payload, 0, &back));
    assert_str(back.access.error, t);
}

static void test_refuses_every_short_and_long_record(void **state)
{
    (void)state;
    char out[LEDGER_RECORD_MAX + 1];
    struct ledger_end end = sample_end(NULL), end_back;
    struct ledger_begin begin = {.id = 1, .user = STR("u")}, begin_back;
    size_t len = ledger_end_encode(&end, out).len;
    for (size_t i = 0; i <= len + 1; i++) {
        struct str payload = exact_copy((struct str){out, i});
        assert_int_equal(ledger_end_decode(payload, 0, &end_back), i == len);
        exact_free(payload);
    }
    len = ledger_begin_encode(&begin, out).len;
    for (size_t i = 0; i <= len + 1; i++)
        assert_int_equal(ledger_begin_decode((struct str){out, i}, &begin_back), i == len);
}

static void test_refuses_wrong_values(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        unsigned char value;
    } wrong[] = {
        {offsetof(struct end_fixed, version), VERSION + 1},
        {offsetof(struct end_fixed, state), LEDGER_STATE_COUNT_},
        {offsetof(struct end_fixed, cache), LEDGER_CACHE_COUNT_},
        {offsetof(struct end_fixed, flags), 4},
        {offsetof(struct end_fixed, status) + 1, 0xff},
        {offsetof(struct end_fixed, client_family), 5},
        {offsetof(struct end_fixed, client_port), 1},
        {offsetof(struct end_fixed, client), 1},
        {offsetof(struct end_fixed, reserved), 1},
        {offsetof(struct end_fixed, reserved_end), 1},
        {offsetof(struct end_fixed, cost) + 7, 0xff},
        {offsetof(struct end_fixed, tokens) + 4 * 8 + 7, 1},
        {offsetof(struct end_fixed, text_lens) + 1, 0xff},
    };
    char out[LEDGER_RECORD_MAX];
    struct ledger_end end = sample_end(NULL), back;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct str payload = ledger_end_encode(&end, out);
        out[wrong[i].at] = (char)wrong[i].value;
        assert_false(ledger_end_decode(payload, 0, &back));
    }
}

static void test_words(void **state)
{
    (void)state;
    assert_str(ledger_state_text(LEDGER_CLIENT_GONE), STR("client_gone"));
    assert_str(ledger_state_text(LEDGER_ABORTED), STR("aborted"));
    assert_str(ledger_cache_text(LEDGER_CACHE_FOLLOW), STR("follow"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_end_round_trip),
        cmocka_unit_test(test_begin_round_trip),
        cmocka_unit_test(test_no_client_and_numbers_beyond_the_bound),
        cmocka_unit_test(test_long_texts_are_cut_at_a_character),
        cmocka_unit_test(test_largest_record_fits),
        cmocka_unit_test(test_refuses_every_short_and_long_record),
        cmocka_unit_test(test_refuses_wrong_values),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
