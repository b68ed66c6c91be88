/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/settings.h"

#include <stdio.h>
#include <stdlib.h>

#define LITERAL(text)                                                                                        \
    {                                                                                                        \
        (text), sizeof(text) - 1                                                                             \
    }
#define SHOWN_MAX 64 /* bytes of a refused value that a message repeats */

static const struct str log_level_values[] = {
    [LOG_DEBUG] = LITERAL("debug"),
    [LOG_INFO] = LITERAL("info"),
    [LOG_WARN] = LITERAL("warn"),
    [LOG_ERROR] = LITERAL("error"),
};
static const struct str access_log_format_values[] = {
    [ACCESS_LOG_JSON] = LITERAL("json"),
    [ACCESS_LOG_TEXT] = LITERAL("text"),
};
static const struct str load_balancing_algorithm_values[] = {
    [STRATEGY_WEIGHTED_ROUND_ROBIN] = LITERAL("weighted_round_robin"),
    [STRATEGY_LEAST_CONNECTIONS] = LITERAL("least_connections"),
    [STRATEGY_LATENCY] = LITERAL("latency"),
    [STRATEGY_RANDOM] = LITERAL("random"),
    [STRATEGY_LATENCY_BASED] = LITERAL("latency_based"),
};
static const struct str trust_user_header_values[] = {
    [TRUST_NEVER] = LITERAL("never"),
    [TRUST_LOOPBACK] = LITERAL("loopback"),
    [TRUST_ALWAYS] = LITERAL("always"),
};

#define ROW_VALUES_U64(name)
#define ROW_VALUES_DOUBLE(name)
#define ROW_VALUES_BOOL(name)
#define ROW_VALUES_TEXT(name)
#define ROW_VALUES_SECRET(name)
#define ROW_VALUES_ENUM(name) .values = name##_values, .value_count = ARRAY_LEN(name##_values),

const struct setting settings_table[] = {
#define SETTING(name_, kind_, default_, min_, max_, unit_, reload_, help_)                                   \
    {.name = LITERAL(#name_),                                                                                \
     .kind = SETTING_KIND_##kind_,                                                                           \
     .reload = SETTING_RELOAD_##reload_,                                                                     \
     .offset = offsetof(struct settings, name_),                                                             \
     .min = (min_),                                                                                          \
     .max = (max_),                                                                                          \
     .unit = LITERAL(unit_),                                                                                 \
     .help = LITERAL(help_),                                                                                 \
     ROW_VALUES_##kind_(name_)},
#include "conf/settings.def"
};
const size_t settings_count = ARRAY_LEN(settings_table);

static const struct {
    struct str title;
    size_t offset; /* of the first field in the group */
} groups[] = {
#define SETTING_GROUP(title, first) {LITERAL(title), offsetof(struct settings, first)},
#include "conf/settings.def"
};

void settings_init(struct settings *settings)
{
#define DEFAULT_U64(value) (value)
#define DEFAULT_DOUBLE(value) (value)
#define DEFAULT_BOOL(value) (value)
#define DEFAULT_ENUM(value) (value)
#define DEFAULT_TEXT(value) STR(value)
#define DEFAULT_SECRET(value) STR(value)
    *settings = (struct settings){
#define SETTING(name_, kind_, default_, ...) .name_ = DEFAULT_##kind_(default_),
#include "conf/settings.def"
    };
}

const struct setting *setting_find(struct str name)
{
    for (size_t i = 0; i < settings_count; i++)
        if (str_eq(settings_table[i].name, name))
            return &settings_table[i];
    return NULL;
}

struct str setting_group(const struct setting *setting)
{
    struct str title = groups[0].title;
    for (size_t i = 0; i < ARRAY_LEN(groups) && groups[i].offset <= setting->offset; i++)
        title = groups[i].title;
    return title;
}

static const void *field_of(const struct setting *setting, const struct settings *settings)
{
    return (const char *)settings + setting->offset;
}

/* Digits with at most one point between them: what strtod reads beyond that (hex, inf, exponents, a
 * locale's comma) has no place in a configuration. */
static bool parse_decimal(struct str text, double *ret_value)
{
    char copy[32];
    size_t points = 0;
    if (text.len == 0 || text.len >= sizeof(copy))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        bool is_point = text.ptr[i] == '.' && i > 0 && i + 1 < text.len;
        points += is_point;
        if (!is_point && (text.ptr[i] < '0' || text.ptr[i] > '9'))
            return false;
    }
    if (points > 1)
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    *ret_value = strtod(copy, NULL);
    return true;
}

static bool set_u64(const struct setting *setting, struct str text, uint64_t *field)
{
    uint64_t value;
    if (!str_to_u64(text, &value) || (double)value < setting->min || (double)value > setting->max)
        return false;
    *field = value;
    return true;
}

static bool set_double(const struct setting *setting, struct str text, double *field)
{
    double value;
    if (!parse_decimal(text, &value) || value < setting->min || value > setting->max)
        return false;
    *field = value;
    return true;
}

static bool set_bool(struct str text, bool *field)
{
    bool is_true = str_eq(text, STR("true"));
    if (!is_true && !str_eq(text, STR("false")))
        return false;
    *field = is_true;
    return true;
}

static bool set_enum(const struct setting *setting, struct str text, unsigned *field)
{
    for (unsigned i = 0; i < setting->value_count; i++) {
        if (str_eq(setting->values[i], text)) {
            *field = i;
            return true;
        }
    }
    return false;
}

static bool is_printable(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 0x7f)
            return false;
    return true;
}

static bool set_text(const struct setting *setting, struct str text, struct arena *arena, struct str *field,
                     bool *ret_no_memory)
{
    if ((text.len == 0 && setting->kind == SETTING_KIND_TEXT) || text.len > SETTING_TEXT_MAX || !is_printable(text))
        return false;
    struct str copy = arena_dup(arena, text);
    if (copy.ptr)
        *field = copy;
    else
        *ret_no_memory = true;
    return true;
}

static void explain(const struct setting *setting, struct str text, struct buf *out)
{
    struct str shown = {text.ptr, MIN(text.len, SHOWN_MAX)};
    if (setting->kind == SETTING_KIND_SECRET)
        shown = STR("...");
    buf_printf(out, STR_FMT ": '" STR_FMT "'", STR_ARG(setting->name), STR_ARG(shown));
    switch (setting->kind) {
    case SETTING_KIND_U64:
    case SETTING_KIND_DOUBLE:
        buf_printf(out, " is not a %snumber from %.15g to %.15g",
                   setting->kind == SETTING_KIND_U64 ? "whole " : "", setting->min, setting->max);
        break;
    case SETTING_KIND_BOOL:
        buf_add(out, STR(" is neither true nor false"));
        break;
    case SETTING_KIND_ENUM:
        for (size_t i = 0; i < setting->value_count; i++)
            buf_printf(out, "%s" STR_FMT, i == 0 ? " is none of " : ", ", STR_ARG(setting->values[i]));
        break;
    case SETTING_KIND_TEXT:
    case SETTING_KIND_SECRET:
        buf_printf(out, " is not a text of 1 to %d printable bytes", SETTING_TEXT_MAX);
        break;
    }
}

enum err setting_set(const struct setting *setting, struct str text, struct arena *arena,
                     struct settings *io_settings, struct buf *io_message)
{
    void *field = (char *)io_settings + setting->offset;
    bool is_good = false, no_memory = false;
    switch (setting->kind) {
    case SETTING_KIND_U64:
        is_good = set_u64(setting, text, field);
        break;
    case SETTING_KIND_DOUBLE:
        is_good = set_double(setting, text, field);
        break;
    case SETTING_KIND_BOOL:
        is_good = set_bool(text, field);
        break;
    case SETTING_KIND_ENUM:
        is_good = set_enum(setting, text, field);
        break;
    case SETTING_KIND_TEXT:
    case SETTING_KIND_SECRET:
        is_good = set_text(setting, text, arena, field, &no_memory);
        break;
    }
    if (!is_good)
        explain(setting, text, io_message);
    return no_memory ? ERR_NO_MEMORY : is_good ? ERR_OK : ERR_INVALID;
}

/* The shortest form that reads back to the same number, never with an exponent: the table's range is small.
 */
static void get_double(double value, struct buf *out)
{
    char text[64];
    int precision = 0;
    do
        snprintf(text, sizeof(text), "%.*f", precision, value);
    while (strtod(text, NULL) != value && ++precision <= 17);
    buf_add(out, str_from(text));
}

void setting_get(const struct setting *setting, const struct settings *settings, struct buf *out)
{
    const void *field = field_of(setting, settings);
    switch (setting->kind) {
    case SETTING_KIND_U64:
        buf_add_u64(out, *(const uint64_t *)field);
        break;
    case SETTING_KIND_DOUBLE:
        get_double(*(const double *)field, out);
        break;
    case SETTING_KIND_BOOL:
        buf_add(out, *(const bool *)field ? STR("true") : STR("false"));
        break;
    case SETTING_KIND_ENUM:
        ASSERT(*(const unsigned *)field < setting->value_count);
        buf_add(out, setting->values[*(const unsigned *)field]);
        break;
    case SETTING_KIND_TEXT:
        buf_add(out, *(const struct str *)field);
        break;
    case SETTING_KIND_SECRET:
        buf_add(out, ((const struct str *)field)->len > 0 ? STR("********") : STR_NONE);
        break;
    }
}

bool setting_is_equal(const struct setting *setting, const struct settings *a, const struct settings *b)
{
    const void *left = field_of(setting, a), *right = field_of(setting, b);
    switch (setting->kind) {
    case SETTING_KIND_U64:
        return *(const uint64_t *)left == *(const uint64_t *)right;
    case SETTING_KIND_DOUBLE:
        return *(const double *)left == *(const double *)right;
    case SETTING_KIND_BOOL:
        return *(const bool *)left == *(const bool *)right;
    case SETTING_KIND_ENUM:
        return *(const unsigned *)left == *(const unsigned *)right;
    case SETTING_KIND_TEXT:
    case SETTING_KIND_SECRET:
        return str_eq(*(const struct str *)left, *(const struct str *)right);
    }
    return false;
}

size_t settings_differ_start(const struct settings *a, const struct settings *b, struct buf *names)
{
    size_t count = 0;
    for (size_t i = 0; i < settings_count; i++) {
        const struct setting *setting = &settings_table[i];
        if (setting->reload != SETTING_RELOAD_START || setting_is_equal(setting, a, b))
            continue;
        if (count++ > 0)
            buf_add(names, STR(", "));
        buf_add(names, setting->name);
    }
    return count;
}
