/* SPDX-License-Identifier: Apache-2.0 */
/* A YAML file as a small tree with places. libyaml does the syntax; this adds bounds, duplicate keys, one
 * document, aliases that are counted as if written out, and environment variables in values (expand.h).
 *
 * Pure but for the config_env. Merge keys and tags are not supported: tags are refused, "<<" is a key as any.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "conf/diagnostics.h"
#include "conf/env.h"

#define YAML_FILE_MAX ((size_t)16 << 20)   /* bytes */
#define YAML_VALUES_MAX ((size_t)32 << 20) /* bytes of all values after expansion */
#define YAML_NODES_MAX ((size_t)200000)    /* aliases count as what they stand for */
#define YAML_DEPTH_MAX 32
#define YAML_KEYS_MAX 1000 /* of one mapping */
#define YAML_ANCHORS_MAX 1000

enum yaml_kind { YAML_KIND_SCALAR, YAML_KIND_SEQUENCE, YAML_KIND_MAPPING };

/* Lives as long as its document. */
struct yaml_node {
    enum yaml_kind kind;
    bool is_quoted; /* a scalar in quotes or block style: never null */
    bool is_broken; /* its error is reported already; the text means nothing */
    struct mark mark;
    struct str text;    /* scalar: expanded; NUL-terminated */
    struct str written; /* scalar: as in the file, for messages: it shows no variable's value */
    struct str key;     /* inside of a mapping */
    struct mark key_mark;
    struct yaml_node *first, *next; /* children; the next child of the same parent */
    size_t size;                    /* nodes of the tree below and with this one */
    unsigned height;                /* levels below */
    struct yaml_node *older;        /* every node of the document, for yaml_fini */
};

struct yaml_document {
    struct arena arena;
    struct yaml_node *root; /* of an empty file: a null */
    struct yaml_node *newest;
};

/* Reports what is wrong to `io_diagnostics`. ERR_INVALID: no tree. Errors that leave a tree (an unset
 * variable, a duplicate key) are reported and return ERR_OK, so that the caller can look for more. */
MUST_USE enum err yaml_load(struct str text, const struct config_env *env, struct diagnostics *io_diagnostics,
                            struct yaml_document *ret_document);

/* Wipes the values, they may be keys, and frees everything. */
void yaml_fini(struct yaml_document *document);

/* The value of `key`, NULL when there is none. `node` is a mapping. */
const struct yaml_node *yaml_get(const struct yaml_node *node, struct str key);

/* Nothing after the colon, "~" or "null". */
bool yaml_is_null(const struct yaml_node *node);
