/* SPDX-License-Identifier: Apache-2.0 */
#include "load_options.h"

#include "base/clock.h"

struct number_row {
    struct str flag;
    size_t offset;
    uint64_t unit;
    const char *help;
};

static const struct number_row numbers[] = {
#define NUMBER(flag, field, unit, help)                                                                      \
    {{flag, sizeof(flag) - 1}, offsetof(struct load_options, field), unit, help},
#include "load_options.def"
#undef NUMBER
};

#define NUMBER_MAX ((uint64_t)1000000000)

static enum err complain(struct buf *why, const char *what, struct str about)
{
    buf_printf(why, "%s " STR_FMT, what, STR_ARG(about));
    return ERR_INVALID;
}

/* http://HOST:PORT/PATH with a numeric host. */
static enum err parse_url(struct str url, struct load_options *options, struct buf *why)
{
    const struct str scheme = STR("http://");
    struct str rest = str_from_offset(url, scheme.len);
    ssize_t slash = str_find(rest, STR("/"));
    ssize_t colon = str_find(rest, STR(":"));
    uint64_t port = 0;
    if (!str_starts(url, scheme) || slash < 0 || colon < 0 || colon > slash)
        return complain(why, "http://HOST:PORT/PATH is expected, not", url);
    options->host = (struct str){rest.ptr, (size_t)slash};
    options->path = str_from_offset(rest, (size_t)slash);
    struct str digits = {rest.ptr + colon + 1, (size_t)(slash - colon - 1)};
    if (!str_to_u64(digits, &port) || port == 0 || port > 65535 ||
        !address_parse((struct str){rest.ptr, (size_t)colon}, (uint16_t)port, &options->address))
        return complain(why, "the host must be a numeric address, with a port:", url);
    return ERR_OK;
}

static enum err set_text(struct load_options *options, struct str flag, struct str value, struct buf *why)
{
    if (str_eq(flag, STR("--model"))) {
        options->model = value;
    } else if (str_eq(flag, STR("--header")) && options->header_count < LOAD_HEADERS_MAX) {
        options->headers[options->header_count++] = value;
    } else if (str_eq(flag, STR("--watch-pid")) && options->watched_count < LOAD_WATCHED_MAX) {
        if (!str_to_u64(value, &options->watched[options->watched_count++]))
            return complain(why, "a process id is expected, not", value);
    } else {
        return complain(why, "unknown option, or one given too often:", flag);
    }
    return ERR_OK;
}

static enum err set_option(struct load_options *options, struct str flag, struct str value, struct buf *why)
{
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        if (!str_eq(numbers[i].flag, str_from_offset(flag, 2)))
            continue;
        uint64_t number = 0;
        if (!str_to_u64(value, &number) || number > NUMBER_MAX)
            return complain(why, "a number is expected, not", value);
        *(uint64_t *)(void *)((char *)options + numbers[i].offset) = number * numbers[i].unit;
        return ERR_OK;
    }
    return set_text(options, flag, value, why);
}

enum err load_options_parse(int count, char *const *arguments, struct load_options *ret_options,
                            struct buf *why)
{
    struct load_options options = {
        .connections = 64,
        .duration = 5 * USEC_PER_SEC,
        .warm_up = USEC_PER_SEC,
        .timeout = 2 * USEC_PER_SEC,
        .body_bytes = 4096,
        .model = STR("sim-model"),
    };
    for (int i = 0; i < count; i++) {
        struct str argument = str_from(arguments[i]);
        enum err err = ERR_OK;
        if (str_eq(argument, STR("--help")))
            options.help = true;
        else if (str_eq(argument, STR("--stream")))
            options.stream = true;
        else if (str_eq(argument, STR("--unique")))
            options.unique = true;
        else if (!str_starts(argument, STR("--")))
            err = parse_url(argument, &options, why);
        else if (i + 1 == count)
            err = complain(why, "a value is missing after", argument);
        else
            err = set_option(&options, argument, str_from(arguments[++i]), why);
        if (err != ERR_OK)
            return err;
    }
    if (!options.help && options.path.len == 0)
        return complain(why, "a URL is missing:", STR("http://HOST:PORT/PATH"));
    options.stream = options.stream || options.hold_streams > 0;
    *ret_options = options;
    return ERR_OK;
}

void load_options_help(struct buf *out)
{
    buf_add(out,
            STR("Usage: fairlead-load [OPTION VALUE]... http://HOST:PORT/PATH\n\n"
                "Sends chat requests, checks every answer, prints measurements as one JSON object.\n\n"));
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        buf_printf(out, "  --%-16s N      %s\n", numbers[i].flag.ptr, numbers[i].help);
    buf_add(out,
            STR("  --stream                  ask for streams\n"
                "  --unique                  no two requests are equal, and all have temperature 0: a cache is asked in vain\n"
                "  --model            NAME   model asked for\n"
                "  --header           LINE   \"Name: value\", added to each request; may be repeated\n"
                "  --watch-pid        PID    processes whose CPU time and memory are told; may be repeated\n"
                "  --help                    print this\n"));
}
