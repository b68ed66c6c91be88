/* SPDX-License-Identifier: Apache-2.0 */
/* An exchange whose callbacks are written down, and which does in each what a test asks for. */
#pragma once

#include "upstream_fixture.h"

#define REQUEST STR("POST /v1/x HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody")

/* Where a trial cancels its exchange. */
enum moment { NEVER, ON_HEAD, ON_DATA, ON_TURN };

struct trial {
    struct exchange exchange;
    struct buf text; /* body bytes, copied in on_turn and on_end: when their memory must still be good */
    struct str views[64];
    size_t view_count;
    int status;
    unsigned heads, datas, turns, ends, reads_in_turn;
    enum err err;
    enum moment cancel_at;
    bool pause_at_head;
};

/* Not on the stack: a test that fails leaves its exchange to the loop, which runs once more at the end. */
static struct trial trials[4];
static size_t trial_at;

static struct trial *trial_new(struct trial wishes)
{
    struct trial *trial = &trials[trial_at++ % ARRAY_LEN(trials)];
    *trial = wishes;
    return trial;
}

static struct trial *trial_of(struct exchange *exchange)
{
    return CONTAINER_OF(exchange, struct trial, exchange);
}

static void trial_cancel(struct trial *trial)
{
    exchange_cancel(&trial->exchange);
    assert_false(exchange_is_running(&trial->exchange));
}

/* What relaying does: views are passed on at the end of the turn. */
static void trial_take_views(struct trial *trial)
{
    for (size_t i = 0; i < trial->view_count; i++)
        buf_add(&trial->text, trial->views[i]);
    trial->view_count = 0;
}

static void on_head(struct exchange *exchange, const struct http_head *head)
{
    struct trial *trial = trial_of(exchange);
    assert_int_equal(trial->heads++, 0);
    assert_int_equal(trial->datas + trial->turns + trial->ends, 0);
    assert_true(head->status >= 200);
    trial->status = head->status;
    if (trial->pause_at_head)
        exchange_pause(exchange);
    if (trial->cancel_at == ON_HEAD)
        trial_cancel(trial);
}

static void on_data(struct exchange *exchange, struct str data)
{
    struct trial *trial = trial_of(exchange);
    assert_true(data.len > 0 && trial->heads == 1 && trial->ends == 0);
    assert_true(exchange_is_running(exchange));
    trial->datas++;
    if (trial->view_count == ARRAY_LEN(trial->views))
        trial_take_views(trial);
    trial->views[trial->view_count++] = data;
    if (trial->cancel_at == ON_DATA)
        trial_cancel(trial);
}

static void on_turn(struct exchange *exchange)
{
    struct trial *trial = trial_of(exchange);
    assert_true(trial->heads == 1 && trial->ends == 0 && exchange_is_running(exchange));
    trial->turns++;
    trial_take_views(trial);
    if (trial->cancel_at == ON_TURN)
        trial_cancel(trial);
}

static void on_end(struct exchange *exchange, enum err err)
{
    struct trial *trial = trial_of(exchange);
    assert_int_equal(trial->ends++, 0);
    assert_false(exchange_is_running(exchange));
    trial_take_views(trial);
    trial->err = err;
}

static const struct exchange_handler trial_handler = {on_head, on_data, on_turn, on_end};

static void trial_start(struct trial *trial, struct str request)
{
    struct iovec piece = {.iov_base = (void *)(uintptr_t)request.ptr, .iov_len = request.len};
    buf_init(&trial->text, 64 << 20);
    exchange_start(&trial->exchange, &origin, &trial_handler, false, &piece, 1);
    assert_true(exchange_is_running(&trial->exchange));
    assert_int_equal(trial->ends, 0); /* never from within exchange_start */
}

static void trial_end(struct trial *trial)
{
    exchange_cancel(&trial->exchange);
    buf_free(&trial->text);
}

/* Waits until the server holds connection `index` with the whole of `request`. */
static struct peer *await_request(size_t index, struct str request)
{
    RUN_UNTIL(peer_count > index);
    RUN_UNTIL(peer_has(&peers[index], request.len));
    assert_true(str_eq(buf_str(&peers[index].got), request));
    buf_clear(&peers[index].got);
    return &peers[index];
}

static void assert_answer(const struct trial *trial, enum err err, int status, struct str text)
{
    assert_int_equal(trial->ends, 1);
    assert_int_equal(trial->err, err);
    assert_int_equal(trial->status, status);
    if (!str_eq(buf_str(&trial->text), text))
        fail_msg("got \"" STR_FMT "\"", STR_ARG(buf_str(&trial->text)));
}

/* A whole exchange; the answer comes in the given pieces, a turn between each two. */
static void trial_run(struct trial *trial, size_t peer_index, const struct str *answer, size_t count,
                      bool then_close)
{
    trial_start(trial, REQUEST);
    struct peer *peer = await_request(peer_index, REQUEST);
    for (size_t i = 0; i < count && exchange_is_running(&trial->exchange); i++) {
        size_t before = trial->exchange.conn->in.len + trial->datas + trial->heads;
        peer_send(peer, answer[i]);
        for (unsigned n = 0; n < 3 && exchange_is_running(&trial->exchange); n++) {
            turn();
            if (trial->exchange.conn && trial->exchange.conn->in.len + trial->datas + trial->heads != before)
                break;
        }
    }
    if (then_close)
        peer_close(peer);
    RUN_UNTIL(!exchange_is_running(&trial->exchange));
}
