-- What a statement is given by the hundred, it is given as an array of rows: of a row of many fields the driver makes in a
-- third of the time what it makes of an array for each field. The type of a row is never altered, as the release before
-- still writes it: what needs other fields gets another type.

-- An event on its way into the outbox.
CREATE TYPE leaving AS (
    lane     smallint,
    topic    text,
    key      text,
    event_id uuid,
    type     text,
    payload  bytea,
    headers  jsonb
);

-- A fact on its way into the inbox.
CREATE TYPE arriving AS (
    event_id uuid,
    topic    text,
    key      text
);
