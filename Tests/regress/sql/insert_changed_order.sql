-- The order column of bulk_insert_changed: which staged row comes first, which row of the history is the newest. A staged column of many
-- types, NULL lowest, ties, late rows; or a column that the database assigns, and then the order of staging.
-- Contract 5, 1.1.2 (converted before it is ordered), 1.3.4 (assigned values)
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA insert_changed_order;
SET search_path = insert_changed_order, public;

-- 1. Types. Known are the values of the list, in that order of writing, with v = 'a', 'b', ...; staged are two rows with the v of the highest, one
-- equal to it and one lower: neither is written. A row with another v that is lower is written, and does not become the newest.
CREATE FUNCTION of_type(type text, known text[], highest int, late text) RETURNS TABLE (counts text, inserted text) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE TABLE h (k int, v text, o %s)', type);
	EXECUTE format('CREATE TABLE staged (k int, v text, o %s)', type);
	FOR i IN 1 .. cardinality(known) LOOP
		EXECUTE format('INSERT INTO h VALUES (1, chr(96 + %s), %L)', i, known[i]);
	END LOOP;
	EXECUTE format('INSERT INTO staged VALUES (1, chr(96 + %s), %L), (1, chr(96 + %s), %L), (1, ''late'', %L)', highest, known[highest], highest, late, late);
	SELECT r::text INTO counts FROM bulk_insert_changed('h', 'staged', '{k}', 'o') r;
	EXECUTE 'SELECT string_agg(v, '','' ORDER BY v) FROM h WHERE v = ''late''' INTO inserted;
	DROP TABLE h, staged;
	RETURN NEXT;
END $$;
SELECT type, o.* FROM (VALUES
	(1, 'int', '{2,10,9}'::text[], 2, '3'), (2, 'text COLLATE "C"', '{2,10,9}', 3, '3'), (3, 'text COLLATE "C"', '{B,a,A}', 2, 'Z'), (4, 'numeric', '{NaN,Infinity,2}', 1, '9e99'),
	(5, 'numeric', '{1.5,1.50,1.05}', 2, '1.4'), (6, 'float8', '{NaN,Infinity,NULL}', 1, '1'), (7, 'date', '{2024-01-01,infinity,9999-12-31}', 2, '2024-01-02'),
	(8, 'timestamptz', '{2024-06-01 12:00+02,2024-06-01 11:00+00,2024-06-01 12:30+02}', 2, '2024-06-01 12:59+02'), (9, 'timestamp', '{infinity,-infinity,NULL}', 1, '-infinity'),
	(10, 'bigint', '{NULL,NULL,NULL}', 3, NULL), (11, 'bigint', '{NULL,-9223372036854775808,NULL}', 2, NULL), (12, 'uuid', '{00000000-0000-0000-0000-000000000002,00000000-0000-0000-0000-000000000001}', 1, NULL),
	(13, 'bytea', '{"\\x02","\\x0201","\\x01ff"}', 2, '\x0200'), (14, 'interval', '{1 month,31 days,30 days}', 2, '4 weeks'), (15, 'money', '{9,10}', 2, '9.5'), (16, 'bool', '{t,f}', 1, 'f'),
	(17, 'bit(4)', '{0111,1000}', 2, '0001'), (18, 'int[]', '{"{1}","{1,0}"}', 2, '{1}'), (19, 'char(3)', '{b,"a  ",c}', 3, 'a'), (20, 'inet', '{10.0.0.9,10.0.0.10}', 2, '10.0.0.1'), (21, 'jsonb', '{1,"\"a\""}', 1, '"b"')
	) c (position, type, known, highest, late), of_type(type, known, highest, late) o ORDER BY position;

-- 2. It is converted to the target's type before it is ordered: text '9' is less than text '10' for a number.
CREATE TABLE t (k int, v text, n int);
CREATE TABLE s (k int, v text, n text);
INSERT INTO s VALUES (1, 'b', '10'), (1, 'a', '9'), (1, 'b', ' 8 ');
SELECT * FROM bulk_insert_changed('t', 's', '{k}', 'n');
SELECT * FROM t ORDER BY n;
-- What cannot be ordered is refused.
CREATE TABLE of_json (k int, v text, n json);
\set VERBOSITY sqlstate
SELECT * FROM bulk_insert_changed('of_json', 's', '{k}', 'n');
\set VERBOSITY default

-- 3. Late rows: each is compared with the newest row, which it does not become, and the newest stays the newest.
TRUNCATE t, s;
INSERT INTO t VALUES (1, 'old', 10), (1, 'newest', 20);
INSERT INTO s VALUES (1, 'late', 15), (1, 'late', 16), (1, 'newest', 17), (1, 'newest', 21), (1, 'next', 22), (1, 'newest', 23), (1, 'old', 5);
SELECT * FROM bulk_insert_changed('t', 's', '{k}', 'n');
SELECT * FROM t ORDER BY n;
-- NULL is lowest: it comes first, and never becomes the newest once there is another
TRUNCATE t, s;
INSERT INTO s VALUES (1, 'a', 1), (1, 'b', NULL), (1, 'b', NULL), (1, 'c', NULL);
SELECT * FROM bulk_insert_changed('t', 's', '{k}', 'n');
SELECT * FROM t ORDER BY n NULLS FIRST, v;
SELECT * FROM bulk_insert_changed('t', 's', '{k}', 'n');
-- Ties: in the order of staging, the one inserted last is the newest.
TRUNCATE t, s;
INSERT INTO t VALUES (1, 'a', 7), (1, 'b', 7);
INSERT INTO s VALUES (1, 'b', 7), (1, 'a', 7), (1, 'c', 7), (1, 'c', 7), (1, 'a', 7);
SELECT * FROM bulk_insert_changed('t', 's', '{k}', 'n');
SELECT array_agg(v ORDER BY ctid) AS written FROM t;
TRUNCATE s;
INSERT INTO s VALUES (1, 'a', 7);
SELECT * FROM bulk_insert_changed('t', 's', '{k}', 'n');

-- 4. Not staged: the order of staging; the database assigns. An identity column,
CREATE TABLE by_identity (id bigint GENERATED ALWAYS AS IDENTITY, k int, v text);
CREATE TABLE unordered (v text, k int);
INSERT INTO unordered VALUES ('a', 1), ('x', 2), ('b', 1), ('b', 1), ('a', 1), ('x', 2), ('y', 2);
SELECT * FROM bulk_insert_changed('by_identity', 'unordered', '{k}', 'id');
SELECT k, array_agg(v ORDER BY id) AS written FROM by_identity GROUP BY k ORDER BY k;
-- no number is drawn for what is not written
SELECT max(id) = count(*) AS without_gaps FROM by_identity;
TRUNCATE unordered;
INSERT INTO unordered VALUES ('y', 2), ('a', 1), ('z', 2);
SELECT * FROM bulk_insert_changed('by_identity', 'unordered', '{k}', 'id');
SELECT k, array_agg(v ORDER BY id) AS written FROM by_identity GROUP BY k ORDER BY k;
-- one that counts downwards: the newest is the highest all the same, which is the first row ever written
CREATE TABLE downwards (id int GENERATED BY DEFAULT AS IDENTITY (INCREMENT BY -1), k int, v text);
TRUNCATE unordered;
INSERT INTO unordered VALUES ('a', 1), ('b', 1), ('b', 1), ('a', 1);
SELECT * FROM bulk_insert_changed('downwards', 'unordered', '{k}', 'id');
SELECT array_agg(v ORDER BY id DESC) AS written FROM downwards;
-- DEFAULT now(): all rows of one call are ties, and the one inserted last counts; in later calls too
CREATE TABLE by_now (at timestamptz NOT NULL DEFAULT now(), k int, v text);
SELECT * FROM bulk_insert_changed('by_now', 'unordered', '{k}', 'at');
SELECT array_agg(v ORDER BY at, ctid) AS written, count(DISTINCT at) AS times FROM by_now;
SELECT * FROM bulk_insert_changed('by_now', 'unordered', '{k}', 'at');
BEGIN;
INSERT INTO unordered VALUES ('c', 1);
SELECT * FROM bulk_insert_changed('by_now', 'unordered', '{k}', 'at');
SELECT * FROM bulk_insert_changed('by_now', 'unordered', '{k}', 'at');
ROLLBACK;
-- DEFAULT clock_timestamp(): later and later
CREATE TABLE by_clock (k int, v text, at timestamptz DEFAULT clock_timestamp());
SELECT * FROM bulk_insert_changed('by_clock', 'unordered', '{k}', 'at');
SELECT array_agg(v ORDER BY at, ctid) AS written FROM by_clock;
SELECT * FROM bulk_insert_changed('by_clock', 'unordered', '{k}', 'at', '{v}');
-- a constant is a tie
CREATE TABLE by_constant (k int, v text, n int DEFAULT 5);
INSERT INTO by_constant VALUES (1, 'a', 4), (1, 'z', 6);
SELECT * FROM bulk_insert_changed('by_constant', 'unordered', '{k}', 'n');
SELECT array_agg(v || n ORDER BY n, ctid) AS written FROM by_constant;
-- no default: NULL, which is lowest, so that the row with a value stays the newest
TRUNCATE t;
SELECT * FROM bulk_insert_changed('t', 'unordered', '{k}', 'n');
SELECT array_agg(v ORDER BY ctid) AS written, count(n) AS ordered FROM t;
INSERT INTO t VALUES (1, 'b', 1);
SELECT * FROM bulk_insert_changed('t', 'unordered', '{k}', 'n');
-- a row that is higher than all that the database assigns stays the newest: one of tomorrow, one with a number by hand
CREATE TABLE same AS SELECT 1 AS k, 'same' AS v FROM generate_series(1, 2);
INSERT INTO by_now VALUES (now() + interval '1 day', 1, 'tomorrow');
SELECT * FROM bulk_insert_changed('by_now', 'same', '{k}', 'at');
CREATE TABLE by_hand (id int GENERATED BY DEFAULT AS IDENTITY, k int, v text);
INSERT INTO by_hand VALUES (1000, 1, 'by hand');
SELECT * FROM bulk_insert_changed('by_hand', 'same', '{k}', 'id');
-- the default of a view's column
CREATE VIEW with_default AS TABLE t;
ALTER VIEW with_default ALTER n SET DEFAULT 5;
TRUNCATE t;
INSERT INTO t VALUES (1, 'z', 6);
SELECT * FROM bulk_insert_changed('with_default', 'same', '{k}', 'n');
SELECT v, n FROM t ORDER BY n, v;
-- a BEFORE trigger
CREATE TABLE by_trigger (k int, v text, at timestamptz);
CREATE FUNCTION set_at() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN new.at := clock_timestamp(); RETURN new; END';
CREATE TRIGGER set_at BEFORE INSERT ON by_trigger FOR EACH ROW EXECUTE FUNCTION set_at();
INSERT INTO by_trigger VALUES (1, 'a');
SELECT * FROM bulk_insert_changed('by_trigger', 'unordered', '{k}', 'at');
SELECT array_agg(v ORDER BY at) AS written FROM by_trigger;
-- a generated column: as it is computed, so that the second of two equal rows may be compared with one between them
INSERT INTO unordered VALUES ('a', 1);
CREATE TABLE by_generated (k int, v text, n int GENERATED ALWAYS AS (ascii(v)) STORED);
SELECT * FROM bulk_insert_changed('by_generated', 'unordered', '{k}', 'n', '{v}');
SELECT array_agg(v ORDER BY ctid) AS written FROM by_generated;

-- 5. A staged identity column is written as it is staged; a staged NULL asks for a value, in the order of staging.
CREATE TABLE with_ids (id bigint, k int, v text);
INSERT INTO with_ids VALUES (50, 1, 'b'), (40, 1, 'a'), (60, 1, 'b');
TRUNCATE by_identity RESTART IDENTITY;
SELECT * FROM bulk_insert_changed('by_identity', 'with_ids', '{k}', 'id');
SELECT * FROM by_identity ORDER BY id;
TRUNCATE by_identity RESTART IDENTITY;
UPDATE with_ids SET id = NULL;
SELECT * FROM bulk_insert_changed('by_identity', 'with_ids', '{k}', 'id');
SELECT * FROM by_identity ORDER BY id;
CREATE TABLE by_serial (id serial, k int, v text);
SELECT * FROM bulk_insert_changed('by_serial', 'with_ids', '{k}', 'id');
SELECT * FROM by_serial ORDER BY id;

SET client_min_messages = warning;
DROP SCHEMA insert_changed_order CASCADE;
