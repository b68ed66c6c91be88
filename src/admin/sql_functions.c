/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sql_functions.h"

#include "admin/sql_variables.h"
#include "conf/settings.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <time.h>

#define OPENED_MAX 8192 /* bytes of a sealed text */
#define MASK STR("********")

static struct sql_session *session_of(sqlite3_context *context)
{
    return sqlite3_user_data(context);
}

static struct str text_of(sqlite3_value *value)
{
    const char *text = (const char *)sqlite3_value_text(value);
    return (struct str){text ? text : "", text ? (size_t)sqlite3_value_bytes(value) : 0};
}

static void give_text(sqlite3_context *context, struct str text)
{
    sqlite3_result_text64(context, text.ptr ? text.ptr : "", text.len, SQLITE_TRANSIENT, SQLITE_UTF8);
}

static bool is_null(sqlite3_value *value)
{
    return sqlite3_value_type(value) == SQLITE_NULL;
}

/* ---- LIKE ---- */

static size_t character_length(struct str text, size_t at)
{
    size_t length = 1;
    while (at + length < text.len && ((unsigned char)text.ptr[at + length] & 0xc0) == 0x80)
        length++;
    return length;
}

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

/* The last `%` is the only one worth going back to: an earlier one could only give the same matches later. */
bool sql_like(struct str pattern, struct str text, char escape)
{
    size_t p = 0, t = 0, retry_pattern = SIZE_MAX, retry_text = 0;
    while (t < text.len || p < pattern.len) {
        if (p < pattern.len && pattern.ptr[p] == '%') {
            retry_pattern = ++p;
            retry_text = t;
            continue;
        }
        if (p < pattern.len && t < text.len) {
            bool is_escaped = pattern.ptr[p] == escape && p + 1 < pattern.len;
            if (!is_escaped && pattern.ptr[p] == '_') {
                p++;
                t += character_length(text, t);
                continue;
            }
            if (lower(pattern.ptr[p + is_escaped]) == lower(text.ptr[t])) {
                p += 1u + is_escaped;
                t++;
                continue;
            }
        }
        if (retry_pattern == SIZE_MAX || retry_text >= text.len)
            return false;
        retry_text += character_length(text, retry_text);
        t = retry_text;
        p = retry_pattern;
    }
    return true;
}

static void like(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    if (is_null(argv[0]) || is_null(argv[1]))
        return;
    struct str escape = argc > 2 ? text_of(argv[2]) : STR("\\");
    sqlite3_result_int(context,
                       sql_like(text_of(argv[0]), text_of(argv[1]), escape.len > 0 ? escape.ptr[0] : '\0'));
}

/* ---- who and where ---- */

static void version(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    (void)argc;
    (void)argv;
    give_text(context, STR(SQL_SERVER_VERSION));
}

static void database(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    (void)argc;
    (void)argv;
    give_text(context,
              session_of(context)->uses_information_schema ? STR("information_schema") : STR("fairlead"));
}

static void user(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    const struct sql_identity *identity = &session_of(context)->identity;
    (void)argc;
    (void)argv;
    char *text = sqlite3_mprintf(STR_FMT "@" STR_FMT, STR_ARG(identity->user), STR_ARG(identity->host));
    if (text)
        sqlite3_result_text(context, text, -1, sqlite3_free);
    else
        sqlite3_result_error_nomem(context);
}

static void connection_id(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    (void)argc;
    (void)argv;
    sqlite3_result_int64(context, session_of(context)->identity.id);
}

static void last_insert_id(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    (void)argc;
    (void)argv;
    sqlite3_result_int64(context, (sqlite3_int64)session_of(context)->last_insert_id);
}

static void row_count(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    (void)argc;
    (void)argv;
    sqlite3_result_int64(context, session_of(context)->row_count);
}

static void sysvar(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    struct sql_session *session = session_of(context);
    struct sql_value value;
    struct str name = text_of(argv[0]);
    (void)argc;
    if (!sql_variable_get(session, name, &value)) {
        sql_error_set(&session->error, SQL_ERR_UNKNOWN_VARIABLE, "Unknown system variable '" STR_FMT "'",
                      STR_ARG(name));
        sqlite3_result_error(context, "unknown system variable", -1);
    } else if (value.type == SQL_INTEGER) {
        sqlite3_result_int64(context, value.integer);
    } else {
        give_text(context, value.text);
    }
}

/* ---- time: UTC ---- */

static void give_time(sqlite3_context *context, const char *format)
{
    char text[32];
    time_t seconds = (time_t)(clock_realtime() / USEC_PER_SEC);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    strftime(text, sizeof(text), format, &parts);
    give_text(context, str_from(text));
}

static void now(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    (void)argc;
    (void)argv;
    give_time(context, "%Y-%m-%d %H:%M:%S");
}

static void today(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    (void)argc;
    (void)argv;
    give_time(context, "%Y-%m-%d");
}

static void time_of_day(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    (void)argc;
    (void)argv;
    give_time(context, "%H:%M:%S");
}

static void unix_timestamp(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    struct tm parts = {0};
    if (argc == 0) {
        sqlite3_result_int64(context, (sqlite3_int64)(clock_realtime() / USEC_PER_SEC));
        return;
    }
    const char *text = (const char *)sqlite3_value_text(argv[0]);
    const char *end = text ? strptime(text, "%Y-%m-%d", &parts) : NULL;
    if (end && *end)
        end = strptime(end, " %H:%M:%S", &parts);
    if (end)
        sqlite3_result_int64(context, timegm(&parts));
}

/* ---- texts and choices ---- */

static void concat(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    struct buf out;
    buf_init(&out, INT32_MAX);
    for (int i = 0; i < argc; i++) {
        if (is_null(argv[i])) {
            buf_free(&out);
            return;
        }
        buf_add(&out, text_of(argv[i]));
    }
    if (buf_ok(&out))
        give_text(context, buf_str(&out));
    else
        sqlite3_result_error_nomem(context);
    buf_free(&out);
}

static void if_then(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    (void)argc;
    sqlite3_result_value(context, sqlite3_value_double(argv[0]) != 0 ? argv[1] : argv[2]);
}

static void is_null_function(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    (void)argc;
    sqlite3_result_int(context, is_null(argv[0]));
}

/* `count` characters from the left. */
static size_t bytes_of(struct str text, sqlite3_int64 count)
{
    size_t at = 0;
    for (; count > 0 && at < text.len; count--)
        at += character_length(text, at);
    return at;
}

static sqlite3_int64 characters_of(struct str text)
{
    sqlite3_int64 count = 0;
    for (size_t at = 0; at < text.len; count++)
        at += character_length(text, at);
    return count;
}

static void left(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    (void)argc;
    if (is_null(argv[0]) || is_null(argv[1]))
        return;
    struct str text = text_of(argv[0]);
    give_text(context, (struct str){text.ptr, bytes_of(text, sqlite3_value_int64(argv[1]))});
}

static void right(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    (void)argc;
    if (is_null(argv[0]) || is_null(argv[1]))
        return;
    struct str text = text_of(argv[0]);
    sqlite3_int64 wanted = MAX(sqlite3_value_int64(argv[1]), 0);
    give_text(context, str_from_offset(text, bytes_of(text, characters_of(text) - wanted)));
}

/* ---- masks ---- */

static void mask_secret(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    (void)argc;
    give_text(context, text_of(argv[0]).len > 0 ? MASK : STR(""));
}

/* The mask of the key itself, so that an operator recognizes it; of one that does not open, stars. */
static void mask_sealed(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    char shown[SECRET_MASK_MAX];
    struct buf plain;
    struct str text = text_of(argv[0]);
    (void)argc;
    if (text.len == 0) {
        give_text(context, STR(""));
        return;
    }
    buf_init(&plain, OPENED_MAX);
    bool is_open = seal_open(session_of(context)->engine->generation->seal, text, &plain, NULL) == ERR_OK;
    give_text(context, is_open && plain.len > 0 ? secret_mask(buf_str(&plain), shown) : MASK);
    if (plain.ptr)
        OPENSSL_cleanse(plain.ptr, plain.cap);
    buf_free(&plain);
}

static void mask_variable(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    const struct setting *setting = setting_find(text_of(argv[0]));
    (void)argc;
    struct str value = text_of(argv[1]);
    bool is_secret = setting && setting->kind == SETTING_KIND_SECRET && value.len > 0;
    give_text(context, is_secret ? MASK : value);
}

/* ---- collations of clients ---- */

static int compare_nocase(void *context, int a_length, const void *a, int b_length, const void *b)
{
    (void)context;
    int order = strncasecmp(a, b, (size_t)MIN(a_length, b_length));
    return order != 0 ? order : a_length - b_length;
}

static int compare_bytes(void *context, int a_length, const void *a, int b_length, const void *b)
{
    (void)context;
    int order = memcmp(a, b, (size_t)MIN(a_length, b_length));
    return order != 0 ? order : a_length - b_length;
}

/* utf8mb4_general_ci and its like: they end in _ci when case does not matter. */
static void on_collation(void *context, sqlite3 *db, int encoding, const char *name)
{
    size_t length = strlen(name);
    bool is_nocase = length > 3 && strcasecmp(name + length - 3, "_ci") == 0;
    (void)context;
    (void)encoding;
    if (strncasecmp(name, "utf8", 4) == 0 || strcasecmp(name, "binary") == 0)
        sqlite3_create_collation(db, name, SQLITE_UTF8, NULL, is_nocase ? compare_nocase : compare_bytes);
}

/* ---- */

static const struct {
    const char *name;
    int arguments; /* -1: any number */
    void (*function)(sqlite3_context *, int, sqlite3_value **);
} functions[] = {
    {"like", 2, like},
    {"like", 3, like},
    {"version", 0, version},
    {"database", 0, database},
    {"schema", 0, database},
    {"user", 0, user},
    {"current_user", 0, user},
    {"session_user", 0, user},
    {"system_user", 0, user},
    {"connection_id", 0, connection_id},
    {"last_insert_id", 0, last_insert_id},
    {"row_count", 0, row_count},
    {"sysvar", 1, sysvar},
    {"now", 0, now},
    {"sysdate", 0, now},
    {"utc_timestamp", 0, now},
    {"curdate", 0, today},
    {"utc_date", 0, today},
    {"curtime", 0, time_of_day},
    {"utc_time", 0, time_of_day},
    {"unix_timestamp", 0, unix_timestamp},
    {"unix_timestamp", 1, unix_timestamp},
    {"concat", -1, concat},
    {"if", 3, if_then},
    {"isnull", 1, is_null_function},
    {"left", 2, left},
    {"right", 2, right},
    {"mask_secret", 1, mask_secret},
    {"mask_sealed", 1, mask_sealed},
    {"mask_variable", 2, mask_variable},
};

bool sql_functions_open(struct sql_session *session)
{
    sqlite3 *db = session->db.handle;
    for (size_t i = 0; i < ARRAY_LEN(functions); i++)
        if (sqlite3_create_function(db, functions[i].name, functions[i].arguments,
                                    SQLITE_UTF8 | SQLITE_INNOCUOUS, session, functions[i].function, NULL,
                                    NULL) != SQLITE_OK)
            return false;
    return sqlite3_collation_needed(db, NULL, on_collation) == SQLITE_OK;
}
