-- People: what is personal is sealed under the person's own key, and is noise once that key's row is deleted.
CREATE TABLE person_key (
    person_id  uuid        PRIMARY KEY,
    wrapped    bytea       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- An account of a person. Staff and expert accounts of one person are two accounts with one person_id.
-- email_index is a keyed hash: it finds an address and tells none.
CREATE TABLE account (
    id                  uuid        PRIMARY KEY,
    person_id           uuid        NOT NULL,
    kind                text        NOT NULL CHECK (kind IN ('expert', 'staff')),
    status              text        NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE', 'SUSPENDED')),
    email_index         bytea       NOT NULL UNIQUE,
    email_sealed        bytea       NOT NULL,
    display_name_sealed bytea       NOT NULL,
    password_hash       text        NOT NULL,
    roles               text[]      NOT NULL CHECK (cardinality(roles) > 0),
    created_at          timestamptz NOT NULL DEFAULT now(),
    CHECK ((kind = 'expert') = (roles = '{EXPERT}'))
);
CREATE INDEX account_person ON account (person_id);

-- What other services are told of an expert; version rises by one with each change.
CREATE TABLE expert (
    id              uuid        PRIMARY KEY,
    account_id      uuid        NOT NULL UNIQUE REFERENCES account,
    person_id       uuid        NOT NULL,
    status          text        NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE', 'SUSPENDED')),
    claims          jsonb       NOT NULL DEFAULT '[]',
    locales         text[]      NOT NULL,
    payout_eligible boolean     NOT NULL DEFAULT false,
    version         bigint      NOT NULL DEFAULT 1 CHECK (version > 0),
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now()
);

-- Tries to sign in that have not succeeded, by address whether it has an account or not: so it tells nobody which do.
CREATE TABLE sign_in_attempt (
    email_index   bytea       PRIMARY KEY,
    count         integer     NOT NULL DEFAULT 0 CHECK (count >= 0),
    last_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    blocked_until timestamptz
);
CREATE INDEX sign_in_attempt_last_at ON sign_in_attempt (last_at);

-- A session and the family of refresh tokens that descend from its sign-in: revoking one revokes all of them.
CREATE TABLE session (
    id            uuid        PRIMARY KEY,
    account_id    uuid        NOT NULL REFERENCES account,
    created_at    timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz NOT NULL,
    revoked_at    timestamptz,
    revoke_reason text,
    CHECK ((revoked_at IS NULL) = (revoke_reason IS NULL))
);
CREATE INDEX session_account ON session (account_id);
CREATE INDEX session_expires_at ON session (expires_at);

-- Refresh tokens by their SHA-256. The successor is sealed under the token that it follows: who has not that token
-- cannot read it, and the row goes on answering a repeated call for some seconds.
CREATE TABLE refresh_token (
    hash             bytea       PRIMARY KEY,
    session_id       uuid        NOT NULL REFERENCES session ON DELETE CASCADE,
    expires_at       timestamptz NOT NULL,
    used_at          timestamptz,
    successor_sealed bytea,
    CHECK (successor_sealed IS NULL OR used_at IS NOT NULL)
);
CREATE INDEX refresh_token_session ON refresh_token (session_id);
CREATE INDEX refresh_token_sealed ON refresh_token (used_at) WHERE successor_sealed IS NOT NULL;

CREATE TABLE vendor (
    id           uuid        PRIMARY KEY,
    display_name text        NOT NULL,
    status       text        NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE', 'SUSPENDED')),
    version      bigint      NOT NULL DEFAULT 1 CHECK (version > 0),
    created_at   timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE vendor ENABLE ROW LEVEL SECURITY;
ALTER TABLE vendor FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON vendor USING (tenant_visible(id));

-- API keys: key_id is the part that may be seen, secret_hash the SHA-256 of the part that was shown once.
CREATE TABLE api_key (
    id           uuid        PRIMARY KEY,
    vendor_id    uuid        NOT NULL REFERENCES vendor,
    display_name text        NOT NULL,
    key_id       text        NOT NULL UNIQUE,
    secret_hash  bytea       NOT NULL,
    created_by   uuid        NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    last_used_at timestamptz,
    revoked_at   timestamptz
);
CREATE INDEX api_key_vendor ON api_key (vendor_id);
ALTER TABLE api_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_key FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON api_key USING (tenant_visible(vendor_id));
