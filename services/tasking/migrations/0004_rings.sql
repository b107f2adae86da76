-- Experts who are flagged as a ring and are therefore never on one task, as scoring tells it; both ways round.
CREATE TABLE kept_apart (
    expert_id uuid NOT NULL,
    other_id  uuid NOT NULL,
    flag_id   uuid NOT NULL,
    PRIMARY KEY (expert_id, other_id, flag_id)
);
CREATE INDEX kept_apart_flag ON kept_apart (flag_id);
