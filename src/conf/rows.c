/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/rows.h"

#include "conf/load.h"
#include "conf/providers.h"
#include "conf/sections.h"
#include "conf/settings.h"
#include "conf/suggest.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define FIELDS_MAX 16
#define MODEL_NAME_MAX 128
#define REQUESTS_MAX 1000000000ull
#define TOKENS_MAX 1000000000000ull
#define PRICE_MAX 1e6      /* USD per million tokens */
#define NANO_PER_TOKEN 1e3 /* nano-dollars per token of one dollar per million tokens */
#define SHOWN_MAX 64       /* bytes of a refused value that a message repeats */

/* One derivation. */
struct deriver {
    struct loader loader;
    struct arena scratch; /* nodes; they borrow the cells' texts */
};

static bool has_faults(const struct deriver *deriver)
{
    return deriver->loader.no_memory || diagnostics_total(deriver->loader.diagnostics) > 0;
}

static void set_place(struct deriver *deriver, struct str where)
{
    snprintf(deriver->loader.place, sizeof(deriver->loader.place), STR_FMT, STR_ARG(where));
}

static void *take(struct deriver *deriver, struct arena *arena, size_t size)
{
    void *memory = arena_zero(arena, MAX(size, 1));
    deriver->loader.no_memory = deriver->loader.no_memory || !memory;
    return memory;
}

/* ---- types of columns that the file has none of ---- */

static void report_cell(struct loader *loader, const struct field *field, const struct yaml_node *node,
                        const char *expected)
{
    loader_report(loader, node->mark, STR_FMT " in %s: '" STR_FMT "' %s", STR_ARG(field->name), loader->place,
                  (int)MIN(node->text.len, SHOWN_MAX), node->text.ptr, expected);
}

/* A text of at most field->max bytes. */
static void read_label(struct loader *loader, const struct field *field, const struct yaml_node *node,
                       void *target)
{
    if (!loader_check_text(loader, field, node))
        return;
    if (node->text.len <= field->max)
        *(struct str *)target = loader_copy(loader, node->text);
    else
        loader_report(loader, node->mark, STR_FMT " in %s has more than %u bytes", STR_ARG(field->name),
                      loader->place, field->max);
}

static void read_amount(struct loader *loader, const struct field *field, const struct yaml_node *node,
                        uint64_t max, uint64_t *target)
{
    char expected[96];
    if (str_to_u64(node->text, target) && *target <= max)
        return;
    *target = 0;
    snprintf(expected, sizeof(expected), "is not a whole number from 0 to %llu", (unsigned long long)max);
    report_cell(loader, field, node, expected);
}

static void read_requests(struct loader *loader, const struct field *field, const struct yaml_node *node,
                          void *target)
{
    read_amount(loader, field, node, REQUESTS_MAX, target);
}

static void read_tokens(struct loader *loader, const struct field *field, const struct yaml_node *node,
                        void *target)
{
    read_amount(loader, field, node, TOKENS_MAX, target);
}

/* What the store writes of a number has digits, a point and an exponent at most: strtod would read more. */
static bool is_decimal(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!strchr("0123456789.eE+-", text.ptr[i]))
            return false;
    return text.len > 0 && text.ptr[0] != '-';
}

static void read_price(struct loader *loader, const struct field *field, const struct yaml_node *node,
                       void *target)
{
    char *end = NULL;
    double price = is_decimal(node->text) ? strtod(node->text.ptr, &end) : -1;
    if (end == node->text.ptr + node->text.len && price >= 0 && price <= PRICE_MAX)
        *(uint64_t *)target = (uint64_t)llround(price * NANO_PER_TOKEN);
    else
        report_cell(loader, field, node, "is no price from 0 to 1000000 USD per million tokens");
}

/* Days from 1970-01-01 to the first of March of `year` and so on: the month counts from March, so that the day that is
 * not always there is the last one. */
static unsigned days_of(unsigned year, unsigned month, unsigned day)
{
    unsigned shifted = month > 2 ? year : year - 1;
    unsigned from_march = (month + 9) % 12;
    return shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400 + (153 * from_march + 2) / 5 + day -
           1 - 719468;
}

static unsigned days_in(unsigned year, unsigned month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && is_leap ? 1u : 0u);
}

static bool parse_date(struct str text, unsigned *ret_days)
{
    uint64_t year, month, day;
    if (text.len != 10 || text.ptr[4] != '-' || text.ptr[7] != '-' ||
        !str_to_u64((struct str){text.ptr, 4}, &year) || !str_to_u64((struct str){text.ptr + 5, 2}, &month) ||
        !str_to_u64((struct str){text.ptr + 8, 2}, &day) || year < 1970 || month < 1 || month > 12 ||
        day < 1 || day > days_in((unsigned)year, (unsigned)month))
        return false;
    *ret_days = days_of((unsigned)year, (unsigned)month, (unsigned)day);
    return true;
}

static void read_date(struct loader *loader, const struct field *field, const struct yaml_node *node,
                      void *target)
{
    if (!parse_date(node->text, target))
        report_cell(loader, field, node, "is no date from 1970-01-01 on, as YYYY-MM-DD");
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void read_digest(struct loader *loader, const struct field *field, const struct yaml_node *node,
                        void *target)
{
    uint8_t *digest = target;
    bool good = node->text.len == 2 * API_KEY_DIGEST_SIZE;
    for (size_t i = 0; good && i < API_KEY_DIGEST_SIZE; i++) {
        int high = hex_value(node->text.ptr[2 * i]), low = hex_value(node->text.ptr[2 * i + 1]);
        good = high >= 0 && low >= 0;
        digest[i] = (uint8_t)(good ? high << 4 | low : 0);
    }
    if (!good)
        loader_report(loader, node->mark, STR_FMT " in %s is written by Fairlead, from api_key",
                      STR_ARG(field->name), loader->place);
}

static const struct field_type label_type = {"text", read_label};
static const struct field_type requests_type = {"whole number", read_requests};
static const struct field_type tokens_type = {"whole number", read_tokens};
static const struct field_type price_type = {"price", read_price};
static const struct field_type date_type = {"date", read_date};
static const struct field_type digest_type = {"digest", read_digest};

/* ---- tables that the file has none of ---- */

static const struct field user_fields[] = {
    {.name = {"username", 8},
     .type = &label_type,
     .offset = offsetof(struct user_config, name),
     .is_required = true,
     .max = FIELD_NAME_MAX},
    {.name = {"active", 6},
     .type = &field_bool,
     .offset = offsetof(struct user_config, is_active),
     .default_text = "true"},
    {.name = {"default_hostgroup", 17},
     .type = &field_unsigned,
     .offset = offsetof(struct user_config, default_hostgroup),
     .max = HOSTGROUP_MAX},
    {.name = {"max_requests_per_minute", 23},
     .type = &requests_type,
     .offset = offsetof(struct user_config, requests_per_minute)},
    {.name = {"max_tokens_per_minute", 21},
     .type = &tokens_type,
     .offset = offsetof(struct user_config, tokens_per_minute)},
};

/* A key before its user has been looked up. */
struct key_row {
    struct api_key_config key;
    struct str username;
};

static const struct field key_fields[] = {
    {.name = {"name", 4},
     .type = &label_type,
     .offset = offsetof(struct key_row, key.name),
     .is_required = true,
     .max = FIELD_NAME_MAX},
    {.name = {"username", 8},
     .type = &label_type,
     .offset = offsetof(struct key_row, username),
     .is_required = true,
     .max = FIELD_NAME_MAX},
    {.name = {"key_digest", 10},
     .type = &digest_type,
     .offset = offsetof(struct key_row, key.digest),
     .is_required = true},
    {.name = {"active", 6},
     .type = &field_bool,
     .offset = offsetof(struct key_row, key.is_active),
     .default_text = "true"},
};

static const struct field price_fields[] = {
    {.name = {"model", 5},
     .type = &label_type,
     .offset = offsetof(struct price_config, model),
     .is_required = true,
     .max = MODEL_NAME_MAX},
    {.name = {"input_price", 11},
     .type = &price_type,
     .offset = offsetof(struct price_config, input),
     .is_required = true},
    {.name = {"output_price", 12},
     .type = &price_type,
     .offset = offsetof(struct price_config, output),
     .is_required = true},
    {.name = {"cache_read_price", 16},
     .type = &price_type,
     .offset = offsetof(struct price_config, cache_read)},
    {.name = {"cache_write_price", 17},
     .type = &price_type,
     .offset = offsetof(struct price_config, cache_write)},
    {.name = {"valid_from", 10},
     .type = &date_type,
     .offset = offsetof(struct price_config, valid_from),
     .default_text = "1970-01-01"},
};

static void complete_price(struct loader *loader, const struct yaml_node *node, void *object)
{
    struct price_config *price = object;
    (void)loader;
    if (!yaml_get(node, STR("cache_read_price")))
        price->cache_read = price->input;
    if (!yaml_get(node, STR("cache_write_price")))
        price->cache_write = price->input;
}

static const struct field alias_fields[] = {
    {.name = {"alias", 5},
     .type = &label_type,
     .offset = offsetof(struct alias_config, alias),
     .is_required = true,
     .max = MODEL_NAME_MAX},
    {.name = {"model", 5},
     .type = &label_type,
     .offset = offsetof(struct alias_config, model),
     .is_required = true,
     .max = MODEL_NAME_MAX},
};

#define SECTION_OF(name_, fields_, type, check_)                                                             \
    {                                                                                                        \
        .name = (name_), .fields = (fields_), .field_count = ARRAY_LEN(fields_),                             \
        .object_size = sizeof(type), .check = (check_)                                                       \
    }

static const struct section users_section = SECTION_OF("users", user_fields, struct user_config, NULL);
static const struct section keys_section = SECTION_OF("api_keys", key_fields, struct key_row, NULL);
static const struct section prices_section =
    SECTION_OF("prices", price_fields, struct price_config, complete_price);
static const struct section aliases_section = SECTION_OF("aliases", alias_fields, struct alias_config, NULL);

/* ---- from columns to keys of the file ---- */

enum column_form { COLUMN_TEXT, COLUMN_BOOL, COLUMN_LIST, COLUMN_PROVIDER };

struct column {
    struct str name;
    struct str key; /* of the section */
    enum column_form form;
    struct str implied; /* a cell that says this counts as left out */
};

struct table {
    const struct section *section;
    const struct column *columns;
    size_t column_count;
};

#define COLUMN(name_, key_, ...)                                                                             \
    {                                                                                                        \
        .name = {(name_), sizeof(name_) - 1}, .key = {(key_), sizeof(key_) - 1}, __VA_ARGS__                 \
    }

static const struct column server_columns[] = {
    COLUMN("name", "name"),
    COLUMN("provider_type", "provider", .form = COLUMN_PROVIDER),
    COLUMN("endpoint", "endpoint"),
    COLUMN("api_key_encrypted", "api_key"),
    COLUMN("hostgroup", "hostgroup"),
    COLUMN("weight", "weight"),
    COLUMN("max_connections", "max_concurrent"),
    COLUMN("status", "status"),
    COLUMN("models", "models", .form = COLUMN_LIST),
    /* The default, which the column always has, must not be complained about where TLS is not used. */
    COLUMN("tls_verify", "tls_verify", .form = COLUMN_BOOL, .implied = {"1", 1}),
    COLUMN("tls_ca_file", "tls_ca_file"),
};

static const struct column hostgroup_columns[] = {
    COLUMN("hostgroup_id", "id"),
    COLUMN("name", "name"),
    COLUMN("strategy", "strategy"),
};

static const struct column rule_columns[] = {
    COLUMN("priority", "priority"),
    COLUMN("match_model", "match_model"),
    COLUMN("match_user", "match_user"),
    COLUMN("match_pattern", "match_pattern"),
    COLUMN("destination_hostgroup", "hostgroup"),
    COLUMN("rewrite_model", "rewrite_model"),
    COLUMN("comment", "comment"),
};

static const struct column user_columns[] = {
    COLUMN("username", "username"),
    COLUMN("active", "active", .form = COLUMN_BOOL),
    COLUMN("default_hostgroup", "default_hostgroup"),
    COLUMN("max_requests_per_minute", "max_requests_per_minute"),
    COLUMN("max_tokens_per_minute", "max_tokens_per_minute"),
};

static const struct column key_columns[] = {
    COLUMN("name", "name"),
    COLUMN("username", "username"),
    COLUMN("key_digest", "key_digest"),
    COLUMN("active", "active", .form = COLUMN_BOOL),
};

static const struct column price_columns[] = {
    COLUMN("model", "model"),
    COLUMN("input_price", "input_price"),
    COLUMN("output_price", "output_price"),
    COLUMN("cache_read_price", "cache_read_price"),
    COLUMN("cache_write_price", "cache_write_price"),
    COLUMN("valid_from", "valid_from"),
};

static const struct column alias_columns[] = {
    COLUMN("alias", "alias"),
    COLUMN("model", "model"),
};

#define TABLE_OF(section_, columns_)                                                                         \
    {                                                                                                        \
        .section = &(section_), .columns = (columns_), .column_count = ARRAY_LEN(columns_)                   \
    }

static const struct table servers_table = TABLE_OF(servers_section, server_columns);
static const struct table hostgroups_table = TABLE_OF(hostgroups_section, hostgroup_columns);
static const struct table rules_table = TABLE_OF(rules_section, rule_columns);
static const struct table users_table = TABLE_OF(users_section, user_columns);
static const struct table keys_table = TABLE_OF(keys_section, key_columns);
static const struct table prices_table = TABLE_OF(prices_section, price_columns);
static const struct table aliases_table = TABLE_OF(aliases_section, alias_columns);

static struct str cell_text(const struct row *row, struct str column)
{
    for (size_t i = 0; i < row->cell_count; i++)
        if (str_eq(row->cells[i].column, column))
            return row->cells[i].text;
    return STR_NONE;
}

static struct yaml_node *new_node(struct deriver *deriver, struct str text)
{
    struct yaml_node *node = take(deriver, &deriver->scratch, sizeof(*node));
    if (node)
        *node = (struct yaml_node){.is_quoted = true, .text = text, .written = text};
    return node;
}

/* "a, b,c" as the list of the file. */
static void split_list(struct deriver *deriver, struct yaml_node *list, struct str text)
{
    struct yaml_node **link = &list->first;
    list->kind = YAML_KIND_SEQUENCE;
    for (bool is_last = false; !is_last;) {
        const char *comma = memchr(text.ptr, ',', text.len);
        is_last = !comma;
        struct str item = {text.ptr, comma ? (size_t)(comma - text.ptr) : text.len};
        text = str_from_offset(text, item.len + 1);
        *link = new_node(deriver, str_trim(item));
        if (!*link)
            return;
        link = &(*link)->next;
    }
}

/* The file's message offers one name; here is no manual beside it, so this one lists all. */
static void check_provider(struct deriver *deriver, const struct column *column, struct yaml_node *node)
{
    char memory[512];
    struct buf names;
    if (provider_find(node->text))
        return;
    buf_init_fixed(&names, memory, sizeof(memory));
    for (size_t i = 0; i < provider_count; i++)
        buf_printf(&names, "%s" STR_FMT, i == 0 ? "" : ", ", STR_ARG(providers[i].name));
    diagnostic_add(deriver->loader.diagnostics, node->mark, provider_suggest(node->text),
                   STR_FMT " in %s: unknown provider '" STR_FMT "', known are " STR_FMT,
                   STR_ARG(column->name), deriver->loader.place, (int)MIN(node->text.len, SHOWN_MAX),
                   node->text.ptr, STR_ARG(buf_str(&names)));
    node->is_broken = true;
}

static void shape(struct deriver *deriver, const struct column *column, struct yaml_node *node)
{
    if (column->form == COLUMN_BOOL && str_eq(node->text, STR("1")))
        node->text = node->written = STR("true");
    else if (column->form == COLUMN_BOOL && str_eq(node->text, STR("0")))
        node->text = node->written = STR("false");
    else if (column->form == COLUMN_LIST)
        split_list(deriver, node, node->text);
    else if (column->form == COLUMN_PROVIDER)
        check_provider(deriver, column, node);
}

/* The row as a mapping of the file, but for its keys, which are columns. */
static struct yaml_node *row_node(struct deriver *deriver, const struct table *table, const struct row *row)
{
    struct yaml_node *mapping = new_node(deriver, STR_NONE);
    struct yaml_node **link = mapping ? &mapping->first : NULL;
    for (size_t i = 0; mapping && i < table->column_count; i++) {
        const struct column *column = &table->columns[i];
        struct str text = cell_text(row, column->name);
        if (text.len == 0 || (column->implied.len > 0 && str_eq(text, column->implied)))
            continue;
        *link = new_node(deriver, text);
        if (!*link)
            return NULL;
        (*link)->key = column->name;
        shape(deriver, column, *link);
        link = &(*link)->next;
    }
    if (mapping)
        mapping->kind = YAML_KIND_MAPPING;
    return mapping;
}

/* The section with the names of the columns, so that messages say those. */
static struct section rename_fields(const struct table *table, struct field fields[FIELDS_MAX])
{
    struct section section = *table->section;
    ASSERT(section.field_count <= FIELDS_MAX);
    memcpy(fields, section.fields, sizeof(*fields) * section.field_count);
    for (size_t i = 0; i < section.field_count; i++)
        for (size_t j = 0; j < table->column_count; j++)
            if (str_eq(section.fields[i].name, table->columns[j].key))
                fields[i].name = table->columns[j].name;
    section.fields = fields;
    return section;
}

/* An array of `before` objects, copied from `base`, and behind them one for each row. */
static void *read_table(struct deriver *deriver, const struct table *table, const void *base, size_t before,
                        const struct row_list *rows)
{
    struct field fields[FIELDS_MAX];
    const struct section section = rename_fields(table, fields);
    char *objects =
        take(deriver, &deriver->loader.config->arena, section.object_size * (before + rows->count));
    if (!objects)
        return NULL;
    if (before > 0)
        memcpy(objects, base, section.object_size * before);
    for (size_t i = 0; i < rows->count; i++) {
        set_place(deriver, rows->items[i].where);
        const struct yaml_node *node = row_node(deriver, table, &rows->items[i]);
        if (!node)
            return NULL;
        section_read(&deriver->loader, &section, node, objects + (before + i) * section.object_size);
    }
    return objects;
}

/* ---- names that may be there once ---- */

struct named {
    struct str name;
    size_t index; /* among base and rows */
};

static int compare_named(const void *a, const void *b)
{
    const struct named *left = a, *right = b;
    int order = memcmp(left->name.ptr, right->name.ptr, MIN(left->name.len, right->name.len));
    if (order == 0)
        order = (left->name.len > right->name.len) - (left->name.len < right->name.len);
    return order != 0 ? order : (left->index > right->index) - (left->index < right->index);
}

/* `names`, as many as base and rows together, is sorted. An empty name is none. */
static void check_names(struct deriver *deriver, const char *column, struct named *names, size_t before,
                        const struct row_list *rows)
{
    size_t count = before + rows->count;
    if (count == 0)
        return;
    qsort(names, count, sizeof(*names), compare_named);
    for (size_t i = 1; i < count; i++) {
        const struct named *first = &names[i - 1], *second = &names[i];
        if (second->index < before || second->name.len == 0 || !str_eq(first->name, second->name))
            continue;
        struct str owner =
            first->index < before ? STR("the configuration file") : rows->items[first->index - before].where;
        struct str where = rows->items[second->index - before].where;
        loader_report(&deriver->loader, (struct mark){0}, "%s in " STR_FMT " is taken already, by " STR_FMT,
                      column, STR_ARG(where), STR_ARG(owner));
    }
}

/* Names of `count` objects, which lie `size` bytes apart and have a struct str at `offset`. */
static struct named *names_of(struct deriver *deriver, const void *objects, size_t count, size_t size,
                              size_t offset)
{
    struct named *names = take(deriver, &deriver->scratch, sizeof(*names) * count);
    for (size_t i = 0; names && i < count; i++) {
        names[i] =
            (struct named){*(const struct str *)(const void *)((const char *)objects + i * size + offset), i};
        if (!names[i].name.ptr)
            names[i].name = STR("");
    }
    return names;
}

#define CHECK_NAMES(deriver, objects, type, member, column, before, rows)                                    \
    do {                                                                                                     \
        struct named *names_ =                                                                               \
            names_of((deriver), (objects), (before) + (rows)->count, sizeof(type), offsetof(type, member));  \
        if (names_)                                                                                          \
            check_names((deriver), (column), names_, (before), (rows));                                      \
    } while (0)

/* ---- servers, hostgroups, rules ---- */

static void derive_servers(struct deriver *deriver, const struct config *base, const struct row_list *rows)
{
    struct config *config = deriver->loader.config;
    config->servers = read_table(deriver, &servers_table, base->servers, base->server_count, rows);
    if (!config->servers)
        return;
    config->server_count = base->server_count + rows->count;
    CHECK_NAMES(deriver, config->servers, struct server_config, name, "name", base->server_count, rows);
}

static void check_ids(struct deriver *deriver, size_t before, const struct row_list *rows)
{
    const struct config *config = deriver->loader.config;
    struct named *names = take(deriver, &deriver->scratch, sizeof(*names) * config->hostgroup_count);
    for (size_t i = 0; names && i < config->hostgroup_count; i++) {
        char text[16];
        int len = snprintf(text, sizeof(text), "%u", config->hostgroups[i].id);
        names[i] = (struct named){arena_dup(&deriver->scratch, (struct str){text, (size_t)len}), i};
        if (!names[i].name.ptr) {
            deriver->loader.no_memory = true;
            return;
        }
    }
    if (names)
        check_names(deriver, "hostgroup_id", names, before, rows);
}

/* Groups that only servers of the base name are not declared there: a row may do that. */
static void derive_hostgroups(struct deriver *deriver, const struct config *base, const struct row_list *rows)
{
    struct config *config = deriver->loader.config;
    struct hostgroup_config *declared =
        take(deriver, &deriver->scratch, sizeof(*declared) * base->hostgroup_count);
    size_t count = 0;
    if (!declared)
        return;
    for (size_t i = 0; i < base->hostgroup_count; i++)
        if (!base->hostgroups[i].is_implied)
            declared[count++] = base->hostgroups[i];
    config->hostgroups = read_table(deriver, &hostgroups_table, declared, count, rows);
    if (!config->hostgroups)
        return;
    config->hostgroup_count = count + rows->count;
    if (has_faults(deriver))
        return;
    check_ids(deriver, count, rows);
    CHECK_NAMES(deriver, config->hostgroups, struct hostgroup_config, name, "name", count, rows);
    hostgroups_complete(&deriver->loader);
}

static bool is_inactive(const struct row *row)
{
    struct str active = cell_text(row, STR("active"));
    return str_eq(active, STR("0")) || str_eq(active, STR("false"));
}

static bool check_rule(struct deriver *deriver, const struct row *row)
{
    static const char *const words[] = {"", "0", "1", "true", "false"};
    struct str active = cell_text(row, STR("active"));
    bool is_known = false;
    set_place(deriver, row->where);
    if (cell_text(row, STR("mirror_hostgroup")).len > 0)
        loader_report(&deriver->loader, (struct mark){0}, "mirror_hostgroup in %s: mirroring is not built",
                      deriver->loader.place);
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        is_known |= str_eq(active, str_from(words[i]));
    if (!is_known)
        loader_report(&deriver->loader, (struct mark){0}, "active in %s: '" STR_FMT "' is neither 0 nor 1",
                      deriver->loader.place, (int)MIN(active.len, SHOWN_MAX), active.ptr);
    return !is_inactive(row);
}

static void derive_rules(struct deriver *deriver, const struct config *base, const struct row_list *rows)
{
    struct config *config = deriver->loader.config;
    struct row *active = take(deriver, &deriver->scratch, sizeof(*active) * rows->count);
    struct row_list list = {active, 0};
    if (!active)
        return;
    for (size_t i = 0; i < rows->count; i++)
        if (check_rule(deriver, &rows->items[i]))
            active[list.count++] = rows->items[i];
    config->rules = read_table(deriver, &rules_table, base->rules, base->rule_count, &list);
    if (!config->rules)
        return;
    config->rule_count = base->rule_count + list.count;
    if (!has_faults(deriver))
        rules_sort(&deriver->loader);
}

/* ---- users and their keys ---- */

static void derive_users(struct deriver *deriver, const struct config *base, const struct row_list *rows)
{
    struct config *config = deriver->loader.config;
    size_t before = base->user_count;
    config->users = read_table(deriver, &users_table, base->users, before, rows);
    if (!config->users)
        return;
    config->user_count = before + rows->count;
    CHECK_NAMES(deriver, config->users, struct user_config, name, "username", before, rows);
}

/* `names` is sorted. */
static bool find_name(const struct named *names, size_t count, struct str name, size_t *ret_index)
{
    const struct named wanted = {name, 0};
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_named(&names[middle], &wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == count || !str_eq(names[low].name, name))
        return false;
    *ret_index = names[low].index;
    return true;
}

static void resolve_users(struct deriver *deriver, const struct key_row *keys, size_t before,
                          const struct row_list *rows)
{
    struct config *config = deriver->loader.config;
    struct named *names = names_of(deriver, config->users, config->user_count, sizeof(*config->users),
                                   offsetof(struct user_config, name));
    if (!names)
        return;
    qsort(names, config->user_count, sizeof(*names), compare_named);
    for (size_t i = 0; i < rows->count; i++) {
        struct api_key_config key = keys[i].key;
        if (!find_name(names, config->user_count, keys[i].username, &key.user))
            loader_report(&deriver->loader, (struct mark){0},
                          "username in " STR_FMT ": there is no user '" STR_FMT "'",
                          STR_ARG(rows->items[i].where), STR_ARG(keys[i].username));
        config->api_keys[before + i] = key;
    }
}

static void derive_keys(struct deriver *deriver, const struct config *base, const struct row_list *rows)
{
    struct config *config = deriver->loader.config;
    size_t before = base->api_key_count;
    const struct key_row *keys = read_table(deriver, &keys_table, NULL, 0, rows);
    config->api_keys = take(deriver, &config->arena, sizeof(*config->api_keys) * (before + rows->count));
    if (!keys || !config->api_keys)
        return;
    if (before > 0)
        memcpy(config->api_keys, base->api_keys, sizeof(*config->api_keys) * before);
    config->api_key_count = before + rows->count;
    if (has_faults(deriver))
        return;
    resolve_users(deriver, keys, before, rows);
    CHECK_NAMES(deriver, config->api_keys, struct api_key_config, name, "name", before, rows);
}

/* ---- prices and aliases ---- */

static void derive_prices(struct deriver *deriver, const struct config *base, const struct row_list *rows)
{
    struct config *config = deriver->loader.config;
    config->prices = read_table(deriver, &prices_table, base->prices, base->price_count, rows);
    if (config->prices)
        config->price_count = base->price_count + rows->count;
}

/* An alias leads to a model in one step: what it means must not depend on another one. */
static void check_targets(struct deriver *deriver, size_t before, const struct row_list *rows)
{
    const struct config *config = deriver->loader.config;
    struct named *names = names_of(deriver, config->aliases, config->alias_count, sizeof(*config->aliases),
                                   offsetof(struct alias_config, alias));
    if (!names)
        return;
    qsort(names, config->alias_count, sizeof(*names), compare_named);
    for (size_t i = before; i < config->alias_count; i++) {
        const struct alias_config *alias = &config->aliases[i];
        struct str where = rows->items[i - before].where;
        size_t other;
        if (str_eq(alias->alias, alias->model))
            loader_report(&deriver->loader, (struct mark){0}, "model in " STR_FMT " is the alias itself",
                          STR_ARG(where));
        else if (find_name(names, config->alias_count, alias->model, &other))
            loader_report(&deriver->loader, (struct mark){0},
                          "model in " STR_FMT ": '" STR_FMT "' is an alias, it has to be a model",
                          STR_ARG(where), STR_ARG(alias->model));
    }
}

static void derive_aliases(struct deriver *deriver, const struct config *base, const struct row_list *rows)
{
    struct config *config = deriver->loader.config;
    config->aliases = read_table(deriver, &aliases_table, base->aliases, base->alias_count, rows);
    if (!config->aliases)
        return;
    config->alias_count = base->alias_count + rows->count;
    if (has_faults(deriver))
        return;
    CHECK_NAMES(deriver, config->aliases, struct alias_config, alias, "alias", base->alias_count, rows);
    check_targets(deriver, base->alias_count, rows);
}

/* ---- variables ---- */

static void report_unknown_variable(struct deriver *deriver, struct str name)
{
    struct suggestion suggestion;
    suggestion_init(&suggestion, name);
    for (size_t i = 0; i < settings_count; i++)
        suggestion_offer(&suggestion, settings_table[i].name);
    diagnostic_add(deriver->loader.diagnostics, (struct mark){0}, suggestion.best,
                   "unknown variable '" STR_FMT "'", (int)MIN(name.len, SHOWN_MAX), name.ptr);
}

static void derive_variable(struct deriver *deriver, const struct row *row)
{
    char memory[512];
    struct buf message;
    struct config *config = deriver->loader.config;
    struct str name = cell_text(row, STR("variable_name"));
    const struct setting *setting = setting_find(name);
    if (!setting) {
        report_unknown_variable(deriver, name);
        return;
    }
    if (setting->reload == SETTING_RELOAD_START) {
        loader_report(
            &deriver->loader, (struct mark){0},
            STR_FMT
            " is read at the start only: set it under `settings` in the configuration file, and restart",
            STR_ARG(setting->name));
        return;
    }
    buf_init_fixed(&message, memory, sizeof(memory));
    enum err err = setting_set(setting, cell_text(row, STR("variable_value")), &config->arena,
                               &config->settings, &message);
    if (err == ERR_INVALID)
        loader_report(&deriver->loader, (struct mark){0}, STR_FMT, STR_ARG(buf_str(&message)));
    deriver->loader.no_memory = deriver->loader.no_memory || err == ERR_NO_MEMORY;
}

static void derive_variables(struct deriver *deriver, const struct config *base, const struct row_list *rows)
{
    (void)base;
    for (size_t i = 0; i < rows->count; i++)
        derive_variable(deriver, &rows->items[i]);
}

/* ---- all of it ---- */

/* In the order in which they are read: later ones look at what earlier ones have made. */
static const struct {
    void (*derive)(struct deriver *deriver, const struct config *base, const struct row_list *rows);
    size_t offset; /* of the rows */
} kinds[] = {
    {derive_variables, offsetof(struct config_rows, variables)},
    {derive_servers, offsetof(struct config_rows, servers)},
    {derive_hostgroups, offsetof(struct config_rows, hostgroups)},
    {derive_rules, offsetof(struct config_rows, rules)},
    {derive_users, offsetof(struct config_rows, users)},
    {derive_keys, offsetof(struct config_rows, api_keys)},
    {derive_prices, offsetof(struct config_rows, prices)},
    {derive_aliases, offsetof(struct config_rows, aliases)},
};

/* Everything that rows cannot change; the rest follows. */
static struct config *config_over(struct config *base)
{
    struct config *config = config_new();
    if (!config)
        return NULL;
    config->base = config_ref(base);
    config->path = base->path;
    config->data_dir = base->data_dir;
    config->settings = base->settings;
    config->listeners = base->listeners;
    config->listener_count = base->listener_count;
    return config;
}

static enum err derive(struct deriver *deriver, const struct config *base, const struct config_rows *rows)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds) && !has_faults(deriver); i++)
        kinds[i].derive(deriver, base, (const void *)((const char *)rows + kinds[i].offset));
    if (deriver->loader.no_memory)
        return ERR_NO_MEMORY;
    return has_faults(deriver) ? ERR_INVALID : ERR_OK;
}

enum err config_from_rows(struct config *base, const struct config_rows *rows, const struct config_env *env,
                          struct config **ret_config, struct diagnostics *io_diagnostics)
{
    struct config *config = config_over(base);
    if (!config)
        return ERR_NO_MEMORY;
    struct deriver deriver = {
        .loader = {.config = config, .env = env, .diagnostics = io_diagnostics, .is_table = true},
    };
    ASSERT(diagnostics_total(io_diagnostics) == 0);
    arena_init(&deriver.scratch, NULL);
    enum err err = derive(&deriver, base, rows);
    arena_fini(&deriver.scratch);
    if (err)
        config_free(config);
    else
        *ret_config = config;
    return err;
}
