-- The live engine's state: what raters and classes are known to be in each project, and what each task holds of it.

-- One row a project. Its lock is that of all its tasks, votes and pools: it is taken before anything else of them.
CREATE TABLE project_state (
    project_id uuid     PRIMARY KEY,
    vendor_id  uuid     NOT NULL,
    task_type  smallint NOT NULL,
    domain     smallint NOT NULL,
    standing   bigint   NOT NULL DEFAULT 0,  -- votes that its pools count
    fit_at     bigint   NOT NULL DEFAULT 1,  -- so many standing votes call for a fit of all anew
    fits       bigint   NOT NULL DEFAULT 0,
    CHECK (standing >= 0)
) WITH (fillfactor = 70);
CREATE INDEX project_state_due ON project_state (project_id) WHERE standing >= fit_at;
ALTER TABLE project_state ENABLE ROW LEVEL SECURITY;
ALTER TABLE project_state FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON project_state USING (tenant_visible(vendor_id));

INSERT INTO project_state (project_id, vendor_id, task_type, domain)
SELECT DISTINCT ON (project_id) project_id, vendor_id, task_type, domain FROM task_state ORDER BY project_id;

-- One row for each set of labels that questions of a project have. `state` is services.scoring.usecases.state's.
CREATE TABLE pool (
    project_id uuid   NOT NULL REFERENCES project_state,
    labels     text   NOT NULL,                  -- the words of the labels, by comma
    vendor_id  uuid   NOT NULL,
    correct    double precision NOT NULL,        -- votes of all its raters that are right (expected), and in all
    total      double precision NOT NULL,
    state      bytea  STORAGE EXTERNAL NOT NULL,
    PRIMARY KEY (project_id, labels)
) WITH (fillfactor = 70);
ALTER TABLE pool ENABLE ROW LEVEL SECURITY;
ALTER TABLE pool FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON pool USING (tenant_visible(vendor_id));

-- One row a rater in a pool.
CREATE TABLE pool_rater (
    project_id  uuid   NOT NULL,
    labels      text   NOT NULL,
    expert_id   uuid   NOT NULL,
    vendor_id   uuid   NOT NULL,
    correct     double precision NOT NULL,       -- votes here that are right (expected), and in all
    total       double precision NOT NULL,
    prior_right double precision NOT NULL CHECK (prior_right > 0),  -- what is assumed from elsewhere, in votes
    prior_wrong double precision NOT NULL CHECK (prior_wrong > 0),
    state       bytea  STORAGE EXTERNAL NOT NULL,
    PRIMARY KEY (project_id, labels, expert_id),
    FOREIGN KEY (project_id, labels) REFERENCES pool
) WITH (fillfactor = 70);
CREATE INDEX pool_rater_expert ON pool_rater (expert_id);
ALTER TABLE pool_rater ENABLE ROW LEVEL SECURITY;
ALTER TABLE pool_rater FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON pool_rater USING (tenant_visible(vendor_id));

ALTER TABLE task_state
    ADD COLUMN held    bytea STORAGE EXTERNAL NOT NULL DEFAULT '', -- what the models hold of each question
    ADD COLUMN weights bytea NOT NULL DEFAULT '',                  -- of the votes it stands on, in nats: float4 each, by
                                                                   -- question and answer
    ADD COLUMN found   bytea NOT NULL DEFAULT '',                  -- the label found of each question: int2, -1: none
    ADD COLUMN reason  smallint NOT NULL DEFAULT 0,                -- preceptor.scoring.v1.StopReason
    ADD FOREIGN KEY (project_id) REFERENCES project_state;
CREATE INDEX task_state_project ON task_state (project_id);

-- Votes are only added from now on. Those of before are counted when their project is fitted.
UPDATE project_state p SET standing = n.votes
FROM (SELECT t.project_id, count(v.label) AS votes FROM vote v JOIN task_state t USING (task_id) GROUP BY 1) AS n
WHERE n.project_id = p.project_id;
ALTER TABLE vote DROP COLUMN credit, DROP COLUMN weight;

-- What gold says of raters, whoever's it was; what votes say is in the pools.
DROP TABLE rater;
CREATE TABLE gold_record (
    expert_id uuid     NOT NULL,
    task_type smallint NOT NULL,
    domain    smallint NOT NULL,
    correct   double precision NOT NULL,
    total     double precision NOT NULL,
    PRIMARY KEY (expert_id, task_type, domain),
    CHECK (correct BETWEEN 0 AND total)
) WITH (fillfactor = 80);

-- One row a fit of all of a project anew, whoever asked for it; without `done_at` it is still to be done.
CREATE TABLE rescore (
    rescore_id   uuid        PRIMARY KEY,
    project_id   uuid        NOT NULL REFERENCES project_state,
    vendor_id    uuid        NOT NULL,
    requested_by text        NOT NULL,  -- empty: it was due
    requested_at timestamptz NOT NULL DEFAULT now(),
    done_at      timestamptz,
    votes        bigint      NOT NULL DEFAULT 0,
    tasks        bigint      NOT NULL DEFAULT 0,
    changed      bigint      NOT NULL DEFAULT 0  -- tasks that got a new version by it
);
CREATE INDEX rescore_project ON rescore (project_id) WHERE done_at IS NULL;
ALTER TABLE rescore ENABLE ROW LEVEL SECURITY;
ALTER TABLE rescore FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON rescore USING (tenant_visible(vendor_id));
