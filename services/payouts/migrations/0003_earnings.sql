-- Answers whose decision has come, and what their experts have earned. What comes too early waits in `half`.

-- One row per answer that is decided: what was promised, and what stands of it so far. Amounts are in minor units.
CREATE TABLE answer (
    answer_id         uuid        PRIMARY KEY,
    slot_id           uuid        NOT NULL,
    task_id           uuid        NOT NULL,
    batch_id          uuid        NOT NULL REFERENCES reserve,
    project_id        uuid        NOT NULL,
    vendor_id         uuid        NOT NULL,
    expert_id         uuid        NOT NULL,
    rate_card_version bigint      NOT NULL,
    tier              text        NOT NULL,
    amount            bigint      NOT NULL CHECK (amount >= 0),
    currency          char(3)     NOT NULL REFERENCES currency,
    fee_basis_points  integer     NOT NULL,
    fee_cap           bigint      NOT NULL CHECK (fee_cap >= 0),
    active_seconds    integer     NOT NULL,
    idle_seconds      integer     NOT NULL,
    surplus           boolean     NOT NULL,
    submitted_at      timestamptz NOT NULL,
    decided_version   integer     NOT NULL DEFAULT 0,
    standing          bigint      NOT NULL DEFAULT 0 CHECK (standing BETWEEN 0 AND amount),
    standing_fee      bigint      NOT NULL DEFAULT 0 CHECK (standing_fee BETWEEN 0 AND fee_cap)
);
COMMENT ON COLUMN answer.fee_cap IS 'the fee when all of the amount is payable';
COMMENT ON COLUMN answer.decided_version IS 'the newest decision whose money is posted';
CREATE INDEX answer_batch ON answer (batch_id);

-- A pay line: what one decision added to what stood for an answer.
CREATE TABLE earning (
    id         uuid        PRIMARY KEY,
    answer_id  uuid        NOT NULL REFERENCES answer,
    version    integer     NOT NULL,
    basis      text        NOT NULL CHECK (basis IN ('answer')),
    task_id    uuid        NOT NULL,
    batch_id   uuid        NOT NULL REFERENCES reserve,
    vendor_id  uuid        NOT NULL,
    expert_id  uuid        NOT NULL,
    currency   char(3)     NOT NULL REFERENCES currency,
    amount     bigint      NOT NULL CHECK (amount > 0),
    taken_back bigint      NOT NULL DEFAULT 0 CHECK (taken_back BETWEEN 0 AND amount),
    state      text        NOT NULL CHECK (state IN ('HELD', 'PAYABLE', 'SENT', 'SETTLED', 'WITHDRAWN')),
    hold_until timestamptz NOT NULL,
    payable_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (answer_id, version, basis),
    CHECK ((state = 'WITHDRAWN') = (taken_back = amount)),
    CHECK ((payable_at IS NULL) = (state IN ('HELD', 'WITHDRAWN')))
);
COMMENT ON COLUMN earning.taken_back IS 'what a later decision of a person took from the line while it was held';
COMMENT ON COLUMN earning.hold_until IS 'the latest expiry of the holds that stand, kept up with them';
CREATE INDEX earning_due ON earning (hold_until) WHERE state = 'HELD';
CREATE INDEX earning_payable ON earning (expert_id, currency) WHERE state = 'PAYABLE';
CREATE INDEX earning_list ON earning (expert_id, created_at DESC, id DESC);
CREATE INDEX earning_held_vendor ON earning (vendor_id) WHERE state = 'HELD';

-- Why a line is not payable yet. A hold always expires; silence releases.
CREATE TABLE hold (
    earning_id  uuid        NOT NULL REFERENCES earning,
    reason      text        NOT NULL
                CHECK (reason IN ('REVIEW_WINDOW', 'FIRST_PAYOUT_HOLD', 'NOT_ELIGIBLE', 'VENDOR_NOT_ACTIVE')),
    vendor_id   uuid        NOT NULL,
    placed_at   timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    released_at timestamptz,
    PRIMARY KEY (earning_id, reason)
);

ALTER TABLE answer ENABLE ROW LEVEL SECURITY;
ALTER TABLE answer FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON answer USING (tenant_visible(vendor_id));
ALTER TABLE earning ENABLE ROW LEVEL SECURITY;
ALTER TABLE earning FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON earning USING (tenant_visible(vendor_id));
ALTER TABLE hold ENABLE ROW LEVEL SECURITY;
ALTER TABLE hold FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON hold USING (tenant_visible(vendor_id));
