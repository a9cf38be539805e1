-- Tables partitioned by list: rows that move are one update, rows without a partition and rows
-- against a leaf's bound are refused, a leaf is a target of its own, soft delete may move rows
-- Contract 1.1.4, 1.3.8, 1.3.9, 1.4, 1.7; cases 1, 53, 128, 145, 146, 148, 151
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA partitioned_list;
SET search_path = partitioned_list, public;
\set VERBOSITY sqlstate

-- The life of a synced table, a line for each step: see the file
\getenv abs_srcdir PG_ABS_SRCDIR
\set life :abs_srcdir '/include/life.sql'
\set ECHO none
\i :life
\set ECHO all

-- the partition key is no part of the match key, and no unique index can exist on the match key:
-- rows move between leaves, into and out of the one for NULL
CREATE TABLE by_group (k int, g int, v text CONSTRAINT good CHECK (v <> 'bad')) PARTITION BY LIST (g);
CREATE TABLE group_1 PARTITION OF by_group FOR VALUES IN (1);
CREATE TABLE group_null PARTITION OF by_group FOR VALUES IN (NULL);
-- attached leaves with their columns elsewhere
CREATE TABLE group_2 (d1 text, v text CONSTRAINT good CHECK (v <> 'bad'), d2 int, g int, d3 numeric, k int);
ALTER TABLE group_2 DROP d1, DROP d2, DROP d3;
ALTER TABLE by_group ATTACH PARTITION group_2 FOR VALUES IN (2);
SELECT * FROM life('by_group', 'life_staged');
-- each row is where it belongs, its values in the right columns
SELECT tableoid::regclass AS leaf, k, g, v FROM by_group ORDER BY k;

-- the same with columns dropped in the parent too, and a staged table of its own order
CREATE TABLE worn (d1 bigint, g int, d2 text, v text CHECK (v <> 'bad'), k int, d3 "char") PARTITION BY LIST (g);
CREATE TABLE worn_1 PARTITION OF worn FOR VALUES IN (1);
ALTER TABLE worn DROP d1, DROP d2, DROP d3;
CREATE TABLE worn_rest PARTITION OF worn DEFAULT;
CREATE TABLE reordered_staged (v text, d int, k int, g int);
ALTER TABLE reordered_staged DROP d;
SELECT * FROM life('worn', 'reordered_staged');
SELECT tableoid::regclass AS leaf, k, g, v FROM worn ORDER BY k;

-- a row that no partition takes, inserted or moved there: 23514, all as before
CREATE TEMPORARY TABLE before AS SELECT tableoid AS t, ctid AS c, xmin AS x, * FROM by_group;
CREATE TEMPORARY TABLE s (k int, g int, v text);
INSERT INTO s VALUES (2, 1, 'changed'), (20, 3, 'nowhere');
SELECT * FROM bulk_sync('by_group', 's', '{k}', scope => 'true');
TRUNCATE s;
INSERT INTO s VALUES (2, 3, 'nowhere'), (3, 2, 'changed');
SELECT * FROM bulk_sync('by_group', 's', '{k}', scope => 'true');
SELECT count(*) AS held, count(b.k) AS untouched
  FROM by_group p LEFT JOIN before b ON b.t = p.tableoid AND b.c = p.ctid AND b.x = p.xmin;

-- a leaf is a table: only its own rows take part, its bound holds
TRUNCATE s;
INSERT INTO s VALUES (2, 1, 'by the leaf'), (21, 1, 'new');
SELECT * FROM bulk_sync('group_1', 's', '{k}', scope => 'true');
SELECT tableoid::regclass AS leaf, k, g, v FROM by_group ORDER BY k;
INSERT INTO s VALUES (22, 2, 'not here');
SELECT * FROM bulk_sync('group_1', 's', '{k}', scope => 'true');
TRUNCATE s;
INSERT INTO s VALUES (2, 2, 'not here'), (21, 1, 'new');
SELECT * FROM bulk_sync('group_1', 's', '{k}', scope => 'true');
SELECT tableoid::regclass AS leaf, k, g, v FROM by_group ORDER BY k;

-- scopes by the partition key touch no other leaf
TRUNCATE s;
INSERT INTO s VALUES (30, 2, 'thirty');
SELECT * FROM bulk_sync('by_group', 's', '{k}', scope_values => '{"g": 2}');
SELECT * FROM bulk_sync('by_group', 's', '{k}', scope_columns => '{g}');
TRUNCATE s;
INSERT INTO s VALUES (31, NULL, 'no group');
SELECT * FROM bulk_sync('by_group', 's', '{k}', scope_columns => '{g}');
SELECT * FROM bulk_sync('by_group', 's', '{k}', scope_values => '{"g": null}');
SELECT tableoid::regclass AS leaf, k, g, v FROM by_group ORDER BY k;

-- one key in two partitions: a staged row would match both
INSERT INTO by_group VALUES (31, 1, 'twice');
SELECT * FROM bulk_sync('by_group', 's', '{k}', scope => 'true');
-- in the scope of one of them it matches one
SELECT * FROM bulk_sync('by_group', 's', '{k}', scope => 'g IS NULL');
-- and with nothing staged for it both are stale
TRUNCATE s;
INSERT INTO s VALUES (2, 1, 'last');
SELECT * FROM bulk_sync('by_group', 's', '{k}', scope => 'k <> 21');
SELECT tableoid::regclass AS leaf, k, g, v FROM by_group ORDER BY k;

-- a detached partition is no part of the target, an attached one is
ALTER TABLE by_group DETACH PARTITION group_1;
SELECT * FROM bulk_sync('by_group', 's', '{k}', scope => 'true', dry_run => true);
ALTER TABLE by_group ATTACH PARTITION group_1 FOR VALUES IN (1);
SELECT * FROM bulk_sync('by_group', 's', '{k}', scope => 'true', dry_run => true);

-- a primary key that holds the partition key: a row of another group is another row
CREATE TABLE keyed (g text, k int, v text, PRIMARY KEY (k, g)) PARTITION BY LIST (g);
CREATE TABLE keyed_a PARTITION OF keyed FOR VALUES IN ('a');
CREATE TABLE keyed_rest PARTITION OF keyed DEFAULT;
INSERT INTO keyed VALUES ('a', 1, 'stays'), ('b', 1, 'goes');
CREATE TEMPORARY TABLE keyed_staged (k int, g text, v text);
INSERT INTO keyed_staged VALUES (1, 'a', 'stays'), (1, 'c', 'comes');
SELECT * FROM bulk_sync('keyed', 'keyed_staged', scope => 'true');
SELECT tableoid::regclass AS leaf, * FROM keyed ORDER BY k, g;

-- partitioned by the mark of the soft delete: marking moves a row out, reviving moves it back,
-- one deleted row and one update
CREATE TABLE marked (k int, v text, gone boolean NOT NULL DEFAULT false) PARTITION BY LIST (gone);
CREATE TABLE marked_live PARTITION OF marked FOR VALUES IN (false);
CREATE TABLE marked_gone PARTITION OF marked FOR VALUES IN (true);
INSERT INTO marked VALUES (1, 'a', false), (2, 'b', false), (3, 'c', true);
CREATE TEMPORARY TABLE marked_staged (k int, v text);
INSERT INTO marked_staged VALUES (2, 'b'), (3, 'c'), (4, 'd');
SELECT * FROM bulk_sync('marked', 'marked_staged', '{k}', scope => 'true', soft_delete_column => 'gone');
SELECT tableoid::regclass AS leaf, * FROM marked ORDER BY k;
SELECT * FROM bulk_sync('marked', 'marked_staged', '{k}', scope => 'true', soft_delete_column => 'gone');

SET client_min_messages = warning;
DROP SCHEMA partitioned_list CASCADE;
DROP TABLE life_staged, before, s, keyed_staged, marked_staged;
