/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/base/str.c src/base/buf.c src/base/arena.c src/base/assert.c */
#include "../../../src/conf/env.c"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>

static char path[] = "/tmp/fairlead-env-XXXXXX";

static struct str file(void)
{
    return str_from(path);
}

static int make_file(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    bool is_good = fd >= 0 && write(fd, "content\n", 8) == 8;
    if (fd >= 0)
        close(fd);
    return is_good ? 0 : -1;
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static void test_variable(void **state)
{
    (void)state;
    assert_int_equal(setenv("FAIRLEAD_ENV_TEST", "x", 1), 0);
    assert_string_equal(config_env_process.variable(NULL, "FAIRLEAD_ENV_TEST"), "x");
    assert_int_equal(unsetenv("FAIRLEAD_ENV_TEST"), 0);
    assert_null(config_env_process.variable(NULL, "FAIRLEAD_ENV_TEST"));
}

static void test_read(void **state)
{
    (void)state;
    const struct config_env *env = &config_env_process;
    struct buf out;
    buf_init(&out, 8);
    assert_int_equal(env->read_file(NULL, file(), &out), ERR_OK);
    assert_true(str_eq(buf_str(&out), STR("content\n")));
    buf_free(&out);
    buf_init(&out, 7);
    assert_int_equal(env->read_file(NULL, file(), &out), ERR_LIMIT);
    buf_free(&out);
    buf_init(&out, 7);
    assert_int_equal(env->read_file(NULL, STR("/nonexistent/file"), &out), ERR_NOT_FOUND);
    assert_int_equal(env->read_file(NULL, STR(""), &out), ERR_NOT_FOUND);
    assert_int_equal(env->read_file(NULL, STR("/etc\0/x"), &out), ERR_NOT_FOUND);
    assert_int_equal(env->read_file(NULL, STR("/"), &out), ERR_SYSTEM); /* a folder */
    assert_int_equal(out.len, 0);
}

/* More than one read, up to exactly the cap. */
static void test_read_large(void **state)
{
    (void)state;
    size_t size = 2 * READ_STEP + 1;
    char *content = malloc(size);
    FILE *stream = fopen(path, "w");
    struct buf out;
    assert_non_null(content);
    assert_non_null(stream);
    for (size_t i = 0; i < size; i++)
        content[i] = (char)(i * 31 >> 3);
    assert_int_equal(fwrite(content, 1, size, stream), size);
    assert_int_equal(fclose(stream), 0);
    buf_init(&out, size);
    assert_int_equal(config_env_process.read_file(NULL, file(), &out), ERR_OK);
    assert_int_equal(out.len, size);
    assert_memory_equal(out.ptr, content, size);
    buf_free(&out);
    free(content);
}

static void test_is_readable(void **state)
{
    (void)state;
    assert_true(config_env_process.is_readable(NULL, file()));
    assert_false(config_env_process.is_readable(NULL, STR("/nonexistent")));
    assert_false(config_env_process.is_readable(NULL, STR("")));
}

static void test_reasons(void **state)
{
    (void)state;
    assert_string_equal(config_env_reason(ERR_NOT_FOUND), "no such file");
    assert_string_equal(config_env_reason(ERR_LIMIT), "too large");
    assert_string_equal(config_env_reason(ERR_SYSTEM), "not readable");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_variable),    cmocka_unit_test(test_read),    cmocka_unit_test(test_read_large),
        cmocka_unit_test(test_is_readable), cmocka_unit_test(test_reasons),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
