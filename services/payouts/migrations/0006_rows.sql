-- Rows as statements are given them, of what comes by the hundred. Each has the columns of its table that are told.

CREATE TYPE told_answer AS (
    answer_id         uuid,
    slot_id           uuid,
    task_id           uuid,
    batch_id          uuid,
    project_id        uuid,
    vendor_id         uuid,
    expert_id         uuid,
    rate_card_version bigint,
    tier              text,
    amount            bigint,
    currency          char(3),
    fee_basis_points  integer,
    fee_cap           bigint,
    active_seconds    integer,
    idle_seconds      integer,
    surplus           boolean,
    submitted_at      timestamptz
);

CREATE TYPE told_time AS (
    time_id          uuid,
    slot_id          uuid,
    task_id          uuid,
    batch_id         uuid,
    vendor_id        uuid,
    expert_id        uuid,
    paid_seconds     integer,
    expected_seconds integer,
    amount           bigint,
    from_reserve     bigint,
    recorded_at      timestamptz
);

CREATE TYPE new_line AS (
    id         uuid,
    answer_id  uuid,
    time_id    uuid,
    version    integer,
    task_id    uuid,
    batch_id   uuid,
    vendor_id  uuid,
    expert_id  uuid,
    currency   char(3),
    amount     bigint,
    taken_back bigint,
    hold_until timestamptz
);

CREATE TYPE new_hold AS (
    earning_id uuid,
    reason     text,
    expires_at timestamptz
);

CREATE TYPE new_transfer AS (
    currency    char(3),
    seq         bigint,
    idem        uuid,
    dr          bigint,
    cr          bigint,
    amount      bigint,
    kind        text,
    cause       jsonb,
    body_hash   bytea,
    recorded_at timestamptz
);

CREATE TYPE new_block AS (
    currency    char(3),
    n           bigint,
    first_seq   bigint,
    last_seq    bigint,
    previous    bytea,
    hash        bytea,
    recorded_at timestamptz
);

-- What transfers add to an account's sides.
CREATE TYPE movement AS (
    account_id bigint,
    debits     bigint,
    credits    bigint
);
