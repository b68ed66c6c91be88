/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/base/str.c src/base/buf.c */
#include "../../../src/sim/options.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static enum err parse(const char *const *arguments, int count, struct sim_options *ret_options, char *why,
                      size_t size)
{
    struct buf text;
    memset(why, 0, size);
    buf_init_fixed(&text, why, size - 1);
    return sim_options_parse(count, (char *const *)(uintptr_t)arguments, ret_options, &text);
}

static void test_defaults(void **state)
{
    struct sim_options options;
    char why[256];
    (void)state;
    assert_int_equal(parse(NULL, 0, &options, why, sizeof(why)), ERR_OK);
    assert_true(str_eq(options.listen, STR("127.0.0.1:0")));
    assert_int_equal(options.settings.tokens, 16);
    assert_int_equal(options.settings.chunk_tokens, 1);
    assert_int_equal(options.settings.batch, 0);
    assert_int_equal(options.settings.decode_rate, 0);
    assert_false(options.is_named || options.unsized_head || options.no_record || options.help);
}

static void test_all(void **state)
{
    const char *const arguments[] = {
        "--listen",
        "[::1]:8",
        "--models",
        "a,b",
        "--prefill-tokens-per-s",
        "1000",
        "--decode-tokens-per-s",
        "50",
        "--batch",
        "4",
        "--queue",
        "0",
        "--first-byte-ms",
        "20",
        "--tokens",
        "7",
        "--chunk-tokens",
        "2",
        "--embedding-dimensions",
        "3",
        "--name",
        "alpha",
        "--require-key",
        "k",
        "--unsized-head",
        "yes",
        "--fault",
        "cut=1",
        "--no-record",
        "--help",
    };
    struct sim_options options;
    char why[256];
    (void)state;
    assert_int_equal(parse(arguments, ARRAY_LEN(arguments), &options, why, sizeof(why)), ERR_OK);
    assert_true(str_eq(options.listen, STR("[::1]:8")));
    assert_true(str_eq(options.models, STR("a,b")));
    assert_int_equal(options.settings.prefill_rate, 1000);
    assert_int_equal(options.settings.decode_rate, 50);
    assert_int_equal(options.settings.batch, 4);
    assert_int_equal(options.settings.queue, 0);
    assert_int_equal(options.settings.first_byte, 20000); /* microseconds */
    assert_int_equal(options.settings.tokens, 7);
    assert_int_equal(options.settings.chunk_tokens, 2);
    assert_int_equal(options.settings.dimensions, 3);
    assert_true(str_eq(options.name, STR("alpha")));
    assert_true(str_eq(options.require_key, STR("k")));
    assert_true(str_eq(options.fault, STR("cut=1")));
    assert_true(options.is_named && options.unsized_head && options.no_record && options.help);
}

static void test_refused(void **state)
{
    static const struct {
        const char *arguments[2];
        int count;
        const char *why;
    } rows[] = {
        {{"--nope"}, 1, "unknown option --nope"},
        {{"x"}, 1, "unexpected argument \"x\""},
        {{"--tokens"}, 1, "a value is missing after --tokens"},
        {{"--tokens", "x"}, 2, "--tokens takes a number up to 100000, not \"x\""},
        {{"--tokens", "100001"}, 2, "--tokens takes a number up to 100000, not \"100001\""},
        {{"--chunk-tokens", "0"}, 2, "--chunk-tokens takes a number up to 1000, not \"0\""},
        {{"--unsized-head", "perhaps"}, 2, "yes or no is expected after --unsized-head"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sim_options options = {.is_named = true};
        char why[256];
        assert_int_equal(parse(rows[i].arguments, rows[i].count, &options, why, sizeof(why)), ERR_INVALID);
        assert_string_equal(why, rows[i].why);
        assert_true(options.is_named); /* untouched on failure */
    }
}

static void test_set(void **state)
{
    struct sim_settings settings = {.tokens = 1};
    (void)state;
    assert_int_equal(sim_settings_set(&settings, STR("first_byte_ms"), 3), ERR_OK);
    assert_int_equal(settings.first_byte, 3000);
    assert_int_equal(sim_settings_set(&settings, STR("first-byte-ms"), 3), ERR_NOT_FOUND);
    assert_int_equal(sim_settings_set(&settings, STR("tokens"), 100001), ERR_LIMIT);
    assert_int_equal(settings.tokens, 1);
}

static void test_help_tells_all(void **state)
{
    struct buf help;
    (void)state;
    buf_init(&help, 1 << 16);
    sim_options_help(&help);
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        assert_true(str_find(buf_str(&help), numbers[i].flag) > 0);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        assert_true(str_find(buf_str(&help), texts[i].flag) > 0);
    buf_free(&help);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),       cmocka_unit_test(test_all),
        cmocka_unit_test(test_refused),        cmocka_unit_test(test_set),
        cmocka_unit_test(test_help_tells_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
