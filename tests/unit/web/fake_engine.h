/* SPDX-License-Identifier: Apache-2.0 */
/* An SQL engine that follows a script: it writes down the statements that it is given, and answers what the test says. */
#pragma once

#include "admin/sql.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define FAKE_ANSWERS 16
#define FAKE_COLUMNS 24

/* Columns and values are words with "|" between them; a value of digits alone is an integer, "NULL" is NULL. */
struct fake_answer {
    const char *columns; /* NULL: no result set */
    const char *rows[4]; /* up to the first NULL */
    unsigned error;
    const char *message;
    uint64_t affected, last_insert_id;
};

struct sql_session {
    struct sql_sink *sink;
};

static struct fake_answer fake_answers[FAKE_ANSWERS];
static size_t fake_answer_count, fake_next;
static size_t fake_sessions; /* open ones */
static bool fake_may_write, fake_is_full;
static bool fake_holds; /* statements wait for fake_finish */
static struct sql_session *fake_held;
static char fake_host[128];
static char fake_said[8192]; /* "statement [param|param];" each */

static inline void fake_reset(void)
{
    fake_answer_count = fake_next = 0;
    fake_said[0] = '\0';
    fake_is_full = fake_holds = false;
    fake_held = NULL;
}

static inline void fake_will(struct fake_answer answer)
{
    assert_true(fake_answer_count < FAKE_ANSWERS);
    fake_answers[fake_answer_count++] = answer;
}

struct sql_session *sql_session_new(struct sql_engine *engine, const struct sql_identity *identity)
{
    (void)engine;
    if (fake_is_full)
        return NULL;
    fake_may_write = identity->may_write;
    snprintf(fake_host, sizeof(fake_host), STR_FMT, STR_ARG(identity->host));
    fake_sessions++;
    return calloc(1, sizeof(struct sql_session));
}

void sql_session_free(struct sql_session *session)
{
    if (session == fake_held)
        fake_held = NULL;
    fake_sessions--;
    free(session);
}

static inline void fake_write_down(struct str statement, const struct sql_value *params, size_t count)
{
    struct buf out;
    buf_init_fixed(&out, fake_said, sizeof(fake_said) - 1);
    out.len = strlen(fake_said);
    buf_add(&out, statement);
    for (size_t i = 0; i < count; i++) {
        buf_add(&out, i == 0 ? STR(" [") : STR("|"));
        if (params[i].type == SQL_NULL)
            buf_add(&out, STR("NULL"));
        else if (params[i].type == SQL_INTEGER)
            buf_printf(&out, "%lld", (long long)params[i].integer);
        else if (params[i].type == SQL_DOUBLE)
            buf_printf(&out, "%g", params[i].real);
        else
            buf_printf(&out, "'" STR_FMT "'", STR_ARG(params[i].text));
    }
    buf_add(&out, count > 0 ? STR("];") : STR(";"));
    assert_true(buf_ok(&out));
    fake_said[out.len] = '\0';
}

static inline size_t fake_split(const char *text, struct str *words)
{
    size_t count = 0;
    for (const char *at = text;; at++) {
        size_t len = strcspn(at, "|");
        assert_true(count < FAKE_COLUMNS);
        words[count++] = (struct str){at, len};
        at += len;
        if (*at == '\0')
            return count;
    }
}

static inline void fake_give_row(struct sql_sink *sink, const char *row)
{
    struct str words[FAKE_COLUMNS];
    struct sql_value values[FAKE_COLUMNS];
    size_t count = fake_split(row, words);
    for (size_t i = 0; i < count; i++) {
        uint64_t number;
        values[i] = (struct sql_value){.type = SQL_TEXT, .text = words[i]};
        if (str_eq(words[i], STR("NULL")))
            values[i].type = SQL_NULL;
        else if (str_to_u64(words[i], &number))
            values[i] = (struct sql_value){.type = SQL_INTEGER, .integer = (int64_t)number};
    }
    sink->row(sink, values, count);
}

static inline void fake_give(struct sql_sink *sink)
{
    assert_true(fake_next < fake_answer_count);
    const struct fake_answer *answer = &fake_answers[fake_next++];
    struct sql_outcome outcome = {.error = answer->error,
                                  .message = str_from(answer->message),
                                  .affected = answer->affected,
                                  .last_insert_id = answer->last_insert_id};
    if (answer->columns) {
        struct str words[FAKE_COLUMNS];
        struct sql_column columns[FAKE_COLUMNS] = {0};
        size_t count = fake_split(answer->columns, words);
        for (size_t i = 0; i < count; i++)
            columns[i] = (struct sql_column){.name = words[i], .type = SQL_TEXT};
        sink->columns(sink, columns, count);
        for (size_t i = 0; i < ARRAY_LEN(answer->rows) && answer->rows[i]; i++)
            fake_give_row(sink, answer->rows[i]);
    }
    sink->done(sink, &outcome);
}

void sql_session_run(struct sql_session *session, struct str statement, const struct sql_value *params,
                     size_t param_count, struct sql_sink *sink)
{
    fake_write_down(statement, params, param_count);
    session->sink = sink;
    if (fake_holds)
        fake_held = session;
    else
        fake_give(sink);
}

static inline void fake_finish(void)
{
    struct sql_session *session = fake_held;
    fake_held = NULL;
    fake_give(session->sink);
}
