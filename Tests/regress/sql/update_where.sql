-- The argument "update_where": which of the changed rows are updated. Contract 1.3.3, 1.1.2, 1.0.2, 1.5
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA update_where;
SET search_path = update_where, public;

CREATE TABLE t (k int PRIMARY KEY, version int, v text, w text);
CREATE TEMPORARY TABLE s (k int, version int, v text, w text);
CREATE TEMPORARY TABLE before (at tid, by xid, until xid, k int);
\set fill 'TRUNCATE t, before; INSERT INTO t VALUES (1, 1, \'a\', \'x\'), (2, 2, \'b\', NULL), (3, NULL, \'c\', \'x\'), (4, 4, \'d\', \'x\'); INSERT INTO before SELECT ctid, xmin, xmax, k FROM t;'
\set untouched 'SELECT array_agg(k ORDER BY k) AS untouched FROM t JOIN before USING (k) WHERE t.ctid = at AND t.xmin = by AND t.xmax = until;'

-- A newer version wins: 1 is newer, 2 is not, 3 cannot be told (NULL is not true), 4 is equal and thus unchanged whatever
-- the condition says; inserts and deletes are not asked. A skipped row is not locked.
:fill
INSERT INTO s VALUES (1, 2, 'A', 'x'), (2, 1, 'B', NULL), (3, 9, 'C', 'x'), (4, 4, 'd', 'x'), (5, 0, 'E', 'x');
SELECT * FROM bulk_sync('t', 's', scope => 'true', update_where => 'staged.version > target.version');
TABLE t ORDER BY k;
:untouched
:fill
SELECT * FROM bulk_sync('t', 's', scope => 'true', update_where => 'true', dry_run => true);
SELECT * FROM bulk_sync('t', 's', scope => 'true', update_where => 'false', dry_run => true);
SELECT * FROM bulk_sync('t', 's', scope => 'true', update_where => 'NULL', dry_run => true);
SELECT * FROM bulk_sync('t', 's', scope => 'true', dry_run => true,
                        update_where => 'target.version IS NULL OR staged.version > target.version');

-- It is asked only for rows that would change: the equal row 4 does not divide by zero, nor does the new row 5.
SELECT * FROM bulk_sync('t', 's', scope => 'true', update_where => '1 / (target.k - 4) < 5', dry_run => true);
SELECT * FROM bulk_sync('t', 's', scope => 'true', update_where => '1 / (staged.k - 5) < 5', dry_run => true);
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's', scope => 'true', update_where => '1 / (target.k - 2) < 5');
\set VERBOSITY default
:untouched

-- Target columns that are not staged, staged columns that the target lacks, staged columns left out of "columns".
CREATE TEMPORARY TABLE more AS SELECT k, version, v, w, k % 2 = 1 AS wanted, '[0,2]'::int4range AS range FROM s WHERE k < 4;
SELECT * FROM bulk_sync('t', 'more', actions => '{update}', columns => '{v}', update_where => 'staged.wanted', dry_run => true);
SELECT * FROM bulk_sync('t', 'more', actions => '{update}', columns => '{v}', update_where => 'staged.range @> target.version', dry_run => true);
SELECT * FROM bulk_sync('t', 'more', actions => '{update}', columns => '{v}', update_where => 'staged.version > target.version', dry_run => true);
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 'more', actions => '{update}', update_where => 'staged.wanted', dry_run => true);
\set VERBOSITY default
CREATE TEMPORARY TABLE less AS SELECT k, v FROM s;
SELECT * FROM bulk_sync('t', 'less', actions => '{update}', update_where => 'target.w IS NULL', dry_run => true);

-- Whole rows, qualified by the caller's own names.
SELECT * FROM bulk_sync('t', 's', scope => 'true', update_where => 'staged.* IS NOT NULL', dry_run => true);
SELECT * FROM bulk_sync('t', 's', scope => 'true', update_where => 'target.* IS NOT NULL', dry_run => true);
SELECT * FROM bulk_sync('t', 's', scope => 'true', update_where => 'ROW(staged.*) IS DISTINCT FROM ROW(target.*)', dry_run => true);
SELECT * FROM bulk_sync('t', 's', scope => 'true', update_where => 'to_jsonb(staged) ->> ''v'' = ''A''', dry_run => true);
SELECT * FROM bulk_sync('t', 's', scope => 'true', update_where => 'to_jsonb(target) ->> ''v'' = ''a''', dry_run => true);
SELECT * FROM bulk_sync('t', 'more', actions => '{update}', columns => '{v}', update_where => '(to_jsonb(staged) ->> ''wanted'')::boolean', dry_run => true);
CREATE FUNCTION newer(update_where.t) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT $1.version < 2';
SELECT * FROM bulk_sync('t', 's', scope => 'true', update_where => 'newer(target)', dry_run => true);
SELECT * FROM bulk_sync('t', 's', scope => 'true', update_where => 'target.newer', dry_run => true);

-- Values are compared as they will be stored: the staged text '10' is more than 9 as a number, and a paired value is
-- rounded to the column's own scale; an unpaired one is as staged.
CREATE TABLE typed (k int PRIMARY KEY, n numeric(6,1), c char(3), v int);
CREATE TEMPORARY TABLE typed_staged (k text, n text, c text, v text, free text);
INSERT INTO typed VALUES (1, 9, 'a', 1), (2, 1.0, 'b', 1);
INSERT INTO typed_staged VALUES ('1', '10', 'a', '1', '10'), ('2', '1.04', 'b  ', '2', '1.04');
SELECT * FROM bulk_sync('typed', 'typed_staged', actions => '{update}', columns => '{n,c,v}', dry_run => true,
                        update_where => 'staged.n > target.n');
SELECT * FROM bulk_sync('typed', 'typed_staged', actions => '{update}', columns => '{n,c,v}', dry_run => true,
                        update_where => 'staged.n = 1.0 AND staged.c = target.c AND staged.v + 1 = 3');
SELECT * FROM bulk_sync('typed', 'typed_staged', actions => '{update}', columns => '{n,c,v}', dry_run => true,
                        update_where => 'staged.free || ''!'' = ''1.04!''');
SELECT * FROM bulk_sync('typed', 'typed_staged', actions => '{update}', columns => '{v}', dry_run => true,
                        update_where => 'pg_typeof(staged.n)::text = ''numeric'' AND pg_typeof(staged.free)::text = ''text''');
-- A column that the condition alone reads is converted as well, and may fail.
UPDATE typed_staged SET n = 'none' WHERE k = '2';
SELECT * FROM bulk_sync('typed', 'typed_staged', actions => '{update}', columns => '{v}', dry_run => true);
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('typed', 'typed_staged', actions => '{update}', columns => '{v}', update_where => 'staged.n > 0');
\set VERBOSITY default

-- Subqueries, correlated with both, and on the target itself (as it was).
CREATE TABLE allowed (k int, since int);
INSERT INTO allowed VALUES (1, 0), (2, 5);
SELECT * FROM bulk_sync('t', 's', scope => 'true', update_where => 'target.k IN (SELECT k FROM allowed)', dry_run => true);
SELECT * FROM bulk_sync('t', 's', scope => 'true', dry_run => true,
                        update_where => 'EXISTS (SELECT FROM allowed AS a WHERE a.k = target.k AND a.since < staged.version)');
SELECT * FROM bulk_sync('t', 's', scope => 'true', update_where => 'target.version = (SELECT min(version) FROM t)', dry_run => true);
SELECT * FROM bulk_sync('t', 's', scope => 'true', update_where => '(SELECT bool_and(v < ''e'') FROM t)');
TABLE t ORDER BY k;

-- What the condition may not be.
:fill
\set VERBOSITY sqlstate
SELECT bulk_sync('t', 's', scope => 'true', update_where => '');
SELECT bulk_sync('t', 's', scope => 'true', update_where => 'version > 1');
SELECT bulk_sync('t', 's', scope => 'true', update_where => 'nope');
SELECT bulk_sync('t', 's', scope => 'true', update_where => 'staged.nope');
SELECT bulk_sync('t', 's', scope => 'true', update_where => 't.version > 1');
SELECT bulk_sync('t', 's', scope => 'true', update_where => 'excluded.version > 1');
SELECT bulk_sync('t', 's', scope => 'true', update_where => 'staged.version');
SELECT bulk_sync('t', 's', scope => 'true', update_where => 'max(staged.version) > 1');
SELECT bulk_sync('t', 's', scope => 'true', update_where => 'row_number() OVER () > 1');
SELECT bulk_sync('t', 's', scope => 'true', update_where => 'generate_series(1, 2) > 1');
\set VERBOSITY default
:untouched

-- With roles: it is asked when the row would change by what its roles allow, and sees the values as staged.
-- keep: a staged NULL is no change, but is NULL to the condition
:fill
TRUNCATE s;
INSERT INTO s VALUES (1, 1, NULL, 'x'), (2, 2, NULL, 'new'), (4, 4, 'D', 'x');
SELECT * FROM bulk_sync('t', 's', actions => '{update}', keep_columns => '{v}', update_where => 'staged.v IS NULL');
SELECT * FROM t WHERE k IN (1, 2, 4) ORDER BY k;
:untouched
-- fill: a filled NULL is a change
:fill
TRUNCATE s;
INSERT INTO s VALUES (1, 1, 'a', 'other'), (2, 2, 'b', 'filled'), (3, NULL, 'C', 'other');
SELECT * FROM bulk_sync('t', 's', actions => '{update}', fill_columns => '{w}', update_where => 'target.w IS NULL AND staged.w = ''filled''');
SELECT * FROM t ORDER BY k;
:untouched
-- insert-only and touch columns are no reason to ask, but can be asked about
:fill
SELECT * FROM bulk_sync('t', 's', actions => '{update}', insert_only_columns => '{w}', update_where => 'staged.w = ''other''');
SELECT * FROM t WHERE k <= 3 ORDER BY k;
:fill
SELECT * FROM bulk_sync('t', 's', actions => '{update}', touch_columns => '{w}', update_where => 'staged.w <> target.w');
SELECT * FROM t WHERE k <= 3 ORDER BY k;
-- what another action leaves out is skipped as well, once; what is equal stays unchanged
:fill
SELECT * FROM bulk_sync('t', 's', actions => '{insert}', update_where => 'false');
-- a supplied column is not staged, a row of another scope is not asked
SELECT * FROM bulk_sync('t', 'less', scope_values => '{"w": "x"}', actions => '{update}', update_where => '1 / (target.k - 2) < 5 AND target.w = ''x''', dry_run => true);

-- With soft delete: reviving is an update, and is asked.
CREATE TABLE soft (k int PRIMARY KEY, v text, gone boolean NOT NULL DEFAULT false);
INSERT INTO soft VALUES (1, 'a', true), (2, 'b', true), (3, 'c', false);
TRUNCATE less;
INSERT INTO less VALUES (1, 'a'), (2, 'B');
SELECT * FROM bulk_sync('soft', 'less', scope => 'true', soft_delete_column => 'gone', update_where => 'staged.v = ''B''');
TABLE soft ORDER BY k;
SELECT * FROM bulk_sync('soft', 'less', scope => 'true', soft_delete_column => 'gone', update_where => 'target.gone');
TABLE soft ORDER BY k;

SET client_min_messages = warning;
DROP SCHEMA update_where CASCADE;
DROP TABLE s, before, more, less, typed_staged;
