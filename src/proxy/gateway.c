/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/gateway.h"

#include "base/log.h"
#include "base/rng.h"
#include "conf/settings.h"
#include "proxy/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct client_tls {
    struct client_tls *next;
    char *ca_file; /* NULL: the system's */
    bool verify;
    SSL_CTX *context;
};

static struct cache_limits cache_limits_from(const struct settings *settings)
{
    return (struct cache_limits){
        .max_bytes = settings->cache_max_memory_mb << 20,
        .max_items = settings->cache_max_size,
        .max_item_bytes = settings->cache_max_item_size_kb << 10,
    };
}

enum err gateway_init(struct gateway *gateway)
{
    struct rng rng;
    rng_init_random(&rng);
    *gateway = (struct gateway){.started_at = clock_realtime(), .hash_seed = rng_next(&rng)};
    gate_init(&gateway->gate);
    pthread_mutex_init(&gateway->tls_lock, NULL);
    struct settings defaults;
    settings_init(&defaults);
    struct cache_limits kept = cache_limits_from(&defaults);
    enum err err = limits_init(&gateway->limits, LIMITS_SUBJECTS);
    return err == ERR_OK ? cache_init(&gateway->cache, &kept) : err;
}

void gateway_fini(struct gateway *gateway)
{
    for (size_t i = 0; i < gateway->listener_count; i++) {
        SSL_CTX_free(gateway->listeners[i].tls);
        if (gateway->listeners[i].reserved_fd >= 0)
            close(gateway->listeners[i].reserved_fd);
    }
    free(gateway->listeners);
    free(gateway->workers);
    gate_drop_table(&gateway->gate, gateway->table);
    gate_fini(&gateway->gate);
    limits_fini(&gateway->limits);
    cache_fini(&gateway->cache);
    while (gateway->client_tls) {
        struct client_tls *entry = gateway->client_tls;
        gateway->client_tls = entry->next;
        SSL_CTX_free(entry->context);
        free(entry->ca_file);
        free(entry);
    }
    pthread_mutex_destroy(&gateway->tls_lock);
    log_sink_close(gateway->log);
}

/* ---- listeners ---- */

static enum err open_listener(struct gateway_listener *listener, const struct listener_config *config,
                              char *why)
{
    char text[ADDRESS_TEXT_MAX];
    *listener = (struct gateway_listener){
        .name = config->name,
        .serves = config->serves,
        .auth = config->auth,
        .master_key = config->master_key,
        .reserved_fd = -1,
    };
    if (!address_parse(config->host, config->port, &listener->address)) {
        snprintf(why, GATEWAY_WHY_MAX, "listener %.*s: '%.*s' is no numeric address", STR_ARG(config->name),
                 STR_ARG(config->host));
        return ERR_INVALID;
    }
    if (config->tls_cert_file.len > 0) {
        char reason[TLS_WHY_MAX];
        enum err err =
            tls_server_context(config->tls_cert_file.ptr, config->tls_key_file.ptr, reason, &listener->tls);
        if (err != ERR_OK) {
            snprintf(why, GATEWAY_WHY_MAX, "listener %.*s: %s", STR_ARG(config->name), reason);
            return err;
        }
    }
    enum err err = listener_reserve(&listener->address, &listener->reserved_fd);
    if (err == ERR_OK)
        return ERR_OK;
    struct str address = address_format(&listener->address, text);
    snprintf(why, GATEWAY_WHY_MAX, "listener %.*s: cannot listen on %.*s: %s", STR_ARG(config->name),
             STR_ARG(address),
             err == ERR_BUSY ? "another process (perhaps another Fairlead) already listens there"
                             : strerror(errno));
    return err;
}

enum err gateway_open_listeners(struct gateway *gateway, const struct config *config, char *why)
{
    gateway->listeners = calloc(config->listener_count + 1, sizeof(*gateway->listeners));
    if (!gateway->listeners)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < config->listener_count; i++) {
        struct gateway_listener *listener = &gateway->listeners[gateway->listener_count++];
        enum err err = open_listener(listener, &config->listeners[i], why);
        if (err != ERR_OK)
            return err;
    }
    return ERR_OK;
}

/* ---- TLS towards servers ---- */

static SSL_CTX *find_client_tls(const struct gateway *gateway, struct str ca_file, bool verify)
{
    for (const struct client_tls *entry = gateway->client_tls; entry; entry = entry->next)
        if (entry->verify == verify && str_eq(str_from(entry->ca_file), ca_file))
            return entry->context;
    return NULL;
}

static enum err add_client_tls(struct gateway *gateway, struct str ca_file, bool verify, char *why)
{
    struct client_tls *entry = calloc(1, sizeof(*entry));
    if (!entry)
        return ERR_NO_MEMORY;
    entry->verify = verify;
    entry->ca_file = ca_file.len > 0 ? strndup(ca_file.ptr, ca_file.len) : NULL;
    enum err err = tls_client_context(entry->ca_file, verify, why, &entry->context);
    if (err != ERR_OK) {
        free(entry->ca_file);
        free(entry);
        return err;
    }
    entry->next = gateway->client_tls;
    gateway->client_tls = entry;
    return ERR_OK;
}

SSL_CTX *gateway_client_tls(struct gateway *gateway, const struct server_config *server)
{
    if (!server->endpoint.tls)
        return NULL;
    pthread_mutex_lock(&gateway->tls_lock);
    SSL_CTX *context = find_client_tls(gateway, server->tls_ca_file, server->tls_verify);
    pthread_mutex_unlock(&gateway->tls_lock);
    return context;
}

/* Every context that `config` needs exists before it is in force: a bad CA file refuses the configuration. */
static enum err prepare_client_tls(struct gateway *gateway, const struct config *config, char *why)
{
    enum err err = ERR_OK;
    pthread_mutex_lock(&gateway->tls_lock);
    for (size_t i = 0; i < config->server_count && err == ERR_OK; i++) {
        const struct server_config *server = &config->servers[i];
        char reason[TLS_WHY_MAX] = "out of memory";
        if (!server->endpoint.tls || find_client_tls(gateway, server->tls_ca_file, server->tls_verify))
            continue;
        err = add_client_tls(gateway, server->tls_ca_file, server->tls_verify, reason);
        if (err != ERR_OK)
            snprintf(why, GATEWAY_WHY_MAX, "server %.*s: %s", STR_ARG(server->name), reason);
    }
    pthread_mutex_unlock(&gateway->tls_lock);
    return err;
}

/* ---- configuration ---- */

enum err gateway_prepare(struct gateway *gateway, const struct policy *policy, char *why)
{
    const struct config *config = policy->config;
    /* A reload may use as many new slots as there are servers, while the old ones still serve. */
    if (2 * config->server_count > GATEWAY_SLOTS) {
        snprintf(why, GATEWAY_WHY_MAX, "%zu servers are too many: at most %zu", config->server_count,
                 GATEWAY_SLOTS / 2);
        return ERR_LIMIT;
    }
    return prepare_client_tls(gateway, config, why);
}

void gateway_ticket_take(struct gateway_ticket *ticket)
{
    if (ticket && atomic_fetch_sub_explicit(&ticket->left, 1, memory_order_acq_rel) == 1)
        loop_post(ticket->loop, ticket->answer);
}

enum err gateway_publish(struct gateway *gateway, struct policy *policy, struct gateway_ticket *ticket,
                         char *why)
{
    struct table *table;
    enum err err = gateway_prepare(gateway, policy, why);
    if (err != ERR_OK)
        return err;
    uint64_t generation = gateway->table ? gateway->table->generation + 1 : 1;
    err = gate_new_table(&gateway->gate, policy, gateway->table, generation, &table);
    if (err != ERR_OK) {
        snprintf(why, GATEWAY_WHY_MAX, "%s", err_text(err));
        return err;
    }
    log_set_level((enum log_level)policy->config->settings.log_level);
    struct cache_limits kept = cache_limits_from(&policy->config->settings);
    cache_configure(&gateway->cache, &kept);
    gate_drop_table(&gateway->gate, gateway->table);
    gateway->table = table;
    if (ticket) /* one more than the workers: they may be quick, and there may be none */
        atomic_store(&ticket->left, (unsigned)gateway->worker_count + 1);
    for (size_t i = 0; i < gateway->worker_count; i++)
        worker_post_table(&gateway->workers[i], table_ref(table), ticket);
    gateway_ticket_take(ticket);
    return ERR_OK;
}

/* ---- workers ---- */

enum err gateway_start(struct gateway *gateway, size_t count)
{
    gateway->workers = calloc(count, sizeof(*gateway->workers));
    if (!gateway->workers)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        struct worker *worker = &gateway->workers[i];
        enum err err = worker_init(worker, gateway, (unsigned)i);
        if (err == ERR_OK)
            err = worker_start(worker);
        if (err != ERR_OK)
            return err;
        gateway->worker_count++;
    }
    return ERR_OK;
}

void gateway_drain(struct gateway *gateway, usec_t limit)
{
    atomic_store(&gateway->is_draining, true);
    for (size_t i = 0; i < gateway->worker_count; i++)
        worker_post_drain(&gateway->workers[i], limit);
}
