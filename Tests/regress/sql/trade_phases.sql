-- Unique values go from row to row across the phases: from deleted rows to updated ones, round among those, and on to inserted
-- ones; in the scope, with each set of actions, under update_where, called again, and in one transaction with other changes.
-- Contract 1.3.6, 1.3.7, 1.3.3, 1.5; the numbers of dry_run, bulk_compare and bulk_sync_returning are those of bulk_sync
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA trade_phases;
SET search_path = trade_phases, public;

CREATE TABLE t (k int PRIMARY KEY, x int UNIQUE, area int NOT NULL DEFAULT 1);
CREATE TABLE s (k int, x int);
CREATE TABLE before (old_ctid tid, old_xmin xid, k int);
CREATE PROCEDURE fill(target int[], staged int[]) LANGUAGE sql AS $$
  TRUNCATE t, s, before;
  INSERT INTO t SELECT i, target[i] FROM generate_subscripts(target, 1) i WHERE target[i] IS NOT NULL;
  INSERT INTO s SELECT i, staged[i] FROM generate_subscripts(staged, 1) i WHERE staged[i] IS NOT NULL;
  INSERT INTO before SELECT ctid, xmin, k FROM t $$;
CREATE VIEW t_now AS SELECT t.k, t.x, t.ctid = old_ctid AND t.xmin = old_xmin AS untouched FROM t LEFT JOIN before USING (k);
\pset null new

-- 1 goes, 2 takes its value, 3 that of 2, and 5, which is new, that of 3; 4 is as it was
CALL fill('{1,2,3,4}', '{NULL,1,2,4,3}');
SELECT * FROM bulk_sync('t', 's', scope => 'true');
TABLE t_now ORDER BY k;
-- the same the other way round: the highest goes, each gets the next value, the lowest goes to a new row with a lower key
CALL fill('{NULL,2,3,4,5}', '{2,3,4,5}');
SELECT * FROM bulk_sync('t', 's', scope => 'true');
TABLE t_now ORDER BY k;
-- a cycle beside a value that is freed by a delete, one that is freed by an update, and an unchanged row
CALL fill('{1,2,3,4,5,6}', '{2,3,1,5,NULL,6,4}');
SELECT * FROM bulk_sync('t', 's', scope => 'true');
TABLE t_now ORDER BY k;
-- a second call finds nothing to do
SELECT * FROM bulk_sync('t', 's', scope => 'true');

-- dry_run and bulk_compare tell the same numbers and write nothing; bulk_sync_returning tells the rows, old and new
CALL fill('{1,2,3,4,5}', '{3,1,2,4,NULL,5}');
SELECT * FROM bulk_sync('t', 's', scope => 'true', dry_run => true);
SELECT action, count(*) FROM bulk_compare('t', 's', scope => 'true', include_unchanged => true) GROUP BY action ORDER BY action;
SELECT bool_and(untouched) FROM t_now;
\pset null ''
SELECT action, staged_row, key, changed_columns, old, new FROM bulk_sync_returning('t', 's', scope => 'true', include_unchanged => true)
  ORDER BY action <> 'delete', staged_row;
SELECT k, x FROM t ORDER BY k;

-- updates alone, and without deletes
\pset null new
CALL fill('{1,2,3}', '{2,1,NULL,9}');
SELECT * FROM bulk_sync('t', 's', actions => '{update}');
TABLE t_now ORDER BY k;
CALL fill('{1,2,3}', '{3,1,2,9}');
SELECT * FROM bulk_sync('t', 's', actions => '{insert,update}');
TABLE t_now ORDER BY k;
-- without updates nothing is traded, so that all is as it was
CALL fill('{1,2,3}', '{2,1,3}');
SELECT * FROM bulk_sync('t', 's', scope => 'true', actions => '{insert,delete}');
SELECT bool_and(untouched) FROM t_now;

-- rows outside the scope keep their versions; inside it a cycle, two rows that update_where leaves alone, with their values
CALL fill('{1,2,3,4,5,6}', '{2,3,1,5,4}');
UPDATE t SET area = 2 WHERE k = 6;
UPDATE before SET (old_ctid, old_xmin) = (SELECT ctid, xmin FROM t WHERE t.k = 6) WHERE k = 6;
SELECT * FROM bulk_sync('t', 's', scope => 'area = 1', update_where => 'target.k <= 3');
TABLE t_now ORDER BY k;

-- the new row that another column excludes is left out, as ignore_conflicts says; the trade takes place
CALL fill('{1,2,3}', '{2,1,3,3,9}');
SELECT * FROM bulk_sync('t', 's', scope => 'true', ignore_conflicts => true);
TABLE t_now ORDER BY k;

-- several in one transaction, with changes by hand between them, of rows that the transaction itself wrote
CALL fill('{1,2,3}', '{2,3,1}');
BEGIN;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SAVEPOINT again;
UPDATE s SET x = (ARRAY[3, 1, 2])[k];
SELECT * FROM bulk_sync('t', 's', scope => 'true');
ROLLBACK TO again;
UPDATE t SET x = 10 WHERE k = 3;
UPDATE s SET x = (ARRAY[10, 2, 3])[k];
SELECT * FROM bulk_sync('t', 's', scope => 'true');
COMMIT;
SELECT k, x FROM t ORDER BY k;
-- the index knows each row by its value, and by no other
SET enable_seqscan = off;
SELECT string_agg(k::text, ' ' ORDER BY x) AS found FROM (SELECT k, x FROM t WHERE x = ANY ('{1,2,3,10}')) f;
RESET enable_seqscan;

SET client_min_messages = warning;
DROP SCHEMA trade_phases CASCADE;
