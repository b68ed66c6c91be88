/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/net/loop.c"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define GIVE_UP 30 /* seconds; the alarm then ends the process, whatever it waits for */
#define SENDERS 4
#define SENT_EACH 2000

static struct loop loop;
static char said[64]; /* what happened, a letter each */

static void say(char what)
{
    size_t len = strlen(said);
    assert_true(len + 1 < sizeof(said));
    said[len] = what;
    said[len + 1] = '\0';
}

static int begin(void **state)
{
    (void)state;
    alarm(GIVE_UP);
    memset(said, 0, sizeof(said));
    if (loop_init(&loop) != ERR_OK)
        return -1;
    return 0;
}

static int end(void **state)
{
    (void)state;
    loop_fini(&loop);
    alarm(0);
    return 0;
}

/* ---- messages ---- */

struct letter {
    struct message message;
    char name;
    struct letter *to_post, *to_unpost;
    bool ends_loop;
};

static void letter_on_delivery(struct message *message)
{
    struct letter *letter = CONTAINER_OF(message, struct letter, message);
    say(letter->name);
    if (letter->to_post)
        loop_post(&loop, &letter->to_post->message);
    if (letter->to_unpost)
        loop_unpost(&loop, &letter->to_unpost->message);
    if (letter->ends_loop)
        loop_stop(&loop);
}

static void letters_init(struct letter *letters, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        letters[i] = (struct letter){.message.on_delivery = letter_on_delivery, .name = (char)('a' + i)};
        list_init(&letters[i].message.node);
    }
}

static void test_mail_in_order(void **state)
{
    struct letter letters[5];
    (void)state;
    letters_init(letters, ARRAY_LEN(letters));
    letters[0].to_post = &letters[3]; /* behind those that wait already */
    letters[3].to_post = &letters[4];
    letters[4].ends_loop = true;
    for (size_t i = 0; i < 3; i++)
        loop_post(&loop, &letters[i].message);
    assert_string_equal(said, ""); /* never from within loop_post */
    loop_run(&loop);
    assert_string_equal(said, "abcde");
}

static void test_deliver_takes_what_is_there(void **state)
{
    struct letter letters[3];
    (void)state;
    letters_init(letters, ARRAY_LEN(letters));
    letters[0].to_post = &letters[2];
    loop_post(&loop, &letters[0].message);
    loop_post(&loop, &letters[1].message);
    loop_deliver(&loop);
    assert_string_equal(said, "ab"); /* mail that makes mail cannot hold its owner here */
    loop_deliver(&loop);
    assert_string_equal(said, "abc");
    loop_stop(&loop);
    loop_post(&loop, &letters[1].message);
    loop_run(&loop); /* has been stopped: mail is its owner's to deliver */
    assert_string_equal(said, "abc");
    loop_deliver(&loop);
    assert_string_equal(said, "abcb");
}

static void test_unpost(void **state)
{
    struct letter letters[5];
    (void)state;
    letters_init(letters, ARRAY_LEN(letters));
    letters[0].to_unpost = &letters[1]; /* not delivered yet, though no longer in the mailbox */
    letters[2].to_unpost = &letters[0]; /* delivered: harmless */
    letters[4].ends_loop = true;
    for (size_t i = 0; i < ARRAY_LEN(letters); i++)
        loop_post(&loop, &letters[i].message);
    loop_unpost(&loop, &letters[3].message);
    loop_unpost(&loop, &letters[3].message);
    loop_run(&loop);
    assert_string_equal(said, "ace");
}

struct parcel {
    struct message message;
    unsigned sender, number;
};

static struct parcel parcels[SENDERS][SENT_EACH];
static unsigned expected[SENDERS], received;
static pthread_t receiver;

static void parcel_on_delivery(struct message *message)
{
    struct parcel *parcel = CONTAINER_OF(message, struct parcel, message);
    assert_true(pthread_equal(pthread_self(), receiver));
    assert_int_equal(parcel->number, expected[parcel->sender]);
    expected[parcel->sender]++;
    if (++received == SENDERS * SENT_EACH)
        loop_stop(&loop);
}

static void *sender_run(void *argument)
{
    struct parcel *own = argument;
    for (unsigned i = 0; i < SENT_EACH; i++)
        loop_post(&loop, &own[i].message);
    return NULL;
}

static void test_mail_from_other_threads(void **state)
{
    pthread_t senders[SENDERS];
    (void)state;
    receiver = pthread_self();
    received = 0;
    for (unsigned s = 0; s < SENDERS; s++) {
        expected[s] = 0;
        for (unsigned i = 0; i < SENT_EACH; i++)
            parcels[s][i] = (struct parcel){{.on_delivery = parcel_on_delivery}, s, i};
        assert_int_equal(pthread_create(&senders[s], NULL, sender_run, parcels[s]), 0);
    }
    loop_run(&loop); /* asleep or not, it is woken */
    for (unsigned s = 0; s < SENDERS; s++) {
        pthread_join(senders[s], NULL);
        assert_int_equal(expected[s], SENT_EACH);
    }
}

/* ---- tasks ---- */

struct chore {
    struct task task;
    char name;
    struct chore *to_defer, *to_cancel;
};

static void chore_run(struct task *task)
{
    struct chore *chore = CONTAINER_OF(task, struct chore, task);
    say(chore->name);
    if (chore->to_defer)
        loop_defer(&loop, &chore->to_defer->task);
    if (chore->to_cancel)
        task_cancel(&chore->to_cancel->task);
    chore->to_defer = chore->to_cancel = NULL;
}

static void chores_init(struct chore *chores, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        chores[i] = (struct chore){.name = (char)('a' + i)};
        task_init(&chores[i].task, chore_run);
    }
}

static void test_tasks(void **state)
{
    struct chore chores[6];
    (void)state;
    chores_init(chores, ARRAY_LEN(chores));
    chores[0].to_defer = &chores[4];
    chores[1].to_cancel = &chores[2];
    chores[4].to_defer = &chores[4];
    for (size_t i = 0; i < 4; i++)
        loop_defer(&loop, &chores[i].task);
    loop_defer(&loop, &chores[0].task); /* is waiting already */
    loop_defer(&loop, &chores[5].task);
    task_cancel(&chores[5].task);
    assert_string_equal(said, "");
    uv_run(&loop.uv, UV_RUN_NOWAIT);
    assert_string_equal(said, "abdee"); /* what tasks defer belongs to the same turn, behind the others */
    uv_run(&loop.uv, UV_RUN_NOWAIT);
    assert_string_equal(said, "abdee");
}

/* ---- timers ---- */

struct alarm_clock {
    struct wheel_timer timer;
    char name;
    usec_t deadline;
    unsigned rings_left;
    bool ends_loop;
};

static void clock_set(struct alarm_clock *clock, usec_t delay)
{
    clock->deadline = loop_now(&loop) + delay;
    timer_start(&loop, &clock->timer, delay);
}

static void clock_on_due(struct wheel_timer *timer)
{
    struct alarm_clock *clock = CONTAINER_OF(timer, struct alarm_clock, timer);
    assert_true(loop_now(&loop) >= clock->deadline); /* never early */
    say(clock->name);
    if (clock->rings_left > 0) {
        clock->rings_left--;
        clock_set(clock, USEC_PER_MSEC);
    } else if (clock->ends_loop) {
        loop_stop(&loop);
    }
}

static void clock_init(struct alarm_clock *clock, char name)
{
    *clock = (struct alarm_clock){.name = name};
    wheel_timer_init(&clock->timer, clock_on_due);
}

/* Nothing but the timers wakes this loop. */
static void test_timers_wake_the_loop(void **state)
{
    struct alarm_clock a, b, c, d;
    usec_t began = clock_monotonic();
    (void)state;
    clock_init(&a, 'a'), clock_init(&b, 'b'), clock_init(&c, 'c'), clock_init(&d, 'd');
    clock_set(&a, 60 * USEC_PER_MSEC);
    clock_set(&b, 30 * USEC_PER_MSEC); /* earlier than the alarm that is set */
    clock_set(&c, 10 * USEC_PER_MSEC);
    clock_set(&d, 20 * USEC_PER_MSEC);
    timer_stop(&loop, &c.timer); /* its alarm rings for nothing */
    clock_set(&d, 90 * USEC_PER_MSEC);
    d.rings_left = 4; /* sets itself anew */
    d.ends_loop = true;
    loop_run(&loop);
    assert_string_equal(said, "baddddd");
    assert_true(clock_monotonic() - began >= 90 * USEC_PER_MSEC);
}

/* ---- the turn ---- */

static int pipe_ends[2];
static uv_poll_t poll_handle;
static struct alarm_clock turn_clock;
static struct chore turn_chore;

static void on_closed(uv_handle_t *handle)
{
    (void)handle;
    say('c');
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    say('s');
    uv_close((uv_handle_t *)poll, on_closed);
    loop_defer(&loop, &turn_chore.task);
    while (clock_monotonic() < turn_clock.deadline + 2 * WHEEL_TICK) /* it falls due within this turn */
        continue;
}

static void test_order_of_a_turn(void **state)
{
    (void)state;
    assert_int_equal(pipe(pipe_ends), 0);
    assert_int_equal(write(pipe_ends[1], "x", 1), 1);
    uv_poll_init(&loop.uv, &poll_handle, pipe_ends[0]);
    uv_poll_start(&poll_handle, UV_READABLE, on_readable);
    clock_init(&turn_clock, 't');
    clock_set(&turn_clock, 0);
    chores_init(&turn_chore, 1);
    turn_chore.name = 'd';
    uv_run(&loop.uv, UV_RUN_ONCE);
    assert_string_equal(said, "stdc");
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

static void test_settle(void **state)
{
    struct letter letter;
    uv_timer_t other;
    (void)state;
    loop_settle(&loop); /* returns, though handles are open */
    uv_timer_init(&loop.uv, &other);
    uv_close((uv_handle_t *)&other, on_closed);
    loop_settle(&loop);
    assert_string_equal(said, "c");
    letters_init(&letter, 1); /* the loop goes on */
    letter.ends_loop = true;
    loop_post(&loop, &letter.message);
    loop_run(&loop);
    assert_string_equal(said, "ca");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_mail_in_order),   TEST(test_deliver_takes_what_is_there),
        TEST(test_unpost),          TEST(test_mail_from_other_threads),
        TEST(test_tasks),           TEST(test_timers_wake_the_loop),
        TEST(test_order_of_a_turn), TEST(test_settle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
