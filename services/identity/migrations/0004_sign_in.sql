-- Tries to sign in that have not succeeded, by the address and by where they come from: nobody spends another's. An
-- address is in it whether it has an account or not, so it tells nobody which do. A source is the keyed hash of a network
-- or of a known device. Empty stands for all: ('', source) is a network over all accounts, (email_index, '') are all
-- strangers at one.
CREATE TABLE sign_in_try (
    email_index   bytea       NOT NULL,
    source        bytea       NOT NULL,
    count         integer     NOT NULL DEFAULT 0 CHECK (count >= 0),
    last_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    blocked_until timestamptz,
    PRIMARY KEY (email_index, source)
);
CREATE INDEX sign_in_try_last_at ON sign_in_try (last_at);

-- sign_in_attempt, by address alone, stays until no process of before writes it.

-- Devices that signed in before this are strangers again.
ALTER TABLE account ADD COLUMN devices_since timestamptz;
