-- Whether there is an event at all: a relay with nothing to do asks this alone, in one round trip without a transaction.
-- By the index, as a plan made while the outbox is empty would read all of it when it is full of rows just deleted.
CREATE FUNCTION outbox_waits() RETURNS boolean LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
BEGIN
    RETURN EXISTS (SELECT FROM outbox ORDER BY lane, id LIMIT 1);
END
$$;
