-- The argument "scope_columns": the groups that occur among the staged rows. Contract 1.0.2, 1.0.3, 1.2.1, 1.2.4, 1.2.5, 1.6
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA scope_columns;
SET search_path = scope_columns, public;

CREATE TABLE t (k int PRIMARY KEY, g int, h text, v text);
CREATE TEMPORARY TABLE s (k int, g int, h text, v text);
CREATE TEMPORARY TABLE before (at tid, by xid, until xid, k int);
\set fill 'TRUNCATE t, before; INSERT INTO t VALUES (1, 1, \'x\', \'a\'), (2, 1, \'y\', \'b\'), (3, 2, \'x\', \'c\'), (4, 2, \'y\', \'d\'), (5, NULL, \'x\', \'e\'), (6, NULL, NULL, \'f\'); INSERT INTO before SELECT ctid, xmin, xmax, k FROM t;'
\set untouched 'SELECT array_agg(k ORDER BY k) AS untouched FROM t JOIN before USING (k) WHERE t.ctid = at AND t.xmin = by AND t.xmax = until;'

-- Only the groups that are staged are described: rows of other groups, and of no group, stay.
:fill
INSERT INTO s VALUES (1, 1, 'x', 'A'), (7, 3, 'x', 'new group');
SELECT * FROM bulk_sync('t', 's', scope_columns => '{g}');
TABLE t ORDER BY k;
:untouched
SELECT * FROM bulk_sync('t', 's', scope_columns => '{g}');

-- NULL is a group of its own.
:fill
TRUNCATE s;
INSERT INTO s VALUES (5, NULL, 'x', 'E');
SELECT * FROM bulk_sync('t', 's', scope_columns => '{g}');
:untouched

-- Several columns are one group: (1, x) and (2, y) do not make (1, y); NULL in one of them is part of the group.
:fill
TRUNCATE s;
INSERT INTO s VALUES (11, 1, 'x', 'A'), (14, 2, 'y', 'D'), (16, NULL, NULL, 'F');
SELECT * FROM bulk_sync('t', 's', scope_columns => '{g,h}');
TABLE t ORDER BY k;
:untouched

-- Groups are told apart as the target column's type does, after conversion.
CREATE TABLE typed (k int PRIMARY KEY, g numeric(6,1), c char(3));
CREATE TEMPORARY TABLE typed_staged (k int, g text, c text);
INSERT INTO typed VALUES (1, 1.0, 'a'), (2, 1.0, 'b'), (3, 2.0, 'a');
INSERT INTO typed_staged VALUES (1, '1', 'a  '), (4, '0.96', 'a');
SELECT * FROM bulk_sync('typed', 'typed_staged', scope_columns => '{g}', dry_run => true);
SELECT * FROM bulk_sync('typed', 'typed_staged', scope_columns => '{c,g}');
TABLE typed ORDER BY k;

-- The groups of dropped duplicates count: their feed was complete.
:fill
TRUNCATE s;
INSERT INTO s VALUES (1, 1, 'x', 'first'), (1, 2, 'x', 'last');
SELECT * FROM bulk_sync('t', 's', scope_columns => '{g}', duplicates => 'first');
TABLE t ORDER BY k;
:fill
SELECT * FROM bulk_sync('t', 's', scope_columns => '{g}', duplicates => 'last');
TABLE t ORDER BY k;

-- A row may move from one staged group to another; from a group that is not staged it cannot be taken: there it is not
-- matched, and its key is in the way as that of any other row is (23505: no retry would help).
:fill
TRUNCATE s;
INSERT INTO s VALUES (1, 2, 'x', 'moved'), (2, 1, 'y', 'b');
SELECT * FROM bulk_sync('t', 's', scope_columns => '{g}');
TABLE t ORDER BY k;
:fill
DELETE FROM s WHERE k = 2;
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's', scope_columns => '{g}');
\set VERBOSITY default
:untouched
SELECT * FROM bulk_sync('t', 's', scope_columns => '{g}', ignore_conflicts => true);
:untouched

-- Nothing staged is no group: nothing can be deleted, but the guard speaks first.
:fill
TRUNCATE s;
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's', scope_columns => '{g}');
\set VERBOSITY default
SELECT * FROM bulk_sync('t', 's', scope_columns => '{g}', allow_empty => true);
:untouched

-- With other scope arguments: all must hold. A staged row of a group is refused where it fails the other.
:fill
INSERT INTO s VALUES (1, 1, 'x', 'A'), (3, 2, 'x', 'C');
SELECT * FROM bulk_sync('t', 's', scope => 'h = ''x''', scope_columns => '{g}');
:untouched
:fill
SELECT * FROM bulk_sync('t', 's', scope_values => '{"h": "x"}', scope_columns => '{g}', scope => 'k <> 5');
:untouched
:fill
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's', scope => 'g = 1', scope_columns => '{g}');
SELECT * FROM bulk_sync('t', 's', scope_values => '{"g": 1}', scope_columns => '{g}');
\set VERBOSITY default
:untouched
-- and all three name the same column
DELETE FROM s WHERE g = 2;
SELECT * FROM bulk_sync('t', 's', scope => 'g > 0', scope_values => '{"g": 1}', scope_columns => '{g}');
:untouched

-- Without deletes the groups limit what is matched.
:fill
TRUNCATE s;
INSERT INTO s VALUES (1, 1, 'x', 'A'), (8, 1, 'x', 'H');
SELECT * FROM bulk_sync('t', 's', actions => '{insert,update}', scope_columns => '{g}');
:untouched

-- A scope column that is not written: on an update the target keeps its own, which was in scope.
:fill
TRUNCATE s;
INSERT INTO s VALUES (1, 2, 'x', 'A'), (2, 1, 'y', 'b');
SELECT * FROM bulk_sync('t', 's', scope_columns => '{g}', insert_only_columns => '{g}');
TABLE t ORDER BY k;

-- A key column may be the group: then nothing is stale.
:fill
TRUNCATE s;
INSERT INTO s VALUES (1, 1, 'x', 'A'), (2, 1, 'y', 'b');
SELECT * FROM bulk_sync('t', 's', scope_columns => '{k}');
:untouched

-- The columns must be staged, synced, named once, and have an equality.
\set VERBOSITY sqlstate
SELECT bulk_sync('t', 's', scope_columns => '{}');
SELECT bulk_sync('t', 's', scope_columns => '{NULL}');
SELECT bulk_sync('t', 's', scope_columns => '{g,g}');
SELECT bulk_sync('t', 's', scope_columns => '{nope}');
SELECT bulk_sync('t', 's', scope_columns => '{G}');
SELECT bulk_sync('t', 's', scope_columns => '{ctid}');
SELECT bulk_sync('t', 's', scope_columns => '{""}');
CREATE TEMPORARY TABLE less AS SELECT k, v FROM s;
SELECT bulk_sync('t', 'less', scope_columns => '{g}');
CREATE TABLE points (k int PRIMARY KEY, p point);
CREATE TEMPORARY TABLE points_staged AS SELECT 1 AS k, point '(1,2)' AS p;
SELECT bulk_sync('points', 'points_staged', scope_columns => '{p}');
\set VERBOSITY default

SET client_min_messages = warning;
DROP SCHEMA scope_columns CASCADE;
DROP TABLE s, before, typed_staged, less, points_staged;
