/* SPDX-License-Identifier: Apache-2.0 */
/* One thread's event loop over libuv: timers on a wheel, messages from other threads, work for the end of the turn,
 * and one scratch buffer that reads share.
 *
 * A turn: sockets (libuv's poll phase) -> due timers -> deferred tasks -> closing. Objects are freed in the last two
 * phases only, so no callback meets a freed one. Everything here belongs to the loop's thread but loop_post. */
#pragma once

#include "base/err.h"
#include "base/list.h"
#include "base/wheel.h"

#include <pthread.h>
#include <uv.h>

#define LOOP_SCRATCH_SIZE ((size_t)65536)
#define LOOP_SCRATCH_PADDING ((size_t)64) /* readable behind it, for SIMD readers of what was received */

/* Crosses threads: ownership goes to the receiver, whose thread calls on_delivery. */
struct message {
    struct list node;
    void (*on_delivery)(struct message *message);
};

/* Runs once at the end of the present turn. */
struct task {
    struct list node;
    void (*run)(struct task *task);
};

struct loop {
    uv_loop_t uv;
    uv_prepare_t before_poll;
    uv_check_t after_poll;
    uv_timer_t alarm; /* armed for the wheel's next deadline */
    usec_t alarm_at;
    uv_async_t wake;
    pthread_mutex_t mail_lock;
    struct list mail; /* of struct message, under mail_lock */
    struct list tasks;
    struct wheel wheel;
    usec_t now;
    bool is_stopping;
    char *scratch; /* LOOP_SCRATCH_SIZE bytes; valid within one callback */
};

MUST_USE enum err loop_init(struct loop *loop);

/* All handles have been closed by their owners before. */
void loop_fini(struct loop *loop);

/* Lets closing handles finish, without ending the loop. */
void loop_settle(struct loop *loop);

/* Runs until loop_stop and until all handles of others are closed. */
void loop_run(struct loop *loop);

/* Ends loop_run after this turn; what is open then is the caller's to close before loop_fini. */
void loop_stop(struct loop *loop);

/* Microseconds of CLOCK_MONOTONIC, read once per socket event or timer round. */
static inline usec_t loop_now(const struct loop *loop)
{
    return loop->now;
}

/* Any thread. */
void loop_post(struct loop *loop, struct message *message);

/* Calls on_delivery of everything posted so far. The loop does it itself while it runs; its owner does once it has ended. */
void loop_deliver(struct loop *loop);

/* The loop's own thread: takes back a message to it that has not been delivered; harmless when it has. */
void loop_unpost(struct loop *loop, struct message *message);

void task_init(struct task *task, void (*run)(struct task *task));

/* Harmless when it is already waiting. */
void loop_defer(struct loop *loop, struct task *task);
void task_cancel(struct task *task);

static inline void timer_start(struct loop *loop, struct wheel_timer *timer, usec_t delay)
{
    wheel_start(&loop->wheel, timer, loop->now + delay);
}

static inline void timer_stop(struct loop *loop, struct wheel_timer *timer)
{
    wheel_stop(&loop->wheel, timer);
}
