/* SPDX-License-Identifier: Apache-2.0 */
#include "http/body.h"

#include <stdlib.h>

struct free_body {
    struct free_body *next;
};

void body_pool_init(struct body_pool *pool, size_t max_kept_bytes)
{
    *pool = (struct body_pool){.max_kept_bytes = max_kept_bytes};
}

static size_t class_size(unsigned class)
{
    return (size_t)1 << (BODY_CLASS_MIN_SHIFT + class);
}

/* Smallest class that holds `size`; BODY_CLASSES when none does. */
static unsigned class_of(size_t size)
{
    unsigned class = 0;
    while (class < BODY_CLASSES && class_size(class) < size)
        class ++;
    return class;
}

void body_pool_fini(struct body_pool *pool)
{
    for (unsigned class = 0; class < BODY_CLASSES; class ++) {
        for (struct free_body *item = pool->free[class], *next; item; item = next) {
            next = item->next;
            free(item);
        }
    }
    *pool = (struct body_pool){0};
}

static void *pool_take(struct body_pool *pool, unsigned class, size_t size)
{
    if (class == BODY_CLASSES)
        return malloc(size);
    struct free_body *item = pool->free[class];
    if (!item)
        return malloc(class_size(class));
    pool->free[class] = item->next;
    pool->kept_bytes -= class_size(class);
    return item;
}

enum err body_reserve(struct body_pool *pool, struct body *body, size_t room)
{
    if (room <= body->room && body->ptr)
        return ERR_OK;
    size_t size = room + BODY_PADDING;
    unsigned class = class_of(size);
    char *ptr = pool_take(pool, class, size);
    if (!ptr)
        return ERR_NO_MEMORY;
    struct body grown = {
        .ptr = ptr,
        .len = body->len,
        .room = (class == BODY_CLASSES ? size : class_size(class)) - BODY_PADDING,
    };
    if (body->len > 0)
        memcpy(grown.ptr, body->ptr, body->len);
    body_free(pool, body);
    *body = grown;
    return ERR_OK;
}

void body_free(struct body_pool *pool, struct body *body)
{
    if (!body->ptr)
        return;
    size_t size = body->room + BODY_PADDING;
    unsigned class = class_of(size);
    if (class == BODY_CLASSES || pool->kept_bytes + size > pool->max_kept_bytes) {
        free(body->ptr);
    } else {
        struct free_body *item = (void *)body->ptr;
        item->next = pool->free[class];
        pool->free[class] = item;
        pool->kept_bytes += size;
    }
    *body = (struct body){0};
}
