-- SPDX-License-Identifier: Apache-2.0
-- The tables of the administration (docs/sql.md). One name for one thing: columns are those that MindBalancer's
-- users know. `source` says where a row comes from: 'sql', or 'file' and 'discovered', which cannot be edited here.
CREATE TABLE ai_servers ( -- Servers that requests may go to.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name VARCHAR(64) NOT NULL UNIQUE,
    provider_type VARCHAR(32) NOT NULL DEFAULT 'openai', -- a provider of configuration.md
    endpoint VARCHAR(2048) NOT NULL DEFAULT '', -- URL; empty: the provider's own
    api_key_encrypted TEXT NOT NULL DEFAULT '', -- written in clear or sealed, kept sealed: 'enc:' and base64
    hostgroup INTEGER NOT NULL DEFAULT 0,
    weight INTEGER NOT NULL DEFAULT 1, -- 1 to 1000
    max_connections INTEGER NOT NULL DEFAULT 100, -- requests at a time; 0 is no limit
    status VARCHAR(16) NOT NULL DEFAULT 'ONLINE', -- ONLINE, OFFLINE, SHUNNED or DRAINING
    models TEXT NOT NULL DEFAULT '', -- names and globs with commas between; empty: the server is asked
    tls_verify BOOLEAN NOT NULL DEFAULT 1,
    tls_ca_file TEXT NOT NULL DEFAULT '',
    comment TEXT NOT NULL DEFAULT '',
    source VARCHAR(16) NOT NULL DEFAULT 'sql', -- where the row comes from: 'sql', 'file' or 'discovered'
    created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE ai_hostgroups ( -- Groups of servers. A hostgroup that has servers and no row here uses the default strategy.
    hostgroup_id INTEGER PRIMARY KEY,
    name VARCHAR(64) NOT NULL DEFAULT '',
    strategy VARCHAR(32) NOT NULL DEFAULT '', -- empty: load_balancing_algorithm
    comment TEXT NOT NULL DEFAULT '',
    source VARCHAR(16) NOT NULL DEFAULT 'sql',
    created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE ai_routing_rules ( -- Which requests go to which hostgroup; the first rule that fits counts.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    rule_id INTEGER UNIQUE, -- left out: as id
    active BOOLEAN NOT NULL DEFAULT 1,
    match_model TEXT,   -- glob, or 'regex:' and an expression
    match_pattern TEXT, -- expression, searched for in the user's last text
    match_user TEXT,    -- glob, or 'regex:' and an expression
    destination_hostgroup INTEGER NOT NULL DEFAULT 0,
    mirror_hostgroup INTEGER, -- refused unless NULL: mirroring is not built yet
    rewrite_model TEXT,
    priority INTEGER NOT NULL DEFAULT 100,
    comment TEXT NOT NULL DEFAULT '',
    source VARCHAR(16) NOT NULL DEFAULT 'sql',
    created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE ai_users ( -- Users of the gateway: who may send requests, where to, and how many.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    username VARCHAR(64) NOT NULL UNIQUE,
    password_hash TEXT NOT NULL DEFAULT '', -- a password in clear is hashed before it is stored
    active BOOLEAN NOT NULL DEFAULT 1,
    default_hostgroup INTEGER NOT NULL DEFAULT 0, -- where requests go that no rule matches; 0: by model
    max_requests_per_minute INTEGER NOT NULL DEFAULT 1000, -- 0 is no limit
    max_tokens_per_minute INTEGER NOT NULL DEFAULT 100000, -- 0 is no limit
    comment TEXT NOT NULL DEFAULT '',
    source VARCHAR(16) NOT NULL DEFAULT 'sql' CHECK (source = 'sql'),
    created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE ai_api_keys ( -- Keys by which clients of the gateway say who they are.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name VARCHAR(64) NOT NULL UNIQUE,
    username VARCHAR(64) NOT NULL REFERENCES ai_users (username) ON UPDATE CASCADE ON DELETE CASCADE,
    api_key TEXT NOT NULL DEFAULT '',  -- write-only: kept as a digest and a mask
    key_mask VARCHAR(32) NOT NULL DEFAULT '',
    key_digest TEXT NOT NULL DEFAULT '', -- HMAC-SHA-256, hexadecimal
    active BOOLEAN NOT NULL DEFAULT 1,
    comment TEXT NOT NULL DEFAULT '',
    source VARCHAR(16) NOT NULL DEFAULT 'sql' CHECK (source = 'sql'),
    created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE UNIQUE INDEX ai_api_keys_digest ON ai_api_keys (key_digest) WHERE key_digest <> '';

CREATE TABLE ai_models ( -- Prices that stand above the built-in table, in USD per million tokens.
    model VARCHAR(128) NOT NULL, -- exact name or prefix; the longest that fits counts
    input_price DOUBLE NOT NULL DEFAULT 0,
    output_price DOUBLE NOT NULL DEFAULT 0,
    cache_read_price DOUBLE, -- NULL: as input_price
    cache_write_price DOUBLE, -- NULL: as input_price
    valid_from DATE NOT NULL DEFAULT '1970-01-01',
    comment TEXT NOT NULL DEFAULT '',
    source VARCHAR(16) NOT NULL DEFAULT 'sql' CHECK (source = 'sql'),
    PRIMARY KEY (model, valid_from)
);

CREATE TABLE ai_model_aliases ( -- Other names of models.
    alias VARCHAR(128) PRIMARY KEY, -- the model that clients name
    model VARCHAR(128) NOT NULL,    -- the model that is meant
    comment TEXT NOT NULL DEFAULT '',
    source VARCHAR(16) NOT NULL DEFAULT 'sql' CHECK (source = 'sql')
);

CREATE TABLE global_variables ( -- The settings, those that only show the file included.
    variable_name VARCHAR(64) PRIMARY KEY,
    variable_value TEXT NOT NULL,
    source VARCHAR(16) NOT NULL DEFAULT 'sql' -- 'default', 'file', or 'sql': set at run time, which goes first
);

CREATE TABLE usage_ledger ( -- What was used, by hour, user, server and model.
    hour DATETIME NOT NULL, -- start, UTC
    username VARCHAR(64) NOT NULL,
    server VARCHAR(64) NOT NULL,
    model VARCHAR(128) NOT NULL,
    requests INTEGER NOT NULL DEFAULT 0,
    errors INTEGER NOT NULL DEFAULT 0,
    cache_hits INTEGER NOT NULL DEFAULT 0,
    input_tokens INTEGER NOT NULL DEFAULT 0, -- fresh ones only: the five columns add up to the provider's totals
    cache_read_tokens INTEGER NOT NULL DEFAULT 0,
    cache_write_tokens INTEGER NOT NULL DEFAULT 0,
    output_tokens INTEGER NOT NULL DEFAULT 0, -- without reasoning
    reasoning_tokens INTEGER NOT NULL DEFAULT 0,
    cost_nano_usd INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (hour, username, server, model)
) WITHOUT ROWID;

CREATE TABLE journal_positions ( -- How far the ledger has read each file of the journal.
    segment TEXT PRIMARY KEY,
    position INTEGER NOT NULL
) WITHOUT ROWID;

-- Rows of the file or found at the start are a mirror; changing them here would be undone by the next reload.
CREATE TRIGGER ai_servers_file_update BEFORE UPDATE ON ai_servers WHEN OLD.source <> 'sql' AND NOT is_mirroring()
BEGIN SELECT RAISE(ABORT, 'this row of ai_servers comes from the configuration file: change it there and reload'); END;
CREATE TRIGGER ai_servers_file_delete BEFORE DELETE ON ai_servers WHEN OLD.source <> 'sql' AND NOT is_mirroring()
BEGIN SELECT RAISE(ABORT, 'this row of ai_servers comes from the configuration file: remove it there and reload'); END;
CREATE TRIGGER ai_hostgroups_file_update BEFORE UPDATE ON ai_hostgroups WHEN OLD.source <> 'sql' AND NOT is_mirroring()
BEGIN SELECT RAISE(ABORT, 'this row of ai_hostgroups comes from the configuration file: change it there and reload'); END;
CREATE TRIGGER ai_hostgroups_file_delete BEFORE DELETE ON ai_hostgroups WHEN OLD.source <> 'sql' AND NOT is_mirroring()
BEGIN SELECT RAISE(ABORT, 'this row of ai_hostgroups comes from the configuration file: remove it there and reload'); END;
CREATE TRIGGER ai_routing_rules_file_update BEFORE UPDATE ON ai_routing_rules WHEN OLD.source <> 'sql' AND NOT is_mirroring()
BEGIN SELECT RAISE(ABORT, 'this row of ai_routing_rules comes from the configuration file: change it there and reload'); END;
CREATE TRIGGER ai_routing_rules_file_delete BEFORE DELETE ON ai_routing_rules WHEN OLD.source <> 'sql' AND NOT is_mirroring()
BEGIN SELECT RAISE(ABORT, 'this row of ai_routing_rules comes from the configuration file: remove it there and reload'); END;
CREATE TRIGGER ai_routing_rules_id AFTER INSERT ON ai_routing_rules WHEN NEW.rule_id IS NULL
BEGIN UPDATE ai_routing_rules SET rule_id = NEW.id WHERE id = NEW.id; END;

-- Where a row comes from is not for SQL to say: rows that are no mirror would be passed over.
CREATE TRIGGER ai_servers_source_insert BEFORE INSERT ON ai_servers WHEN NEW.source <> 'sql' AND NOT is_mirroring()
BEGIN SELECT RAISE(ABORT, 'column source of ai_servers is written by Fairlead: leave it out'); END;
CREATE TRIGGER ai_servers_source_update BEFORE UPDATE OF source ON ai_servers WHEN NEW.source <> 'sql' AND NOT is_mirroring()
BEGIN SELECT RAISE(ABORT, 'column source of ai_servers is written by Fairlead: leave it out'); END;
CREATE TRIGGER ai_hostgroups_source_insert BEFORE INSERT ON ai_hostgroups WHEN NEW.source <> 'sql' AND NOT is_mirroring()
BEGIN SELECT RAISE(ABORT, 'column source of ai_hostgroups is written by Fairlead: leave it out'); END;
CREATE TRIGGER ai_hostgroups_source_update BEFORE UPDATE OF source ON ai_hostgroups WHEN NEW.source <> 'sql' AND NOT is_mirroring()
BEGIN SELECT RAISE(ABORT, 'column source of ai_hostgroups is written by Fairlead: leave it out'); END;
CREATE TRIGGER ai_routing_rules_source_insert BEFORE INSERT ON ai_routing_rules WHEN NEW.source <> 'sql' AND NOT is_mirroring()
BEGIN SELECT RAISE(ABORT, 'column source of ai_routing_rules is written by Fairlead: leave it out'); END;
CREATE TRIGGER ai_routing_rules_source_update BEFORE UPDATE OF source ON ai_routing_rules WHEN NEW.source <> 'sql' AND NOT is_mirroring()
BEGIN SELECT RAISE(ABORT, 'column source of ai_routing_rules is written by Fairlead: leave it out'); END;

-- Secrets come in clear and are sealed before COMMIT: whose table is to be wiped of them then.
CREATE TRIGGER ai_servers_clear_insert AFTER INSERT ON ai_servers WHEN NEW.api_key_encrypted <> '' AND NEW.api_key_encrypted NOT GLOB 'enc:*'
BEGIN SELECT wrote_clear_text('ai_servers'); END;
CREATE TRIGGER ai_servers_clear_update AFTER UPDATE OF api_key_encrypted ON ai_servers WHEN NEW.api_key_encrypted <> '' AND NEW.api_key_encrypted NOT GLOB 'enc:*'
BEGIN SELECT wrote_clear_text('ai_servers'); END;
CREATE TRIGGER ai_users_clear_insert AFTER INSERT ON ai_users WHEN NEW.password_hash <> ''
BEGIN SELECT wrote_clear_text('ai_users'); END;
CREATE TRIGGER ai_users_clear_update AFTER UPDATE OF password_hash ON ai_users WHEN NEW.password_hash <> ''
BEGIN SELECT wrote_clear_text('ai_users'); END;
CREATE TRIGGER ai_api_keys_clear_insert AFTER INSERT ON ai_api_keys WHEN NEW.api_key <> ''
BEGIN SELECT wrote_clear_text('ai_api_keys'); END;
CREATE TRIGGER ai_api_keys_clear_update AFTER UPDATE OF api_key ON ai_api_keys WHEN NEW.api_key <> ''
BEGIN SELECT wrote_clear_text('ai_api_keys'); END;
CREATE TRIGGER global_variables_clear_insert AFTER INSERT ON global_variables WHEN NOT is_mirroring()
BEGIN SELECT wrote_clear_text('global_variables'); END;
CREATE TRIGGER global_variables_clear_update AFTER UPDATE OF variable_value ON global_variables WHEN NOT is_mirroring()
BEGIN SELECT wrote_clear_text('global_variables'); END;

CREATE TRIGGER ai_servers_touch AFTER UPDATE ON ai_servers WHEN NEW.updated_at IS OLD.updated_at
BEGIN UPDATE ai_servers SET updated_at = CURRENT_TIMESTAMP WHERE id = NEW.id; END;
CREATE TRIGGER ai_hostgroups_touch AFTER UPDATE ON ai_hostgroups WHEN NEW.updated_at IS OLD.updated_at
BEGIN UPDATE ai_hostgroups SET updated_at = CURRENT_TIMESTAMP WHERE hostgroup_id = NEW.hostgroup_id; END;
CREATE TRIGGER ai_routing_rules_touch AFTER UPDATE ON ai_routing_rules WHEN NEW.updated_at IS OLD.updated_at
BEGIN UPDATE ai_routing_rules SET updated_at = CURRENT_TIMESTAMP WHERE id = NEW.id; END;
CREATE TRIGGER ai_users_touch AFTER UPDATE ON ai_users WHEN NEW.updated_at IS OLD.updated_at
BEGIN UPDATE ai_users SET updated_at = CURRENT_TIMESTAMP WHERE id = NEW.id; END;
CREATE TRIGGER ai_api_keys_touch AFTER UPDATE ON ai_api_keys WHEN NEW.updated_at IS OLD.updated_at
BEGIN UPDATE ai_api_keys SET updated_at = CURRENT_TIMESTAMP WHERE id = NEW.id; END;
