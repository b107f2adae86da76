-- Events are large now and then, up to 900 kB: a round of a thousand of them would not fit into a process. A lane with such
-- an event gives four a round, all others as many as before.
CREATE INDEX outbox_large ON outbox (lane) WHERE octet_length(payload) > 50000;

CREATE OR REPLACE FUNCTION take_events(wanted integer[], most_lanes integer, most_events integer)
RETURNS TABLE (lane smallint, id bigint, topic text, key text, payload bytea, headers jsonb)
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
                ORDER BY id
                LIMIT least(
                    greatest(1, most_events / cardinality(mine)),
                    CASE WHEN EXISTS (
                        SELECT FROM outbox AS large WHERE large.lane = held.lane AND octet_length(large.payload) > 50000
                    ) THEN 4 END)
            ) AS due
            WHERE o.lane = held.lane AND o.id = due.id
            RETURNING o.lane, o.id, o.topic, o.key, o.payload, o.headers;
    END IF;
END
$$;
