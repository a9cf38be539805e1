-- Ordinary tables of every persistence and past are synced alike: permanent, unlogged, temporary,
-- with dropped columns, with columns added later, typed, without a key index
-- Contract 1.1.4, 1.3.1, 1.3.8; cases 1, 2, 5, 10, 53, 128, 136, 142
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA plain_tables;
SET search_path = plain_tables, public;

-- The life of a synced table, a line for each step: see the file
\getenv abs_srcdir PG_ABS_SRCDIR
\set life :abs_srcdir '/include/life.sql'
\set ECHO none
\i :life
\set ECHO all

\set VERBOSITY sqlstate

-- a permanent table
CREATE TABLE permanent (k int PRIMARY KEY, g int, v text CHECK (v <> 'bad'));
SELECT * FROM life('permanent', 'life_staged');

-- an unlogged one, without any index on the key
CREATE UNLOGGED TABLE unlogged (k int, g int, v text CHECK (v <> 'bad'));
SELECT * FROM life('unlogged', 'life_staged');

-- a temporary one
CREATE TEMPORARY TABLE temporary_target (k int PRIMARY KEY, g int, v text CHECK (v <> 'bad'));
SELECT * FROM life('temporary_target', 'life_staged');

-- columns dropped before, between and after the living ones, of types of every width
CREATE TABLE with_dropped (d1 text, v text CHECK (v <> 'bad'), d2 bigint, d3 "char", k int PRIMARY KEY, d4 numeric, g int, d5 int NOT NULL);
ALTER TABLE with_dropped DROP d1, DROP d2, DROP d3, DROP d4, DROP d5;
SELECT * FROM life('with_dropped', 'life_staged');

-- dropped columns in the staged table, in another order
CREATE TABLE staged_dropped (g int, d1 text DEFAULT 'gone', v text, d2 int DEFAULT 7, k int);
INSERT INTO staged_dropped VALUES (9, 'x', 'x', 9, 9);
ALTER TABLE staged_dropped DROP d1, DROP d2;
TRUNCATE with_dropped;
SELECT * FROM life('with_dropped', 'staged_dropped');

-- a typed table
CREATE TYPE row_type AS (k int, g int, v text);
CREATE TABLE typed OF row_type (PRIMARY KEY (k), CHECK (v <> 'bad'));
SELECT * FROM life('typed', 'life_staged');

-- a temporary table that shadows a permanent one: each name means its own table, also inside
-- the call, and the other of the two is untouched
CREATE TABLE shadowed (k int PRIMARY KEY, v text);
INSERT INTO shadowed VALUES (1, 'permanent'), (2, 'permanent');
CREATE TEMPORARY TABLE shadowed (k int PRIMARY KEY, v text);
INSERT INTO shadowed VALUES (1, 'temporary'), (3, 'temporary');
CREATE TEMPORARY TABLE s (k int, v text);
INSERT INTO s VALUES (1, 'staged'), (4, 'staged');
SELECT * FROM bulk_sync('shadowed', 's', scope => 'true');
SELECT * FROM pg_temp.shadowed ORDER BY k;
SELECT * FROM plain_tables.shadowed ORDER BY k;
SELECT * FROM bulk_sync('plain_tables.shadowed', 's', scope => 'target.k > 1');
DELETE FROM s WHERE k = 1;
SELECT * FROM bulk_sync('plain_tables.shadowed', 's', scope => 'target.k > 1');
SELECT * FROM pg_temp.shadowed ORDER BY k;
SELECT * FROM plain_tables.shadowed ORDER BY k;
-- a temporary target synced from the permanent table of its own name
SELECT * FROM bulk_sync('shadowed', 'plain_tables.shadowed', scope => 'true');
SELECT * FROM pg_temp.shadowed ORDER BY k;
DROP TABLE pg_temp.shadowed;

-- a column added later with a default exists only in the catalog for old rows: equal is equal
CREATE TABLE grown (k int PRIMARY KEY);
INSERT INTO grown VALUES (1), (2), (3);
ALTER TABLE grown ADD a text DEFAULT 'later', ADD b numeric DEFAULT 1.0, ADD c int;
CREATE TEMPORARY TABLE grown_before AS SELECT ctid AS old_ctid, xmin AS old_xmin, k FROM grown;
CREATE TEMPORARY TABLE grown_staged (k int, a text, b numeric, c int);
INSERT INTO grown_staged VALUES (1, 'later', 1.0, NULL), (2, 'changed', 1.0, NULL), (3, 'later', 1.00, NULL), (4, 'new', 2, 2);
SELECT * FROM bulk_sync('grown', 'grown_staged', scope => 'true');
SELECT g.*, g.ctid = old_ctid AND g.xmin = old_xmin AS untouched
  FROM grown g LEFT JOIN grown_before USING (k) ORDER BY k;
-- and a staged table whose own columns were added later
ALTER TABLE grown_staged DROP a, DROP c;
ALTER TABLE grown_staged ADD a text DEFAULT 'from the catalog';
SELECT * FROM bulk_sync('grown', 'grown_staged', scope => 'true');
TABLE grown ORDER BY k;

-- a single column that is the key: rows come and go, nothing is ever updated
CREATE TABLE lone (k int PRIMARY KEY);
CREATE TEMPORARY TABLE lone_staged (k int);
INSERT INTO lone VALUES (1), (2);
INSERT INTO lone_staged VALUES (2), (3);
SELECT * FROM bulk_sync('lone', 'lone_staged', scope => 'true');
TABLE lone ORDER BY k;

-- a staged table that empties itself at commit
BEGIN;
CREATE TEMPORARY TABLE brief (k int) ON COMMIT DELETE ROWS;
INSERT INTO brief VALUES (5);
SELECT * FROM bulk_sync('lone', 'brief', scope => 'true');
COMMIT;
TABLE lone ORDER BY k;
SELECT * FROM bulk_sync('lone', 'brief', scope => 'true');
TABLE lone ORDER BY k;

SET client_min_messages = warning;
DROP SCHEMA plain_tables CASCADE;
DROP TABLE life_staged, temporary_target, s, grown_before, grown_staged, lone_staged, brief;
