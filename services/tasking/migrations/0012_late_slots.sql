-- What an expert may still hand in late is found by the expert; a slot comes into it when its lease runs out, not before.
CREATE INDEX slot_late ON slot (expert_id, expires_at) WHERE state = 4;
