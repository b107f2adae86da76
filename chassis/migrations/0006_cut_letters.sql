-- Whether only a part of the record was kept, since no event is like it: then it is to look at, and cannot be replayed.
ALTER TABLE dead_letter ADD COLUMN cut boolean NOT NULL DEFAULT false;
