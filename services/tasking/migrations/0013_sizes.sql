-- What is too large to go all the way is refused where it comes in. Of what came before that:

-- What models say goes on with the first answer to a task alone. Where it went on with earlier ones it does once more.
ALTER TABLE task ADD COLUMN predictions_told boolean NOT NULL DEFAULT false;

-- A task that fits into no reply could be handed to nobody, and stopped whoever it was handed to; gold whose key fits into
-- no event could not be handed in. They are tasks without a result now, and nobody holds them.
WITH stuck AS (
    SELECT t.task_id, t.batch_id, t.kind FROM task t JOIN project p USING (project_id)
    WHERE t.state = 2 AND t.kind IN (1, 2)
      AND (octet_length(t.payload) + octet_length(p.instructions) > 4190000 OR octet_length(t.gold_key) > 600000)),
given_back AS (
    UPDATE slot s SET state = 5, ended_at = clock_timestamp() FROM task t
    WHERE s.task_id = t.task_id AND s.state = 1 AND coalesce(t.item_id, t.task_id) IN (SELECT task_id FROM stuck)),
ended AS (
    UPDATE task t SET kind = 1, gold_key = NULL, state = 4 FROM stuck s WHERE t.task_id = s.task_id)
UPDATE batch b SET tasks = b.tasks + s.gold, gold_items = b.gold_items - s.gold, closed = b.closed + s.ended
FROM (SELECT batch_id, count(*) AS ended, count(*) FILTER (WHERE kind = 2) AS gold FROM stuck GROUP BY batch_id) AS s
WHERE b.batch_id = s.batch_id;
