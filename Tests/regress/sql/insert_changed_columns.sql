-- The columns of bulk_insert_changed: which are compared, by image, and which are written. compare_columns, conversions, NULL, types without
-- equality, toasted values, staged subsets, generated and identity columns, defaults.
-- Contract 5, 1.0.4, 1.1.2, 1.3.1, 1.3.4
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA insert_changed_columns;
SET search_path = insert_changed_columns, public;

-- 1. By image, after the conversion to the target's type and type modifier: known is the one value, staged the other as text, then again:
-- whatever was written is equal now. NULL-safe.
CREATE FUNCTION compared(type text, known text, staged text) RETURNS TABLE (inserted bigint, again bigint) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE TABLE h (k int, v %s, o int)', type);
	EXECUTE format('INSERT INTO h VALUES (1, %L, 1)', known);
	CREATE TABLE staged_text AS SELECT 1 AS k, staged AS v, 2 AS o;
	inserted := (SELECT r.inserted FROM bulk_insert_changed('h', 'staged_text', '{k}', 'o') r);
	UPDATE staged_text SET o = 3;
	again := (SELECT r.inserted FROM bulk_insert_changed('h', 'staged_text', '{k}', 'o') r);
	DROP TABLE h, staged_text;
	RETURN NEXT;
END $$;
SELECT type, known, staged, c.* FROM (VALUES
	(1, 'numeric', '1.0', '1.00'), (2, 'numeric(10,1)', '1.0', '1.00'), (3, 'numeric', 'NaN', 'NaN'), (4, 'float8', '0', '-0'), (5, 'float8', 'NaN', 'NaN'), (6, 'int', NULL, NULL),
	(7, 'int', '0', NULL), (8, 'int', NULL, '0'), (9, 'text', '', NULL), (10, 'text', 'a', 'A'), (11, 'json', '{"a":1}', '{"a":1}'), (12, 'json', '{"a":1}', '{"a": 1}'),
	(13, 'jsonb', '{"a":1}', '{"a": 1}'), (14, 'jsonb', '{"a":1.0}', '{"a": 1.00}'), (15, 'jsonb', 'null', NULL), (16, 'point', '(1,2)', '(1,2)'), (17, 'point', '(1,2)', '(2,1)'),
	(18, 'box', '(0,0),(1,4)', '(0,0),(2,2)'), (19, 'char(3)', 'a', 'a '), (20, 'varchar(3)', 'a', 'a '), (21, 'interval', '1 day', '24 hours'), (22, 'timestamptz', '2024-01-01 12:00+00', '2024-01-01 13:00+01'),
	(23, 'int[]', '{1,2}', '[0:1]={1,2}'), (24, 'bytea', '\x00', '\x0000'), (25, 'xid', '7', '8'), (26, 'money', '1', '1.00')) v (position, type, known, staged),
	compared(type, known, staged) c ORDER BY position;

-- 2. Values out of line: compared as what they are, compressed or not, in the row or not.
CREATE TABLE large (k int, o int, v text, w text);
ALTER TABLE large ALTER v SET STORAGE EXTERNAL;
CREATE TABLE large_staged (w text, v text, o int, k int);
INSERT INTO large SELECT k, 1, repeat('abc' || k, 5000), (SELECT string_agg(md5(k || ':' || i), '') FROM generate_series(1, 200) i) FROM generate_series(1, 4) k;
INSERT INTO large_staged SELECT w, v, 2, k FROM large;
SELECT * FROM bulk_insert_changed('large', 'large_staged', '{k}', 'o');
UPDATE large_staged SET v = left(v, -1) || 'x' WHERE k = 2;
UPDATE large_staged SET w = 'x' || substr(w, 2) WHERE k = 3;
UPDATE large_staged SET w = NULL WHERE k = 4;
SELECT * FROM bulk_insert_changed('large', 'large_staged', '{k}', 'o');
SELECT h.k, h.v = s.v AND h.w IS NOT DISTINCT FROM s.w AS as_staged FROM large h JOIN large_staged s USING (k, o) ORDER BY k;
-- several versions of one key, each large
TRUNCATE large_staged;
INSERT INTO large_staged SELECT NULL, repeat(CASE WHEN o IN (12, 13) THEN 'b' ELSE 'a' END, 100000), o, 9 FROM generate_series(11, 15) o;
SELECT * FROM bulk_insert_changed('large', 'large_staged', '{k}', 'o');
SELECT o, left(v, 1) AS v, length(v) FROM large WHERE k = 9 ORDER BY o;

-- 3. compare_columns: those alone; every staged column is written.
CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY, k int, n int, price numeric, note text DEFAULT 'default', other text DEFAULT 'other', doubled numeric GENERATED ALWAYS AS (price * 2) STORED);
CREATE TABLE s (note text, n int, k int, price numeric);
INSERT INTO s VALUES ('a', 1, 1, 10), ('b', 2, 1, 10), ('c', 3, 1, 11), ('c', 4, 1, 12);
SELECT * FROM bulk_insert_changed('t', 's', '{k}', 'n', '{price}');
SELECT * FROM t ORDER BY k, n;
SELECT * FROM bulk_insert_changed('t', 's', '{k}', 'n', '{note}');
SELECT * FROM t ORDER BY id;
TRUNCATE t;
SELECT * FROM bulk_insert_changed('t', 's', '{k}', 'n', '{price,note}');
-- What is not staged is not compared, and takes its default; an explicit NULL is a value.
CREATE TABLE few (k int, n int, price numeric);
INSERT INTO few VALUES (1, 10, 12), (2, 10, NULL);
SELECT * FROM bulk_insert_changed('t', 'few', '{k}', 'n');
SELECT k, n, price, note, other, doubled FROM t WHERE n = 10 ORDER BY k;
-- Nothing but key and order column staged: known is known.
CREATE TABLE keys (k int, n int);
INSERT INTO keys VALUES (1, 20), (3, 20), (3, 21), (3, 22);
SELECT * FROM bulk_insert_changed('t', 'keys', '{k}', 'n');
SELECT k, n, price, note FROM t WHERE n >= 20 ORDER BY k;

-- 4. Generated columns: a staged one is never written and, being none of the caller's, no difference; as key it is matched.
CREATE TABLE staged_generated (k int, n int, price numeric, doubled numeric);
INSERT INTO staged_generated VALUES (4, 1, 5, 999), (4, 2, 5, 0), (4, 3, 6, 999);
SELECT * FROM bulk_insert_changed('t', 'staged_generated', '{k}', 'n');
SELECT k, n, price, doubled FROM t WHERE k = 4 ORDER BY n;
CREATE TABLE generated_key (k int, lower_k int GENERATED ALWAYS AS (k % 10) STORED, n int, v text);
CREATE TABLE generated_key_staged (k int, lower_k int, n int, v text);
INSERT INTO generated_key VALUES (21, DEFAULT, 1, 'a'), (32, DEFAULT, 1, 'b');
INSERT INTO generated_key_staged VALUES (41, 1, 2, 'a'), (41, 1, 3, 'b'), (52, 2, 2, 'c');
SELECT * FROM bulk_insert_changed('generated_key', 'generated_key_staged', '{lower_k}', 'n', '{v}');
SELECT * FROM generated_key ORDER BY lower_k, n;

-- 5. A staged NULL in an identity key asks for a value: it matches nothing, and is inserted each time.
CREATE TABLE identity_key (id int GENERATED BY DEFAULT AS IDENTITY, n int, v text);
CREATE TABLE identity_key_staged (id int, n int, v text);
INSERT INTO identity_key_staged VALUES (NULL, 1, 'a'), (NULL, 2, 'a'), (100, 1, 'a'), (100, 2, 'a');
SELECT * FROM bulk_insert_changed('identity_key', 'identity_key_staged', '{id}', 'n');
SELECT * FROM identity_key ORDER BY id;

-- 6. Conversion: by assignment cast, or of strings by the type's input function; what fails has its own code, names column and row, and
-- leaves the history as it was. All rows are converted, also those that would not be written.
CREATE TABLE typed (k int, at date, price numeric(6,2), code varchar(3));
CREATE TABLE texts (k text, at text, price text, code text);
INSERT INTO typed VALUES (1, '2024-01-01', 1.10, 'abc');
INSERT INTO texts VALUES (' 1 ', '2024-01-02', '1.1', 'abc'), ('2', '20240103', '1e2', NULL);
SELECT * FROM bulk_insert_changed('typed', 'texts', '{k}', 'at');
SELECT k, to_char(at, 'YYYY-MM-DD') AS at, price, code FROM typed ORDER BY k;
INSERT INTO texts VALUES ('2', 'tomorrows', '100', NULL);
SELECT * FROM bulk_insert_changed('typed', 'texts', '{k}', 'at');
\echo :LAST_ERROR_SQLSTATE
UPDATE texts SET at = '2024-01-04', price = '1000000' WHERE at = 'tomorrows';
\set VERBOSITY sqlstate
SELECT * FROM bulk_insert_changed('typed', 'texts', '{k}', 'at');
UPDATE texts SET price = '1', code = 'abcd' WHERE at = '2024-01-04';
SELECT * FROM bulk_insert_changed('typed', 'texts', '{k}', 'at');
UPDATE texts SET code = 'abc', k = 'x' WHERE at = '2024-01-04';
SELECT * FROM bulk_insert_changed('typed', 'texts', '{k}', 'at');
SELECT count(*) FROM typed;
-- no conversion at all: before any row is read
CREATE TABLE no_cast (k int, at int, price boolean);
SELECT * FROM bulk_insert_changed('typed', 'no_cast', '{k}', 'at', '{price}');
CREATE TABLE no_cast_2 (k int, at date, price boolean);
SELECT * FROM bulk_insert_changed('typed', 'no_cast_2', '{k}', 'at');
-- a domain's check
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TABLE with_domain (k int, n int, v positive);
CREATE TABLE ints (k int, n int, v int);
INSERT INTO ints VALUES (1, 1, 5), (1, 2, -5);
SELECT * FROM bulk_insert_changed('with_domain', 'ints', '{k}', 'n');
SELECT count(*) FROM with_domain;
-- a staged column that the target lacks is 42703, though it is not compared; one that is dropped is none
CREATE TABLE more AS SELECT *, 'x' AS unknown FROM ints;
SELECT * FROM bulk_insert_changed('with_domain', 'more', '{k}', 'n', '{v}');
ALTER TABLE more DROP unknown;
DELETE FROM more WHERE v < 0;
\set VERBOSITY default
SELECT * FROM bulk_insert_changed('with_domain', 'more', '{k}', 'n', '{v}');
-- constraints of the target: what is inserted must hold, and what is left out is not asked
CREATE TABLE checked (k int, n int CHECK (n < 100), v int NOT NULL);
INSERT INTO checked VALUES (1, 1, 5);
CREATE TABLE checked_staged AS SELECT 1 AS k, 200 AS n, 5 AS v;
SELECT * FROM bulk_insert_changed('checked', 'checked_staged', '{k}', 'n');
\set VERBOSITY sqlstate
UPDATE checked_staged SET v = 6;
SELECT * FROM bulk_insert_changed('checked', 'checked_staged', '{k}', 'n');
UPDATE checked_staged SET n = 2, v = NULL;
SELECT * FROM bulk_insert_changed('checked', 'checked_staged', '{k}', 'n');
\set VERBOSITY default
SELECT * FROM checked;

SET client_min_messages = warning;
DROP SCHEMA insert_changed_columns CASCADE;
