/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/base/assert.c */
#include "../../../src/base/err.c"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

static void test_every_error_has_its_own_text(void **state)
{
    (void)state;
    assert_int_equal(ERR_OK, 0);
    for (enum err err = 0; err < ERR_COUNT_; err++) {
        assert_non_null(err_text(err));
        assert_true(strlen(err_text(err)) > 3);
        for (enum err other = 0; other < err; other++)
            assert_string_not_equal(err_text(err), err_text(other));
    }
    assert_string_equal(err_text(ERR_TIMEOUT), "timed out");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_error_has_its_own_text)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
