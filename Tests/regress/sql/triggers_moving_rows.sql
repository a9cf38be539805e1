-- Triggers that move planned rows: to another partition, or out of the scope. A moved row is its new version, in
-- whatever partition; and nothing is written to a place outside the scope.
-- Contract 1.3.10, 1.2.5; case 169
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA triggers_moving_rows;
SET search_path = triggers_moving_rows, public;

CREATE TABLE t (k int, area int, v text, PRIMARY KEY (k, area)) PARTITION BY LIST (area);
CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1);
CREATE TABLE t2 PARTITION OF t FOR VALUES IN (2);
CREATE TABLE s (k int, v text);
CREATE FUNCTION fresh() RETURNS void LANGUAGE sql AS $$
  TRUNCATE t, s;
  INSERT INTO t VALUES (1, 1, 'goes'), (2, 1, 'goes'), (3, 1, 'old'), (4, 1, 'old'), (5, 1, 'same');
  INSERT INTO s VALUES (3, 'new'), (4, 'new'), (5, 'same') $$;
-- runs its argument, once
CREATE FUNCTION run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF pg_trigger_depth() = 1 THEN EXECUTE TG_ARGV[0]; END IF;
  IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
  RETURN NEW;
END $$;

-- a BEFORE ROW trigger that changes the partition of its own row: one update, as with any UPDATE
CREATE FUNCTION to_2() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.area := 2; RETURN NEW; END $$;
CREATE TRIGGER x BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION to_2();
SELECT fresh();
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
SELECT tableoid::regclass, * FROM t ORDER BY k;
DROP TRIGGER x ON t;

-- a row to be updated that a trigger has moved is updated where it is now, never passed over in silence
CREATE TRIGGER x BEFORE DELETE ON t FOR EACH STATEMENT EXECUTE FUNCTION run('UPDATE t SET area = 2 WHERE k IN (3, 5)');
SELECT fresh();
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
SELECT tableoid::regclass, * FROM t ORDER BY k;
DROP TRIGGER x ON t;

-- a row to be deleted that a trigger has moved is deleted where it is now
CREATE TRIGGER x BEFORE DELETE ON t FOR EACH STATEMENT EXECUTE FUNCTION run('UPDATE t SET area = 2 WHERE k = 1');
SELECT fresh();
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
SELECT tableoid::regclass, * FROM t ORDER BY k;
DROP TRIGGER x ON t;

-- out of the scope: a BEFORE trigger that takes its row there is refused when the row is written (44000)
CREATE TABLE u (k int PRIMARY KEY, v text, area int NOT NULL DEFAULT 1);
CREATE FUNCTION fresh_u() RETURNS void LANGUAGE sql AS $$
  TRUNCATE u, s;
  INSERT INTO u VALUES (1, 'goes'), (2, 'goes'), (3, 'old'), (4, 'old'), (5, 'same');
  INSERT INTO s VALUES (3, 'new'), (4, 'new'), (5, 'same') $$;
CREATE TRIGGER x BEFORE UPDATE ON u FOR EACH ROW EXECUTE FUNCTION to_2();
SELECT fresh_u();
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('u', 's', scope => 'area = 1');
\set VERBOSITY default
TABLE u ORDER BY k;
DROP TRIGGER x ON u;
-- so is the update of a row that an earlier trigger took there: the call would write outside its scope
CREATE TRIGGER x BEFORE DELETE ON u FOR EACH STATEMENT EXECUTE FUNCTION run('UPDATE u SET area = 2 WHERE k = 3');
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('u', 's', scope => 'area = 1');
\set VERBOSITY default
TABLE u ORDER BY k;
DROP TRIGGER x ON u;
-- a row that the call does not write may go where it likes
CREATE TRIGGER x BEFORE DELETE ON u FOR EACH STATEMENT EXECUTE FUNCTION run('UPDATE u SET area = 2 WHERE k = 5');
SELECT fresh_u();
SELECT * FROM bulk_sync('u', 's', scope => 'area = 1');
TABLE u ORDER BY k;

SET client_min_messages = warning;
DROP SCHEMA triggers_moving_rows CASCADE;
