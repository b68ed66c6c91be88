/* SPDX-License-Identifier: Apache-2.0 */
/* Looking around at a start without a configuration. */
#include "conf/providers.h"
#include "http/exchange.h"
#include "main/startup.h"

#include <stdio.h>
#include <stdlib.h>

#define LOOK_TIME (300 * USEC_PER_MSEC)

/* One usual port of a local engine. */
struct look {
    const struct provider *provider;
    struct origin origin;
    struct exchange exchange;
    struct looking_around *around;
    char head[256];
    int status;
};

struct looking_around {
    struct loop loop;
    struct origin_limits limits;
    size_t open;
};

static void on_head(struct exchange *exchange, const struct http_head *head)
{
    CONTAINER_OF(exchange, struct look, exchange)->status = head->status;
}

static void on_data(struct exchange *exchange, struct str data)
{
    (void)exchange;
    (void)data;
}

static void on_turn(struct exchange *exchange)
{
    (void)exchange;
}

static void on_origin_closed(struct origin *origin)
{
    struct look *look = CONTAINER_OF(origin, struct look, origin);
    if (--look->around->open == 0)
        loop_stop(&look->around->loop);
}

static void on_end(struct exchange *exchange, enum err err)
{
    struct look *look = CONTAINER_OF(exchange, struct look, exchange);
    if (err != ERR_OK)
        look->status = 0;
    origin_close(&look->origin, on_origin_closed);
}

static const struct exchange_handler look_handler = {
    .on_head = on_head, .on_data = on_data, .on_turn = on_turn, .on_end = on_end};

static void look_start(struct look *look, struct looking_around *around, const struct provider *provider)
{
    *look = (struct look){.provider = provider, .around = around};
    if (origin_init(&look->origin, &around->loop, &around->limits, STR("127.0.0.1"), provider->local_port,
                    NULL) != ERR_OK)
        return;
    around->open++;
    int len =
        snprintf(look->head, sizeof(look->head), "GET %.*s/models HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n\r\n",
                 STR_ARG(provider->base_path), provider->local_port);
    struct iovec piece = {.iov_base = look->head, .iov_len = (size_t)len};
    exchange_start(&look->exchange, &look->origin, &look_handler, false, &piece, 1);
}

/* All ports at once; what answers its model list is an inference server. */
static void discover_local(struct config *config)
{
    struct looking_around around = {
        .limits = {.head = {.line_bytes = 8192, .head_bytes = 32768, .field_count = 100},
                   .connect_timeout = LOOK_TIME,
                   .first_byte_timeout = LOOK_TIME,
                   .idle_timeout = LOOK_TIME},
    };
    struct look *looks = calloc(provider_count, sizeof(*looks));
    if (!looks || loop_init(&around.loop) != ERR_OK) {
        free(looks);
        return;
    }
    for (size_t i = 0; i < provider_count; i++)
        if (providers[i].local_port != 0)
            look_start(&looks[i], &around, &providers[i]);
    if (around.open > 0)
        loop_run(&around.loop);
    loop_fini(&around.loop);
    for (size_t i = 0; i < provider_count; i++) {
        if (looks[i].status != 200)
            continue;
        printf("found      %.*s on 127.0.0.1:%u\n", STR_ARG(providers[i].name), providers[i].local_port);
        if (config_add_server(config, providers[i].name, &providers[i], STR_NONE, STR_NONE) != ERR_OK)
            fprintf(stderr, "fairlead: cannot use it\n");
    }
    free(looks);
}

static void discover_keys(struct config *config)
{
    /* Known to users, and spoken to only in dialects that this version does not have. */
    static const char *const unusable[] = {"ANTHROPIC_API_KEY", "GEMINI_API_KEY", "AZURE_OPENAI_API_KEY"};
    for (size_t i = 0; i < provider_count; i++) {
        const struct provider *provider = &providers[i];
        const char *key = provider->key_variable.len > 0 ? getenv(provider->key_variable.ptr) : NULL;
        if (!key || key[0] == '\0')
            continue;
        printf("found      %.*s by %.*s\n", STR_ARG(provider->name), STR_ARG(provider->key_variable));
        if (config_add_server(config, provider->name, provider, STR_NONE, str_from(key)) != ERR_OK)
            fprintf(stderr, "fairlead: cannot use it: the key holds characters that no key has\n");
    }
    for (size_t i = 0; i < ARRAY_LEN(unusable); i++)
        if (getenv(unusable[i]))
            printf("ignored    %s: this version does not speak that provider's dialect\n", unusable[i]);
}

void startup_discover(struct config *config)
{
    discover_local(config);
    discover_keys(config);
}
