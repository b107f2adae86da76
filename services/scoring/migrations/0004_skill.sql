-- How good experts are known to be, by task type and domain. Of no vendor: a skill is made of all vendors' tasks.

-- What is to be expected of a vote in a pool: as often right as the others' there, where there are few of them as often
-- as a fresh rater's too, a Beta(3, 1).
CREATE FUNCTION usual_rate(others_correct double precision, others_total double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE AS $$ SELECT (greatest(others_correct, 0) + 3) / (greatest(others_total, 0) + 4) $$;

-- What raters' records have gained since skills were last told. Rows are only added, in the transaction that changes the
-- record, and taken by the timer: no two writers wait for each other, and none is missed, whenever it commits. A row
-- without a gain says that the record was found anew.
CREATE TABLE skill_gain (
    expert_id uuid     NOT NULL,
    task_type smallint NOT NULL,
    domain    smallint NOT NULL,
    correct   double precision NOT NULL,  -- votes and questions of gold that are right (expected)
    expected  double precision NOT NULL,  -- so many would be right of the usual rater
    total     double precision NOT NULL
);
CREATE INDEX skill_gain_expert ON skill_gain (expert_id);

CREATE TABLE skill (
    expert_id     uuid        NOT NULL,
    task_type     smallint    NOT NULL,
    domain        smallint    NOT NULL,
    -- The record, older votes counting less; and the record as it was read, which tells what later fits revise.
    correct       double precision NOT NULL,
    expected      double precision NOT NULL,
    total         double precision NOT NULL,
    read_correct  double precision NOT NULL,
    read_expected double precision NOT NULL,
    read_total    double precision NOT NULL,
    drift         double precision NOT NULL,  -- evidence, in nats, that they are worse of late
    looked_at     timestamptz NOT NULL,
    -- As told last, all of an expert in one version.
    version       bigint      NOT NULL CHECK (version > 0),
    mean          double precision NOT NULL,
    lower         double precision NOT NULL,  -- quantiles of a Beta distribution: 5 %
    upper         double precision NOT NULL,  -- and 95 %
    evidence      double precision NOT NULL,  -- votes in `total` then
    gold_correct  double precision NOT NULL,
    gold_total    double precision NOT NULL,
    alarm         boolean     NOT NULL,
    updated_at    timestamptz NOT NULL,
    PRIMARY KEY (expert_id, task_type, domain),
    CHECK (0 <= lower AND lower <= mean AND mean <= upper AND upper <= 1),
    CHECK (correct BETWEEN 0 AND total AND expected BETWEEN 0 AND total)
) WITH (fillfactor = 70);
CREATE INDEX skill_looked_at ON skill (looked_at);

INSERT INTO skill_gain
SELECT DISTINCT r.expert_id, s.task_type, s.domain, 0, 0, 0 FROM pool_rater r JOIN project_state s USING (project_id)
UNION SELECT expert_id, task_type, domain, 0, 0, 0 FROM gold_record;
