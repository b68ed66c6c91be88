/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration as plain values: what a file says, checked and with defaults filled in. Immutable after
 * config_load; all memory is in its arena, or in that of the configuration it was derived from (conf/rows.h). Shared by
 * reference. Nothing here opens, connects or starts anything. */
#pragma once

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"

#include <stdatomic.h>

#define HOSTGROUP_MAX 65535
#define SERVER_WEIGHT_MAX 1000

enum access_log_format { ACCESS_LOG_JSON, ACCESS_LOG_TEXT };
enum trust { TRUST_NEVER, TRUST_LOOPBACK, TRUST_ALWAYS };

enum strategy {
    STRATEGY_WEIGHTED_ROUND_ROBIN,
    STRATEGY_LEAST_CONNECTIONS,
    STRATEGY_LATENCY,
    STRATEGY_RANDOM,
    STRATEGY_COUNT_,
    STRATEGY_LATENCY_BASED = STRATEGY_COUNT_, /* in settings only: another word for latency */
    STRATEGY_DEFAULT,                         /* of a hostgroup: load_balancing_algorithm */
};

enum server_status { SERVER_ONLINE, SERVER_OFFLINE, SERVER_SHUNNED, SERVER_DRAINING, SERVER_STATUS_COUNT_ };

/* AUTH_OPTIONAL: a key need not be presented, but one that is has to be good. */
enum listener_auth { AUTH_NONE, AUTH_OPTIONAL, AUTH_KEYS, AUTH_MASTER, AUTH_COUNT_ };

/* Bits of listener_config.serves. */
enum serves { SERVES_INFERENCE = 1, SERVES_ADMIN = 2, SERVES_METRICS = 4, SERVES_SQL = 8 };

struct listener_config {
    struct str name;
    struct str host; /* numeric address, brackets of IPv6 removed */
    uint16_t port;   /* 0: any free one (tests), printed in the banner */
    unsigned serves;
    enum listener_auth auth;
    struct str master_key;                  /* AUTH_MASTER */
    struct str tls_cert_file, tls_key_file; /* both or neither */
};

struct hostgroup_config {
    unsigned id;
    struct str name;
    enum strategy strategy; /* ask hostgroup_strategy */
    bool is_implied;        /* nobody declares it: a server names it */
};

/* A row of providers.def: what a provider's name implies. */
struct provider {
    struct str name;
    struct str default_endpoint; /* may be empty: then a server has to say its own */
    struct str key_variable;     /* environment variable of its API key; empty for local engines */
    struct str base_path;        /* path of the OpenAI dialect, "/v1" or "/openai/v1" */
    struct str health_path;      /* free probe, from the root of the endpoint's host; empty: the model list */
    uint16_t local_port;         /* usual loopback port of a local engine; 0 for services */
};

/* An endpoint taken apart. "http://h:1/v1", "http://h:1/v1/" and "http://h:1" mean the same: base_path has
 * the version segment exactly once. */
struct endpoint {
    bool tls;
    struct str host; /* name or numeric address without brackets */
    uint16_t port;
    struct str authority; /* for the Host field: host[:port] as it must be sent, brackets included */
    struct str prefix;    /* path before the provider's base path; usually empty */
    struct str base_path; /* prefix + base path, no slash at the end: "/v1" */
};

struct server_config {
    struct str name;
    const struct provider *provider;
    struct str endpoint_text; /* as written, without credentials: for banners and tables */
    struct endpoint endpoint;
    struct str api_key; /* empty: none. Secret: never logged, never in an answer */
    unsigned hostgroup;
    unsigned weight;         /* 1..SERVER_WEIGHT_MAX */
    unsigned max_concurrent; /* 0: no limit */
    enum server_status status;
    struct str *models; /* names and globs; none: asked from the server */
    size_t model_count;
    bool tls_verify;
    struct str tls_ca_file; /* empty: the system's */
};

enum match_kind { MATCH_ANY, MATCH_GLOB, MATCH_REGEX };

/* "" or absent: any; "regex:..." the expression, which has to match the whole text; everything else a glob.
 */
struct match_config {
    enum match_kind kind;
    struct str pattern;
};

struct rule_config {
    unsigned priority; /* lower is tried first; equal ones in file order */
    struct match_config model, user;
    /* match_pattern: searched in the last user text; a regular expression without prefix too. */
    struct match_config text;
    unsigned hostgroup;
    struct str rewrite_model; /* empty: as the client wrote it */
    struct str comment;
};

/* A client that is known by name; limits of 0 are none. */
struct user_config {
    struct str name;
    bool is_active;
    unsigned default_hostgroup; /* where requests go that no rule matches; 0: by model */
    uint64_t requests_per_minute, tokens_per_minute;
};

#define API_KEY_DIGEST_SIZE 32

/* A client's key as it is kept: HMAC-SHA-256 (store/seal.h). */
struct api_key_config {
    struct str name;
    size_t user; /* index in config->users */
    bool is_active;
    uint8_t digest[API_KEY_DIGEST_SIZE];
};

/* Nano-dollars per token, which is the same number as dollars per thousand million; whole, so that sums are exact.
 * `model` is a name or the beginning of one; the longest that fits counts. */
struct price_config {
    struct str model;
    uint64_t input, cache_read, cache_write, output;
    unsigned valid_from; /* days since 1970-01-01, UTC */
};

/* A name that clients use for a model. */
struct alias_config {
    struct str alias, model;
};

/* One field per row of settings.def, of the row's name. Fields whose name ends in _ms hold milliseconds as
 * written by the operator; code that waits converts with setting_usec(). */
struct settings {
#define SETTING_U64(name) uint64_t name;
#define SETTING_DOUBLE(name) double name;
#define SETTING_BOOL(name) bool name;
#define SETTING_ENUM(name) unsigned name;
#define SETTING_TEXT(name) struct str name;
#define SETTING_SECRET(name) struct str name;
#define SETTING(name, kind, ...) SETTING_##kind(name)
#include "conf/settings.def"
#undef SETTING_U64
#undef SETTING_DOUBLE
#undef SETTING_BOOL
#undef SETTING_ENUM
#undef SETTING_TEXT
#undef SETTING_SECRET
};

struct config {
    atomic_uint references;
    struct config *base; /* what it was derived from, whose texts it shares; a reference, or NULL */
    struct arena arena;
    struct str path; /* file it came from; empty without one */
    struct str data_dir;
    struct settings settings;
    struct listener_config *listeners;
    size_t listener_count;
    struct hostgroup_config *hostgroups; /* ascending id; groups that only servers name are added */
    size_t hostgroup_count;
    struct server_config *servers; /* in file order */
    size_t server_count;
    struct rule_config *rules; /* in the order they are tried */
    size_t rule_count;
    struct user_config *users;
    size_t user_count;
    struct api_key_config *api_keys;
    size_t api_key_count;
    struct price_config *prices; /* local ones, which stand above the built-in table */
    size_t price_count;
    struct alias_config *aliases;
    size_t alias_count;
};

/* What the hostgroup's own strategy, or else the setting, comes to. */
static inline enum strategy hostgroup_strategy(const struct config *config, const struct hostgroup_config *group)
{
    unsigned strategy = group->strategy;
    if (strategy == STRATEGY_DEFAULT)
        strategy = config->settings.load_balancing_algorithm;
    return strategy == STRATEGY_LATENCY_BASED ? STRATEGY_LATENCY : (enum strategy)strategy;
}

static inline usec_t setting_usec(uint64_t milliseconds)
{
    return milliseconds * USEC_PER_MSEC;
}
