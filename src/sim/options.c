/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/options.h"

#define QUEUE_UNLIMITED ((uint64_t)1000000)

struct number_row {
    struct str flag, key;
    size_t offset; /* within struct sim_settings */
    uint64_t unit, largest;
    const char *help;
};

static const struct number_row numbers[] = {
#define NUMBER(flag, key, field, unit, largest, help)                                                        \
    {{flag, sizeof(flag) - 1},                                                                               \
     {key, sizeof(key) - 1},                                                                                 \
     offsetof(struct sim_settings, field),                                                                   \
     unit,                                                                                                   \
     largest,                                                                                                \
     help},
#include "sim/options.def"
#undef NUMBER
};

struct text_row {
    struct str flag;
    size_t offset; /* within struct sim_options */
    const char *value, *help;
};

#define TEXT(flag, field, value, help)                                                                       \
    {                                                                                                        \
        {flag, sizeof(flag) - 1}, offsetof(struct sim_options, field), value, help                           \
    }

static const struct text_row texts[] = {
    TEXT("listen", listen, "HOST:PORT", "address to serve; port 0 takes a free one (default 127.0.0.1:0)"),
    TEXT("models", models, "A,B", "names served, others are answered 404 (default: any name is served)"),
    TEXT("name", name, "TEXT", "told in the answer's x-sim-name and system_fingerprint"),
    TEXT("require-key", require_key, "KEY", "refuse requests to /v1/ without this bearer token"),
    TEXT("fault", fault, "SPEC", "fault of every request that brings none of its own"),
};

static const struct text_row switches[] = {
    TEXT("unsized-head", unsized_head, "yes|no",
         "send answers that are no streams chunked, without a length (default no)"),
};

static uint64_t *number_field(const struct number_row *row, struct sim_settings *settings)
{
    return (uint64_t *)(void *)((char *)settings + row->offset);
}

static enum err number_set(const struct number_row *row, struct sim_settings *settings, uint64_t value)
{
    bool must_be_positive =
        str_eq(row->flag, STR("chunk-tokens")) || str_eq(row->flag, STR("embedding-dimensions"));
    if (value > row->largest || (value == 0 && must_be_positive))
        return ERR_LIMIT;
    *number_field(row, settings) = value * row->unit;
    return ERR_OK;
}

enum err sim_settings_set(struct sim_settings *settings, struct str key, uint64_t value)
{
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        if (str_eq(numbers[i].key, key))
            return number_set(&numbers[i], settings, value);
    }
    return ERR_NOT_FOUND;
}

static enum err refuse(struct buf *why, const char *what, struct str flag)
{
    buf_printf(why, "%s --" STR_FMT, what, STR_ARG(flag));
    return ERR_INVALID;
}

static enum err option_number(const struct number_row *row, struct sim_options *options, struct str value,
                              struct buf *why)
{
    uint64_t number = 0;
    if (!str_to_u64(value, &number) || number_set(row, &options->settings, number) != ERR_OK) {
        buf_printf(why, "--" STR_FMT " takes a number up to %llu, not \"" STR_FMT "\"", STR_ARG(row->flag),
                   (unsigned long long)row->largest, STR_ARG(value));
        return ERR_INVALID;
    }
    return ERR_OK;
}

static enum err option_switch(const struct text_row *row, struct sim_options *options, struct str value,
                              struct buf *why)
{
    bool yes = str_eq(value, STR("yes"));
    if (!yes && !str_eq(value, STR("no")))
        return refuse(why, "yes or no is expected after", row->flag);
    *(bool *)(void *)((char *)options + row->offset) = yes;
    return ERR_OK;
}

/* An option that takes a value. */
static enum err option_set(struct sim_options *options, struct str flag, struct str value, struct buf *why)
{
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        if (str_eq(numbers[i].flag, flag))
            return option_number(&numbers[i], options, value, why);
    }
    for (size_t i = 0; i < ARRAY_LEN(switches); i++) {
        if (str_eq(switches[i].flag, flag))
            return option_switch(&switches[i], options, value, why);
    }
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (!str_eq(texts[i].flag, flag))
            continue;
        *(struct str *)(void *)((char *)options + texts[i].offset) = value;
        options->is_named = options->is_named || str_eq(flag, STR("name"));
        return ERR_OK;
    }
    return refuse(why, "unknown option", flag);
}

static bool flag_is_known(struct str flag)
{
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        if (str_eq(numbers[i].flag, flag))
            return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (str_eq(texts[i].flag, flag))
            return true;
    }
    return str_eq(flag, switches[0].flag);
}

enum err sim_options_parse(int count, char *const *arguments, struct sim_options *ret_options,
                           struct buf *why)
{
    struct sim_options options = {
        .settings = {.queue = QUEUE_UNLIMITED, .tokens = 16, .chunk_tokens = 1, .dimensions = 8},
        .listen = STR("127.0.0.1:0"),
        .name = STR("sim"),
    };
    for (int i = 0; i < count; i++) {
        struct str argument = str_from(arguments[i]);
        if (!str_starts(argument, STR("--"))) {
            buf_printf(why, "unexpected argument \"" STR_FMT "\"", STR_ARG(argument));
            return ERR_INVALID;
        }
        struct str flag = str_from_offset(argument, 2);
        if (str_eq(flag, STR("help"))) {
            options.help = true;
        } else if (str_eq(flag, STR("no-record"))) {
            options.no_record = true;
        } else if (!flag_is_known(flag)) {
            return refuse(why, "unknown option", flag);
        } else if (i + 1 == count) {
            return refuse(why, "a value is missing after", flag);
        } else if (option_set(&options, flag, str_from(arguments[++i]), why) != ERR_OK) {
            return ERR_INVALID;
        }
    }
    *ret_options = options;
    return ERR_OK;
}

void sim_options_help(struct buf *out)
{
    buf_add(out, STR("Usage: fairlead-sim [OPTION VALUE]...\n\nA simulated inference server that speaks the "
                     "OpenAI API.\n\n"));
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        buf_printf(out, "  --%-22s %-10s %s\n", texts[i].flag.ptr, texts[i].value, texts[i].help);
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        buf_printf(out, "  --%-22s %-10s %s\n", numbers[i].flag.ptr, "N", numbers[i].help);
    for (size_t i = 0; i < ARRAY_LEN(switches); i++)
        buf_printf(out, "  --%-22s %-10s %s\n", switches[i].flag.ptr, switches[i].value, switches[i].help);
    buf_printf(out, "  --%-22s %-10s %s\n", "no-record", "", "do not keep what was received");
    buf_printf(out, "  --%-22s %-10s %s\n", "help", "", "print this");
}
