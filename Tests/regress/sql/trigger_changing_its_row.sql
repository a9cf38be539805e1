-- A BEFORE trigger that writes, with a statement of its own, to the very row it fires for. PostgreSQL refuses that in
-- ordinary DML (27000), and so does a sync: the call fails, and nothing is written. Contract 1.3.10 promises more (the row
-- in its new version); rows that a trigger of another row changes are covered by triggers_changing_rows.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA trigger_changing_its_row;
SET search_path = trigger_changing_its_row, public;

CREATE TABLE t (k int PRIMARY KEY, v text, w text NOT NULL DEFAULT '');
CREATE TABLE s (k int, v text);
CREATE FUNCTION mark() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  -- once only: the new version has w set
  IF OLD.w = '' AND pg_trigger_depth() = 1 THEN UPDATE t SET w = 'seen' WHERE k = OLD.k; END IF;
  IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
  RETURN NEW;
END $$;
CREATE FUNCTION remove() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM t WHERE k = OLD.k;
  RETURN NEW;
END $$;

\set VERBOSITY sqlstate
-- updated
INSERT INTO t VALUES (1, 'old'), (2, 'same');
INSERT INTO s VALUES (1, 'new'), (2, 'same');
CREATE TRIGGER x BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION mark();
SELECT * FROM bulk_sync('t', 's', scope => 'true');
TABLE t ORDER BY k;
DROP TRIGGER x ON t;

-- deleted
CREATE TRIGGER x BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION mark();
DELETE FROM s WHERE k = 2;
UPDATE s SET v = 'newer';
SELECT * FROM bulk_sync('t', 's', scope => 'true');
TABLE t ORDER BY k;
DROP TRIGGER x ON t;

-- gone: skipped
CREATE TRIGGER x BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION remove();
UPDATE s SET v = 'newest';
SELECT * FROM bulk_sync('t', 's', scope => 'true');
TABLE t ORDER BY k;

SET client_min_messages = warning;
DROP SCHEMA trigger_changing_its_row CASCADE;
