/* SPDX-License-Identifier: Apache-2.0 */
/* request_log: ended requests out of the journal, newest first, read record by record: it may hold a gigabyte. Limits on
 * `ended_at` are handed down, so that what is outside is not read, and ORDER BY ended_at DESC needs no sort. */
#include "admin/sql_views.h"

#include "admin/ledger.h"

#include <stdlib.h>
#include <time.h>

/* Bits of the plan. */
#define PLAN_FROM 1
#define PLAN_TO 2

struct log_cursor {
    sqlite3_vtab_cursor base;
    struct ledger_reader reader;
    const struct ledger_end *end; /* present record; NULL: none is left */
    sqlite3_int64 at;
    /* Of the present record. */
    char time[32], client[ADDRESS_TEXT_MAX];
};

static struct log_cursor *cursor_of(sqlite3_vtab_cursor *base)
{
    return CONTAINER_OF(base, struct log_cursor, base);
}

static bool is_lower_bound(unsigned char operator)
{
    return operator== SQLITE_INDEX_CONSTRAINT_GE || operator== SQLITE_INDEX_CONSTRAINT_GT;
}

static bool is_upper_bound(unsigned char operator)
{
    return operator== SQLITE_INDEX_CONSTRAINT_LE || operator== SQLITE_INDEX_CONSTRAINT_LT;
}

static int on_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info)
{
    int from = -1, to = -1, arguments = 0;
    (void)vtab;
    for (int i = 0; i < info->nConstraint; i++) {
        if (info->aConstraint[i].iColumn != 0 || !info->aConstraint[i].usable)
            continue;
        if (is_lower_bound(info->aConstraint[i].op))
            from = i;
        else if (is_upper_bound(info->aConstraint[i].op))
            to = i;
    }
    if (from >= 0)
        info->aConstraintUsage[from].argvIndex = ++arguments;
    if (to >= 0)
        info->aConstraintUsage[to].argvIndex = ++arguments;
    info->idxNum = (from >= 0 ? PLAN_FROM : 0) | (to >= 0 ? PLAN_TO : 0);
    info->orderByConsumed = info->nOrderBy == 1 && info->aOrderBy[0].iColumn == 0 && info->aOrderBy[0].desc;
    info->estimatedCost = arguments > 0 ? 1e4 : 1e6;
    info->estimatedRows = arguments > 0 ? 10000 : 1000000;
    return SQLITE_OK;
}

static int on_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **ret_cursor)
{
    (void)vtab;
    struct log_cursor *cursor = calloc(1, sizeof(*cursor));
    if (!cursor)
        return SQLITE_NOMEM;
    *ret_cursor = &cursor->base;
    return SQLITE_OK;
}

static int on_close(sqlite3_vtab_cursor *base)
{
    struct log_cursor *cursor = cursor_of(base);
    ledger_read_close(&cursor->reader);
    free(cursor);
    return SQLITE_OK;
}

/* "YYYY-MM-DD[ HH:MM:SS]"; anything else is `otherwise`, and SQLite compares by itself. */
static usec_t time_of(sqlite3_value *value, usec_t otherwise)
{
    struct tm parts = {0};
    const char *text = (const char *)sqlite3_value_text(value);
    const char *end = text ? strptime(text, "%Y-%m-%d", &parts) : NULL;
    if (end && *end)
        end = strptime(end, " %H:%M:%S", &parts);
    time_t seconds = end ? timegm(&parts) : -1;
    return seconds >= 0 ? (usec_t)seconds * USEC_PER_SEC : otherwise;
}

static void read_next(struct log_cursor *cursor)
{
    struct tm parts;
    cursor->end = ledger_read_next(&cursor->reader);
    if (!cursor->end)
        return;
    time_t seconds = (time_t)(cursor->end->access.realtime / USEC_PER_SEC);
    gmtime_r(&seconds, &parts);
    strftime(cursor->time, sizeof(cursor->time), "%Y-%m-%d %H:%M:%S", &parts);
}

static int on_filter(sqlite3_vtab_cursor *base, int plan, const char *text, int argc, sqlite3_value **argv)
{
    struct log_cursor *cursor = cursor_of(base);
    struct journal *journal =
        sql_view_table_of(base->pVtab)->link->session->engine->gateway->journal;
    usec_t from = 0, to = USEC_FOREVER;
    int at = 0;
    (void)text;
    if (plan & PLAN_FROM && at < argc)
        from = time_of(argv[at++], from);
    if (plan & PLAN_TO && at < argc)
        to = time_of(argv[at++], to);
    if (to < USEC_FOREVER - USEC_PER_SEC)
        to += USEC_PER_SEC; /* texts have whole seconds */
    ledger_read_close(&cursor->reader);
    cursor->reader = (struct ledger_reader){0};
    cursor->at = 0;
    cursor->end = NULL;
    if (!journal) /* nothing is booked */
        return SQLITE_OK;
    if (ledger_read(&cursor->reader, journal, from, to) != ERR_OK)
        return SQLITE_NOMEM;
    read_next(cursor);
    return SQLITE_OK;
}

static int on_next(sqlite3_vtab_cursor *base)
{
    struct log_cursor *cursor = cursor_of(base);
    cursor->at++;
    read_next(cursor);
    return SQLITE_OK;
}

static int on_eof(sqlite3_vtab_cursor *base)
{
    return cursor_of(base)->end == NULL;
}

static int on_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *ret_rowid)
{
    *ret_rowid = cursor_of(base)->at;
    return SQLITE_OK;
}

/* ---- columns ---- */

static void give_text(sqlite3_context *context, struct str text)
{
    sqlite3_result_text64(context, text.ptr ? text.ptr : "", text.len, SQLITE_TRANSIENT, SQLITE_UTF8);
}

static void give_number(sqlite3_context *context, uint64_t number)
{
    sqlite3_result_int64(context, (sqlite3_int64)MIN(number, (uint64_t)INT64_MAX));
}

static void give_milliseconds(sqlite3_context *context, usec_t usec)
{
    sqlite3_result_double(context, (double)usec / (double)USEC_PER_MSEC);
}

/* In the order of sql_views.def. */
enum log_field {
    FIELD_ENDED_AT,
    FIELD_ID,
    FIELD_REQUEST_ID,
    FIELD_USER,
    FIELD_CLIENT,
    FIELD_API,
    FIELD_METHOD,
    FIELD_PATH,
    FIELD_MODEL,
    FIELD_SERVER,
    FIELD_HOSTGROUP,
    FIELD_STATE,
    FIELD_STATUS,
    FIELD_STREAM,
    FIELD_ATTEMPTS,
    FIELD_CACHE,
    FIELD_INPUT_TOKENS,
    FIELD_CACHE_READ_TOKENS,
    FIELD_CACHE_WRITE_TOKENS,
    FIELD_OUTPUT_TOKENS,
    FIELD_REASONING_TOKENS,
    FIELD_COST,
    FIELD_BYTES_IN,
    FIELD_BYTES_OUT,
    FIELD_QUEUE,
    FIELD_CONNECT,
    FIELD_FIRST_BYTE,
    FIELD_DURATION,
    FIELD_ERROR
};

static void give_name(sqlite3_context *context, struct log_cursor *cursor, enum log_field column)
{
    const struct ledger_end *end = cursor->end;
    const struct access_record *access = &end->access;
    const struct str texts[] = {
        [FIELD_ENDED_AT] = str_from(cursor->time),
        [FIELD_REQUEST_ID] = access->id,
        [FIELD_USER] = access->user,
        [FIELD_API] = access->api,
        [FIELD_METHOD] = access->method,
        [FIELD_PATH] = access->path,
        [FIELD_MODEL] = access->model,
        [FIELD_SERVER] = access->server,
        [FIELD_HOSTGROUP] = access->hostgroup,
        [FIELD_STATE] = ledger_state_text(end->state),
        [FIELD_CACHE] = ledger_cache_text(end->cache),
        [FIELD_ERROR] = access->error,
    };
    if (column == FIELD_CLIENT)
        give_text(context, access->client ? address_format(access->client, cursor->client) : STR(""));
    else
        give_text(context, texts[column]);
}

static int on_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    struct log_cursor *cursor = cursor_of(base);
    const struct ledger_end *end = cursor->end;
    const struct access_record *access = &end->access;
    switch ((enum log_field)column) {
    case FIELD_ENDED_AT:
    case FIELD_REQUEST_ID:
    case FIELD_USER:
    case FIELD_CLIENT:
    case FIELD_API:
    case FIELD_METHOD:
    case FIELD_PATH:
    case FIELD_MODEL:
    case FIELD_SERVER:
    case FIELD_HOSTGROUP:
    case FIELD_STATE:
    case FIELD_CACHE:
    case FIELD_ERROR:
        give_name(context, cursor, (enum log_field)column);
        break;
    case FIELD_ID:
        give_number(context, end->id);
        break;
    case FIELD_STATUS:
        sqlite3_result_int(context, access->status);
        break;
    case FIELD_STREAM:
        sqlite3_result_int(context, access->is_stream);
        break;
    case FIELD_ATTEMPTS:
        give_number(context, access->attempts);
        break;
    case FIELD_INPUT_TOKENS:
        give_number(context, end->tokens.fresh_input);
        break;
    case FIELD_CACHE_READ_TOKENS:
        give_number(context, end->tokens.cache_read);
        break;
    case FIELD_CACHE_WRITE_TOKENS:
        give_number(context, end->tokens.cache_write);
        break;
    case FIELD_OUTPUT_TOKENS:
        give_number(context, end->tokens.output);
        break;
    case FIELD_REASONING_TOKENS:
        give_number(context, end->tokens.reasoning);
        break;
    case FIELD_COST:
        sqlite3_result_double(context, (double)end->cost / 1e9);
        break;
    case FIELD_BYTES_IN:
        give_number(context, access->bytes_in);
        break;
    case FIELD_BYTES_OUT:
        give_number(context, access->bytes_out);
        break;
    case FIELD_QUEUE:
        give_milliseconds(context, access->queue);
        break;
    case FIELD_CONNECT:
        give_milliseconds(context, access->connect);
        break;
    case FIELD_FIRST_BYTE:
        give_milliseconds(context, access->first_byte);
        break;
    case FIELD_DURATION:
        give_milliseconds(context, access->total);
        break;
    }
    return SQLITE_OK;
}

const sqlite3_module sql_request_log = {
    .xConnect = sql_view_connect,
    .xBestIndex = on_best_index,
    .xDisconnect = sql_view_disconnect,
    .xOpen = on_open,
    .xClose = on_close,
    .xFilter = on_filter,
    .xNext = on_next,
    .xEof = on_eof,
    .xColumn = on_column,
    .xRowid = on_rowid,
};
