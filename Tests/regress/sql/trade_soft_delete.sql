-- Rows that are marked as deleted give their place in a partial unique index of the live ones to others, rows that are revived take
-- a place, and both trade with rows that are updated. The state after marks and updates decides.
-- Contract 1.3.7, 1.3.9, 1.3.6
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA trade_soft_delete;
SET search_path = trade_soft_delete, public;
\set SHOW_CONTEXT never

CREATE TABLE t (k int PRIMARY KEY, x int, deleted_at timestamptz);
CREATE UNIQUE INDEX live ON t (x) WHERE deleted_at IS NULL;
CREATE TABLE s (k int, x int);
CREATE TABLE before (k int, old_ctid tid, old_xmin xid);
-- the values of rows 1, 2, ... of the target, of those that are marked, too; and of the staged rows
CREATE PROCEDURE fill(target int[], marked int[], staged int[]) LANGUAGE sql AS $$
  TRUNCATE t, s, before;
  INSERT INTO t SELECT i, target[i], CASE WHEN i = ANY (marked) THEN 'epoch'::timestamptz END FROM generate_subscripts(target, 1) i;
  INSERT INTO s SELECT i, staged[i] FROM generate_subscripts(staged, 1) i WHERE staged[i] IS NOT NULL;
  INSERT INTO before SELECT k, ctid, xmin FROM t $$;
CREATE VIEW t_now AS SELECT t.k, x, deleted_at IS NULL AS live, t.ctid = old_ctid AND t.xmin = old_xmin AS untouched FROM t LEFT JOIN before USING (k);

-- 1 is marked and 2 takes its value, which gives its own to 3, which is revived; 4 is live and 5 marked, as they were
CALL fill('{1,2,7,4,4}', '{3,5}', '{NULL,1,2,4}');
SELECT * FROM bulk_sync('t', 's', scope => 'true', soft_delete_column => 'deleted_at');
TABLE t_now ORDER BY k;
-- the other way round, so that each meets its predecessor in the order of the rows
CALL fill('{7,2,3,3}', '{1,4}', '{2,3}');
SELECT * FROM bulk_sync('t', 's', scope => 'true', soft_delete_column => 'deleted_at');
TABLE t_now ORDER BY k;
-- a revived row comes back with the value that it had, which a live one had meanwhile; live ones trade beside it
CALL fill('{1,1,3,4}', '{1}', '{1,3,4,5}');
SELECT * FROM bulk_sync('t', 's', scope => 'true', soft_delete_column => 'deleted_at');
TABLE t_now ORDER BY k;
-- all revived in a circle, of values that they did not have, and a new row with that of the one that goes
CALL fill('{1,2,3,9}', '{1,2,3}', '{2,3,1,NULL,9}');
SELECT * FROM bulk_sync('t', 's', scope => 'true', soft_delete_column => 'deleted_at');
TABLE t_now ORDER BY k;
SELECT * FROM bulk_sync('t', 's', scope => 'true', soft_delete_column => 'deleted_at');

-- violations: revived with the value of a live row; two revived with one value; without a mark for the stale one
CALL fill('{1,2,3}', '{1}', '{2,2,3}');
SELECT * FROM bulk_sync('t', 's', scope => 'true', soft_delete_column => 'deleted_at');
CALL fill('{1,2,3}', '{1,2}', '{5,5,3}');
SELECT * FROM bulk_sync('t', 's', scope => 'true', soft_delete_column => 'deleted_at');
CALL fill('{1,2,3}', '{1}', '{3,2}');
SELECT * FROM bulk_sync('t', 's', actions => '{insert,update}', soft_delete_column => 'deleted_at');
TABLE t_now ORDER BY k;
-- an index on all rows: a marked one keeps its value, unless it is revived with another one
DROP INDEX live;
CREATE UNIQUE INDEX every ON t (x);
CALL fill('{1,2,3}', '{1}', '{2,1}');
SELECT * FROM bulk_sync('t', 's', scope => 'true', soft_delete_column => 'deleted_at');
TABLE t_now ORDER BY k;
CALL fill('{1,2,3}', '{1}', '{NULL,1,2}');
SELECT * FROM bulk_sync('t', 's', scope => 'true', soft_delete_column => 'deleted_at');
-- both kinds of places at once: the dead have their own, by an index of theirs
DROP INDEX every;
CREATE UNIQUE INDEX live ON t (x) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX dead ON t (x) WHERE deleted_at IS NOT NULL;
CALL fill('{1,1,2,2}', '{2,4}', '{NULL,1,NULL,2}');
SELECT * FROM bulk_sync('t', 's', scope => 'true', soft_delete_column => 'deleted_at');
TABLE t_now ORDER BY k;

SET client_min_messages = warning;
DROP SCHEMA trade_soft_delete CASCADE;
