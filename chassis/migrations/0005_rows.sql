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
    headers  json
);

-- A fact on its way into the inbox.
CREATE TYPE arriving AS (
    event_id uuid,
    topic    text,
    key      text
);

-- Headers are written once and read once, as they are.
DROP FUNCTION take_events(integer[], integer, integer);
ALTER TABLE outbox ALTER COLUMN headers TYPE json USING headers::json;

-- Locks lanes that have events until the end of the transaction, and takes their first events out of the outbox. Looks
-- for lanes in the order in which they are wanted. A row of NULLs tells that another relay holds one that has events.
CREATE FUNCTION take_events(wanted integer[], most_lanes integer, most_events integer)
RETURNS TABLE (lane smallint, id bigint, topic text, key text, payload bytea, headers json)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    met  integer;
    mine smallint[];
BEGIN
    SELECT count(*), coalesce(array_agg(tried.lane) FILTER (WHERE tried.locked), '{}') INTO met, mine
    FROM (
        SELECT candidate.lane, pg_try_advisory_xact_lock(0x6C616E65, candidate.lane) AS locked
        FROM (
            SELECT w.lane FROM unnest(wanted) WITH ORDINALITY AS w (lane, place)
            WHERE EXISTS (SELECT FROM outbox WHERE outbox.lane = w.lane)
            ORDER BY place LIMIT most_lanes
        ) AS candidate
    ) AS tried;
    IF cardinality(mine) < met THEN
        RETURN NEXT;
    END IF;
    IF cardinality(mine) > 0 THEN
        RETURN QUERY
            DELETE FROM outbox AS o
            USING unnest(mine) AS held (lane) CROSS JOIN LATERAL (
                SELECT id FROM outbox WHERE outbox.lane = held.lane
                ORDER BY id LIMIT greatest(1, most_events / cardinality(mine))
            ) AS due
            WHERE o.lane = held.lane AND o.id = due.id
            RETURNING o.lane, o.id, o.topic, o.key, o.payload, o.headers;
    END IF;
END
$$;
