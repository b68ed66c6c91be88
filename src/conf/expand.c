/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/expand.h"

#define NAME_MAX_BYTES 128

struct expansion {
    char *out; /* NULL: only counts */
    size_t len;
    const struct config_env *env;
    struct buf *message;
};

static void append(struct expansion *expansion, struct str text)
{
    if (expansion->out && text.len > 0)
        memcpy(expansion->out + expansion->len, text.ptr, text.len);
    expansion->len += text.len;
}

static bool is_name(struct str name)
{
    if (name.len == 0 || name.len > NAME_MAX_BYTES)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool is_letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
        if (!is_letter && (i == 0 || c < '0' || c > '9'))
            return false;
    }
    return true;
}

/* `inside` is what stands between the braces. */
static enum err expand_variable(struct expansion *expansion, struct str inside)
{
    ssize_t dash = str_find(inside, STR(":-"));
    struct str name = dash < 0 ? inside : (struct str){inside.ptr, (size_t)dash};
    if (!is_name(name)) {
        buf_printf(expansion->message,
                   "'${...}' has to hold a variable's name, as ${NAME} or ${NAME:-default}; "
                   "a literal dollar is $$");
        return ERR_INVALID;
    }
    char text[NAME_MAX_BYTES + 1];
    memcpy(text, name.ptr, name.len);
    text[name.len] = '\0';
    struct str value = str_from(expansion->env->variable(expansion->env->context, text));
    if (value.len > 0 || (value.ptr && dash < 0)) {
        append(expansion, value);
    } else if (dash >= 0) {
        append(expansion, str_from_offset(inside, (size_t)dash + 2));
    } else {
        buf_printf(expansion->message,
                   "environment variable '%s' is not set; ${%s:-default} gives it a default", text, text);
        return ERR_INVALID;
    }
    return ERR_OK;
}

static enum err run(struct expansion *expansion, struct str text)
{
    while (text.len > 0) {
        ssize_t dollar = str_find(text, STR("$"));
        size_t plain = dollar < 0 ? text.len : (size_t)dollar;
        append(expansion, (struct str){text.ptr, plain});
        text = str_from_offset(text, plain);
        size_t used = 1;
        if (str_starts(text, STR("${"))) {
            ssize_t end = str_find(text, STR("}"));
            if (end < 0) {
                buf_printf(expansion->message, "'${' without '}'; a literal dollar is $$");
                return ERR_INVALID;
            }
            enum err err = expand_variable(expansion, (struct str){text.ptr + 2, (size_t)end - 2});
            if (err)
                return err;
            used = (size_t)end + 1;
        } else if (text.len > 0) {
            append(expansion, STR("$"));
            used = str_starts(text, STR("$$")) ? 2 : 1;
        }
        text = str_from_offset(text, used);
        if (expansion->len > EXPAND_MAX) {
            buf_printf(expansion->message, "longer than %d bytes after expansion", EXPAND_MAX);
            return ERR_LIMIT;
        }
    }
    return ERR_OK;
}

/* Counts first and writes then: no half-grown copies of a secret stay behind in freed memory. */
enum err expand_text(struct str text, const struct config_env *env, struct arena *arena, struct str *ret_text,
                     struct buf *io_message)
{
    struct expansion expansion = {.env = env, .message = io_message};
    enum err err = run(&expansion, text);
    if (err)
        return err;
    expansion.out = arena_take(arena, expansion.len + 1);
    if (!expansion.out)
        return ERR_NO_MEMORY;
    expansion.len = 0;
    err = run(&expansion, text);
    ASSERT(err == ERR_OK);
    expansion.out[expansion.len] = '\0';
    *ret_text = (struct str){expansion.out, expansion.len};
    return ERR_OK;
}
