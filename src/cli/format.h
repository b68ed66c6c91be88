/* SPDX-License-Identifier: Apache-2.0 */
/* How rows are written. A format gets the columns and then row by row, and adds to `out`; the caller empties `out`
 * between rows as it likes. Pure. */
#pragma once

#include "base/buf.h"

struct column {
    struct str name;
    bool is_numeric, is_nullable;
    size_t width; /* of the widest value, in columns of the terminal; what format->measure makes of it */
};

struct cell {
    struct str text;
    bool is_null;
};

struct sheet {
    struct column *columns;
    size_t column_count;
    bool with_names;
    uint64_t rows; /* written so far */
    struct buf *out;
};

struct format {
    struct str name;
    bool has_footer; /* made for people: "2 rows in set" follows */
    /* NULL, or called for each row before begin(). */
    void (*measure)(struct sheet *sheet, const struct cell *cells);
    void (*begin)(struct sheet *sheet);
    void (*row)(struct sheet *sheet, const struct cell *cells);
    void (*end)(struct sheet *sheet);
};

extern const struct format format_table;    /* borders, as database clients have them */
extern const struct format format_vertical; /* a line for each value */
extern const struct format format_tabs;     /* tab-separated; \t, \n, \\ and \0 escaped; NULL is "NULL" */
extern const struct format format_json; /* an array of objects for each result; equal names get _2, _3 ... */
extern const struct format format_csv;  /* RFC 4180; NULL is an empty field, an empty text is "" */

/* Whether `text` is a number as JSON writes it (RFC 8259, section 6). */
bool json_is_number(struct str text);
