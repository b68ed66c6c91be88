/* SPDX-License-Identifier: Apache-2.0 */
/* When requests are sent, and the phases of a run: ramp, warm-up, measured time, end. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define TICK ((usec_t)100) /* of the open loop: finer than the wheel's millisecond */

/* ---- open loop ---- */

static usec_t planned_time(const struct load *load, uint64_t number)
{
    return load->plan_start + number * USEC_PER_SEC / load->options.rate;
}

/* Sends what is due, as far as there are idle connections; the rest waits, and its waiting counts. */
static void plan_send_due(struct load *load)
{
    usec_t since = loop_now(&load->loop) - load->plan_start;
    load->planned = since * load->options.rate / USEC_PER_SEC;
    while (load->begun < load->planned && !list_is_empty(&load->idle)) {
        struct client *client = LIST_ITEM(load->idle.next, struct client, node);
        client_send(client, planned_time(load, load->begun++));
    }
}

static void plan_on_tick(uv_poll_t *poll, int status, int events)
{
    struct load *load = poll->data;
    uint64_t expirations;
    (void)status;
    (void)events;
    load->loop.now = clock_monotonic();
    if (read(load->plan_fd, &expirations, sizeof(expirations)) > 0)
        plan_send_due(load);
}

static void plan_start_ticking(struct load *load)
{
    usec_t every = MAX(TICK, USEC_PER_SEC / load->options.rate);
    long nanos = (long)(MIN(every, USEC_PER_SEC - 1) * 1000);
    struct itimerspec spec = {.it_interval = {.tv_nsec = nanos}, .it_value = {.tv_nsec = nanos}};
    load->plan_start = loop_now(&load->loop);
    load->plan_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (load->plan_fd < 0 || timerfd_settime(load->plan_fd, 0, &spec, NULL) != 0) {
        perror("fairlead-load: timerfd");
        exit(1);
    }
    uv_poll_init(&load->loop.uv, &load->plan_poll, load->plan_fd);
    load->plan_poll.data = load;
    uv_poll_start(&load->plan_poll, UV_READABLE, plan_on_tick);
}

/* ---- any mode ---- */

void plan_on_idle(struct client *client)
{
    struct load *load = client->load;
    const struct load_options *options = &load->options;
    if (options->rate > 0) {
        list_push_back(&load->idle, &client->node);
        plan_send_due(load);
    } else if (options->hold_idle > 0 && client->was_used) {
        list_push_back(&load->idle, &client->node);
    } else {
        client_send(client, loop_now(&load->loop));
    }
}

static uint64_t wanted_connections(const struct load_options *options)
{
    if (options->hold_streams > 0)
        return options->hold_streams;
    return options->hold_idle > 0 ? options->hold_idle : options->connections;
}

/* ---- phases ---- */

static void count_timeouts(struct load *load)
{
    LIST_EACH (node, &load->busy) {
        const struct client *client = LIST_ITEM(node, struct client, node);
        if (client->state == CLIENT_WAITING &&
            client->planned_at + load->options.timeout < loop_now(&load->loop))
            load->measures.errors[VERIFY_TIMEOUT]++;
    }
}

static void measure_end(struct load *load)
{
    load->measure_end = loop_now(&load->loop);
    load->own_cpu = watch_cpu((uint64_t)getpid()) - load->own_cpu;
    for (size_t i = 0; i < load->options.watched_count; i++) {
        struct watch *watch = &load->watches[i];
        watch->cpu_end = watch_cpu(watch->pid);
        watch_memory(watch->pid, &watch->rss_plateau, &watch->pss_plateau);
    }
    load->open_at_end = load->open;
    load->under_way_at_end = load->under_way;
    count_timeouts(load);
    load->is_over = true;
    loop_stop(&load->loop);
}

static void measure_begin(struct load *load)
{
    struct measures *measures = &load->measures;
    load->is_measuring = true;
    measures->requests = measures->chunks = 0;
    histogram_clear(&measures->latency);
    histogram_clear(&measures->delay);
    histogram_clear(&measures->gap);
    load->own_cpu = watch_cpu((uint64_t)getpid());
    for (size_t i = 0; i < load->options.watched_count; i++)
        load->watches[i].cpu_start = watch_cpu(load->watches[i].pid);
    load->measure_start = loop_now(&load->loop);
    timer_start(&load->loop, &load->phase, load->options.duration);
}

static void plan_on_phase(struct wheel_timer *timer)
{
    struct load *load = CONTAINER_OF(timer, struct load, phase);
    if (load->is_measuring)
        measure_end(load);
    else
        measure_begin(load);
}

/* Opens as many connections as the ramp has come to. */
static void plan_on_ramp(struct wheel_timer *timer)
{
    struct load *load = CONTAINER_OF(timer, struct load, ramp);
    uint64_t wanted = wanted_connections(&load->options);
    usec_t since = loop_now(&load->loop) - load->plan_start;
    uint64_t due = since >= load->options.ramp ? wanted : wanted * since / load->options.ramp;
    while (load->ramped < due) {
        client_open(load);
        load->ramped++;
    }
    if (load->ramped < wanted)
        timer_start(&load->loop, &load->ramp, USEC_PER_MSEC);
}

void plan_start(struct load *load)
{
    request_build(&load->options, &load->request);
    load->number_at = request_number_at(&load->request);
    for (size_t i = 0; i < load->options.watched_count; i++) {
        struct watch *watch = &load->watches[i];
        watch->pid = load->options.watched[i];
        watch_memory(watch->pid, &watch->rss_before, &watch->pss_before);
    }
    load->plan_start = loop_now(&load->loop);
    wheel_timer_init(&load->phase, plan_on_phase);
    wheel_timer_init(&load->ramp, plan_on_ramp);
    timer_start(&load->loop, &load->phase, load->options.ramp + load->options.warm_up);
    plan_on_ramp(&load->ramp);
    if (load->options.rate > 0)
        plan_start_ticking(load);
}
