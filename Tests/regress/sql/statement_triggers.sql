-- To triggers a sync is a DELETE, an UPDATE and an INSERT: the statement triggers of each fire once if rows are
-- planned for it and not at all if not; BEFORE in its phase, AFTER at the end of the call.
-- Contract 1.3.6, 1.3.8, 1.3.9 (marking and updating are one UPDATE), 1.5
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA statement_triggers;
SET search_path = statement_triggers, public;

CREATE TABLE t (k int PRIMARY KEY, v text, w text DEFAULT 'w', gone boolean NOT NULL DEFAULT false);
CREATE TABLE s (k int, v text);
-- every trigger writes one line, row triggers with the key of their row
CREATE TABLE log (seq serial, what text, k int);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO log (what, k) VALUES (
    concat_ws(' ', TG_WHEN, TG_OP, TG_LEVEL, NULLIF(TG_TABLE_NAME, 't'), CASE WHEN TG_NARGS > 0 THEN TG_ARGV[0] END),
    CASE WHEN TG_LEVEL = 'ROW' THEN CASE TG_OP WHEN 'DELETE' THEN OLD.k ELSE NEW.k END END);
  IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER b_stmt BEFORE INSERT OR UPDATE OR DELETE ON t FOR EACH STATEMENT EXECUTE FUNCTION note();
CREATE TRIGGER b_row BEFORE INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER a_row AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER a_stmt AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH STATEMENT EXECUTE FUNCTION note();

-- one row of each kind: BEFORE triggers phase by phase, then all AFTER ROW events in the order of the phases,
-- then the AFTER STATEMENT triggers in that order; the equal row fires nothing
INSERT INTO t VALUES (1, 'goes'), (2, 'old'), (3, 'same');
TRUNCATE log RESTART IDENTITY;
INSERT INTO s VALUES (2, 'new'), (3, 'same'), (4, 'comes');
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT seq, what, k FROM log ORDER BY seq;

-- nothing to do: no trigger at all
TRUNCATE log RESTART IDENTITY;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT seq, what, k FROM log ORDER BY seq;

-- rows for one phase only: the triggers of that phase only
UPDATE s SET v = 'newer' WHERE k = 2;
TRUNCATE log RESTART IDENTITY;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT seq, what, k FROM log ORDER BY seq;

INSERT INTO s VALUES (5, 'comes');
TRUNCATE log RESTART IDENTITY;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT seq, what, k FROM log ORDER BY seq;

DELETE FROM s WHERE k = 5;
TRUNCATE log RESTART IDENTITY;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT seq, what, k FROM log ORDER BY seq;

-- rows that actions and update_where leave out are not planned; neither are any in a dry run
UPDATE s SET v = 'newest' WHERE k = 2;
INSERT INTO s VALUES (6, 'comes');
TRUNCATE log RESTART IDENTITY;
SELECT * FROM bulk_sync('t', 's', scope => 'true', dry_run => true);
SELECT * FROM bulk_sync('t', 's', scope => 'true', update_where => 'target.v = ''never''', actions => '{update,delete}');
SELECT * FROM bulk_sync('t', 's', scope => 'true', actions => '{delete}');
SELECT count(*) FROM log;
-- neither are refused ones
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's', scope => 'true', expected_rows => 17);
\set VERBOSITY default
SELECT count(*) FROM log;

-- the order holds for many rows: uninterrupted runs of each event, in this order (of rows within a run no order is promised)
TRUNCATE s;
INSERT INTO t SELECT i, 'old' FROM generate_series(1001, 3000) i;
INSERT INTO s SELECT i, 'new' FROM generate_series(2001, 4000) i;
TRUNCATE log RESTART IDENTITY;
SELECT * FROM bulk_sync('t', 's', scope => 'k > 1000');
SELECT what, count(*), min(k), max(k)
  FROM (SELECT *, seq - row_number() OVER (PARTITION BY what ORDER BY seq) AS run FROM log) runs
 GROUP BY what, run ORDER BY min(seq);
DELETE FROM t WHERE k > 1000;
TRUNCATE s;
INSERT INTO s VALUES (2, 'newest'), (3, 'same'), (6, 'comes');

-- a mark is an UPDATE: one statement for the rows marked and the rows updated, none for DELETE
DELETE FROM s WHERE k IN (3, 6);
TRUNCATE log RESTART IDENTITY;
SELECT * FROM bulk_sync('t', 's', scope => 'true', soft_delete_column => 'gone');
SELECT what, array_agg(k ORDER BY k) AS keys FROM log GROUP BY what ORDER BY min(seq);
SELECT k, v, gone FROM t ORDER BY k;
-- only marking: still an UPDATE
TRUNCATE log RESTART IDENTITY;
TRUNCATE s;
SELECT * FROM bulk_sync('t', 's', scope => 'true', soft_delete_column => 'gone', allow_empty => true);
SELECT what, array_agg(k ORDER BY k) AS keys FROM log GROUP BY what ORDER BY min(seq);

-- an UPDATE sets the synced columns and no others: UPDATE OF triggers go by that
CREATE TRIGGER of_v AFTER UPDATE OF v ON t FOR EACH STATEMENT EXECUTE FUNCTION note('of v');
CREATE TRIGGER of_w AFTER UPDATE OF w ON t FOR EACH STATEMENT EXECUTE FUNCTION note('of w');
CREATE TRIGGER of_k AFTER UPDATE OF k ON t FOR EACH STATEMENT EXECUTE FUNCTION note('of k');
DELETE FROM t;
INSERT INTO t VALUES (1, 'a'), (2, 'b');
INSERT INTO s VALUES (1, 'A'), (2, 'b');
TRUNCATE log RESTART IDENTITY;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT seq, what, k FROM log ORDER BY seq;
DROP TRIGGER of_v ON t;
DROP TRIGGER of_w ON t;
DROP TRIGGER of_k ON t;

-- a row that a BEFORE trigger suppresses was planned: the statement triggers fire, the AFTER ROW trigger does not
CREATE FUNCTION suppress() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER c_row BEFORE INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION suppress();
TRUNCATE s;
INSERT INTO s VALUES (2, 'B'), (3, 'c');
TRUNCATE log RESTART IDENTITY;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT seq, what, k FROM log ORDER BY seq;
DROP TRIGGER c_row ON t;

-- a BEFORE STATEMENT trigger that fails, and an AFTER STATEMENT trigger that fails: nothing was done
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '% % fails', TG_WHEN, TG_OP; END $$;
CREATE TRIGGER z_fail BEFORE INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION fail();
CREATE TABLE before AS SELECT ctid AS old_ctid, xmin AS old_xmin, k FROM t;
\set VERBOSITY terse
SELECT * FROM bulk_sync('t', 's', scope => 'true');
DROP TRIGGER z_fail ON t;
CREATE TRIGGER z_fail AFTER DELETE ON t FOR EACH STATEMENT EXECUTE FUNCTION fail();
SELECT * FROM bulk_sync('t', 's', scope => 'true');
\set VERBOSITY default
SELECT k, t.ctid = old_ctid AND t.xmin = old_xmin AS untouched FROM t FULL JOIN before USING (k) ORDER BY k;
DROP TRIGGER z_fail ON t;

-- on a partitioned table they are those of the named table, and the rows fire those of their partition
CREATE TABLE p (k int PRIMARY KEY, v text) PARTITION BY RANGE (k);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20);
INSERT INTO p VALUES (1, 'goes'), (2, 'old'), (11, 'goes'), (12, 'old');
CREATE TRIGGER b_stmt BEFORE INSERT OR UPDATE OR DELETE ON p FOR EACH STATEMENT EXECUTE FUNCTION note();
CREATE TRIGGER a_stmt AFTER INSERT OR UPDATE OR DELETE ON p FOR EACH STATEMENT EXECUTE FUNCTION note();
CREATE TRIGGER part_stmt AFTER INSERT OR UPDATE OR DELETE ON p1 FOR EACH STATEMENT EXECUTE FUNCTION note('never');
CREATE TRIGGER part_row AFTER INSERT OR UPDATE OR DELETE ON p1 FOR EACH ROW EXECUTE FUNCTION note();
TRUNCATE s;
INSERT INTO s VALUES (2, 'new'), (12, 'new'), (3, 'comes'), (13, 'comes');
TRUNCATE log RESTART IDENTITY;
SELECT * FROM bulk_sync('p', 's', scope => 'true');
SELECT seq, what, k FROM log ORDER BY seq;

SET client_min_messages = warning;
DROP SCHEMA statement_triggers CASCADE;
