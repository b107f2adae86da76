-- How sure scoring is of experts' skills, applied by the version of the expert's state: how often they get gold goes by it.
CREATE TABLE expert_skill (
    expert_id uuid     NOT NULL,
    task_type smallint NOT NULL,
    domain    smallint NOT NULL,
    version   bigint   NOT NULL,
    doubt     double precision NOT NULL CHECK (doubt BETWEEN 0 AND 1),
    PRIMARY KEY (expert_id, task_type, domain)
);
