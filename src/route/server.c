/* SPDX-License-Identifier: Apache-2.0 */
#include "route/server.h"

#include <stdlib.h>

#define SLOTS_PER_WORD 64

struct server_limits server_limits_from(const struct settings *settings)
{
    return (struct server_limits){
        .breaker = {.failure_threshold = (unsigned)settings->circuit_breaker_threshold,
                    .open_timeout = setting_usec(settings->circuit_breaker_timeout_ms),
                    .success_threshold = (unsigned)settings->circuit_breaker_success_threshold},
        .health = {.rise = (unsigned)settings->health_check_rise,
                   .fall = (unsigned)settings->health_check_fall},
    };
}

void server_registry_init(struct server_registry *registry)
{
    *registry = (struct server_registry){0};
    list_init(&registry->servers);
}

void server_registry_fini(struct server_registry *registry)
{
    ASSERT(list_is_empty(&registry->servers) && registry->count == 0);
    free(registry->slots_used);
    registry->slots_used = NULL;
    registry->slot_words = 0;
}

size_t server_registry_slot_limit(const struct server_registry *registry)
{
    return registry->slot_words * SLOTS_PER_WORD;
}

/* The lowest free one, so that arrays by slot stay small. */
static bool slot_take(struct server_registry *registry, size_t *ret_slot)
{
    size_t word = 0;
    while (word < registry->slot_words && registry->slots_used[word] == UINT64_MAX)
        word++;
    if (word == registry->slot_words) {
        uint64_t *grown = realloc(registry->slots_used, (word + 1) * sizeof(*grown));
        if (!grown)
            return false;
        grown[word] = 0;
        registry->slots_used = grown;
        registry->slot_words = word + 1;
    }
    unsigned bit = (unsigned)__builtin_ctzll(~registry->slots_used[word]);
    registry->slots_used[word] |= (uint64_t)1 << bit;
    *ret_slot = word * SLOTS_PER_WORD + bit;
    return true;
}

static void slot_put(struct server_registry *registry, size_t slot)
{
    registry->slots_used[slot / SLOTS_PER_WORD] &= ~((uint64_t)1 << (slot % SLOTS_PER_WORD));
}

static struct server *server_new(struct server_registry *registry, struct str name, struct str endpoint_text)
{
    struct server *server = calloc(1, sizeof(*server));
    if (!server)
        return NULL;
    arena_init(&server->arena, NULL);
    arena_init(&server->models_arena, NULL);
    server->name = arena_dup(&server->arena, name);
    server->endpoint_text = arena_dup(&server->arena, endpoint_text);
    if (!server->name.ptr || !server->endpoint_text.ptr || !slot_take(registry, &server->slot)) {
        arena_fini(&server->arena);
        free(server);
        return NULL;
    }
    atomic_init(&server->references, 1);
    server->registry = registry;
    list_push_back(&registry->servers, &server->node);
    registry->count++;
    return server;
}

struct server *server_get(struct server_registry *registry, struct str name, struct str endpoint_text)
{
    LIST_EACH (node, &registry->servers) {
        struct server *server = LIST_ITEM(node, struct server, node);
        if (str_eq(server->name, name) && str_eq(server->endpoint_text, endpoint_text))
            return server_ref(server);
    }
    return server_new(registry, name, endpoint_text);
}

struct server *server_ref(struct server *server)
{
    atomic_fetch_add_explicit(&server->references, 1, memory_order_relaxed);
    return server;
}

void server_unref(struct server *server)
{
    if (!server || atomic_fetch_sub_explicit(&server->references, 1, memory_order_acq_rel) > 1)
        return;
    ASSERT(server->in_flight == 0);
    list_remove(&server->node);
    server->registry->count--;
    slot_put(server->registry, server->slot);
    arena_fini(&server->models_arena);
    arena_fini(&server->arena);
    free(server);
}

void server_configure(struct server *server, const struct server_config *config)
{
    server->configured = config != NULL;
    if (!config)
        return;
    server->status = config->status;
    server->hostgroup = config->hostgroup;
    server->weight = config->weight;
    server->max_concurrent = config->max_concurrent;
}

static int str_compare(const void *left, const void *right)
{
    const struct str *a = left, *b = right;
    size_t len = MIN(a->len, b->len);
    int order = len > 0 ? memcmp(a->ptr, b->ptr, len) : 0;
    return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

static size_t str_sort_unique(struct str *strings, size_t count)
{
    if (count == 0)
        return 0;
    qsort(strings, count, sizeof(*strings), str_compare);
    size_t kept = 1;
    for (size_t i = 1; i < count; i++)
        if (!str_eq(strings[i], strings[kept - 1]))
            strings[kept++] = strings[i];
    return kept;
}

static bool models_are(const struct server *server, const struct str *models, size_t count)
{
    if (!server->models_known || server->model_count != count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!str_eq(server->models[i], models[i]))
            return false;
    return true;
}

static enum err models_copy(struct arena *arena, const struct str *models, size_t count,
                            struct str **ret_models)
{
    struct str *copy = ARENA_NEW_ARRAY(arena, struct str, MAX(count, 1));
    if (!copy)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        copy[i] = arena_dup(arena, models[i]);
        if (!copy[i].ptr)
            return ERR_NO_MEMORY;
    }
    *ret_models = copy;
    return ERR_OK;
}

enum err server_set_models(struct server *server, const struct str *models, size_t count, bool *ret_changed)
{
    struct arena arena;
    arena_init(&arena, NULL);
    struct str *copy = NULL;
    enum err err = models_copy(&arena, models, count, &copy);
    if (err != ERR_OK) {
        arena_fini(&arena);
        return err;
    }
    count = str_sort_unique(copy, count);
    if (count > 0 && copy[0].len == 0) { /* it would mean "no model" to everybody else */
        copy++;
        count--;
    }
    bool changed = !models_are(server, copy, count);
    if (changed) {
        arena_fini(&server->models_arena);
        server->models_arena = arena;
        server->models = copy;
        server->model_count = count;
        server->models_known = true;
    } else {
        arena_fini(&arena);
    }
    if (ret_changed)
        *ret_changed = changed;
    return ERR_OK;
}

bool server_note_probe(struct server *server, const struct probe_result *result,
                       const struct server_limits *limits)
{
    return health_note(&server->health, result, &limits->health);
}

void server_cool_down(struct server *server, usec_t until)
{
    server->not_before = MAX(server->not_before, until);
}

static struct server_view view_down(const char *reason, usec_t back_at)
{
    return (struct server_view){SERVER_DOWN, reason, back_at, false};
}

/* What an operator has decided. */
static struct server_view look_at_status(const struct server *server)
{
    if (!server->configured)
        return view_down("not in the configuration any more", USEC_FOREVER);
    switch (server->status) {
    case SERVER_ONLINE:
        return (struct server_view){SERVER_READY, "ready", 0, false};
    case SERVER_SHUNNED:
        return view_down("shunned", USEC_FOREVER);
    case SERVER_DRAINING:
        return view_down("draining", USEC_FOREVER);
    case SERVER_OFFLINE:
    case SERVER_STATUS_COUNT_:
        break;
    }
    return view_down("offline", USEC_FOREVER);
}

struct server_view server_look(const struct server *server, usec_t now, const struct server_limits *limits)
{
    struct server_view view = look_at_status(server);
    if (view.availability == SERVER_DOWN)
        return view;
    if (!health_is_usable(&server->health))
        return view_down("unhealthy: its probes fail", USEC_FOREVER);
    enum breaker_answer circuit = breaker_look(&server->breaker, now, &limits->breaker);
    usec_t closed_until =
        circuit == BREAKER_BLOCKS ? breaker_trial_time(&server->breaker, &limits->breaker) : 0;
    if (server->not_before > now) {
        view = view_down("asked to be left alone for a while", MAX(server->not_before, closed_until));
        view.is_pause = closed_until == 0;
        return view;
    }
    if (circuit == BREAKER_BLOCKS)
        return view_down("circuit open after failures", closed_until);
    if (circuit == BREAKER_TRIAL_RUNS)
        return (struct server_view){SERVER_FULL, "circuit half-open, its trial request runs", 0, false};
    if (server->max_concurrent > 0 && server->in_flight >= server->max_concurrent)
        return (struct server_view){SERVER_FULL, "max_concurrent reached", 0, false};
    return view;
}

void server_acquire(struct server *server, usec_t now, const struct server_limits *limits,
                    struct server_grant *ret_grant)
{
    ASSERT(server_look(server, now, limits).availability == SERVER_READY);
    server->in_flight++;
    *ret_grant = (struct server_grant){
        .server = server_ref(server),
        .ticket = breaker_admit(&server->breaker, now, &limits->breaker),
    };
}

void server_first_byte(struct server_grant *grant, usec_t taken, usec_t now)
{
    ewma_observe(&grant->server->first_byte, taken, now);
}

void server_settle(struct server_grant *grant, enum server_outcome outcome, usec_t now,
                   const struct server_limits *limits)
{
    struct server *server = grant->server;
    ASSERT(server);
    if (grant->failed || (grant->settled && outcome != OUTCOME_BAD))
        return;
    /* After the first outcome the ticket of a trial is spent, but that of a closed circuit still speaks of
     * it. */
    bool spent = grant->settled && grant->ticket.trial;
    grant->settled = true;
    grant->failed = outcome == OUTCOME_BAD;
    if (grant->failed)
        ewma_punish(&server->first_byte, now);
    if (spent)
        return;
    if (outcome == OUTCOME_GOOD)
        breaker_success(&server->breaker, grant->ticket, &limits->breaker);
    else if (outcome == OUTCOME_BAD)
        breaker_failure(&server->breaker, grant->ticket, now, &limits->breaker);
    else
        breaker_cancel(&server->breaker, grant->ticket);
}

void server_release(struct server_grant *grant, enum server_outcome outcome, usec_t now,
                    const struct server_limits *limits)
{
    server_settle(grant, outcome, now, limits);
    struct server *server = grant->server;
    ASSERT(server->in_flight > 0);
    server->in_flight--;
    *grant = (struct server_grant){0};
    server_unref(server);
}
