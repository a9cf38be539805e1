-- The guards that refuse a call before anything is written, and their order. Contract 1.4, 1.0.1; case 4
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA guards;
SET search_path = guards, public;

CREATE TABLE t (k int PRIMARY KEY, g int, v text);
CREATE TEMPORARY TABLE s (k int, g int, v text);
-- ten rows in scope, ten outside; six of the ten are staged: one changed, and one new
INSERT INTO t SELECT k, (k + 9) / 10, 'v' FROM generate_series(1, 20) AS k;
INSERT INTO s SELECT k, 1, CASE k WHEN 6 THEN 'changed' ELSE 'v' END FROM generate_series(1, 6) AS k;
INSERT INTO s VALUES (100, 1, 'new');
CREATE TEMPORARY TABLE before AS SELECT ctid AS at, xmin AS by, xmax AS until, k FROM t;
\set untouched 'SELECT count(*) AS untouched FROM t JOIN before USING (k) WHERE t.ctid = at AND t.xmin = by AND t.xmax = until;'

-- expected_rows: exactly that many staged rows, neither fewer nor more
SELECT * FROM bulk_sync('t', 's', scope => 'g = 1', expected_rows => 8);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM bulk_sync('t', 's', scope => 'g = 1', expected_rows => 6);
SELECT * FROM bulk_sync('t', 's', scope => 'g = 1', expected_rows => 0);
SELECT * FROM bulk_sync('t', 's', scope => 'g = 1', expected_rows => 9223372036854775807);
:untouched
SELECT * FROM bulk_sync('t', 's', scope => 'g = 1', expected_rows => 7, dry_run => true);
-- it counts what is staged, dropped duplicates included, and holds for every set of actions
INSERT INTO s VALUES (100, 1, 'new');
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's', scope => 'g = 1', duplicates => 'first', expected_rows => 7);
SELECT * FROM bulk_sync('t', 's', actions => '{update}', duplicates => 'first', expected_rows => 7);
\set VERBOSITY default
SELECT * FROM bulk_sync('t', 's', scope => 'g = 1', duplicates => 'first', expected_rows => 8, dry_run => true);
DELETE FROM s WHERE ctid = (SELECT max(ctid) FROM s);

-- max_deletes alone: four of ten would be deleted
SELECT * FROM bulk_sync('t', 's', scope => 'g = 1', max_deletes => 3);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM bulk_sync('t', 's', scope => 'g = 1', max_deletes => 0);
:untouched
SELECT deleted FROM bulk_sync('t', 's', scope => 'g = 1', max_deletes => 4, dry_run => true);
SELECT deleted FROM bulk_sync('t', 's', scope => 'g = 1', max_deletes => 9223372036854775807, dry_run => true);
-- max_delete_fraction alone: 0.4 is not more than 0.4
SELECT * FROM bulk_sync('t', 's', scope => 'g = 1', max_delete_fraction => 0.3);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM bulk_sync('t', 's', scope => 'g = 1', max_delete_fraction => 0.3999999);
SELECT * FROM bulk_sync('t', 's', scope => 'g = 1', max_delete_fraction => 0);
:untouched
SELECT deleted FROM bulk_sync('t', 's', scope => 'g = 1', max_delete_fraction => 0.4, dry_run => true);
SELECT deleted FROM bulk_sync('t', 's', scope => 'g = 1', max_delete_fraction => 1, dry_run => true);
-- the part of the rows in scope, not of the table
SELECT deleted FROM bulk_sync('t', 's', scope => 'true', columns => '{v}', max_delete_fraction => 0.7, dry_run => true);
\set VERBOSITY sqlstate
SELECT deleted FROM bulk_sync('t', 's', scope => 'true', columns => '{v}', max_delete_fraction => 0.69, dry_run => true);
\set VERBOSITY default
-- the quotient and the limit are compared in double precision: a third is not more than a third
CREATE TEMPORARY TABLE two AS SELECT generate_series(1, 2) AS k;
CREATE TABLE three (k int PRIMARY KEY);
INSERT INTO three VALUES (1), (2), (3);
SELECT deleted FROM bulk_sync('three', 'two', scope => 'true', max_delete_fraction => 1::float8 / 3, dry_run => true);
\set VERBOSITY sqlstate
SELECT deleted FROM bulk_sync('three', 'two', scope => 'true', max_delete_fraction => 0.33333333333333326, dry_run => true);
\set VERBOSITY default
-- -0 is 0
\set VERBOSITY sqlstate
SELECT deleted FROM bulk_sync('t', 's', scope => 'g = 1', max_delete_fraction => '-0', max_deletes => 100);
\set VERBOSITY default

-- Both: small tables may lose a large part, large ones many rows; refused when both are exceeded, or one of them is 0.
SELECT max_deletes, max_delete_fraction, (SELECT deleted FROM bulk_sync('t', 's', scope => 'g = 1', dry_run => true,
       max_deletes => m.max_deletes, max_delete_fraction => f.max_delete_fraction)) AS deleted
  FROM (VALUES (3), (4), (NULL)) AS m (max_deletes), (VALUES (0.3), (0.4), (NULL)) AS f (max_delete_fraction)
 WHERE m.max_deletes IS DISTINCT FROM 3 AND f.max_delete_fraction = 0.4 OR m.max_deletes = 4 OR f.max_delete_fraction = 0.4
       OR (m.max_deletes IS NULL AND f.max_delete_fraction IS NULL)
 ORDER BY 1, 2;
SELECT * FROM bulk_sync('t', 's', scope => 'g = 1', max_deletes => 3, max_delete_fraction => 0.3);
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's', scope => 'g = 1', max_deletes => 0, max_delete_fraction => 1);
SELECT * FROM bulk_sync('t', 's', scope => 'g = 1', max_deletes => 4, max_delete_fraction => 0);
SELECT * FROM bulk_sync('t', 's', scope => 'g = 1', max_deletes => 0, max_delete_fraction => 0);
\set VERBOSITY default
:untouched

-- A 0 lets a call pass that deletes nothing: because "delete" is no action, because nothing is stale, because the scope
-- is empty (0 of 0 rows is no part).
SELECT * FROM bulk_sync('t', 's', actions => '{insert,update}', max_deletes => 0, max_delete_fraction => 0, dry_run => true);
CREATE TEMPORARY TABLE all_staged AS TABLE t;
SELECT * FROM bulk_sync('t', 'all_staged', scope => 'true', max_deletes => 0, max_delete_fraction => 0);
CREATE TABLE nothing (LIKE t INCLUDING ALL);
SELECT * FROM bulk_sync('nothing', 's', scope => 'true', max_deletes => 0, max_delete_fraction => 0, dry_run => true);
CREATE TEMPORARY TABLE nothing_staged AS TABLE nothing;
SELECT * FROM bulk_sync('nothing', 'nothing_staged', scope => 'true', allow_empty => true, max_deletes => 0, max_delete_fraction => 0);

-- Nothing is staged: refused, however few rows there are to lose, unless "delete" is no action.
SELECT * FROM bulk_sync('t', 'nothing_staged', scope => 'true');
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('nothing', 'nothing_staged', scope => 'true');
SELECT * FROM bulk_sync('t', 'nothing_staged', scope => 'false');
SELECT * FROM bulk_sync('t', 'nothing_staged', scope => 'true', actions => '{delete}');
SELECT * FROM bulk_sync('t', 'nothing_staged', scope => 'true', expected_rows => 0);
SELECT * FROM bulk_sync('t', 'nothing_staged', scope => 'true', max_deletes => 100);
SELECT * FROM bulk_sync('t', 'nothing_staged', scope => 'true', dry_run => true);
-- allow_empty does not lift the other limits
SELECT * FROM bulk_sync('t', 'nothing_staged', scope => 'true', allow_empty => true, max_deletes => 19);
SELECT * FROM bulk_sync('t', 'nothing_staged', scope => 'true', allow_empty => true, max_delete_fraction => 0.99);
\set VERBOSITY default
SELECT * FROM bulk_sync('t', 'nothing_staged', actions => '{insert,update}');
SELECT * FROM bulk_sync('t', 'nothing_staged', scope => 'true', allow_empty => true, max_deletes => 20, max_delete_fraction => 1, dry_run => true);
:untouched

-- Under soft delete marks are deletes, and only live rows are counted.
CREATE TABLE soft (k int PRIMARY KEY, v text, gone boolean DEFAULT false);
INSERT INTO soft SELECT k, 'v', k > 6 FROM generate_series(1, 10) AS k;
CREATE TEMPORARY TABLE soft_staged AS SELECT k, v FROM soft WHERE k <= 3;
SELECT * FROM bulk_sync('soft', 'soft_staged', scope => 'true', soft_delete_column => 'gone', max_delete_fraction => 0.49);
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('soft', 'soft_staged', scope => 'true', soft_delete_column => 'gone', max_deletes => 2);
SELECT * FROM bulk_sync('soft', 'soft_staged', scope => 'true', soft_delete_column => 'gone', max_deletes => 0, max_delete_fraction => 1);
\set VERBOSITY default
SELECT * FROM bulk_sync('soft', 'soft_staged', scope => 'true', soft_delete_column => 'gone', max_deletes => 2, max_delete_fraction => 0.5);
-- again: nothing is left to be marked
SELECT * FROM bulk_sync('soft', 'soft_staged', scope => 'true', soft_delete_column => 'gone', max_deletes => 0, max_delete_fraction => 0);

-- Numbers that are none.
SELECT bulk_sync('t', 's', scope => 'true', expected_rows => -1);
SELECT bulk_sync('t', 's', scope => 'true', max_deletes => -1);
SELECT bulk_sync('t', 's', scope => 'true', max_delete_fraction => -0.1);
SELECT bulk_sync('t', 's', scope => 'true', max_delete_fraction => 1.1);
SELECT bulk_sync('t', 's', scope => 'true', max_delete_fraction => 'NaN');
\set VERBOSITY sqlstate
SELECT bulk_sync('t', 's', scope => 'true', max_delete_fraction => 'infinity');
SELECT bulk_sync('t', 's', scope => 'true', max_delete_fraction => '-infinity');
SELECT bulk_sync('t', 's', scope => 'true', max_deletes => -9223372036854775808);
SELECT bulk_sync('t', 's', actions => '{insert}', max_deletes => -1);
\set VERBOSITY default

SET client_min_messages = warning;
DROP SCHEMA guards CASCADE;
DROP TABLE s, two, before, all_staged, nothing_staged, soft_staged;
