-- In which trace a claim and an answer came, as the chassis sets it at BEGIN: what follows from them goes on it.
ALTER TABLE slot ADD COLUMN trace_id text DEFAULT nullif(current_setting('preceptor.trace', true), '');
ALTER TABLE answer ADD COLUMN trace_id text DEFAULT nullif(current_setting('preceptor.trace', true), '');
