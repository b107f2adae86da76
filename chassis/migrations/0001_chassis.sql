-- What the chassis keeps in every service's database. Its tables are the same everywhere.

-- The tenant of the running transaction: set by the chassis at BEGIN, '*' for the service itself. Absent means nothing.
CREATE FUNCTION tenant_visible(tenant uuid) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce(
    current_setting('preceptor.tenant', true) = '*'
    OR current_setting('preceptor.tenant', true) = tenant::text,
    false);

-- Events on their way out. Ids must come one by one (no sequence cache): their order is the order of each key.
CREATE TABLE outbox (
    id         bigint GENERATED ALWAYS AS IDENTITY,
    lane       smallint    NOT NULL CHECK (lane BETWEEN 0 AND 15),
    topic      text        NOT NULL,
    key        text        NOT NULL,
    event_id   uuid        NOT NULL,
    type       text        NOT NULL,
    payload    bytea,
    headers    jsonb       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (lane, id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
        autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 100000);

-- Facts that a consumer has taken. Rows outlive the retention of the topics.
CREATE TABLE inbox (
    consumer    text        NOT NULL,
    event_id    uuid        NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, event_id)
);
CREATE INDEX inbox_received_at ON inbox USING brin (received_at);

-- Keys whose events wait until a person has looked at the one that failed.
CREATE TABLE parked_key (
    consumer  text        NOT NULL,
    topic     text        NOT NULL,
    key       text        NOT NULL,
    event_id  uuid,
    reason    text        NOT NULL,
    parked_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, topic, key)
);

-- The events that came for a parked key afterwards, in their order.
CREATE TABLE parked_event (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer  text        NOT NULL,
    topic     text        NOT NULL,
    partition integer     NOT NULL,
    "offset"  bigint      NOT NULL,
    key       text        NOT NULL,
    event_id  uuid        NOT NULL,
    type      text        NOT NULL,
    payload   bytea       NOT NULL,
    headers   jsonb       NOT NULL,
    parked_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (consumer, event_id),
    FOREIGN KEY (consumer, topic, key) REFERENCES parked_key
);
CREATE INDEX parked_event_key ON parked_event (consumer, topic, key, id);

-- Joins of two kinds of events by a key, one row a key. It is what the two sides lock, whichever comes first.
CREATE TABLE half_join (
    join_name    text NOT NULL,
    key          uuid NOT NULL,
    late_since   timestamptz,  -- since when a half waits whose partner should be here: what the alarm reads
    completed_at timestamptz,
    PRIMARY KEY (join_name, key)
);
CREATE INDEX half_join_late_since ON half_join (late_since) WHERE late_since IS NOT NULL;

-- The halves themselves. They stay after they have met, for later versions of the other side.
CREATE TABLE half (
    join_name text    NOT NULL,
    key       uuid    NOT NULL,
    side      text    NOT NULL,
    version   integer NOT NULL,
    payload   bytea   NOT NULL,
    PRIMARY KEY (join_name, key, side, version)
);

-- Answers to requests that changed something, for the client that asks again.
CREATE TABLE idempotency (
    subject      uuid        NOT NULL,
    method       text        NOT NULL,
    request_id   uuid        NOT NULL,
    request_hash bytea       NOT NULL,
    response     bytea       NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (subject, method, request_id)
);
CREATE INDEX idempotency_created_at ON idempotency USING brin (created_at);
