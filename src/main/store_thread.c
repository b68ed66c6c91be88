/* SPDX-License-Identifier: Apache-2.0 */
#include "main/store_thread.h"

#include "admin/import_mindbalancer.h"
#include "base/log.h"
#include "conf/load.h"
#include "proxy/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define TEND_INTERVAL (200 * USEC_PER_MSEC)
#define IMPORT_REPORT_MAX ((size_t)1 << 20)
#define STORE_NICENESS 10
#define COLLECT_INTERVAL (1 * USEC_PER_SEC)
#define COMPLAINT_INTERVAL (60 * USEC_PER_SEC)
#define RELOAD_INTERVAL (50 * USEC_PER_MSEC)
#define RELOAD_GRACE (2 * RELOAD_INTERVAL) /* to try once more behind the rollback */

/* ---- what the sessions ask ---- */

static struct journal_limits journal_limits_from(const struct settings *settings)
{
    return (struct journal_limits){
        .max_bytes = settings->request_log_max_mb << 20,
        .max_age = setting_usec(settings->request_log_max_age_ms),
    };
}

static const struct settings *current_settings(struct store_thread *store)
{
    struct gate *gate = &store->gateway->gate;
    struct table *newer = gate_newer_table(gate, store->table);
    if (newer) {
        gate_drop_table(gate, store->table);
        store->table = newer;
    }
    return &store->table->policy->config->settings;
}

static const struct settings *owner_settings(struct mysql_owner *owner)
{
    return current_settings(CONTAINER_OF(owner, struct store_thread, owner));
}

static void owner_account(struct mysql_owner *owner, struct str user, struct mysql_account *ret_account)
{
    mysql_admin_account(owner_settings(owner), user, ret_account);
}

/* ---- a new file ---- */

struct reload_order {
    struct message message;
    struct store_thread *store;
    struct config *base;
    struct generation_publish publish;
    struct wheel_timer again;
    usec_t give_up_at; /* 0: has not met another writer yet */
};

static void drop_order(struct reload_order *order)
{
    config_free(order->base);
    free(order);
}

static void on_reload_in_force(struct message *message)
{
    free(CONTAINER_OF(message, struct reload_order, publish.in_force));
}

/* A session is writing. Its transaction ends in time, at the latest by sql_transaction_timeout_ms. False: it has had
 * that time. */
static bool wait_for_writer(struct store_thread *store, struct reload_order *order)
{
    usec_t now = loop_now(&store->loop);
    if (order->give_up_at == 0) {
        order->give_up_at = now + setting_usec(current_settings(store)->sql_transaction_timeout_ms) + RELOAD_GRACE;
        log_warn("reload: waits for a SQL session that has a transaction open");
    }
    if (now >= order->give_up_at)
        return false;
    store->waiting_reload = order;
    timer_start(&store->loop, &order->again, RELOAD_INTERVAL);
    return true;
}

static void try_reload(struct store_thread *store, struct reload_order *order)
{
    char why[GENERATION_WHY_MAX];
    struct policy *policy;
    store->waiting_reload = NULL;
    enum err err = generation_replace_base(&store->generation, order->base, &policy, why);
    if (err == ERR_OK) {
        generation_publish(&store->generation, policy, &order->publish);
        return;
    }
    if (err == ERR_BUSY && wait_for_writer(store, order))
        return;
    log_error("reload refused: %s; the old configuration stays", why);
    drop_order(order);
}

static void on_again(struct wheel_timer *timer)
{
    struct reload_order *order = CONTAINER_OF(timer, struct reload_order, again);
    try_reload(order->store, order);
}

static void stop_waiting(struct store_thread *store)
{
    struct reload_order *order = store->waiting_reload;
    if (!order)
        return;
    timer_stop(&store->loop, &order->again);
    store->waiting_reload = NULL;
    drop_order(order);
}

/* The file that still waited is older than this one. */
static void on_reload(struct message *message)
{
    struct reload_order *order = CONTAINER_OF(message, struct reload_order, message);
    stop_waiting(order->store);
    try_reload(order->store, order);
}

void store_thread_reload(struct store_thread *store, struct config *base)
{
    struct reload_order *order = calloc(1, sizeof(*order));
    if (!order) {
        config_free(base);
        return;
    }
    *order = (struct reload_order){.store = store, .base = base, .message.on_delivery = on_reload};
    order->publish.in_force.on_delivery = on_reload_in_force;
    wheel_timer_init(&order->again, on_again);
    loop_post(&store->loop, &order->message);
}

/* ---- the thread ---- */

/* Whoever writes by SQL at the moment may make the ledger wait; what lasts longer is said, now and then. */
static void complain(struct store_thread *store, enum err err, const char *why)
{
    usec_t now = loop_now(&store->loop);
    if (err == ERR_BUSY || (store->complained_at > 0 && now - store->complained_at < COMPLAINT_INTERVAL))
        return;
    store->complained_at = now;
    log_error("ledger: %s; records wait in the journal", why);
}

/* Requests go on without it: somebody should be told. */
static void report_journal(struct store_thread *store)
{
    struct journal_numbers numbers;
    journal_read_numbers(store->journal, &numbers);
    if (numbers.state == store->journal_state)
        return;
    store->journal_state = numbers.state;
    if (numbers.state == JOURNAL_OK)
        log_info("journal: ok again; %llu records were dropped since the start", (unsigned long long)numbers.dropped);
    else
        log_error("journal: %s; requests go on, but will be missing in request_log and usage_ledger",
                  journal_state_text(numbers.state));
}

/* Each collection is a commit that waits for the disk, so not at every turn. */
static void collect(struct store_thread *store, usec_t now)
{
    char why[DB_WHY_MAX] = "";
    bool has_more = false;
    enum err err = ledger_collect(store->ledger, &has_more, why);
    store->collect_at = now + (err == ERR_OK && has_more ? 0 : COLLECT_INTERVAL);
    if (err != ERR_OK)
        complain(store, err, why);
}

static void on_tend(struct wheel_timer *timer)
{
    struct store_thread *store = CONTAINER_OF(timer, struct store_thread, tend);
    usec_t now = loop_now(&store->loop);
    journal_set_limits(store->journal, journal_limits_from(current_settings(store)));
    journal_tend(store->journal, now);
    report_journal(store);
    if (now >= store->collect_at)
        collect(store, now);
    cache_drop_expired(&store->gateway->cache, now);
    timer_start(&store->loop, timer, TEND_INTERVAL);
}

static void on_mysql_closed(struct mysql_server *server)
{
    struct store_thread *store = CONTAINER_OF(server, struct store_thread, mysql);
    loop_stop(&store->loop);
}

static void on_stop(struct message *message)
{
    struct store_thread *store = CONTAINER_OF(message, struct store_thread, stop);
    timer_stop(&store->loop, &store->tend);
    stop_waiting(store);
    rest_fini(&store->rest);
    mysql_server_close(&store->mysql, on_mysql_closed);
}

/* Where cores are few, a long statement computes in the gaps that requests leave (setpriority(2): of a thread, on Linux). */
static void run(void *argument)
{
    struct store_thread *store = argument;
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), STORE_NICENESS);
    loop_run(&store->loop);
}

/* ---- opening ---- */

/* A MindBalancer's rows, if its database lies here and ours does not yet. */
static enum err take_over_mindbalancer(struct store_thread *store, struct str data_dir, char *why)
{
    struct buf report;
    if (!import_mindbalancer_is_due(data_dir))
        return ERR_OK;
    buf_init(&report, IMPORT_REPORT_MAX);
    enum err err = import_mindbalancer(data_dir, &store->seal, &report, why);
    if (err == ERR_OK)
        fwrite(report.ptr, 1, report.len, stdout);
    buf_free(&report);
    return err;
}

enum err store_thread_open(struct store_thread *store, struct gateway *gateway, const struct config *base,
                           struct str data_dir, char *why)
{
    const struct settings *settings = &base->settings;
    store->gateway = gateway;
    if (loop_init(&store->loop) != ERR_OK || asprintf(&store->db_path, "%.*s/" DB_FILE, STR_ARG(data_dir)) < 0 ||
        asprintf(&store->journal_path, "%.*s/journal", STR_ARG(data_dir)) < 0) {
        snprintf(why, STORE_THREAD_WHY_MAX, "%s", err_text(ERR_NO_MEMORY));
        return ERR_NO_MEMORY;
    }
    enum err err = seal_init(&store->seal, data_dir, settings->api_key_encryption_key,
                             settings->api_key_encryption_key_old, why);
    if (err == ERR_OK)
        err = take_over_mindbalancer(store, data_dir, why);
    if (err == ERR_OK)
        err = db_open(&store->db, store->db_path, why);
    if (err == ERR_OK)
        err = db_migrate_up(&store->db, why);
    if (err == ERR_OK)
        err = db_open(&store->ledger_db, store->db_path, why);
    gateway->seal = &store->seal;
    return err;
}

bool store_thread_has_servers(struct store_thread *store)
{
    char why[DB_WHY_MAX];
    bool is_row = false;
    sqlite3_stmt *stmt = db_prepare(&store->db, "SELECT 1 FROM ai_servers WHERE source = 'sql' LIMIT 1", why);
    bool has = stmt && db_step(&store->db, stmt, &is_row, why) == ERR_OK && is_row;
    sqlite3_finalize(stmt);
    return has;
}

static enum err open_journal(struct store_thread *store, const struct settings *settings, unsigned workers, char *why)
{
    /* One writer more than there are workers: the ledger's own. */
    enum err err =
        journal_open(store->journal_path, workers + 1, journal_limits_from(settings), &store->journal, why);
    if (err == ERR_OK)
        err = ledger_open(store->journal, &store->ledger_db, journal_writer(store->journal, workers),
                          &store->ledger, why);
    store->gateway->journal = store->journal;
    return err;
}

enum err store_thread_load(struct store_thread *store, struct config *base, unsigned workers,
                           struct policy **ret_policy, char *why)
{
    store->generation.gateway = store->gateway;
    store->generation.loop = &store->loop;
    enum err err = generation_open(&store->generation, &store->db, &store->seal, base, ret_policy, why);
    if (err == ERR_OK)
        err = open_journal(store, &(*ret_policy)->config->settings, workers, why);
    if (err != ERR_OK)
        return err;
    store->engine = (struct sql_engine){
        .path = store->db_path,
        .generation = &store->generation,
        .gateway = store->gateway,
        .loop = &store->loop,
    };
    return sql_engine_init(&store->engine);
}

/* ---- starting ---- */

static enum err open_listeners(struct store_thread *store, char *why)
{
    struct gateway *gateway = store->gateway;
    for (size_t i = 0; i < gateway->listener_count; i++) {
        struct gateway_listener *listener = &gateway->listeners[i];
        if (!(listener->serves & SERVES_SQL))
            continue;
        if (listener->tls)
            mysql_server_set_tls(&store->mysql, listener->tls);
        enum err err = mysql_server_listen(&store->mysql, &listener->address, listener->reserved_fd);
        if (err != ERR_OK) {
            snprintf(why, STORE_THREAD_WHY_MAX, "listener %.*s: %s", STR_ARG(listener->name), err_text(err));
            return err;
        }
        listener->reserved_fd = -1;
    }
    return ERR_OK;
}

enum err store_thread_start(struct store_thread *store, char *why)
{
    store->owner = (struct mysql_owner){.settings = owner_settings, .account = owner_account};
    store->stop.on_delivery = on_stop;
    mysql_server_init(&store->mysql, &store->loop, &store->engine, &store->owner, STR(SQL_SERVER_VERSION));
    enum err err = open_listeners(store, why);
    if (err == ERR_OK)
        err = rest_init(&store->rest, &store->loop, store->gateway, &store->engine, store->on_reload_wanted,
                        store->reload_context);
    if (err != ERR_OK)
        return err;
    wheel_timer_init(&store->tend, on_tend);
    timer_start(&store->loop, &store->tend, TEND_INTERVAL);
    if (uv_thread_create(&store->thread, run, store) != 0) {
        snprintf(why, STORE_THREAD_WHY_MAX, "cannot start the store thread");
        return ERR_SYSTEM;
    }
    return ERR_OK;
}

/* ---- the end ---- */

void store_thread_stop(struct store_thread *store)
{
    loop_post(&store->loop, &store->stop);
    uv_thread_join(&store->thread);
}

static void collect_all(struct store_thread *store)
{
    char why[DB_WHY_MAX] = "";
    bool has_more = true;
    enum err err = ERR_OK;
    journal_tend(store->journal, clock_monotonic());
    while (has_more && err == ERR_OK)
        err = ledger_collect(store->ledger, &has_more, why);
    if (err == ERR_OK)
        err = ledger_finish(store->ledger, why);
    if (err != ERR_OK)
        log_warn("ledger: %s; the next start goes on with it", why);
}

void store_thread_close(struct store_thread *store)
{
    loop_deliver(&store->loop); /* what was still being put in force */
    loop_settle(&store->loop);
    mysql_server_fini(&store->mysql);
    rest_free(&store->rest);
    sql_engine_fini(&store->engine);
    collect_all(store);
    ledger_close(store->ledger);
    journal_close(store->journal);
    generation_close(&store->generation);
    db_close(&store->ledger_db);
    db_close(&store->db);
    gate_drop_table(&store->gateway->gate, store->table);
    seal_fini(&store->seal);
    free(store->db_path);
    free(store->journal_path);
    loop_fini(&store->loop);
}
