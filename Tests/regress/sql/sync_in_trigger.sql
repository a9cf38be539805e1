-- bulk_sync inside other things: triggers of its own target and of other tables, functions, EXCEPTION blocks,
-- savepoints, a query over many tables; each call is one statement to those around it.
-- Contract 1.3.6, 1.3.10, 1.6; cases 178, 253
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA sync_in_trigger;
SET search_path = sync_in_trigger, public;

CREATE TABLE t (k int PRIMARY KEY, v text);
CREATE TABLE s (k int, v text);
CREATE TABLE copy (k int PRIMARY KEY, v text);
CREATE TABLE copy2 (k int PRIMARY KEY, v text);
CREATE TABLE counts (seq serial, what text, r text);
CREATE FUNCTION sync(target regclass, staged regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO counts (what, r)
  SELECT format('%s from %s', target::text, staged::text), format('i%s u%s n%s x%s d%s', inserted, updated, unchanged, skipped, deleted)
    FROM bulk_sync(target, staged, scope => 'true', allow_empty => true);
END $$;
CREATE FUNCTION sync_copy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM sync(TG_ARGV[0]::regclass, TG_RELID::regclass);
  IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
  RETURN NEW;
END $$;

-- a statement trigger that keeps a copy up to date, and that one a second copy: after ordinary DML and after a sync,
-- whose AFTER STATEMENT triggers (DELETE, UPDATE, INSERT) all see the final state, so that the first has all to do
CREATE TRIGGER copy AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH STATEMENT EXECUTE FUNCTION sync_copy('copy');
CREATE TRIGGER copy2 AFTER INSERT OR UPDATE OR DELETE ON copy FOR EACH STATEMENT EXECUTE FUNCTION sync_copy('copy2');
INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c');
SELECT what, r FROM counts ORDER BY seq;
TRUNCATE counts RESTART IDENTITY;
INSERT INTO s VALUES (2, 'b'), (3, 'C'), (4, 'd');
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT what, r FROM counts ORDER BY seq;
SELECT (SELECT array_agg(t ORDER BY k) FROM t) = (SELECT array_agg(c::text::t ORDER BY k) FROM copy c) AS same,
       (SELECT array_agg(t ORDER BY k) FROM t) = (SELECT array_agg(c::text::t ORDER BY k) FROM copy2 c) AS same2;
DROP TRIGGER copy ON t;
DROP TRIGGER copy2 ON copy;

-- a second table synced from a BEFORE ROW trigger, once for each row: it sees the rows written before its own
CREATE TRIGGER each BEFORE INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION sync_copy('copy');
DELETE FROM s WHERE k = 2;
UPDATE s SET v = 'D' WHERE k = 4;
INSERT INTO s VALUES (5, 'e');
TRUNCATE counts RESTART IDENTITY;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT what, r FROM counts ORDER BY seq;
TABLE t ORDER BY k;
TABLE copy ORDER BY k;
DROP TRIGGER each ON t;

-- a sync of the target in its own AFTER STATEMENT trigger finds nothing more to do; guarded by the depth it ends
CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF pg_trigger_depth() = 1 THEN PERFORM sync('t', 's'); END IF;
  IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER again AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH STATEMENT EXECUTE FUNCTION again();
UPDATE s SET v = 'E' WHERE k = 4;
TRUNCATE counts RESTART IDENTITY;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT what, r FROM counts ORDER BY seq;
-- after a plain DELETE of all rows it brings them back
TRUNCATE counts RESTART IDENTITY;
DELETE FROM t;
SELECT what, r FROM counts ORDER BY seq;
TABLE t ORDER BY k;
DROP TRIGGER again ON t;
-- in a BEFORE STATEMENT trigger the inner call does it all: the outer one finds its rows changed by its own trigger,
-- updates them again in their new version, and misses the stale ones
CREATE TRIGGER again BEFORE DELETE ON t FOR EACH STATEMENT EXECUTE FUNCTION again();
INSERT INTO t VALUES (8, 'goes'), (9, 'goes');
UPDATE s SET v = 'F' WHERE k = 4;
TRUNCATE counts RESTART IDENTITY;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT what, r FROM counts ORDER BY seq;
TABLE t ORDER BY k;
DROP TRIGGER again ON t;

-- from a BEFORE ROW trigger of an ordinary UPDATE: the UPDATE then finds its row changed (27000), and all is as before (case 178)
CREATE TRIGGER again BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION again();
UPDATE s SET v = 'G' WHERE k = 4;
TRUNCATE counts RESTART IDENTITY;
\set VERBOSITY sqlstate
UPDATE t SET v = 'app' WHERE k = 4;
\set VERBOSITY default
TABLE t ORDER BY k;
-- of a row that the sync leaves alone: both succeed
UPDATE t SET v = 'app' WHERE k = 3;
TABLE t ORDER BY k;
SELECT what, r FROM counts ORDER BY seq;
DROP TRIGGER again ON t;

-- EXCEPTION blocks: a failed call is undone alone, also inside a loop of them (case 253)
CREATE TABLE u (k int PRIMARY KEY, x int UNIQUE);
CREATE TABLE u_s (k int, x int);
INSERT INTO u VALUES (1, 1), (2, 2);
CREATE TABLE before AS SELECT ctid AS old_ctid, xmin AS old_xmin, k FROM u;
INSERT INTO u_s VALUES (1, 1), (3, 5), (4, 5);
DO $$
DECLARE r record;
BEGIN
  FOR i IN 1 .. 300 LOOP
    BEGIN
      SELECT * INTO r FROM bulk_sync('u', 'u_s', scope => 'true');
      RAISE NOTICE 'not refused';
    EXCEPTION WHEN unique_violation THEN NULL;
    END;
  END LOOP;
END $$;
SELECT count(*), bool_and(u.ctid = old_ctid AND u.xmin = old_xmin) AS untouched FROM u JOIN before USING (k);
DO $$
DECLARE r record;
BEGIN
  BEGIN
    SELECT * INTO r FROM bulk_sync('u', 'u_s', scope => 'true');
  EXCEPTION WHEN unique_violation THEN
    UPDATE u_s SET x = 6 WHERE k = 4;
    SELECT * INTO r FROM bulk_sync('u', 'u_s', scope => 'true');
    RAISE NOTICE 'second try: %', r;
  END;
END $$;
TABLE u ORDER BY k;

-- savepoints: what is rolled back is gone, what is released stays
BEGIN;
UPDATE u_s SET x = 7 WHERE k = 4;
SAVEPOINT a;
SELECT updated FROM bulk_sync('u', 'u_s', scope => 'true');
ROLLBACK TO a;
SELECT x FROM u WHERE k = 4;
SAVEPOINT b;
SELECT updated FROM bulk_sync('u', 'u_s', scope => 'true');
RELEASE b;
-- a row changed by this very transaction, then by the call, then by a second one
UPDATE u SET x = 70 WHERE k = 4;
SELECT updated FROM bulk_sync('u', 'u_s', scope => 'true');
SAVEPOINT c;
UPDATE u_s SET x = 1 WHERE k = 4;
\set VERBOSITY sqlstate
SELECT updated FROM bulk_sync('u', 'u_s', scope => 'true');
\set VERBOSITY default
ROLLBACK TO c;
COMMIT;
TABLE u ORDER BY k;

-- several calls in one statement, each seeing what the one before did
TRUNCATE t, s, copy, copy2;
INSERT INTO s VALUES (1, 'a');
SELECT a.inserted AS a, b.inserted AS b, c.unchanged AS c
  FROM bulk_sync('t', 's', scope => 'true') a,
       LATERAL bulk_sync('copy', CASE WHEN a.inserted >= 0 THEN 't'::regclass END, scope => 'true') b,
       LATERAL bulk_sync('t', CASE WHEN b.inserted >= 0 THEN 'copy'::regclass END, scope => 'true') c;
TABLE copy;
-- in a CTE, called for each of several tables
WITH tables (name) AS (VALUES ('copy'), ('copy2'))
SELECT name, r.inserted, r.unchanged FROM tables, LATERAL bulk_sync(name::regclass, 's', scope => 'true') r ORDER BY name;
-- in a SQL function, a cursor and a prepared statement
CREATE FUNCTION by_sql() RETURNS bigint LANGUAGE sql AS $$ SELECT unchanged FROM bulk_sync('t', 's', scope => 'true') $$;
SELECT by_sql();
PREPARE p AS SELECT unchanged FROM bulk_sync('t', 's', scope => 'true');
EXECUTE p;
BEGIN;
DECLARE c CURSOR FOR SELECT updated FROM bulk_sync('t', 's', scope => 'true');
UPDATE s SET v = 'cursor';
FETCH c;
ALTER TABLE t ADD extra int DEFAULT 5;
\set VERBOSITY sqlstate
CLOSE c;
COMMIT;
\set VERBOSITY default
-- the prepared statement follows a changed table
INSERT INTO s VALUES (2, 'b');
EXECUTE p;
SELECT k, v FROM t ORDER BY k;

SET client_min_messages = warning;
DEALLOCATE p;
DROP SCHEMA sync_in_trigger CASCADE;
