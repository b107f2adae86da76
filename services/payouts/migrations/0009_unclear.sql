-- A provider that hangs is seen: since when, and in which words, it leaves unclear what became of an attempt.

ALTER TABLE attempt ADD COLUMN unclear_since timestamptz;
ALTER TABLE attempt ADD COLUMN unclear_why text NOT NULL DEFAULT '';
COMMENT ON COLUMN attempt.unclear_since IS 'since when the provider gives no clear answer about it; nothing once it gave one';
UPDATE attempt SET unclear_since = coalesce(first_sent_at, created_at) WHERE state = 'UNKNOWN';

-- What is on its way, for those who ask what waits.
CREATE INDEX payout_going ON payout (created_at) WHERE state IN ('BATCHED', 'SUBMITTING', 'SUBMITTED', 'UNKNOWN');

-- The last run, and whom it left out: it is told when that changes.
CREATE TABLE payout_run (
    one      boolean     PRIMARY KEY DEFAULT true CHECK (one),
    close_at timestamptz NOT NULL,
    told     jsonb       NOT NULL
);
ALTER TABLE payout_run ENABLE ROW LEVEL SECURITY;
ALTER TABLE payout_run FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON payout_run USING (tenant_visible(NULL));
