/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/base/clock.c src/base/str.c src/base/assert.c */
#include "../../../src/base/log.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

/* What log_line wrote to standard error; the caller's buffer gets it, NUL-terminated. */
static size_t captured(enum log_level level, const char *text, char *out, size_t size)
{
    int pipe_ends[2], saved = dup(STDERR_FILENO);
    assert_int_equal(pipe(pipe_ends), 0);
    dup2(pipe_ends[1], STDERR_FILENO);
    log_line(level, "%s", text);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(pipe_ends[1]);
    ssize_t n = read(pipe_ends[0], out, size - 1);
    close(pipe_ends[0]);
    assert_true(n >= 0);
    out[n] = '\0';
    return (size_t)n;
}

static void test_line(void **state)
{
    char line[4096];
    (void)state;
    size_t len = captured(LOG_WARN, "disk is full", line, sizeof(line));
    assert_true(len > 24);
    assert_int_equal(line[10], 'T');
    assert_string_equal(line + 24, " warn  disk is full\n");
}

static void test_levels(void **state)
{
    char line[4096];
    (void)state;
    for (enum log_level threshold_ = 0; threshold_ < LOG_LEVEL_COUNT_; threshold_++) {
        log_set_level(threshold_);
        for (enum log_level level = 0; level < LOG_LEVEL_COUNT_; level++)
            assert_int_equal(captured(level, "x", line, sizeof(line)) > 0, level >= threshold_);
    }
    log_set_level(LOG_INFO);
}

static void test_long_lines_are_cut_to_one_line(void **state)
{
    static char text[5000], line[6000];
    (void)state;
    for (size_t size = LOG_LINE_MAX - 60; size < sizeof(text); size += size < LOG_LINE_MAX + 10 ? 1 : 501) {
        memset(text, 'y', size);
        text[size] = '\0';
        size_t len = captured(LOG_ERROR, text, line, sizeof(line));
        assert_true(len <= LOG_LINE_MAX);
        assert_int_equal(line[len - 1], '\n');
        assert_int_equal(line[len - 2], 'y');
        assert_ptr_equal(strchr(line, '\n'), line + len - 1);
    }
}

static void test_level_names(void **state)
{
    enum log_level level;
    (void)state;
    for (int i = 0; i < LOG_LEVEL_COUNT_; i++) {
        assert_true(log_level_parse(str_from(level_names[i]), &level));
        assert_int_equal(level, i);
    }
    level = LOG_ERROR;
    assert_false(log_level_parse(STR("warning"), &level));
    assert_false(log_level_parse(STR(""), &level));
    assert_false(log_level_parse(STR("INFO"), &level));
    assert_int_equal(level, LOG_ERROR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_long_lines_are_cut_to_one_line),
        cmocka_unit_test(test_level_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
