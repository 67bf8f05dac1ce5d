-- One text for SQLite and PostgreSQL. Identities are ULIDs as TEXT, times are milliseconds since 1970, truth is 0 or 1, enumerations
-- stand in a CHECK. `COLLATE BINARY` becomes PostgreSQL's `COLLATE "C"`: paths are searched by ranges in byte order. A line that
-- begins with `--sqlite:` or `--postgres:` counts there alone. SQLite keeps each table in the order of its key.

CREATE TABLE cam_user (
    id            TEXT COLLATE BINARY NOT NULL PRIMARY KEY,
    gid           TEXT NOT NULL,
    gid_norm      TEXT COLLATE BINARY NOT NULL UNIQUE,
    alias         TEXT NOT NULL,
    alias_norm    TEXT COLLATE BINARY NOT NULL,
    email         TEXT NOT NULL DEFAULT '',
    description   TEXT NOT NULL DEFAULT '',
    home_node_id  TEXT COLLATE BINARY NOT NULL,
    status        TEXT NOT NULL CHECK (status IN ('active', 'disabled')),
    created_by    TEXT COLLATE BINARY,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    deleted_at    BIGINT,
    version       BIGINT NOT NULL DEFAULT 1
--sqlite: , FOREIGN KEY (home_node_id) REFERENCES node (id) DEFERRABLE INITIALLY DEFERRED
);
CREATE UNIQUE INDEX cam_user_alias ON cam_user (alias_norm) WHERE deleted_at IS NULL;
CREATE INDEX cam_user_home ON cam_user (home_node_id, alias_norm);

-- The path of a node is its parent's and its own identity, and it names the parent's path: so a node cannot hang below itself, for its path
-- would have to be longer than itself. The keeper is one of its owners: so a node cannot be without one.
CREATE TABLE node (
    id            TEXT COLLATE BINARY NOT NULL PRIMARY KEY,
    kind          TEXT NOT NULL CHECK (kind IN ('management', 'account')),
    is_root       BIGINT NOT NULL CHECK (is_root IN (0, 1)),
    parent_id     TEXT COLLATE BINARY,
    parent_kind   TEXT CHECK (parent_kind = 'management'),
    parent_path   TEXT COLLATE BINARY,
    path          TEXT COLLATE BINARY NOT NULL UNIQUE,
    depth         BIGINT NOT NULL CHECK (depth BETWEEN 1 AND 16),
    name          TEXT NOT NULL,
    name_norm     TEXT COLLATE BINARY NOT NULL,
    description   TEXT NOT NULL DEFAULT '',
    partition_key TEXT CHECK (partition_key IN ('alibaba', 'alibaba-intl', 'aws', 'aws-cn', 'aws-us-gov')),
    account_uid   TEXT COLLATE BINARY,
    vend_method   TEXT NOT NULL DEFAULT 'saml' CHECK (vend_method IN ('saml', 'hub_role', 'ram_user', 'none')),
    saml_provider TEXT,
    max_session_s BIGINT CHECK (max_session_s BETWEEN 900 AND 43200),
    client_exchange BIGINT NOT NULL DEFAULT 0 CHECK (client_exchange IN (0, 1)),
    keeper_id     TEXT COLLATE BINARY,
    state         TEXT NOT NULL CHECK (state IN ('active', 'suspended', 'destroyed')),
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    version       BIGINT NOT NULL DEFAULT 1,
    UNIQUE (id, kind),
    UNIQUE (id, kind, path),
    CHECK ((is_root = 1) = (parent_id IS NULL)),
    CHECK ((parent_id IS NULL) = (parent_kind IS NULL) AND (parent_id IS NULL) = (parent_path IS NULL)),
    CHECK (path = COALESCE(parent_path, '/') || id || '/'),
    CHECK (is_root = 0 OR (kind = 'management' AND depth = 1)),
    CHECK (kind = 'management' OR account_uid IS NOT NULL),
    CHECK (kind = 'account' OR is_root = 1 OR account_uid IS NULL),
    CHECK ((account_uid IS NULL) = (partition_key IS NULL)),
    CHECK ((state = 'destroyed') = (keeper_id IS NULL)),
    FOREIGN KEY (parent_id, parent_kind, parent_path) REFERENCES node (id, kind, path) DEFERRABLE INITIALLY DEFERRED
--sqlite: , FOREIGN KEY (id, keeper_id) REFERENCES node_owner (node_id, user_id) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX node_below ON node (parent_id, parent_kind, parent_path);
CREATE INDEX node_suspended ON node (path) WHERE state = 'suspended';
CREATE UNIQUE INDEX node_root ON node (is_root) WHERE is_root = 1;
CREATE UNIQUE INDEX node_sibling ON node (parent_id, name_norm) WHERE state <> 'destroyed';
CREATE UNIQUE INDEX node_account ON node (partition_key, account_uid) WHERE kind = 'account' AND state <> 'destroyed';

CREATE TABLE node_owner (
    node_id       TEXT COLLATE BINARY NOT NULL REFERENCES node (id),
    user_id       TEXT COLLATE BINARY NOT NULL REFERENCES cam_user (id),
    granted_by    TEXT COLLATE BINARY,
    granted_at    BIGINT NOT NULL,
    PRIMARY KEY (node_id, user_id)
);
CREATE INDEX node_owner_user ON node_owner (user_id, node_id);
--postgres: ALTER TABLE node ADD FOREIGN KEY (id, keeper_id) REFERENCES node_owner (node_id, user_id) DEFERRABLE INITIALLY DEFERRED;
--postgres: ALTER TABLE cam_user ADD FOREIGN KEY (home_node_id) REFERENCES node (id) DEFERRABLE INITIALLY DEFERRED;

CREATE TABLE preset_role (
    role_key      TEXT COLLATE BINARY NOT NULL PRIMARY KEY,
    scope         TEXT NOT NULL CHECK (scope IN ('enterprise', 'account')),
    title_zh      TEXT NOT NULL,
    title_en      TEXT NOT NULL,
    plane         TEXT NOT NULL CHECK (plane IN ('cloud', 'cam', 'both')),
    cam_power     TEXT CHECK (cam_power IN ('enterprise', 'account')),
    risk          TEXT NOT NULL CHECK (risk IN ('normal', 'high'))
);

CREATE TABLE cloud_role (
    id            TEXT COLLATE BINARY NOT NULL PRIMARY KEY,
    node_id       TEXT COLLATE BINARY NOT NULL,
    node_kind     TEXT NOT NULL DEFAULT 'account' CHECK (node_kind = 'account'),
    class         TEXT NOT NULL CHECK (class IN ('system', 'custom')),
    name          TEXT COLLATE BINARY NOT NULL,
    arn           TEXT COLLATE BINARY,
    plane         TEXT NOT NULL CHECK (plane IN ('cloud', 'cam', 'both')),
    preset_key    TEXT COLLATE BINARY REFERENCES preset_role (role_key),
    cam_power     TEXT CHECK (cam_power IN ('enterprise', 'account')),
    max_session_s BIGINT CHECK (max_session_s BETWEEN 900 AND 43200),
    vend_method   TEXT CHECK (vend_method IN ('saml', 'hub_role', 'ram_user', 'none')),
    risk          TEXT NOT NULL DEFAULT 'normal' CHECK (risk IN ('normal', 'high')),
    state         TEXT NOT NULL CHECK (state IN ('active', 'suspended', 'deleted')),
    verified_at   BIGINT,
    verify_result TEXT,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    version       BIGINT NOT NULL DEFAULT 1,
    CHECK (plane = 'cam' OR arn IS NOT NULL),
    CHECK (class = 'system' OR (preset_key IS NULL AND cam_power IS NULL)),
    CHECK (cam_power IS NULL OR preset_key IS NOT NULL),
    FOREIGN KEY (node_id, node_kind) REFERENCES node (id, kind)
);
CREATE UNIQUE INDEX cloud_role_name ON cloud_role (node_id, name) WHERE state <> 'deleted';
CREATE UNIQUE INDEX cloud_role_arn ON cloud_role (arn) WHERE state <> 'deleted';
CREATE INDEX cloud_role_class ON cloud_role (node_id, class, name);

CREATE TABLE user_group (
    id            TEXT COLLATE BINARY NOT NULL PRIMARY KEY,
    node_id       TEXT COLLATE BINARY NOT NULL REFERENCES node (id),
    class         TEXT NOT NULL CHECK (class IN ('role', 'horizontal')),
    role_id       TEXT COLLATE BINARY UNIQUE REFERENCES cloud_role (id),
    name          TEXT NOT NULL,
    name_norm     TEXT COLLATE BINARY NOT NULL,
    created_at    BIGINT NOT NULL,
    version       BIGINT NOT NULL DEFAULT 1,
    CHECK ((class = 'role') = (role_id IS NOT NULL))
);
CREATE UNIQUE INDEX user_group_name ON user_group (node_id, name_norm) WHERE class = 'horizontal';

CREATE TABLE group_member (
    group_id      TEXT COLLATE BINARY NOT NULL REFERENCES user_group (id),
    user_id       TEXT COLLATE BINARY NOT NULL REFERENCES cam_user (id),
    source        TEXT NOT NULL CHECK (source IN ('manual', 'idp', 'scim', 'request')),
    granted_by    TEXT COLLATE BINARY,
    granted_at    BIGINT NOT NULL,
    expires_at    BIGINT,
    reason        TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (group_id, user_id, source)
);
-- With the end in it, because everything that somebody may do is asked here, and the rows themselves are scattered over the table.
CREATE INDEX group_member_user ON group_member (user_id, group_id, expires_at);
CREATE INDEX group_member_end ON group_member (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE horizontal_role (
    id            TEXT COLLATE BINARY NOT NULL PRIMARY KEY,
    node_id       TEXT COLLATE BINARY NOT NULL,
    node_kind     TEXT NOT NULL DEFAULT 'management' CHECK (node_kind = 'management'),
    name          TEXT NOT NULL,
    name_norm     TEXT COLLATE BINARY NOT NULL,
    matcher       TEXT CHECK (matcher IN ('prefix', 'exact', 'glob', 'regex')),
    pattern       TEXT,
    activation    TEXT NOT NULL CHECK (activation IN ('auto', 'confirm')),
    protected     BIGINT NOT NULL CHECK (protected IN (0, 1)),
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    version       BIGINT NOT NULL DEFAULT 1,
    UNIQUE (node_id, name_norm),
    CHECK ((matcher IS NULL) = (pattern IS NULL)),
    FOREIGN KEY (node_id, node_kind) REFERENCES node (id, kind)
);

CREATE TABLE horizontal_role_explicit (
    hrole_id      TEXT COLLATE BINARY NOT NULL REFERENCES horizontal_role (id),
    role_id       TEXT COLLATE BINARY NOT NULL REFERENCES cloud_role (id),
    added_by      TEXT COLLATE BINARY,
    added_at      BIGINT NOT NULL,
    PRIMARY KEY (hrole_id, role_id)
);
CREATE INDEX horizontal_role_explicit_role ON horizontal_role_explicit (role_id);

CREATE TABLE horizontal_role_match (
    hrole_id      TEXT COLLATE BINARY NOT NULL REFERENCES horizontal_role (id),
    role_id       TEXT COLLATE BINARY NOT NULL REFERENCES cloud_role (id),
    via           TEXT NOT NULL CHECK (via IN ('pattern', 'explicit')),
    state         TEXT NOT NULL CHECK (state IN ('active', 'pending')),
    PRIMARY KEY (hrole_id, role_id, via)
);
CREATE INDEX horizontal_role_match_role ON horizontal_role_match (role_id, hrole_id, state);

CREATE TABLE horizontal_role_group (
    hrole_id      TEXT COLLATE BINARY NOT NULL REFERENCES horizontal_role (id),
    group_id      TEXT COLLATE BINARY NOT NULL REFERENCES user_group (id),
    PRIMARY KEY (hrole_id, group_id)
);
CREATE INDEX horizontal_role_group_group ON horizontal_role_group (group_id, hrole_id);

CREATE TABLE vend_record (
    id               TEXT COLLATE BINARY NOT NULL PRIMARY KEY,
    ts               BIGINT NOT NULL,
    user_id          TEXT COLLATE BINARY NOT NULL REFERENCES cam_user (id),
    gid              TEXT NOT NULL,
    role_id          TEXT COLLATE BINARY NOT NULL REFERENCES cloud_role (id),
    role_arn         TEXT NOT NULL,
    node_id          TEXT COLLATE BINARY NOT NULL REFERENCES node (id),
    method           TEXT NOT NULL CHECK (method IN ('saml', 'hub_role', 'ram_user')),
    channel          TEXT NOT NULL CHECK (channel IN ('console', 'web', 'cli', 'system')),
    lifetime_s       BIGINT NOT NULL CHECK (lifetime_s BETWEEN 900 AND 43200),
    session_name     TEXT NOT NULL,
    grant_via        TEXT NOT NULL,
    request_id       TEXT,
    source_ip        TEXT,
    outcome          TEXT NOT NULL CHECK (outcome IN ('pending', 'issued', 'refused', 'failed', 'unknown')),
    access_key_id    TEXT COLLATE BINARY,
    expires_at       BIGINT,
    cloud_request_id TEXT,
    error_code       TEXT
);
CREATE INDEX vend_record_user ON vend_record (user_id, ts);
CREATE INDEX vend_record_node ON vend_record (node_id, ts);
CREATE INDEX vend_record_role ON vend_record (role_id, ts);
CREATE INDEX vend_record_key ON vend_record (access_key_id) WHERE access_key_id IS NOT NULL;
CREATE INDEX vend_record_pending ON vend_record (ts) WHERE outcome = 'pending';

-- Where each chain ends. A row of a chain and its end are written in one transaction.
CREATE TABLE audit_chain (
    chain         TEXT COLLATE BINARY NOT NULL PRIMARY KEY,
    seq           BIGINT NOT NULL,
    hash          TEXT NOT NULL
);

CREATE TABLE audit_event (
    chain         TEXT COLLATE BINARY NOT NULL REFERENCES audit_chain (chain),
    seq           BIGINT NOT NULL CHECK (seq > 0),
    ts            BIGINT NOT NULL,
    kind          TEXT COLLATE BINARY NOT NULL,
    actor_gid     TEXT COLLATE BINARY,
    actor_user_id TEXT COLLATE BINARY,
    auth_kind     TEXT NOT NULL,
    source_ip     TEXT,
    params        TEXT NOT NULL,
    target_kind   TEXT,
    target_id     TEXT,
    node_path     TEXT COLLATE BINARY,
    outcome       TEXT NOT NULL CHECK (outcome IN ('done', 'refused', 'failed')),
    request_id    TEXT,
    prev_hash     TEXT NOT NULL,
    hash          TEXT NOT NULL,
    PRIMARY KEY (chain, seq)
);
CREATE INDEX audit_event_time ON audit_event (ts, chain, seq);
CREATE INDEX audit_event_actor ON audit_event (actor_gid, ts, chain, seq);
CREATE INDEX audit_event_kind ON audit_event (kind, ts, chain, seq);
CREATE INDEX audit_event_place ON audit_event (node_path, ts, chain, seq);
