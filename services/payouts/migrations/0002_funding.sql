-- Rate cards, what vendors have sent, and what of it is reserved for which batch.

CREATE TABLE rate_card (
    id       uuid    PRIMARY KEY,
    version  bigint  NOT NULL CHECK (version > 0),
    currency char(3) NOT NULL REFERENCES currency
);

CREATE TABLE rate_card_version (
    rate_card_id     uuid        NOT NULL REFERENCES rate_card,
    version          bigint      NOT NULL CHECK (version > 0),
    fee_basis_points integer     NOT NULL CHECK (fee_basis_points BETWEEN 0 AND 10000),
    published_by     uuid        NOT NULL,
    published_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (rate_card_id, version)
);

CREATE TABLE rate_card_tier (
    rate_card_id        uuid     NOT NULL,
    version             bigint   NOT NULL,
    place               smallint NOT NULL,
    tier                text     NOT NULL,
    rate_minor_per_hour bigint   NOT NULL CHECK (rate_minor_per_hour > 0),
    PRIMARY KEY (rate_card_id, version, tier),
    FOREIGN KEY (rate_card_id, version) REFERENCES rate_card_version
);
REVOKE UPDATE, DELETE ON rate_card_version, rate_card_tier FROM payouts_app;

-- Projections of identity's states, applied by version.
CREATE TABLE vendor (
    vendor_id uuid    PRIMARY KEY,
    version   bigint  NOT NULL,
    active    boolean NOT NULL
);

CREATE TABLE expert (
    expert_id       uuid    PRIMARY KEY,
    version         bigint  NOT NULL,
    person_id       uuid,
    eligible        boolean NOT NULL,
    first_paid_at   timestamptz
);

CREATE TABLE deposit (
    bank_reference text        PRIMARY KEY,
    vendor_id      uuid        NOT NULL REFERENCES vendor,
    amount         bigint      NOT NULL CHECK (amount > 0),
    currency       char(3)     NOT NULL REFERENCES currency,
    booked_by      uuid        NOT NULL,
    booked_at      timestamptz NOT NULL DEFAULT now()
);
REVOKE UPDATE, DELETE ON deposit FROM payouts_app;

-- Each try to reserve a batch's worst case, with what was answered: a replay changes nothing.
CREATE TABLE funding_attempt (
    batch_id     uuid        NOT NULL,
    attempt      integer     NOT NULL CHECK (attempt > 0),
    vendor_id    uuid        NOT NULL,
    request_hash bytea       NOT NULL,
    refusal      text,
    missing      bigint      NOT NULL DEFAULT 0,
    answered_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (batch_id, attempt)
);
REVOKE UPDATE, DELETE ON funding_attempt FROM payouts_app;

CREATE TABLE reserve (
    batch_id          uuid        PRIMARY KEY,
    attempt           integer     NOT NULL,
    vendor_id         uuid        NOT NULL,
    project_id        uuid        NOT NULL,
    rate_card_id      uuid        NOT NULL,
    rate_card_version bigint      NOT NULL,
    currency          char(3)     NOT NULL REFERENCES currency,
    fee_basis_points  integer     NOT NULL,
    reserved          bigint      NOT NULL CHECK (reserved >= 0),
    decided           bigint      NOT NULL DEFAULT 0,
    answers_decided   bigint,
    released_at       timestamptz,
    released          bigint,
    kept              bigint,
    reserved_at       timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (batch_id, attempt) REFERENCES funding_attempt,
    CHECK ((released_at IS NULL) = (released IS NULL) AND (released IS NULL) = (kept IS NULL)),
    CHECK (decided <= answers_decided)
);
COMMENT ON COLUMN reserve.decided IS 'answers whose decision has met their terms';
COMMENT ON COLUMN reserve.answers_decided IS 'how many there are, once tasking says that the batch is complete';
COMMENT ON COLUMN reserve.kept IS 'what rejected and partial answers could still win when the rest was released';

CREATE TABLE reserve_tier (
    batch_id            uuid   NOT NULL REFERENCES reserve,
    vendor_id           uuid   NOT NULL,
    tier                text   NOT NULL,
    rate_minor_per_hour bigint NOT NULL,
    cap                 bigint NOT NULL,
    floor               bigint NOT NULL CHECK (floor <= cap),
    PRIMARY KEY (batch_id, tier)
);
REVOKE UPDATE, DELETE ON reserve_tier FROM payouts_app;

ALTER TABLE vendor ENABLE ROW LEVEL SECURITY;
ALTER TABLE vendor FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON vendor USING (tenant_visible(vendor_id));
ALTER TABLE expert ENABLE ROW LEVEL SECURITY;
ALTER TABLE expert FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON expert USING (tenant_visible(NULL));
ALTER TABLE deposit ENABLE ROW LEVEL SECURITY;
ALTER TABLE deposit FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON deposit USING (tenant_visible(vendor_id));
ALTER TABLE funding_attempt ENABLE ROW LEVEL SECURITY;
ALTER TABLE funding_attempt FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON funding_attempt USING (tenant_visible(vendor_id));
ALTER TABLE reserve ENABLE ROW LEVEL SECURITY;
ALTER TABLE reserve FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON reserve USING (tenant_visible(vendor_id));
ALTER TABLE reserve_tier ENABLE ROW LEVEL SECURITY;
ALTER TABLE reserve_tier FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON reserve_tier USING (tenant_visible(vendor_id));
