/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/admin/sql_text.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static char memory[4096];
static struct sql_error error;
static struct sql_facts facts;

static const char *translated(struct str statement)
{
    struct buf out;
    buf_init_fixed(&out, memory, sizeof(memory) - 1);
    error = (struct sql_error){0};
    enum err err = sql_text_translate(statement, &out, &facts, &error);
    memory[out.len] = '\0';
    assert_true((err == ERR_OK) == (error.number == SQL_ERR_NONE));
    return err == ERR_OK ? memory : error.message;
}

static const struct {
    struct str statement;
    const char *sql;
} good[] = {
    {STR("SELECT 1"), "SELECT 1"},
    {STR("  SELECT\t1 ; ; "), "SELECT 1"},
    {STR("SELECT 'a''b'"), "SELECT 'a''b'"},
    {STR("SELECT \"a\"\"b'c\""), "SELECT 'a\"b''c'"},
    {STR("SELECT 'a\\'b\\\\'"), "SELECT 'a''b\\'"},
    {STR("SELECT '\\n\\t\\Z\\q\\%\\_'"), "SELECT '\n\t\032q\\%\\_'"},
    {STR("SELECT 'a\\0b'"), "SELECT CAST(x'610062' AS TEXT)"},
    {STR("SELECT 'a' 'b'\n\"c\" FROM t"), "SELECT 'abc' FROM t"},
    {STR("SELECT'a'"), "SELECT 'a'"},
    {STR("SELECT _utf8mb4'a', N'b'"), "SELECT 'a','b'"},
    {STR("SELECT X'0aFF', 0x0a"), "SELECT X'0aFF', 0x0a"},
    {STR("SELECT `a``b`.`c`"), "SELECT `a``b`.`c`"},
    {STR("SELECT 1 -- 2\n+3"), "SELECT 1 +3"},
    {STR("SELECT 5--3"), "SELECT 5- -3"},
    {STR("SELECT 5/**/*2"), "SELECT 5 *2"},
    {STR("SELECT 1 # comment"), "SELECT 1"},
    {STR("SELECT 1 AS nothing, CAST(2 AS INTEGER) AS glob, 3 AS n"), "SELECT 1 AS `nothing`, CAST(2 AS INTEGER) AS `glob`, 3 AS n"},
    {STR("WITH x AS MATERIALIZED (SELECT 1) SELECT * FROM x"), "WITH x AS MATERIALIZED (SELECT 1) SELECT * FROM x"},
    {STR("SELECT/* a */1"), "SELECT 1"},
    {STR("/*!40101 SELECT 1 */"), "SELECT 1"},
    {STR("SELECT /*!50000 1 +*/ 2"), "SELECT 1 + 2"},
    {STR("SELECT @@version"), "SELECT sysvar('version') AS `@@version`"},
    {STR("SELECT @@session.sql_mode, @@GLOBAL.x AS y"),
     "SELECT sysvar('sql_mode') AS `@@session.sql_mode`, sysvar('x') AS y"},
    {STR("SELECT @@`autocommit` LIMIT 1"), "SELECT sysvar('autocommit') AS `autocommit` LIMIT 1"},
    {STR("SELECT @@a + 1, f(@@b)"), "SELECT sysvar('a') + 1, f(sysvar('b'))"},
    {STR("SELECT * FROM routing_rules r"), "SELECT * FROM ai_routing_rules r"},
    {STR("SELECT 'routing_rules'"), "SELECT 'routing_rules'"},
    {STR("SELECT * FROM fairlead.`routing_rules`"), "SELECT * FROM ai_routing_rules"},
    {STR("SELECT main.t.x FROM information_schema . TABLES t"), "SELECT t.x FROM TABLES t"},
    {STR("SELECT t.main.x"), "SELECT t.main.x"},
    {STR("INSERT INTO t VALUES (1)"), "INSERT INTO main.t VALUES (1)"},
    {STR("INSERT t VALUES (1)"), "INSERT INTO main.t VALUES (1)"},
    {STR("INSERT IGNORE INTO fairlead.routing_rules (a) VALUES (?)"),
     "INSERT OR IGNORE INTO main.ai_routing_rules (a) VALUES (?)"},
    {STR("INSERT LOW_PRIORITY INTO `t` SELECT * FROM t"), "INSERT INTO main.`t` SELECT * FROM t"},
    {STR("REPLACE INTO t VALUES (1)"), "REPLACE INTO main.t VALUES (1)"},
    {STR("INSERT OR REPLACE INTO t VALUES (1)"), "INSERT OR REPLACE INTO main.t VALUES (1)"},
    {STR("UPDATE t SET a = 1"), "UPDATE main.t SET a = 1"},
    {STR("UPDATE IGNORE t SET a = 1"), "UPDATE OR IGNORE main.t SET a = 1"},
    {STR("WITH x AS (SELECT 1) DELETE FROM t WHERE a IN x"),
     "WITH x AS (SELECT 1) DELETE FROM main.t WHERE a IN x"},
    {STR("DELETE FROM t WHERE 1"), "DELETE FROM main.t WHERE 1"},
    {STR("INSERT INTO t (a) VALUES (1) ON CONFLICT (a) DO UPDATE SET a = 2"),
     "INSERT INTO main.t (a) VALUES (1) ON CONFLICT (a) DO UPDATE SET a = 2"},
    {STR("SELECT a && b, c <=> d"), "SELECT a AND b, c IS d"},
    {STR("SELECT CURRENT_USER, CURRENT_TIMESTAMP()"), "SELECT CURRENT_USER(), CURRENT_TIMESTAMP"},
    {STR("SELECT LEFT(a, 1) FROM a LEFT JOIN b"), "SELECT `left`(a, 1) FROM a LEFT JOIN b"},
    {STR("SELECT ?1"), "SELECT ? 1"},
    {STR("EXPLAIN SELECT 1"), "EXPLAIN QUERY PLAN SELECT 1"},
    {STR("SELECT 'x' LIMIT 2, 3"), "SELECT 'x' LIMIT 2, 3"},
};

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        const char *sql = translated(good[i].statement);
        if (strcmp(sql, good[i].sql) != 0)
            fail_msg(STR_FMT "\n gives   %s\n and not %s", STR_ARG(good[i].statement), sql, good[i].sql);
    }
}

static const struct {
    struct str statement;
    enum sql_error_number number;
} bad[] = {
    {STR(""), SQL_ERR_EMPTY},
    {STR(" -- nothing"), SQL_ERR_EMPTY},
    {STR(";"), SQL_ERR_EMPTY},
    {STR("SELECT 1; SELECT 2"), SQL_ERR_SYNTAX},
    {STR("SELECT 1; 'open"), SQL_ERR_SYNTAX},
    {STR("SELECT 'open"), SQL_ERR_SYNTAX},
    {STR("SELECT 'open\\'"), SQL_ERR_SYNTAX},
    {STR("SELECT `open"), SQL_ERR_SYNTAX},
    {STR("SELECT ``"), SQL_ERR_SYNTAX},
    {STR("SELECT `\001`"), SQL_ERR_SYNTAX},
    {STR("SELECT '" SQL_RESERVED_PREFIX "t'"), SQL_ERR_SYNTAX},
    {STR("SELECT '\001ma' 'sk\001t'"), SQL_ERR_SYNTAX},
    {STR("SELECT /* open"), SQL_ERR_SYNTAX},
    {STR("SELECT 1 /*! + 1"), SQL_ERR_SYNTAX},
    {STR("SELECT [a]"), SQL_ERR_SYNTAX},
    {STR("SELECT :a"), SQL_ERR_SYNTAX},
    {STR("SELECT $a"), SQL_ERR_SYNTAX},
    {STR("SELECT @a"), SQL_ERR_SYNTAX},
    {STR("SELECT @@"), SQL_ERR_SYNTAX},
    {STR("SELECT 1abc"), SQL_ERR_SYNTAX},
    {STR("SELECT x'0'"), SQL_ERR_SYNTAX},
    {STR("SELECT 1\0 2"), SQL_ERR_SYNTAX},
    {STR("SELECT x FROM 'main'.t"), SQL_ERR_SYNTAX},
    {STR("SELECT x FROM \"ma\" \"in\" . t"), SQL_ERR_SYNTAX},
    {STR("INSERT INTO main.'t' VALUES (1)"), SQL_ERR_SYNTAX},
    {STR("SELECT (1"), SQL_ERR_SYNTAX},
    {STR("SELECT 1)"), SQL_ERR_SYNTAX},
    {STR("DELETE FROM t"), SQL_ERR_UNSAFE},
    {STR("DELETE FROM t LIMIT 1"), SQL_ERR_UNSAFE},
    {STR("DELETE FROM t RETURNING (SELECT 1 WHERE 1)"), SQL_ERR_UNSAFE},
    {STR("INSERT INTO t VALUES (1) ON DUPLICATE KEY UPDATE a = 1"), SQL_ERR_UNSUPPORTED},
};

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        translated(bad[i].statement);
        if (error.number != bad[i].number)
            fail_msg(STR_FMT " gives %d %s", STR_ARG(bad[i].statement), error.number, memory);
    }
}

static void test_facts(void **state)
{
    (void)state;
    translated(STR("SELECT ?, (?), '?' FROM t WHERE a=? -- ?"));
    assert_int_equal(facts.marks, 3);
    assert_int_equal(facts.verb, SQL_VERB_SELECT);
    assert_int_equal(facts.with_at, 0);
    translated(STR("WITH RECURSIVE x AS (SELECT 1) INSERT INTO t SELECT * FROM x"));
    assert_int_equal(facts.verb, SQL_VERB_INSERT);
    assert_true(facts.has_with);
    assert_int_equal(facts.with_at, strlen("WITH RECURSIVE"));
    translated(STR("EXPLAIN WITH x AS (SELECT 1) SELECT 1"));
    assert_int_equal(facts.with_at, strlen("EXPLAIN QUERY PLAN WITH"));
    translated(STR("PRAGMA user_version"));
    assert_int_equal(facts.verb, SQL_VERB_OTHER);
}

static void test_expression(void **state)
{
    (void)state;
    static const char *const refused[] = {"", "1; DROP", "1)", "1) UNION (SELECT 1", "(1", "'"};
    struct buf out;
    buf_init_fixed(&out, memory, sizeof(memory) - 1);
    error = (struct sql_error){0};
    buf_add(&out, STR("WHERE "));
    assert_int_equal(sql_text_translate_expression(STR("`a` LIKE \"x\" AND b = ?"), &out, &facts, &error),
                     ERR_OK);
    memory[out.len] = '\0';
    assert_string_equal(memory, "WHERE `a` LIKE 'x' AND b = ?");
    assert_int_equal(facts.marks, 1);
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        error = (struct sql_error){0};
        assert_int_equal(sql_text_translate_expression(str_from(refused[i]), &out, &facts, &error),
                         ERR_INVALID);
    }
}

static void test_cap(void **state)
{
    (void)state;
    char small[8];
    struct buf out;
    buf_init_fixed(&out, small, sizeof(small));
    error = (struct sql_error){0};
    assert_int_equal(sql_text_translate(STR("SELECT 'a long text'"), &out, &facts, &error), ERR_NO_MEMORY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),       cmocka_unit_test(test_bad), cmocka_unit_test(test_facts),
        cmocka_unit_test(test_expression), cmocka_unit_test(test_cap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
