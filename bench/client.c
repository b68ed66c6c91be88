/* SPDX-License-Identifier: Apache-2.0 */
/* One connection's life: connect, send, head, body, and again. */
#include "load.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

#define HEAD_MAX ((size_t)65536)

static const struct http_limits head_limits = {
    .line_bytes = 16384, .head_bytes = HEAD_MAX, .field_count = 64};

static void client_write(struct client *client);

/* ---- the end ---- */

static void client_on_closed(struct sock *sock)
{
    struct client *client = CONTAINER_OF(sock, struct client, sock);
    struct load *load = client->load;
    buf_free(&client->partial);
    verify_end(&client->verify);
    free(client);
    if (!load->is_over)
        client_open(load);
}

static void client_close(struct client *client)
{
    if (client->state == CLIENT_CLOSED)
        return;
    if (client->state == CLIENT_WAITING || client->state == CLIENT_READING)
        client->load->under_way--;
    client->state = CLIENT_CLOSED;
    client->load->open--;
    list_remove(&client->node);
    sock_close(&client->sock);
}

static void client_fail(struct client *client, enum verify_result why)
{
    client->load->measures.errors[why]++;
    client_close(client);
}

/* ---- reading an answer ---- */

static void client_finish(struct client *client)
{
    struct load *load = client->load;
    bool is_stream = load->options.stream;
    enum verify_result result =
        verify_whole(&client->verify, is_stream, load->options.expect_events, &load->reference);
    if (result != VERIFY_OK) {
        client_fail(client, result);
        return;
    }
    if (!is_stream && !load->reference_is_complete && !verify_reference(buf_str(&load->reference))) {
        client_fail(client, VERIFY_CONTENT);
        return;
    }
    load->reference_is_complete = load->reference_is_complete || !is_stream;
    load->measures.requests++;
    usec_t now = loop_now(&load->loop);
    histogram_add(&load->measures.latency, now > client->planned_at ? now - client->planned_at : 0);
    if (!client->keep_alive) {
        client_close(client);
        return;
    }
    load->under_way--;
    client->state = CLIENT_IDLE;
    list_remove(&client->node);
    plan_on_idle(client);
}

static enum verify_result client_take_events(struct client *client, struct str data)
{
    struct measures *measures = &client->load->measures;
    usec_t now = loop_now(&client->load->loop);
    while (data.len > 0) {
        struct verify_event event;
        bool has_event = false;
        enum verify_result result = verify_stream(&client->verify, &data, now, &event, &has_event);
        if (result != VERIFY_OK)
            return result;
        if (!has_event)
            continue;
        measures->chunks++;
        if (event.stamp > 0)
            histogram_add(&measures->delay, now > event.stamp ? now - event.stamp : 0);
        if (event.before > 0)
            histogram_add(&measures->gap, now - event.before);
    }
    return VERIFY_OK;
}

static enum verify_result client_take_data(struct client *client, struct str data)
{
    struct load *load = client->load;
    if (load->options.stream)
        return client_take_events(client, data);
    return verify_document(&client->verify, data, &load->reference, load->reference_is_complete);
}

static void client_read_chunked(struct client *client, struct str bytes)
{
    for (;;) {
        struct str data = STR_NONE;
        switch (chunked_next(&client->chunked, &bytes, &data)) {
        case CHUNKED_MORE:
            return;
        case CHUNKED_BAD:
            client_fail(client, VERIFY_FRAMING);
            return;
        case CHUNKED_END:
            if (bytes.len > 0)
                client_fail(client, VERIFY_FRAMING);
            else
                client_finish(client);
            return;
        case CHUNKED_DATA:
            break;
        }
        enum verify_result result = client_take_data(client, data);
        if (result != VERIFY_OK) {
            client_fail(client, result);
            return;
        }
    }
}

static void client_read_body(struct client *client, struct str bytes)
{
    if (client->framing == HTTP_BODY_CHUNKED) {
        client_read_chunked(client, bytes);
        return;
    }
    bool is_sized = client->framing == HTTP_BODY_LENGTH;
    enum verify_result result =
        is_sized && bytes.len > client->left ? VERIFY_FRAMING : client_take_data(client, bytes);
    if (result != VERIFY_OK) {
        client_fail(client, result);
        return;
    }
    client->left -= is_sized ? bytes.len : 0;
    if (is_sized && client->left == 0)
        client_finish(client);
}

static void client_read_head(struct client *client, struct str bytes)
{
    struct http_head head;
    size_t length = 0;
    enum http_parse parse = http_parse_response(bytes, 0, false, &head_limits, &head, &length);
    if (parse == HTTP_PARSE_MORE) {
        if (client->partial.len == 0)
            buf_add(&client->partial, bytes);
        return;
    }
    if (parse == HTTP_PARSE_DONE && head.status < 200) { /* an interim answer: the real one follows */
        client_read_head(client, str_from_offset(bytes, length));
        return;
    }
    if (parse != HTTP_PARSE_DONE || head.status != 200) {
        client_fail(client, parse != HTTP_PARSE_DONE ? VERIFY_FRAMING : VERIFY_STATUS);
        return;
    }
    client->state = CLIENT_READING;
    client->keep_alive = head.keep_alive && head.framing != HTTP_BODY_TO_CLOSE;
    client->framing = (uint8_t)head.framing;
    client->left = head.content_length;
    client->chunked = (struct chunked){0};
    struct str rest = str_from_offset(bytes, length);
    if (rest.len > 0)
        client_read_body(client, rest);
}

static void client_on_bytes(struct client *client, struct str bytes)
{
    if (client->state == CLIENT_READING) {
        client_read_body(client, bytes);
    } else if (client->state != CLIENT_WAITING) {
        client_fail(client, VERIFY_FRAMING); /* nothing was asked */
    } else if (client->partial.len == 0) {
        client_read_head(client, bytes);
    } else {
        buf_add(&client->partial, bytes);
        client_read_head(client, buf_str(&client->partial));
        if (client->state != CLIENT_WAITING)
            buf_clear(&client->partial);
    }
}

static void client_on_eof(struct client *client)
{
    if (client->state == CLIENT_IDLE)
        client_close(client); /* a server may end an idle connection */
    else if (client->state == CLIENT_READING && client->framing == HTTP_BODY_TO_CLOSE)
        client_finish(client);
    else
        client_fail(client, client->state == CLIENT_CONNECTING ? VERIFY_CONNECT : VERIFY_CLOSED);
}

static void client_on_readable(struct client *client)
{
    char *scratch = client->load->loop.scratch;
    size_t n = 0;
    switch (sock_read(&client->sock, scratch, LOOP_SCRATCH_SIZE, &n)) {
    case IO_OK:
        client_on_bytes(client, (struct str){scratch, n});
        break;
    case IO_AGAIN:
        break;
    default:
        client_on_eof(client);
    }
}

/* ---- sending ---- */

static void client_on_connected(struct client *client)
{
    if (sock_error(&client->sock) != 0) {
        client_fail(client, VERIFY_CONNECT);
        return;
    }
    client->state = CLIENT_IDLE;
    sock_want(&client->sock, SOCK_READABLE);
    plan_on_idle(client);
}

static void client_on_event(struct sock *sock, unsigned events)
{
    struct client *client = CONTAINER_OF(sock, struct client, sock);
    if (client->state == CLIENT_CONNECTING) {
        client_on_connected(client);
        return;
    }
    if (events & SOCK_WRITABLE)
        client_write(client);
    if ((events & SOCK_READABLE) && client->state != CLIENT_CLOSED)
        client_on_readable(client);
}

static void client_write(struct client *client)
{
    const struct buf *request = &client->load->request;
    while (client->sent < request->len) {
        struct iovec piece = {.iov_base = request->ptr + client->sent,
                              .iov_len = request->len - client->sent};
        size_t n = 0;
        enum io io = sock_writev(&client->sock, &piece, 1, &n);
        if (io == IO_AGAIN)
            break;
        if (io != IO_OK) {
            client_fail(client, VERIFY_CLOSED);
            return;
        }
        client->sent += n;
    }
    sock_want(&client->sock, client->sent < request->len ? SOCK_READABLE | SOCK_WRITABLE : SOCK_READABLE);
}

void client_send(struct client *client, usec_t planned_at)
{
    list_remove(&client->node);
    list_push_back(&client->load->busy, &client->node);
    client->load->under_way++;
    client->state = CLIENT_WAITING;
    client->was_used = true;
    buf_clear(&client->partial); /* the head before, if it came in parts */
    client->planned_at = planned_at;
    client->sent = 0;
    if (client->load->options.unique)
        request_set_number(&client->load->request, client->load->number_at, ++client->load->number);
    verify_begin(&client->verify);
    client_write(client);
}

/* ---- the beginning ---- */

void client_open(struct load *load)
{
    int on = 1;
    const struct address *address = &load->options.address;
    struct client *client = calloc(1, sizeof(*client));
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (!client || fd < 0) {
        load->measures.errors[VERIFY_CONNECT]++;
        free(client);
        if (fd >= 0)
            close(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    int result = connect(fd, &address->any, address->size);
    bool is_under_way = result == 0 || errno == EINPROGRESS;
    if (!is_under_way)
        close(fd);
    if (!is_under_way ||
        sock_init(&client->sock, &load->loop, fd, client_on_event, client_on_closed) != ERR_OK) {
        load->measures.errors[VERIFY_CONNECT]++;
        free(client);
        return;
    }
    client->load = load;
    list_init(&client->node);
    buf_init(&client->partial, HEAD_MAX * 2);
    load->opened++;
    load->open++;
    sock_want(&client->sock, SOCK_WRITABLE);
}
