/* SPDX-License-Identifier: Apache-2.0 */
/* A loader over a text of YAML, for tests of the tables' machinery. */
#pragma once

#include "conf/fields.h"
#include "fake_env.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct loading {
    struct config config;
    struct diagnostics diagnostics;
    struct yaml_document document;
    struct loader loader;
    char printed[8192];
};

static inline void loading_start(struct loading *loading, struct str yaml)
{
    memset(loading, 0, sizeof(*loading));
    diagnostics_init(&loading->diagnostics);
    assert_int_equal(yaml_load(yaml, &fake_env, &loading->diagnostics, &loading->document), ERR_OK);
    loading->loader = (struct loader){
        .config = &loading->config, .env = &fake_env, .diagnostics = &loading->diagnostics, .place = "x"};
}

/* What was reported so far. */
static inline const char *loading_print(struct loading *loading)
{
    struct buf out;
    buf_init_fixed(&out, loading->printed, sizeof(loading->printed) - 1);
    diagnostics_print(&loading->diagnostics, STR("f"), &out);
    assert_true(buf_ok(&out));
    loading->printed[out.len] = '\0';
    return loading->printed;
}

static inline void loading_stop(struct loading *loading)
{
    assert_false(loading->loader.no_memory);
    yaml_fini(&loading->document);
    diagnostics_fini(&loading->diagnostics);
    arena_fini(&loading->config.arena);
}
