-- Rows as statements are given them, on the way of an answer.

-- What an event tells of a task for good.
CREATE TYPE told_task AS (
    task_id         uuid,
    project_id      uuid,
    vendor_id       uuid,
    batch_id        uuid,
    task_type       smallint,
    domain          smallint,
    min_answers     smallint,
    max_answers     smallint,
    stop_confidence double precision,
    questions       bytea
);

-- What becomes of a task by a step; `updated` in microseconds since 1970.
CREATE TYPE scored_task AS (
    task_id    uuid,
    version    bigint,
    verdict    smallint,
    reason     smallint,
    seen       integer,
    wanted     integer,
    result     bytea,
    confidence double precision,
    held       bytea,
    weights    bytea,
    found      bytea,
    updated    bigint,
    trace      text,
    answers    bytea,
    stated     bytea
);

CREATE TYPE stepped_pool AS (
    project_id uuid,
    labels     text,
    vendor_id  uuid,
    correct    double precision,
    total      double precision,
    state      bytea
);

-- `pool` is the place of the pool among those that come with it, from 1.
CREATE TYPE stepped_rater AS (
    pool        integer,
    expert_id   uuid,
    correct     double precision,
    total       double precision,
    prior_right double precision,
    prior_wrong double precision,
    state       bytea,
    muted       boolean
);

CREATE TYPE gained_votes AS (
    project_id uuid,
    gained     bigint,
    timed      bigint,
    logs       double precision,
    squares    double precision
);
