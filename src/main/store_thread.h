/* SPDX-License-Identifier: Apache-2.0 */
/* The store thread: everything durable, and who administers. It alone uses SQLite; its loop serves SQL and REST, makes
 * configurations out of rows, tends the journal and keeps the ledger. Requests never wait for it.
 *
 * Opened by main before any other thread runs, started with the workers, stopped behind them. */
#pragma once

#include "admin/generation.h"
#include "admin/ledger.h"
#include "admin/mysql_server.h"
#include "admin/sql_engine.h"
#include "store/journal.h"
#include "web/rest.h"

#define STORE_THREAD_WHY_MAX GENERATION_WHY_MAX

struct store_thread {
    uv_thread_t thread;
    struct loop loop;
    struct gateway *gateway;
    char *db_path, *journal_path;
    struct seal seal;
    struct db db, ledger_db;
    struct generation generation;
    struct journal *journal;
    struct ledger *ledger;
    struct sql_engine engine;
    struct mysql_server mysql;
    struct mysql_owner owner;
    usec_t collect_at, complained_at; /* of the ledger */
    enum journal_state journal_state; /* that the log has told */
    struct table *table; /* in force when the owner was last asked; a reference */
    struct rest rest;
    void (*on_reload_wanted)(void *context); /* REST wants what SIGHUP does; on the store thread. main's to set */
    void *reload_context;
    struct wheel_timer tend;
    struct message stop;
    struct reload_order *waiting_reload; /* for another writer to end; NULL: none does */
};

/* ---- boot, before any other thread runs ---- */

/* Opens what is in `data_dir`, which is locked; `base` says under which passphrase. */
MUST_USE enum err store_thread_open(struct store_thread *store, struct gateway *gateway, const struct config *base,
                                    struct str data_dir, char *why);

/* Whether somebody has added servers by SQL or REST. */
bool store_thread_has_servers(struct store_thread *store);

/* Mirrors `base` (taken over on success) and makes the first policy; opens the journal for that many workers. */
MUST_USE enum err store_thread_load(struct store_thread *store, struct config *base, unsigned workers,
                                    struct policy **ret_policy, char *why);

/* With the workers made: opens the listeners for SQL and REST, and runs. */
MUST_USE enum err store_thread_start(struct store_thread *store, char *why);

/* ---- any thread ---- */

/* A new file, read and checked: asks for it to be put in force, and takes it over. While a SQL session has a transaction
 * open it waits, up to sql_transaction_timeout_ms. The log says what comes of it. */
void store_thread_reload(struct store_thread *store, struct config *base);

/* ---- the end ---- */

/* Closes its listeners and sessions and ends the thread; the control thread and the workers may still have mail of it. */
void store_thread_stop(struct store_thread *store);

/* With the workers gone: brings journal and ledger to their end, and frees everything. */
void store_thread_close(struct store_thread *store);
