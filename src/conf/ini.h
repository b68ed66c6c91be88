/* SPDX-License-Identifier: Apache-2.0 */
/* Files of "key = value" lines in sections. What every reader of the kind does alike:
 *
 *   # and ; begin a comment, on a line of its own or after a value; within a value that is not quoted, only behind a blank
 *   [section]           names what follows
 *   key = value         blanks around both do not count; the value may be empty
 *   key = "a # value"   or in single quotes: taken as it stands, there are no escapes
 *
 * Readers of the format differ in the rest, so the rest is refused: no value over several lines, no quote inside of one,
 * no text behind one. The text has to be UTF-8. Pure. */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "conf/diagnostics.h"

#define INI_LINES_MAX 10000

struct ini_entry {
    struct str section;                       /* empty before the first header */
    struct str key, value;                    /* views of the text */
    struct mark key_mark, mark, section_mark; /* `mark`: of the value, or where it would stand */
    bool is_broken;                           /* the value was reported, and is not to be used */
};

/* All entries in the order of the text; `ret_entries` is in `arena`. What is not an entry, a header or a comment is reported
 * and left out. ERR_NO_MEMORY is the only failure. */
MUST_USE enum err ini_read(struct str text, struct arena *arena, struct diagnostics *io_diagnostics,
                           struct ini_entry **ret_entries, size_t *ret_count);

/* Name of the first section, if nothing but comments and blank lines stands before it; else empty. */
struct str ini_first_section(struct str text);
