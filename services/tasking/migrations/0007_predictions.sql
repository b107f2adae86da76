-- What models of the vendor say to a task, a preceptor.work.v1.ModelPredictions; null for none. Experts never see it.
ALTER TABLE task ADD COLUMN predictions bytea;
