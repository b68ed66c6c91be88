/* SPDX-License-Identifier: Apache-2.0 */
/* The end of every request, however it came about: what it held is given back once, and it is booked once. */
#include "llm/price.h"
#include "proxy/access_log.h"
#include "proxy/heads.h"
#include "proxy/ledger_record.h"
#include "proxy/live.h"
#include "proxy/request.h"
#include "proxy/worker.h"

static enum server_outcome outcome_of(const struct request *req)
{
    bool says_nothing = req->status == 499 || req->fault != FAULT_NONE;
    return says_nothing ? OUTCOME_NEUTRAL : OUTCOME_GOOD;
}

static void give_back(struct request *req)
{
    struct gate *gate = &req->worker->gateway->gate;
    struct loop *loop = &req->worker->loop;
    timer_stop(loop, &req->pause);
    timer_stop(loop, &req->lifetime);
    timer_stop(loop, &req->pulse);
    exchange_cancel(&req->exchange);
    if (!req->conn)
        req->worker->run.count = 0; /* what a client that left was to get in this turn */
    if (req->waiting_since > 0) {
        req->queue_time += loop_now(loop) - req->waiting_since;
        gate_leave(gate, &req->waiter);
    }
    cache_leave(req);
    limit_settle(req);
    if (req->grant.server)
        gate_release(gate, &req->grant, outcome_of(req), loop_now(loop));
}

static void count(struct request *req, const struct timing *timing, usec_t total)
{
    struct server_counters *counters = worker_counters(req->worker, req->last_server);
    /* A stream that was cut has status 200 on the wire; it is no success. */
    bool was_cut = req->fault != FAULT_NONE && req->sent != SENT_NOTHING;
    counter_add(&counters->requests[was_cut ? CODE_5XX : code_class_of(req->status)], 1);
    counter_add(&counters->events, req->events);
    histogram_add(&counters->duration, total);
    if (req->attempts > 0) {
        histogram_add(&counters->queue, timing->queue);
        histogram_add(&counters->overhead, timing->overhead);
    }
    if (req->usage.is_known) {
        counter_add(&counters->input_tokens, req->usage.input_tokens);
        counter_add(&counters->cached_tokens, req->usage.cached_tokens);
        counter_add(&counters->output_tokens, req->usage.output_tokens);
        counter_add(&counters->reasoning_tokens, req->usage.reasoning_tokens);
    } else if (req->status == 200 && (api_row(req->api)->flags & API_NEEDS_MODEL)) {
        counter_add(&counters->usage_missing, 1);
    }
}

/* Series go by names of the configuration; what clients invent is "other". */
static struct str model_label(const struct request *req)
{
    const struct table_model *model = table_find_model(req->table, req->route.model);
    return model ? model->name : STR("other");
}

#define USEC_PER_DAY (86400 * USEC_PER_SEC)

static const struct price_config *price_of(const struct request *req, struct model_row *row)
{
    const struct config *config = req->table->policy->config;
    unsigned today = (unsigned)(clock_realtime() / USEC_PER_DAY);
    if (!str_eq(row->model, req->route.model)) /* the row of many */
        return price_find(config->prices, config->price_count, req->route.model, today);
    if (row->priced_generation != req->table->generation || row->priced_day != today) {
        row->price = price_find(config->prices, config->price_count, req->route.model, today);
        row->priced_generation = req->table->generation;
        row->priced_day = today;
    }
    return row->price;
}

static void count_usage(struct request *req, struct model_row *row)
{
    if (!req->usage.is_known)
        return;
    struct usage_split split = usage_split(&req->usage);
    const struct price_config *price = price_of(req, row);
    req->cost = price_cost(price, &req->usage);
    counter_add(&row->input_tokens, split.fresh_input);
    counter_add(&row->cache_read_tokens, split.cache_read);
    counter_add(&row->cache_write_tokens, split.cache_write);
    counter_add(&row->output_tokens, split.output);
    counter_add(&row->reasoning_tokens, split.reasoning);
    counter_add(&row->cost, req->cost);
    if (!price)
        counter_add(&row->unpriced, 1);
}

static void count_model(struct request *req, usec_t total)
{
    if (api_row(req->api)->flags & API_ANSWERS_ITSELF)
        return;
    struct str provider = req->server ? req->server->provider->name : STR_NONE;
    struct model_row *row =
        model_counters_row(&req->worker->models, req->server_name, model_label(req), provider);
    bool is_good = req->fault == FAULT_NONE && req->status < 400;
    counter_add(is_good ? &row->succeeded : &row->failed, 1);
    counter_add(&row->cache_hits, req->cache_use == CACHE_USE_HIT);
    counter_add(&row->cache_misses, req->cache_use == CACHE_USE_FILL);
    model_row_add_duration(row, total);
    count_usage(req, row);
}

static struct access_record record_of(const struct request *req, const struct timing *timing, usec_t total)
{
    return (struct access_record){
        .realtime = clock_realtime(),
        .id = req->id,
        .client = &req->client,
        .method = req->method,
        .path = req->path,
        .api = api_row(req->api)->text,
        .model = req->model,
        .user = req->user,
        .server = req->server_name,
        .hostgroup = req->route.group ? req->route.group->config->name : STR_NONE,
        .status = req->status,
        .is_stream = req->is_stream,
        .attempts = req->attempts,
        .bytes_in = req->bytes_in,
        .bytes_out = req->bytes_out,
        .queue = timing->queue,
        .connect = timing->connect,
        .first_byte = timing->first_byte,
        .overhead = timing->overhead,
        .total = total,
        .usage = req->usage,
        .error = req->fault != FAULT_NONE ? fault_row(req->fault)->code : STR_NONE,
    };
}

static void write_log(struct request *req, const struct access_record *record)
{
    struct buf *line = worker_log_line(req->worker);
    if (!line)
        return;
    if (req->table->policy->config->settings.access_log_format == ACCESS_LOG_JSON)
        access_log_json(line, record);
    else
        access_log_text(line, record);
    worker_log_done(req->worker);
}

/* ---- the ledger ---- */

static bool is_booked(const struct request *req)
{
    return req->worker->journal && !(api_row(req->api)->flags & API_ANSWERS_ITSELF);
}

void ledger_note_begin(struct request *req)
{
    char memory[LEDGER_RECORD_MAX];
    if (!is_booked(req))
        return;
    struct ledger_begin begin = {
        .id = req->number,
        .request_id = req->id,
        .user = req->user,
        .model = req->model,
        .api = api_row(req->api)->text,
    };
    journal_append(req->worker->journal, LEDGER_BEGIN, clock_realtime(), ledger_begin_encode(&begin, memory));
}

static enum ledger_state state_of(const struct request *req)
{
    if (req->status == 499)
        return LEDGER_CLIENT_GONE;
    if (req->fault != FAULT_NONE && req->sent != SENT_NOTHING)
        return LEDGER_CUT;
    return req->fault != FAULT_NONE || req->status >= 400 ? LEDGER_ERROR : LEDGER_OK;
}

static enum ledger_cache cache_of(const struct request *req)
{
    static const enum ledger_cache uses[] = {
        [CACHE_USE_NONE] = LEDGER_CACHE_NONE,
        [CACHE_USE_HIT] = LEDGER_CACHE_HIT,
        [CACHE_USE_FOLLOW] = LEDGER_CACHE_FOLLOW,
        [CACHE_USE_FILL] = LEDGER_CACHE_MISS,
    };
    return uses[req->cache_use];
}

static void write_ledger(struct request *req, const struct access_record *record)
{
    char memory[LEDGER_RECORD_MAX];
    if (!is_booked(req))
        return;
    struct ledger_end end = {
        .id = req->number,
        .state = state_of(req),
        .cache = cache_of(req),
        .tokens = usage_split(&req->usage),
        .cost = req->cost,
        .access = *record,
    };
    journal_append(req->worker->journal, LEDGER_END, record->realtime, ledger_end_encode(&end, memory));
}

enum step phase_settle(struct request *req)
{
    give_back(req);
    if (req->conn && req->fault != FAULT_NONE)
        answer_fault(req);
    ASSERT(req->worker->run.count == 0);
    struct timing timing = request_timing(req);
    usec_t total = loop_now(&req->worker->loop) - req->arrived_at;
    count(req, &timing, total);
    count_model(req, total);
    struct access_record record = record_of(req, &timing, total);
    write_log(req, &record);
    write_ledger(req, &record);
    return STEP_NEXT;
}

enum step phase_end(struct request *req)
{
    struct worker *worker = req->worker;
    ASSERT(!req->grant.server && !exchange_is_running(&req->exchange));
    live_request_ends(worker, req);
    list_remove(&req->node);
    relay_reset(req);
    body_free(&worker->bodies, &req->body);
    gate_drop_table(&worker->gateway->gate, req->table);
    arena_fini(&req->draft);
    struct arena arena = req->arena;
    arena_fini(&arena);
    worker_request_ended(worker);
    return STEP_GONE;
}
