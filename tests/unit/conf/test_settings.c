/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/base/str.c src/base/buf.c src/base/arena.c src/base/assert.c */
#include "../../../src/conf/settings.c"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static enum err set(struct settings *settings, struct arena *arena, const char *name, const char *text,
                    char *message, size_t size)
{
    struct buf out;
    const struct setting *setting = setting_find(str_from(name));
    assert_non_null(setting);
    buf_init_fixed(&out, message, size - 1);
    enum err err = setting_set(setting, str_from(text), arena, settings, &out);
    assert_true(buf_ok(&out));
    message[out.len] = '\0';
    return err;
}

static void test_defaults(void **state)
{
    (void)state;
    struct settings settings;
    settings_init(&settings);
    assert_int_equal(settings.workers, 0);
    assert_int_equal(settings.log_level, LOG_INFO);
    assert_true(str_eq(settings.access_log, STR("stdout")));
    assert_true(settings.retry_multiplier == 2.0);
    assert_false(settings.config_watch);
    assert_int_equal(settings.trust_user_header, TRUST_LOOPBACK);
    assert_int_equal(settings.max_body_bytes, 33554432);
}

/* The table is sound: unique names, a default in range, help that ends with a point. */
static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < settings_count; i++) {
        const struct setting *setting = &settings_table[i];
        assert_ptr_equal(setting_find(setting->name), setting);
        assert_int_equal(setting->help.ptr[setting->help.len - 1], '.');
        assert_true(i == 0 || setting->offset > settings_table[i - 1].offset);
        if (setting->kind == SETTING_KIND_U64 || setting->kind == SETTING_KIND_DOUBLE)
            assert_true(setting->min < setting->max);
        assert_int_equal(setting->kind == SETTING_KIND_ENUM, setting->value_count > 1);
    }
    assert_null(setting_find(STR("worker")));
    assert_null(setting_find(STR("")));
}

/* Every default reads back as itself, so it is in range too. */
static void test_round_trip(void **state)
{
    (void)state;
    struct settings defaults, copy = {0};
    struct arena arena;
    arena_init(&arena, NULL);
    settings_init(&defaults);
    for (size_t i = 0; i < settings_count; i++) {
        const struct setting *setting = &settings_table[i];
        char memory[64], message[256];
        struct buf text, out;
        buf_init_fixed(&text, memory, sizeof(memory));
        buf_init_fixed(&out, message, sizeof(message));
        setting_get(setting, &defaults, &text);
        assert_int_equal(setting_set(setting, buf_str(&text), &arena, &copy, &out), ERR_OK);
        assert_int_equal(out.len, 0);
        assert_true(setting_is_equal(setting, &defaults, &copy));
    }
    arena_fini(&arena);
}

static const struct {
    const char *name, *text, *message; /* message NULL: good */
} values[] = {
    {"max_retries", "0", NULL},
    {"max_retries", "20", NULL},
    {"max_retries", "21", "max_retries: '21' is not a whole number from 0 to 20"},
    {"max_retries", "-1", "max_retries: '-1' is not a whole number from 0 to 20"},
    {"max_retries", "", "max_retries: '' is not a whole number from 0 to 20"},
    {"max_retries", "3.0", "max_retries: '3.0' is not a whole number from 0 to 20"},
    {"max_retries", "18446744073709551616",
     "max_retries: '18446744073709551616' is not a whole number from 0 to 20"},
    {"max_header_line_bytes", "255",
     "max_header_line_bytes: '255' is not a whole number from 256 to 1048576"},
    {"retry_multiplier", "1", NULL},
    {"retry_multiplier", "1.25", NULL},
    {"retry_multiplier", "0.99", "retry_multiplier: '0.99' is not a number from 1 to 10"},
    {"retry_multiplier", "10.1", "retry_multiplier: '10.1' is not a number from 1 to 10"},
    {"retry_multiplier", "1e1", "retry_multiplier: '1e1' is not a number from 1 to 10"},
    {"retry_multiplier", "nan", "retry_multiplier: 'nan' is not a number from 1 to 10"},
    {"retry_multiplier", "0x2", "retry_multiplier: '0x2' is not a number from 1 to 10"},
    {"retry_multiplier", "1.", "retry_multiplier: '1.' is not a number from 1 to 10"},
    {"retry_multiplier", ".5", "retry_multiplier: '.5' is not a number from 1 to 10"},
    {"retry_multiplier", "1.2.3", "retry_multiplier: '1.2.3' is not a number from 1 to 10"},
    {"config_watch", "true", NULL},
    {"config_watch", "yes", "config_watch: 'yes' is neither true nor false"},
    {"log_level", "debug", NULL},
    {"log_level", "DEBUG", "log_level: 'DEBUG' is none of debug, info, warn, error"},
    {"access_log_format", "text", NULL},
    {"access_log_format", "xml", "access_log_format: 'xml' is none of json, text"},
    {"trust_user_header", "always", NULL},
    {"trust_user_header", "", "trust_user_header: '' is none of never, loopback, always"},
    {"access_log", "/var/log/x", NULL},
    {"access_log", "", "access_log: '' is not a text of 1 to 4096 printable bytes"},
    {"access_log", "a\tb", "access_log: 'a\tb' is not a text of 1 to 4096 printable bytes"},
};

static void test_set(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL);
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        struct settings settings, before;
        char message[256], memory[64];
        struct buf text;
        settings_init(&settings);
        before = settings;
        enum err err = set(&settings, &arena, values[i].name, values[i].text, message, sizeof(message));
        assert_string_equal(message, values[i].message ? values[i].message : "");
        assert_int_equal(err, values[i].message ? ERR_INVALID : ERR_OK);
        buf_init_fixed(&text, memory, sizeof(memory));
        setting_get(setting_find(str_from(values[i].name)), &settings, &text);
        if (err == ERR_OK)
            assert_true(str_eq(buf_str(&text), str_from(values[i].text)));
        for (size_t j = 0; err && j < settings_count; j++)
            assert_true(setting_is_equal(&settings_table[j], &settings, &before));
    }
    arena_fini(&arena);
}

/* A TEXT value outlives what it was read from. */
static void test_text_is_copied(void **state)
{
    (void)state;
    struct settings settings;
    struct arena arena;
    char text[] = "path", message[64];
    arena_init(&arena, NULL);
    settings_init(&settings);
    assert_int_equal(set(&settings, &arena, "access_log", text, message, sizeof(message)), ERR_OK);
    memset(text, 'x', sizeof(text) - 1);
    assert_true(str_eq(settings.access_log, STR("path")));
    arena_fini(&arena);
}

static void test_long_value_is_cut(void **state)
{
    (void)state;
    struct settings settings;
    struct arena arena;
    char text[301], message[256];
    memset(text, '9', 300);
    text[300] = '\0';
    arena_init(&arena, NULL);
    settings_init(&settings);
    assert_int_equal(set(&settings, &arena, "workers", text, message, sizeof(message)), ERR_INVALID);
    assert_int_equal(strlen(message), strlen("workers: '' is not a whole number from 0 to 256") + SHOWN_MAX);
    arena_fini(&arena);
}

static void test_groups(void **state)
{
    (void)state;
    assert_true(str_eq(setting_group(setting_find(STR("workers"))), STR("Process and logs")));
    assert_true(str_eq(setting_group(setting_find(STR("access_log_format"))), STR("Process and logs")));
    assert_true(str_eq(setting_group(setting_find(STR("max_header_line_bytes"))), STR("Clients")));
    assert_true(str_eq(setting_group(setting_find(STR("config_watch"))), STR("Trust and reload")));
}

static void test_differ_start(void **state)
{
    (void)state;
    struct settings a, b;
    char memory[64];
    struct buf names;
    buf_init_fixed(&names, memory, sizeof(memory));
    settings_init(&a);
    settings_init(&b);
    b.max_retries = 7; /* LIVE: does not count */
    b.log_level = LOG_DEBUG;
    assert_int_equal(settings_differ_start(&a, &b, &names), 0);
    assert_int_equal(names.len, 0);
    b.workers = 3;
    b.access_log = STR("off");
    b.config_watch = true;
    assert_int_equal(settings_differ_start(&a, &b, &names), 3);
    assert_true(str_eq(buf_str(&names), STR("workers, access_log, config_watch")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),       cmocka_unit_test(test_rows),
        cmocka_unit_test(test_round_trip),     cmocka_unit_test(test_set),
        cmocka_unit_test(test_text_is_copied), cmocka_unit_test(test_long_value_is_cut),
        cmocka_unit_test(test_groups),         cmocka_unit_test(test_differ_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
