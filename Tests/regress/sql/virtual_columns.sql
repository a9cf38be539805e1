-- Virtual generated columns, from PostgreSQL 18 on: not read unless an expression of the caller needs them, and then with
-- their value; a/0 in one of them harms nobody. Before 18 the same is asked of stored columns, where there is no a/0.
-- Contract 1.3.4; cases 121, 122
SELECT current_setting('server_version_num')::int >= 180000 AS has_virtual \gset
\if :has_virtual
\set virtual 'VIRTUAL'
\set zero 0
\else
\set virtual 'STORED'
\set zero 1
\endif
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA virtual_columns;
SET search_path = virtual_columns, public;

-- The virtual column cannot be computed for any row, and no part of the call computes it.
CREATE TABLE t (k int PRIMARY KEY, a int, bad int GENERATED ALWAYS AS (a / :zero) :virtual, g int GENERATED ALWAYS AS (a * 2) :virtual,
                v text, gone boolean DEFAULT false);
CREATE TABLE s (k int, a int, bad int, g int, v text);
INSERT INTO t (k, a, v, gone) VALUES (1, 1, 'a', false), (2, 2, 'b', false), (3, 3, 'c', false), (4, 4, 'd', true);
INSERT INTO s VALUES (1, 1, 7, 7, 'a'), (2, 20, 7, 7, 'b'), (4, 4, 7, 7, 'd'), (5, 5, NULL, NULL, 'e');
CREATE TABLE before AS SELECT k, ctid AS old_ctid, xmin AS old_xmin FROM t;
BEGIN;
SELECT * FROM bulk_sync('t', 's', scope => 'true', dry_run => true);
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT k, a, g, v, t.ctid = old_ctid AND t.xmin = old_xmin AS untouched FROM t LEFT JOIN before USING (k) ORDER BY k;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
ROLLBACK;
-- not staged, with marks, roles and a condition
BEGIN;
SELECT * FROM bulk_sync('t', 's', scope => 'a > 0', columns => '{a,v}', soft_delete_column => 'gone', touch_columns => '{v}',
                        update_where => 'target.a <= staged.a');
SELECT k, a, g, v, gone FROM t ORDER BY k;
ROLLBACK;

-- In a scope it has its value: on target rows, on staged rows that are updated, and on new ones.
BEGIN;
SELECT * FROM bulk_sync('t', 's', scope => 'g >= 4', actions => '{update,delete}', columns => '{a,v}');
SELECT k, a, g, v FROM t ORDER BY k;
ROLLBACK;
BEGIN;
DELETE FROM s WHERE k = 1;
SELECT * FROM bulk_sync('t', 's', scope => 'target.g >= 4 AND g IS NOT NULL');
SELECT k, a, g, v FROM t ORDER BY k;
ROLLBACK;
BEGIN;
DELETE FROM s WHERE k = 1;
\set VERBOSITY sqlstate
SAVEPOINT again;
UPDATE s SET a = 1 WHERE k = 2;
SELECT * FROM bulk_sync('t', 's', scope => 'g >= 4');
ROLLBACK TO again;
UPDATE s SET a = 1 WHERE k = 5;
SELECT * FROM bulk_sync('t', 's', scope => 'g >= 4');
ROLLBACK TO again;
SELECT k, t.ctid = old_ctid AND t.xmin = old_xmin AS untouched FROM t LEFT JOIN before USING (k) ORDER BY k;
\set VERBOSITY default
ROLLBACK;
-- through a subquery on the same table: the updated row is 40, the table still says 4
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's', scope => 'g = (SELECT max(o.g) FROM t o WHERE o.k = target.k)', actions => '{update}');
\set VERBOSITY default
-- in update_where
BEGIN;
SELECT * FROM bulk_sync('t', 's', scope => 'true', update_where => 'target.g = 4 AND staged.a = 20');
SELECT k, a, g, v FROM t ORDER BY k;
ROLLBACK;
-- as a group, and as a value of the scope
BEGIN;
UPDATE s SET g = a * 2;
DELETE FROM s WHERE k = 2;
SELECT * FROM bulk_sync('t', 's', scope_columns => '{g}');
SELECT k, a, g, v FROM t ORDER BY k;
ROLLBACK;
BEGIN;
DELETE FROM s WHERE k <> 1;
SELECT * FROM bulk_sync('t', 's', scope_values => '{"g": 2}');
SELECT k, a, g, v FROM t ORDER BY k;
ROLLBACK;
-- as a key
BEGIN;
CREATE TABLE keyed (a int, g int GENERATED ALWAYS AS (a * 2) :virtual, v text);
CREATE TABLE keyed_s (a int, g int, v text);
INSERT INTO keyed VALUES (1, DEFAULT, 'a'), (2, DEFAULT, 'b'), (NULL, DEFAULT, 'n');
INSERT INTO keyed_s VALUES (1, 2, 'A'), (3, 6, 'c'), (NULL, NULL, 'n');
SELECT * FROM bulk_sync('keyed', 'keyed_s', '{g}', scope => 'true');
TABLE keyed ORDER BY a;
SELECT * FROM bulk_sync('keyed', 'keyed_s', '{g}', scope => 'true');
ROLLBACK;

-- CHECK and NOT NULL on it hold; the conditions of triggers see its value.
CREATE TABLE checked (k int PRIMARY KEY, a int, g int NOT NULL GENERATED ALWAYS AS (nullif(a, 0) * 2) :virtual CHECK (g < 100));
INSERT INTO checked VALUES (1, 1);
CREATE TABLE checked_s (k int, a int);
\set VERBOSITY sqlstate
INSERT INTO checked_s VALUES (1, 50);
SELECT * FROM bulk_sync('checked', 'checked_s', scope => 'true');
UPDATE checked_s SET a = 0;
SELECT * FROM bulk_sync('checked', 'checked_s', scope => 'true');
UPDATE checked_s SET k = 2;
SELECT * FROM bulk_sync('checked', 'checked_s', scope => 'true');
TABLE checked;
\set VERBOSITY default
CREATE TABLE seen (was int, is_now int);
CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO seen VALUES (OLD.a, NEW.a); RETURN NULL; END $$;
CREATE TRIGGER see AFTER UPDATE OF g ON checked FOR EACH ROW WHEN (OLD.g = 2 AND NEW.g = 8) EXECUTE FUNCTION see();
UPDATE checked_s SET k = 1, a = 4;
SELECT * FROM bulk_sync('checked', 'checked_s', scope => 'true');
TABLE seen;

-- Staged: a virtual column of the staged table is a staged value, and one that is not synced is not computed.
CREATE TABLE made (k int PRIMARY KEY, v int);
CREATE TABLE made_s (half int, k int GENERATED ALWAYS AS (half * 2) :virtual, v int GENERATED ALWAYS AS (half * 3) :virtual,
                     bad int GENERATED ALWAYS AS (half / :zero) :virtual);
INSERT INTO made VALUES (2, 3), (4, 0), (6, 9);
INSERT INTO made_s VALUES (1), (2), (4);
SELECT * FROM bulk_sync('made', 'made_s', scope => 'true', columns => '{v}', update_where => 'staged.half = 2');
TABLE made ORDER BY k;
SELECT * FROM bulk_sync('made', 'made_s', scope => 'true', columns => '{v}', order_column => 'half', duplicates => 'last');

SET client_min_messages = warning;
DROP SCHEMA virtual_columns CASCADE;
