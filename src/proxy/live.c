/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/live.h"

#include "proxy/request.h"
#include "proxy/worker.h"

#include <stdlib.h>
#include <time.h>

#define LIVE_BATCH 512   /* requests that a worker copies in one turn */
#define LIVE_PATIENCE 1 /* seconds */

static const struct str phase_names[PHASE_COUNT_] = {
#define PHASE(name, step, word, ...) [name] = {word, sizeof(word) - 1},
#include "proxy/phase.def"
#undef PHASE
};

/* ---- a question to all workers, and the wait for their answers ---- */

/* One worker's part of a question. Its worker owns the fields behind `shared` until it has answered. */
struct live_part {
    struct message message;
    struct live_question *question;
    struct worker *worker;
    struct list node; /* in worker->live_parts while it is being answered */
    struct list *at;  /* next request to copy */
    struct arena arena;
    struct live_request *requests;
    size_t count, capacity;
    bool is_short; /* of memory */
};

/* Outlives whoever is last: the one who asks, or a worker that answers late. */
struct live_question {
    pthread_mutex_t lock;
    pthread_cond_t answered;
    unsigned references, open;
    bool (*answer)(struct live_part *part); /* on the worker's thread; false: not finished, once more in the next turn */
    uint64_t id;
    struct str request_id; /* owned */
    bool is_found;
    size_t part_count;
    struct live_part parts[];
};

static void question_drop(struct live_question *question)
{
    pthread_mutex_lock(&question->lock);
    bool is_last = --question->references == 0;
    pthread_mutex_unlock(&question->lock);
    if (!is_last)
        return;
    for (size_t i = 0; i < question->part_count; i++) {
        arena_fini(&question->parts[i].arena);
        free(question->parts[i].requests);
    }
    pthread_cond_destroy(&question->answered);
    pthread_mutex_destroy(&question->lock);
    free((void *)(uintptr_t)question->request_id.ptr);
    free(question);
}

static void on_question(struct message *message)
{
    struct live_part *part = CONTAINER_OF(message, struct live_part, message);
    struct live_question *question = part->question;
    if (!question->answer(part)) {
        loop_post(&part->worker->loop, &part->message);
        return;
    }
    pthread_mutex_lock(&question->lock);
    question->open--;
    pthread_cond_signal(&question->answered);
    pthread_mutex_unlock(&question->lock);
    question_drop(question);
}

static struct live_question *question_new(struct gateway *gateway, bool (*answer)(struct live_part *part))
{
    size_t count = gateway->worker_count;
    struct live_question *question = calloc(1, sizeof(*question) + count * sizeof(question->parts[0]));
    if (!question)
        return NULL;
    pthread_mutex_init(&question->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&question->answered, &attributes);
    pthread_condattr_destroy(&attributes);
    question->answer = answer;
    question->references = 1;
    question->part_count = count;
    for (size_t i = 0; i < count; i++) {
        struct live_part *part = &question->parts[i];
        part->question = question;
        part->worker = &gateway->workers[i];
        part->message.on_delivery = on_question;
        list_init(&part->node);
        arena_init(&part->arena, NULL);
    }
    return question;
}

/* Posts the parts and waits. False when a worker did not answer in time. */
static bool question_ask(struct live_question *question)
{
    struct timespec end;
    int status = 0;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += LIVE_PATIENCE;
    question->references += (unsigned)question->part_count;
    question->open = (unsigned)question->part_count;
    for (size_t i = 0; i < question->part_count; i++)
        loop_post(&question->parts[i].worker->loop, &question->parts[i].message);
    pthread_mutex_lock(&question->lock);
    while (question->open > 0 && status == 0)
        status = pthread_cond_timedwait(&question->answered, &question->lock, &end);
    bool is_whole = question->open == 0;
    pthread_mutex_unlock(&question->lock);
    return is_whole;
}

/* ---- the snapshot ---- */

static bool part_grow(struct live_part *part)
{
    if (part->count < part->capacity)
        return true;
    size_t capacity = MAX(2 * part->capacity, 64);
    struct live_request *requests = realloc(part->requests, capacity * sizeof(*requests));
    if (!requests)
        return false;
    part->requests = requests;
    part->capacity = capacity;
    return true;
}

static void describe(const struct request *req, struct arena *arena, struct live_request *out)
{
    usec_t now = loop_now(&req->worker->loop);
    *out = (struct live_request){
        .id = req->number,
        .request_id = arena_dup(arena, req->id),
        .user = arena_dup(arena, req->user),
        .model = arena_dup(arena, req->model),
        .server = arena_dup(arena, req->server_name),
        .api = api_row(req->api)->text,
        .state = phase_names[req->phase],
        .hostgroup = req->route.group ? req->route.group->config->id : 0,
        .has_hostgroup = req->route.group != NULL,
        .is_stream = req->is_stream,
        .client = req->client,
        .attempts = req->attempts,
        .events = req->events,
        .bytes_out = req->bytes_out,
        .age = now - MIN(now, req->arrived_at),
        .first_byte = req->first_byte_at > req->arrived_at ? req->first_byte_at - req->arrived_at : 0,
    };
}

static bool answer_snapshot(struct live_part *part)
{
    struct worker *worker = part->worker;
    if (!list_is_linked(&part->node)) {
        list_push_back(&worker->live_parts, &part->node);
        part->at = worker->requests.next;
    }
    for (size_t n = 0; part->at != &worker->requests && n < LIVE_BATCH; n++, part->at = part->at->next) {
        part->is_short = part->is_short || !part_grow(part);
        if (!part->is_short)
            describe(LIST_ITEM(part->at, struct request, node), &part->arena, &part->requests[part->count++]);
    }
    if (part->at != &worker->requests)
        return false;
    list_remove(&part->node);
    return true;
}

void live_request_ends(struct worker *worker, struct request *req)
{
    LIST_EACH (node, &worker->live_parts) {
        struct live_part *part = LIST_ITEM(node, struct live_part, node);
        if (part->at == &req->node)
            part->at = req->node.next;
    }
}

/* The copies move to the caller's arena, texts too. */
static void take_over(struct arena *arena, struct live_request *out, const struct live_request *from)
{
    *out = *from;
    out->request_id = arena_dup(arena, from->request_id);
    out->user = arena_dup(arena, from->user);
    out->model = arena_dup(arena, from->model);
    out->server = arena_dup(arena, from->server);
}

enum err live_snapshot(struct gateway *gateway, struct arena *arena, struct live_request **ret_requests,
                       size_t *ret_count)
{
    *ret_requests = NULL;
    *ret_count = 0;
    struct live_question *question = question_new(gateway, answer_snapshot);
    if (!question)
        return ERR_NO_MEMORY;
    if (!question_ask(question)) { /* its parts are still the workers' */
        question_drop(question);
        return ERR_TIMEOUT;
    }
    enum err err = ERR_OK;
    size_t total = 0;
    for (size_t i = 0; i < question->part_count; i++) {
        total += question->parts[i].count;
        if (question->parts[i].is_short)
            err = ERR_NO_MEMORY;
    }
    struct live_request *requests = arena_take(arena, MAX(total, 1) * sizeof(*requests));
    if (!requests)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; i < question->part_count && err == ERR_OK; i++)
        for (size_t k = 0; k < question->parts[i].count; k++)
            take_over(arena, &requests[(*ret_count)++], &question->parts[i].requests[k]);
    *ret_requests = requests;
    question_drop(question);
    return err;
}

/* ---- ending one ---- */

static bool answer_kill(struct live_part *part)
{
    struct live_question *question = part->question;
    LIST_EACH (node, &part->worker->requests) {
        struct request *req = LIST_ITEM(node, struct request, node);
        bool is_meant = question->request_id.len > 0 ? str_eq(req->id, question->request_id)
                                                     : req->number == question->id;
        if (!is_meant)
            continue;
        request_abort(req, FAULT_KILLED);
        pthread_mutex_lock(&question->lock);
        question->is_found = true;
        pthread_mutex_unlock(&question->lock);
        break;
    }
    return true;
}

static bool kill_where(struct gateway *gateway, uint64_t id, struct str request_id)
{
    struct live_question *question = question_new(gateway, answer_kill);
    if (!question)
        return false;
    question->id = id;
    if (request_id.len > 0)
        question->request_id = (struct str){strndup(request_id.ptr, request_id.len), request_id.len};
    bool is_found = false;
    if (request_id.len == 0 || question->request_id.ptr) {
        question_ask(question);
        pthread_mutex_lock(&question->lock);
        is_found = question->is_found;
        pthread_mutex_unlock(&question->lock);
    }
    question_drop(question);
    return is_found;
}

bool live_kill(struct gateway *gateway, uint64_t id)
{
    return kill_where(gateway, id, STR_NONE);
}

bool live_kill_by_request_id(struct gateway *gateway, struct str request_id)
{
    return request_id.len > 0 && kill_where(gateway, 0, request_id);
}
