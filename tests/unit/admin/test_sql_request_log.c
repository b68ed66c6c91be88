/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/admin/sql_request_log.c"

#include "sql_fixture.h"

#define EVENING ((usec_t)1700000000 * USEC_PER_SEC) /* 2023-11-14 22:13:20 */

static struct journal *journal;

static int open_all(void **state)
{
    char why[JOURNAL_WHY_MAX], path[128];
    struct journal_limits limits = {.max_bytes = (uint64_t)64 << 20,
                                    .max_age = (usec_t)100 * 365 * 86400 * USEC_PER_SEC};
    assert_int_equal(fixture_open(state), 0);
    snprintf(path, sizeof(path), "%s", in_folder("journal"));
    assert_int_equal(journal_open(path, 1, limits, &journal, why), ERR_OK);
    fixture.gateway.journal = journal;
    return 0;
}

static int close_all(void **state)
{
    char command[160];
    fixture.gateway.journal = NULL;
    sql_session_free(fixture.session); /* its cursors go before the journal */
    fixture.session = NULL;
    journal_close(journal);
    snprintf(command, sizeof(command), "rm -r %s", in_folder("journal"));
    assert_int_equal(system(command), 0);
    return fixture_close(state);
}

static void append(unsigned number, usec_t at, enum ledger_state ended)
{
    char bytes[LEDGER_RECORD_MAX], id[32];
    snprintf(id, sizeof(id), "request-%u", number);
    struct address client;
    assert_true(address_parse(STR("192.0.2.7"), 4711, &client));
    struct ledger_end end = {
        .id = number,
        .state = ended,
        .cache = LEDGER_CACHE_MISS,
        .tokens = {.fresh_input = 10, .cache_read = 3, .output = 5, .reasoning = 2},
        .cost = 2500000,
        .access = {.realtime = at,
                   .id = str_from(id),
                   .client = &client,
                   .method = STR("POST"),
                   .path = STR("/v1/chat/completions"),
                   .api = STR("chat"),
                   .model = STR("gpt-4o"),
                   .user = STR("ada"),
                   .server = STR("filed"),
                   .hostgroup = STR("7"),
                   .status = ended == LEDGER_OK ? 200 : 502,
                   .is_stream = true,
                   .attempts = 1,
                   .first_byte = 20 * USEC_PER_MSEC,
                   .total = 120 * USEC_PER_MSEC},
    };
    assert_true(journal_append(journal_writer(journal, 0), LEDGER_END, at, ledger_end_encode(&end, bytes)));
}

static void test_rows(void **state)
{
    (void)state;
    expect("SELECT count(*) AS n FROM request_log", "n|0");
    append(1, EVENING, LEDGER_OK);
    append(2, EVENING + 60 * USEC_PER_SEC, LEDGER_ERROR);
    append(3, EVENING + 3600 * USEC_PER_SEC, LEDGER_OK);
    expect("SELECT request_id, ended_at, user, server, state, status, stream, cost_usd, duration_ms FROM "
           "request_log",
           "request_id,ended_at,user,server,state,status,stream,cost_usd,duration_ms"
           "|request-3,2023-11-14 23:13:20,ada,filed,ok,200,1,0.0025,120"
           "|request-2,2023-11-14 22:14:20,ada,filed,error,502,1,0.0025,120"
           "|request-1,2023-11-14 22:13:20,ada,filed,ok,200,1,0.0025,120");
    assert_int_equal(collector.types[1], SQL_DATETIME);
    expect("SELECT id FROM request_log ORDER BY ended_at DESC LIMIT 1", "id|3");
    expect("SELECT id FROM request_log ORDER BY ended_at", "id|1|2|3");
    expect("SELECT id FROM request_log WHERE ended_at >= '2023-11-14 22:14:20'", "id|3|2");
    expect("SELECT id FROM request_log WHERE ended_at > '2023-11-14 22:14:20'", "id|3");
    expect("SELECT id FROM request_log WHERE ended_at < '2023-11-14 22:14:20'", "id|1");
    expect("SELECT id FROM request_log WHERE ended_at <= '2023-11-14 22:14:20'", "id|2|1");
    expect("SELECT id FROM request_log WHERE ended_at BETWEEN '2023-11-14 22:14' AND '2023-11-15'", "id|3|2");
    expect("SELECT id FROM request_log WHERE ended_at > 'nonsense'", "id");
    expect("SELECT state, count(*) AS n FROM request_log GROUP BY state ORDER BY state",
           "state,n|error,1|ok,2");
}

/* MindBalancer's names for the same. */
static void test_named_views(void **state)
{
    (void)state;
    append(1, clock_realtime() - USEC_PER_SEC, LEDGER_OK);
    append(2, clock_realtime(), LEDGER_ERROR);
    expect("SELECT * FROM stats_ai_servers", "server,requests,success,errors,avg_latency|filed,2,1,1,120");
    expect("SELECT server, model, status, latency FROM stats_ai_requests",
           "server,model,status,latency|filed,gpt-4o,502,120|filed,gpt-4o,200,120");
    expect(
        "SELECT request_id, username, server_name, model, endpoint, prompt_tokens, output_tokens, "
        "total_tokens, latency_ms, "
        "first_byte_ms, status_code, error_message, streaming FROM ai_request_logs LIMIT 1",
        "request_id,username,server_name,model,endpoint,prompt_tokens,output_tokens,total_tokens,latency_ms,"
        "first_byte_ms,status_code,error_message,streaming"
        "|request-2,ada,filed,gpt-4o,/v1/chat/completions,13,7,20,120,20,502,,1");
}

/* One statement may read the log twice. */
static void test_join(void **state)
{
    (void)state;
    append(1, EVENING, LEDGER_OK);
    append(2, EVENING + USEC_PER_SEC, LEDGER_OK);
    expect("SELECT a.id, b.id AS other FROM request_log a JOIN request_log b ON b.id < a.id", "id,other|2,1");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {CASE(test_rows), CASE(test_named_views), CASE(test_join)};
    return cmocka_run_group_tests(tests, NULL, NULL) + fixture_main_end();
}
