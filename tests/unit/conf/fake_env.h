/* SPDX-License-Identifier: Apache-2.0 */
/* A world for tests: a few variables and files, nothing of the machine's own. */
#pragma once

#include "conf/env.h"

static const struct {
    const char *name, *value;
} fake_variables[] = {
    {"NAME", "value"},     {"EMPTY", ""},          {"NUMBER", "7"},
    {"DOLLAR", "${NAME}"}, {"BAD_KEY", "a\nb: c"}, {"OPENAI_API_KEY", "sk-environment"},
};

static const char *fake_variable(void *context, const char *name)
{
    (void)context;
    for (size_t i = 0; i < ARRAY_LEN(fake_variables); i++)
        if (strcmp(fake_variables[i].name, name) == 0)
            return fake_variables[i].value;
    return NULL;
}

static enum err fake_read_file(void *context, struct str path, struct buf *out)
{
    (void)context;
    if (str_eq(path, STR("/key")))
        buf_add(out, STR("sk-file\r\n"));
    else if (str_eq(path, STR("/denied")))
        return ERR_SYSTEM;
    else if (!str_eq(path, STR("/empty")))
        return ERR_NOT_FOUND;
    return buf_ok(out) ? ERR_OK : ERR_LIMIT;
}

static bool fake_is_readable(void *context, struct str path)
{
    (void)context;
    return str_eq(path, STR("/cert")) || str_eq(path, STR("/key"));
}

static const struct config_env fake_env = {fake_variable, fake_read_file, fake_is_readable, NULL, NULL};
