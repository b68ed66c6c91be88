/* SPDX-License-Identifier: Apache-2.0 */
/* EXPLAIN ROUTE: where a request would go now, and why. It looks at everything and changes nothing. */
#include "admin/sql_commands.h"

#include "llm/openai_request.h"
#include "wire/json_read.h"

#include <stdio.h>

#define COLUMN(name, type)                                                                                   \
    {                                                                                                        \
        STR(name), STR(""), type                                                                             \
    }

static const struct sql_column columns[] = {
    COLUMN("step", SQL_TEXT),
    COLUMN("name", SQL_TEXT),
    COLUMN("result", SQL_TEXT),
    COLUMN("hostgroup", SQL_INTEGER),
    COLUMN("status", SQL_TEXT),
    COLUMN("in_flight", SQL_INTEGER),
    COLUMN("max_connections", SQL_INTEGER),
    COLUMN("weight", SQL_INTEGER),
    COLUMN("load", SQL_DOUBLE),
    COLUMN("first_byte_ms", SQL_DOUBLE),
    COLUMN("cost_ms", SQL_DOUBLE),
    COLUMN("lag", SQL_INTEGER),
    COLUMN("detail", SQL_TEXT),
};
#define SCORES 8 /* columns from `status` to `lag`, that only candidates have */

struct explanation {
    struct sql_session *session;
    const struct table *table;
    struct sql_rows *rows;
    struct route_facts facts;
    struct route route;
};

static void skip(struct sql_rows *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        sql_add_null(rows);
}

static void begin(struct explanation *e, const char *step, struct str name, struct str result)
{
    sql_rows_begin(e->rows);
    sql_add_text(e->rows, str_from(step));
    sql_add_copy(e->rows, name);
    sql_add_copy(e->rows, result);
}

/* ---- the request ---- */

static bool read_request(struct sql_session *session, struct str json, struct openai_request *ret_request)
{
    struct str param = STR("");
    char *padded = arena_zero(&session->arena, json.len + JSON_PADDING);
    if (!padded) {
        sql_error_set(&session->error, SQL_ERR_NO_MEMORY, "Out of memory");
        return false;
    }
    memcpy(padded, json.ptr, json.len);
    enum fault fault = openai_request_read(session->engine->json, (struct str){padded, json.len}, true,
                                           &session->arena, ret_request, &param);
    if (fault == FAULT_NONE)
        return true;
    sql_error_set(&session->error, SQL_ERR_ARGUMENTS,
                  "EXPLAIN ROUTE wants the JSON of a request, with \"model\" and "
                  "\"messages\": %s" STR_FMT,
                  fault == FAULT_BAD_FIELD ? "wrong is the field " : "this is none", STR_ARG(param));
    return false;
}

static void explain_request(struct explanation *e)
{
    struct str real = policy_real_model(e->table->policy, e->facts.model);
    begin(e, "request", e->facts.model, str_eq(real, e->facts.model) ? STR("as named") : STR("alias"));
    if (e->facts.default_hostgroup > 0)
        sql_add_integer(e->rows, e->facts.default_hostgroup);
    else
        sql_add_null(e->rows);
    skip(e->rows, SCORES);
    sql_add_printf(e->rows, "model '%.*s', user '%.*s'", (int)MIN(real.len, 200u), real.ptr,
                   (int)MIN(e->facts.user.len, 100u), e->facts.user.ptr);
}

/* ---- rules ---- */

static struct str criterion_fails(struct explanation *e, const struct rule *rule, struct str model)
{
    struct match_scratch *scratch = &e->session->engine->scratch;
    if (rule->model.kind != MATCH_ANY && model.len == 0)
        return STR("match_model");
    if (match_test(&rule->model, model, scratch) != VERDICT_YES)
        return STR("match_model");
    if (match_test(&rule->user, e->facts.user, scratch) != VERDICT_YES)
        return STR("match_user");
    if (match_test(&rule->text, e->facts.last_text, scratch) != VERDICT_YES)
        return STR("match_pattern");
    return STR("");
}

static void explain_rule(struct explanation *e, size_t index, bool is_behind)
{
    const struct rule *rule = &e->table->policy->rules[index];
    struct str model = policy_real_model(e->table->policy, e->facts.model);
    bool is_chosen = rule == e->route.rule;
    struct str failed = is_chosen || is_behind ? STR("") : criterion_fails(e, rule, model);
    char name[64];
    snprintf(name, sizeof(name), "%zu, priority %u", index + 1, rule->config->priority);
    begin(e, "rule", str_from(name), is_behind ? STR("not tried") : is_chosen ? STR("yes") : STR("no"));
    sql_add_integer(e->rows, rule->config->hostgroup);
    skip(e->rows, SCORES);
    sql_add_printf(e->rows, "%.*s%s%.*s", (int)MIN(rule->config->comment.len, 300u),
                   rule->config->comment.ptr,
                   failed.len == 0                 ? ""
                   : rule->config->comment.len > 0 ? "; fails: "
                                                   : "fails: ",
                   STR_ARG(failed));
}

static void explain_rules(struct explanation *e)
{
    bool is_behind = false;
    for (size_t i = 0; i < e->table->policy->rule_count; i++) {
        explain_rule(e, i, is_behind);
        is_behind = is_behind || &e->table->policy->rules[i] == e->route.rule;
    }
}

/* ---- candidates and the choice ---- */

static void explain_candidate(struct explanation *e, const struct server *server,
                              const struct gate_candidate_view *view)
{
    static const char *const results[] = {
        [SERVER_READY] = "ready", [SERVER_FULL] = "full", [SERVER_DOWN] = "down"};
    static const char *const statuses[SERVER_STATUS_COUNT_] = {"ONLINE", "OFFLINE", "SHUNNED", "DRAINING"};
    const struct server_config *config = table_config_of(e->table, server);
    begin(e, "candidate", server->name, str_from(results[view->view.look.availability]));
    sql_add_integer(e->rows, config ? config->hostgroup : 0);
    sql_add_text(e->rows, config ? str_from(statuses[config->status]) : STR(""));
    sql_add_integer(e->rows, view->view.in_flight);
    sql_add_integer(e->rows, view->view.max_concurrent);
    sql_add_integer(e->rows, view->weight);
    sql_add_real(e->rows, (double)(view->view.in_flight + 1) / (double)view->weight);
    sql_add_real(e->rows, view->first_byte / (double)USEC_PER_MSEC);
    sql_add_real(e->rows, view->cost / (double)USEC_PER_MSEC);
    sql_add_integer(e->rows, view->lag);
    sql_add_text(e->rows, view->view.look.reason ? str_from(view->view.look.reason) : STR(""));
}

static void explain_choice(struct explanation *e, const struct server *chosen)
{
    begin(e, "choice", chosen ? chosen->name : STR(""), chosen ? STR("now") : STR("none now"));
    sql_add_integer(e->rows, e->route.group->config->id);
    skip(e->rows, SCORES);
    sql_add_printf(e->rows, "strategy %.*s, model '%.*s'%s", STR_ARG(e->route.group->strategy->name),
                   (int)MIN(e->route.model.len, 200u), e->route.model.ptr,
                   chosen ? "" : ": the request would wait in the queue, or be refused if all are down");
}

static void explain_candidates(struct explanation *e)
{
    const struct candidate_set *set = e->route.candidates.set;
    struct gate_candidate_view *views =
        ARENA_NEW_ARRAY(&e->session->arena, struct gate_candidate_view, set->count);
    struct tried_servers tried = {0};
    struct rng rng;
    rng_init_random(&rng);
    if (!views) {
        e->rows->is_failed = true;
        return;
    }
    struct gate_question question = {
        .route = &e->route, .tried = &tried, .rng = &rng, .now = clock_monotonic()};
    const struct server *chosen = gate_explain(&e->session->engine->gateway->gate, &question, views);
    for (size_t i = 0; i < set->count; i++)
        if (candidates_have(&e->route.candidates, set->members[i].server))
            explain_candidate(e, set->members[i].server, &views[i]);
    explain_choice(e, chosen);
}

static void explain_failure(struct explanation *e, enum route_verdict verdict)
{
    begin(e, "choice", STR(""), STR("refused"));
    sql_add_null(e->rows);
    skip(e->rows, SCORES);
    sql_add_text(e->rows, verdict == ROUTE_NO_MODEL ? STR("no server has this model")
                                                    : STR("the hostgroup has no server for this model"));
}

void sql_explain_route(struct sql_session *session, const struct sql_call *call)
{
    struct openai_request request = {0};
    if (!read_request(session, sql_call_text(session, call, 0), &request))
        return;
    struct explanation e = {.session = session, .table = sql_session_table(session)};
    /* The body's "user" stands for what a key or a header would say. */
    struct str name = request.user.len > 0 ? request.user : STR("anonymous");
    const struct user_config *user = identity_user(&e.table->policy->identities, name);
    e.facts = (struct route_facts){.model = request.model,
                                   .user = name,
                                   .last_text = request.last_text,
                                   .default_hostgroup = user ? user->default_hostgroup : 0};
    e.rows = sql_session_answer(session, columns, ARRAY_LEN(columns));
    enum route_verdict verdict =
        table_route(e.table, &e.facts, &session->engine->scratch, &session->arena, &e.route);
    explain_request(&e);
    explain_rules(&e);
    if (verdict == ROUTE_FOUND)
        explain_candidates(&e);
    else if (verdict == ROUTE_NO_MEMORY)
        e.rows->is_failed = true;
    else
        explain_failure(&e, verdict);
}
