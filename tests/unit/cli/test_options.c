/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/cli/options.c"

#include "pieces.h"

#define WORDS_MAX 8
#define WORD_MAX 300

/* Words of a command line, in memory that the parser may write to. */
struct line {
    char texts[WORDS_MAX + 1][WORD_MAX];
    char *argv[WORDS_MAX + 2];
    int argc;
};

static void make_line(struct line *line, const char *const *words)
{
    *line = (struct line){.argc = 1};
    strcpy(line->texts[0], "fairsql");
    for (; line->argc <= WORDS_MAX && words[line->argc - 1]; line->argc++)
        snprintf(line->texts[line->argc], WORD_MAX, "%s", words[line->argc - 1]);
    for (int i = 0; i < line->argc; i++)
        line->argv[i] = line->texts[i];
}

#define PARSE(ret_options, ...) parse((const char *const[WORDS_MAX + 1]){__VA_ARGS__}, (ret_options))

static struct line line; /* options point into it */

static void parse(const char *const *words, struct options *ret_options)
{
    struct buf why;
    buf_init(&why, 512);
    make_line(&line, words);
    if (options_parse(line.argc, line.argv, ret_options, &why) != ERR_OK)
        fail_msg(STR_FMT, STR_ARG(buf_str(&why)));
    buf_free(&why);
}

static void test_defaults(void **state)
{
    (void)state;
    struct options options;
    PARSE(&options, NULL);
    assert_string_equal(options.host, "127.0.0.1");
    assert_string_equal(options.user, "admin");
    assert_int_equal(options.port, 6032);
    assert_int_equal(options.connect_timeout, 10);
    assert_null(options.format);
    assert_null(options.statements);
    assert_false(options.has_password || options.asks_password || options.use_tls || options.is_forced);
}

static void test_forms(void **state)
{
    (void)state;
    struct options options;
    PARSE(&options, "-h", "::1", "-P7000", "--user=u", "--execute", "SELECT 1", "--connect-timeout=3");
    assert_string_equal(options.host, "::1");
    assert_string_equal(options.user, "u");
    assert_int_equal(options.port, 7000);
    assert_string_equal(options.statements, "SELECT 1");
    assert_int_equal(options.connect_timeout, 3);
    PARSE(&options, "-NEe", "x", "--host=h", "--port", "1", "--force", "--ssl");
    assert_true(options.skip_names && options.is_forced && options.use_tls);
    assert_ptr_equal(options.format, &format_vertical);
    assert_string_equal(options.statements, "x");
    assert_int_equal(options.port, 1);
    PARSE(&options, "--ssl-ca", "ca.pem", "--json", "--json");
    assert_true(options.use_tls);
    assert_string_equal(options.tls_ca_file, "ca.pem");
    assert_ptr_equal(options.format, &format_json);
    PARSE(&options, "--help", "--version");
    assert_true(options.wants_help && options.wants_version);
}

/* It must not stay in the list of processes. */
static void test_password(void **state)
{
    (void)state;
    struct options options;
    PARSE(&options, "-psecret", "-h", "h");
    assert_true(options.has_password && !options.asks_password);
    assert_string_equal(options.password, "secret");
    assert_string_equal(line.texts[1], "-pxxxxxx");
    PARSE(&options, "--password=secret");
    assert_string_equal(options.password, "secret");
    assert_string_equal(line.texts[1], "--password=xxxxxx");
    PARSE(&options, "-p", "-h", "h");
    assert_true(options.asks_password && !options.has_password);
    assert_string_equal(options.host, "h");
}

static const struct {
    const char *words[3], *why;
} wrong[] = {
    {{"--nonsense"}, "unknown option, or one that takes no value: --nonsense"},
    {{"-x"}, "unknown option, or one that takes no value: -x"},
    {{"--json=1"}, "unknown option, or one that takes no value: --json"},
    {{"-P"}, "a value is missing after: -P"},
    {{"--port"}, "a value is missing after: --port"},
    {{"-P", "0"}, "--port takes a number from 1 to 65535, not: 0"},
    {{"-P", "65536"}, "--port takes a number from 1 to 65535, not: 65536"},
    {{"-P", "12x"}, "--port takes a number from 1 to 65535, not: 12x"},
    {{"--connect-timeout", "-1"}, "--connect-timeout takes a number from 1 to 3600, not: -1"},
    {{"--json", "--csv"}, "choose one of: --table, --vertical, --batch, --json, --csv"},
    {{"-e1", "-e2"}, "given twice: -e"},
    {{"-h", ""}, "--host takes a name or an address, not: nothing"},
    {{"extra"}, "statements come with -e or from standard input; unexpected: extra"},
};

static void test_wrong(void **state)
{
    (void)state;
    struct buf why;
    buf_init(&why, 512);
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct options options = {.port = 4711};
        const char *words[WORDS_MAX + 1] = {wrong[i].words[0], wrong[i].words[1], wrong[i].words[2]};
        make_line(&line, words);
        buf_clear(&why);
        assert_int_equal(options_parse(line.argc, line.argv, &options, &why), ERR_INVALID);
        check_text(buf_str(&why), wrong[i].why);
        assert_int_equal(options.port, 4711); /* untouched */
    }
    buf_free(&why);
}

static void test_long_password(void **state)
{
    (void)state;
    char word[WORD_MAX] = "-p";
    struct options options;
    struct buf why;
    buf_init(&why, 512);
    memset(word + 2, 's', 255);
    make_line(&line, (const char *const[WORDS_MAX + 1]){word});
    assert_int_equal(options_parse(line.argc, line.argv, &options, &why), ERR_OK);
    assert_int_equal(strlen(options.password), 255);
    memset(word + 2, 's', 256);
    make_line(&line, (const char *const[WORDS_MAX + 1]){word});
    assert_int_equal(options_parse(line.argc, line.argv, &options, &why), ERR_INVALID);
    assert_null(strchr(line.texts[1], 's'));
    assert_int_equal(str_find(buf_str(&why), STR("sss")), -1);
    buf_free(&why);
}

static void test_help(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 1 << 16);
    options_help(&out);
    assert_true(buf_ok(&out));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_true(str_find(buf_str(&out), str_from(rows[i].name)) > 0);
        assert_true(str_find(buf_str(&out), str_from(rows[i].help)) > 0);
    }
    assert_true(str_find(buf_str(&out), STR("-p, --password[=PASSWORD] ")) > 0);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),      cmocka_unit_test(test_forms),
        cmocka_unit_test(test_password),      cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_long_password), cmocka_unit_test(test_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
