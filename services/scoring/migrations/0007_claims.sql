-- What attested claims say of those who hold them, learned from the holders' skill. Of no vendor, as skill is.

-- What identity tells of an expert, by version. A claim is written kind=value.
CREATE TABLE expert (
    expert_id uuid   PRIMARY KEY,
    version   bigint NOT NULL,
    person_id uuid   NOT NULL,
    claims    text[] NOT NULL
);
CREATE INDEX expert_person ON expert (person_id);

-- What each expert counts in their claims, and, as everybody, in the claim ''; multiples of 2^-20, so that sums are
-- exact. Written by the timer that tells skills alone, as are the sums.
CREATE TABLE claim_holder (
    expert_id uuid     NOT NULL,
    task_type smallint NOT NULL,
    domain    smallint NOT NULL,
    claim     text     NOT NULL,
    weight    double precision NOT NULL CHECK (weight > 0),
    effect    double precision NOT NULL,  -- weight times the log odds over the usual rater
    square    double precision NOT NULL,  -- weight times the square of those
    PRIMARY KEY (expert_id, task_type, domain, claim)
) WITH (fillfactor = 70);

-- The sums over all who hold a claim. No check on their signs: a correction is written as an insert that meets the row.
CREATE TABLE claim_record (
    claim     text     NOT NULL,
    task_type smallint NOT NULL,
    domain    smallint NOT NULL,
    experts   bigint   NOT NULL,
    weight    double precision NOT NULL,
    effect    double precision NOT NULL,
    square    double precision NOT NULL,
    PRIMARY KEY (claim, task_type, domain)
) WITH (fillfactor = 70);

-- The timer is to look at all.
INSERT INTO skill_gain SELECT expert_id, task_type, domain, 0, 0, 0 FROM skill;
