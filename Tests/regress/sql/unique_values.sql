-- Unique values other than the key: deletes free them for the rows that come, and what stays taken is an
-- ordinary unique_violation that leaves the target as it was.
-- Contract 1.3.6, 1.3.8, 1.3.7 (a violated constraint fails atomically); cases 94, 95, 97, 98, 253
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA unique_values;
SET search_path = unique_values, public;

CREATE TABLE t (k int PRIMARY KEY, x int UNIQUE, area int NOT NULL DEFAULT 1);
CREATE TABLE s (k int, x int);
CREATE TABLE before (old_ctid tid, old_xmin xid, k int);
-- what a failed call must leave behind: every row the same version, none more, none less
CREATE FUNCTION untouched() RETURNS boolean LANGUAGE sql AS $$
  SELECT count(*) = (SELECT count(*) FROM before)
     AND count(*) = count(*) FILTER (WHERE t.ctid = old_ctid AND t.xmin = old_xmin)
    FROM t LEFT JOIN before USING (k) $$;
CREATE FUNCTION remember() RETURNS void LANGUAGE sql AS $$
  DELETE FROM before; INSERT INTO before SELECT ctid, xmin, k FROM t $$;

-- a row goes and a new one takes its unique value: the delete comes before the insert (case 94)
INSERT INTO t VALUES (1, 100);
INSERT INTO s VALUES (3, 100);
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT k, x FROM t ORDER BY k;

-- a row goes and a kept one takes its unique value: the delete comes before the update (case 95)
TRUNCATE t, s;
INSERT INTO t VALUES (1, 100), (2, 200);
INSERT INTO s VALUES (2, 100);
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT k, x FROM t ORDER BY k;

-- a kept row gives its value up and a new row takes it: the update comes before the insert
TRUNCATE t, s;
INSERT INTO t VALUES (1, 100), (2, 200);
INSERT INTO s VALUES (1, 101), (2, 200), (3, 100);
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT k, x FROM t ORDER BY k;

-- all three at once: 1 goes, 2 takes its value, 4 takes the one that 2 had; at any size
TRUNCATE t, s;
INSERT INTO t SELECT i, i FROM generate_series(1, 3000) i;
INSERT INTO s SELECT i, i - 1000 FROM generate_series(1001, 2000) i
   UNION ALL SELECT i, i - 2000 FROM generate_series(3001, 4000) i;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT count(*), min(k), max(k), min(x), max(x) FROM t;

-- two staged rows with the same value of another unique column: an error, never a row left out (case 97)
TRUNCATE t, s;
INSERT INTO t VALUES (1, 1), (2, 2), (9, 9);
INSERT INTO s VALUES (1, 7), (3, 5), (4, 5);
SELECT remember();
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT untouched();

-- the value is taken by a row outside the scope, which counts like any other: for an insert and for an update (case 98)
TRUNCATE t, s;
INSERT INTO t VALUES (1, 100, 1), (2, 200, 1), (3, 300, 2);
SELECT remember();
INSERT INTO s VALUES (1, 100), (4, 300);
SELECT * FROM bulk_sync('t', 's', scope => 'area = 1');
SELECT untouched();
TRUNCATE s;
INSERT INTO s VALUES (2, 300);
SELECT * FROM bulk_sync('t', 's', scope => 'area = 1');
SELECT untouched();
-- without delete among the actions the stale row stays, and so does its value
TRUNCATE s;
INSERT INTO s VALUES (2, 100);
SELECT * FROM bulk_sync('t', 's', actions => '{insert,update}');
SELECT untouched();
-- a soft-deleted row keeps its value as well
CREATE TABLE soft (k int PRIMARY KEY, x int UNIQUE, gone boolean NOT NULL DEFAULT false);
INSERT INTO soft VALUES (1, 100), (2, 200);
SELECT * FROM bulk_sync('soft', 's', scope => 'true', soft_delete_column => 'gone');
TABLE soft ORDER BY k;
\set VERBOSITY default
-- unless the index is about the live rows only
ALTER TABLE soft DROP CONSTRAINT soft_x_key;
CREATE UNIQUE INDEX soft_live ON soft (x) WHERE NOT gone;
SELECT * FROM bulk_sync('soft', 's', scope => 'true', soft_delete_column => 'gone');
TABLE soft ORDER BY k;

-- a planned number does not look at the unique index: the dry run of a call that will fail
TRUNCATE t, s;
INSERT INTO t VALUES (1, 100, 2);
INSERT INTO s VALUES (2, 100);
SELECT * FROM bulk_sync('t', 's', scope => 'area = 1', dry_run => true);

-- a conflicting new row is an error by default, even if it equals the key of a row outside the scope
TRUNCATE s;
INSERT INTO s VALUES (1, 1);
SELECT remember();
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's', scope => 'area = 1');
SELECT untouched();

\set VERBOSITY terse
-- caught in PL/pgSQL (case 253) the failed call leaves nothing, and the transaction goes on
DO $$
BEGIN
  PERFORM bulk_sync('t', 's', scope => 'area = 1');
EXCEPTION WHEN unique_violation THEN
  RAISE NOTICE 'caught, untouched: %', untouched();
END $$;
\set VERBOSITY default

-- rows that trade values are not half applied when the constraint still forbids the state the call ends in
TRUNCATE t, s;
INSERT INTO t VALUES (1, 1), (2, 2), (3, 3);
INSERT INTO s VALUES (1, 2), (2, 1), (3, 1);
SELECT remember();
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT untouched();
\set VERBOSITY default

SET client_min_messages = warning;
DROP SCHEMA unique_values CASCADE;
