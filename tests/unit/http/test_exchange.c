/* SPDX-License-Identifier: Apache-2.0 */
/* Answers: every shape, cut at every byte, with every end. Connections and time limits: test_exchange_life.c. */
#include "../../../src/http/exchange.c"

#include "exchange_fixture.h"

static const struct answer {
    const char *bytes;
    bool then_close;
    int status;
    const char *text;
    bool is_kept; /* the connection is used again */
} answers[] = {
    {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", false, 200, "hello", true},
    {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, 200, "", true},
    {"HTTP/1.1 204 No Content\r\n\r\n", false, 204, "", true},
    {"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", false, 304, "", true},
    {"HTTP/1.1 500 Oops\r\nContent-Length: 3\r\n\r\nerr", false, 500, "err", true},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: v\r\n\r\n",
     false, 200, "abcde", true},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false, 200, "", true},
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 "
     "OK\r\nContent-Length: "
     "2\r\n\r\nok",
     false, 200, "ok", true},
    {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", false, 200, "ok", false},
    {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", false, 200, "ok", false},
    {"HTTP/1.1 200 OK\r\n\r\nup to the end", true, 200, "up to the end", false},
};

static void finish_trial(struct trial *trial, const struct answer *answer)
{
    assert_answer(trial, ERR_OK, answer->status, str_from(answer->text));
    assert_int_equal(origin.idle_count, answer->is_kept);
    trial_end(trial);
    while (!list_is_empty(&origin.idle)) /* a fresh connection for each trial */
        upstream_close(LIST_ITEM(origin.idle.next, struct upstream_conn, node));
}

/* Frees a server's connection slot. */
static void forget_peers(void)
{
    for (size_t i = 0; i < peer_count; i++) {
        peer_close(&peers[i]);
        buf_free(&peers[i].got);
    }
    peer_count = 0;
}

static void test_answers_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        struct trial *trial = trial_new((struct trial){0});
        struct str piece = str_from(answers[i].bytes);
        trial_run(trial, 0, &piece, 1, answers[i].then_close);
        finish_trial(trial, &answers[i]);
        forget_peers();
    }
}

/* The views of on_data have to be good until on_turn or on_end has returned, wherever the answer is cut. */
static void test_answers_cut_at_every_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        for (size_t cut = 1; cut < strlen(answers[i].bytes); cut++) {
            struct trial *trial = trial_new((struct trial){0});
            struct str pieces[] = {{answers[i].bytes, cut}, str_from(answers[i].bytes + cut)};
            trial_run(trial, 0, pieces, 2, answers[i].then_close);
            finish_trial(trial, &answers[i]);
            forget_peers();
        }
    }
}

static void test_answers_byte_by_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        struct trial *trial = trial_new((struct trial){0});
        struct str pieces[256];
        size_t count = strlen(answers[i].bytes);
        for (size_t at = 0; at < count; at++)
            pieces[at] = (struct str){answers[i].bytes + at, 1};
        trial_run(trial, 0, pieces, count, answers[i].then_close);
        finish_trial(trial, &answers[i]);
        forget_peers();
    }
}

/* The server dies at every byte: never a clean end but for a body that the end delimits. */
static void test_answers_cut_short(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        if (answers[i].then_close)
            continue;
        for (size_t cut = 0; cut < strlen(answers[i].bytes); cut += 3) {
            for (int reset = 0; reset < 2; reset++) {
                struct trial *trial = trial_new((struct trial){0});
                trial_start(trial, REQUEST);
                struct peer *peer = await_request(0, REQUEST);
                peer_send(peer, (struct str){answers[i].bytes, cut});
                if (reset)
                    peer_reset(peer);
                else
                    peer_close(peer);
                RUN_UNTIL(trial->ends == 1);
                assert_int_equal(trial->err, ERR_CLOSED);
                assert_int_equal(origin.idle_count, 0);
                trial_end(trial);
                forget_peers();
            }
        }
    }
}

static void test_bad_answers(void **state)
{
    static const struct {
        const char *bytes;
        enum err err;
    } rows[] = {
        {"nonsense\r\n\r\n", ERR_PROTOCOL},
        {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", ERR_PROTOCOL},
        {"HTTP/2 200 OK\r\n\r\n", ERR_PROTOCOL},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", ERR_PROTOCOL},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", ERR_PROTOCOL},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", ERR_PROTOCOL},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n", ERR_PROTOCOL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct trial *trial = trial_new((struct trial){0});
        struct str piece = str_from(rows[i].bytes);
        trial_run(trial, 0, &piece, 1, false);
        assert_int_equal(trial->ends, 1);
        assert_int_equal(trial->err, rows[i].err);
        RUN_UNTIL(peer_is_left(&peers[0])); /* such a connection is not used again */
        assert_int_equal(origin.idle_count, 0);
        trial_end(trial);
        forget_peers();
    }
}

static void test_endless_head(void **state)
{
    static char junk[3000];
    struct trial *trial = trial_new((struct trial){0});
    (void)state;
    trial_start(trial, REQUEST);
    struct peer *peer = await_request(0, REQUEST);
    peer_send(peer, STR("HTTP/1.1 200 OK\r\n"));
    memset(junk, 'a', sizeof(junk));
    memcpy(junk, "X: ", 3);
    memcpy(junk + sizeof(junk) - 2, "\r\n", 2);
    for (unsigned i = 0; i < 5 && trial->ends == 0; i++) {
        peer_send(peer, (struct str){junk, sizeof(junk)});
        turn();
    }
    RUN_UNTIL(trial->ends == 1);
    assert_true(trial->err == ERR_PROTOCOL || trial->err == ERR_LIMIT);
    trial_end(trial);
}

/* Bytes behind the message: the answer counts, the connection does not. */
static void test_surplus_bytes(void **state)
{
    struct trial *trial = trial_new((struct trial){0});
    struct str piece = STR("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n");
    (void)state;
    trial_run(trial, 0, &piece, 1, false);
    assert_answer(trial, ERR_OK, 200, STR("ok"));
    assert_int_equal(origin.idle_count, 0);
    trial_end(trial);
}

static void test_head_request(void **state)
{
    struct trial *trial = trial_new((struct trial){0});
    struct str request = STR("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
    struct iovec piece = {.iov_base = (void *)(uintptr_t)request.ptr, .iov_len = request.len};
    (void)state;
    buf_init(&trial->text, 100);
    exchange_start(&trial->exchange, &origin, &trial_handler, true, &piece, 1);
    struct peer *peer = await_request(0, request);
    peer_send(peer, STR("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"));
    RUN_UNTIL(trial->ends == 1);
    assert_answer(trial, ERR_OK, 200, STR(""));
    assert_int_equal(origin.idle_count, 1);
    trial_end(trial);
}

static void test_cancel_in_each_callback(void **state)
{
    static const char *const shapes[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\nhello",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
        for (enum moment at = ON_HEAD; at <= ON_TURN; at++) {
            bool ends_first = at == ON_TURN && (i == 1 || i == 3);
            for (size_t cut = 0; cut < 2; cut++) { /* the head alone first, or all at once */
                struct trial *trial = trial_new((struct trial){.cancel_at = at});
                size_t head = (size_t)(strstr(shapes[i], "\r\n\r\n") - shapes[i]) + 4;
                struct str pieces[] = {{shapes[i], cut ? head - 1 : strlen(shapes[i])},
                                       str_from(cut ? shapes[i] + head - 1 : "")};
                trial_run(trial, 0, pieces, 2, false);
                assert_int_equal(trial->ends, ends_first);
                assert_true(trial->datas <= (at == ON_HEAD ? 0u : at == ON_DATA ? 1u : 2u));
                if (!ends_first)
                    RUN_UNTIL(peer_is_left(&peers[0])); /* that is how the server learns */
                trial_end(trial);
                while (!list_is_empty(&origin.idle))
                    upstream_close(LIST_ITEM(origin.idle.next, struct upstream_conn, node));
                forget_peers();
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_answers_whole, upstream_begin, upstream_end),
        cmocka_unit_test_setup_teardown(test_answers_cut_at_every_byte, upstream_begin, upstream_end),
        cmocka_unit_test_setup_teardown(test_answers_byte_by_byte, upstream_begin, upstream_end),
        cmocka_unit_test_setup_teardown(test_answers_cut_short, upstream_begin, upstream_end),
        cmocka_unit_test_setup_teardown(test_bad_answers, upstream_begin, upstream_end),
        cmocka_unit_test_setup_teardown(test_endless_head, upstream_begin, upstream_end),
        cmocka_unit_test_setup_teardown(test_surplus_bytes, upstream_begin, upstream_end),
        cmocka_unit_test_setup_teardown(test_head_request, upstream_begin, upstream_end),
        cmocka_unit_test_setup_teardown(test_cancel_in_each_callback, upstream_begin, upstream_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
