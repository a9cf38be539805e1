-- Targets of which a part is foreign: one partition of a partitioned table, one child of an
-- inheritance parent, beside local ones
-- Contract 1.1.3, 1.3.8, 1.5; cases 152, 154
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA contrib_foreign_partitions;
SET search_path = contrib_foreign_partitions, public;
\set VERBOSITY sqlstate


-- a second database of the same server
SELECT current_database() AS here, left(current_database(), 50) || '_remote' AS remote, current_user AS me \gset
\getenv host PGHOST
\getenv port PGPORT
\if :{?host}
\else
  \set host /tmp
\endif
\if :{?port}
\else
  \set port 5432
\endif

SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS postgres_fdw;
DROP DATABASE IF EXISTS :"remote";
RESET client_min_messages;
CREATE DATABASE :"remote";
\c :"remote"
CREATE TABLE group_2 (v text CONSTRAINT good CHECK (v <> 'bad'), k int, g int);
CREATE TABLE child (v text, own int DEFAULT 9, k int);
\c :"here"
SET search_path = contrib_foreign_partitions, public;
\set VERBOSITY sqlstate
CREATE SERVER regress_bulk_sync_remote FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host :'host', port :'port', dbname :'remote');
CREATE USER MAPPING FOR CURRENT_USER SERVER regress_bulk_sync_remote OPTIONS (user :'me');

-- rows of group 2 are on the other server
CREATE TABLE by_group (k int, g int, v text CONSTRAINT good CHECK (v <> 'bad')) PARTITION BY LIST (g);
CREATE TABLE group_1 PARTITION OF by_group FOR VALUES IN (1);
CREATE FOREIGN TABLE group_2 (v text, k int, g int) SERVER regress_bulk_sync_remote OPTIONS (schema_name 'public');
ALTER FOREIGN TABLE group_2 ADD CONSTRAINT good CHECK (v <> 'bad');
ALTER TABLE by_group ATTACH PARTITION group_2 FOR VALUES IN (2);
CREATE TABLE group_null PARTITION OF by_group DEFAULT;
CREATE TEMPORARY TABLE s (k int, g int, v text);
INSERT INTO s VALUES (1, 1, 'a'), (2, 1, 'b'), (3, 2, 'c'), (4, 2, 'd'), (5, NULL, 'e'), (6, 2, 'f');
SELECT * FROM bulk_sync('by_group', 's', '{k}', scope => 'true');
SELECT tableoid::regclass AS leaf, k, g, v FROM by_group ORDER BY k;
SELECT * FROM bulk_sync('by_group', 's', '{k}', scope => 'true');
CREATE TEMPORARY TABLE before AS SELECT tableoid AS t, ctid AS c, k FROM by_group;
DELETE FROM s WHERE k IN (1, 4);
UPDATE s SET v = 'B' WHERE k = 2;
UPDATE s SET v = 'C' WHERE k = 3;
UPDATE s SET g = 1 WHERE k = 5;
INSERT INTO s VALUES (7, 1, 'g'), (8, 2, 'h');
SELECT * FROM bulk_sync('by_group', 's', '{k}', scope => 'true', dry_run => true);
SELECT count(*) AS untouched FROM by_group p JOIN before b ON b.t = p.tableoid AND b.c = p.ctid AND b.k = p.k;
SELECT * FROM bulk_sync('by_group', 's', '{k}', scope => 'true');
SELECT p.tableoid::regclass AS leaf, p.k, g, v, b.k IS NOT NULL AS untouched
  FROM by_group p LEFT JOIN before b ON b.t = p.tableoid AND b.c = p.ctid AND b.k = p.k ORDER BY p.k;
SELECT * FROM bulk_sync('by_group', 's', '{k}', scope => 'true');
-- the scope is the foreign partition, or all but that
TRUNCATE s;
INSERT INTO s VALUES (5, 2, 'only');
SELECT * FROM bulk_sync('by_group', 's', '{k}', scope => 'g = 2');
UPDATE s SET k = 7, g = 1;
SELECT * FROM bulk_sync('by_group', 's', '{k}', scope_columns => '{g}');
DELETE FROM by_group WHERE g IS NULL;
SELECT tableoid::regclass AS leaf, k, g, v FROM by_group ORDER BY k;
-- what PostgreSQL refuses in an UPDATE of both partitions is refused by SQL: a row that moves to the foreign one
TRUNCATE s;
INSERT INTO s VALUES (5, 2, 'again'), (7, 2, 'moves'), (9, 1, 'new');
DROP TABLE before;
CREATE TEMPORARY TABLE before AS SELECT tableoid AS t, ctid AS c, k FROM by_group;
UPDATE by_group SET g = s.g, v = s.v FROM s WHERE s.k = by_group.k;
BEGIN;
SET LOCAL bulk_sync.applier = sql;
SELECT * FROM bulk_sync('by_group', 's', '{k}', scope => 'true');
ROLLBACK;
-- otherwise it moves, there and back; what the roles say holds there, too
BEGIN;
SET LOCAL bulk_sync.applier = auto;
SELECT * FROM bulk_sync('by_group', 's', '{k}', scope => 'true');
SELECT tableoid::regclass AS leaf, k, g, v FROM by_group ORDER BY k;
UPDATE s SET g = 1, v = 'back' WHERE k = 7;
UPDATE s SET v = 'kept' WHERE k = 5;
SELECT * FROM bulk_sync('by_group', 's', '{k}', scope => 'true', fill_columns => '{v}');
SELECT tableoid::regclass AS leaf, k, g, v FROM by_group ORDER BY k;
UPDATE s SET v = NULL WHERE k = 5;
SELECT * FROM bulk_sync('by_group', 's', '{k}', scope => 'g = 2', actions => '{update,delete}', keep_columns => '{v}');
UPDATE by_group SET v = NULL WHERE k = 5;
INSERT INTO by_group VALUES (10, 2, 'ten');
INSERT INTO s VALUES (10, 2, 'TEN');
UPDATE s SET v = 'five' WHERE k = 5;
SELECT * FROM bulk_sync('by_group', 's', '{k}', actions => '{update}', fill_columns => '{v}');
SELECT tableoid::regclass AS leaf, k, g, v FROM by_group ORDER BY k;
UPDATE s SET v = CASE k WHEN 5 THEN 'V' END;
SELECT * FROM bulk_sync('by_group', 's', '{k}', actions => '{update}', keep_columns => '{v}');
SELECT tableoid::regclass AS leaf, k, g, v FROM by_group ORDER BY k;
ROLLBACK;
-- a row of the foreign partition that its server refuses, and one that no partition of this one takes
UPDATE s SET g = 1 WHERE k = 7;
UPDATE s SET v = 'bad' WHERE k = 5;
SELECT * FROM bulk_sync('by_group', 's', '{k}', scope => 'true');
DROP TABLE group_null;
DELETE FROM before WHERE k = 5 AND t <> 'group_2'::regclass;
UPDATE s SET v = 'good', g = CASE k WHEN 9 THEN 3 ELSE g END;
SELECT * FROM bulk_sync('by_group', 's', '{k}', scope => 'true');
SELECT count(*) AS held, count(b.k) AS untouched
  FROM by_group p LEFT JOIN before b ON b.t = p.tableoid AND b.c = p.ctid AND b.k = p.k;

-- an inheritance parent with a local and a foreign child, equal ctids in all three
CREATE TABLE parent (k int, v text);
CREATE TABLE local_child (own int DEFAULT 8) INHERITS (parent);
CREATE FOREIGN TABLE foreign_child (v text, own int, k int) SERVER regress_bulk_sync_remote OPTIONS (schema_name 'public', table_name 'child');
ALTER FOREIGN TABLE foreign_child INHERIT parent;
INSERT INTO parent VALUES (1, 'parent'), (2, 'parent'), (3, 'parent'), (NULL, 'parent');
INSERT INTO local_child VALUES (11, 'local'), (12, 'local'), (13, 'local');
INSERT INTO foreign_child (k, v, own) VALUES (21, 'foreign', 1), (22, 'foreign', 2), (23, 'foreign', 3);
CREATE TEMPORARY TABLE p (k int, v text);
INSERT INTO p VALUES (1, 'parent'), (2, 'changed'), (11, 'local'), (12, 'changed'), (21, 'foreign'), (22, 'changed'), (NULL, 'changed'), (30, 'new');
SELECT * FROM bulk_sync('parent', 'p', '{k}', scope => 'true');
SELECT tableoid::regclass AS in_table, * FROM parent ORDER BY k;
SELECT * FROM foreign_child ORDER BY k;
SELECT * FROM bulk_sync('parent', 'p', '{k}', scope => 'true');
-- only foreign rows are stale or changed
DELETE FROM p WHERE k = 21;
UPDATE p SET v = 'again' WHERE k = 22;
SELECT * FROM bulk_sync('parent', 'p', '{k}', scope => 'k > 5');
UPDATE p SET k = 31 WHERE k IS NULL;
DELETE FROM p WHERE k < 6;
SELECT * FROM bulk_sync('parent', 'p', '{k}', scope => 'k > 5');
SELECT tableoid::regclass AS in_table, * FROM parent ORDER BY k;

-- the staged table has a foreign child
CREATE TABLE local (k int PRIMARY KEY, v text);
INSERT INTO local VALUES (1, 'stale'), (22, 'old');
SELECT * FROM bulk_sync('local', 'parent', scope => 'true', actions => '{insert,update,delete}');
SELECT * FROM parent WHERE k IS NULL;
DELETE FROM parent WHERE k IS NULL;
SELECT * FROM bulk_sync('local', 'parent', scope => 'true');
SELECT * FROM local ORDER BY k;

SET client_min_messages = warning;
DROP SERVER regress_bulk_sync_remote CASCADE;
DROP SCHEMA contrib_foreign_partitions CASCADE;
DROP TABLE s, before, p;
DROP DATABASE :"remote" WITH (FORCE);
