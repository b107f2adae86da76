-- What scoring keeps: the state of each task, its votes, and the records of the raters.

-- One row a task: what its answers agree on so far. Its lock is the task's lock: it is taken before anything else of it.
CREATE TABLE task_state (
    task_id         uuid     PRIMARY KEY,
    vendor_id       uuid     NOT NULL,
    project_id      uuid     NOT NULL,
    batch_id        uuid     NOT NULL,
    task_type       smallint NOT NULL,
    domain          smallint NOT NULL,
    min_answers     smallint NOT NULL,
    max_answers     smallint NOT NULL,
    stop_confidence double precision NOT NULL,
    questions       bytea    NOT NULL,            -- preceptor.work.v1.Questions
    version         bigint   NOT NULL DEFAULT 0,  -- 0: not scored yet
    verdict         smallint NOT NULL DEFAULT 0,  -- preceptor.scoring.v1.Verdict
    answers_seen    integer  NOT NULL DEFAULT 0,
    answers_wanted  integer  NOT NULL DEFAULT 0,
    result          bytea    NOT NULL DEFAULT '', -- preceptor.work.v1.Result
    confidence      double precision NOT NULL DEFAULT 0,
    updated_at      timestamptz NOT NULL,         -- the time of the latest answer in it
    CHECK (min_answers BETWEEN 1 AND max_answers),
    CHECK (stop_confidence BETWEEN 0.5 AND 1),
    CHECK (confidence BETWEEN 0 AND 1),
    CHECK (answers_seen <= answers_wanted)
) WITH (fillfactor = 80);
ALTER TABLE task_state ENABLE ROW LEVEL SECURITY;
ALTER TABLE task_state FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON task_state USING (tenant_visible(vendor_id));

-- One row an answer and question. Of several answers by one expert to one task the latest stands; only a vote that stands
-- has a weight, and none that could not assess its question.
CREATE TABLE vote (
    answer_id    uuid        NOT NULL,
    question     smallint    NOT NULL CHECK (question >= 0),  -- the place in task_state.questions
    task_id      uuid        NOT NULL REFERENCES task_state,
    vendor_id    uuid        NOT NULL,
    expert_id    uuid        NOT NULL,
    label        smallint,          -- null: could not assess it
    strength     smallint    NOT NULL,
    surplus      boolean     NOT NULL,
    submitted_at timestamptz NOT NULL,
    weight       double precision,  -- nats, as of the task's last scoring
    credit       double precision,  -- what the rater's record holds for it; null: the record does not count it
    PRIMARY KEY (answer_id, question),
    CHECK (credit BETWEEN 0 AND 1),
    CHECK (label IS NOT NULL OR (weight IS NULL AND credit IS NULL))
) WITH (fillfactor = 80);
CREATE INDEX vote_task ON vote (task_id);
ALTER TABLE vote ENABLE ROW LEVEL SECURITY;
ALTER TABLE vote FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON vote USING (tenant_visible(vendor_id));

-- One row an answer to a gold task, whose right answer is known: no vote, and judged at once.
CREATE TABLE gold_answer (
    answer_id    uuid        PRIMARY KEY,
    task_id      uuid        NOT NULL,
    vendor_id    uuid        NOT NULL,
    expert_id    uuid        NOT NULL,
    correct      double precision NOT NULL,  -- questions answered as the key has them
    total        double precision NOT NULL,  -- questions answered: what the rater's record holds for it
    submitted_at timestamptz NOT NULL,
    CHECK (correct BETWEEN 0 AND total)
);
CREATE INDEX gold_answer_expert ON gold_answer (expert_id);
ALTER TABLE gold_answer ENABLE ROW LEVEL SECURITY;
ALTER TABLE gold_answer FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON gold_answer USING (tenant_visible(vendor_id));

-- How often a rater's labels were right, by closed tasks and by gold. It belongs to no vendor: a record is made of all vendors' tasks.
-- Both are sums of multiples of 2^-20, so that corrections are exact. No check on their signs: a correction is written as
-- an insert that meets the row, and checks would see the difference.
CREATE TABLE rater (
    expert_id uuid     NOT NULL,
    task_type smallint NOT NULL,
    domain    smallint NOT NULL,
    correct   double precision NOT NULL,
    total     double precision NOT NULL,
    PRIMARY KEY (expert_id, task_type, domain)
) WITH (fillfactor = 80);
