-- What the reactions of the tests write: every event they are given, in its order.
CREATE TABLE seen (
    place    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id uuid   NOT NULL,
    type     text   NOT NULL,
    key      text   NOT NULL,
    number   bigint NOT NULL
);

-- An aggregate, whose row the writers of the tests lock before they tell of it.
CREATE TABLE aggregate (
    key    text   PRIMARY KEY,
    number bigint NOT NULL DEFAULT 0
);

-- A state by version, as projections keep it.
CREATE TABLE vendor_state (
    vendor_id text   PRIMARY KEY,
    version   bigint NOT NULL,
    status    text   NOT NULL
);

-- Rows of tenants.
CREATE TABLE owned (
    vendor_id uuid NOT NULL,
    what      text NOT NULL
);
ALTER TABLE owned ENABLE ROW LEVEL SECURITY;
ALTER TABLE owned FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON owned USING (tenant_visible(vendor_id));
