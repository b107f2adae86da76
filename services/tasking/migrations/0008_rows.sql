-- Rows as statements are given them, of what comes by the hundred.

-- A task as it is uploaded.
CREATE TYPE uploaded_task AS (
    task_id      uuid,
    position     bigint,
    item_key     text,
    payload      bytea,
    payload_hash bytea,
    priority     smallint,
    gold_key     bytea,
    predictions  bytea
);

-- What scoring tells of a task; NULL is what it does not.
CREATE TYPE scored_task AS (
    task_id        uuid,
    state          smallint,
    version        bigint,
    seen           integer,
    wanted         smallint,
    result         bytea,
    confidence     double precision,
    route          smallint,
    skill          double precision,
    open_questions bytea
);

CREATE TYPE proposed_case AS (
    case_id   uuid,
    answer_id uuid,
    proposed  integer,
    ground    text,
    evidence  text
);
