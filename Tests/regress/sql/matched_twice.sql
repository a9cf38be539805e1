-- A staged row that matches two target rows is an error, always: there is no telling which one is meant. Only
-- rows in scope are matched. Contract 1.1.3, 1.1.5, 1.4; case 28
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA matched_twice;
SET search_path = matched_twice, public;

CREATE TABLE t (k int, v int, g int);
CREATE TABLE s (k int, v int, g int);
INSERT INTO t VALUES (1, 1, 1), (2, 2, 1), (2, 3, 1), (4, 4, 1);
INSERT INTO s VALUES (1, 10, 1), (2, 2, 1), (3, 3, 1);
CREATE TABLE before AS SELECT t.ctid AS old_ctid, t.xmin AS old_xmin, * FROM t;

SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
-- Always: that one of the two is equal, or that both are, makes no difference; nor do the actions,
-- update_where, the policy for duplicates, or a dry run.
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's', '{k}', actions => '{insert}');
SELECT * FROM bulk_sync('t', 's', '{k}', actions => '{update}');
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true', actions => '{delete}');
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true', update_where => 'false');
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true', duplicates => 'first');
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true', columns => '{k}');
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true', dry_run => true);
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true', ignore_conflicts => true);
\set VERBOSITY default
SELECT t.ctid = old_ctid AND t.xmin = old_xmin AS untouched FROM t JOIN before USING (k, v) ORDER BY k, v;
-- Before it comes the error of duplicates, after it those of the scope and of the deletes.
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'v < 10');
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true', max_deletes => 0);
\set VERBOSITY default
INSERT INTO s VALUES (1, 11, 1);
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
-- A duplicate that is dropped still leaves one row, and that one matches two.
INSERT INTO s VALUES (2, 20, 1);
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true', duplicates => 'last');

-- The second row lies outside the scope: it is none of ours, and stays as it is.
UPDATE t SET g = 2 WHERE v = 3;
TRUNCATE s, before;
INSERT INTO s VALUES (1, 10, 1), (2, 20, 1), (3, 3, 1);
INSERT INTO before SELECT t.ctid, t.xmin, * FROM t;
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'g = 1');
SELECT * FROM t ORDER BY k, v;
SELECT t.ctid = old_ctid AND t.xmin = old_xmin AND t.xmax = '0' AS untouched FROM t JOIN before USING (k, v, g);
-- The key that tells the two apart matches both rows.
INSERT INTO s VALUES (2, 30, 2);
SELECT * FROM bulk_sync('t', 's', '{k,g}', scope => 'true');
SELECT * FROM t ORDER BY k, g;

-- Rows that became equal by a column's type: two stored images, one key.
CREATE TABLE n (k numeric, v int);
CREATE TEMPORARY TABLE n_staged (k numeric, v int);
INSERT INTO n VALUES (1.0, 1), (1.00, 2), (2, 3);
INSERT INTO n_staged VALUES (1, 1), (2, 4);
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('n', 'n_staged', '{k}', scope => 'true');
\set VERBOSITY default
DELETE FROM n_staged WHERE k = 1;
-- Two stored rows of one key that nobody staged are simply two stale rows.
SELECT * FROM bulk_sync('n', 'n_staged', '{k}', scope => 'true');
SELECT * FROM n;

-- In an inheritance tree and in a partitioned table the two may lie in different tables.
CREATE TABLE parent (k int, v int);
CREATE TABLE child () INHERITS (parent);
INSERT INTO parent VALUES (1, 1), (2, 2);
INSERT INTO child VALUES (1, 3), (3, 3);
CREATE TEMPORARY TABLE one (k int, v int);
INSERT INTO one VALUES (1, 1);
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('parent', 'one', '{k}', scope => 'true');
\set VERBOSITY default
-- Children take part, as in UPDATE without ONLY: the row of the child is updated in place, another deleted.
UPDATE one SET k = 3;
SELECT * FROM bulk_sync('parent', 'one', '{k}', scope => 'k > 1');
SELECT tableoid::regclass, * FROM parent ORDER BY k, v;
CREATE TABLE parted (k int, p int, v int) PARTITION BY LIST (p);
CREATE TABLE parted1 PARTITION OF parted FOR VALUES IN (1);
CREATE TABLE parted2 PARTITION OF parted FOR VALUES IN (2);
INSERT INTO parted VALUES (1, 1, 1), (1, 2, 2);
CREATE TEMPORARY TABLE part_staged (k int, p int, v int);
INSERT INTO part_staged VALUES (1, 1, 7);
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('parted', 'part_staged', '{k}', scope => 'true');
\set VERBOSITY default
SELECT * FROM bulk_sync('parted', 'part_staged', '{k}', scope => 'p = 1');
SELECT tableoid::regclass, * FROM parted ORDER BY p;

-- A large number of such keys is as good as one, and the first large table after the error is none the worse.
CREATE TABLE many AS SELECT i % 5000 AS k, i AS v FROM generate_series(0, 9999) i;
CREATE TEMPORARY TABLE many_staged AS SELECT i AS k, i AS v FROM generate_series(0, 4999) i;
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('many', 'many_staged', '{k}', scope => 'true');
\set VERBOSITY default
SELECT * FROM bulk_sync('many', 'many_staged', '{k}', scope => 'v < 5000');
SELECT * FROM bulk_sync('many', 'many_staged', '{k,v}', scope => 'true');

SET client_min_messages = warning;
DROP SCHEMA matched_twice CASCADE;
DROP TABLE n_staged, one, part_staged, many_staged;
