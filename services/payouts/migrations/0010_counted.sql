-- For metrics, which ask what vendors' batches reserved in the last day.
CREATE INDEX reserve_reserved_at ON reserve (reserved_at);
