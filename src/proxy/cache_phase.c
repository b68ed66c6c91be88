/* SPDX-License-Identifier: Apache-2.0 */
/* CACHE: answers that were given before, or are being given to somebody else right now. Only requests whose answer does
 * not depend on chance come here: temperature 0, and embeddings. A hit asks no server and counts for none. */
#include "proxy/heads.h"
#include "proxy/request.h"
#include "proxy/worker.h"

#define SLICE ((size_t)65536) /* sent at a time, so that a slow client gets no copy of it all */

static usec_t ttl_of(const struct request *req)
{
    const struct settings *settings = &req->table->policy->config->settings;
    if (!settings->cache_enabled)
        return 0;
    if (req->api == API_EMBEDDINGS)
        return setting_usec(settings->cache_embeddings_ttl_ms);
    if (req->api != API_CHAT && req->api != API_COMPLETIONS)
        return 0;
    bool is_sure = req->facts.temperature == TEMPERATURE_ZERO ||
                   (req->facts.temperature == TEMPERATURE_ABSENT && settings->cache_absent_temperature);
    return is_sure ? setting_usec(settings->cache_ttl_ms) : 0;
}

/* RFC 9111 section 5.2.1: the client wants nothing that was kept. */
static bool client_declines(const struct request *req)
{
    struct str wish = http_head_value(req->head, STR("Cache-Control"));
    return wish.len > 0 && (str_find(wish, STR("no-cache")) >= 0 || str_find(wish, STR("no-store")) >= 0);
}

/* All that may change the answer; the body as it is, so that nothing in it can be forgotten. */
static struct cache_key key_of(const struct request *req)
{
    unsigned hostgroup = req->route.group->config->id;
    const struct str parts[] = {
        req->has_own_cache ? req->user : STR_NONE,
        req->head->target,
        req->route.model,
        {(const char *)&hostgroup, sizeof(hostgroup)},
        http_head_value(req->head, STR("OpenAI-Organization")),
        http_head_value(req->head, STR("OpenAI-Project")),
        http_head_value(req->head, STR("OpenAI-Beta")),
        body_str(&req->body),
    };
    return cache_key_make(&req->worker->gateway->cache, parts, ARRAY_LEN(parts));
}

/* ---- giving a kept answer ---- */

static bool send_head(struct request *req, const struct cache_head *kept)
{
    struct http_conn *conn = req->conn;
    struct http_head upstream = {.status = 200, .reason = STR("OK"), .field_count = 1};
    upstream.fields[0] = (struct http_field){STR("Content-Type"), kept->content_type};
    if (!kept->is_complete && conn->is_http10)
        conn->keep_alive = false; /* its end is the end of the body */
    struct answer_head answer = {
        .upstream = &upstream,
        .is_stream = kept->is_stream,
        .is_chunked = !kept->is_complete && !conn->is_http10,
        .has_length = kept->is_complete,
        .length = kept->length,
    };
    request_describe(req, &answer);
    conn->reply_chunked = answer.is_chunked;
    size_t size = answer_head_size(&answer);
    struct buf text;
    buf_init_fixed(&text, arena_take(&req->arena, size), size);
    if (!text.ptr)
        return false;
    answer_head_write(&text, &answer);
    ASSERT(buf_ok(&text));
    http_conn_send(conn, buf_str(&text));
    req->status = upstream.status;
    return true;
}

/* FAULT_NONE when the body may follow. A client that early keep-alives have promised a stream cannot get anything else. */
static enum fault begin(struct request *req)
{
    struct cache_head kept = cache_reader_head(&req->cache->reader);
    if (req->sent == SENT_HEAD && !kept.is_stream)
        return FAULT_UPSTREAM_PROTOCOL;
    if (req->sent == SENT_NOTHING && !send_head(req, &kept))
        return FAULT_INTERNAL;
    req->sent = SENT_CONTENT;
    req->relay.kind = kept.is_stream ? RELAY_EVENTS : RELAY_PLAIN; /* how a fault is told from here on */
    req->first_byte_at = loop_now(&req->worker->loop);
    return FAULT_NONE;
}

/* False: the client takes no more for now. */
static bool send_bytes(struct request *req)
{
    while (req->cache->rest.len > 0 && !http_conn_is_backed_up(req->conn)) {
        struct str slice = {req->cache->rest.ptr, MIN(req->cache->rest.len, SLICE)};
        http_conn_send_body(req->conn, &slice, 1);
        http_conn_flush(req->conn);
        req->bytes_out += slice.len;
        req->cache->rest = str_from_offset(req->cache->rest, slice.len);
    }
    return req->cache->rest.len == 0;
}

static enum step give_up_following(struct request *req)
{
    cache_reader_close(&req->cache->reader);
    req->cache_use = CACHE_USE_NONE;
    return STEP_NEXT;
}

static enum step complete(struct request *req)
{
    http_conn_finish(req->conn);
    req->conn = NULL;
    req->phase = PHASE_SETTLE;
    return STEP_AGAIN;
}

static enum step serve(struct request *req)
{
    for (;;) {
        if (!send_bytes(req))
            return STEP_WAIT;
        enum cache_next next = cache_reader_next(&req->cache->reader, &req->cache->rest);
        switch (next) {
        case CACHE_WAIT:
            return STEP_WAIT;
        case CACHE_FAILED_CLEAN:
            return give_up_following(req);
        case CACHE_FAILED_CUT:
            return request_fail(req, FAULT_UPSTREAM_BROKE);
        case CACHE_DATA:
        case CACHE_END:
            if (req->sent != SENT_CONTENT)
                req->fault = begin(req);
            if (req->fault != FAULT_NONE)
                return request_fail(req, req->fault);
            if (next == CACHE_END)
                return complete(req);
        }
    }
}

static void on_ready(struct cache_reader *reader)
{
    request_run(CONTAINER_OF(reader, struct request_cache, reader)->request);
}

/* ---- the phase ---- */

static enum step ask(struct request *req, usec_t ttl)
{
    req->cache = ARENA_NEW(&req->arena, struct request_cache);
    if (!req->cache)
        return STEP_NEXT;
    req->cache->request = req;
    cache_reader_init(&req->cache->reader, &req->worker->loop, on_ready);
    switch (cache_lookup(&req->worker->gateway->cache, key_of(req), ttl, loop_now(&req->worker->loop),
                         &req->cache->reader, &req->cache->fill)) {
    case CACHE_HIT:
        req->cache_use = CACHE_USE_HIT;
        return serve(req);
    case CACHE_FOLLOW:
        req->cache_use = CACHE_USE_FOLLOW;
        return serve(req);
    case CACHE_FILL:
        req->cache_use = CACHE_USE_FILL;
        return STEP_NEXT;
    case CACHE_OFF:
        break;
    }
    return STEP_NEXT;
}

enum step phase_cache(struct request *req)
{
    if (req->cache_use == CACHE_USE_HIT || req->cache_use == CACHE_USE_FOLLOW)
        return serve(req);
    if (req->was_cache_asked)
        return STEP_NEXT;
    req->was_cache_asked = true;
    usec_t ttl = ttl_of(req);
    return ttl > 0 && !client_declines(req) ? ask(req, ttl) : STEP_NEXT;
}

/* ---- filling, called by the relay ---- */

static void stop_filling(struct request *req)
{
    cache_fill_fail(req->cache->fill);
    req->cache->fill = NULL;
}

void cache_note_head(struct request *req, int status, struct str content_type)
{
    if (!cache_is_filling(req))
        return;
    if (status == 200)
        cache_fill_begin(req->cache->fill, content_type, req->relay.kind == RELAY_EVENTS);
    else
        stop_filling(req);
}

void cache_note_bytes(struct request *req, struct str bytes)
{
    if (cache_is_filling(req))
        cache_fill_add(req->cache->fill, bytes);
}

void cache_note_complete(struct request *req, bool is_good)
{
    if (!cache_is_filling(req))
        return;
    if (is_good)
        cache_fill_end(req->cache->fill, loop_now(&req->worker->loop));
    else
        cache_fill_fail(req->cache->fill);
    req->cache->fill = NULL;
}

bool cache_has_followers(const struct request *req)
{
    return cache_is_filling(req) && cache_fill_has_followers(req->cache->fill);
}

void cache_leave(struct request *req)
{
    if (cache_is_filling(req))
        stop_filling(req);
    if (req->cache && (req->cache_use == CACHE_USE_HIT || req->cache_use == CACHE_USE_FOLLOW))
        cache_reader_close(&req->cache->reader);
}

struct str cache_use_text(enum cache_use use)
{
    static const struct str texts[] = {
        [CACHE_USE_NONE] = {"", 0},
        [CACHE_USE_HIT] = {"HIT", 3},
        [CACHE_USE_FOLLOW] = {"DEDUPE", 6},
        [CACHE_USE_FILL] = {"MISS", 4},
    };
    return texts[use];
}
