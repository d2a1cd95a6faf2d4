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

-- Words beside the numbers may be forgotten when a person is, and nothing else:
-- the trigger's arguments are the columns that hold them. What may stand there
-- instead is the condition of a second trigger.
CREATE OR REPLACE FUNCTION ledger.refuse_rewrite()
RETURNS trigger
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    IF to_jsonb(NEW) - TG_ARGV IS DISTINCT FROM to_jsonb(OLD) - TG_ARGV THEN
        RAISE EXCEPTION '%.% is append only', TG_TABLE_SCHEMA, TG_TABLE_NAME
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;

    RETURN NEW;
END
$$;

COMMENT ON FUNCTION ledger.refuse_rewrite() IS
    'Forbids UPDATE of all but the columns named';

CREATE OR REPLACE TRIGGER transfer_append_only
    BEFORE DELETE OR TRUNCATE ON ledger.transfer
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE OR REPLACE TRIGGER transfer_kept_as_is
    BEFORE UPDATE ON ledger.transfer
    FOR EACH ROW EXECUTE FUNCTION ledger.refuse_rewrite('memo', 'recipient');

CREATE OR REPLACE TRIGGER transfer_words_forgotten
    BEFORE UPDATE ON ledger.transfer
    FOR EACH ROW
    WHEN (NEW.memo <> OLD.memo OR OLD.memo IS NULL AND NEW.memo IS NOT NULL
          OR NEW.recipient IS DISTINCT FROM OLD.recipient
             AND azora.is_uuid(NEW.recipient) IS NOT true)
    EXECUTE FUNCTION ledger.refuse_change();

CREATE OR REPLACE TRIGGER metadata_append_only
    BEFORE DELETE OR TRUNCATE ON ledger.metadata
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE OR REPLACE TRIGGER metadata_kept_as_is
    BEFORE UPDATE ON ledger.metadata
    FOR EACH ROW EXECUTE FUNCTION ledger.refuse_rewrite('body');

CREATE OR REPLACE TRIGGER metadata_forgotten
    BEFORE UPDATE ON ledger.metadata
    FOR EACH ROW WHEN (NEW.body NOT IN (OLD.body, '{}'))
    EXECUTE FUNCTION ledger.refuse_change();

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
