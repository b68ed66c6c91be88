/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/ledger_record.h"

#include <arpa/inet.h>

/* In the machine's byte order: the journal is read where it was written, and its head says so (segment.c). A fixed part,
 * then the texts behind each other; their lengths stand in the fixed part. */
#define VERSION 1u
#define BEGIN_TEXTS 4
#define END_TEXTS 9

#define FLAG_STREAM 1u
#define FLAG_USAGE_KNOWN 2u
#define FLAGS_ALL 3u

struct begin_fixed {
    uint8_t version, reserved[7];
    uint64_t id;
    uint16_t text_lens[BEGIN_TEXTS];
};

struct end_fixed {
    uint8_t version, state, cache, flags;
    uint16_t status, client_port; /* port 0 and no family: no client is known */
    uint8_t client_family;        /* 0, 4 or 6 */
    uint8_t reserved[3];
    uint32_t attempts;
    uint8_t client[16];
    uint64_t id, run, cost;
    uint64_t bytes_in, bytes_out;
    uint64_t queue, connect, first_byte, overhead, total;
    uint64_t tokens[5];
    uint16_t text_lens[END_TEXTS];
    uint8_t reserved_end[6];
};
_Static_assert(sizeof(struct begin_fixed) == 24, "no holes");
_Static_assert(sizeof(struct end_fixed) == 176, "no holes");
_Static_assert(sizeof(struct end_fixed) + END_TEXTS * LEDGER_TEXT_MAX <= LEDGER_RECORD_MAX,
               "every record fits");

struct str ledger_state_text(enum ledger_state state)
{
    static const struct str texts[] = {STR("ok"), STR("error"), STR("client_gone"), STR("cut"),
                                       STR("aborted")};
    _Static_assert(ARRAY_LEN(texts) == LEDGER_STATE_COUNT_, "one text a state");
    ASSERT(state < LEDGER_STATE_COUNT_);
    return texts[state];
}

struct str ledger_cache_text(enum ledger_cache cache)
{
    static const struct str texts[] = {STR("none"), STR("hit"), STR("miss"), STR("follow")};
    _Static_assert(ARRAY_LEN(texts) == LEDGER_CACHE_COUNT_, "one text a state");
    ASSERT(cache < LEDGER_CACHE_COUNT_);
    return texts[cache];
}

/* ---- texts ---- */

/* Not within a character. */
static struct str clip(struct str text)
{
    if (text.len <= LEDGER_TEXT_MAX)
        return text;
    size_t len = LEDGER_TEXT_MAX;
    for (unsigned i = 0; i < 3 && len > 0 && ((unsigned char)text.ptr[len] & 0xc0) == 0x80; i++)
        len--;
    return (struct str){text.ptr, len};
}

/* Clips `texts`, writes their lengths and, to `out`, their bytes. Returns the bytes written. */
static size_t put_texts(struct str *texts, size_t count, uint16_t *ret_lens, char *out)
{
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        struct str text = clip(texts[i]);
        ret_lens[i] = (uint16_t)text.len;
        if (text.len > 0)
            memcpy(out + at, text.ptr, text.len);
        at += text.len;
    }
    return at;
}

/* False: they are not exactly what `bytes` holds. */
static bool get_texts(struct str bytes, const uint16_t *lens, size_t count, struct str *ret_texts)
{
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        if (lens[i] > LEDGER_TEXT_MAX || lens[i] > bytes.len - at)
            return false;
        ret_texts[i] = (struct str){bytes.ptr + at, lens[i]};
        at += lens[i];
    }
    return at == bytes.len;
}

/* ---- BEGIN ---- */

struct str ledger_begin_encode(const struct ledger_begin *begin, char *out)
{
    struct begin_fixed fixed = {.version = VERSION, .id = begin->id};
    struct str texts[BEGIN_TEXTS] = {begin->request_id, begin->user, begin->model, begin->api};
    size_t len = put_texts(texts, BEGIN_TEXTS, fixed.text_lens, out + sizeof(fixed));
    memcpy(out, &fixed, sizeof(fixed));
    return (struct str){out, sizeof(fixed) + len};
}

static bool is_zero(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

bool ledger_begin_decode(struct str payload, struct ledger_begin *ret_begin)
{
    struct begin_fixed fixed;
    struct str texts[BEGIN_TEXTS];
    if (payload.len < sizeof(fixed))
        return false;
    memcpy(&fixed, payload.ptr, sizeof(fixed));
    if (fixed.version != VERSION || !is_zero(fixed.reserved, sizeof(fixed.reserved)) ||
        !get_texts(str_from_offset(payload, sizeof(fixed)), fixed.text_lens, BEGIN_TEXTS, texts))
        return false;
    *ret_begin = (struct ledger_begin){fixed.id, texts[0], texts[1], texts[2], texts[3]};
    return true;
}

/* ---- END ---- */

static void put_client(const struct address *client, struct end_fixed *fixed)
{
    if (!client || (client->any.sa_family != AF_INET && client->any.sa_family != AF_INET6))
        return;
    bool is_v4 = client->any.sa_family == AF_INET;
    fixed->client_family = is_v4 ? 4 : 6;
    fixed->client_port = address_port(client);
    if (is_v4)
        memcpy(fixed->client, &client->v4.sin_addr, sizeof(client->v4.sin_addr));
    else
        memcpy(fixed->client, &client->v6.sin6_addr, sizeof(client->v6.sin6_addr));
}

static bool get_client(const struct end_fixed *fixed, struct address *ret_client)
{
    *ret_client = (struct address){.size = 0};
    if (fixed->client_family == 0)
        return fixed->client_port == 0 && is_zero(fixed->client, sizeof(fixed->client));
    if (fixed->client_family == 4) {
        ret_client->v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(fixed->client_port)};
        memcpy(&ret_client->v4.sin_addr, fixed->client, sizeof(ret_client->v4.sin_addr));
        ret_client->size = sizeof(ret_client->v4);
        return is_zero(fixed->client + 4, sizeof(fixed->client) - 4);
    }
    ret_client->v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(fixed->client_port)};
    memcpy(&ret_client->v6.sin6_addr, fixed->client, sizeof(ret_client->v6.sin6_addr));
    ret_client->size = sizeof(ret_client->v6);
    return fixed->client_family == 6;
}

static void put_tokens(const struct usage_split *tokens, uint64_t *ret_tokens)
{
    const uint64_t all[] = {tokens->fresh_input, tokens->cache_read, tokens->cache_write, tokens->output,
                            tokens->reasoning};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        ret_tokens[i] = MIN(all[i], LEDGER_NUMBER_MAX);
}

struct str ledger_end_encode(const struct ledger_end *end, char *out)
{
    const struct access_record *access = &end->access;
    ASSERT(end->state < LEDGER_STATE_COUNT_ && end->cache < LEDGER_CACHE_COUNT_);
    struct end_fixed fixed = {
        .version = VERSION,
        .state = (uint8_t)end->state,
        .cache = (uint8_t)end->cache,
        .flags = (uint8_t)((access->is_stream ? FLAG_STREAM : 0) |
                           (access->usage.is_known ? FLAG_USAGE_KNOWN : 0)),
        .status = (uint16_t)access->status,
        .attempts = access->attempts,
        .id = end->id,
        .run = end->run,
        .cost = MIN(end->cost, LEDGER_NUMBER_MAX),
        .bytes_in = access->bytes_in,
        .bytes_out = access->bytes_out,
        .queue = access->queue,
        .connect = access->connect,
        .first_byte = access->first_byte,
        .overhead = access->overhead,
        .total = access->total,
    };
    struct str texts[END_TEXTS] = {access->id,     access->method,    access->path,
                                   access->api,    access->model,     access->user,
                                   access->server, access->hostgroup, access->error};
    put_client(access->client, &fixed);
    put_tokens(&end->tokens, fixed.tokens);
    size_t len = put_texts(texts, END_TEXTS, fixed.text_lens, out + sizeof(fixed));
    memcpy(out, &fixed, sizeof(fixed));
    return (struct str){out, sizeof(fixed) + len};
}

static bool numbers_are_bounded(const struct end_fixed *fixed)
{
    for (size_t i = 0; i < ARRAY_LEN(fixed->tokens); i++)
        if (fixed->tokens[i] > LEDGER_NUMBER_MAX)
            return false;
    return fixed->cost <= LEDGER_NUMBER_MAX;
}

static bool end_is_valid(const struct end_fixed *fixed)
{
    return fixed->version == VERSION && fixed->state < LEDGER_STATE_COUNT_ &&
           fixed->cache < LEDGER_CACHE_COUNT_ && (fixed->flags & ~FLAGS_ALL) == 0 && fixed->status < 1000 &&
           numbers_are_bounded(fixed) && is_zero(fixed->reserved, sizeof(fixed->reserved)) &&
           is_zero(fixed->reserved_end, sizeof(fixed->reserved_end));
}

/* As the server told it: wholes with their parts. */
static struct usage usage_of(const struct usage_split *tokens, bool is_known)
{
    return (struct usage){
        .is_known = is_known,
        .input_tokens = tokens->fresh_input + tokens->cache_read + tokens->cache_write,
        .cached_tokens = tokens->cache_read,
        .cache_write_tokens = tokens->cache_write,
        .output_tokens = tokens->output + tokens->reasoning,
        .reasoning_tokens = tokens->reasoning,
    };
}

static void fill_end(const struct end_fixed *fixed, const struct str *texts, usec_t realtime,
                     struct ledger_end *end)
{
    end->id = fixed->id;
    end->run = fixed->run;
    end->state = (enum ledger_state)fixed->state;
    end->cache = (enum ledger_cache)fixed->cache;
    end->tokens = (struct usage_split){fixed->tokens[0], fixed->tokens[1], fixed->tokens[2],
                                         fixed->tokens[3], fixed->tokens[4]};
    end->cost = fixed->cost;
    end->access = (struct access_record){
        .realtime = realtime,
        .id = texts[0],
        .client = &end->client,
        .method = texts[1],
        .path = texts[2],
        .api = texts[3],
        .model = texts[4],
        .user = texts[5],
        .server = texts[6],
        .hostgroup = texts[7],
        .status = fixed->status,
        .is_stream = fixed->flags & FLAG_STREAM,
        .attempts = fixed->attempts,
        .bytes_in = fixed->bytes_in,
        .bytes_out = fixed->bytes_out,
        .queue = fixed->queue,
        .connect = fixed->connect,
        .first_byte = fixed->first_byte,
        .overhead = fixed->overhead,
        .total = fixed->total,
        .usage = usage_of(&end->tokens, fixed->flags & FLAG_USAGE_KNOWN),
        .error = texts[8],
    };
}

bool ledger_end_decode(struct str payload, usec_t realtime, struct ledger_end *ret_end)
{
    struct end_fixed fixed;
    struct str texts[END_TEXTS];
    struct address client;
    if (payload.len < sizeof(fixed))
        return false;
    memcpy(&fixed, payload.ptr, sizeof(fixed));
    if (!end_is_valid(&fixed) || !get_client(&fixed, &client) ||
        !get_texts(str_from_offset(payload, sizeof(fixed)), fixed.text_lens, END_TEXTS, texts))
        return false;
    ret_end->client = client;
    fill_end(&fixed, texts, realtime, ret_end);
    return true;
}
