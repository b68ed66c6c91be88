/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/cli/remember.c"

#include "pieces.h"

static const struct {
    const char *statement, *line;
} cases[] = {
    {"SELECT 1", "SELECT 1"},
    {"SELECT\n  1,\n\t2", "SELECT 1, 2"},
    {"SELECT 1 -- why\n, 2", "SELECT 1 , 2"},
    {"-- first\nSELECT 1 # last", "SELECT 1"},
    {"SELECT 'a\n  b'", "SELECT 'a\n  b'"},
    {"SELECT /* x */ 1", "SELECT 1"},
    {"SELECT/**/1", "SELECT 1"},
    {"/*!40101 SET x = 1 */", "/*!40101 SET x = 1 */"},
};

static void test_lines(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 4096);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        buf_clear(&out);
        remember_line(str_from(cases[i].statement), &out);
        check_text(buf_str(&out), cases[i].line);
    }
    buf_free(&out);
}

static void test_confidential(void **state)
{
    (void)state;
    static const char *const yes[] = {
        "INSERT INTO ai_servers (name, api_key_encrypted) VALUES ('a', 'sk-1')",
        "SET admin_Password = 'x'",
        "UPDATE ai_users SET PASSWORD_HASH = 'x'",
        "SET master_key = 'x'",
        "SET api_key_encryption_key='x'",
        "CREATE USER a IDENTIFIED BY 'x'",
    };
    static const char *const no[] = {"SELECT 1", "SHOW API KEYS", "SELECT * FROM ai_servers", ""};
    for (size_t i = 0; i < ARRAY_LEN(yes); i++)
        assert_true(is_confidential(str_from(yes[i])));
    for (size_t i = 0; i < ARRAY_LEN(no); i++)
        assert_false(is_confidential(str_from(no[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines), cmocka_unit_test(test_confidential)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
