-- A unique violation makes the call ask whether another transaction inserted the key; whatever
-- happens while it asks, the call fails and the session goes on
-- Contract 1.4, 1.6
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA unique_violation_recovery;
SET search_path = unique_violation_recovery, public;

CREATE TABLE t (k int PRIMARY KEY, x int UNIQUE);
INSERT INTO t VALUES (1, 1);
CREATE TEMPORARY TABLE s (k int, x int);
INSERT INTO s VALUES (1, 1), (2, 1);
-- a condition that fails once rows are inserted
CREATE FUNCTION until_insert(int) RETURNS boolean STABLE LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('unique_violation_recovery.inserted', true) = 'yes' THEN
    RAISE 'no more';
  END IF;
  RETURN true;
END $$;
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('unique_violation_recovery.inserted', 'yes', false);
  RETURN new;
END $$;
CREATE TRIGGER tell BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION tell();

DO $$
BEGIN
  PERFORM bulk_sync('t', 's', scope => 'until_insert(target.k)');
EXCEPTION WHEN unique_violation OR raise_exception THEN
  RAISE NOTICE 'refused';
END $$;
SELECT * FROM t ORDER BY k;
BEGIN;
SAVEPOINT a;
DO $$
BEGIN
  PERFORM bulk_sync('t', 's', scope => 'until_insert(target.k)');
EXCEPTION WHEN unique_violation OR raise_exception THEN
  RAISE NOTICE 'refused';
END $$;
ROLLBACK TO a;
INSERT INTO t VALUES (5, 5);
COMMIT;
SELECT * FROM t ORDER BY k;

SET client_min_messages = warning;
DROP SCHEMA unique_violation_recovery CASCADE;
DROP TABLE s;
