-- A relay's lock, read and delete in one call. Within a statement they would share a snapshot from before the lock, and
-- find rows that the lane's last holder has published and deleted since; here each statement has a snapshot of its own.

-- Locks lanes that have events until the end of the transaction, and takes their first events out of the outbox. Looks
-- for lanes in the order in which they are wanted. A row of NULLs tells that another relay holds one that has events.
CREATE FUNCTION take_events(wanted integer[], most_lanes integer, most_events integer)
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
                ORDER BY id LIMIT greatest(1, most_events / cardinality(mine))
            ) AS due
            WHERE o.lane = held.lane AND o.id = due.id
            RETURNING o.lane, o.id, o.topic, o.key, o.payload, o.headers;
    END IF;
END
$$;
