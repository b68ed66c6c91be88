/* SPDX-License-Identifier: Apache-2.0 */
#include "net/loop.h"

#include <stdlib.h>

static void loop_on_alarm(uv_timer_t *alarm)
{
    struct loop *loop = alarm->data;
    loop->alarm_at = USEC_FOREVER; /* the wheel itself advances after the poll phase */
}

/* Last thing before the loop sleeps: have it woken for the wheel's next deadline. An alarm that is too early is left
 * to ring: timers that restart all the time (one an event) would otherwise move it at every turn. */
static void loop_before_poll(uv_prepare_t *handle)
{
    struct loop *loop = handle->data;
    usec_t next = wheel_next(&loop->wheel);
    if (next >= loop->alarm_at)
        return;
    loop->alarm_at = next;
    uv_update_time(&loop->uv);
    usec_t now = clock_monotonic();
    usec_t wait = next > now ? next - now : 0;
    uv_timer_start(&loop->alarm, loop_on_alarm, (wait + USEC_PER_MSEC - 1) / USEC_PER_MSEC, 0);
}

static void loop_run_tasks(struct loop *loop)
{
    struct list tasks;
    list_init(&tasks);
    list_splice_back(&tasks, &loop->tasks); /* a task that defers another leaves it for the next round */
    for (struct list *node; (node = list_pop_front(&tasks));) {
        struct task *task = LIST_ITEM(node, struct task, node);
        task->run(task);
    }
}

static void loop_after_poll(uv_check_t *handle)
{
    struct loop *loop = handle->data;
    loop->now = clock_monotonic();
    wheel_advance(&loop->wheel, loop->now);
    while (!list_is_empty(&loop->tasks))
        loop_run_tasks(loop);
}

void loop_deliver(struct loop *loop)
{
    struct list mail;
    list_init(&mail);
    pthread_mutex_lock(&loop->mail_lock);
    list_splice_back(&mail, &loop->mail);
    pthread_mutex_unlock(&loop->mail_lock);
    loop->now = clock_monotonic();
    for (struct list *node; (node = list_pop_front(&mail));) {
        struct message *message = LIST_ITEM(node, struct message, node);
        message->on_delivery(message);
    }
}

static void loop_on_wake(uv_async_t *wake)
{
    loop_deliver(wake->data);
}

enum err loop_init(struct loop *loop)
{
    *loop = (struct loop){.now = clock_monotonic(), .alarm_at = USEC_FOREVER};
    loop->scratch = calloc(1, LOOP_SCRATCH_SIZE + LOOP_SCRATCH_PADDING);
    if (!loop->scratch)
        return ERR_NO_MEMORY;
    if (uv_loop_init(&loop->uv) != 0) {
        free(loop->scratch);
        return ERR_SYSTEM;
    }
    loop->before_poll.data = loop->after_poll.data = loop->alarm.data = loop->wake.data = loop;
    list_init(&loop->mail);
    list_init(&loop->tasks);
    wheel_init(&loop->wheel, loop->now);
    pthread_mutex_init(&loop->mail_lock, NULL);
    uv_prepare_init(&loop->uv, &loop->before_poll);
    uv_prepare_start(&loop->before_poll, loop_before_poll);
    uv_check_init(&loop->uv, &loop->after_poll);
    uv_check_start(&loop->after_poll, loop_after_poll);
    uv_timer_init(&loop->uv, &loop->alarm);
    uv_async_init(&loop->uv, &loop->wake, loop_on_wake);
    return ERR_OK;
}

void loop_run(struct loop *loop)
{
    while (!loop->is_stopping)
        uv_run(&loop->uv, UV_RUN_ONCE);
}

void loop_settle(struct loop *loop)
{
    while (loop->uv.closing_handles)
        uv_run(&loop->uv, UV_RUN_NOWAIT);
}

void loop_stop(struct loop *loop)
{
    loop->is_stopping = true;
}

void loop_fini(struct loop *loop)
{
    uv_close((uv_handle_t *)&loop->before_poll, NULL);
    uv_close((uv_handle_t *)&loop->after_poll, NULL);
    uv_close((uv_handle_t *)&loop->alarm, NULL);
    uv_close((uv_handle_t *)&loop->wake, NULL);
    uv_run(&loop->uv, UV_RUN_DEFAULT); /* lets every closing handle finish */
    ASSERT(uv_loop_close(&loop->uv) == 0);
    pthread_mutex_destroy(&loop->mail_lock);
    free(loop->scratch);
}

void loop_post(struct loop *loop, struct message *message)
{
    pthread_mutex_lock(&loop->mail_lock);
    list_push_back(&loop->mail, &message->node);
    pthread_mutex_unlock(&loop->mail_lock);
    uv_async_send(&loop->wake);
}

void loop_unpost(struct loop *loop, struct message *message)
{
    /* It is in the shared list, or in the one that loop_deliver works off: on this thread too. */
    pthread_mutex_lock(&loop->mail_lock);
    list_remove(&message->node);
    pthread_mutex_unlock(&loop->mail_lock);
}

void task_init(struct task *task, void (*run)(struct task *task))
{
    list_init(&task->node);
    task->run = run;
}

void loop_defer(struct loop *loop, struct task *task)
{
    if (!list_is_linked(&task->node))
        list_push_back(&loop->tasks, &task->node);
}

void task_cancel(struct task *task)
{
    list_remove(&task->node);
}
