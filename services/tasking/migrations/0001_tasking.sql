-- Projects, batches, tasks, slots and answers. A slot is one expert's hold on one task, from the claim to the decision.

-- What identity tells of experts and vendors, applied by version.
CREATE TABLE expert (
    expert_id uuid PRIMARY KEY,
    version   bigint NOT NULL,
    active    boolean NOT NULL,
    person_id uuid NOT NULL,
    claims    text[] NOT NULL,  -- 'kind=value'
    locales   text[] NOT NULL
);

CREATE TABLE vendor (
    vendor_id uuid PRIMARY KEY,
    version   bigint NOT NULL,
    active    boolean NOT NULL
);

-- The newest version of each rate card, as payouts tells it.
CREATE TABLE rate_card (
    rate_card_id     uuid PRIMARY KEY,
    version          bigint NOT NULL,
    currency         char(3) NOT NULL,
    fee_basis_points integer NOT NULL,
    rates            jsonb NOT NULL  -- tier -> minor units an hour
);

CREATE TABLE project (
    project_id       uuid PRIMARY KEY,
    vendor_id        uuid NOT NULL,
    display_name     text NOT NULL,
    task_type        smallint NOT NULL,
    domain           smallint NOT NULL,
    locale           text NOT NULL,
    instructions     text NOT NULL,
    required_claims  text[] NOT NULL,
    min_answers      smallint NOT NULL CHECK (min_answers >= 1),
    max_answers      smallint NOT NULL CHECK (max_answers >= min_answers),
    stop_confidence  double precision NOT NULL,
    rate_card_id     uuid NOT NULL,
    tier             text NOT NULL,
    expected_seconds integer NOT NULL CHECK (expected_seconds > 0),
    lease            interval NOT NULL,
    created_at       timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX project_vendor ON project (vendor_id);

-- States of a batch are the numbers of BatchState in the contract: 1 staging, 2 validating, 3 open, 4 halted, 5 completed.
CREATE TABLE batch (
    batch_id          uuid PRIMARY KEY,
    vendor_id         uuid NOT NULL,
    project_id        uuid NOT NULL REFERENCES project,
    batch_key         text NOT NULL,
    state             smallint NOT NULL DEFAULT 1 CHECK (state BETWEEN 1 AND 5),
    state_reason      text NOT NULL DEFAULT '',
    last_chunk        bigint NOT NULL DEFAULT 0,
    tasks             bigint NOT NULL DEFAULT 0,
    -- Items in the bank; how many times one may be handed out, as reserved; and how many times it was.
    gold_items        bigint NOT NULL DEFAULT 0,
    gold_most         bigint NOT NULL DEFAULT 0,
    gold_taken        bigint NOT NULL DEFAULT 0 CHECK (gold_taken BETWEEN 0 AND gold_most),
    closed            bigint NOT NULL DEFAULT 0 CHECK (closed BETWEEN 0 AND tasks),
    attempt           integer NOT NULL DEFAULT 0,
    missing_minor     bigint,
    -- The reserved terms: every claim copies them into its slot.
    rate_card_version bigint,
    currency          char(3),
    price_minor       bigint CHECK (price_minor > 0),
    fee_basis_points  integer,
    reserved_minor    bigint,
    created_at        timestamptz NOT NULL DEFAULT now(),
    completed_at      timestamptz,
    UNIQUE (project_id, batch_key),
    CHECK (state NOT IN (3, 5) OR (price_minor IS NOT NULL AND currency IS NOT NULL))
);
CREATE INDEX batch_open ON batch (project_id) WHERE state = 3;
CREATE INDEX batch_gold ON batch (project_id) WHERE state = 3 AND gold_taken < gold_most;

-- States of a task: 2 available, 3 resolved, 4 unresolved (TaskState; queued is told by the batch).
CREATE TABLE task (
    task_id        uuid PRIMARY KEY,
    batch_id       uuid NOT NULL REFERENCES batch,
    project_id     uuid NOT NULL,
    vendor_id      uuid NOT NULL,
    position       bigint NOT NULL,
    item_key       text NOT NULL,
    payload        bytea NOT NULL,
    payload_hash   bytea NOT NULL,
    priority       smallint NOT NULL DEFAULT 0,
    -- 1 work; 2 a gold item, which waits in the bank; 3 a gold task, made of an item when it is handed to an expert.
    kind           smallint NOT NULL DEFAULT 1 CHECK (kind BETWEEN 1 AND 3),
    gold_key       bytea,  -- preceptor.work.v1.Answer
    item_id        uuid REFERENCES task,
    expert_id      uuid,
    state          smallint NOT NULL DEFAULT 2 CHECK (state IN (2, 3, 4)),
    answers_wanted smallint NOT NULL,
    seats_taken    smallint NOT NULL DEFAULT 0,
    surplus_taken  smallint NOT NULL DEFAULT 0,
    scored_version bigint NOT NULL DEFAULT 0,
    answers_seen   integer NOT NULL DEFAULT 0,
    result         bytea,
    confidence     double precision,
    UNIQUE (batch_id, item_key),
    UNIQUE (item_id, expert_id),
    CHECK ((kind = 1) = (gold_key IS NULL)),
    CHECK ((kind = 3) = (item_id IS NOT NULL AND expert_id IS NOT NULL)),
    -- No more experts at once than answers are wanted: overlap is a fact of the database, not a count in code.
    CHECK (seats_taken BETWEEN 0 AND answers_wanted)
) WITH (fillfactor = 85);
CREATE INDEX task_claimable ON task (batch_id, (seats_taken > 0) DESC, priority DESC, position)
    WHERE kind = 1 AND state = 2 AND seats_taken + surplus_taken < answers_wanted;
CREATE INDEX task_position ON task (batch_id, position, task_id) WHERE kind = 1;
CREATE INDEX task_bank ON task (batch_id) WHERE kind = 2;
CREATE INDEX task_gold ON task (expert_id) WHERE kind = 3;

CREATE SEQUENCE fencing_token;

-- States of a slot: 1 leased, 2 submitted, 3 surplus (submitted late, its seat taken by another), 4 expired, 5 returned.
CREATE TABLE slot (
    slot_id           uuid PRIMARY KEY,
    task_id           uuid NOT NULL REFERENCES task,
    batch_id          uuid NOT NULL,
    project_id        uuid NOT NULL,
    vendor_id         uuid NOT NULL,
    expert_id         uuid NOT NULL,
    round             smallint NOT NULL DEFAULT 1,
    state             smallint NOT NULL DEFAULT 1 CHECK (state BETWEEN 1 AND 5),
    fencing_token     bigint NOT NULL DEFAULT nextval('fencing_token'),
    swapped           boolean NOT NULL,
    leased_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at        timestamptz NOT NULL,
    ended_at          timestamptz,
    draft             bytea,
    draft_version     integer NOT NULL DEFAULT 0,
    rate_card_version bigint NOT NULL,
    tier              text NOT NULL,
    price_minor       bigint NOT NULL CHECK (price_minor > 0),
    currency          char(3) NOT NULL,
    fee_basis_points  integer NOT NULL
) WITH (fillfactor = 85);
CREATE UNIQUE INDEX slot_once ON slot (task_id, expert_id, round) WHERE state NOT IN (4, 5);
CREATE UNIQUE INDEX slot_live ON slot (expert_id) WHERE state = 1;
CREATE INDEX slot_expiry ON slot (expires_at) WHERE state = 1;
CREATE INDEX slot_pending ON slot (batch_id, expires_at) WHERE state IN (1, 4);
CREATE INDEX slot_seen ON slot (expert_id, task_id);

CREATE TABLE answer (
    answer_id            uuid PRIMARY KEY,
    slot_id              uuid NOT NULL UNIQUE REFERENCES slot,
    task_id              uuid NOT NULL,
    batch_id             uuid NOT NULL,
    vendor_id            uuid NOT NULL,
    expert_id            uuid NOT NULL,
    content              bytea NOT NULL,
    active_seconds       integer NOT NULL CHECK (active_seconds >= 0),
    idle_seconds         integer NOT NULL CHECK (idle_seconds >= 0),
    surplus              boolean NOT NULL,
    submitted_at         timestamptz NOT NULL,
    -- When it is accepted if nothing was decided; a case moves it.
    decide_by            timestamptz NOT NULL,
    decision_version     integer NOT NULL DEFAULT 0,
    payable_basis_points integer CHECK (payable_basis_points BETWEEN 0 AND 10000),
    decided_by           smallint,
    ground               text NOT NULL DEFAULT '',
    decided_at           timestamptz
);
CREATE INDEX answer_batch ON answer (batch_id);
CREATE INDEX answer_undecided ON answer (decide_by) WHERE decision_version = 0;
CREATE INDEX answer_undecided_batch ON answer (batch_id) WHERE decision_version = 0;

-- Proposed rejections that a person decides.
CREATE TABLE rejection_case (
    case_id               uuid PRIMARY KEY,
    answer_id             uuid NOT NULL UNIQUE REFERENCES answer,
    vendor_id             uuid NOT NULL,
    proposed_basis_points integer NOT NULL,
    ground                text NOT NULL,
    evidence              text NOT NULL,
    opened_at             timestamptz NOT NULL DEFAULT now(),
    due_at                timestamptz NOT NULL,
    decided_at            timestamptz,
    decided_by            uuid,
    reason                text
);
CREATE INDEX rejection_case_open ON rejection_case (due_at, case_id) WHERE decided_at IS NULL;

ALTER TABLE project ENABLE ROW LEVEL SECURITY;
ALTER TABLE project FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON project USING (tenant_visible(vendor_id));
ALTER TABLE batch ENABLE ROW LEVEL SECURITY;
ALTER TABLE batch FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON batch USING (tenant_visible(vendor_id));
ALTER TABLE task ENABLE ROW LEVEL SECURITY;
ALTER TABLE task FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON task USING (tenant_visible(vendor_id));
ALTER TABLE slot ENABLE ROW LEVEL SECURITY;
ALTER TABLE slot FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON slot USING (tenant_visible(vendor_id));
ALTER TABLE answer ENABLE ROW LEVEL SECURITY;
ALTER TABLE answer FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON answer USING (tenant_visible(vendor_id));
ALTER TABLE rejection_case ENABLE ROW LEVEL SECURITY;
ALTER TABLE rejection_case FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON rejection_case USING (tenant_visible(vendor_id));
