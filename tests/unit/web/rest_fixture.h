/* SPDX-License-Identifier: Apache-2.0 */
/* REST over real sockets on one loop, with a configuration in force and an engine that follows a script. Include behind
 * the source under test. */
#pragma once

#include "conf/load.h"
#include "web/rest.h"
#include "web/rest_request.h"

#include "fake_engine.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <unistd.h>

#define GIVE_UP (10 * USEC_PER_SEC)
#define ANSWER_ROOM ((size_t)32 << 20)

static struct loop loop;
static struct gateway gateway;
static struct rest rest;
static uv_timer_t kick; /* keeps a turn from sleeping while a test polls its plain sockets */
static struct buf answer;
static unsigned reloads;
static uint64_t generation;

static void on_kick(uv_timer_t *timer)
{
    (void)timer;
}

static void on_reload(void *context)
{
    assert_ptr_equal(context, &reloads);
    reloads++;
}

/* Puts a configuration with these words about the administrator in force. */
static void use_credential(const char *password, const char *hash)
{
    struct config *config;
    struct policy *policy;
    struct table *table, *old = gateway.table;
    assert_int_equal(config_defaults(&config), ERR_OK);
    config->settings.admin_password = arena_dup(&config->arena, str_from(password));
    config->settings.admin_password_hash = arena_dup(&config->arena, str_from(hash));
    assert_int_equal(policy_new(config, NULL, &policy), ERR_OK);
    assert_int_equal(gate_new_table(&gateway.gate, policy, old, ++generation, &table), ERR_OK);
    policy_unref(policy);
    gate_drop_table(&gateway.gate, old);
    gateway.table = table;
}

static int rest_begin(void **state)
{
    struct gateway_listener *listener = calloc(1, sizeof(*listener));
    (void)state;
    fake_reset();
    reloads = 0;
    if (gateway_init(&gateway) != ERR_OK)
        return -1;
    gateway.listeners = listener;
    gateway.listener_count = 1;
    *listener = (struct gateway_listener){.name = {"panel", 5}, .serves = SERVES_ADMIN | SERVES_METRICS};
    if (!address_parse(STR("127.0.0.1"), 0, &listener->address) ||
        listener_reserve(&listener->address, &listener->reserved_fd) != ERR_OK || loop_init(&loop) != ERR_OK)
        return -1;
    use_credential("", "");
    uv_timer_init(&loop.uv, &kick);
    uv_timer_start(&kick, on_kick, 1, 1);
    buf_init(&answer, ANSWER_ROOM);
    return rest_init(&rest, &loop, &gateway, NULL, on_reload, &reloads) == ERR_OK ? 0 : -1;
}

static int rest_end(void **state)
{
    (void)state;
    rest_fini(&rest);
    uv_close((uv_handle_t *)&kick, NULL);
    loop_settle(&loop);
    while (rest.service.conn_count > 0)
        uv_run(&loop.uv, UV_RUN_NOWAIT);
    rest_free(&rest);
    loop_fini(&loop);
    gateway_fini(&gateway);
    buf_free(&answer);
    return fake_sessions == 0 ? 0 : -1;
}

static int client_open(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_addr = {htonl(INADDR_LOOPBACK)},
                             .sin_port = htons(address_port(&gateway.listeners[0].address))};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

static void client_send(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void turn(void)
{
    uv_run(&loop.uv, UV_RUN_ONCE);
}

/* Everything until the other side closes. */
static void client_read_all(int fd)
{
    char bytes[65536];
    usec_t give_up_at = clock_monotonic() + GIVE_UP;
    buf_clear(&answer);
    for (;;) {
        ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        if (n == 0)
            break;
        if (n > 0)
            buf_add(&answer, (struct str){bytes, (size_t)n});
        else
            assert_int_equal(errno, EAGAIN);
        assert_true(clock_monotonic() < give_up_at);
        turn();
    }
    buf_add_char(&answer, '\0');
    answer.len--;
    close(fd);
}

/* Asks with these whole header lines (or none) and body (or NULL); the status. */
static int ask_with(const char *method, const char *target, const char *lines, const char *body)
{
    struct buf text;
    int fd = client_open();
    buf_init(&text, 2 << 20);
    buf_printf(&text, "%s %s HTTP/1.1\r\n%s%sConnection: close\r\n", method, target,
               strstr(lines, "Host:") ? "" : "Host: 127.0.0.1\r\n", lines);
    if (body)
        buf_printf(&text, "Content-Length: %zu\r\n", strlen(body));
    buf_printf(&text, "\r\n%s", body ? body : "");
    buf_add_char(&text, '\0');
    client_send(fd, text.ptr);
    buf_free(&text);
    client_read_all(fd);
    assert_true(answer.len > 12);
    return atoi(answer.ptr + 9);
}

static int ask(const char *method, const char *target, const char *body)
{
    return ask_with(method, target, "", body);
}

static bool answer_has(const char *text)
{
    return strstr(answer.ptr, text) != NULL;
}

static const char *answer_body(void)
{
    const char *end = strstr(answer.ptr, "\r\n\r\n");
    assert_non_null(end);
    return end + 4;
}
