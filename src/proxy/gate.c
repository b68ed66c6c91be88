/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/gate.h"

#include <stdlib.h>

static void gate_lock(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
}

static void gate_unlock(struct gate *gate)
{
    pthread_mutex_unlock(&gate->lock);
}

void gate_init(struct gate *gate)
{
    *gate = (struct gate){0};
    pthread_mutex_init(&gate->lock, NULL);
    server_registry_init(&gate->registry);
}

void gate_fini(struct gate *gate)
{
    gate_drop_table(gate, gate->newest);
    while (gate->queues) {
        struct gate_queue *queue = gate->queues;
        ASSERT(queue_length(&queue->queue) == 0);
        gate->queues = queue->next;
        free(queue);
    }
    server_registry_fini(&gate->registry);
    pthread_mutex_destroy(&gate->lock);
}

/* ---- configuration ---- */

static struct gate_queue *gate_find_queue(struct gate *gate, unsigned hostgroup)
{
    struct gate_queue *queue = gate->queues;
    while (queue && queue->hostgroup != hostgroup)
        queue = queue->next;
    return queue;
}

/* Every hostgroup has its queue before a request can ask for it. */
static enum err gate_make_queues(struct gate *gate, const struct config *config)
{
    for (size_t i = 0; i < config->hostgroup_count; i++) {
        unsigned hostgroup = config->hostgroups[i].id;
        if (gate_find_queue(gate, hostgroup))
            continue;
        struct gate_queue *queue = calloc(1, sizeof(*queue));
        if (!queue)
            return ERR_NO_MEMORY;
        queue->hostgroup = hostgroup;
        queue_init(&queue->queue);
        queue->next = gate->queues;
        gate->queues = queue;
    }
    return ERR_OK;
}

enum err gate_new_table(struct gate *gate, struct policy *policy, const struct table *previous,
                        uint64_t generation, struct table **ret_table)
{
    const struct settings *settings = &policy->config->settings;
    gate_lock(gate);
    enum err err = gate_make_queues(gate, policy->config);
    if (err == ERR_OK)
        err = table_new(policy, &gate->registry, previous, generation, ret_table);
    if (err == ERR_OK) {
        gate->limits = server_limits_from(settings);
        gate->budget_limits = (struct budget_limits){
            .percent = (unsigned)settings->retry_budget_percent,
            .min_per_second = (unsigned)settings->retry_budget_min_per_second,
        };
        gate->queue_max_length = settings->queue_max_length;
        struct table *old = gate->newest;
        gate->newest = table_ref(*ret_table);
        if (old && table_unref(old))
            table_free(old);
    }
    gate_unlock(gate);
    return err;
}

struct table *gate_newer_table(struct gate *gate, const struct table *table)
{
    gate_lock(gate);
    struct table *newer = gate->newest != table ? table_ref(gate->newest) : NULL;
    gate_unlock(gate);
    return newer;
}

void gate_drop_table(struct gate *gate, struct table *table)
{
    if (!table || !table_unref(table))
        return;
    gate_lock(gate);
    table_free(table);
    gate_unlock(gate);
}

/* ---- asking for a place ---- */

void gate_waiter_init(struct gate_waiter *waiter, struct loop *loop, void (*on_grant)(struct gate_waiter *))
{
    waiter_init(&waiter->waiter);
    list_init(&waiter->message.node);
    waiter->loop = loop;
    waiter->on_grant = on_grant;
}

static enum pick_verdict gate_pick(struct gate *gate, const struct gate_question *question,
                                   struct pick_answer *ret_answer)
{
    struct pick_question pick = {
        .candidates = question->route->candidates,
        .strategy = question->route->group->strategy,
        .tried = question->tried,
        .allow_tried = question->allow_tried,
        .now = question->now,
        .limits = &gate->limits,
        .rng = question->rng,
    };
    return pick_choose(&pick, ret_answer);
}

static enum gate_answer gate_queue(struct gate *gate, const struct gate_question *question,
                                   struct gate_waiter *waiter)
{
    struct gate_queue *queue = gate_find_queue(gate, question->route->group->config->id);
    waiter->route = question->route;
    waiter->tried = question->tried;
    rng_init(&waiter->rng, rng_next(question->rng));
    bool queued = queue_push(&queue->queue, &waiter->waiter, question->now, gate->queue_max_length);
    return queued ? GATE_QUEUED : GATE_QUEUE_FULL;
}

enum gate_answer gate_enter(struct gate *gate, const struct gate_question *question,
                            struct gate_waiter *waiter, struct server_grant *ret_grant, usec_t *ret_back_at)
{
    struct pick_answer picked;
    enum gate_answer answer = GATE_NO_SERVER;
    gate_lock(gate);
    if (question->is_first_attempt)
        budget_deposit(&gate->budget, question->now);
    switch (gate_pick(gate, question, &picked)) {
    case PICK_SERVER:
        *ret_grant = picked.grant;
        answer = GATE_GRANTED;
        break;
    case PICK_WAIT:
        *ret_back_at = picked.back_at;
        answer = gate_queue(gate, question, waiter);
        break;
    case PICK_ONLY_TRIED:
        answer = GATE_TRIED;
        break;
    case PICK_NONE:
        *ret_back_at = picked.back_at;
        if (picked.pause_over != USEC_FOREVER && picked.pause_over - question->now <= question->max_wait)
            answer = gate_queue(gate, question, waiter);
        break;
    }
    gate_unlock(gate);
    return answer;
}

bool gate_has_other(struct gate *gate, const struct gate_question *question)
{
    struct pick_answer picked;
    gate_lock(gate);
    bool found = gate_pick(gate, question, &picked) == PICK_SERVER;
    if (found)
        server_release(&picked.grant, OUTCOME_NEUTRAL, question->now, &gate->limits);
    gate_unlock(gate);
    return found;
}

/* ---- waiting ---- */

static void on_grant_message(struct message *message)
{
    struct gate_waiter *waiter = CONTAINER_OF(message, struct gate_waiter, message);
    waiter->on_grant(waiter);
}

struct server_grant gate_waiter_take(struct gate_waiter *waiter)
{
    struct server_grant grant = waiter->grant;
    waiter->grant = (struct server_grant){0};
    return grant;
}

/* Gives `waiter` a place if there is one for it now; otherwise *ret_back_at is when time alone may bring one. */
static bool gate_try_grant(struct gate *gate, struct gate_waiter *waiter, usec_t now, usec_t *ret_back_at)
{
    struct gate_question question = {
        .route = waiter->route,
        .tried = waiter->tried,
        .allow_tried = true,
        .rng = &waiter->rng,
        .now = now,
    };
    struct pick_answer picked;
    if (gate_pick(gate, &question, &picked) != PICK_SERVER) {
        *ret_back_at = picked.back_at;
        return false;
    }
    waiter->grant = picked.grant;
    waiter_grant(&waiter->waiter);
    waiter->message.on_delivery = on_grant_message;
    loop_post(waiter->loop, &waiter->message);
    return true;
}

static bool fits_server(const struct waiter *waiter, void *context)
{
    const struct gate_waiter *gate_waiter = CONTAINER_OF(waiter, struct gate_waiter, waiter);
    return candidates_have(&gate_waiter->route->candidates, context);
}

/* Something about `server` has become better: room, health, circuit. */
static void gate_serve(struct gate *gate, struct server *server, usec_t now)
{
    usec_t back_at;
    for (struct gate_queue *queue = gate->queues; queue; queue = queue->next) {
        if (queue_length(&queue->queue) == 0)
            continue;
        for (struct waiter *waiter; (waiter = queue_next_for(&queue->queue, fits_server, server));)
            if (!gate_try_grant(gate, CONTAINER_OF(waiter, struct gate_waiter, waiter), now, &back_at))
                break;
    }
}

void gate_ask_again(struct gate *gate, struct gate_waiter *waiter, usec_t now, usec_t *ret_back_at)
{
    gate_lock(gate);
    *ret_back_at = USEC_FOREVER;
    if (waiter->waiter.state == WAITER_WAITING)
        gate_try_grant(gate, waiter, now, ret_back_at);
    gate_unlock(gate);
}

bool gate_leave(struct gate *gate, struct gate_waiter *waiter)
{
    gate_lock(gate);
    bool waited = waiter_leave(&waiter->waiter);
    if (!waited && waiter->grant.server) { /* granted, and the message has not been read */
        loop_unpost(waiter->loop, &waiter->message);
        struct server *server = server_ref(waiter->grant.server);
        server_release(&waiter->grant, OUTCOME_NEUTRAL, loop_now(waiter->loop), &gate->limits);
        gate_serve(gate, server, loop_now(waiter->loop));
        server_unref(server);
        waited = true;
    }
    gate_unlock(gate);
    return waited;
}

/* ---- while it runs, and after ---- */

bool gate_may_retry(struct gate *gate, usec_t now)
{
    gate_lock(gate);
    bool allowed = budget_withdraw(&gate->budget, now, &gate->budget_limits);
    gate_unlock(gate);
    return allowed;
}

void gate_first_byte(struct gate *gate, struct server_grant *grant, usec_t taken, usec_t now)
{
    gate_lock(gate);
    server_first_byte(grant, taken, now);
    if (!grant->settled) {
        server_settle(grant, OUTCOME_GOOD, now, &gate->limits);
        gate_serve(gate, grant->server, now);
    }
    gate_unlock(gate);
}

void gate_settle(struct gate *gate, struct server_grant *grant, enum server_outcome outcome, usec_t now)
{
    gate_lock(gate);
    server_settle(grant, outcome, now, &gate->limits);
    gate_serve(gate, grant->server, now);
    gate_unlock(gate);
}

void gate_release(struct gate *gate, struct server_grant *grant, enum server_outcome outcome, usec_t now)
{
    gate_lock(gate);
    struct server *server = server_ref(grant->server);
    server_release(grant, outcome, now, &gate->limits);
    gate_serve(gate, server, now);
    server_unref(server);
    gate_unlock(gate);
}

void gate_cool_down(struct gate *gate, struct server *server, usec_t until)
{
    gate_lock(gate);
    server_cool_down(server, until);
    gate_unlock(gate);
}

void gate_unref_server(struct gate *gate, struct server *server)
{
    gate_lock(gate);
    server_unref(server);
    gate_unlock(gate);
}

/* ---- control ---- */

bool gate_note_probe(struct gate *gate, struct server *server, const struct probe_result *result, usec_t now)
{
    gate_lock(gate);
    bool changed = server_note_probe(server, result, &gate->limits);
    if (changed)
        gate_serve(gate, server, now);
    gate_unlock(gate);
    return changed;
}

bool gate_set_models(struct gate *gate, struct server *server, const struct str *models, size_t count)
{
    bool changed = false;
    gate_lock(gate);
    enum err err = server_set_models(server, models, count, &changed);
    gate_unlock(gate);
    return err == ERR_OK && changed;
}

bool gate_is_usable(struct gate *gate, const struct table *table, usec_t now)
{
    bool usable = false;
    gate_lock(gate);
    for (size_t i = 0; i < table->server_count && !usable; i++)
        usable = server_look(table->servers[i], now, &gate->limits).availability != SERVER_DOWN;
    gate_unlock(gate);
    return usable;
}

static struct gate_server_view view_of(const struct gate *gate, const struct server *server, usec_t now)
{
    return (struct gate_server_view){
        .look = server_look(server, now, &gate->limits),
        .health = server->health.state,
        .breaker = server->breaker.state,
        .in_flight = server->in_flight,
        .max_concurrent = server->max_concurrent,
        .probes = server->health.probes,
        .last_probe = server->health.last,
    };
}

struct gate_server_view gate_view(struct gate *gate, const struct server *server, usec_t now)
{
    gate_lock(gate);
    struct gate_server_view view = view_of(gate, server, now);
    gate_unlock(gate);
    return view;
}

static struct gate_candidate_view view_candidate(const struct gate *gate, const struct candidate *candidate,
                                                 usec_t now)
{
    const struct server *server = candidate->server;
    return (struct gate_candidate_view){
        .view = view_of(gate, server, now),
        .weight = candidate->weight,
        .lag = candidate->lag,
        .first_byte = ewma_value(&server->first_byte, now),
        .cost = ewma_cost(&server->first_byte, now, server->in_flight, candidate->weight),
        .breaker = server->breaker,
    };
}

/* A real pick, which is then undone: the place given back, turns and circuits put back as they were. */
const struct server *gate_explain(struct gate *gate, const struct gate_question *question,
                                  struct gate_candidate_view *ret_views)
{
    struct pick_answer picked;
    const struct server *chosen = NULL;
    gate_lock(gate);
    struct candidate_set *set = question->route->candidates.set;
    size_t turn = set->turn;
    for (size_t i = 0; i < set->count; i++)
        ret_views[i] = view_candidate(gate, &set->members[i], question->now);
    if (gate_pick(gate, question, &picked) == PICK_SERVER) {
        chosen = picked.grant.server;
        server_release(&picked.grant, OUTCOME_NEUTRAL, question->now, &gate->limits);
    }
    for (size_t i = 0; i < set->count; i++) {
        set->members[i].lag = ret_views[i].lag;
        set->members[i].server->breaker = ret_views[i].breaker;
    }
    set->turn = turn;
    gate_unlock(gate);
    return chosen;
}

size_t gate_queue_length(struct gate *gate, unsigned hostgroup)
{
    gate_lock(gate);
    struct gate_queue *queue = gate_find_queue(gate, hostgroup);
    size_t length = queue ? queue_length(&queue->queue) : 0;
    gate_unlock(gate);
    return length;
}
