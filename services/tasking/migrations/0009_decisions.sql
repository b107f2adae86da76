-- What its vendor has decided about questions of a task that experts could not settle.

ALTER TABLE task ADD COLUMN decisions bytea NOT NULL DEFAULT '';  -- preceptor.work.v1.QuestionDecisions
