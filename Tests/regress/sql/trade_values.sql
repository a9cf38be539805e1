-- What is traded, beyond numbers in one column: text, values that are equal and look different, NULL, places in a partial index,
-- several indexes in opposite directions, columns that are touched or that no staged column is about, keys of another image.
-- Contract 1.3.7, 1.3.1, 1.3.2, 1.3.4
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA trade_values;
SET search_path = trade_values, public;

-- text, unique in lower case: 1 and 2 trade, 3 changes its case alone, 4 is equal
CREATE TABLE names (k int PRIMARY KEY, name text);
CREATE UNIQUE INDEX ON names (lower(name));
INSERT INTO names VALUES (1, 'Ann'), (2, 'Bob'), (3, 'cid'), (4, 'Dan');
CREATE TABLE names_staged (k int, name text);
INSERT INTO names_staged VALUES (1, 'BOB'), (2, 'ANN'), (3, 'Cid'), (4, 'Dan');
SELECT * FROM bulk_sync('names', 'names_staged', scope => 'true');
TABLE names ORDER BY k;
-- long ones, as an index can hold them
CREATE TABLE long_names (k int PRIMARY KEY, name text UNIQUE);
INSERT INTO long_names SELECT i, i || repeat('x', 5000) FROM generate_series(1, 3) i;
CREATE TABLE long_staged (k int, name text);
INSERT INTO long_staged SELECT i, i % 3 + 1 || repeat('x', 5000) FROM generate_series(1, 3) i;
SELECT * FROM bulk_sync('long_names', 'long_staged', scope => 'true');
SELECT k, left(name, 2) AS name, length(name) FROM long_names ORDER BY k;

-- 1.0 and 1.00 are one value to the index and a change to the sync: alone, and traded
CREATE TABLE numbers (k int PRIMARY KEY, n numeric UNIQUE);
INSERT INTO numbers VALUES (1, 1.0), (2, 2.0), (3, 3.0), (4, 4.0);
CREATE TABLE numbers_staged (k int, n numeric);
INSERT INTO numbers_staged VALUES (1, 2.00), (2, 1.00), (3, 3.00), (4, 4.0);
SELECT * FROM bulk_sync('numbers', 'numbers_staged', scope => 'true');
TABLE numbers ORDER BY k;
-- the other way about: the key keeps its value and changes its image while the rows trade
CREATE TABLE keys (k numeric PRIMARY KEY, x int UNIQUE);
INSERT INTO keys VALUES (1.0, 1), (2.0, 2), (3.0, 3);
CREATE TABLE keys_staged (k numeric, x int);
INSERT INTO keys_staged VALUES (1.00, 2), (2.00, 1), (3.0, 3);
SELECT * FROM bulk_sync('keys', 'keys_staged', scope => 'true');
TABLE keys ORDER BY k;

-- NULL is a value where NULLS NOT DISTINCT says so, and can be handed on like any other
CREATE TABLE nulls (k int PRIMARY KEY, x int UNIQUE NULLS NOT DISTINCT);
INSERT INTO nulls VALUES (1, NULL), (2, 2), (3, 3);
CREATE TABLE nulls_staged (k int, x int);
INSERT INTO nulls_staged VALUES (1, 2), (2, NULL), (3, 3);
SELECT * FROM bulk_sync('nulls', 'nulls_staged', scope => 'true');
\pset null null
TABLE nulls ORDER BY k;
UPDATE nulls_staged SET x = (ARRAY[3, 2, NULL])[k];
SELECT * FROM bulk_sync('nulls', 'nulls_staged', scope => 'true');
TABLE nulls ORDER BY k;
\pset null ''

-- a place in a partial index is left by one row and entered by another, first one way, then back; 4 was never in it
CREATE TABLE current (k int PRIMARY KEY, x int, live boolean);
CREATE UNIQUE INDEX ON current (x) WHERE live;
INSERT INTO current VALUES (1, 10, true), (2, 10, false), (3, 30, true), (4, 10, false);
CREATE TABLE current_staged (k int, x int, live boolean);
INSERT INTO current_staged VALUES (1, 10, false), (2, 10, true), (3, 30, true), (4, 10, false);
SELECT * FROM bulk_sync('current', 'current_staged', scope => 'true');
TABLE current ORDER BY k;
UPDATE current_staged SET live = NOT live WHERE k <= 2;
SELECT * FROM bulk_sync('current', 'current_staged', scope => 'true');
TABLE current ORDER BY k;
-- and one that enters takes the place of one that moves, into the place of one that leaves
UPDATE current_staged SET x = 30, live = k <> 3 WHERE k IN (1, 3);
UPDATE current_staged SET live = true WHERE k = 4;
SELECT * FROM bulk_sync('current', 'current_staged', scope => 'true');
TABLE current ORDER BY k;

-- two columns with an index each, traded in opposite directions; and an index on both
CREATE TABLE pairs (k int PRIMARY KEY, a int UNIQUE, b int UNIQUE, UNIQUE (b, a));
INSERT INTO pairs VALUES (1, 1, 1), (2, 2, 2), (3, 3, 3), (4, 4, 4);
CREATE TABLE pairs_staged (k int, a int, b int);
INSERT INTO pairs_staged VALUES (1, 2, 3), (2, 3, 1), (3, 1, 2), (4, 4, 4);
SELECT * FROM bulk_sync('pairs', 'pairs_staged', scope => 'true');
TABLE pairs ORDER BY k;
-- two trade a, two others trade b, and one of them is in both
UPDATE pairs_staged SET a = (ARRAY[3, 2, 1, 4])[k], b = (ARRAY[3, 4, 2, 1])[k];
SELECT * FROM bulk_sync('pairs', 'pairs_staged', scope => 'true');
TABLE pairs ORDER BY k;

-- a unique column that is no reason to update is traded by rows that are updated for another: touched, and filled
CREATE TABLE roles (k int PRIMARY KEY, v text, slot int UNIQUE);
INSERT INTO roles VALUES (1, 'old', 1), (2, 'old', 2), (3, 'same', 3), (4, 'same', 4);
CREATE TABLE roles_staged (k int, v text, slot int);
INSERT INTO roles_staged VALUES (1, 'new', 2), (2, 'new', 1), (3, 'same', 4), (4, 'same', 3);
SELECT * FROM bulk_sync('roles', 'roles_staged', scope => 'true', touch_columns => '{slot}');
TABLE roles ORDER BY k;

-- a value that stays where keep_columns keeps it is not free, and nobody asks for it here
UPDATE roles_staged SET slot = (ARRAY[NULL, 3, 1, 4])[k];
SELECT * FROM bulk_sync('roles', 'roles_staged', scope => 'true', keep_columns => '{slot}');
TABLE roles ORDER BY k;

-- what is stored out of line stays with its row, be it synced or not, and the trading value may be stored so itself
CREATE TABLE docs (k int PRIMARY KEY, slot int UNIQUE, doc text, note text);
ALTER TABLE docs ALTER doc SET STORAGE EXTERNAL, ALTER note SET STORAGE EXTERNAL;
CREATE UNIQUE INDEX ON docs (md5(doc));
INSERT INTO docs SELECT i, i, repeat(i::text, 9000), repeat('note' || i, 3000) FROM generate_series(1, 4) i;
CREATE TABLE docs_staged AS SELECT k, slot, doc FROM docs;
UPDATE docs_staged SET slot = (ARRAY[2, 1, 4, 3])[k], doc = (SELECT doc FROM docs WHERE docs.k = (ARRAY[1, 3, 2, 4])[docs_staged.k]);
SELECT * FROM bulk_sync('docs', 'docs_staged', scope => 'true');
SELECT k, slot, left(doc, 1) AS doc, length(doc), note = repeat('note' || k, 3000) AS noted FROM docs ORDER BY k;

-- a temporary table, and one that is not logged
CREATE TEMP TABLE passing (k int PRIMARY KEY, x int UNIQUE);
INSERT INTO passing VALUES (1, 1), (2, 2), (3, 3);
CREATE UNLOGGED TABLE unlogged (k int PRIMARY KEY, x int UNIQUE);
INSERT INTO unlogged TABLE passing;
CREATE TABLE passing_staged AS SELECT k, k % 3 + 1 AS x FROM passing;
SELECT * FROM bulk_sync('passing', 'passing_staged', scope => 'true');
SELECT * FROM bulk_sync('unlogged', 'passing_staged', scope => 'true');
SELECT (SELECT string_agg(x::text, ' ' ORDER BY k) FROM passing) AS passing, (SELECT string_agg(x::text, ' ' ORDER BY k) FROM unlogged) AS unlogged;
DROP TABLE passing;

-- values of the primary key, staged as text, by another key without an index
CREATE TABLE ids (id int PRIMARY KEY, name text NOT NULL);
INSERT INTO ids VALUES (1, 'a'), (2, 'b'), (3, 'c');
CREATE TABLE ids_staged (name text, id text);
INSERT INTO ids_staged VALUES ('c', '1'), ('b', ' 3'), ('a', '+2');
SELECT * FROM bulk_sync('ids', 'ids_staged', '{name}', scope => 'true');
SELECT name, id FROM ids ORDER BY name;

SET client_min_messages = warning;
DROP SCHEMA trade_values CASCADE;
