/* SPDX-License-Identifier: Apache-2.0 */
/* Any texts as rows of the store: what is accepted is sound, what is refused says why, and the base stays as it was.
 * A line is a row: a letter for its table, then cells with tabs between, each a letter for its column and the text. */
#include "conf/load.h"
#include "conf/rows.h"

#include <stdlib.h>

#define ROWS_MAX 64
#define CELLS_MAX 16

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

static const char *variable(void *context, const char *name)
{
    (void)context;
    return name[0] == 'O' ? "sk-key" : NULL;
}

static enum err read_file(void *context, struct str path, struct buf *out)
{
    (void)context;
    (void)path;
    (void)out;
    return ERR_NOT_FOUND;
}

static bool is_readable(void *context, struct str path)
{
    (void)context;
    return path.len % 3 != 0;
}

static const struct config_env env = {variable, read_file, is_readable, NULL, NULL};

static const char *const columns[][CELLS_MAX] = {
    {"name", "provider_type", "endpoint", "api_key_encrypted", "hostgroup", "weight", "max_connections",
     "status", "models", "tls_verify", "tls_ca_file"},
    {"hostgroup_id", "name", "strategy"},
    {"active", "match_model", "match_pattern", "match_user", "destination_hostgroup", "mirror_hostgroup",
     "rewrite_model", "priority", "comment"},
    {"username", "active", "default_hostgroup", "max_requests_per_minute", "max_tokens_per_minute"},
    {"name", "username", "key_digest", "active"},
    {"model", "input_price", "output_price", "cache_read_price", "cache_write_price", "valid_from"},
    {"alias", "model"},
    {"variable_name", "variable_value"},
};

struct script {
    struct cell cells[ARRAY_LEN(columns)][ROWS_MAX][CELLS_MAX];
    struct row rows[ARRAY_LEN(columns)][ROWS_MAX];
    size_t counts[ARRAY_LEN(columns)];
};

static void parse_row(struct script *script, char *line)
{
    char *at = line + 1;
    size_t table = (unsigned char)line[0] % ARRAY_LEN(columns);
    if (!line[0] || script->counts[table] == ROWS_MAX)
        return;
    size_t index = script->counts[table]++;
    struct row *row = &script->rows[table][index];
    *row = (struct row){.where = STR("row"), .cells = script->cells[table][index]};
    for (char *cell = strsep(&at, "\t"); cell && row->cell_count < CELLS_MAX; cell = strsep(&at, "\t")) {
        const char *column = columns[table][(unsigned char)cell[0] % CELLS_MAX];
        if (cell[0] && column)
            script->cells[table][index][row->cell_count++] =
                (struct cell){str_from(column), str_from(cell + 1)};
    }
}

static struct row_list list(const struct script *script, size_t table)
{
    return (struct row_list){script->rows[table], script->counts[table]};
}

static bool has_hostgroup(const struct config *config, unsigned id)
{
    for (size_t i = 0; i < config->hostgroup_count; i++)
        if (config->hostgroups[i].id == id)
            return true;
    return false;
}

static void check_config(const struct config *config)
{
    for (size_t i = 0; i < config->server_count; i++)
        CHECK(config->servers[i].provider && config->servers[i].endpoint.port > 0 &&
              config->servers[i].weight > 0 && has_hostgroup(config, config->servers[i].hostgroup));
    for (size_t i = 1; i < config->hostgroup_count; i++)
        CHECK(config->hostgroups[i - 1].id < config->hostgroups[i].id);
    for (size_t i = 0; i < config->rule_count; i++)
        CHECK(i == 0 || config->rules[i - 1].priority <= config->rules[i].priority);
    for (size_t i = 0; i < config->user_count; i++)
        CHECK(config->users[i].name.len > 0 && config->users[i].name.len <= 64);
    for (size_t i = 0; i < config->api_key_count; i++)
        CHECK(config->api_keys[i].user < config->user_count);
    for (size_t i = 0; i < config->price_count; i++)
        CHECK(config->prices[i].input <= 1000000000);
    for (size_t i = 0; i < config->alias_count; i++)
        for (size_t j = 0; j < config->alias_count; j++)
            CHECK(!str_eq(config->aliases[i].model, config->aliases[j].alias));
}

static struct config *make_base(void)
{
    struct config *base = NULL;
    struct diagnostics diagnostics;
    diagnostics_init(&diagnostics);
    CHECK(config_load(STR("servers: [{name: base, provider: openai, hostgroup: 2, api_key: sk-base}]\n"
                          "hostgroups: [{id: 1, name: one}]\nrules: [{hostgroup: 1}]\n"),
                      STR("f"), &env, &base, &diagnostics) == ERR_OK);
    diagnostics_fini(&diagnostics);
    return base;
}

static void derive(struct config *base, const struct script *script)
{
    struct config *config = NULL;
    struct diagnostics diagnostics;
    const struct config_rows rows = {
        .servers = list(script, 0),
        .hostgroups = list(script, 1),
        .rules = list(script, 2),
        .users = list(script, 3),
        .api_keys = list(script, 4),
        .prices = list(script, 5),
        .aliases = list(script, 6),
        .variables = list(script, 7),
    };
    diagnostics_init(&diagnostics);
    enum err err = config_from_rows(base, &rows, &env, &config, &diagnostics);
    CHECK((err == ERR_OK) == (diagnostics_total(&diagnostics) == 0) && (err == ERR_OK || err == ERR_INVALID));
    if (config)
        check_config(config);
    config_free(config);
    diagnostics_fini(&diagnostics);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct config *base;
    static struct script script;
    base = base ? base : make_base();
    char *text = malloc(size + 1), *at = text;
    CHECK(text);
    memcpy(text, data, size);
    text[size] = '\0';
    memset(script.counts, 0, sizeof(script.counts));
    for (char *line = strsep(&at, "\n"); line; line = strsep(&at, "\n"))
        parse_row(&script, line);
    derive(base, &script);
    CHECK(str_eq(base->servers[0].api_key, STR("sk-base")) && base->server_count == 1);
    free(text);
    return 0;
}
