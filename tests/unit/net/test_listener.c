/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/net/listener.c"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>

#define GIVE_UP 30 /* seconds; the alarm then ends the process, whatever it waits for */
#define CLIENTS 150

static struct loop loop;
static struct address address;
static int reserved;

static struct accepted {
    struct listener *listener;
    int fd;
    struct address peer;
} accepted[CLIENTS];
static size_t accepted_count, closed_count;
static bool closes_at_first;

#define RUN_UNTIL(done)                                                                                      \
    do {                                                                                                     \
        while (!(done))                                                                                      \
            uv_run(&loop.uv, UV_RUN_ONCE);                                                                   \
    } while (0)

static void on_closed(struct listener *listener)
{
    assert_true(listener->is_closing);
    closed_count++;
}

static void on_accept(struct listener *listener, int fd, const struct address *peer)
{
    assert_false(listener->is_closing);
    assert_true(accepted_count < CLIENTS);
    accepted[accepted_count++] = (struct accepted){listener, fd, *peer};
    if (closes_at_first)
        listener_close(listener, on_closed);
}

static int begin(void **state)
{
    (void)state;
    alarm(GIVE_UP);
    accepted_count = closed_count = 0;
    closes_at_first = false;
    if (loop_init(&loop) != ERR_OK || !address_parse(STR("127.0.0.1"), 0, &address) ||
        listener_reserve(&address, &reserved) != ERR_OK)
        return -1;
    return 0;
}

static int end(void **state)
{
    (void)state;
    for (size_t i = 0; i < accepted_count; i++)
        close(accepted[i].fd);
    loop_fini(&loop);
    alarm(0);
    return 0;
}

/* Connects to the listener, with a wait: on the loopback the kernel answers by itself. */
static int client_connect(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, &address.any, address.size), 0);
    return fd;
}

static void listener_begin(struct listener *listener)
{
    assert_int_equal(listener_open(listener, &loop, &address, reserved, on_accept), ERR_OK);
}

static void listener_end(struct listener *listener)
{
    size_t closed_before = closed_count;
    listener_close(listener, on_closed);
    assert_int_equal(closed_count, closed_before); /* not from within the call */
    RUN_UNTIL(closed_count > closed_before);
}

static void assert_busy(struct address wanted)
{
    struct address before = wanted;
    int fd = -4711;
    errno = 0;
    assert_int_equal(listener_reserve(&wanted, &fd), ERR_BUSY);
    assert_int_equal(errno, EADDRINUSE);
    assert_int_equal(fd, -4711); /* untouched */
    assert_memory_equal(&wanted, &before, sizeof(wanted));
}

static int listening_socket(struct address *io_address, bool shares_port)
{
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (shares_port)
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)), 0);
    assert_int_equal(bind(fd, &io_address->any, io_address->size), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, &io_address->any, &io_address->size), 0);
    return fd;
}

static void test_reserve_refuses_a_port_in_use(void **state)
{
    (void)state;
    assert_true(address_port(&address) > 0); /* the kernel's choice */
    assert_busy(address);                    /* ours */
    for (unsigned shares_port = 0; shares_port < 2; shares_port++) {
        struct address other;
        assert_true(address_parse(STR("127.0.0.1"), 0, &other));
        int fd = listening_socket(&other, shares_port);
        assert_busy(other);
        close(fd);
        assert_int_equal(listener_reserve(&other, &fd), ERR_OK); /* free again */
        close(fd);
    }
    close(reserved);
}

static void test_reserve_fails(void **state)
{
    struct address foreign; /* of documentation (RFC 5737): no interface has it */
    int fd = -4711;
    (void)state;
    assert_true(address_parse(STR("192.0.2.1"), 0, &foreign));
    assert_int_equal(listener_reserve(&foreign, &fd), ERR_SYSTEM);
    assert_int_equal(errno, EADDRNOTAVAIL);
    assert_int_equal(fd, -4711);
    close(reserved);
}

/* A restart must not wait for connections of the process before. */
static void test_reserve_after_closed_connections(void **state)
{
    struct listener listener;
    char byte;
    (void)state;
    listener_begin(&listener);
    int client = client_connect();
    RUN_UNTIL(accepted_count == 1);
    listener_end(&listener);
    close(accepted[--accepted_count].fd); /* the side that closes first keeps the port for a time */
    assert_int_equal(recv(client, &byte, 1, 0), 0);
    close(client);
    assert_int_equal(listener_reserve(&address, &reserved), ERR_OK);
    close(reserved);
}

static void test_accept(void **state)
{
    struct listener listener;
    struct address own = {.size = ADDRESS_SIZE_MAX};
    int value = 0;
    socklen_t size = sizeof(value);
    (void)state;
    listener_begin(&listener);
    int client = client_connect();
    RUN_UNTIL(accepted_count == 1);
    assert_ptr_equal(accepted[0].listener, &listener);
    assert_int_equal(getsockname(client, &own.any, &own.size), 0);
    assert_int_equal(accepted[0].peer.any.sa_family, AF_INET);
    assert_int_equal(accepted[0].peer.size, sizeof(own.v4));
    assert_int_equal(address_port(&accepted[0].peer), address_port(&own));
    assert_true(address_is_loopback(&accepted[0].peer));
    assert_true(fcntl(accepted[0].fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(accepted[0].fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(getsockopt(accepted[0].fd, IPPROTO_TCP, TCP_NODELAY, &value, &size), 0);
    assert_true(value);
    assert_int_equal(send(client, "x", 1, 0), 1); /* the two ends are one connection */
    char byte = 0;
    while (recv(accepted[0].fd, &byte, 1, 0) != 1)
        assert_int_equal(errno, EAGAIN);
    assert_int_equal(byte, 'x');
    close(client);
    listener_end(&listener);
}

static void test_flood_takes_several_turns(void **state)
{
    struct listener listener;
    static int clients[CLIENTS];
    (void)state;
    listener_begin(&listener);
    for (size_t i = 0; i < CLIENTS; i++)
        clients[i] = client_connect();
    for (size_t before = 0; accepted_count < CLIENTS; before = accepted_count) {
        uv_run(&loop.uv, UV_RUN_ONCE);
        assert_true(accepted_count - before <= ACCEPTS_PER_TURN);
    }
    for (size_t i = 0; i < CLIENTS; i++)
        close(clients[i]);
    listener_end(&listener);
}

static void test_close_refuses(void **state)
{
    struct listener listener;
    (void)state;
    listener_begin(&listener);
    listener_close(&listener, on_closed);
    listener_close(&listener, on_closed);
    RUN_UNTIL(closed_count > 0);
    uv_run(&loop.uv, UV_RUN_NOWAIT);
    assert_int_equal(closed_count, 1);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, &address.any, address.size), -1);
    assert_int_equal(errno, ECONNREFUSED);
    close(fd);
    assert_int_equal(listener_reserve(&address, &reserved), ERR_OK);
    listener_begin(&listener); /* its memory can serve again */
    listener_close(&listener, NULL);
    loop_settle(&loop);
    assert_int_equal(closed_count, 1);
}

static void test_close_while_accepting(void **state)
{
    struct listener listener;
    (void)state;
    closes_at_first = true;
    listener_begin(&listener);
    int one = client_connect(), two = client_connect();
    RUN_UNTIL(closed_count == 1);
    assert_int_equal(accepted_count, 1); /* the other one waited behind it */
    close(one);
    close(two);
}

static void test_two_share_an_address(void **state)
{
    struct listener listeners[2];
    static int clients[CLIENTS];
    (void)state;
    listener_begin(&listeners[0]);
    assert_int_equal(listener_open(&listeners[1], &loop, &address, -1, on_accept), ERR_OK);
    assert_busy(address);
    for (size_t i = 0; i < CLIENTS; i++)
        clients[i] = client_connect();
    RUN_UNTIL(accepted_count == CLIENTS);
    size_t of_second = 0;
    for (size_t i = 0; i < CLIENTS; i++) {
        of_second += accepted[i].listener == &listeners[1];
        close(clients[i]);
        close(accepted[i].fd);
    }
    assert_true(of_second > 0 &&
                of_second < CLIENTS); /* the kernel spreads them by ports, which all differ */
    accepted_count = 0;
    listener_end(&listeners[0]);
    int client = client_connect();
    RUN_UNTIL(accepted_count == 1);
    assert_ptr_equal(accepted[0].listener, &listeners[1]);
    close(client);
    listener_end(&listeners[1]);
}

static void test_open_fails(void **state)
{
    struct listener listener;
    struct address other;
    (void)state;
    assert_true(address_parse(STR("127.0.0.1"), 0, &other));
    int fd = listening_socket(&other, false);
    assert_int_equal(listener_open(&listener, &loop, &other, -1, on_accept), ERR_BUSY);
    close(fd);
    assert_true(address_parse(STR("192.0.2.1"), 0, &other));
    assert_int_equal(listener_open(&listener, &loop, &other, -1, on_accept), ERR_SYSTEM);
    assert_int_equal(errno, EADDRNOTAVAIL);
    close(reserved);
}

/* Takes all descriptors away, so that accept cannot have one; returns what gives them back. */
static struct rlimit descriptors_exhaust(void)
{
    struct rlimit before, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    int next = dup(reserved);
    assert_true(next >= 0);
    close(next);
    none = (struct rlimit){.rlim_cur = (rlim_t)next, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    return before;
}

static void test_rest_without_descriptors(void **state)
{
    struct listener listener;
    (void)state;
    for (unsigned closes_within_rest = 0; closes_within_rest < 2; closes_within_rest++) {
        listener_begin(&listener);
        int client = client_connect();
        struct rlimit before = descriptors_exhaust();
        while (!wheel_timer_is_running(&listener.pause))
            uv_run(&loop.uv, UV_RUN_ONCE);
        assert_false(uv_is_active((uv_handle_t *)&listener.poll)); /* it would spin */
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        assert_int_equal(accepted_count, 0);
        if (!closes_within_rest)
            RUN_UNTIL(accepted_count == 1);
        listener_end(&listener);
        assert_false(wheel_timer_is_running(&listener.pause));
        close(client);
        while (accepted_count > 0)
            close(accepted[--accepted_count].fd);
        assert_int_equal(listener_reserve(&address, &reserved), ERR_OK);
    }
    close(reserved);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_reserve_refuses_a_port_in_use),
        TEST(test_reserve_fails),
        TEST(test_reserve_after_closed_connections),
        TEST(test_accept),
        TEST(test_flood_takes_several_turns),
        TEST(test_close_refuses),
        TEST(test_close_while_accepting),
        TEST(test_two_share_an_address),
        TEST(test_open_fails),
        TEST(test_rest_without_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
