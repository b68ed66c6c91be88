/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/route/pick.c src/route/table.c src/route/table_build.c src/sched/queue.c src/route/strategy.c src/route/strategy_round_robin.c src/route/strategy_least.c src/route/strategy_latency.c src/route/strategy_random.c src/route/candidates.c src/route/server.c src/route/breaker.c src/route/health.c src/route/ewma.c src/route/policy.c src/route/match.c src/route/glob.c src/base/arena.c src/base/buf.c src/base/str.c src/base/rng.c src/base/clock.c src/base/assert.c -lpcre2-8 -lm */
/* About a million routing decisions in virtual time: requests come, wait, run, fail, are tried again and hang
 * up, while the configuration changes under them and servers fall ill. After each step the books of the
 * servers are compared with books that this file keeps on its own. It also plays the gate (the caller with
 * the lock): what wakes a waiter here is what has to wake one there.
 *
 * sim_pick [seed [steps]]: another seed, another life; a broken invariant names both. */
#include "route/pick.h"
#include "route/table.h"
#include "sched/queue.h"

#include "../unit/route/fixture.h"

#include <stdio.h>
#include <stdlib.h>

#define SERVER_NAMES 10
#define GROUPS 3
#define MODELS 5
#define REQUESTS 160
#define QUEUE_LENGTH 50
#define WAIT_MAX (20 * USEC_PER_SEC)

enum request_state { REQUEST_FREE, REQUEST_WAITING, REQUEST_RUNNING, REQUEST_STATE_COUNT_ };

struct request {
    enum request_state state;
    struct waiter waiter;
    uint64_t arrival;    /* of the wait: order of the queue, kept apart from it */
    struct table *table; /* referenced */
    struct arena arena;
    struct route route;
    struct tried_servers tried;
    bool allow_tried;
    struct server_grant grant;
    usec_t settle_at; /* running: when its outcome is known; USEC_FOREVER: not before its end */
    usec_t end_at;    /* running: its end; waiting: its patience */
};

struct tally {
    uint64_t decisions, verdicts[4], waits, grants, trials, reloads, hang_ups;
};

struct sim {
    uint64_t seed, step;
    struct rng rng;
    usec_t now, timer; /* `timer`: when time alone may make a server ready */
    struct server_registry registry;
    struct server_limits limits;
    struct table *table; /* referenced */
    uint64_t generation, arrivals;
    struct match_scratch scratch;
    struct queue queues[GROUPS];
    struct request requests[REQUESTS];
    struct tally tally;
};

static struct sim *running; /* for the message of CHECK */

#define CHECK(cond)                                                                                          \
    do {                                                                                                     \
        if (!(cond)) {                                                                                       \
            fprintf(stderr, "sim_pick: seed %llu, step %llu: broken: %s (line %d)\n",                        \
                    (unsigned long long)running->seed, (unsigned long long)running->step, #cond, __LINE__);  \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

static bool chance(struct sim *sim, unsigned of_thousand)
{
    return rng_below(&sim->rng, 1000) < of_thousand;
}

static unsigned below(struct sim *sim, unsigned bound)
{
    return (unsigned)rng_below(&sim->rng, bound);
}

/* ---- configurations ---- */

static void random_models(struct sim *sim, char *text, size_t size)
{
    static const char *const words[] = {"m0", "m1", "m2", "m3", "m4", "m*", "m[0-2]"};
    size_t len = 0;
    text[0] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (chance(sim, i < MODELS ? 500 : 150))
            len += (size_t)snprintf(text + len, size - len, "%s%s", len > 0 ? " " : "", words[i]);
}

static void random_server(struct sim *sim, struct config *config, unsigned index)
{
    char name[16], models[64];
    (void)snprintf(name, sizeof(name), "s%u", index);
    random_models(sim, models, sizeof(models));
    struct server_config *server = fixture_server(
        config, name, chance(sim, 900) ? index % GROUPS : below(sim, GROUPS), 1 + below(sim, 9), models);
    server->max_concurrent = chance(sim, 150) ? 0 : 1 + below(sim, 8);
    if (chance(sim, 100))
        server->status = 1 + below(sim, SERVER_STATUS_COUNT_ - 1);
}

static struct config *random_config(struct sim *sim)
{
    struct config *config = fixture_config();
    for (unsigned group = 0; group < GROUPS; group++)
        fixture_group(config, group, below(sim, STRATEGY_COUNT_));
    for (unsigned i = 0; i < SERVER_NAMES; i++)
        if (chance(sim, 850))
            random_server(sim, config, i);
    if (chance(sim, 300))
        fixture_rule(config, "m4", "", "", below(sim, GROUPS), "m0");
    return config;
}

static void table_drop(struct table *table)
{
    if (table_unref(table))
        table_free(table);
}

static void adopt(struct sim *sim, struct policy *policy)
{
    struct table *table, *old = sim->table;
    CHECK(table_new(policy, &sim->registry, old, ++sim->generation, &table) == ERR_OK);
    sim->table = table;
    if (old)
        table_drop(old);
}

/* ---- the gate ---- */

static bool request_fits(const struct waiter *waiter, void *context)
{
    const struct request *req = CONTAINER_OF(waiter, struct request, waiter);
    return candidates_have(&req->route.candidates, context) &&
           (req->allow_tried || !tried_has(&req->tried, context));
}

static void request_end(struct request *req)
{
    table_drop(req->table);
    arena_fini(&req->arena);
    req->state = REQUEST_FREE;
}

static void request_start(struct sim *sim, struct request *req, const struct server_grant *grant)
{
    const struct server *server = grant->server;
    CHECK(server->max_concurrent == 0 || server->in_flight <= server->max_concurrent);
    CHECK(candidates_have(&req->route.candidates, server));
    CHECK(server->configured && server->status == SERVER_ONLINE && server->not_before <= sim->now);
    CHECK(req->allow_tried || !tried_has(&req->tried, server));
    usec_t length = 1 + rng_below(&sim->rng, rng_below(&sim->rng, 3 * USEC_PER_SEC));
    req->state = REQUEST_RUNNING;
    req->grant = *grant;
    req->end_at = sim->now + length;
    req->settle_at = chance(sim, 400) ? sim->now + length / 2 : USEC_FOREVER;
    sim->tally.trials += grant->ticket.trial;
}

static enum pick_verdict request_pick(struct sim *sim, struct request *req, struct pick_answer *ret_answer)
{
    struct pick_question question = {
        .candidates = req->route.candidates,
        .strategy = req->route.group->strategy,
        .tried = &req->tried,
        .allow_tried = req->allow_tried,
        .now = sim->now,
        .limits = &sim->limits,
        .rng = &sim->rng,
    };
    enum pick_verdict verdict = pick_choose(&question, ret_answer);
    sim->tally.decisions++;
    sim->tally.verdicts[verdict]++;
    return verdict;
}

/* Nobody who came earlier and could run there is passed over. */
static void check_order(struct sim *sim, const struct request *granted, struct server *server)
{
    for (size_t i = 0; i < REQUESTS; i++) {
        const struct request *other = &sim->requests[i];
        if (other->state == REQUEST_WAITING && other->waiter.queue == granted->waiter.queue)
            CHECK(other->arrival >= granted->arrival || !request_fits(&other->waiter, server));
    }
}

/* `server` may have become ready: as many waiters as fit. If it is down for a known time, the gate has to
 * look again then. */
static void gate_serve(struct sim *sim, struct server *server)
{
    struct server_view view = server_look(server, sim->now, &sim->limits);
    for (size_t i = 0; i < GROUPS; i++) {
        struct waiter *waiter;
        while (view.availability == SERVER_READY &&
               (waiter = queue_next_for(&sim->queues[i], request_fits, server)) != NULL) {
            struct request *req = CONTAINER_OF(waiter, struct request, waiter);
            struct pick_answer answer;
            check_order(sim, req, server);
            CHECK(request_pick(sim, req, &answer) == PICK_SERVER);
            waiter_grant(waiter);
            request_start(sim, req, &answer.grant);
            sim->tally.grants++;
            view = server_look(server, sim->now, &sim->limits);
        }
    }
    if (view.availability == SERVER_DOWN)
        sim->timer = MIN(sim->timer, view.back_at);
}

static void gate_serve_all(struct sim *sim)
{
    sim->timer = USEC_FOREVER;
    LIST_EACH (node, &sim->registry.servers)
        gate_serve(sim, LIST_ITEM(node, struct server, node));
}

static void request_wait(struct sim *sim, struct request *req)
{
    size_t group = req->route.group->config->id;
    if (!queue_push(&sim->queues[group], &req->waiter, sim->now, QUEUE_LENGTH)) {
        CHECK(queue_length(&sim->queues[group]) >= QUEUE_LENGTH);
        request_end(req);
        return;
    }
    req->state = REQUEST_WAITING;
    req->arrival = ++sim->arrivals;
    req->end_at = sim->now + rng_below(&sim->rng, WAIT_MAX);
    sim->tally.waits++;
}

static void request_send(struct sim *sim, struct request *req)
{
    struct pick_answer answer;
    enum pick_verdict verdict = request_pick(sim, req, &answer);
    if (verdict == PICK_ONLY_TRIED) {
        req->allow_tried = true;
        verdict = request_pick(sim, req, &answer);
        CHECK(verdict == PICK_SERVER || verdict == PICK_WAIT);
    }
    if (verdict == PICK_SERVER) {
        request_start(sim, req, &answer.grant);
    } else if (verdict == PICK_WAIT) {
        sim->timer = MIN(sim->timer, answer.back_at);
        request_wait(sim, req);
    } else {
        CHECK(answer.back_at > sim->now);
        request_end(req);
    }
}

/* ---- what happens ---- */

static void arrive(struct sim *sim)
{
    struct request *req = &sim->requests[below(sim, REQUESTS)];
    if (req->state != REQUEST_FREE)
        return;
    char model[16];
    (void)snprintf(model, sizeof(model), "m%u", below(sim, MODELS + 1));
    *req = (struct request){.table = table_ref(sim->table), .allow_tried = chance(sim, 500)};
    arena_init(&req->arena, NULL);
    waiter_init(&req->waiter);
    struct route_facts facts = {.model = chance(sim, 50) ? STR_NONE : str_from(model)};
    if (table_route(req->table, &facts, &sim->scratch, &req->arena, &req->route) != ROUTE_FOUND)
        request_end(req);
    else
        request_send(sim, req);
}

static enum server_outcome random_outcome(struct sim *sim, const struct server *server)
{
    /* Some servers are worse than others, so that circuits open while there is traffic. */
    unsigned failures = server->slot % 4 == 0 ? 600 : server->slot % 4 == 1 ? 150 : 20;
    return chance(sim, failures) ? OUTCOME_BAD : chance(sim, 50) ? OUTCOME_NEUTRAL : OUTCOME_GOOD;
}

static void settle(struct sim *sim, struct request *req)
{
    enum server_outcome outcome = random_outcome(sim, req->grant.server);
    req->settle_at = USEC_FOREVER;
    if (outcome == OUTCOME_GOOD)
        server_first_byte(&req->grant, 1000 + rng_below(&sim->rng, 100000), sim->now);
    server_settle(&req->grant, outcome, sim->now, &sim->limits);
    gate_serve(sim, req->grant.server);
}

/* The reference is what keeps a removed server until nobody looks at it any more. */
static void release(struct sim *sim, struct request *req, enum server_outcome outcome)
{
    struct server *server = server_ref(req->grant.server);
    tried_add(&req->tried, server);
    server_release(&req->grant, outcome, sim->now, &sim->limits);
    gate_serve(sim, server);
    server_unref(server);
}

static void complete(struct sim *sim, struct request *req)
{
    enum server_outcome outcome = random_outcome(sim, req->grant.server);
    release(sim, req, outcome);
    if (outcome == OUTCOME_BAD && chance(sim, 600))
        request_send(sim, req);
    else
        request_end(req);
}

static void hang_up(struct sim *sim, struct request *req)
{
    if (req->state == REQUEST_FREE)
        return;
    sim->tally.hang_ups++;
    CHECK(waiter_leave(&req->waiter) == (req->state == REQUEST_WAITING));
    if (req->state == REQUEST_RUNNING)
        release(sim, req, OUTCOME_NEUTRAL);
    request_end(req);
}

static void reload(struct sim *sim)
{
    struct policy *policy;
    CHECK(policy_new(random_config(sim), NULL, &policy) == ERR_OK);
    adopt(sim, policy);
    policy_unref(policy);
    sim->limits = (struct server_limits){
        .breaker = {1 + below(sim, 4), 1000 + rng_below(&sim->rng, 2 * USEC_PER_SEC), 1 + below(sim, 3)},
        .health = {1 + below(sim, 3), 1 + below(sim, 3)},
    };
    sim->tally.reloads++;
    gate_serve_all(sim);
}

static struct server *random_server_of_table(struct sim *sim)
{
    size_t count = sim->table->server_count;
    return count == 0 ? NULL : sim->table->servers[rng_below(&sim->rng, count)];
}

static void tell_models(struct sim *sim, struct server *server)
{
    static const struct str all[] = {{"m0", 2}, {"m1", 2}, {"m2", 2}, {"m3", 2}, {"m5", 2}};
    bool changed;
    size_t first = below(sim, ARRAY_LEN(all));
    CHECK(server_set_models(server, all + first, below(sim, (unsigned)(ARRAY_LEN(all) - first) + 1),
                            &changed) == ERR_OK);
    if (changed)
        adopt(sim, sim->table->policy);
    gate_serve_all(sim);
}

static void disturb(struct sim *sim)
{
    struct server *server = random_server_of_table(sim);
    if (chance(sim, 200))
        reload(sim);
    if (!server || server != random_server_of_table(sim))
        return;
    struct probe_result probe = {.good = chance(sim, 800), .realtime = sim->now};
    unsigned kind = below(sim, 3);
    if (kind == 0)
        tell_models(sim, server);
    else if (kind == 1)
        server_cool_down(server, sim->now + rng_below(&sim->rng, USEC_PER_SEC));
    else
        (void)server_note_probe(server, &probe, &sim->limits);
    gate_serve(sim, server);
}

static void pass_time(struct sim *sim, usec_t passed)
{
    sim->now += passed;
    if (sim->now >= sim->timer)
        gate_serve_all(sim);
    for (size_t i = 0; i < REQUESTS; i++) {
        struct request *req = &sim->requests[i];
        if (req->state == REQUEST_RUNNING && req->settle_at <= sim->now)
            settle(sim, req);
        if (req->state == REQUEST_RUNNING && req->end_at <= sim->now)
            complete(sim, req);
        if (req->state == REQUEST_WAITING && req->end_at <= sim->now)
            hang_up(sim, req);
    }
}

/* ---- what has to hold ---- */

/* What the requests say about a server. */
struct book {
    unsigned outstanding, trials;
};

static void check_servers(struct sim *sim, uint64_t *ret_ready)
{
    struct book books[64] = {0};
    uint64_t ready = 0;
    CHECK(server_registry_slot_limit(&sim->registry) <= 64);
    for (size_t i = 0; i < REQUESTS; i++) {
        const struct request *req = &sim->requests[i];
        if (req->state != REQUEST_RUNNING)
            continue;
        const struct server_grant *grant = &req->grant;
        struct book *book = &books[grant->server->slot];
        book->outstanding++;
        book->trials +=
            grant->ticket.trial && !grant->settled && grant->ticket.epoch == grant->server->breaker.epoch;
    }
    LIST_EACH (node, &sim->registry.servers) {
        const struct server *server = LIST_ITEM(node, struct server, node);
        CHECK(server->in_flight == books[server->slot].outstanding);
        CHECK(books[server->slot].trials == (server->breaker.trial_runs ? 1 : 0));
        CHECK(!server->breaker.trial_runs || server->breaker.state == BREAKER_HALF_OPEN);
        if (server_look(server, sim->now, &sim->limits).availability == SERVER_READY)
            ready |= (uint64_t)1 << server->slot;
        books[server->slot].outstanding = 0;
    }
    for (size_t slot = 0; slot < 64; slot++)
        CHECK(books[slot].outstanding == 0);
    *ret_ready = ready;
}

/* No waiter waits while a server is ready for it. */
static void check_waiters(struct sim *sim, uint64_t ready)
{
    size_t waiting = 0, queued = 0;
    for (size_t i = 0; i < REQUESTS; i++) {
        const struct request *req = &sim->requests[i];
        CHECK((req->state == REQUEST_WAITING) == (req->waiter.state == WAITER_WAITING));
        if (req->state != REQUEST_WAITING)
            continue;
        waiting++;
        const struct candidates *candidates = &req->route.candidates;
        uint64_t suited = candidates->mask ? candidates->mask[0] : candidates->set->slots[0];
        for (size_t tried = 0; !req->allow_tried && tried < req->tried.count; tried++)
            suited &= ~((uint64_t)1 << req->tried.servers[tried]->slot);
        CHECK((suited & ready) == 0);
    }
    for (size_t i = 0; i < GROUPS; i++) {
        CHECK(queue_length(&sim->queues[i]) <= QUEUE_LENGTH);
        queued += queue_length(&sim->queues[i]);
    }
    CHECK(waiting == queued);
}

/* ---- a life ---- */

static void sim_init(struct sim *sim, uint64_t seed)
{
    *sim = (struct sim){.seed = seed, .timer = USEC_FOREVER};
    running = sim;
    rng_init(&sim->rng, seed);
    server_registry_init(&sim->registry);
    CHECK(match_scratch_init(&sim->scratch) == ERR_OK);
    for (size_t i = 0; i < GROUPS; i++)
        queue_init(&sim->queues[i]);
    for (size_t i = 0; i < REQUESTS; i++)
        waiter_init(&sim->requests[i].waiter);
    reload(sim);
}

static void sim_fini(struct sim *sim)
{
    for (size_t i = 0; i < REQUESTS; i++)
        hang_up(sim, &sim->requests[i]);
    for (size_t i = 0; i < GROUPS; i++)
        CHECK(queue_length(&sim->queues[i]) == 0);
    LIST_EACH (node, &sim->registry.servers)
        CHECK(LIST_ITEM(node, struct server, node)->in_flight == 0);
    table_drop(sim->table);
    CHECK(sim->registry.count == 0 && fixture_configs_alive == 0);
    server_registry_fini(&sim->registry);
    match_scratch_fini(&sim->scratch);
}

static void sim_run(struct sim *sim, uint64_t steps)
{
    /* Busy and quiet times alternate, so that queues fill and empty. */
    for (sim->step = 0; sim->step < steps; sim->step++) {
        bool busy = sim->step / 4000 % 2 == 0;
        uint64_t ready;
        pass_time(sim, rng_below(&sim->rng, busy ? 20000 : 120000));
        unsigned kind = below(sim, 1000);
        if (kind < 850)
            arrive(sim);
        else if (kind < 970)
            hang_up(sim, &sim->requests[below(sim, REQUESTS)]);
        else if (kind < 980)
            disturb(sim);
        check_servers(sim, &ready);
        check_waiters(sim, ready);
    }
}

/* ---- shares in stable times ---- */

static struct config *stable_config(const unsigned *weights, unsigned count, unsigned variant)
{
    struct config *config = fixture_config();
    fixture_group(config, 0, STRATEGY_WEIGHTED_ROUND_ROBIN);
    fixture_group(config, 1, STRATEGY_RANDOM);
    for (unsigned i = 0; i < count; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "s%u", i);
        fixture_server(config, name, 0, weights[i], variant % 2 ? "m0 m1" : "m1 m0 m2");
    }
    fixture_server(config, "other", 1, 1 + variant, "x"); /* changes, elsewhere */
    return config;
}

/* Round robin over two models of the same servers, with a reload of something else again and again: after
 * each request no server is a whole request away from its share. */
static void run_stable(struct sim *sim)
{
    unsigned weights[12], count = 1 + below(sim, ARRAY_LEN(weights));
    int64_t total = 0, counts[64] = {0};
    for (unsigned i = 0; i < count; i++)
        total += weights[i] = 1 + below(sim, chance(sim, 500) ? 5 : 300);
    for (int64_t turn = 1; turn <= 2000; turn++) {
        if (turn == 1 || chance(sim, 30)) {
            struct policy *policy;
            CHECK(policy_new(stable_config(weights, count, (unsigned)turn), NULL, &policy) == ERR_OK);
            adopt(sim, policy);
            policy_unref(policy);
        }
        struct route_facts facts = {.model = chance(sim, 500) ? STR("m0") : STR("m1")};
        struct request req = {.table = sim->table};
        struct pick_answer answer;
        CHECK(table_route(sim->table, &facts, &sim->scratch, &req.arena, &req.route) == ROUTE_FOUND);
        CHECK(request_pick(sim, &req, &answer) == PICK_SERVER);
        counts[answer.grant.server->slot]++;
        server_release(&answer.grant, OUTCOME_GOOD, sim->now, &sim->limits);
        for (unsigned i = 0; i < count; i++) {
            int64_t off = counts[sim->table->servers[i]->slot] * total - turn * (int64_t)weights[i];
            CHECK(off < total && -off < total);
        }
    }
}

static void simulate(uint64_t seed, uint64_t steps, struct tally *total)
{
    static struct sim sim;
    sim_init(&sim, seed);
    sim_run(&sim, steps);
    sim_fini(&sim);
    for (size_t i = 0; i < ARRAY_LEN(total->verdicts); i++)
        total->verdicts[i] += sim.tally.verdicts[i];
    total->decisions += sim.tally.decisions;
    total->waits += sim.tally.waits;
    total->grants += sim.tally.grants;
    total->trials += sim.tally.trials;
    total->reloads += sim.tally.reloads;
    total->hang_ups += sim.tally.hang_ups;
}

static void simulate_stable(uint64_t seed, struct tally *total)
{
    static struct sim sim;
    sim_init(&sim, seed);
    sim.tally = (struct tally){0};
    for (unsigned round = 0; round < 40; round++)
        run_stable(&sim);
    total->decisions += sim.tally.decisions;
    sim_fini(&sim);
}

int main(int argc, char **argv)
{
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    uint64_t steps = argc > 2 ? strtoull(argv[2], NULL, 10) : 150000;
    struct tally total = {0};
    for (uint64_t i = 0; i < 8; i++)
        simulate(seed + i, steps, &total);
    simulate_stable(seed, &total);
    printf("%llu decisions: %llu server, %llu wait, %llu only tried, %llu none; %llu waited, %llu granted "
           "later, "
           "%llu trials, %llu reloads, %llu hang-ups\n",
           (unsigned long long)total.decisions, (unsigned long long)total.verdicts[PICK_SERVER],
           (unsigned long long)total.verdicts[PICK_WAIT], (unsigned long long)total.verdicts[PICK_ONLY_TRIED],
           (unsigned long long)total.verdicts[PICK_NONE], (unsigned long long)total.waits,
           (unsigned long long)total.grants, (unsigned long long)total.trials,
           (unsigned long long)total.reloads, (unsigned long long)total.hang_ups);
    return 0;
}
