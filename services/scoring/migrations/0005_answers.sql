-- The answers to a task are kept in its row, packed: a batch reads and writes a task as one row, whatever its votes.

-- Both begin with what the first answer by id has. Of an answer: its id, its expert's (16 bytes each), microseconds since
-- 1970 (int8), seconds of active work (int4; 0: not known), whether it came after the close (1 byte). Of what it says to
-- each question: label (int2; -1: could not assess it), strength (int2).
ALTER TABLE task_state
    ADD COLUMN answers bytea STORAGE EXTERNAL NOT NULL DEFAULT '',
    ADD COLUMN stated  bytea STORAGE EXTERNAL NOT NULL DEFAULT '';

UPDATE task_state t SET answers = n.answers, stated = n.stated
FROM (
    SELECT task_id, string_agg(answer, ''::bytea ORDER BY answer_id) AS answers,
           string_agg(stated, ''::bytea ORDER BY answer_id) AS stated
    FROM (
        SELECT task_id, answer_id,
               uuid_send(answer_id) || uuid_send(expert_id)
                   || int8send((extract(epoch FROM submitted_at) * 1000000)::bigint)
                   || int4send(seconds) || CASE WHEN surplus THEN '\x01'::bytea ELSE '\x00' END AS answer,
               string_agg(int2send(coalesce(label, -1::smallint)) || int2send(strength), ''::bytea ORDER BY question)
                   AS stated
        FROM vote GROUP BY task_id, answer_id, expert_id, submitted_at, seconds, surplus) AS a
    GROUP BY task_id) AS n
WHERE n.task_id = t.task_id;

DROP TABLE vote;

ALTER TABLE task_state SET (fillfactor = 50);
-- The same as rows, one an answer and question, for people and rare questions.
CREATE VIEW vote WITH (security_invoker = true) AS
SELECT encode(substr(a.answer, 1, 16), 'hex')::uuid AS answer_id, q.question::smallint AS question, t.task_id, t.vendor_id,
       encode(substr(a.answer, 17, 16), 'hex')::uuid AS expert_id,
       nullif(substr(q.stated, 1, 2)::smallint, -1) AS label, substr(q.stated, 3, 2)::smallint AS strength,
       get_byte(a.answer, 44) = 1 AS surplus,
       'epoch'::timestamptz + substr(a.answer, 33, 8)::bigint * interval '1 microsecond' AS submitted_at,
       substr(a.answer, 41, 4)::integer AS seconds
FROM task_state t
CROSS JOIN LATERAL (SELECT length(t.answers) / 45 AS answers) AS n
CROSS JOIN LATERAL (SELECT length(t.stated) / nullif(4 * n.answers, 0) AS questions) AS w
CROSS JOIN LATERAL (
    SELECT place, substr(t.answers, 1 + 45 * place, 45) AS answer FROM generate_series(0, n.answers - 1) AS place) AS a
CROSS JOIN LATERAL (
    SELECT question, substr(t.stated, 1 + 4 * (a.place * w.questions + question), 4) AS stated
    FROM generate_series(0, w.questions - 1) AS question) AS q;
