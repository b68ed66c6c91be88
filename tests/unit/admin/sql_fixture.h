/* SPDX-License-Identifier: Apache-2.0 */
/* A real engine over a real store, a gateway without workers, and sessions whose results come out as text:
 * "name,name|value,value|value,value" and behind it ";n affected" or the error "1064 42000 message". */
#pragma once

#include "../store/folder.h"

#include "admin/sql_session.h"
#include "conf/load.h"
#include "net/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static const char fixture_yaml[] =
    "settings: {max_retries: 4}\n"
    "servers:\n"
    "  - {name: filed, provider: openai, endpoint: 'http://127.0.0.1:9', hostgroup: 7, "
    "models: [filed-model], api_key: sk-planted-in-the-file}\n";

struct fixture {
    struct loop loop;
    struct gateway gateway;
    struct generation generation;
    struct seal seal;
    struct db db;
    struct sql_engine engine;
    struct sql_session *session;
};

static struct fixture fixture;

static int fixture_open(void **state)
{
    static char path[128];
    char why[GENERATION_WHY_MAX] = "";
    struct diagnostics diagnostics;
    struct config *config;
    struct policy *policy;
    assert_int_equal(folder_make(state), 0);
    memset(&fixture, 0, sizeof(fixture));
    snprintf(path, sizeof(path), "%s", in_folder(DB_FILE));
    diagnostics_init(&diagnostics);
    assert_int_equal(loop_init(&fixture.loop), ERR_OK);
    assert_int_equal(gateway_init(&fixture.gateway), ERR_OK);
    fixture.gateway.control = &fixture.loop;
    assert_int_equal(seal_init(&fixture.seal, str_from(folder), STR(""), STR(""), why), ERR_OK);
    fixture.gateway.seal = &fixture.seal;
    assert_int_equal(db_open(&fixture.db, path, why), ERR_OK);
    assert_int_equal(db_migrate_up(&fixture.db, why), ERR_OK);
    assert_int_equal(
        config_load(str_from(fixture_yaml), STR("fairlead.yaml"), &config_env_process, &config, &diagnostics),
        ERR_OK);
    diagnostics_fini(&diagnostics);
    enum err err = generation_open(&fixture.generation, &fixture.db, &fixture.seal, config, &policy, why);
    if (err != ERR_OK)
        fail_msg("%s", why);
    assert_int_equal(gateway_publish(&fixture.gateway, policy, NULL, why), ERR_OK);
    policy_unref(policy);
    fixture.generation.gateway = &fixture.gateway;
    fixture.generation.loop = &fixture.loop;
    fixture.engine = (struct sql_engine){
        .path = path, .generation = &fixture.generation, .gateway = &fixture.gateway, .loop = &fixture.loop};
    assert_int_equal(sql_engine_init(&fixture.engine), ERR_OK);
    const struct sql_identity identity = {.user = STR("admin"), .host = STR("127.0.0.1"), .may_write = true};
    fixture.session = sql_session_new(&fixture.engine, &identity);
    assert_non_null(fixture.session);
    return 0;
}

static int fixture_close(void **state)
{
    sql_session_free(fixture.session);
    while (!list_is_empty(&fixture.engine.publishes))
        loop_deliver(&fixture.loop);
    sql_engine_fini(&fixture.engine);
    generation_close(&fixture.generation);
    db_close(&fixture.db);
    gateway_fini(&fixture.gateway);
    seal_fini(&fixture.seal);
    loop_settle(&fixture.loop);
    loop_fini(&fixture.loop);
    return folder_remove(state);
}

/* ---- results as text ---- */

struct collector {
    struct sql_sink sink;
    struct buf text;
    bool is_done;
    size_t stops_every; /* rows; 0: never */
    size_t rows;
    enum sql_type types[32];
    struct sql_outcome outcome;
};

static struct collector collector;

static void collect_value(struct buf *out, const struct sql_value *value)
{
    switch (value->type) {
    case SQL_NULL:
        buf_add(out, STR("NULL"));
        break;
    case SQL_INTEGER:
        buf_printf(out, "%lld", (long long)value->integer);
        break;
    case SQL_DOUBLE:
        buf_printf(out, "%g", value->real);
        break;
    default:
        buf_add(out, value->text);
    }
}

static void on_columns(struct sql_sink *sink, const struct sql_column *columns, size_t count)
{
    struct collector *c = CONTAINER_OF(sink, struct collector, sink);
    assert_false(c->is_done);
    for (size_t i = 0; i < count; i++) {
        buf_printf(&c->text, "%s" STR_FMT, i > 0 ? "," : "", STR_ARG(columns[i].name));
        if (i < ARRAY_LEN(c->types))
            c->types[i] = columns[i].type;
    }
}

static bool on_row(struct sql_sink *sink, const struct sql_value *values, size_t count)
{
    struct collector *c = CONTAINER_OF(sink, struct collector, sink);
    for (size_t i = 0; i < count; i++) {
        buf_add_char(&c->text, i > 0 ? ',' : '|');
        collect_value(&c->text, &values[i]);
    }
    c->rows++;
    return c->stops_every == 0 || c->rows % c->stops_every != 0;
}

static void on_done(struct sql_sink *sink, const struct sql_outcome *outcome)
{
    struct collector *c = CONTAINER_OF(sink, struct collector, sink);
    assert_false(c->is_done);
    c->is_done = true;
    c->outcome = *outcome;
    if (outcome->error)
        buf_printf(&c->text, "%u %s " STR_FMT, outcome->error, outcome->sqlstate, STR_ARG(outcome->message));
    else if (c->text.len == 0)
        buf_printf(&c->text, "%llu affected", (unsigned long long)outcome->affected);
}

static const char *run_with(struct sql_session *session, const char *statement,
                            const struct sql_value *params, size_t count)
{
    size_t stops_every = collector.stops_every;
    buf_free(&collector.text);
    memset(&collector, 0, sizeof(collector));
    collector.stops_every = stops_every;
    collector.sink = (struct sql_sink){on_columns, on_row, on_done};
    buf_init(&collector.text, 1 << 24);
    sql_session_run(session, str_from(statement), params, count, &collector.sink);
    while (!collector.is_done) {
        loop_deliver(&fixture.loop);
        if (!collector.is_done && session->stage != SQL_STAGE_PUBLISH)
            sql_session_resume(session);
    }
    buf_add_char(&collector.text, '\0');
    return collector.text.ptr;
}

static const char *run(const char *statement)
{
    return run_with(fixture.session, statement, NULL, 0);
}

#define expect(statement, result) assert_string_equal(run(statement), result)

/* The result begins so: for errors, whose words are not all of interest. */
__attribute__((unused)) static void expect_begins(const char *statement, const char *beginning)
{
    const char *result = run(statement);
    if (strncmp(result, beginning, strlen(beginning)) != 0)
        fail_msg("%s\n gives   %s\n and not %s", statement, result, beginning);
}

__attribute__((unused)) static void expect_contains(const char *statement, const char *part)
{
    const char *result = run(statement);
    if (!strstr(result, part))
        fail_msg("%s\n gives   %s\n without %s", statement, result, part);
}

static inline int fixture_main_end(void)
{
    buf_free(&collector.text);
    return 0;
}
