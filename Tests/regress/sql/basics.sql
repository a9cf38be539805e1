-- The smallest complete calls: counts, and rows that must stay as they were. Contract 1, 1.0.1, 1.0.5, 1.3.1, 1.3.4, 1.4, 1.5;
-- cases 1, 2, 4, 5, 16, 17, 22, 23, 317
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA basics;
SET search_path = basics, public;

CREATE TABLE t (k int PRIMARY KEY, v text);
CREATE TEMPORARY TABLE s (k int, v text);
INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c');
INSERT INTO s VALUES (2, 'b'), (3, 'changed'), (4, 'd');
CREATE TEMPORARY TABLE before AS SELECT ctid AS old_ctid, xmin AS old_xmin, * FROM t;

SELECT * FROM bulk_sync('t', 's', scope => 'true');
TABLE t ORDER BY k;
-- the equal row is the same version
SELECT k, t.ctid = old_ctid AND t.xmin = old_xmin AS untouched
  FROM t JOIN before USING (k) ORDER BY k;

-- the same again finds nothing to do: no row version, no lock on a row, no tuple counted as written
CREATE TEMPORARY TABLE again AS SELECT ctid AS old_ctid, xmin AS old_xmin, xmax AS old_xmax, * FROM t;
SELECT pg_stat_force_next_flush();
BEGIN;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT n_tup_ins + n_tup_upd + n_tup_del AS written FROM pg_stat_xact_user_tables WHERE relid = 't'::regclass;
COMMIT;
SELECT k, t.ctid = old_ctid AND t.xmin = old_xmin AND t.xmax = old_xmax AS untouched
  FROM t JOIN again USING (k) ORDER BY k;

-- the call of everyday use: the key by position, the scope by name
CREATE TABLE employee (company_id int, name text, salary numeric, UNIQUE (company_id, name));
CREATE TEMPORARY TABLE employee_staged AS SELECT 501 AS company_id, name, 10 AS salary FROM unnest('{ann,bob}'::text[]) AS name;
INSERT INTO employee VALUES (501, 'ann', 9), (501, 'carl', 9), (502, 'dora', 9);
SELECT * FROM bulk_sync('employee', 'employee_staged', '{name}', scope => 'company_id = 501');
TABLE employee ORDER BY company_id, name;

-- a first load: the target is empty
TRUNCATE t;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
TABLE t ORDER BY k;

-- nothing staged: refused when rows could be deleted, so that a COPY that loaded nothing does no harm
TRUNCATE s;
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's', scope => 'true');
\set VERBOSITY default
SELECT count(*) FROM t;
SELECT * FROM bulk_sync('t', 's', scope => 'true', allow_empty => true);
SELECT count(*) FROM t;
-- both empty
SELECT * FROM bulk_sync('t', 's', scope => 'true', allow_empty => true);

-- A column that is not staged keeps its value on update and takes its default on insert; a staged NULL is a value, not
-- a request for the default.
CREATE TABLE d (k int PRIMARY KEY, v text DEFAULT 'default', w text DEFAULT 'default', n text NOT NULL DEFAULT 'default');
INSERT INTO d VALUES (1, 'a', 'mine', 'n');
INSERT INTO s VALUES (1, 'b'), (2, NULL);
SELECT * FROM bulk_sync('d', 's', scope => 'true');
TABLE d ORDER BY k;
-- the same by way of "columns": v is staged and not synced
UPDATE s SET k = k + 1, v = 'not synced';
SELECT * FROM bulk_sync('d', 's', scope => 'true', columns => '{k}');
TABLE d ORDER BY k;
-- so NULL in a NOT NULL column is refused, default or not
CREATE TEMPORARY TABLE null_staged AS SELECT 1 AS k, NULL::text AS n;
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('d', 'null_staged', scope => 'true');
\set VERBOSITY default
TABLE d ORDER BY k;

-- three calls in one statement are three calls: the planner may not fold them into one
TRUNCATE t;
SELECT staged_rows, inserted, unchanged
  FROM generate_series(1, 3) AS i, LATERAL bulk_sync('t', 's', scope => CASE WHEN i > 0 THEN 'true' END)
 ORDER BY inserted DESC;
SELECT provolatile, proparallel, proisstrict FROM pg_proc WHERE oid::regproc::text = 'bulk_sync';
-- in the target list, with LIMIT, in a CTE: the whole sync is done
TRUNCATE t;
SELECT bulk_sync('t', 's', scope => 'true') LIMIT 1;
SELECT count(*) FROM t;
TRUNCATE t;
WITH done AS MATERIALIZED (SELECT * FROM bulk_sync('t', 's', scope => 'true'))
SELECT inserted, (SELECT count(*) FROM done) AS results FROM done;
SELECT count(*) FROM t;

-- positional arguments, in the order of the documentation
SELECT * FROM bulk_sync('t', 's', '{k}', 'k > 0', '{"v": "not synced"}', '{k}', '{insert,update,delete}', '{k,v}', '{}', '{}',
                        '{}', '{}', 'true', NULL, 'error', NULL, false, 2, false, 0, 0.0, 'share update exclusive', true);

-- NULL for an optional argument is its default
SELECT * FROM bulk_sync('t', 's', key_columns => NULL, scope => 'true', scope_values => NULL, scope_columns => NULL,
                        actions => NULL, columns => NULL, insert_only_columns => NULL, touch_columns => NULL,
                        fill_columns => NULL, keep_columns => NULL, update_where => NULL, soft_delete_column => NULL,
                        duplicates => NULL, order_column => NULL, ignore_conflicts => NULL, expected_rows => NULL,
                        allow_empty => NULL, max_deletes => NULL, max_delete_fraction => NULL, lock_mode => NULL);

-- wrong arguments: nothing is done and nothing is locked
BEGIN;
\set ON_ERROR_ROLLBACK on
\set VERBOSITY sqlstate
SELECT bulk_sync(NULL, 's', scope => 'true');
SELECT bulk_sync('t', NULL, scope => 'true');
SELECT bulk_sync('t', 's', scope => 'true', dry_run => NULL);
SELECT bulk_sync('t', 's', '{}', scope => 'true');
SELECT bulk_sync('t', 's', '{NULL}', scope => 'true');
SELECT bulk_sync('t', 's', '{k,k}', scope => 'true');
SELECT bulk_sync('t', 's', '{nope}', scope => 'true');
SELECT bulk_sync('t', 's', '{K}', scope => 'true');
SELECT bulk_sync('t', 's', '{ctid}', scope => 'true');
SELECT bulk_sync('t', 't', scope => 'true');
\set VERBOSITY default
SELECT DISTINCT mode FROM pg_locks WHERE relation = 't'::regclass AND pid = pg_backend_pid() AND mode <> 'AccessShareLock';
\set ON_ERROR_ROLLBACK off
COMMIT;
-- no key at all
CREATE TABLE keyless (k int, v text);
\set VERBOSITY sqlstate
SELECT bulk_sync('keyless', 's', scope => 'true');
\set VERBOSITY default
-- without a key every staged row is inserted, equal rows too
INSERT INTO s VALUES (2, 'not synced');
SELECT * FROM bulk_sync('keyless', 's', '{}', actions => '{insert}');
SELECT * FROM bulk_sync('keyless', 's', '{}', actions => '{insert}');
SELECT k, count(*) FROM keyless GROUP BY k ORDER BY k;

SET client_min_messages = warning;
DROP SCHEMA basics CASCADE;
DROP TABLE s, before, again, employee_staged, null_staged;
