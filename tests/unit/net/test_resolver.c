/* SPDX-License-Identifier: Apache-2.0 */
/* Most tests answer the look-ups themselves: what a resolver asks for, and when, is then seen. */
#include "net/resolver.h"

static int lookup(uv_loop_t *uv, uv_getaddrinfo_t *query, uv_getaddrinfo_cb on_answer, const char *host,
                  const char *service, const struct addrinfo *hints);
static int lookup_cancel(uv_req_t *query);
static void lookup_free(struct addrinfo *answer);

#define uv_getaddrinfo lookup
#define uv_cancel lookup_cancel
#define uv_freeaddrinfo lookup_free
#include "../../../src/net/resolver.c"
#undef uv_getaddrinfo
#undef uv_cancel
#undef uv_freeaddrinfo

#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>
#include <cmocka.h>

#define GIVE_UP 30 /* seconds; the alarm then ends the process, whatever it waits for */
#define TTL (30 * USEC_PER_SEC)
#define WAITS 3

static struct loop loop;
static bool is_real;   /* look-ups go to the system */
static bool is_broken; /* they cannot even start */
static unsigned asked, cancelled;
static uv_getaddrinfo_t *open_query;
static uv_getaddrinfo_cb open_callback;
static char asked_for[64];

struct waiting {
    struct resolver_wait wait;
    unsigned answers, order;
    enum err err;
    struct resolver_wait *to_cancel;
    struct resolver *to_free;
};

static struct waiting waits[WAITS];
static unsigned answers;

static int lookup(uv_loop_t *uv, uv_getaddrinfo_t *query, uv_getaddrinfo_cb on_answer, const char *host,
                  const char *service, const struct addrinfo *hints)
{
    assert_null(open_query); /* one at a time */
    asked++;
    snprintf(asked_for, sizeof(asked_for), "%s:%s", host, service);
    if (is_broken || is_real)
        return is_real ? uv_getaddrinfo(uv, query, on_answer, host, service, hints) : UV_ENOMEM;
    open_query = query;
    open_callback = on_answer;
    return 0;
}

static int lookup_cancel(uv_req_t *query)
{
    cancelled++;
    return is_real ? uv_cancel(query) : UV_EBUSY; /* a thread is at it already */
}

static void lookup_free(struct addrinfo *answer)
{
    if (is_real)
        uv_freeaddrinfo(answer);
}

/* `count` addresses 127.0.0.`first`, 127.0.0.`first`+1, ...; none and a failed `status` is a failure. */
static void answer(int status, unsigned first, size_t count)
{
    static struct sockaddr_in addresses[20];
    static struct addrinfo infos[20];
    uv_getaddrinfo_t *query = open_query;
    open_query = NULL;
    assert_non_null(query);
    for (size_t i = 0; i < count; i++) {
        addresses[i] = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(80)};
        addresses[i].sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + first + (unsigned)i);
        infos[i] = (struct addrinfo){.ai_family = AF_INET, .ai_addrlen = sizeof(addresses[i])};
        infos[i].ai_addr = (struct sockaddr *)&addresses[i];
        infos[i].ai_next = i + 1 < count ? &infos[i + 1] : NULL;
    }
    open_callback(query, status, count > 0 ? infos : NULL);
}

static void on_resolved(struct resolver_wait *wait, enum err err)
{
    struct waiting *waiting = CONTAINER_OF(wait, struct waiting, wait);
    waiting->answers++;
    waiting->order = ++answers;
    waiting->err = err;
    if (waiting->to_cancel)
        resolver_cancel(waiting->to_cancel);
    resolver_free(waiting->to_free);
}

static int begin(void **state)
{
    (void)state;
    alarm(GIVE_UP);
    is_real = is_broken = false;
    asked = cancelled = answers = 0;
    open_query = NULL;
    for (size_t i = 0; i < WAITS; list_init(&waits[i++].wait.node))
        waits[i] = (struct waiting){.wait.on_resolved = on_resolved};
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

static struct resolver *resolver_for(const char *host)
{
    struct resolver *resolver = resolver_new(&loop, str_from(host), 80);
    assert_non_null(resolver);
    return resolver;
}

/* The resolver has `count` addresses from 127.0.0.`first` on. */
static void assert_addresses(const struct resolver *resolver, unsigned first, size_t count)
{
    size_t n;
    const struct address *addresses = resolver_addresses(resolver, &n);
    assert_int_equal(n, count);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(ntohl(addresses[i].v4.sin_addr.s_addr), INADDR_LOOPBACK - 1 + first + i);
        assert_int_equal(address_port(&addresses[i]), 80);
        assert_int_equal(addresses[i].size, sizeof(struct sockaddr_in));
    }
}

static void test_literal_addresses(void **state)
{
    static const char *const rows[][2] = {{"127.0.0.1", "127.0.0.1:80"}, {"::1", "[::1]:80"}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct resolver *resolver = resolver_for(rows[i][0]);
        char out[ADDRESS_TEXT_MAX];
        size_t count;
        assert_int_equal(resolver_ask(resolver, TTL, &waits[0].wait), ERR_OK);
        loop.now += 2 * TTL; /* for ever */
        assert_int_equal(resolver_ask(resolver, TTL, &waits[0].wait), ERR_OK);
        const struct address *addresses = resolver_addresses(resolver, &count);
        assert_int_equal(count, 1);
        assert_true(str_eq(address_format(addresses, out), str_from(rows[i][1])));
        resolver_free(resolver);
    }
    assert_int_equal(asked, 0);
    resolver_free(NULL);
}

static void test_localhost(void **state)
{
    size_t count;
    (void)state;
    is_real = true;
    struct resolver *resolver = resolver_new(&loop, (struct str){"localhost.not", 9}, 65535);
    assert_int_equal(resolver_ask(resolver, TTL, &waits[0].wait), ERR_BUSY);
    while (!waits[0].answers)
        uv_run(&loop.uv, UV_RUN_ONCE);
    assert_int_equal(waits[0].err, ERR_OK);
    const struct address *addresses = resolver_addresses(resolver, &count);
    assert_true(count >= 1 && count <= RESOLVER_ADDRESSES_MAX);
    for (size_t i = 0; i < count; i++) {
        assert_true(address_is_loopback(&addresses[i]));
        assert_int_equal(address_port(&addresses[i]), 65535);
    }
    assert_int_equal(resolver_ask(resolver, TTL, &waits[1].wait), ERR_OK);
    assert_int_equal(asked, 1);
    resolver_free(resolver);
}

/* A label of more than 63 bytes cannot be put into a question, so no server is asked. */
static void test_impossible_name(void **state)
{
    char name[80];
    (void)state;
    is_real = true;
    memset(name, 'x', sizeof(name));
    struct resolver *resolver = resolver_new(&loop, (struct str){name, sizeof(name)}, 80);
    assert_int_equal(resolver_ask(resolver, TTL, &waits[0].wait), ERR_BUSY);
    while (!waits[0].answers)
        uv_run(&loop.uv, UV_RUN_ONCE);
    assert_int_equal(waits[0].err, ERR_RESOLVE);
    assert_int_equal(resolver_ask(resolver, TTL, &waits[1].wait), ERR_RESOLVE);
    resolver_free(resolver);
}

/* The leak checker sees to it that the answer frees what nobody has any more. */
static void test_free_while_the_system_looks(void **state)
{
    (void)state;
    is_real = true;
    struct resolver *resolver = resolver_for("localhost");
    assert_int_equal(resolver_ask(resolver, TTL, &waits[0].wait), ERR_BUSY);
    resolver_free(resolver);
    while (uv_loop_alive(&loop.uv) && loop.uv.active_reqs.count > 0)
        uv_run(&loop.uv, UV_RUN_ONCE);
    assert_int_equal(cancelled, 1);
    assert_int_equal(waits[0].answers, 0);
}

static void test_waits(void **state)
{
    (void)state;
    struct resolver *resolver = resolver_for("a.test");
    for (size_t i = 0; i < WAITS; i++)
        assert_int_equal(resolver_ask(resolver, TTL, &waits[i].wait), ERR_BUSY);
    assert_int_equal(asked, 1); /* for all of them */
    assert_string_equal(asked_for, "a.test:80");
    resolver_cancel(&waits[1].wait);
    answer(0, 1, RESOLVER_ADDRESSES_MAX + 5);
    assert_int_equal(waits[0].order, 1);
    assert_int_equal(waits[2].order, 2);
    assert_int_equal(waits[1].answers, 0);
    assert_int_equal(waits[2].err, ERR_OK);
    assert_addresses(resolver, 1, RESOLVER_ADDRESSES_MAX);
    resolver_free(resolver);
}

static void test_cancel_from_an_answer(void **state)
{
    (void)state;
    struct resolver *resolver = resolver_for("a.test");
    waits[0].to_cancel = &waits[1].wait;
    waits[2].to_cancel = &waits[0].wait; /* has been answered: harmless */
    for (size_t i = 0; i < WAITS; i++)
        assert_int_equal(resolver_ask(resolver, TTL, &waits[i].wait), ERR_BUSY);
    answer(UV_EAI_NONAME, 0, 0);
    assert_int_equal(waits[0].answers, 1);
    assert_int_equal(waits[1].answers, 0);
    assert_int_equal(waits[2].err, ERR_RESOLVE);
    resolver_free(resolver);
}

static void test_free_drops_waits(void **state)
{
    (void)state;
    struct resolver *resolver = resolver_for("a.test");
    assert_int_equal(resolver_ask(resolver, TTL, &waits[0].wait), ERR_BUSY);
    resolver_free(resolver);
    assert_false(list_is_linked(&waits[0].wait.node));
    answer(0, 1, 1); /* could not be cancelled in time */
    assert_int_equal(waits[0].answers, 0);
}

static void test_free_from_an_answer(void **state)
{
    (void)state;
    struct resolver *resolver = resolver_for("a.test");
    for (size_t i = 0; i < WAITS; i++)
        assert_int_equal(resolver_ask(resolver, TTL, &waits[i].wait), ERR_BUSY);
    waits[1].to_free = resolver;
    answer(0, 1, 1);
    assert_int_equal(waits[0].answers + waits[1].answers, 2);
    assert_int_equal(waits[2].answers, 0);
    assert_false(list_is_linked(&waits[2].wait.node));
}

static void test_renewal(void **state)
{
    (void)state;
    struct resolver *resolver = resolver_for("a.test");
    assert_int_equal(resolver_ask(resolver, TTL, &waits[0].wait), ERR_BUSY);
    answer(0, 1, 2);
    usec_t answered = loop.now;
    loop.now = answered + TTL - 1;
    assert_int_equal(resolver_ask(resolver, TTL, &waits[1].wait), ERR_OK);
    assert_int_equal(asked, 1);
    loop.now = answered + TTL;
    for (unsigned round = 0; round < 3; round++) /* nobody waits for the renewal, and one is enough */
        assert_int_equal(resolver_ask(resolver, TTL, &waits[1].wait), ERR_OK);
    assert_int_equal(asked, 2);
    assert_addresses(resolver, 1, 2);
    answer(0, 7, 1);
    assert_addresses(resolver, 7, 1);
    assert_int_equal(resolver_ask(resolver, TTL, &waits[1].wait), ERR_OK);
    resolver_free(resolver);
}

static void test_failed_renewal_keeps_addresses(void **state)
{
    (void)state;
    struct resolver *resolver = resolver_for("a.test");
    assert_int_equal(resolver_ask(resolver, 0, &waits[0].wait), ERR_BUSY);
    answer(0, 1, 2);
    assert_int_equal(resolver_ask(resolver, 0, &waits[1].wait), ERR_OK);
    answer(UV_EAI_AGAIN, 0, 0);
    usec_t failed = loop.now;
    loop.now = failed + USEC_PER_SEC - 1; /* a name that fails is asked for once a second */
    assert_int_equal(resolver_ask(resolver, 0, &waits[1].wait), ERR_OK);
    assert_int_equal(asked, 2);
    loop.now = failed + USEC_PER_SEC;
    assert_int_equal(resolver_ask(resolver, 0, &waits[1].wait), ERR_OK);
    assert_int_equal(asked, 3);
    assert_addresses(resolver, 1, 2);
    answer(UV_EAI_AGAIN, 0, 0);
    resolver_free(resolver);
}

static void test_failure_holds_for_a_second(void **state)
{
    (void)state;
    struct resolver *resolver = resolver_for("a.test");
    assert_int_equal(resolver_ask(resolver, TTL, &waits[0].wait), ERR_BUSY);
    answer(UV_EAI_NONAME, 0, 0);
    assert_int_equal(waits[0].err, ERR_RESOLVE);
    usec_t failed = loop.now;
    loop.now = failed + USEC_PER_SEC - 1;
    assert_int_equal(resolver_ask(resolver, TTL, &waits[1].wait), ERR_RESOLVE);
    assert_false(list_is_linked(&waits[1].wait.node));
    assert_int_equal(asked, 1);
    loop.now = failed + USEC_PER_SEC;
    assert_int_equal(resolver_ask(resolver, TTL, &waits[1].wait), ERR_BUSY);
    answer(0, 1, 1);
    assert_int_equal(waits[1].err, ERR_OK);
    resolver_free(resolver);

    is_broken = true; /* a look-up that cannot even start is such a failure, too */
    resolver = resolver_for("b.test");
    for (unsigned round = 0; round < 2; round++)
        assert_int_equal(resolver_ask(resolver, TTL, &waits[2].wait), ERR_RESOLVE);
    assert_int_equal(asked, 3);
    assert_int_equal(waits[2].answers, 0);
    resolver_free(resolver);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_literal_addresses),
        TEST(test_localhost),
        TEST(test_impossible_name),
        TEST(test_free_while_the_system_looks),
        TEST(test_waits),
        TEST(test_cancel_from_an_answer),
        TEST(test_free_drops_waits),
        TEST(test_free_from_an_answer),
        TEST(test_renewal),
        TEST(test_failed_renewal_keeps_addresses),
        TEST(test_failure_holds_for_a_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
