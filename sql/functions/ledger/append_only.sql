-- The second lock on what must never change; the first is that no function
-- tries to, and no role but the owner could.
CREATE OR REPLACE FUNCTION ledger.refuse_change()
RETURNS trigger
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    RAISE EXCEPTION '%.% is append only', TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END
$$;

COMMENT ON FUNCTION ledger.refuse_change() IS
    'Forbids UPDATE, DELETE and TRUNCATE';

-- Words beside the numbers may be forgotten when a person is, and nothing else.
CREATE OR REPLACE FUNCTION ledger.refuse_rewrite()
RETURNS trigger
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    kept  record := NEW;
BEGIN
    IF TG_TABLE_NAME = 'transfer' THEN
        IF NEW.memo IS NULL THEN
            kept.memo := OLD.memo;
        END IF;

        IF azora.is_uuid(NEW.recipient) THEN
            kept.recipient := OLD.recipient;
        END IF;
    ELSIF NEW.body = '{}' THEN
        kept.body := OLD.body;
    END IF;

    IF kept IS DISTINCT FROM OLD THEN
        RAISE EXCEPTION '%.% is append only', TG_TABLE_SCHEMA, TG_TABLE_NAME
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;

    RETURN NEW;
END
$$;

COMMENT ON FUNCTION ledger.refuse_rewrite() IS
    'Forbids UPDATE but for forgetting words';

CREATE OR REPLACE TRIGGER transfer_append_only
    BEFORE DELETE OR TRUNCATE ON ledger.transfer
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE OR REPLACE TRIGGER transfer_kept_as_is
    BEFORE UPDATE ON ledger.transfer
    FOR EACH ROW EXECUTE FUNCTION ledger.refuse_rewrite();

CREATE OR REPLACE TRIGGER metadata_append_only
    BEFORE DELETE OR TRUNCATE ON ledger.metadata
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE OR REPLACE TRIGGER metadata_kept_as_is
    BEFORE UPDATE ON ledger.metadata
    FOR EACH ROW EXECUTE FUNCTION ledger.refuse_rewrite();

CREATE OR REPLACE TRIGGER reversal_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.reversal
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE OR REPLACE TRIGGER hold_kept
    BEFORE DELETE OR TRUNCATE ON ledger.hold
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE OR REPLACE TRIGGER operation_kept
    BEFORE DELETE OR TRUNCATE ON ledger.operation
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE OR REPLACE TRIGGER account_kept
    BEFORE DELETE OR TRUNCATE ON ledger.account
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
