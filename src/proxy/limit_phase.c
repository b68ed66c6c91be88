/* SPDX-License-Identifier: Apache-2.0 */
/* LIMIT: requests and tokens per minute of whoever asks. Tokens are reserved before the request runs, by what it may
 * use at most as far as that can be known, and settled by what the server counted. */
#include "proxy/request.h"
#include "proxy/worker.h"

#define BYTES_PER_TOKEN 4 /* of English prose in JSON, and rather few */

static struct limit_rule rule_of(const struct request *req)
{
    const struct settings *settings = &req->table->policy->config->settings;
    if (!settings->rate_limit_enabled)
        return (struct limit_rule){0};
    if (req->account)
        return (struct limit_rule){req->account->requests_per_minute, req->account->tokens_per_minute};
    return (struct limit_rule){settings->default_requests_per_minute, settings->default_tokens_per_minute};
}

static uint64_t input_estimate(const struct request *req)
{
    return req->model.len > 0 ? req->bytes_in / BYTES_PER_TOKEN : 0;
}

/* A request that names no max_tokens may produce any number: it reserves its input, and what comes is booked when it
 * has come. */
static uint64_t reservation(const struct request *req)
{
    uint64_t per_choice = MIN(req->facts.max_tokens, LIMITER_AMOUNT_MAX);
    uint64_t choices = MIN(MAX(req->facts.choices, 1), 128);
    return input_estimate(req) + per_choice * choices;
}

static void explain(struct request *req, enum limit_answer answer)
{
    char *memory = arena_take(&req->arena, 192);
    bool is_tokens = answer == LIMIT_TOKENS;
    const struct limit_quota *quota = is_tokens ? &req->limit->view.quotas.tokens : &req->limit->view.quotas.requests;
    struct buf text;
    if (!memory)
        return;
    buf_init_fixed(&text, memory, 192);
    buf_printf(&text, "Rate limit reached for user '%.*s': %llu of %llu %s per minute are used.",
               (int)MIN(req->user.len, 64), req->user.ptr, (unsigned long long)quota->used,
               (unsigned long long)quota->limit, is_tokens ? "tokens" : "requests");
    if (buf_ok(&text))
        req->fault_detail = buf_str(&text);
}

enum step phase_limit(struct request *req)
{
    struct limit_rule rule = rule_of(req);
    if (rule.requests_per_minute == 0 && rule.tokens_per_minute == 0)
        return STEP_NEXT;
    req->limit = ARENA_NEW(&req->arena, struct request_limit);
    if (!req->limit)
        return request_fail(req, FAULT_INTERNAL);
    struct limit_subject subject = {req->subject.high64, req->subject.low64};
    enum limit_answer answer =
        limits_take(&req->worker->gateway->limits, subject, &rule, reservation(req),
                    loop_now(&req->worker->loop), &req->limit->ticket, &req->limit->view);
    if (answer == LIMIT_GRANTED)
        return STEP_NEXT;
    req->retry_after = req->limit->view.fits_in;
    explain(req, answer);
    return request_fail(req, FAULT_RATE_LIMIT);
}

/* What a request that told no usage has used, as far as it can be seen from here. */
static uint64_t usage_estimate(const struct request *req)
{
    if (req->status != 200 && req->status != 499)
        return 0;
    return input_estimate(req) + (req->is_stream ? req->events : req->bytes_out / BYTES_PER_TOKEN);
}

void limit_settle(struct request *req)
{
    struct limits *limits = &req->worker->gateway->limits;
    usec_t now = loop_now(&req->worker->loop);
    if (!req->limit)
        return;
    if (req->attempts == 0)
        limits_cancel(limits, &req->limit->ticket, now);
    else if (req->usage.is_known)
        limits_settle(limits, &req->limit->ticket, req->usage.input_tokens + req->usage.output_tokens, now);
    else
        limits_settle(limits, &req->limit->ticket, usage_estimate(req), now);
}
