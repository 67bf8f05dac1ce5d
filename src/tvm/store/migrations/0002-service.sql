-- What the service needs beside the rules: sign-ins, what was seen of the identity provider, tokens, keys, marks of the trail.
-- Of everything that lets somebody in there is a digest here (SHA-256, in hexadecimal), never the thing itself.

CREATE TABLE session (
    id_hash       TEXT COLLATE BINARY NOT NULL PRIMARY KEY,
    user_id       TEXT COLLATE BINARY NOT NULL REFERENCES cam_user (id),
    csrf_hash     TEXT NOT NULL,
    created_at    BIGINT NOT NULL,
    seen_at       BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    name_id       TEXT,
    session_index TEXT,
    authn_context TEXT,
    authn_at      BIGINT,
    source_ip     TEXT,
    user_agent    TEXT
);
CREATE INDEX session_of_user ON session (user_id);
CREATE INDEX session_end ON session (expires_at);
CREATE INDEX session_name ON session (name_id) WHERE name_id IS NOT NULL;

-- A request that was sent to the identity provider. Its browser is known by a cookie; where to go after is a path here.
CREATE TABLE saml_request (
    id            TEXT COLLATE BINARY NOT NULL PRIMARY KEY,
    browser_hash  TEXT NOT NULL,
    relay_state   TEXT COLLATE BINARY NOT NULL UNIQUE,
    return_to     TEXT NOT NULL,
    force_authn   BIGINT NOT NULL CHECK (force_authn IN (0, 1)),
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    consumed_at   BIGINT
);
CREATE INDEX saml_request_end ON saml_request (expires_at);

-- Assertions that were used once, until they could not be used any more.
CREATE TABLE saml_seen (
    issuer        TEXT COLLATE BINARY NOT NULL,
    assertion_id  TEXT COLLATE BINARY NOT NULL,
    expires_at    BIGINT NOT NULL,
    PRIMARY KEY (issuer, assertion_id)
);
CREATE INDEX saml_seen_end ON saml_seen (expires_at);

CREATE TABLE api_token (
    id            TEXT COLLATE BINARY NOT NULL PRIMARY KEY,
    token_hash    TEXT COLLATE BINARY NOT NULL UNIQUE,
    user_id       TEXT COLLATE BINARY NOT NULL REFERENCES cam_user (id),
    kind          TEXT NOT NULL CHECK (kind IN ('cli', 'service')),
    name          TEXT NOT NULL DEFAULT '',
    authn_context TEXT,
    authn_at      BIGINT,
    source_ip     TEXT,
    -- The code that it was given for: used again, that code takes the token with it (RFC 6749 §4.1.2).
    origin_hash   TEXT COLLATE BINARY,
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    last_used_at  BIGINT,
    revoked_at    BIGINT
);
CREATE INDEX api_token_origin ON api_token (origin_hash) WHERE origin_hash IS NOT NULL;
CREATE INDEX api_token_user ON api_token (user_id, created_at);
CREATE INDEX api_token_end ON api_token (expires_at);

-- An authorisation code of the command line's sign-in, used once.
CREATE TABLE cli_code (
    code_hash     TEXT COLLATE BINARY NOT NULL PRIMARY KEY,
    user_id       TEXT COLLATE BINARY NOT NULL REFERENCES cam_user (id),
    challenge     TEXT NOT NULL,
    redirect_uri  TEXT NOT NULL,
    authn_context TEXT,
    authn_at      BIGINT,
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    consumed_at   BIGINT
);
CREATE INDEX cli_code_end ON cli_code (expires_at);
CREATE INDEX cli_code_user ON cli_code (user_id);

CREATE TABLE device_login (
    device_hash   TEXT COLLATE BINARY NOT NULL PRIMARY KEY,
    code_hash     TEXT COLLATE BINARY NOT NULL UNIQUE,
    challenge     TEXT,
    status        TEXT NOT NULL CHECK (status IN ('pending', 'approved', 'denied', 'taken')),
    user_id       TEXT COLLATE BINARY REFERENCES cam_user (id),
    authn_context TEXT,
    authn_at      BIGINT,
    source_ip     TEXT,
    client_name   TEXT NOT NULL DEFAULT '',
    interval_s    BIGINT NOT NULL,
    polled_at     BIGINT,
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL
);
CREATE INDEX device_login_end ON device_login (expires_at);
CREATE INDEX device_login_user ON device_login (user_id) WHERE user_id IS NOT NULL;

CREATE TABLE signing_key (
    id            TEXT COLLATE BINARY NOT NULL PRIMARY KEY,
    purpose       TEXT NOT NULL CHECK (purpose IN ('sp', 'idp-alibaba', 'idp-aws', 'audit')),
    backend       TEXT NOT NULL CHECK (backend IN ('file', 'alibaba-kms', 'aws-kms')),
    -- The key of the KMS, or the private key sealed by the key of the seal file, with this row's identity bound in.
    held          TEXT NOT NULL,
    certificate   TEXT NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('pending', 'active', 'retiring', 'retired')),
    not_before    BIGINT NOT NULL,
    not_after     BIGINT NOT NULL,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    version       BIGINT NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX signing_key_active ON signing_key (purpose) WHERE state = 'active';

-- Only for accounts whose keys come from a RAM user of their own.
CREATE TABLE account_secret (
    node_id       TEXT COLLATE BINARY NOT NULL PRIMARY KEY REFERENCES node (id),
    access_key_id TEXT NOT NULL,
    sealed        TEXT NOT NULL,
    rotated_at    BIGINT NOT NULL
);

-- The user that an account keeps for its administrators, and what was last seen of it.
CREATE TABLE preset_user (
    node_id       TEXT COLLATE BINARY NOT NULL PRIMARY KEY REFERENCES node (id),
    name          TEXT NOT NULL,
    seen          TEXT,
    seen_at       BIGINT
);

CREATE TABLE audit_checkpoint (
    chain         TEXT COLLATE BINARY NOT NULL,
    seq           BIGINT NOT NULL,
    hash          TEXT NOT NULL,
    ts            BIGINT NOT NULL,
    -- Where everything up to this event was removed because its time was over: when the newest of it had happened.
    cut           BIGINT,
    key_id        TEXT COLLATE BINARY NOT NULL REFERENCES signing_key (id),
    signature     TEXT NOT NULL,
    PRIMARY KEY (chain, seq)
);

-- How far each chain was told to each place outside.
CREATE TABLE audit_told (
    place         TEXT COLLATE BINARY NOT NULL,
    chain         TEXT COLLATE BINARY NOT NULL,
    seq           BIGINT NOT NULL,
    checkpoint    BIGINT NOT NULL,
    told_at       BIGINT NOT NULL,
    PRIMARY KEY (place, chain)
);

CREATE TABLE idempotency (
    user_id       TEXT COLLATE BINARY NOT NULL REFERENCES cam_user (id),
    idem_key      TEXT COLLATE BINARY NOT NULL,
    route         TEXT NOT NULL,
    request_hash  TEXT NOT NULL,
    status        BIGINT,
    answer        TEXT,
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    PRIMARY KEY (user_id, idem_key)
);
CREATE INDEX idempotency_end ON idempotency (expires_at);

-- Something that a second super admin has to agree to.
CREATE TABLE proposal (
    id            TEXT COLLATE BINARY NOT NULL PRIMARY KEY,
    kind          TEXT NOT NULL,
    subject       TEXT NOT NULL,
    params        TEXT NOT NULL,
    proposed_by   TEXT COLLATE BINARY NOT NULL REFERENCES cam_user (id),
    decided_by    TEXT COLLATE BINARY REFERENCES cam_user (id),
    status        TEXT NOT NULL CHECK (status IN ('open', 'agreed', 'declined', 'withdrawn', 'expired')),
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    decided_at    BIGINT,
    CHECK (decided_by IS NULL OR status = 'withdrawn' OR decided_by <> proposed_by)
);
CREATE INDEX proposal_status ON proposal (status, id);
CREATE INDEX proposal_open ON proposal (created_at) WHERE status = 'open';
CREATE INDEX proposal_subject ON proposal (subject, kind, decided_at);

CREATE TABLE setting (
    name          TEXT COLLATE BINARY NOT NULL PRIMARY KEY,
    value         TEXT NOT NULL,
    version       BIGINT NOT NULL DEFAULT 1
);

-- Super admins may change the catalogue; a change names the version that it was made from.
ALTER TABLE preset_role ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
CREATE INDEX cloud_role_preset ON cloud_role (preset_key);

-- What may be taken only so often, by all processes together: when all that was taken will have come back, in microseconds since 1970.
CREATE TABLE allowance (
    name          TEXT COLLATE BINARY NOT NULL PRIMARY KEY,
    full_at       BIGINT NOT NULL
);
CREATE INDEX allowance_end ON allowance (full_at);
