/* SPDX-License-Identifier: Apache-2.0 */
/* Loads a text in the fake world and compares what is said about it, word for word. */
#pragma once

#include "conf/load.h"
#include "fake_env.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct load_row {
    const char *yaml;
    const char *printed; /* all diagnostics, for the path "f" */
};

/* NULL when the text is refused. `printed` holds at least 8192 bytes. */
static struct config *load_text(struct str yaml, char *printed)
{
    struct config *config = NULL;
    struct diagnostics diagnostics;
    struct buf out;
    buf_init_fixed(&out, printed, 8191);
    diagnostics_init(&diagnostics);
    enum err err = config_load(yaml, STR("f"), &fake_env, &config, &diagnostics);
    diagnostics_print(&diagnostics, STR("f"), &out);
    assert_true(buf_ok(&out));
    printed[out.len] = '\0';
    assert_int_equal(err, out.len == 0 ? ERR_OK : ERR_INVALID);
    assert_int_equal(config != NULL, err == ERR_OK);
    diagnostics_fini(&diagnostics);
    return config;
}

static inline void check_rows(const struct load_row *rows, size_t count)
{
    char printed[8192];
    for (size_t i = 0; i < count; i++) {
        config_free(load_text(str_from(rows[i].yaml), printed));
        assert_string_equal(printed, rows[i].printed);
    }
}

/* The configuration of a text that has to be good. */
static inline struct config *load_good(const char *yaml)
{
    char printed[8192];
    struct config *config = load_text(str_from(yaml), printed);
    assert_string_equal(printed, "");
    return config;
}

#define assert_str(actual, expected)                                                                         \
    do {                                                                                                     \
        struct str actual_ = (actual);                                                                       \
        assert_int_equal(actual_.len, strlen(expected));                                                     \
        assert_memory_equal(actual_.ptr ? actual_.ptr : "", expected, actual_.len);                          \
    } while (0)
