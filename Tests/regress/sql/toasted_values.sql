-- Large values, compressed or stored out of line: compared by what they hold, kept where they are when they did not
-- change, and stored as the target's own when they did. Contract 1.3.1; cases 64, 65, 67, 68, 86
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA toasted_values;
SET search_path = toasted_values, public;

-- What of the target is stored out of line: chunks, and the value each belongs to.
CREATE FUNCTION chunks(target regclass) RETURNS TABLE (id oid, seq int, at tid) LANGUAGE plpgsql AS $$ BEGIN
	RETURN QUERY EXECUTE (SELECT format('SELECT chunk_id, chunk_seq, ctid FROM %s', reltoastrelid::regclass)
		FROM pg_class WHERE oid = target);
END $$;
CREATE FUNCTION toast_size(target regclass) RETURNS bigint LANGUAGE sql
	RETURN (SELECT pg_relation_size(reltoastrelid) FROM pg_class WHERE oid = target);

-- 10 MB that cannot be compressed, staged identically: nothing is written, here or there.
CREATE TABLE t (k int PRIMARY KEY, n int, big bytea);
ALTER TABLE t ALTER big SET STORAGE EXTERNAL;
INSERT INTO t VALUES (1, 1, convert_to(repeat('0123456789', 1048576), 'UTF8'));
CREATE TEMPORARY TABLE s AS TABLE t;
CREATE TABLE old_chunks AS SELECT * FROM chunks('t');
SELECT count(*) > 5000 AS chunked FROM old_chunks;
SELECT toast_size('t') AS size_before \gset
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
SELECT toast_size('t') = :size_before AS same_size;

-- Another column changes: the row is updated and goes on pointing to the chunks it has.
UPDATE s SET n = 2;
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
SELECT toast_size('t') = :size_before AS same_size;
SELECT count(*) AS other_chunks FROM ((SELECT * FROM chunks('t') EXCEPT TABLE old_chunks) UNION ALL
	(TABLE old_chunks EXCEPT SELECT * FROM chunks('t'))) d;
SELECT k, n, length(big) FROM t;
-- The same where the value comes as text, and has to be converted first.
CREATE TEMPORARY TABLE s_text AS SELECT k, 3 AS n, big::text AS big FROM t;
SELECT * FROM bulk_sync('t', 's_text', '{k}', scope => 'true');
SELECT toast_size('t') = :size_before AS same_size;
-- The last of ten million bytes decides.
UPDATE s SET n = 3, big = set_byte(big, length(big) - 1, 0);
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
SELECT k, n, length(big), get_byte(big, length(big) - 1) AS last FROM t;
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
-- So does the length.
UPDATE s SET big = big || '\x00';
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
SELECT length(big) FROM t;

-- The stored value is the target's own: it outlives the staged table.
DROP TABLE s, s_text;
SELECT length(big), md5(substr(big, 1, 10485759)) = md5(repeat('0123456789', 1048576)::varchar(10485759)::bytea) AS whole
	FROM t;

-- One value, four ways to store it: plain, compressed, out of line, both. It is the same value.
CREATE TABLE stored (k int PRIMARY KEY, v text, n int);
ALTER TABLE stored ALTER v SET STORAGE EXTERNAL;
CREATE TEMPORARY TABLE stored_staged (k int, v text, n int);
INSERT INTO stored SELECT 1, repeat('x', 5000), 1;
ALTER TABLE stored_staged ALTER v SET STORAGE PLAIN;
INSERT INTO stored_staged SELECT 1, repeat('x', 5000), 1;
SELECT pg_column_size(t.v) AS stored, pg_column_size(s.v) AS staged FROM stored t, stored_staged s;
SELECT * FROM bulk_sync('stored', 'stored_staged', '{k}', scope => 'true');
TRUNCATE stored_staged;
ALTER TABLE stored_staged ALTER v SET STORAGE EXTENDED;
INSERT INTO stored_staged SELECT 1, repeat('x', 5000), 1;
SELECT pg_column_size(t.v) > pg_column_size(s.v) AS staged_is_compressed FROM stored t, stored_staged s;
SELECT * FROM bulk_sync('stored', 'stored_staged', '{k}', scope => 'true');
TRUNCATE stored;
ALTER TABLE stored ALTER v SET STORAGE MAIN;
INSERT INTO stored SELECT 1, repeat('x', 5000), 1;
ALTER TABLE stored_staged ALTER v SET STORAGE EXTERNAL;
TRUNCATE stored_staged;
INSERT INTO stored_staged SELECT 1, repeat('x', 5000), 1;
SELECT pg_column_size(t.v) < pg_column_size(s.v) AS stored_is_compressed FROM stored t, stored_staged s;
SELECT * FROM bulk_sync('stored', 'stored_staged', '{k}', scope => 'true');
-- A header of one byte and one of four are the same value as well.
ALTER TABLE stored_staged ALTER v SET STORAGE PLAIN;
UPDATE stored SET v = 'short';
UPDATE stored_staged SET v = 'short';
SELECT * FROM bulk_sync('stored', 'stored_staged', '{k}', scope => 'true');

-- Large values in arrays, rows, json and ranges, many of them, half of them changed in one place.
CREATE TYPE pair AS (a text, b text);
CREATE TABLE many (k int PRIMARY KEY, a text[], p pair, j json, jb jsonb, v text);
INSERT INTO many SELECT i, ARRAY[big, 'x'], ROW(big, NULL)::pair, to_json(big), to_jsonb(big), big
	FROM generate_series(1, 40) i, LATERAL (SELECT string_agg(md5((i * 1000 + j)::text), '') AS big
		FROM generate_series(1, 200) j) b;
CREATE TEMPORARY TABLE many_staged AS TABLE many;
UPDATE many_staged SET a[2] = 'y' WHERE k % 8 = 1;
UPDATE many_staged SET p.b = '' WHERE k % 8 = 3;
UPDATE many_staged SET j = to_json(v || '!') WHERE k % 8 = 5;
UPDATE many_staged SET v = v || '!' WHERE k % 8 = 7;
SELECT * FROM bulk_sync('many', 'many_staged', '{k}', scope => 'true', dry_run => true);
SELECT * FROM bulk_sync('many', 'many_staged', '{k}', scope => 'true');
CREATE TEMPORARY TABLE copy AS TABLE many_staged;
DROP TABLE many_staged;
SELECT count(*) AS differences FROM many FULL JOIN copy USING (k) WHERE many::text IS DISTINCT FROM copy::text;
-- A column changes in five rows: the other large values of these rows keep their chunks.
SELECT toast_size('many') AS size_before \gset
UPDATE copy SET v = left(v, 6400);
SELECT * FROM bulk_sync('many', 'copy', '{k}', scope => 'true');
SELECT count(*) AS differences FROM many FULL JOIN copy USING (k) WHERE many::text IS DISTINCT FROM copy::text;
-- (five values of 6,400 bytes, of four chunks each)
SELECT toast_size('many') - :size_before <= 5 * 4 * 2048 + 2 * 8192 AS only_the_changed_values;

-- A large key: matched by its value, wherever it is stored.
CREATE TABLE keyed (k text, v int);
ALTER TABLE keyed ALTER k SET STORAGE EXTERNAL;
CREATE TEMPORARY TABLE keyed_staged (k text, v int);
INSERT INTO keyed SELECT repeat(chr(64 + i), 10000), i FROM generate_series(1, 5) i;
INSERT INTO keyed_staged SELECT repeat(chr(64 + i), 10000), i / 2 * 2 FROM generate_series(2, 6) i;
SELECT * FROM bulk_sync('keyed', 'keyed_staged', '{k}', scope => 'true');
SELECT left(k, 1) AS k, length(k), v FROM keyed ORDER BY k;
INSERT INTO keyed_staged SELECT repeat('C', 10000), 1;
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('keyed', 'keyed_staged', '{k}', scope => 'true');
\set VERBOSITY default

-- A row that fits on no page is refused by the server, and nothing is changed.
CREATE TABLE plain (k int PRIMARY KEY, v text, n int);
ALTER TABLE plain ALTER v SET STORAGE PLAIN;
INSERT INTO plain VALUES (1, 'small', 1), (2, 'small', 1);
CREATE TEMPORARY TABLE plain_staged (k int, v text, n int);
INSERT INTO plain_staged VALUES (1, 'other', 1), (2, '', 1);
UPDATE plain_staged SET v = (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 300) i) WHERE k = 2;
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('plain', 'plain_staged', '{k}', scope => 'true');
\set VERBOSITY default
SELECT * FROM plain ORDER BY k;

SET client_min_messages = warning;
DROP SCHEMA toasted_values CASCADE;
DROP TABLE stored_staged, copy, keyed_staged, plain_staged;
