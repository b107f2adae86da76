-- For the timer that ends leases alone: a statement that does not ask for the time cannot be read by it. Without this a plan
-- made while nobody holds a task would look for one slot among all that are held.
DROP INDEX slot_expiry;
CREATE INDEX slot_expiry ON slot (expires_at) WHERE state = 1 AND expires_at > '-infinity';
