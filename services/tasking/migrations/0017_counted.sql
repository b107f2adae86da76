-- What metrics count every few seconds or minutes.

-- In place of batch_waiting, which had a part of it.
CREATE INDEX batch_live ON batch (state) WHERE state <> 5;
DROP INDEX batch_waiting;

-- Whether anybody has the claims that a project asks for.
CREATE INDEX expert_claims ON expert USING gin (claims) WHERE active;
