/* SPDX-License-Identifier: Apache-2.0 */
#include "route/pick.h"

void tried_add(struct tried_servers *tried, const struct server *server)
{
    if (tried->count < TRIED_MAX && !tried_has(tried, server))
        tried->servers[tried->count++] = server;
}

bool tried_has(const struct tried_servers *tried, const struct server *server)
{
    for (size_t i = 0; i < tried->count; i++)
        if (tried->servers[i] == server)
            return true;
    return false;
}

/* What one look over the tried or over the untried candidates found. */
struct survey {
    size_t ready_count; /* their list is in set->ready */
    size_t full_count;
    usec_t back_at, pause_over;
    const struct server *blocker;
    struct server_view blocker_view;
};

static bool is_nearer(const struct server_view *a, const struct server_view *b)
{
    return a->availability != b->availability ? a->availability < b->availability : a->back_at < b->back_at;
}

static void survey_note(struct survey *survey, struct candidate *candidate, struct candidate_set *set,
                        const struct server_view *view)
{
    if (view->availability == SERVER_READY) {
        set->ready[survey->ready_count++] = candidate;
        return;
    }
    if (view->availability == SERVER_FULL)
        survey->full_count++;
    else
        survey->back_at = MIN(survey->back_at, view->back_at);
    if (view->is_pause)
        survey->pause_over = MIN(survey->pause_over, view->back_at);
    if (!survey->blocker || is_nearer(view, &survey->blocker_view)) {
        survey->blocker = candidate->server;
        survey->blocker_view = *view;
    }
}

static struct survey survey_make(const struct pick_question *question, bool tried)
{
    struct survey survey = {.back_at = USEC_FOREVER, .pause_over = USEC_FOREVER};
    struct candidate_set *set = question->candidates.set;
    for (size_t i = 0; i < set->count; i++) {
        struct server *server = set->members[i].server;
        if (!candidates_have(&question->candidates, server) || tried_has(question->tried, server) != tried)
            continue;
        struct server_view view = server_look(server, question->now, question->limits);
        survey_note(&survey, &set->members[i], set, &view);
    }
    return survey;
}

static void take_one(const struct pick_question *question, size_t ready_count, struct server_grant *ret_grant)
{
    struct candidate_set *set = question->candidates.set;
    struct strategy_choice choice = {
        .set = set,
        .ready = set->ready,
        .ready_count = ready_count,
        .now = question->now,
        .rng = question->rng,
    };
    struct candidate *chosen = question->strategy->pick(&choice);
    server_acquire(chosen->server, question->now, question->limits, ret_grant);
}

/* Names the nearest of what both looks found; `other` may be NULL. */
static void answer_block(struct pick_answer *answer, const struct survey *survey, const struct survey *other)
{
    const struct survey *nearest = survey;
    answer->back_at = survey->back_at;
    answer->pause_over = survey->pause_over;
    if (other) {
        answer->back_at = MIN(answer->back_at, other->back_at);
        answer->pause_over = MIN(answer->pause_over, other->pause_over);
        if (other->blocker && (!survey->blocker || is_nearer(&other->blocker_view, &survey->blocker_view)))
            nearest = other;
    }
    if (!nearest->blocker)
        return;
    answer->blocker = nearest->blocker;
    answer->reason = nearest->blocker_view.reason;
}

enum pick_verdict pick_choose(const struct pick_question *question, struct pick_answer *ret_answer)
{
    *ret_answer =
        (struct pick_answer){.back_at = USEC_FOREVER, .pause_over = USEC_FOREVER, .reason = "no server"};
    struct survey fresh = survey_make(question, false);
    if (fresh.ready_count > 0) {
        take_one(question, fresh.ready_count, &ret_answer->grant);
        return PICK_SERVER;
    }
    struct survey tried = survey_make(question, true);
    if (tried.ready_count > 0 && question->allow_tried) {
        take_one(question, tried.ready_count, &ret_answer->grant);
        return PICK_SERVER;
    }
    /* Who waits for an untried server does not care for the others. */
    bool tried_matters = question->allow_tried || fresh.full_count == 0;
    answer_block(ret_answer, &fresh, tried_matters ? &tried : NULL);
    if (fresh.full_count > 0)
        return PICK_WAIT;
    if (tried.ready_count + tried.full_count == 0)
        return PICK_NONE;
    return question->allow_tried ? PICK_WAIT : PICK_ONLY_TRIED;
}
