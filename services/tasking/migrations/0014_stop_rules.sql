-- What a vendor states of its stop rule beside the confidence asked for; NULL: nothing. A stop_confidence of 0 asks for none.
ALTER TABLE project
    ADD COLUMN least_worth       double precision,
    ADD COLUMN agreed_confidence double precision;

ALTER TABLE task ADD COLUMN stop_reason smallint NOT NULL DEFAULT 0;  -- preceptor.scoring.v1.StopReason

-- What scoring tells of a task; NULL is what it does not. The release before writes scored_task while it is replaced.
CREATE TYPE task_scoring AS (
    task_id        uuid,
    state          smallint,
    version        bigint,
    seen           integer,
    wanted         smallint,
    result         bytea,
    confidence     double precision,
    reason         smallint,
    route          smallint,
    skill          double precision,
    open_questions bytea
);
