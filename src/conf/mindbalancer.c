/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/mindbalancer.h"

#include "conf/endpoint.h"
#include "conf/ini.h"
#include "conf/settings.h"
#include "conf/suggest.h"

#include <stdio.h>

#define SECTION STR("mindbalancer")
#define EXTENSION STR(".cnf")
#define SHOWN_MAX 64      /* bytes of a name or a value that a message repeats */
#define PASSPHRASE_MIN 16 /* bytes, as MindBalancer asks */
#define ADMIN_PORT_DEFAULT 6033
#define LITERAL(text)                                                                                        \
    {                                                                                                        \
        (text), sizeof(text) - 1                                                                             \
    }

enum part {
#define KEPT_KEY(key, part) PART_##part,
#include "conf/mindbalancer.def"
    PART_COUNT_
};

enum role { ROLE_SETTING, ROLE_KEPT, ROLE_ONLY, ROLE_REFEREE, ROLE_SPARE };

/* A row of mindbalancer.def. */
struct key {
    struct str name;
    enum role role;
    struct str target; /* the setting, or the value that the other roles compare with */
    uint64_t factor;   /* ROLE_SETTING */
    enum part part;    /* ROLE_KEPT */
    const char *text;  /* reason or notice */
};

static const struct key keys[] = {
#define SETTING_KEY(key_, setting_, factor_)                                                                 \
    {.name = LITERAL(#key_), .role = ROLE_SETTING, .target = LITERAL(#setting_), .factor = (factor_)},
#define KEPT_KEY(key_, part_) {.name = LITERAL(#key_), .role = ROLE_KEPT, .part = PART_##part_},
#define ONLY_KEY(key_, value_, reason_)                                                                      \
    {.name = LITERAL(#key_), .role = ROLE_ONLY, .target = LITERAL(value_), .text = (reason_)},
#define REFEREE_KEY(key_, value_) {.name = LITERAL(#key_), .role = ROLE_REFEREE, .target = LITERAL(value_)},
#define SPARE_KEY(key_, value_, notice_)                                                                     \
    {.name = LITERAL(#key_), .role = ROLE_SPARE, .target = LITERAL(value_), .text = (notice_)},
#include "conf/mindbalancer.def"
};

static const struct {
    struct str setting, value;
} defaults[] = {
#define DEFAULT(setting_, value_) {LITERAL(#setting_), LITERAL(value_)},
#include "conf/mindbalancer.def"
};

/* One load. */
struct reading {
    struct config *config;
    const struct config_env *env;
    struct diagnostics *diagnostics;
    const struct ini_entry *parts[PART_COUNT_];      /* NULL: not in the file */
    const struct ini_entry *set_by[ARRAY_LEN(keys)]; /* by row: the entry that it was used for */
    bool no_memory;
};

bool mindbalancer_is(struct str path, struct str text)
{
    bool is_named =
        path.len >= EXTENSION.len && str_eq(str_from_offset(path, path.len - EXTENSION.len), EXTENSION);
    return is_named || str_eq(ini_first_section(text), SECTION);
}

/* ---- values ---- */

static struct str shown(struct str text)
{
    return (struct str){text.ptr, MIN(text.len, SHOWN_MAX)};
}

static void report(struct reading *reading, const struct ini_entry *entry, const char *expected)
{
    diagnostic_add(reading->diagnostics, entry->mark, STR_NONE, STR_FMT ": '" STR_FMT "' %s",
                   STR_ARG(shown(entry->key)), STR_ARG(shown(entry->value)), expected);
}

/* All spellings of true and false that MindBalancer takes; anything else stays as it is. */
static struct str plain_bool(struct str text)
{
    static const struct str yes[] = {LITERAL("true"), LITERAL("yes"), LITERAL("on"),
                                     LITERAL("1"),    LITERAL("t"),   LITERAL("y")};
    static const struct str no[] = {LITERAL("false"), LITERAL("no"), LITERAL("off"),
                                    LITERAL("0"),     LITERAL("f"),  LITERAL("n")};
    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        if (str_eq_nocase(text, yes[i]))
            return STR("true");
        if (str_eq_nocase(text, no[i]))
            return STR("false");
    }
    return text;
}

/* Whether the switch is on; `absent` is what counts when the file does not say. */
static bool read_switch(struct reading *reading, enum part part, bool absent)
{
    const struct ini_entry *entry = reading->parts[part];
    if (!entry)
        return absent;
    struct str value = plain_bool(entry->value);
    bool is_on = str_eq(value, STR("true"));
    if (!is_on && !str_eq(value, STR("false")))
        report(reading, entry, "is neither true nor false");
    return is_on;
}

static unsigned read_port(struct reading *reading, enum part part, unsigned absent)
{
    uint64_t port = absent;
    const struct ini_entry *entry = reading->parts[part];
    if (entry && (!str_to_u64(entry->value, &port) || port > UINT16_MAX)) {
        report(reading, entry, "is not a port: a whole number from 0 to 65535");
        port = absent;
    }
    return (unsigned)port;
}

/* ---- settings ---- */

/* `value` in the setting's unit, as text in `memory`. */
static bool convert(struct str value, uint64_t factor, char memory[32], struct str *ret_text)
{
    uint64_t number;
    if (!str_to_u64(value, &number) || number > UINT64_MAX / factor)
        return false;
    int len = snprintf(memory, 32, "%llu", (unsigned long long)(number * factor));
    *ret_text = (struct str){memory, (size_t)len};
    return true;
}

static bool check_passphrase(struct reading *reading, const struct key *key, const struct ini_entry *entry)
{
    if (!str_eq(key->target, STR("api_key_encryption_key")) || entry->value.len >= PASSPHRASE_MIN)
        return true;
    diagnostic_add(reading->diagnostics, entry->mark, STR_NONE, STR_FMT ": shorter than %d bytes",
                   STR_ARG(key->name), PASSPHRASE_MIN);
    return false;
}

/* False: reported. */
static bool use_setting(struct reading *reading, const struct key *key, const struct ini_entry *entry)
{
    char memory[512], number[32];
    struct buf message;
    const struct setting *setting = setting_find(key->target);
    struct str value = setting->kind == SETTING_KIND_BOOL ? plain_bool(entry->value) : entry->value;
    if (!check_passphrase(reading, key, entry))
        return false;
    if (key->factor > 1 && !convert(value, key->factor, number, &value)) {
        report(reading, entry, "is not a whole number, or too large");
        return false;
    }
    buf_init_fixed(&message, memory, sizeof(memory));
    enum err err = setting_set(setting, value, &reading->config->arena, &reading->config->settings, &message);
    reading->no_memory = reading->no_memory || err == ERR_NO_MEMORY;
    if (err != ERR_INVALID)
        return true;
    bool is_same_name = str_eq(key->name, key->target);
    diagnostic_add(reading->diagnostics, entry->mark, STR_NONE, STR_FMT "%s" STR_FMT,
                   (int)(is_same_name ? 0 : key->name.len), key->name.ptr, is_same_name ? "" : ", here ",
                   STR_ARG(buf_str(&message)));
    return false;
}

static void use_defaults(struct reading *reading)
{
    for (size_t i = 0; i < ARRAY_LEN(defaults); i++) {
        char memory[128];
        struct buf message;
        buf_init_fixed(&message, memory, sizeof(memory));
        enum err err = setting_set(setting_find(defaults[i].setting), defaults[i].value,
                                   &reading->config->arena, &reading->config->settings, &message);
        ASSERT(err != ERR_INVALID); /* rows of our own table */
        reading->no_memory = reading->no_memory || err == ERR_NO_MEMORY;
    }
}

/* ---- the lines of the file ---- */

/* Whether `row` sets what an earlier line has set already, by this name or another one. */
static const struct ini_entry *find_rival(const struct reading *reading, size_t row)
{
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (reading->set_by[i] &&
            (i == row || (keys[row].role == ROLE_SETTING && keys[i].role == ROLE_SETTING &&
                          str_eq(keys[i].target, keys[row].target))))
            return reading->set_by[i];
    return NULL;
}

/* False: reported. */
static bool use_row(struct reading *reading, size_t row, const struct ini_entry *entry)
{
    const struct key *key = &keys[row];
    const struct ini_entry *rival = find_rival(reading, row);
    if (rival) {
        diagnostic_add(reading->diagnostics, entry->key_mark, STR_NONE,
                       STR_FMT " is set already by " STR_FMT ", as in line %u", STR_ARG(key->name),
                       STR_ARG(shown(rival->key)), rival->key_mark.line);
        return false;
    }
    reading->set_by[row] = entry;
    switch (key->role) {
    case ROLE_SETTING:
        return use_setting(reading, key, entry);
    case ROLE_KEPT:
        reading->parts[key->part] = entry;
        return true;
    case ROLE_ONLY:
        if (str_eq(entry->value, key->target) || str_eq(plain_bool(entry->value), key->target))
            return true;
        diagnostic_add(reading->diagnostics, entry->mark, STR_NONE, STR_FMT ": '" STR_FMT "' is refused: %s",
                       STR_ARG(key->name), STR_ARG(shown(entry->value)), key->text);
        return false;
    case ROLE_SPARE:
        if (key->target.len > 0 && str_eq(plain_bool(entry->value), key->target))
            diagnostic_notice(reading->diagnostics, entry->key_mark, STR_FMT ": %s", STR_ARG(key->name),
                              key->text);
        return true;
    case ROLE_REFEREE:
        return true; /* looked at when the whole file is known */
    }
    return true;
}

static void report_unknown(struct reading *reading, const struct ini_entry *entry)
{
    struct suggestion suggestion;
    const char *more = setting_find(entry->key)
                           ? "; it is a setting of fairlead.yaml, into which fairlead import turns this file"
                           : "";
    suggestion_init(&suggestion, entry->key);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        suggestion_offer(&suggestion, keys[i].name);
    diagnostic_add(reading->diagnostics, entry->key_mark, *more ? STR_NONE : suggestion.best,
                   "unknown key '" STR_FMT "'%s", STR_ARG(shown(entry->key)), more);
}

static void use_entry(struct reading *reading, const struct ini_entry *entry)
{
    bool is_known = false, is_good = true;
    for (size_t i = 0; i < ARRAY_LEN(keys) && is_good; i++) {
        if (!str_eq(keys[i].name, entry->key))
            continue;
        is_known = true;
        is_good = entry->is_broken || entry->value.len == 0 || use_row(reading, i, entry);
    }
    if (!is_known)
        report_unknown(reading, entry);
}

static void use_entries(struct reading *reading, const struct ini_entry *entries, size_t count)
{
    const struct ini_entry *stray = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct ini_entry *entry = &entries[i];
        if (str_eq(entry->section, SECTION)) {
            use_entry(reading, entry);
        } else if (!stray || !str_eq(stray->section, entry->section)) { /* once a section is enough */
            stray = entry;
            if (entry->section.len > 0)
                diagnostic_add(reading->diagnostics, entry->section_mark, STR_NONE,
                               "unknown section '" STR_FMT "'; there is only [mindbalancer]",
                               STR_ARG(shown(entry->section)));
            else
                diagnostic_add(reading->diagnostics, entry->key_mark, STR_NONE,
                               "'" STR_FMT "' stands before the section [mindbalancer]",
                               STR_ARG(shown(entry->key)));
        }
    }
}

/* ---- what several keys say together ---- */

static const struct ini_entry *used_for(const struct reading *reading, struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (str_eq(keys[i].name, name) && reading->set_by[i])
            return reading->set_by[i];
    return NULL;
}

/* The mode is the client's wish, so a file that allows it may stay as it is; one that shapes it wants what is not there. */
static void check_referee(struct reading *reading)
{
    bool is_on = read_switch(reading, PART_REFEREE_ENABLED, true);
    if (is_on && reading->parts[PART_REFEREE_ENABLED])
        diagnostic_notice(reading->diagnostics, reading->parts[PART_REFEREE_ENABLED]->key_mark,
                          "referee_enabled: this version has no referee mode");
    for (size_t i = 0; is_on && i < ARRAY_LEN(keys); i++) {
        const struct ini_entry *entry = reading->set_by[i];
        if (keys[i].role == ROLE_REFEREE && entry && !str_eq(entry->value, keys[i].target))
            report(reading, entry,
                   "is refused: this version has no referee mode; remove the key, or set referee_enabled = "
                   "false");
    }
}

static void use_failover(struct reading *reading)
{
    uint64_t *max_retries = &reading->config->settings.max_retries;
    if (read_switch(reading, PART_FAILOVER_ENABLED, true))
        return;
    if (used_for(reading, STR("max_retries")) && *max_retries > 0)
        diagnostic_notice(reading->diagnostics, reading->parts[PART_FAILOVER_ENABLED]->key_mark,
                          "failover_enabled = false: max_retries is 0");
    *max_retries = 0;
}

/* "~/" is what MindBalancer's installer writes. */
static void use_data_dir(struct reading *reading)
{
    const struct ini_entry *entry = reading->parts[PART_DATA_DIR];
    struct str path = entry ? entry->value : STR("/var/lib/mindbalancer");
    char memory[4096];
    struct buf expanded;
    buf_init_fixed(&expanded, memory, sizeof(memory));
    if (str_starts(path, STR("~/"))) {
        const char *home = reading->env->variable(reading->env->context, "HOME");
        if (!home || !*home) {
            report(reading, entry, "needs the environment variable HOME");
            return;
        }
        buf_add(&expanded, str_from(home));
        buf_add(&expanded, str_from_offset(path, 1));
    } else {
        buf_add(&expanded, path);
    }
    if (!buf_ok(&expanded)) {
        report(reading, entry, "is too long");
        return;
    }
    reading->config->data_dir = arena_dup(&reading->config->arena, buf_str(&expanded));
    reading->no_memory = reading->no_memory || !reading->config->data_dir.ptr;
}

/* ---- listeners ---- */

static bool share_address(const struct listener_config *a, const struct listener_config *b)
{
    static const struct str any[] = {LITERAL("0.0.0.0"), LITERAL("::")};
    bool is_any = false;
    for (size_t i = 0; i < ARRAY_LEN(any); i++)
        is_any = is_any || str_eq(a->host, any[i]) || str_eq(b->host, any[i]);
    return a->port > 0 && a->port == b->port && (is_any || str_eq(a->host, b->host));
}

/* Parses the address with some port, since only both together are an address to listen on. */
static struct str read_host(struct reading *reading, enum part part, struct str absent)
{
    const struct ini_entry *entry = reading->parts[part];
    struct str host = entry ? entry->value : absent;
    if (str_eq_nocase(host, STR("localhost")))
        host = STR("127.0.0.1");
    char memory[128];
    struct buf text;
    const char *reason = "is too long";
    uint16_t port;
    struct str parsed = absent;
    bool is_bare_ipv6 = str_find(host, STR(":")) >= 0 && host.ptr[0] != '[';
    buf_init_fixed(&text, memory, sizeof(memory));
    buf_printf(&text, "%s" STR_FMT "%s:0", is_bare_ipv6 ? "[" : "", STR_ARG(host), is_bare_ipv6 ? "]" : "");
    enum err err =
        buf_ok(&text) ? listen_address_parse(buf_str(&text), &reading->config->arena, &parsed, &port, &reason)
                      : ERR_INVALID;
    if (err == ERR_INVALID)
        report(reading, entry, "is not a numeric address, as 0.0.0.0 or ::1");
    reading->no_memory = reading->no_memory || err == ERR_NO_MEMORY;
    return parsed;
}

static struct str read_tls_file(struct reading *reading, enum part part, const char *name,
                                const struct ini_entry *wanted_by)
{
    const struct ini_entry *entry = reading->parts[part];
    if (!entry) {
        diagnostic_add(reading->diagnostics, wanted_by->key_mark, STR_NONE, STR_FMT " needs %s as well",
                       STR_ARG(wanted_by->key), name);
        return STR("");
    }
    if (!reading->env->is_readable(reading->env->context, entry->value)) {
        report(reading, entry, "is no readable file");
        return STR("");
    }
    struct str copy = arena_dup(&reading->config->arena, entry->value);
    reading->no_memory = reading->no_memory || !copy.ptr;
    return copy;
}

/* TLS is on when the file says so, or names both files and does not say that it is off. */
static void read_tls(struct reading *reading, struct listener_config *api, struct listener_config *admin)
{
    const struct ini_entry *cert = reading->parts[PART_TLS_CERT_FILE],
                           *key = reading->parts[PART_TLS_KEY_FILE];
    const struct ini_entry *wanted_by = reading->parts[PART_TLS_ENABLED];
    if (!read_switch(reading, PART_TLS_ENABLED, cert || key))
        return;
    wanted_by = wanted_by ? wanted_by : cert ? cert : key;
    api->tls_cert_file = admin->tls_cert_file =
        read_tls_file(reading, PART_TLS_CERT_FILE, "tls_cert_file", wanted_by);
    api->tls_key_file = admin->tls_key_file =
        read_tls_file(reading, PART_TLS_KEY_FILE, "tls_key_file", wanted_by);
}

/* Early versions had proxy_port = 6033 in their example, and admin HTTP at that port too. */
static void move_admin_port(struct reading *reading, const struct listener_config *api,
                            struct listener_config *admin)
{
    const struct ini_entry *entry = reading->parts[PART_PROXY_PORT];
    if (reading->parts[PART_ADMIN_PORT] || !entry || !share_address(api, admin))
        return;
    admin->port = (uint16_t)(api->port + 1);
    diagnostic_notice(reading->diagnostics, entry->key_mark,
                      "proxy_port takes the usual admin_http_port, %u: administration is at port %u",
                      api->port, admin->port);
}

static void check_ports(struct reading *reading, const struct listener_config *listeners, size_t count)
{
    static const enum part ports[] = {PART_PROXY_PORT, PART_ADMIN_PORT, PART_SQL_PORT, PART_METRICS_PORT};
    for (size_t i = 1; i < count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (!share_address(&listeners[i], &listeners[j]))
                continue;
            const struct ini_entry *entry =
                reading->parts[ports[i]] ? reading->parts[ports[i]] : reading->parts[ports[j]];
            diagnostic_add(reading->diagnostics, entry ? entry->mark : (struct mark){0}, STR_NONE,
                           "listeners " STR_FMT " and " STR_FMT " share port %u", STR_ARG(listeners[j].name),
                           STR_ARG(listeners[i].name), listeners[i].port);
        }
    }
}

/* In the order of `ports` above. */
static void make_listeners(struct reading *reading)
{
    struct config *config = reading->config;
    struct str proxy = read_host(reading, PART_PROXY_ADDRESS, STR("0.0.0.0"));
    struct str admin = read_host(reading, PART_ADMIN_ADDRESS, STR("127.0.0.1"));
    bool has_metrics = read_switch(reading, PART_METRICS_ENABLED, true);
    struct listener_config made[] = {
        {.name = STR("api"), .host = proxy, .serves = SERVES_INFERENCE},
        {.name = STR("admin"), .host = admin, .serves = SERVES_ADMIN | SERVES_METRICS},
        {.name = STR("sql"), .host = admin, .serves = SERVES_SQL},
        {.name = STR("metrics"), .host = STR("0.0.0.0"), .serves = SERVES_METRICS}, /* no key says where */
    };
    made[0].port = (uint16_t)read_port(reading, PART_PROXY_PORT, 6034);
    made[1].port = (uint16_t)read_port(reading, PART_ADMIN_PORT, ADMIN_PORT_DEFAULT);
    made[2].port = (uint16_t)read_port(reading, PART_SQL_PORT, 6032);
    made[3].port = (uint16_t)read_port(reading, PART_METRICS_PORT, 9090);
    read_tls(reading, &made[0], &made[1]);
    move_admin_port(reading, &made[0], &made[1]);
    config->listener_count = ARRAY_LEN(made) - !has_metrics;
    check_ports(reading, made, config->listener_count);
    config->listeners = arena_take(&config->arena, sizeof(made));
    if (config->listeners)
        memcpy(config->listeners, made, sizeof(made));
    reading->no_memory = reading->no_memory || !config->listeners;
}

enum err mindbalancer_load(struct str text, const struct config_env *env, struct config *io_config,
                           struct diagnostics *io_diagnostics)
{
    struct reading reading = {.config = io_config, .env = env, .diagnostics = io_diagnostics};
    struct ini_entry *entries;
    size_t count;
    struct arena arena;
    arena_init(&arena, NULL);
    enum err err = ini_read(text, &arena, io_diagnostics, &entries, &count);
    if (!err) {
        use_defaults(&reading);
        use_entries(&reading, entries, count);
        check_referee(&reading);
        use_failover(&reading);
        use_data_dir(&reading);
        make_listeners(&reading);
        err = reading.no_memory ? ERR_NO_MEMORY : ERR_OK;
    }
    arena_fini(&arena);
    return err;
}
