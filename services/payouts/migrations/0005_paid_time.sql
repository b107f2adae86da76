-- Time that is paid though no answer came of it.

ALTER TABLE reserve ADD COLUMN times_most bigint NOT NULL DEFAULT 0 CHECK (times_most >= 0);
ALTER TABLE reserve ADD COLUMN times bigint NOT NULL DEFAULT 0;
ALTER TABLE reserve ADD COLUMN times_recorded bigint;
ALTER TABLE reserve ADD CHECK (times <= times_recorded);
COMMENT ON COLUMN reserve.times_most IS 'how many times it has money for; what comes beyond is the platform''s expense';
COMMENT ON COLUMN reserve.times IS 'times that have come';
COMMENT ON COLUMN reserve.times_recorded IS 'how many there are, once tasking says that the batch is complete';
-- Batches that completed before have none.
UPDATE reserve SET times_recorded = 0 WHERE answers_decided IS NOT NULL;

CREATE TABLE paid_time (
    time_id          uuid        PRIMARY KEY,
    slot_id          uuid        NOT NULL UNIQUE,
    task_id          uuid        NOT NULL,
    batch_id         uuid        NOT NULL REFERENCES reserve,
    vendor_id        uuid        NOT NULL,
    expert_id        uuid        NOT NULL,
    paid_seconds     integer     NOT NULL CHECK (paid_seconds > 0),
    expected_seconds integer     NOT NULL CHECK (expected_seconds >= paid_seconds),
    amount           bigint      NOT NULL CHECK (amount >= 0),
    -- What of the amount and the fee on it the reserve paid: all, or nothing.
    from_reserve     bigint      NOT NULL CHECK (from_reserve = 0 OR from_reserve >= amount),
    recorded_at      timestamptz NOT NULL
);
CREATE INDEX paid_time_batch ON paid_time (batch_id);
REVOKE UPDATE, DELETE ON paid_time FROM payouts_app;

ALTER TABLE earning ALTER COLUMN answer_id DROP NOT NULL;
ALTER TABLE earning ADD COLUMN time_id uuid UNIQUE REFERENCES paid_time;
ALTER TABLE earning DROP CONSTRAINT earning_basis_check;
ALTER TABLE earning ADD CONSTRAINT earning_basis_check CHECK (
    basis = 'answer' AND answer_id IS NOT NULL AND time_id IS NULL
    OR basis = 'time' AND time_id IS NOT NULL AND answer_id IS NULL);

ALTER TABLE paid_time ENABLE ROW LEVEL SECURITY;
ALTER TABLE paid_time FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON paid_time USING (tenant_visible(vendor_id));
