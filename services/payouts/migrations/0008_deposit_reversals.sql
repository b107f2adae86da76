-- A line of the bank is the same line however it is typed, and a deposit that was booked by mistake can be reversed.

ALTER TABLE deposit ADD COLUMN id uuid NOT NULL DEFAULT gen_random_uuid();
ALTER TABLE deposit ADD COLUMN reference_key text;
ALTER TABLE deposit ADD COLUMN booking integer NOT NULL DEFAULT 1 CHECK (booking > 0);
COMMENT ON COLUMN deposit.reference_key IS 'the reference in NFKC, cases folded, without white space and what is not seen';
COMMENT ON COLUMN deposit.booking IS 'how often the line was booked by then: anew only once all before it are reversed';

-- Lines that were booked twice before, spelled otherwise, stand: the ledger's proof names them, until one is reversed.
WITH folded AS (
    SELECT bank_reference, booked_at, normalize(regexp_replace(
        normalize(casefold(normalize(bank_reference, NFKC) COLLATE pg_unicode_fast), NFKC),
        U&'[\0001-\0020\007F-\009F\00AD\061C\1680\180E\200B-\200F\2028-\202E\2060-\206F\FEFF]', '', 'g'), NFKC) AS key
    FROM deposit
), numbered AS (
    SELECT bank_reference, key, row_number() OVER (PARTITION BY key ORDER BY booked_at, bank_reference) AS booking
    FROM folded
)
UPDATE deposit d SET reference_key = n.key, booking = n.booking FROM numbered n WHERE n.bank_reference = d.bank_reference;

ALTER TABLE deposit ALTER COLUMN reference_key SET NOT NULL;
ALTER TABLE deposit DROP CONSTRAINT deposit_pkey, ADD PRIMARY KEY (id), ADD UNIQUE (reference_key, booking);
CREATE INDEX deposit_list ON deposit (vendor_id, booked_at DESC, id DESC);

CREATE TABLE deposit_reversal (
    id          uuid        PRIMARY KEY,
    deposit_id  uuid        NOT NULL REFERENCES deposit,
    vendor_id   uuid        NOT NULL,
    amount      bigint      NOT NULL CHECK (amount > 0),
    reason      text        NOT NULL,
    state       text        NOT NULL DEFAULT 'PROPOSED'
                CHECK (state IN ('PROPOSED', 'APPROVED', 'REJECTED', 'EXPIRED')),
    proposed_by uuid        NOT NULL,
    proposer    uuid        NOT NULL,
    proposed_at timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    decided_by  uuid,
    decider     uuid,
    decided_at  timestamptz,
    CHECK ((state = 'PROPOSED') = (decided_at IS NULL)),
    CHECK (state NOT IN ('APPROVED', 'REJECTED') OR decider IS NOT NULL),
    CONSTRAINT second_person CHECK (state <> 'APPROVED' OR decider <> proposer)
);
COMMENT ON COLUMN deposit_reversal.proposer IS 'the person behind the account that proposed it';
CREATE UNIQUE INDEX deposit_reversal_open ON deposit_reversal (deposit_id) WHERE state = 'PROPOSED';
CREATE INDEX deposit_reversal_waiting ON deposit_reversal (proposed_at, id) WHERE state = 'PROPOSED';
CREATE INDEX deposit_reversal_deposit ON deposit_reversal (deposit_id, proposed_at);

-- A proposal is decided once and never changed otherwise.
REVOKE UPDATE, DELETE ON deposit_reversal FROM payouts_app;
GRANT UPDATE (state, decided_by, decider, decided_at) ON deposit_reversal TO payouts_app;

ALTER TABLE deposit_reversal ENABLE ROW LEVEL SECURITY;
ALTER TABLE deposit_reversal FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON deposit_reversal USING (tenant_visible(vendor_id));
