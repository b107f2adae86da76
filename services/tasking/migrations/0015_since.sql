-- Since when a batch is in its state: who waits for money is told how long.
ALTER TABLE batch ADD COLUMN state_at timestamptz;
COMMENT ON COLUMN batch.state_at IS 'when it came into its state; nothing where that was before this column, or at its upload';
CREATE INDEX batch_waiting ON batch (state) WHERE state IN (2, 4);
