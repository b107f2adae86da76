-- Time that is paid though no answer came of it: an expert stopped being active while holding a task.

-- The last sign of life of who holds the slot: the claim, a heartbeat, a draft. Older slots have none but the claim.
ALTER TABLE slot ADD COLUMN seen_at timestamptz;
ALTER TABLE slot ALTER COLUMN seen_at SET DEFAULT clock_timestamp();

CREATE TABLE paid_time (
    time_id     uuid PRIMARY KEY,
    slot_id     uuid NOT NULL UNIQUE REFERENCES slot,
    task_id     uuid NOT NULL,
    batch_id    uuid NOT NULL,
    vendor_id   uuid NOT NULL,
    expert_id   uuid NOT NULL,
    seconds     integer NOT NULL CHECK (seconds > 0),
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX paid_time_batch ON paid_time (batch_id);
CREATE INDEX paid_time_task ON paid_time (task_id);

ALTER TABLE paid_time ENABLE ROW LEVEL SECURITY;
ALTER TABLE paid_time FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON paid_time USING (tenant_visible(vendor_id));
