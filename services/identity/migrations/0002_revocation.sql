-- Why and by whom the status of an account was changed; nothing is ever removed from it.
CREATE TABLE account_status_change (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id uuid        NOT NULL REFERENCES account,
    status     text        NOT NULL CHECK (status IN ('ACTIVE', 'SUSPENDED')),
    reason     text        NOT NULL,
    changed_by uuid        NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX account_status_change_account ON account_status_change (account_id, id);
REVOKE UPDATE, DELETE ON account_status_change FROM identity_app;

ALTER TABLE api_key ADD COLUMN revoke_reason text;
ALTER TABLE api_key ADD COLUMN revoked_by uuid;
