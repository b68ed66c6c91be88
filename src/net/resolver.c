/* SPDX-License-Identifier: Apache-2.0 */
#include "net/resolver.h"

#include <stdio.h>
#include <stdlib.h>

#define FAILURE_TTL USEC_PER_SEC /* a name that does not resolve is not asked for at every request */

struct resolver {
    struct loop *loop;
    char *host;
    char service[8];
    bool is_numeric, is_asking, is_answering, is_orphan;
    usec_t answered_at, failed_at;
    uv_getaddrinfo_t query;
    struct list waits;
    size_t count;
    struct address addresses[RESOLVER_ADDRESSES_MAX];
};

struct resolver *resolver_new(struct loop *loop, struct str host, uint16_t port)
{
    struct resolver *resolver = calloc(1, sizeof(*resolver));
    if (!resolver)
        return NULL;
    resolver->loop = loop;
    list_init(&resolver->waits);
    resolver->host = strndup(host.ptr, host.len);
    if (!resolver->host) {
        free(resolver);
        return NULL;
    }
    snprintf(resolver->service, sizeof(resolver->service), "%u", port);
    if (address_parse(host, port, &resolver->addresses[0])) {
        resolver->is_numeric = true;
        resolver->count = 1;
    }
    return resolver;
}

static void resolver_destroy(struct resolver *resolver)
{
    free(resolver->host);
    free(resolver);
}

void resolver_free(struct resolver *resolver)
{
    if (!resolver)
        return;
    while (!list_is_empty(&resolver->waits))
        list_pop_front(&resolver->waits);
    if (!resolver->is_asking && !resolver->is_answering) {
        resolver_destroy(resolver);
        return;
    }
    /* A thread may be inside getaddrinfo, or this is one of the answers: what is under way frees the resolver. */
    resolver->is_orphan = true;
    if (resolver->is_asking)
        uv_cancel((uv_req_t *)&resolver->query);
}

static void resolver_store(struct resolver *resolver, const struct addrinfo *answer)
{
    resolver->count = 0;
    for (; answer && resolver->count < RESOLVER_ADDRESSES_MAX; answer = answer->ai_next) {
        if (answer->ai_addrlen > ADDRESS_SIZE_MAX)
            continue;
        struct address *address = &resolver->addresses[resolver->count++];
        memcpy(&address->any, answer->ai_addr, answer->ai_addrlen);
        address->size = answer->ai_addrlen;
    }
}

/* A wait that is answered may ask again, cancel others, or free the resolver. */
static void resolver_answer(struct resolver *resolver, enum err err)
{
    struct list *node;
    resolver->is_answering = true;
    while ((node = list_pop_front(&resolver->waits))) {
        struct resolver_wait *wait = LIST_ITEM(node, struct resolver_wait, node);
        wait->on_resolved(wait, err);
    }
    resolver->is_answering = false;
    if (resolver->is_orphan && !resolver->is_asking)
        resolver_destroy(resolver);
}

static void resolver_on_answer(uv_getaddrinfo_t *query, int status, struct addrinfo *answer)
{
    struct resolver *resolver = query->data;
    resolver->is_asking = false;
    if (resolver->is_orphan) {
        uv_freeaddrinfo(answer);
        resolver_destroy(resolver);
        return;
    }
    resolver->loop->now = clock_monotonic();
    bool found = status == 0 && answer;
    if (found) {
        resolver_store(resolver, answer);
        resolver->answered_at = resolver->loop->now;
        resolver->failed_at = 0;
    } else {
        resolver->failed_at = resolver->loop->now; /* old addresses stay: DNS trouble is not the server's */
    }
    uv_freeaddrinfo(answer);
    resolver_answer(resolver, found ? ERR_OK : ERR_RESOLVE);
}

static void resolver_query(struct resolver *resolver)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    resolver->query.data = resolver;
    resolver->is_asking = uv_getaddrinfo(&resolver->loop->uv, &resolver->query, resolver_on_answer,
                                         resolver->host, resolver->service, &hints) == 0;
    if (!resolver->is_asking)
        resolver->failed_at = resolver->loop->now;
}

enum err resolver_ask(struct resolver *resolver, usec_t ttl, struct resolver_wait *wait)
{
    if (resolver->is_numeric)
        return ERR_OK;
    usec_t now = loop_now(resolver->loop);
    bool failed_lately = resolver->failed_at && now - resolver->failed_at < FAILURE_TTL;
    bool is_stale = resolver->count == 0 || now - resolver->answered_at >= ttl;
    if (is_stale && !resolver->is_asking && !failed_lately)
        resolver_query(resolver);
    if (resolver->count > 0)
        return ERR_OK;
    if (!resolver->is_asking)
        return ERR_RESOLVE;
    list_push_back(&resolver->waits, &wait->node);
    return ERR_BUSY;
}

void resolver_cancel(struct resolver_wait *wait)
{
    list_remove(&wait->node);
}

const struct address *resolver_addresses(const struct resolver *resolver, size_t *ret_count)
{
    *ret_count = resolver->count;
    return resolver->addresses;
}
