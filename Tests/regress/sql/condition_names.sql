-- A table that a condition's subquery names is that table, whatever its name: "staged" and "target" too, and those that statements of the
-- extension use for themselves.
-- Contract 1.2.2, 1.3.3, the paragraphs at the end; case 133
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA condition_names;
SET search_path = condition_names, public;

CREATE TABLE t (k int PRIMARY KEY, v text);
CREATE TABLE s (k int, v text);
CREATE VIEW w AS SELECT k, v FROM t;
INSERT INTO t VALUES (1, 'old'), (2, 'old'), (3, 'old');
INSERT INTO s VALUES (1, 'new'), (2, 'new'), (3, 'new');
-- Is there no such table, there is none.
SELECT * FROM bulk_sync('t', 's', scope => 'true', update_where => 'EXISTS (SELECT FROM staged)');
SELECT * FROM bulk_sync('t', 's', scope => 'true', update_where => 'EXISTS (SELECT FROM target)');
-- Is there one, it is meant, also beside the row of that name.
CREATE TABLE staged (only_here int);
CREATE TABLE target (only_here int);
INSERT INTO staged VALUES (1), (7);
INSERT INTO target VALUES (2);
BEGIN;
SELECT * FROM bulk_sync('t', 's', scope => 'true', update_where => 'staged.k IN (SELECT only_here FROM staged)');
SELECT * FROM t ORDER BY k;
SELECT * FROM bulk_sync('t', 's', scope => 'true', update_where => 'EXISTS (SELECT FROM target x WHERE x.only_here = target.k) AND staged.v = ''new''');
SELECT * FROM t ORDER BY k;
ROLLBACK;
-- A staged row as a whole can be handed to a subquery.
SELECT * FROM bulk_sync('t', 's', scope => 'true', dry_run => true, update_where => '(SELECT count(*) FROM (SELECT staged.*) x WHERE x.k = 1) = 1');
SELECT * FROM bulk_sync('t', 's', scope => 'true', dry_run => true, update_where => '(SELECT to_jsonb(x) FROM (SELECT staged AS x) y)->>''k'' = ''1''');

-- Names that generated statements use. Each call below has a statement that holds both the scope and such names.
CREATE TABLE d_rows (only_here int);
CREATE TABLE "d_" (only_here int);
CREATE TABLE d1_rows (only_here int);
INSERT INTO d_rows VALUES (1), (2), (3), (4);
INSERT INTO "d_" VALUES (1), (2), (3), (4);
INSERT INTO d1_rows VALUES (1), (2), (3), (4);
UPDATE s SET k = 4 WHERE k = 1;
BEGIN;
SELECT action, key, new->>'v' AS v FROM bulk_sync_returning('w', 's', '{k}', scope => 'k IN (SELECT only_here FROM d_rows)') ORDER BY action, key;
SELECT * FROM t ORDER BY k;
ROLLBACK;
BEGIN;
SELECT action, key, new->>'v' AS v FROM bulk_sync_returning('w', 's', '{k}', scope => 'k IN (SELECT only_here FROM D_ROWS NATURAL JOIN "d_" NATURAL JOIN d1_rows)') ORDER BY action, key;
SELECT * FROM t ORDER BY k;
ROLLBACK;
-- Such a name of 63 bytes: of a column, and in the scope.
ALTER TABLE t ADD "d______________________________________________________________" int, ADD d1__________________________________________ int;
CREATE OR REPLACE VIEW w AS TABLE t;
BEGIN;
SELECT * FROM bulk_sync('w', 's', '{k}', scope => $$v <> 'd____________________________________________________________________________________ d1_ d2_'$$);
SELECT k, v FROM t ORDER BY k;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
ROLLBACK;

SET client_min_messages = warning;
DROP SCHEMA condition_names CASCADE;
