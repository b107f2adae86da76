-- What operators decide about: the dead letters, beside their copies in Kafka, which are only read.

-- A record that could not be applied. Its id is the event's where the record is a valid fact, else one made of its place.
CREATE TABLE dead_letter (
    consumer        text        NOT NULL,
    id              uuid        NOT NULL,
    topic           text        NOT NULL,
    partition       integer     NOT NULL,
    "offset"        bigint      NOT NULL,
    key             text        NOT NULL,
    type            text        NOT NULL,
    payload         bytea,
    headers         jsonb       NOT NULL,
    reason          text        NOT NULL,
    error_class     text        NOT NULL,
    attempts        integer     NOT NULL,
    first_failed_at timestamptz NOT NULL,
    state           text        NOT NULL DEFAULT 'OPEN' CHECK (state IN ('OPEN', 'REPLAYING', 'APPLIED', 'DISCARDED')),
    PRIMARY KEY (consumer, id)
);
CREATE INDEX dead_letter_first_failed_at ON dead_letter (first_failed_at, id);
CREATE INDEX dead_letter_undecided ON dead_letter (topic, key) WHERE state IN ('OPEN', 'REPLAYING');

-- Who decided what about a dead letter, and why.
CREATE TABLE dead_letter_action (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer   text        NOT NULL,
    letter_id  uuid        NOT NULL,
    action     text        NOT NULL CHECK (action IN ('REPLAY', 'DISCARD')),
    account_id uuid        NOT NULL,
    reason     text        NOT NULL,
    acted_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    FOREIGN KEY (consumer, letter_id) REFERENCES dead_letter (consumer, id)
);
CREATE INDEX dead_letter_action_letter ON dead_letter_action (consumer, letter_id, id);

-- A key whose events are being applied after all; until that is done, new ones still queue behind them.
ALTER TABLE parked_key ADD COLUMN releasing boolean NOT NULL DEFAULT false;
CREATE INDEX parked_key_releasing ON parked_key (parked_at) WHERE releasing;

-- What each process that takes events last told of itself.
CREATE TABLE consumer_status (
    consumer      text        NOT NULL,
    instance      uuid        NOT NULL,
    breaker_open  boolean     NOT NULL,
    held_since    timestamptz,
    held_reason   text        NOT NULL,
    applied       bigint      NOT NULL,
    duplicates    bigint      NOT NULL,
    set_aside     bigint      NOT NULL,
    dead_lettered bigint      NOT NULL,
    seen_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (consumer, instance)
);
