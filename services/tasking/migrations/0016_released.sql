-- What a complete batch has given back, and what of its reserve is kept for answers that may still be raised.
ALTER TABLE batch ADD COLUMN released_minor bigint CHECK (released_minor >= 0);
ALTER TABLE batch ADD COLUMN kept_minor bigint CHECK (kept_minor >= 0);
ALTER TABLE batch ADD CHECK ((released_minor IS NULL) = (kept_minor IS NULL));
