/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "conf/settings.h"
#include "main/cli.h"
#include "main/startup.h"
#include "main/store_thread.h"
#include "proxy/prober.h"
#include "proxy/worker.h"
#include "web/site.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define FILE_WATCH_INTERVAL (500 * USEC_PER_MSEC)

/* The control thread: everything that is not a request. Lifetime: process. */
struct control {
    struct cli cli;
    struct config *base;   /* of the file as it was at the start; a reference: listeners borrow its texts */
    struct policy *policy; /* newest; a reference */
    struct loop loop;
    struct gateway gateway;
    struct store_thread store;
    struct site site;
    struct prober prober;
    uv_signal_t on_hup, on_term, on_int;
    struct wheel_timer watch;
    struct task republish;
    struct message reload_wanted; /* by REST */
    atomic_bool is_reload_wanted; /* that message is under way */
    size_t workers_ended;
    struct timespec file_time;
    bool is_stopping; /* draining, or further */
    bool is_over;     /* no worker is left that a message could reach */
};

/* ---- configuration ---- */

static int fail(const char *why)
{
    fprintf(stderr, "fairlead: %s\n", why);
    return 1;
}

/* Takes `config` over. */
static struct policy *make_policy(struct config *config)
{
    char memory[512];
    struct buf error;
    struct policy *policy;
    buf_init_fixed(&error, memory, sizeof(memory));
    if (policy_new(config, &error, &policy) == ERR_OK)
        return policy;
    fprintf(stderr, "fairlead: %.*s\n", STR_ARG(buf_str(&error)));
    config_free(config);
    return NULL;
}

static struct config *first_config(const struct cli *cli)
{
    struct config *config = NULL;
    if (cli->config_path.len > 0)
        return startup_load(cli->config_path);
    if (config_defaults(&config) != ERR_OK)
        return NULL;
    startup_discover(config);
    return config;
}

/* Somebody has to answer when nothing was found and nobody has added a server yet. */
static void stand_in(struct control *control)
{
    char why[STARTUP_WHY_MAX] = "";
    if (control->cli.config_path.len > 0 || control->base->server_count > 0 ||
        store_thread_has_servers(&control->store))
        return;
    if (startup_simulator(control->base, why) == ERR_OK)
        puts("found      no inference server and no provider key: started fairlead-sim, a simulated one");
    else
        fprintf(stderr, "fairlead: found no inference server, and %s\n", why);
}

int cli_check(const struct cli *cli)
{
    if (cli->config_path.len == 0)
        return fail("check: --config FILE is missing");
    struct config *config = startup_load(cli->config_path);
    struct policy *policy = config ? make_policy(config) : NULL;
    if (!policy)
        return 1;
    printf("%.*s: good: %zu servers, %zu hostgroups, %zu rules\n", STR_ARG(cli->config_path),
           policy->config->server_count, policy->config->hostgroup_count, policy->config->rule_count);
    policy_unref(policy);
    return 0;
}

static bool listeners_differ(const struct config *a, const struct config *b)
{
    if (a->listener_count != b->listener_count || !str_eq(a->data_dir, b->data_dir))
        return true;
    for (size_t i = 0; i < a->listener_count; i++) {
        const struct listener_config *x = &a->listeners[i], *y = &b->listeners[i];
        if (!str_eq(x->host, y->host) || x->port != y->port || x->serves != y->serves || x->auth != y->auth ||
            !str_eq(x->master_key, y->master_key) || !str_eq(x->tls_cert_file, y->tls_cert_file) ||
            !str_eq(x->tls_key_file, y->tls_key_file))
            return true;
    }
    return false;
}

/* What a running process cannot change refuses the whole file: half a configuration is none. */
static bool can_reload(const struct config *old, const struct config *config)
{
    char memory[512];
    struct buf names;
    buf_init_fixed(&names, memory, sizeof(memory));
    if (settings_differ_start(&old->settings, &config->settings, &names) > 0) {
        log_error("reload refused: changed settings need a restart: %.*s", STR_ARG(buf_str(&names)));
        return false;
    }
    if (listeners_differ(old, config)) {
        log_error("reload refused: changed listeners or data_dir need a restart");
        return false;
    }
    return true;
}

/* The store thread has made a configuration, and the gateway has put it in force. */
static void on_policy(struct gateway *gateway, struct policy *policy)
{
    struct control *control = CONTAINER_OF(gateway, struct control, gateway);
    policy_unref(control->policy);
    control->policy = policy;
    if (!control->is_over)
        prober_sync(&control->prober, gateway->table);
    log_info("configuration generation %llu is in force", (unsigned long long)gateway->table->generation);
}

static void reload(struct control *control)
{
    if (control->is_stopping) {
        log_warn("reload: ignored while shutting down");
        return;
    }
    if (control->cli.config_path.len == 0) {
        log_warn("reload: there is no configuration file");
        return;
    }
    struct config *config = startup_load(control->cli.config_path);
    if (!config) {
        log_error("reload refused: the file has faults; the old configuration stays");
        return;
    }
    if (can_reload(control->base, config))
        store_thread_reload(&control->store, config);
    else
        config_free(config);
}

static void on_reload_wanted(struct message *message)
{
    struct control *control = CONTAINER_OF(message, struct control, reload_wanted);
    atomic_store(&control->is_reload_wanted, false);
    reload(control);
}

/* On the store thread. */
static void want_reload(void *context)
{
    struct control *control = context;
    if (!atomic_exchange(&control->is_reload_wanted, true))
        loop_post(&control->loop, &control->reload_wanted);
}

/* A server has told its models: the same configuration, a new table. */
static void on_republish(struct task *task)
{
    struct control *control = CONTAINER_OF(task, struct control, republish);
    char why[GATEWAY_WHY_MAX] = "";
    if (control->is_stopping)
        return;
    if (gateway_publish(&control->gateway, control->policy, NULL, why) == ERR_OK)
        prober_sync(&control->prober, control->gateway.table);
    else
        log_error("models: %s", why);
}

static void on_models(struct prober *prober)
{
    struct control *control = CONTAINER_OF(prober, struct control, prober);
    loop_defer(&control->loop, &control->republish);
}

/* ---- events ---- */

/* Looks at the file's time instead of asking the kernel to tell: editors and orchestrators replace files and links in
 * ways that change notification loses. */
static void on_watch(struct wheel_timer *timer)
{
    struct control *control = CONTAINER_OF(timer, struct control, watch);
    struct timespec changed = startup_file_time(control->cli.config_path);
    if (changed.tv_sec != control->file_time.tv_sec || changed.tv_nsec != control->file_time.tv_nsec) {
        control->file_time = changed;
        reload(control);
    }
    timer_start(&control->loop, timer, FILE_WATCH_INTERVAL);
}

static void on_hup(uv_signal_t *handle, int number)
{
    struct control *control = handle->data;
    (void)number;
    log_sink_reopen(control->gateway.log);
    reload(control);
}

/* The first asks for a drain, the second ends it. */
static void on_stop_signal(uv_signal_t *handle, int number)
{
    struct control *control = handle->data;
    if (control->is_over)
        return;
    usec_t limit = setting_usec(control->policy->config->settings.drain_timeout_ms);
    if (control->is_stopping)
        limit = 0;
    control->is_stopping = true;
    log_info("%s: no new requests, running ones have %llu ms", number == SIGTERM ? "SIGTERM" : "SIGINT",
             (unsigned long long)(limit / USEC_PER_MSEC));
    gateway_drain(&control->gateway, limit);
}

static void on_worker_ended(struct message *message)
{
    struct worker *worker = CONTAINER_OF(message, struct worker, ended);
    struct control *control = CONTAINER_OF(worker->gateway, struct control, gateway);
    if (++control->workers_ended == control->gateway.worker_count)
        loop_stop(&control->loop);
}

static void watch_signal(struct control *control, uv_signal_t *handle, int number, uv_signal_cb callback)
{
    uv_signal_init(&control->loop.uv, handle);
    handle->data = control;
    uv_signal_start(handle, callback, number);
}

/* ---- the banner ---- */

static const char *scheme_of(const struct gateway_listener *listener)
{
    if (listener->serves & SERVES_SQL)
        return "mysql";
    return listener->tls ? "https" : "http";
}

/* What matters most of what it serves. */
static const char *purpose_of(const struct gateway_listener *listener)
{
    if (listener->serves & SERVES_INFERENCE)
        return "inference";
    if (listener->serves & SERVES_SQL)
        return "sql";
    return listener->serves & SERVES_ADMIN ? "admin" : "metrics";
}

static void print_listeners(const struct control *control)
{
    const struct gateway *gateway = &control->gateway;
    for (size_t i = 0; i < gateway->listener_count; i++) {
        const struct gateway_listener *listener = &gateway->listeners[i];
        char text[ADDRESS_TEXT_MAX];
        struct str address = address_format(&listener->address, text);
        printf("listening  %-8.*s %s://%.*s  (%s)\n", STR_ARG(listener->name), scheme_of(listener),
               STR_ARG(address), purpose_of(listener));
    }
}

static void print_servers(const struct config *config)
{
    for (size_t i = 0; i < config->server_count; i++) {
        const struct server_config *server = &config->servers[i];
        printf("server     %-16.*s %.*s  %.*s, hostgroup %u, weight %u\n", STR_ARG(server->name),
               STR_ARG(server->endpoint_text), STR_ARG(server->provider->name), server->hostgroup,
               server->weight);
    }
}

static void warn_if_open(const struct control *control)
{
    const struct config *config = control->policy->config;
    bool has_keys = false;
    for (size_t i = 0; i < config->server_count; i++)
        has_keys |= config->servers[i].api_key.len > 0;
    for (size_t i = 0; i < control->gateway.listener_count && has_keys; i++) {
        const struct gateway_listener *listener = &control->gateway.listeners[i];
        if ((listener->serves & SERVES_INFERENCE) && listener->auth == AUTH_NONE &&
            !address_is_loopback(&listener->address))
            log_warn("listener %.*s is open to the network without authentication, and servers behind it "
                     "have paid keys",
                     STR_ARG(listener->name));
    }
}

static void print_banner(const struct control *control)
{
    const struct config *config = control->policy->config;
    print_listeners(control);
    print_servers(config);
    for (size_t i = 0; i < control->gateway.listener_count; i++) {
        const struct gateway_listener *listener = &control->gateway.listeners[i];
        char text[ADDRESS_TEXT_MAX];
        if (!(listener->serves & SERVES_INFERENCE))
            continue;
        struct str address = address_format(&listener->address, text);
        const char *scheme = listener->tls ? "https" : "http";
        printf("\ntry        curl -s %s://%.*s/v1/models\n", scheme, STR_ARG(address));
        if (config->server_count == 1 && str_eq(config->servers[0].name, STR("sim")))
            printf("try        curl -sN %s://%.*s/v1/chat/completions -H 'Content-Type: application/json' -d "
                   "'{\"model\":\"sim\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":"
                   "\"hello\"}]}'\n",
                   scheme, STR_ARG(address));
        break;
    }
    puts("ready");
    fflush(stdout);
    warn_if_open(control);
}

/* ---- boot ---- */

/* Two descriptors a stream: as many as we may have. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Memory is full of keys and prompts: unless it is wanted, no core file shall have them. A sanitizer build is left alone,
 * as LeakSanitizer traces its own process, and tests look into it. */
static void allow_core_dumps(bool are_allowed)
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    prctl(PR_SET_DUMPABLE, are_allowed ? 1 : 0);
#else
    (void)are_allowed;
#endif
}

static size_t worker_count(const struct config *config)
{
    if (config->settings.workers > 0)
        return config->settings.workers;
    return MAX(uv_available_parallelism(), 1u);
}

/* What only one process may have: the data folder, addresses, the log's file. */
static int boot_reserve(struct control *control, struct str data_dir)
{
    char why[GATEWAY_WHY_MAX] = "out of memory";
    const struct config *config = control->base;
    if (startup_lock(data_dir, why) != ERR_OK)
        return fail(why);
    if (gateway_init(&control->gateway) != ERR_OK ||
        gateway_open_listeners(&control->gateway, config, why) != ERR_OK)
        return fail(why);
    if (log_sink_open(config->settings.access_log, &control->gateway.log) != ERR_OK)
        return fail("access_log (log_file in mindbalancer.cnf): cannot open the file; its folder has to exist");
    return 0;
}

/* What is stored, and the first configuration out of it. */
static int boot_load(struct control *control, struct str data_dir)
{
    char why[STORE_THREAD_WHY_MAX] = "out of memory";
    struct gateway *gateway = &control->gateway;
    if (store_thread_open(&control->store, gateway, control->base, data_dir, why) != ERR_OK)
        return fail(why);
    stand_in(control);
    if (store_thread_load(&control->store, config_ref(control->base), (unsigned)worker_count(control->base),
                          &control->policy, why) != ERR_OK)
        return fail(why);
    if (loop_init(&control->loop) != ERR_OK || gateway_publish(gateway, control->policy, NULL, why) != ERR_OK)
        return fail(why);
    return 0;
}

static int boot_threads(struct control *control)
{
    char why[STORE_THREAD_WHY_MAX] = "out of memory";
    struct gateway *gateway = &control->gateway;
    gateway->control = &control->loop;
    gateway->on_worker_ended = on_worker_ended;
    gateway->on_policy = on_policy;
    if (gateway_start(gateway, worker_count(control->base)) != ERR_OK)
        return fail("cannot start the workers");
    if (site_init(&control->site, &control->loop, gateway) != ERR_OK ||
        prober_init(&control->prober, &control->loop, gateway, on_models) != ERR_OK)
        return fail("cannot start the control thread");
    prober_sync(&control->prober, gateway->table);
    control->reload_wanted.on_delivery = on_reload_wanted;
    if (control->cli.config_path.len > 0)
        control->store.on_reload_wanted = want_reload;
    control->store.reload_context = control;
    return store_thread_start(&control->store, why) == ERR_OK ? 0 : fail(why);
}

static int boot(struct control *control)
{
    struct str data_dir = control->cli.data_dir.len > 0 ? control->cli.data_dir : control->base->data_dir;
    int status = boot_reserve(control, data_dir);
    if (status == 0)
        status = boot_load(control, data_dir);
    return status == 0 ? boot_threads(control) : status;
}

static void run(struct control *control)
{
    watch_signal(control, &control->on_hup, SIGHUP, on_hup);
    watch_signal(control, &control->on_term, SIGTERM, on_stop_signal);
    watch_signal(control, &control->on_int, SIGINT, on_stop_signal);
    task_init(&control->republish, on_republish);
    wheel_timer_init(&control->watch, on_watch);
    if (control->policy->config->settings.config_watch && control->cli.config_path.len > 0) {
        control->file_time = startup_file_time(control->cli.config_path);
        timer_start(&control->loop, &control->watch, FILE_WATCH_INTERVAL);
    }
    print_banner(control);
    loop_run(&control->loop);
}

/* The loop itself and its signal handles stay until the process is gone: closing them would give a late signal back its
 * default action, which is to kill a process that is ending well. */
static void shut_down(struct control *control)
{
    control->is_over = true;
    store_thread_stop(&control->store);
    loop_deliver(&control->loop); /* what it wanted in force: the workers' part is done as they are joined */
    for (size_t i = 0; i < control->gateway.worker_count; i++)
        worker_join(&control->gateway.workers[i]);
    timer_stop(&control->loop, &control->watch);
    task_cancel(&control->republish);
    prober_fini(&control->prober);
    site_fini(&control->site);
    loop_settle(&control->loop);
    free(control->site.listeners);
    store_thread_close(&control->store);
    gateway_fini(&control->gateway);
    policy_unref(control->policy);
    config_free(control->base);
}

int cli_serve(const struct cli *cli)
{
    static struct control control; /* large, and there is one */
    control.cli = *cli;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a limit of file size is a full disk, no reason to die */
    allow_core_dumps(false);
    raise_descriptor_limit();
    printf("fairlead %s\n", FAIRLEAD_VERSION);
    startup_find_config(&control.cli);
    control.base = first_config(&control.cli);
    if (!control.base)
        return 1;
    allow_core_dumps(control.base->settings.core_dumps);
    int status = boot(&control);
    if (status != 0)
        return status; /* the process ends, and everything with it */
    run(&control);
    shut_down(&control);
    return 0;
}
