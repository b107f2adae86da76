-- An account's balance is one sum, as far from the end of 64 bits as what came in. Turnover, which it was made of before,
-- grows with each movement for ever, and a mistaken deposit of nearly 2^63 ended its currency for everybody.

ALTER TABLE balance ADD COLUMN amount bigint NOT NULL DEFAULT 0;
UPDATE balance SET amount = credits - debits;
ALTER TABLE balance DROP CONSTRAINT no_overdraft, DROP COLUMN debits, DROP COLUMN credits;
ALTER TABLE balance ADD CONSTRAINT no_overdraft CHECK (amount >= floor);

DROP TYPE movement;
-- What transfers add to an account's balance.
CREATE TYPE movement AS (
    account_id bigint,
    amount     bigint
);
