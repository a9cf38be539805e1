-- Row triggers: BEFORE triggers have the last word on a row, and the counts say so; AFTER triggers see the target as
-- the three phases left it; UPDATE OF goes by the columns that the call sets, WHEN by the row.
-- Contract 1.3.1, 1.3.6, 1.3.8, 1.5, 1.2.5; cases 166, 167, 173, 175, 176
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA row_triggers;
SET search_path = row_triggers, public;

CREATE TABLE t (k int PRIMARY KEY, v text, w text DEFAULT 'w', len int GENERATED ALWAYS AS (length(v)) STORED);
CREATE TABLE s (k int, v text);
CREATE TABLE log (seq serial, what text, k int);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO log (what, k) VALUES (concat_ws(' ', TG_NAME, TG_WHEN, TG_OP), CASE TG_OP WHEN 'DELETE' THEN OLD.k ELSE NEW.k END);
  IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
  RETURN NEW;
END $$;

-- a row that a BEFORE trigger suppresses is skipped, or not counted as deleted, and stays the version it was (case 166)
CREATE FUNCTION suppress_odd() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    IF OLD.k % 2 = 1 THEN RETURN NULL; END IF;
    RETURN OLD;
  END IF;
  IF NEW.k % 2 = 1 THEN RETURN NULL; END IF;
  RETURN NEW;
END $$;
INSERT INTO t VALUES (1, 'goes'), (2, 'goes'), (3, 'old'), (4, 'old'), (5, 'same'), (6, 'same');
CREATE TRIGGER suppress BEFORE INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION suppress_odd();
CREATE TABLE before AS SELECT ctid AS old_ctid, xmin AS old_xmin, k FROM t;
INSERT INTO s VALUES (3, 'new'), (4, 'new'), (5, 'same'), (6, 'same'), (7, 'comes'), (8, 'comes');
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT k, v, t.ctid = old_ctid AND t.xmin = old_xmin AS untouched FROM t LEFT JOIN before USING (k) ORDER BY k;
-- so it is tried again, and again, each time
SELECT * FROM bulk_sync('t', 's', scope => 'true');
-- a dry run does not ask triggers
SELECT * FROM bulk_sync('t', 's', scope => 'true', dry_run => true);
-- a suppressed mark is no delete either
ALTER TABLE t ADD gone boolean;
SELECT * FROM bulk_sync('t', 's', scope => 'true', soft_delete_column => 'gone');
SELECT k FROM t WHERE gone;
DROP TRIGGER suppress ON t;
ALTER TABLE t DROP gone;

-- a BEFORE trigger that changes the row: what it says is stored, and the next call finds a difference again (case 167)
CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.v := upper(NEW.v); RETURN NEW; END $$;
CREATE TRIGGER shout BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION shout();
DELETE FROM t;
TRUNCATE s;
INSERT INTO s VALUES (1, 'a'), (2, 'B');
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT * FROM bulk_sync('t', 's', scope => 'true');
TABLE t ORDER BY k;
DROP TRIGGER shout ON t;
-- it may even move a new row, but not out of the scope (44000)
CREATE FUNCTION shift() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.k := NEW.k + 100; RETURN NEW; END $$;
CREATE TRIGGER shift BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION shift();
INSERT INTO s VALUES (3, 'c');
SELECT * FROM bulk_sync('t', 's', scope => 'true');
TABLE t ORDER BY k;
DELETE FROM t WHERE k = 103;
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's', scope => 'k < 100');
\set VERBOSITY default
TABLE t ORDER BY k;
DROP TRIGGER shift ON t;

-- UPDATE OF: fired for columns that the call sets, also where the value of the row stays; not for the key, a column
-- that is not synced or insert-only, nor for an unchanged row; for a generated column with its base (case 173)
CREATE TABLE u (k numeric PRIMARY KEY, v text, w text, fixed text, other text, vw text GENERATED ALWAYS AS (v || w) STORED);
CREATE TABLE u_s (k numeric, v text, w text, fixed text);
INSERT INTO u VALUES (1, 'a', 'x', 'f', 'o'), (2, 'b', 'y', 'f', 'o'), (3, 'c', 'z', 'f', 'o');
CREATE TRIGGER of_k BEFORE UPDATE OF k ON u FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER of_v BEFORE UPDATE OF v ON u FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER of_w AFTER UPDATE OF w ON u FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER of_fixed AFTER UPDATE OF fixed ON u FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER of_other BEFORE UPDATE OF other ON u FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER of_vw AFTER UPDATE OF vw ON u FOR EACH ROW EXECUTE FUNCTION note();
INSERT INTO u_s VALUES (1, 'A', 'x', 'F'), (2, 'b', 'Y', 'F'), (3, 'c', 'z', 'F');
SELECT * FROM bulk_sync('u', 'u_s', scope => 'true', insert_only_columns => '{fixed}');
SELECT what, array_agg(k ORDER BY k) FROM log GROUP BY what ORDER BY min(seq);
-- the key is set if the image of one differs in some row of the call
UPDATE u_s SET k = 3.00 WHERE k = 3;
UPDATE u_s SET v = 'AA' WHERE k = 1;
TRUNCATE log;
SELECT * FROM bulk_sync('u', 'u_s', scope => 'true', columns => '{v}');
SELECT what, array_agg(k::numeric(5,0) ORDER BY k) FROM log GROUP BY what ORDER BY min(seq);
TABLE u ORDER BY k;

-- WHEN: decided row by row, before and after
TRUNCATE log, s;
CREATE TRIGGER bw BEFORE UPDATE ON t FOR EACH ROW WHEN (OLD.v IS DISTINCT FROM NEW.v) EXECUTE FUNCTION note();
CREATE TRIGGER aw AFTER UPDATE ON t FOR EACH ROW WHEN (NEW.v = 'yes') EXECUTE FUNCTION note();
CREATE TRIGGER iw AFTER INSERT ON t FOR EACH ROW WHEN (NEW.len = 3) EXECUTE FUNCTION note();
CREATE TRIGGER dw AFTER DELETE ON t FOR EACH ROW WHEN (OLD.v = 'C') EXECUTE FUNCTION note();
DELETE FROM t;
INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'C'), (4, 'D'), (7, 'yes');
TRUNCATE log;
INSERT INTO s VALUES (1, 'yes'), (2, 'no'), (5, 'yes'), (6, 'no'), (7, 'yes');
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT what, k FROM log ORDER BY seq;
DROP TRIGGER bw ON t;
DROP TRIGGER aw ON t;
DROP TRIGGER iw ON t;
DROP TRIGGER dw ON t;

-- what triggers see: a BEFORE trigger the phases before its own, an AFTER trigger the final state, at the depth of any DML
CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO log (what)
  SELECT format('%s %s sees %s, depth %s', TG_WHEN, TG_OP, string_agg(k || v, ' ' ORDER BY k), pg_trigger_depth()) FROM t;
  IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
  RETURN NEW;
END $$;
DELETE FROM t;
INSERT INTO t VALUES (1, 'a'), (2, 'b');
CREATE TRIGGER lb BEFORE INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION look();
CREATE TRIGGER la AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION look();
TRUNCATE s, log;
INSERT INTO s VALUES (2, 'B'), (3, 'C');
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT what FROM log ORDER BY seq;
DROP TRIGGER lb ON t;
DROP TRIGGER la ON t;

-- constraint triggers: at the end of the call, or of the transaction (case 176)
CREATE FUNCTION no_zero() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM t WHERE v = 'zero') THEN RAISE EXCEPTION 'zero at %', TG_NAME; END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER at_end AFTER INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION no_zero();
TRUNCATE s;
INSERT INTO s VALUES (2, 'zero'), (3, 'C');
\set VERBOSITY terse
SELECT * FROM bulk_sync('t', 's', scope => 'true');
DROP TRIGGER at_end ON t;
CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT OR UPDATE ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION no_zero();
BEGIN;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
COMMIT;
BEGIN;
SELECT updated FROM bulk_sync('t', 's', scope => 'true');
SAVEPOINT sp;
SET CONSTRAINTS at_commit IMMEDIATE;
ROLLBACK TO sp;
UPDATE s SET v = 'B' WHERE k = 2;
SELECT updated FROM bulk_sync('t', 's', scope => 'true');
COMMIT;
\set VERBOSITY default
DROP TRIGGER at_commit ON t;

-- session_replication_role and DISABLE decide which triggers fire, as for any DML (case 175)
CREATE TRIGGER t_origin AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER t_always AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER t_replica AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER t_never AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION note();
ALTER TABLE t ENABLE ALWAYS TRIGGER t_always, ENABLE REPLICA TRIGGER t_replica, DISABLE TRIGGER t_never;
TRUNCATE log;
UPDATE s SET v = 'origin' WHERE k = 2;
SELECT updated FROM bulk_sync('t', 's', scope => 'true');
SELECT what, k FROM log ORDER BY seq;
TRUNCATE log;
UPDATE s SET v = 'replica' WHERE k = 2;
SET session_replication_role = replica;
SELECT updated FROM bulk_sync('t', 's', scope => 'true');
RESET session_replication_role;
SELECT what, k FROM log ORDER BY seq;

SET client_min_messages = warning;
DROP SCHEMA row_triggers CASCADE;
