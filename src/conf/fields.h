/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a mapping of the file into a struct by a table: one row a key. What is wrong is reported and
 * reading goes on, so that one run shows everything; the manual is written from the same rows. Internal to
 * conf/. */
#pragma once

#include "conf/config.h"
#include "conf/diagnostics.h"
#include "conf/env.h"
#include "conf/yaml.h"

#define FIELD_TEXT_MAX 4096 /* bytes of any text */
#define FIELD_NAME_MAX 64   /* bytes of a name */
#define SECTION_ITEMS_MAX 10000

/* One load. Lives during config_load. */
struct loader {
    struct config *config; /* being filled; its arena takes what is kept */
    const struct config_env *env;
    struct diagnostics *diagnostics;
    char place[128]; /* "servers[3]", or the row of a table, for messages */
    bool is_table;   /* keys are called columns in messages */
    bool no_memory;  /* the load ends with ERR_NO_MEMORY */
};

struct field;

/* Reads `node` into `target`, which is the field's member of the object. Reports to `loader` what it refuses
 * and leaves the target as it is then. `node` is neither broken nor null. */
typedef void field_read_fn(struct loader *loader, const struct field *field, const struct yaml_node *node,
                           void *target);

struct field_type {
    const char *label; /* for the manual */
    field_read_fn *read;
};

/* A word of a CHOICE or FLAGS field. */
struct choice {
    struct str word;
    unsigned value;
    const char *refusal; /* not NULL: a known word that is refused, and why */
};

struct field {
    struct str name;
    const struct field_type *type;
    size_t offset;
    bool is_required;
    const char *default_text; /* read as if it were in the file; NULL: the member stays zero */
    unsigned min, max;        /* field_unsigned */
    const struct choice *choices;
    size_t choice_count;
    const char *help;
};

/* A list of mappings at the top level of the file. */
struct section {
    const char *name;
    const char *help;
    const struct field *fields;
    size_t field_count;
    size_t object_size;
    /* Checks across keys; what an earlier report left unread is zero. May be NULL. */
    void (*check)(struct loader *loader, const struct yaml_node *node, void *object);
};

/* C type of the member in brackets. */
extern const struct field_type field_text;     /* (struct str) */
extern const struct field_type field_name;     /* (struct str) letters, digits and ._- */
extern const struct field_type field_unsigned; /* (unsigned) min to max */
extern const struct field_type field_bool;     /* (bool) */
extern const struct field_type field_choice;   /* (unsigned or an enum) */
extern const struct field_type field_flags;    /* (unsigned) list of words, their values or-ed */
extern const struct field_type field_secret;   /* (struct str) text, or {file: PATH} */
extern const struct field_type field_file;     /* (struct str) a file that has to be readable */

/* Reports `fmt` at `mark`. */
void loader_report(struct loader *loader, struct mark mark, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* What messages call a field. */
const char *loader_term(const struct loader *loader);

/* Whether field_unsigned read `value` from `node`, rather than refused it. */
bool loader_was_read(const struct yaml_node *node, unsigned value);

/* A copy in the configuration's arena; marks the load as out of memory when there is none. */
struct str loader_copy(struct loader *loader, struct str text);

/* Whether `node` is a scalar of 1 to FIELD_TEXT_MAX bytes without control characters; reports it otherwise.
 */
bool loader_check_text(struct loader *loader, const struct field *field, const struct yaml_node *node);

/* Whether a header field can carry it. */
bool loader_is_header_safe(struct str text);

/* "unknown <what> 'word'", with a suggestion. */
void loader_report_unknown(struct loader *loader, struct mark mark, const char *what, struct str word,
                           struct str suggestion);

/* Reads one mapping into the zeroed `object`. */
void section_read(struct loader *loader, const struct section *section, const struct yaml_node *node,
                  void *object);

/* Reads the list `node` (NULL or null: an empty one) into an array of section->object_size objects, one for
 * each item of the list, the bad ones included. */
void *section_read_list(struct loader *loader, const struct section *section, const struct yaml_node *node,
                        size_t *ret_count);

/* Reports names that two items of `list` share; it was read by section_read_list. */
void section_check_names(struct loader *loader, const struct section *section, const struct yaml_node *list);
