/* SPDX-License-Identifier: Apache-2.0 */
/* The settings as a table: every reader and printer of settings walks it, none names a field twice.
 * Pure; the table is constant, so any thread may read it. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "conf/config.h"

#define SETTING_TEXT_MAX 4096 /* bytes of a TEXT or SECRET value */

enum setting_kind {
    SETTING_KIND_U64,
    SETTING_KIND_DOUBLE,
    SETTING_KIND_BOOL,
    SETTING_KIND_ENUM,
    SETTING_KIND_TEXT,
    SETTING_KIND_SECRET
};

enum setting_reload { SETTING_RELOAD_LIVE, SETTING_RELOAD_START };

/* A row of settings.def. */
struct setting {
    struct str name;
    enum setting_kind kind;
    enum setting_reload reload;
    size_t offset;   /* of the field in struct settings */
    double min, max; /* inclusive, U64 and DOUBLE; exact, as no bound of the table is near 2^53 */
    struct str unit; /* may be empty */
    struct str help;
    const struct str *values; /* ENUM: the words, by value */
    size_t value_count;
};

extern const struct setting settings_table[];
extern const size_t settings_count;

/* All defaults. Its texts are literals: nothing to free. */
void settings_init(struct settings *settings);

/* NULL when there is no such setting. */
const struct setting *setting_find(struct str name);

/* Title of the group that the setting belongs to in the manual. */
struct str setting_group(const struct setting *setting);

/* Sets the field from text, after its range is checked; a TEXT value is copied to `arena`. On ERR_INVALID the
 * settings are unchanged and `io_message` names the setting, the text and what was expected instead. */
MUST_USE enum err setting_set(const struct setting *setting, struct str text, struct arena *arena,
                              struct settings *io_settings, struct buf *io_message);

/* The field as text that setting_set reads back to the same value; of a SECRET only asterisks, or nothing if it is not
 * set. */
void setting_get(const struct setting *setting, const struct settings *settings, struct buf *out);

bool setting_is_equal(const struct setting *setting, const struct settings *a, const struct settings *b);

/* Number of START settings in which the two differ; their names go to `names`, separated by ", ". */
size_t settings_differ_start(const struct settings *a, const struct settings *b, struct buf *names);
