/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/cli/waiting.c"

#include "pieces.h"

static void test_all(void **state)
{
    int ends[2];
    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_false(waiting_interrupted()); /* off */
    assert_int_equal(waiting_for(ends[0], POLLIN, 0), WAITED_TIMEOUT);
    assert_int_equal(waiting_start(), ERR_OK);
    assert_int_equal(waiting_for(ends[0], POLLIN, 0), WAITED_TIMEOUT);
    assert_int_equal(waiting_for(ends[1], POLLOUT, -1), WAITED_READY);
    raise(SIGINT);
    assert_int_equal(waiting_for(ends[0], POLLIN, -1), WAITED_INTERRUPT);
    assert_int_equal(waiting_for(ends[0], POLLIN, 0), WAITED_TIMEOUT);
    raise(SIGINT);
    assert_true(waiting_interrupted());
    assert_false(waiting_interrupted());
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_int_equal(waiting_for(ends[0], POLLIN, -1), WAITED_READY);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
