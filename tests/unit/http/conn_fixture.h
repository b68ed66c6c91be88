/* SPDX-License-Identifier: Apache-2.0 */
/* A service with a handler that writes down what it is told, and clients that are plain sockets in the same loop. */
#pragma once

#include "http/conn.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#define GIVE_UP (5 * USEC_PER_SEC)
#define TEXT STR("text/plain")

/* What the handler does with a request. */
enum manner {
    REPLY,         /* at once, with "METHOD TARGET body" */
    REPLY_AT_HEAD, /* "early", without waiting for the body */
    HOLD,          /* later, by the test */
};

static struct loop loop;
static struct body_pool bodies;
static struct http_service service;
static uv_timer_t kick; /* keeps a turn from sleeping while a test polls its plain sockets */
static enum manner manner;
static unsigned heads, requests, hangups, drains, bads, empties;
static int bad_status;
static struct http_conn *held;
static char request_line[256];
static struct buf seen; /* bodies, in order, each with ";" behind it */

struct client {
    int fd;
    struct buf got;
    bool saw_end, saw_reset;
};

static void on_head(struct http_conn *conn, const struct http_head *head)
{
    heads++;
    conn->request = conn;
    snprintf(request_line, sizeof(request_line), STR_FMT " " STR_FMT, STR_ARG(head->method),
             STR_ARG(head->target));
    if (manner == REPLY_AT_HEAD)
        http_conn_reply(conn, 401, TEXT, STR_NONE, STR("early"));
}

static void on_request(struct http_conn *conn)
{
    requests++;
    assert_ptr_equal(conn->request, conn);
    buf_add(&seen, body_str(&conn->body));
    buf_add_char(&seen, ';');
    held = conn;
    if (manner != REPLY)
        return;
    char text[512];
    int len = snprintf(text, sizeof(text), "%s %zu", request_line, conn->body.len);
    http_conn_reply(conn, 200, TEXT, STR_NONE, (struct str){text, (size_t)len});
}

static void on_hangup(struct http_conn *conn)
{
    assert_non_null(conn->request);
    hangups++;
    held = NULL;
}

static void on_drained(struct http_conn *conn)
{
    assert_non_null(conn->request);
    assert_false(http_conn_is_backed_up(conn));
    drains++;
}

static void on_bad(struct http_conn *conn, int status, const char *why)
{
    bads++;
    bad_status = status;
    http_conn_reply(conn, status, TEXT, STR_NONE, str_from(why));
}

static void on_empty(struct http_service *empty)
{
    (void)empty;
    empties++;
}

static const struct http_handler handler = {on_head, on_request, on_hangup, on_drained, on_bad};

static void on_kick(uv_timer_t *timer)
{
    (void)timer;
}

static void turn(void)
{
    uv_run(&loop.uv, UV_RUN_ONCE);
}

static void turns(unsigned count)
{
    while (count-- > 0)
        turn();
}

#define RUN_UNTIL(done)                                                                                      \
    do {                                                                                                     \
        usec_t give_up_at_ = clock_monotonic() + GIVE_UP;                                                    \
        while (!(done)) {                                                                                    \
            if (clock_monotonic() > give_up_at_)                                                             \
                fail_msg("never came: %s", #done);                                                           \
            turn();                                                                                          \
        }                                                                                                    \
    } while (0)

/* A connection over the loopback: resets and buffer limits are those of TCP. */
static struct client client_open(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(address);
    struct address peer;
    struct client client = {.fd = socket(AF_INET, SOCK_STREAM, 0)};
    int listening = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listening, (struct sockaddr *)&address, size) | listen(listening, 1), 0);
    getsockname(listening, (struct sockaddr *)&address, &size);
    assert_int_equal(connect(client.fd, (struct sockaddr *)&address, size), 0);
    int fd = accept(listening, NULL, NULL);
    close(listening);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    assert_true(address_parse(STR("127.0.0.1"), 1, &peer));
    http_service_accept(&service, fd, &peer, NULL, NULL);
    buf_init(&client.got, 64 << 20);
    return client;
}

static void client_send(struct client *client, struct str bytes)
{
    while (bytes.len > 0) {
        ssize_t n = send(client->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
        if (n < 0)
            return;
        bytes = str_from_offset(bytes, (size_t)n);
    }
}

static void client_read(struct client *client)
{
    char bytes[65536];
    for (ssize_t n; (n = recv(client->fd, bytes, sizeof(bytes), MSG_DONTWAIT)) != -1 || errno != EAGAIN;) {
        if (n <= 0) {
            client->saw_end |= n == 0;
            client->saw_reset |= n < 0;
            return;
        }
        buf_add(&client->got, (struct str){bytes, (size_t)n});
    }
}

static bool client_has(struct client *client, const char *text)
{
    client_read(client);
    return str_find(buf_str(&client->got), str_from(text)) >= 0;
}

static bool client_is_left(struct client *client)
{
    client_read(client);
    return client->saw_end || client->saw_reset;
}

static unsigned client_count(struct client *client, const char *text)
{
    unsigned count = 0;
    client_read(client);
    struct str rest = buf_str(&client->got);
    for (ssize_t at; (at = str_find(rest, str_from(text))) >= 0; count++)
        rest = str_from_offset(rest, (size_t)at + strlen(text));
    return count;
}

static void client_close(struct client *client)
{
    close(client->fd);
    buf_free(&client->got);
    RUN_UNTIL(service.conn_count == 0);
}

static int service_begin(void **state)
{
    (void)state;
    manner = REPLY;
    heads = requests = hangups = drains = bads = empties = 0;
    bad_status = 0;
    held = NULL;
    if (loop_init(&loop) != ERR_OK)
        return -1;
    uv_timer_init(&loop.uv, &kick);
    uv_timer_start(&kick, on_kick, 1, 1);
    buf_init(&seen, 64 << 20);
    body_pool_init(&bodies, 1 << 20);
    http_service_init(&service, &loop, &handler, &bodies, NULL);
    service.on_empty = on_empty;
    service.limits = (struct http_conn_limits){
        .head = {.line_bytes = 1024, .head_bytes = 4096, .field_count = 32},
        .body_bytes = 32 << 20,
        .head_timeout = 3 * USEC_PER_SEC,
        .body_timeout = 3 * USEC_PER_SEC,
        .idle_timeout = 3 * USEC_PER_SEC,
        .write_timeout = 3 * USEC_PER_SEC,
    };
    return 0;
}

static int service_end(void **state)
{
    (void)state;
    http_service_close_all(&service);
    RUN_UNTIL(service.conn_count == 0);
    uv_close((uv_handle_t *)&kick, NULL);
    loop_fini(&loop);
    buf_free(&seen);
    body_pool_fini(&bodies);
    return 0;
}
