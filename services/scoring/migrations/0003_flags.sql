-- Raters who seem not to look, or to copy: evidence for people. While a flag stands the rater's votes have no weight.

ALTER TABLE vote ADD COLUMN seconds integer NOT NULL DEFAULT 0;       -- active time of the answer; 0: not known
ALTER TABLE pool_rater ADD COLUMN muted boolean NOT NULL DEFAULT false; -- as of the pool's last fit: nothing of it counts

-- The trace of the answer by which a task was scored last: what a fit finds of it later belongs to that trace.
ALTER TABLE task_state ADD COLUMN trace text NOT NULL DEFAULT '';

-- How long the answers of a project take: the number of those timed, the logs of their seconds, and the squares of these.
ALTER TABLE project_state
    ADD COLUMN timed   bigint NOT NULL DEFAULT 0,
    ADD COLUMN logs    double precision NOT NULL DEFAULT 0,
    ADD COLUMN squares double precision NOT NULL DEFAULT 0;

-- States of a flag: 1 stands, 2 cleared by a person, 3 confirmed by a person, which lets it stand.
CREATE TABLE rater_flag (
    flag_id    uuid     PRIMARY KEY,
    expert_id  uuid     NOT NULL,
    kind       smallint NOT NULL,              -- preceptor.scoring.v1.FlagKind
    state      smallint NOT NULL DEFAULT 1 CHECK (state BETWEEN 1 AND 3),
    others     uuid[]   NOT NULL,              -- of a ring: its other members
    nats       double precision NOT NULL,      -- the evidence
    evidence   text     NOT NULL,
    flagged_at timestamptz NOT NULL DEFAULT now(),
    decided_at timestamptz,
    decided_by uuid,
    reason     text     NOT NULL DEFAULT '',
    CHECK ((state = 1) = (decided_at IS NULL))
);
CREATE UNIQUE INDEX rater_flag_stands ON rater_flag (expert_id, kind) WHERE state <> 2;
CREATE INDEX rater_flag_open ON rater_flag (flagged_at, flag_id) WHERE state = 1;

-- One row: how many votes stood when raters were looked at last.
CREATE TABLE rater_look (
    votes bigint NOT NULL
);
INSERT INTO rater_look VALUES (0);
