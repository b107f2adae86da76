-- How long answers take is what tasking measured. What it was learned from before, the claims of clients, says nothing.

-- The pace begins anew. timed, logs and squares are of the release before, which may still write them while it is replaced.
ALTER TABLE project_state
    ADD COLUMN paced        bigint NOT NULL DEFAULT 0,            -- answers whose hold is known
    ADD COLUMN pace_logs    double precision NOT NULL DEFAULT 0,  -- the sum of the logs of its milliseconds
    ADD COLUMN pace_squares double precision NOT NULL DEFAULT 0;  -- that of the squares of these

-- In a packed answer, minus the milliseconds of the hold stand where the seconds did that clients claimed.
DROP VIEW vote;
CREATE VIEW vote WITH (security_invoker = true) AS
SELECT encode(substr(a.answer, 1, 16), 'hex')::uuid AS answer_id, q.question::smallint AS question, t.task_id, t.vendor_id,
       encode(substr(a.answer, 17, 16), 'hex')::uuid AS expert_id,
       nullif(substr(q.stated, 1, 2)::smallint, -1) AS label, substr(q.stated, 3, 2)::smallint AS strength,
       get_byte(a.answer, 44) = 1 AS surplus,
       'epoch'::timestamptz + substr(a.answer, 33, 8)::bigint * interval '1 microsecond' AS submitted_at,
       greatest(-substr(a.answer, 41, 4)::integer, 0) AS hold_ms  -- 0: not known
FROM task_state t
CROSS JOIN LATERAL (SELECT length(t.answers) / 45 AS answers) AS n
CROSS JOIN LATERAL (SELECT length(t.stated) / nullif(4 * n.answers, 0) AS questions) AS w
CROSS JOIN LATERAL (
    SELECT place, substr(t.answers, 1 + 45 * place, 45) AS answer FROM generate_series(0, n.answers - 1) AS place) AS a
CROSS JOIN LATERAL (
    SELECT question, substr(t.stated, 1 + 4 * (a.place * w.questions + question), 4) AS stated
    FROM generate_series(0, w.questions - 1) AS question) AS q;
