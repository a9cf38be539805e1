-- Exclusion constraints are as in ordinary DML: deletes free a place for what comes after, a conflict that is left is
-- 23P01 and undoes the call, a deferrable constraint looks at the end, and ignore_conflicts skips a new row.
-- Contract 1.3.5, 1.3.6, 1.3.7, 1.3.8
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA exclusion_constraints;
SET search_path = exclusion_constraints, public;

CREATE TABLE t (k int PRIMARY KEY, during int4range, area int NOT NULL DEFAULT 1,
  CONSTRAINT no_overlap EXCLUDE USING gist (during WITH &&));
CREATE TABLE s (k int, during int4range);
CREATE TABLE before (old_ctid tid, old_xmin xid, k int);
CREATE FUNCTION remember() RETURNS void LANGUAGE sql AS $$
  DELETE FROM before; INSERT INTO before SELECT ctid, xmin, k FROM t $$;
CREATE FUNCTION untouched() RETURNS boolean LANGUAGE sql AS $$
  SELECT count(*) = (SELECT count(*) FROM before)
     AND count(*) = count(*) FILTER (WHERE t.ctid = old_ctid AND t.xmin = old_xmin)
    FROM t LEFT JOIN before USING (k) $$;

-- 1 goes, 2 moves into its place, 4 takes the one that 2 had
INSERT INTO t VALUES (1, '[0,10)'), (2, '[10,20)'), (3, '[20,30)');
INSERT INTO s VALUES (2, '[1,9)'), (3, '[20,30)'), (4, '[9,20)');
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT k, during FROM t ORDER BY k;

-- a new row against a kept one, two new ones against each other, a changed one against one outside the scope
SELECT remember();
\set VERBOSITY sqlstate
INSERT INTO s VALUES (5, '[25,26)');
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT untouched();
DELETE FROM s WHERE k IN (3, 5);
INSERT INTO s VALUES (5, '[25,27)'), (6, '[26,28)');
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT untouched();
TRUNCATE s;
INSERT INTO s VALUES (3, '[19,21)');
UPDATE t SET area = 2 WHERE k = 4;
SELECT remember();
SELECT * FROM bulk_sync('t', 's', scope => 'area = 1');
SELECT untouched();
\set VERBOSITY default

-- ignore_conflicts skips a new row that overlaps, and only new ones; two new rows that exclude each other: one is written
TRUNCATE s;
INSERT INTO s VALUES (2, '[1,9)'), (3, '[20,30)'), (4, '[9,20)'), (5, '[25,26)'), (6, '[40,42)'), (7, '[41,43)');
SELECT * FROM bulk_sync('t', 's', scope => 'true', ignore_conflicts => true);
SELECT count(*), count(*) FILTER (WHERE k IN (6, 7)) AS one_of_two FROM t;
TRUNCATE s;
INSERT INTO s VALUES (2, '[1,29)');
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's', actions => '{insert,update}', ignore_conflicts => true);
\set VERBOSITY default

-- deferrable: every interval moves by five, through its neighbour's old place; the end of the call decides
ALTER TABLE t DROP CONSTRAINT no_overlap;
ALTER TABLE t ADD CONSTRAINT no_overlap EXCLUDE USING gist (during WITH &&) DEFERRABLE INITIALLY IMMEDIATE;
DELETE FROM t;
TRUNCATE s;
INSERT INTO t SELECT i, int4range(10 * i, 10 * i + 10) FROM generate_series(1, 500) i;
INSERT INTO s SELECT i, int4range(10 * i + 5, 10 * i + 15) FROM generate_series(1, 500) i;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT bool_and(during = int4range(10 * k + 5, 10 * k + 15)) AS moved FROM t;
-- and refuses what overlaps then
UPDATE s SET during = '[0,100)' WHERE k = 1;
SELECT remember();
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT untouched();

-- INITIALLY DEFERRED: COMMIT does
ALTER TABLE t DROP CONSTRAINT no_overlap;
ALTER TABLE t ADD CONSTRAINT no_overlap EXCLUDE USING gist (during WITH &&) DEFERRABLE INITIALLY DEFERRED;
SELECT remember();
BEGIN;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
COMMIT;
\set VERBOSITY default
SELECT untouched();

-- an exclusion constraint with = is a unique constraint to the eye, with a predicate a partial one
CREATE TABLE eq (k int PRIMARY KEY, x int4range, live boolean, EXCLUDE USING gist (x WITH =) WHERE (live));
CREATE TABLE eq_s (k int, x int4range, live boolean);
INSERT INTO eq VALUES (1, '[1,2)', true), (2, '[1,2)', false), (3, '[3,4)', true);
INSERT INTO eq_s VALUES (1, '[1,2)', false), (2, '[1,2)', false), (4, '[1,2)', true), (5, '[3,4)', true);
SELECT * FROM bulk_sync('eq', 'eq_s', scope => 'true');
TABLE eq ORDER BY k;

SET client_min_messages = warning;
DROP SCHEMA exclusion_constraints CASCADE;
