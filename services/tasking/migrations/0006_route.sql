-- Of whom the next word on a task is wanted, as scoring tells it: anybody, an expert of so much skill, or its vendor.

-- Of whom nothing was told since, as of whom nothing is known: the usual skill.
ALTER TABLE expert_skill ADD COLUMN skill double precision NOT NULL DEFAULT 0.75 CHECK (skill BETWEEN 0 AND 1);

ALTER TABLE task
    ADD COLUMN route          smallint NOT NULL DEFAULT 0,          -- preceptor.work.v1.Route
    ADD COLUMN skill_wanted   double precision NOT NULL DEFAULT 0,  -- 0: anybody's
    ADD COLUMN senior_until   timestamptz,                          -- from then on anybody's answer is wanted
    ADD COLUMN open_questions bytea,                                -- preceptor.work.v1.OpenQuestions
    ADD CONSTRAINT task_waits_for_a_senior_so_long CHECK ((skill_wanted > 0) = (senior_until IS NOT NULL));

-- Tasks that wait for a senior are in an index of their own, or all others' claims would read through them.
DROP INDEX task_claimable;
CREATE INDEX task_claimable ON task (batch_id, (seats_taken > 0) DESC, priority DESC, position)
    WHERE kind = 1 AND state = 2 AND seats_taken + surplus_taken < answers_wanted AND skill_wanted = 0;
CREATE INDEX task_senior ON task (batch_id, skill_wanted DESC, priority DESC, position)
    WHERE kind = 1 AND state = 2 AND seats_taken + surplus_taken < answers_wanted AND skill_wanted > 0;
CREATE INDEX task_senior_until ON task (senior_until) WHERE senior_until IS NOT NULL;
