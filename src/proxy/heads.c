/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/heads.h"

#define CRLF STR("\r\n")
#define FIELD_FRAME 4 /* ": " and CRLF */

/* Of the client's fields these never reach a server: they are replaced, or they are the client's secrets. */
static const struct str client_only[] = {
    {"Host", 4},           {"Content-Length", 14}, {"Accept-Encoding", 15}, {"Expect", 6},
    {"Authorization", 13}, {"X-Api-Key", 9},       {"Api-Key", 7},          {"X-Goog-Api-Key", 14},
    {"Cookie", 6},         {"X-Request-Id", 12},   {"X-User", 6},
};

/* Of the server's fields these never reach a client: they are replaced, or they are about our connection. */
static const struct str server_only[] = {
    {"Content-Length", 14}, {"X-Request-Id", 12}, {"Set-Cookie", 10},        {"Server-Timing", 13},
    {"X-Retry-Count", 13},  {"Alt-Svc", 7},       {"X-Fairlead-Server", 17}, {"X-Fairlead-Queue-Ms", 19},
};

/* Of the server's fields these stand for its own limits, so they go where ours are told. */
#define LIMIT_FIELDS STR("X-RateLimit-")

static bool is_listed(struct str name, const struct str *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (name.len == list[i].len && str_eq_nocase(name, list[i]))
            return true;
    return false;
}

static void field_write(struct buf *out, struct str name, struct str value)
{
    buf_add(out, name);
    buf_add(out, STR(": "));
    buf_add(out, value);
    buf_add(out, CRLF);
}

static bool is_limit_field(struct str name)
{
    struct str prefix = LIMIT_FIELDS;
    return name.len >= prefix.len && str_eq_nocase((struct str){name.ptr, prefix.len}, prefix);
}

static void relay_fields(struct buf *out, const struct http_head *head, const struct str *but,
                         size_t but_count, bool has_own_limits)
{
    for (size_t i = 0; i < head->field_count; i++) {
        const struct http_field *field = &head->fields[i];
        if (has_own_limits && is_limit_field(field->name))
            continue;
        if (!is_listed(field->name, but, but_count) && !http_field_is_hop_by_hop(head, field))
            field_write(out, field->name, field->value);
    }
}

static size_t fields_size(const struct http_head *head)
{
    size_t size = 0;
    for (size_t i = 0; i < head->field_count; i++)
        size += head->fields[i].name.len + head->fields[i].value.len + FIELD_FRAME;
    return size;
}

/* ---- to the server ---- */

size_t upstream_head_size(const struct upstream_head *head)
{
    return head->client->method.len + head->client->target.len + fields_size(head->client) +
           head->server->endpoint.base_path.len + head->server->endpoint.authority.len +
           head->server->api_key.len + head->request_id.len + 256;
}

void upstream_head_write(struct buf *out, const struct upstream_head *head)
{
    const struct http_head *client = head->client;
    const struct endpoint *endpoint = &head->server->endpoint;
    struct str rest =
        str_starts(client->target, STR("/v1/")) ? str_from_offset(client->target, 3) : client->target;

    buf_add(out, client->method);
    buf_add_char(out, ' ');
    buf_add(out, endpoint->base_path);
    buf_add(out, rest);
    buf_add(out, STR(" HTTP/1.1\r\n"));
    field_write(out, STR("Host"), endpoint->authority);
    relay_fields(out, client, client_only, ARRAY_LEN(client_only), false);
    if (head->server->api_key.len > 0) {
        buf_add(out, STR("Authorization: Bearer "));
        buf_add(out, head->server->api_key);
        buf_add(out, CRLF);
    }
    if (head->has_body) {
        buf_add(out, STR("Content-Length: "));
        buf_add_u64(out, head->body_size);
        buf_add(out, CRLF);
    }
    field_write(out, STR("X-Request-ID"), head->request_id);
    buf_add(out, CRLF);
}

/* ---- to the client ---- */

static void add_millis(struct buf *out, usec_t duration)
{
    usec_t rest = duration % USEC_PER_MSEC;
    char digits[4] = {'.', (char)('0' + rest / 100), (char)('0' + rest / 10 % 10), (char)('0' + rest % 10)};
    buf_add_u64(out, duration / USEC_PER_MSEC);
    buf_add(out, (struct str){digits, sizeof(digits)});
}

static void add_timing(struct buf *out, struct str name, usec_t duration)
{
    buf_add(out, name);
    buf_add(out, STR(";dur="));
    add_millis(out, duration);
}

static void number_field(struct buf *out, const char *name, const char *kind, uint64_t value)
{
    buf_add(out, str_from(name));
    buf_add(out, str_from(kind));
    buf_add(out, STR(": "));
    buf_add_u64(out, value);
    buf_add(out, CRLF);
}

/* The names and the form of durations are those of the OpenAI API's rate limit guide. */
static void quota_write(struct buf *out, const struct limit_quota *quota, const char *kind)
{
    if (quota->limit == 0)
        return;
    number_field(out, "x-ratelimit-limit-", kind, quota->limit);
    number_field(out, "x-ratelimit-remaining-", kind, quota->remaining);
    buf_add(out, STR("x-ratelimit-reset-"));
    buf_add(out, str_from(kind));
    buf_add(out, STR(": "));
    add_millis(out, quota->all_free_in / USEC_PER_MSEC);
    buf_add(out, STR("s\r\n"));
}

/* The two fields that MindBalancer's clients read: requests, or tokens if only those are limited. */
static void quotas_write(struct buf *out, const struct limit_quotas *quotas, usec_t realtime)
{
    const struct limit_quota *first = quotas->requests.limit > 0 ? &quotas->requests : &quotas->tokens;
    usec_t minute = 60 * USEC_PER_SEC;
    number_field(out, "X-RateLimit-Remaining", "", first->remaining);
    number_field(out, "X-RateLimit-Reset", "", (realtime + MIN(first->all_free_in, minute)) / USEC_PER_SEC);
    quota_write(out, &quotas->requests, "requests");
    quota_write(out, &quotas->tokens, "tokens");
}

void own_fields_write(struct buf *out, const struct answer_head *head)
{
    field_write(out, STR("X-Request-ID"), head->request_id);
    if (head->cache.len > 0)
        field_write(out, STR("X-Cache"), head->cache);
    if (head->quotas)
        quotas_write(out, head->quotas, head->realtime);
    if (head->server_name.len > 0)
        field_write(out, STR("X-Fairlead-Server"), head->server_name);
    buf_add(out, STR("X-Fairlead-Queue-Ms: "));
    buf_add_u64(out, head->timing.queue / USEC_PER_MSEC);
    if (head->retries > 0) {
        buf_add(out, STR("\r\nX-Retry-Count: "));
        buf_add_u64(out, head->retries);
    }
    add_timing(out, STR("\r\nServer-Timing: parse"), head->timing.parse);
    add_timing(out, STR(", queue"), head->timing.queue);
    add_timing(out, STR(", connect"), head->timing.connect);
    add_timing(out, STR(", ttfb"), head->timing.first_byte);
    add_timing(out, STR(", overhead"), head->timing.overhead);
    buf_add(out, CRLF);
}

size_t answer_head_size(const struct answer_head *head)
{
    return head->upstream->reason.len + fields_size(head->upstream) + head->request_id.len +
           head->server_name.len + OWN_FIELDS_SIZE;
}

void answer_head_write(struct buf *out, const struct answer_head *head)
{
    buf_add(out, STR("HTTP/1.1 "));
    buf_add_u64(out, (uint64_t)head->upstream->status);
    buf_add_char(out, ' ');
    buf_add(out, head->upstream->reason);
    buf_add(out, CRLF);
    relay_fields(out, head->upstream, server_only, ARRAY_LEN(server_only), head->quotas != NULL);
    if (head->is_chunked) {
        buf_add(out, STR("Transfer-Encoding: chunked\r\n"));
    } else if (head->has_length) {
        buf_add(out, STR("Content-Length: "));
        buf_add_u64(out, head->length);
        buf_add(out, CRLF);
    }
    if (head->is_stream && http_head_value(head->upstream, STR("Cache-Control")).len == 0)
        buf_add(out, STR("Cache-Control: no-cache\r\n"));
    if (head->is_stream && http_head_value(head->upstream, STR("X-Accel-Buffering")).len == 0)
        buf_add(out, STR("X-Accel-Buffering: no\r\n"));
    own_fields_write(out, head);
    if (!head->keep_alive)
        buf_add(out, STR("Connection: close\r\n"));
    buf_add(out, CRLF);
}
