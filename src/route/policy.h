/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration together with its compiled patterns. Immutable and shared: successive routing tables of the
 * same configuration (a server has told its models, a group of servers has changed) need not compile again.
 * Everything here is for any thread, without a lock. */
#pragma once

#include "route/identity.h"
#include "route/match.h"

#include <stdatomic.h>

struct rule {
    const struct rule_config *config;
    struct match model, user, text;
};

/* The `models` of a server's configuration. None of both: the server decides. */
struct server_models {
    struct str *names;
    size_t name_count;
    struct match *globs;
    size_t glob_count;
};

/* Lifetime: the last routing table that refers to it. */
struct policy {
    atomic_uint references;
    struct config *config; /* owned */
    struct arena arena;
    struct rule *rules; /* in the order they are tried */
    size_t rule_count;
    struct server_models *servers; /* as config->servers */
    bool needs_text;               /* some rule looks at the text of the request */
    struct identities identities;
    const struct alias_config **aliases; /* sorted by alias */
};

/* What rules look at. */
struct route_facts {
    struct str model; /* empty: the request has none */
    struct str user;
    struct str last_text; /* of the user; only looked at when policy->needs_text */
    unsigned default_hostgroup; /* of the user: tried first when no rule matches; 0: none */
};

/* Owns `config` once it succeeds. ERR_INVALID: `error` says which pattern is wrong and where. */
MUST_USE enum err policy_new(struct config *config, struct buf *error, struct policy **ret_policy);

struct policy *policy_ref(struct policy *policy);

/* The last one frees the configuration too. Harmless on NULL. */
void policy_unref(struct policy *policy);

/* The model that `name` stands for: itself unless it is an alias. */
struct str policy_real_model(const struct policy *policy, struct str name);

/* The first rule of which every criterion matches, or NULL. A rule that asks for a model does not match a
 * request without one. A pattern that reaches its limit does not match; scratch->limit_hits counts it. */
const struct rule *policy_find_rule(const struct policy *policy, const struct route_facts *facts,
                                    struct match_scratch *scratch);

/* Whether a server of these configured `models` without exact names for it would take `name`: one of its
 * globs does, or it has no list at all. */
bool server_models_allow(const struct server_models *models, struct str name);
