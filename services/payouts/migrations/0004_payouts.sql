-- Money on its way to experts: where to, how much, and every try with a provider.

-- An expert's data key, wrapped. Deleting the row makes what is sealed with it unreadable, for good.
CREATE TABLE expert_key (
    expert_id uuid  PRIMARY KEY,
    wrapped   bytea NOT NULL
);

-- Where money is sent. A row never changes where to: a change makes a new row, so that an attempt's stays what it was.
CREATE TABLE instrument (
    id           uuid        PRIMARY KEY,
    expert_id    uuid        NOT NULL,
    currency     char(3)     NOT NULL REFERENCES currency,
    sealed       bytea       NOT NULL,
    suffix       text        NOT NULL,
    blind_index  bytea       NOT NULL,
    usable_from  timestamptz NOT NULL,
    failure_code text,
    retired_at   timestamptz,
    created_at   timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN instrument.failure_code IS 'why the provider refuses it: nothing is sent there any more';
CREATE UNIQUE INDEX instrument_live ON instrument (expert_id, currency) WHERE retired_at IS NULL;

CREATE TABLE payout (
    id            uuid        PRIMARY KEY,
    close_at      timestamptz NOT NULL,
    expert_id     uuid        NOT NULL,
    instrument_id uuid        NOT NULL REFERENCES instrument,
    currency      char(3)     NOT NULL REFERENCES currency,
    amount        bigint      NOT NULL CHECK (amount > 0),
    state         text        NOT NULL
                  CHECK (state IN ('BATCHED', 'SUBMITTING', 'SUBMITTED', 'UNKNOWN', 'PAID', 'FAILED')),
    failure_code  text,
    created_at    timestamptz NOT NULL DEFAULT now(),
    ended_at      timestamptz,
    UNIQUE (close_at, expert_id, currency),
    CHECK ((ended_at IS NULL) = (state NOT IN ('PAID', 'FAILED')))
);
COMMENT ON COLUMN payout.close_at IS 'the close of the run that made it: one payout of an expert per close';
CREATE INDEX payout_batched ON payout (created_at) WHERE state = 'BATCHED';
CREATE INDEX payout_list ON payout (expert_id, created_at DESC, id DESC);

CREATE TABLE payout_item (
    payout_id  uuid    NOT NULL REFERENCES payout,
    earning_id uuid    NOT NULL REFERENCES earning,
    amount     bigint  NOT NULL CHECK (amount > 0),
    live       boolean NOT NULL DEFAULT true,
    PRIMARY KEY (payout_id, earning_id)
);
CREATE UNIQUE INDEX payout_item_live ON payout_item (earning_id) WHERE live;

-- A try. It is committed before anything is sent, with all that is sent.
CREATE TABLE attempt (
    id            uuid        PRIMARY KEY,
    payout_id     uuid        NOT NULL REFERENCES payout,
    n             integer     NOT NULL CHECK (n > 0),
    provider      text        NOT NULL,
    reference     text        NOT NULL UNIQUE CHECK (reference ~ '^[A-Z2-7]{1,15}$'),
    idem_key      uuid        NOT NULL UNIQUE,
    instrument_id uuid        NOT NULL REFERENCES instrument,
    amount        bigint      NOT NULL CHECK (amount > 0),
    currency      char(3)     NOT NULL REFERENCES currency,
    body_hash     bytea       NOT NULL,
    state         text        NOT NULL
                  CHECK (state IN ('CREATED', 'SUBMITTING', 'SUBMITTED', 'UNKNOWN', 'PAID', 'FAILED', 'NOT_SENT')),
    first_sent_at timestamptz,
    send_before   timestamptz,
    due_at        timestamptz NOT NULL,
    tries         integer     NOT NULL DEFAULT 0,
    provider_id   text,
    failure_code  text,
    created_at    timestamptz NOT NULL DEFAULT now(),
    ended_at      timestamptz,
    UNIQUE (payout_id, n),
    UNIQUE (provider, provider_id),
    CHECK (state NOT IN ('SUBMITTED', 'PAID') OR provider_id IS NOT NULL),
    CHECK ((state = 'CREATED') = (first_sent_at IS NULL) AND (first_sent_at IS NULL) = (send_before IS NULL)),
    CHECK ((ended_at IS NULL) = (state NOT IN ('PAID', 'FAILED', 'NOT_SENT')))
);
COMMENT ON COLUMN attempt.first_sent_at IS 'committed before the first byte leaves; the provider keeps the key from then on';
COMMENT ON COLUMN attempt.send_before IS 'nothing is written to the provider under this attempt from then on';
COMMENT ON COLUMN attempt.due_at IS 'when a worker may next take it; moved on when one does';
CREATE UNIQUE INDEX attempt_live ON attempt (payout_id)
    WHERE state IN ('CREATED', 'SUBMITTING', 'SUBMITTED', 'UNKNOWN', 'PAID');
CREATE INDEX attempt_due ON attempt (due_at) WHERE state IN ('CREATED', 'SUBMITTING', 'SUBMITTED', 'UNKNOWN');

ALTER TABLE expert_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE expert_key FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON expert_key USING (tenant_visible(NULL));
ALTER TABLE instrument ENABLE ROW LEVEL SECURITY;
ALTER TABLE instrument FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON instrument USING (tenant_visible(NULL));
ALTER TABLE payout ENABLE ROW LEVEL SECURITY;
ALTER TABLE payout FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON payout USING (tenant_visible(NULL));
ALTER TABLE payout_item ENABLE ROW LEVEL SECURITY;
ALTER TABLE payout_item FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON payout_item USING (tenant_visible(NULL));
ALTER TABLE attempt ENABLE ROW LEVEL SECURITY;
ALTER TABLE attempt FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON attempt USING (tenant_visible(NULL));
