-- What a vendor states of its stop rule beside the confidence asked for; NULL: nothing, domain/stopping.py tells what holds
-- then. A stop_confidence of 0 asks for none.
ALTER TABLE task_state
    ADD COLUMN least_worth       double precision CHECK (least_worth >= 0 AND least_worth < 1),
    ADD COLUMN agreed_confidence double precision CHECK (agreed_confidence BETWEEN 0 AND 1),
    DROP CONSTRAINT task_state_stop_confidence_check,
    ADD CONSTRAINT task_state_stop_confidence_check CHECK (stop_confidence = 0 OR stop_confidence BETWEEN 0.5 AND 1);

-- What an event tells of a task for good. The release before writes told_task while it is replaced.
CREATE TYPE new_task AS (
    task_id           uuid,
    project_id        uuid,
    vendor_id         uuid,
    batch_id          uuid,
    task_type         smallint,
    domain            smallint,
    min_answers       smallint,
    max_answers       smallint,
    stop_confidence   double precision,
    least_worth       double precision,
    agreed_confidence double precision,
    questions         bytea
);
