/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/proxy/log_sink.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <cmocka.h>

static char directory[64], path[100], moved[100];

static int begin(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/test_log_sink.XXXXXX");
    if (!mkdtemp(directory))
        return -1;
    snprintf(path, sizeof(path), "%s/access.log", directory);
    snprintf(moved, sizeof(moved), "%s/access.log.1", directory);
    return 0;
}

static int end(void **state)
{
    (void)state;
    unlink(path);
    unlink(moved);
    return rmdir(directory);
}

static void assert_file(const char *name, const char *text)
{
    char bytes[4096];
    int fd = open(name, O_RDONLY);
    assert_true(fd >= 0);
    ssize_t n = read(fd, bytes, sizeof(bytes) - 1);
    close(fd);
    assert_true(n >= 0);
    bytes[n] = '\0';
    assert_string_equal(bytes, text);
}

static void write_line(struct log_sink *sink, const char *text)
{
    struct buf lines;
    buf_init(&lines, 4096);
    buf_add(&lines, str_from(text));
    assert_true(log_sink_write(sink, &lines));
    assert_int_equal(lines.len, 0);
    assert_int_equal(lines.max, 4096);
    buf_free(&lines);
}

static void test_file_in_order_and_appended(void **state)
{
    struct log_sink *sink;
    (void)state;
    for (unsigned round = 0; round < 2; round++) {
        assert_int_equal(log_sink_open(str_from(path), &sink), ERR_OK);
        write_line(sink, "one\n");
        write_line(sink, "two\nthree\n");
        log_sink_close(sink); /* writes what waits */
    }
    assert_file(path, "one\ntwo\nthree\none\ntwo\nthree\n");
}

static void test_reopen(void **state)
{
    struct log_sink *sink;
    struct stat fresh;
    (void)state;
    assert_int_equal(log_sink_open(str_from(path), &sink), ERR_OK);
    write_line(sink, "old\n");
    while (stat(path, &fresh) != 0 || fresh.st_size == 0)
        usleep(1000);
    assert_int_equal(rename(path, moved), 0);
    log_sink_reopen(sink);
    while (stat(path, &fresh) != 0)
        usleep(1000);
    write_line(sink, "new\n");
    log_sink_close(sink);
    assert_file(moved, "old\n");
    assert_file(path, "new\n");
}

static void test_off_and_impossible(void **state)
{
    char nowhere[200];
    struct log_sink *sink = (struct log_sink *)4711;
    (void)state;
    snprintf(nowhere, sizeof(nowhere), "%s/no/such/file", directory);
    assert_int_equal(log_sink_open(str_from(nowhere), &sink), ERR_SYSTEM);
    assert_ptr_equal(sink, (struct log_sink *)4711); /* untouched */
    assert_int_equal(log_sink_open(STR("off"), &sink), ERR_OK);
    assert_null(sink);
    log_sink_reopen(sink);
    log_sink_close(sink);
}

/* A reader that does not read: lines wait up to the bound and are dropped beyond it; nobody waits. */
static void test_full_pipe_drops(void **state)
{
    struct log_sink *sink;
    size_t taken = 0, dropped = 0;
    (void)state;
    assert_int_equal(mkfifo(path, 0600), 0);
    int reader = open(path, O_RDONLY | O_NONBLOCK);
    assert_int_equal(log_sink_open(str_from(path), &sink), ERR_OK);
    for (unsigned i = 0; i < 20; i++) {
        struct buf lines;
        buf_init(&lines, 8 << 20);
        assert_true(buf_reserve(&lines, 8 << 20));
        memset(lines.ptr, 'x', 8 << 20);
        lines.len = 8 << 20;
        if (log_sink_write(sink, &lines))
            taken++;
        else
            dropped++;
        assert_int_equal(lines.len, 0);
        buf_free(&lines);
    }
    assert_int_equal(taken, WAITING_MAX / (8 << 20));
    assert_true(dropped > 0);
    static char drain[1 << 20];
    size_t got = 0;
    while (got < taken * (8 << 20)) {
        ssize_t n = read(reader, drain, sizeof(drain));
        if (n > 0)
            got += (size_t)n;
        else
            usleep(100);
    }
    write_line(sink, "after\n"); /* there is room again */
    log_sink_close(sink);
    assert_int_equal(read(reader, drain, sizeof(drain)), 6);
    close(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_file_in_order_and_appended, begin, end),
        cmocka_unit_test_setup_teardown(test_reopen, begin, end),
        cmocka_unit_test_setup_teardown(test_off_and_impossible, begin, end),
        cmocka_unit_test_setup_teardown(test_full_pipe_drops, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
