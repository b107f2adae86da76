-- What gold says of how sure the models may be: answers to gold items by item, and what follows from them.

-- One row an item whose right answer is known; its answers are no votes.
CREATE TABLE gold_item (
    item_id    uuid     PRIMARY KEY,
    project_id uuid     NOT NULL,
    vendor_id  uuid     NOT NULL,
    task_type  smallint NOT NULL,
    questions  bytea    NOT NULL,                          -- preceptor.work.v1.Questions
    key        bytea    STORAGE EXTERNAL NOT NULL,         -- packed like what one answer says
    answers    bytea    STORAGE EXTERNAL NOT NULL,         -- packed as in task_state, in the order of their coming
    stated     bytea    STORAGE EXTERNAL NOT NULL
) WITH (fillfactor = 50);
CREATE INDEX gold_item_project ON gold_item (project_id);
ALTER TABLE gold_item ENABLE ROW LEVEL SECURITY;
ALTER TABLE gold_item FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON gold_item USING (tenant_visible(vendor_id));

-- One row a project with gold, as of its last fit. `losses` are the nats that its gold items cost at each of the
-- temperatures of services.scoring.aggregation.temperature: losses of several projects add up.
CREATE TABLE calibration (
    project_id uuid     PRIMARY KEY REFERENCES project_state,
    vendor_id  uuid     NOT NULL,
    questions  bigint   NOT NULL,                          -- of gold, that the losses are over
    losses     double precision[] NOT NULL
);
CREATE INDEX calibration_vendor ON calibration (vendor_id);
ALTER TABLE calibration ENABLE ROW LEVEL SECURITY;
ALTER TABLE calibration FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON calibration USING (tenant_visible(vendor_id));

-- Null: that of the configuration.
ALTER TABLE pool ADD COLUMN temperature double precision CHECK (temperature > 0);
