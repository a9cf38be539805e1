-- Rows that are wide, and more than memory holds: equal ones are sorted out before the match. What is found is what there is
-- without that, whatever makes a row differ, and whatever is wrong with the rows.
-- (README of the extension, Reading; clauses 1.1.1, 1.1.5, 1.3.1, 1.3.2, 1.3.4, 1.3.9, 1.4, 1.5)
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
CREATE SCHEMA equal_rows;
SET search_path = equal_rows, public;
LOAD 'bulk_sync';

-- 2,000 rows of 600 bytes and some, every tenth with a text out of line; each is a number of columns in which a row may differ.
CREATE FUNCTION wide(n int, salt text DEFAULT '') RETURNS text LANGUAGE sql IMMUTABLE AS
	$$SELECT string_agg(md5(concat(n, salt, i)), '') FROM generate_series(1, CASE WHEN n % 10 = 0 THEN 150 ELSE 16 END) i$$;
CREATE TABLE rows (k text, n numeric, a text, b text, i int, f float8, c "char", l char(8), j json, z timestamptz);
INSERT INTO rows SELECT 'key ' || i, (i || '.0')::numeric, wide(i), CASE WHEN i % 3 > 0 THEN 'b ' || i END, i, 0.5 * i, chr(64 + i % 30), 'l' || i,
	format('{"a": %s}', i)::json, '2020-01-01'::timestamptz + i * interval '1 hour' FROM generate_series(1, 2000) i;
-- a change of each kind, in rows that are told by their numbers
CREATE FUNCTION change() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	UPDATE s SET n = (n || '0')::numeric WHERE i % 200 = 1;
	UPDATE s SET a = overlay(a placing '-' from length(a)) WHERE i % 200 IN (2, 10);
	UPDATE s SET a = a || ' ' WHERE i % 200 = 3;
	UPDATE s SET b = NULL WHERE i % 200 = 4;
	UPDATE s SET b = '' WHERE i % 200 = 6;
	UPDATE s SET f = '-0' WHERE i = 7;
	UPDATE s SET c = '!' WHERE i % 200 = 8;
	UPDATE s SET l = l::text || ' x' WHERE i % 200 = 9;
	UPDATE s SET j = '{"a":  0}' WHERE i % 200 = 11;
	UPDATE s SET z = z + interval '1 microsecond' WHERE i % 200 = 12;
	UPDATE s SET k = 'new ' || k WHERE i % 200 = 13;
END $$;

-- Runs a call on fresh copies in the way that is chosen with little memory, by a table in memory, and by sorting the equal
-- rows out; shows what each answers, and how many of the three gave that answer, changed and left the same rows.
CREATE FUNCTION run(call text, target text DEFAULT 'TABLE rows', prepare text DEFAULT '') RETURNS TABLE (answer text, same bigint)
LANGUAGE plpgsql AS $$
DECLARE
	way text;
	returned text;
BEGIN
	CREATE TEMPORARY TABLE answers (answer text, left_over text, returned text);
	FOREACH way IN ARRAY '{auto,hash,filter}'::text[] LOOP
		DROP TABLE IF EXISTS t, s CASCADE;
		EXECUTE 'CREATE TABLE t AS ' || target;
		CREATE TABLE s AS TABLE rows;
		PERFORM change();
		EXECUTE prepare;
		PERFORM set_config('bulk_sync.matcher', way, true),
			set_config('bulk_sync.work_mem', CASE way WHEN 'auto' THEN '256kB' ELSE '64MB' END, true);
		BEGIN
			returned := NULL;
			EXECUTE 'SELECT md5(string_agg(r::text, chr(10) ORDER BY r::text COLLATE "C")) FROM bulk_sync_returning('
				|| replace(call, ', dry_run => true', '') || ') r' INTO returned;
			RAISE SQLSTATE 'ZZ000';
		EXCEPTION WHEN OTHERS THEN
			NULL;
		END;
		BEGIN
			EXECUTE 'SELECT r FROM bulk_sync(' || call || ') r' INTO answer;
		EXCEPTION WHEN OTHERS THEN
			answer := SQLSTATE;
		END;
		INSERT INTO answers VALUES (answer, (SELECT md5(string_agg(t::text, chr(10) ORDER BY t::text COLLATE "C")) FROM t), returned);
	END LOOP;
	RETURN QUERY SELECT a.answer, count(*) FROM answers a GROUP BY a.answer, a.left_over, a.returned;
	DROP TABLE answers;
END $$;
SELECT * FROM run($$'t', 's', '{k}', scope => 'true'$$);
SELECT * FROM run($$'t', 's', '{k}', scope => 'true', dry_run => true$$);
SELECT * FROM run($$'t', 's', '{k,n}', scope => 'true'$$);
-- Equal keys of different image; NULL keys.
SELECT * FROM run($$'t', 's', '{n}', scope => 'true'$$, 'TABLE rows', $$ALTER TABLE s ALTER n TYPE text; UPDATE s SET n = n || '00' WHERE i % 100 = 50$$);
SELECT * FROM run($$'t', 's', '{b,i}', scope => 'true'$$);
-- Columns that are not compared, or only in part.
SELECT * FROM run($$'t', 's', '{k}', scope => 'true', insert_only_columns => '{a}', touch_columns => '{n}', fill_columns => '{b}', keep_columns => '{z}'$$,
	'SELECT k, n, a, CASE WHEN i % 7 > 0 THEN b END AS b, i, f, c, l, j, z FROM rows');
SELECT * FROM run($$'t', 's', '{k}', scope => 'true', columns => '{b,j}'$$);
SELECT * FROM run($$'t', 's', '{k}', actions => '{insert}'$$);
SELECT * FROM run($$'t', 's', '{k}', actions => '{update,delete}', scope => 'true', update_where => 'staged.i % 400 < 200'$$);
-- Guards count all rows.
SELECT * FROM run($$'t', 's', '{k}', scope => 'true', expected_rows => 2000, max_deletes => 10, max_delete_fraction => 0.005$$);
SELECT * FROM run($$'t', 's', '{k}', scope => 'true', expected_rows => 1999$$);
SELECT * FROM run($$'t', 's', '{k}', scope => 'true', max_deletes => 9$$);
SELECT * FROM run($$'t', 's', '{k}', scope => 'true', max_delete_fraction => 0.00499$$);
SELECT * FROM run($$'t', 's', '{k}', scope => 'true'$$, 'TABLE rows', 'TRUNCATE s');
-- Duplicates: of rows that are equal, of which one is equal, and that match two rows.
SELECT * FROM run($$'t', 's', '{k}', scope => 'true'$$, 'TABLE rows', 'INSERT INTO s SELECT * FROM rows WHERE i = 500');
SELECT * FROM run($$'t', 's', '{k}', scope => 'true', duplicates => 'first'$$, 'TABLE rows', 'INSERT INTO s SELECT * FROM rows WHERE i % 200 IN (1, 100)');
SELECT * FROM run($$'t', 's', '{k}', scope => 'true', duplicates => 'last'$$, 'TABLE rows', 'INSERT INTO s SELECT * FROM rows WHERE i % 200 IN (1, 100)');
SELECT * FROM run($$'t', 's', '{k}', scope => 'true', duplicates => 'first', order_column => 'l'$$, 'TABLE rows',
	$$INSERT INTO s SELECT k, n, a, b, i, f, c, 'a', j, z FROM rows WHERE i % 200 IN (1, 100)$$);
SELECT * FROM run($$'t', 's', '{k}', scope => 'true'$$, 'SELECT * FROM rows UNION ALL SELECT * FROM rows WHERE i = 500');
SELECT * FROM run($$'t', 's', '{k}', scope => 'true'$$, 'SELECT k, n, a, b, i, f, c, l, j, z FROM rows, generate_series(1, 1 + (i = 500)::int)', 'UPDATE t SET n = 0 WHERE ctid = (SELECT min(ctid) FROM t WHERE i = 500)');
SELECT * FROM run($$'t', 's', '{k}', scope => 'true'$$, 'SELECT * FROM rows UNION ALL SELECT * FROM rows WHERE i = 13');
-- Values that cannot be converted, or are by the way
SELECT * FROM run($$'t', 's', '{k}', scope => 'true'$$, 'TABLE rows', $$ALTER TABLE s ALTER i TYPE text, ALTER z TYPE text, ALTER j TYPE text$$);
SELECT * FROM run($$'t', 's', '{k}', scope => 'true'$$, 'TABLE rows', $$ALTER TABLE s ALTER i TYPE text; UPDATE s SET i = 'x' WHERE k = 'key 1999'$$);
-- Marked rows: equal ones stay as they are, come back, or stand beside a live one.
SELECT * FROM run($$'t', 's', '{k}', scope => 'true', soft_delete_column => 'gone'$$, 'SELECT *, i % 50 = 5 AS gone FROM rows');
SELECT * FROM run($$'t', 's', '{k}', scope => 'true', soft_delete_column => 'gone'$$,
	'SELECT *, false AS gone FROM rows UNION ALL SELECT *, true FROM rows WHERE i % 50 < 4');
-- A key that the database assigns
SELECT * FROM run($$'t', 's', '{id}', scope => 'true', columns => '{k,a}'$$, 'TABLE rows', $$ALTER TABLE t ADD id int GENERATED BY DEFAULT AS IDENTITY;
	ALTER TABLE s ADD id int; UPDATE s SET id = i WHERE i % 100 <> 70; UPDATE t SET id = i + 10000 WHERE i % 100 = 70$$);
-- Partitions and children, with their columns in another order
SELECT * FROM run($$'t', 's', '{k}', scope => 'true'$$, 'TABLE rows', $$
	ALTER TABLE t RENAME TO parted; CREATE TABLE t (LIKE parted) PARTITION BY RANGE (f);
	CREATE TABLE t1 (z timestamptz, gone int, a text, l char(8), k text, n numeric, b text, i int, f float8, c "char", j json);
	ALTER TABLE t1 DROP gone; ALTER TABLE t ATTACH PARTITION t1 FOR VALUES FROM (MINVALUE) TO (300);
	CREATE TABLE t2 PARTITION OF t DEFAULT; INSERT INTO t TABLE parted; DROP TABLE parted$$);
SELECT * FROM run($$'t', 's', '{k}', scope => 'true'$$, 'SELECT * FROM rows WHERE i % 2 = 0', $$
	CREATE TABLE child (more int, LIKE t); ALTER TABLE child INHERIT t; INSERT INTO child SELECT 1, * FROM rows WHERE i % 2 = 1$$);
-- A cast that gives another value each time is asked once for each row.
CREATE TYPE src AS (x int);
CREATE SEQUENCE sq;
CREATE FUNCTION cast_src(src) RETURNS int VOLATILE LANGUAGE plpgsql AS $$
DECLARE
	n int := nextval('sq');
BEGIN
	RETURN CASE n WHEN 2 THEN 5 WHEN 3 THEN 1 ELSE ($1).x END;
END $$;
CREATE CAST (src AS int) WITH FUNCTION cast_src(src) AS ASSIGNMENT;
CREATE TABLE cast_to (k int);
INSERT INTO cast_to VALUES (1), (2);
CREATE TABLE cast_from (k src);
INSERT INTO cast_from VALUES (ROW(1)), (ROW(2));
SET bulk_sync.matcher = 'filter';
SELECT * FROM bulk_sync('cast_to', 'cast_from', '{k}', scope => 'true');
TABLE cast_to ORDER BY k;
RESET bulk_sync.matcher;
-- Values out of line are not held all at once, and documents of many sizes no longer than their batch.
CREATE TABLE documents (k int PRIMARY KEY, d jsonb);
CREATE TABLE documents_s AS SELECT i AS k, '["' || (SELECT string_agg(md5(concat(i, j)), '') FROM generate_series(1, 320 + (i * 37) % 640) j) || '"]' AS d
	FROM generate_series(1, 600) i;
INSERT INTO documents SELECT k, d::jsonb FROM documents_s;
CREATE FUNCTION hash_table_is_small() RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN RETURN (SELECT coalesce(sum(total_bytes), 0) < 1.5 * 2 * 1024 * 1024 FROM pg_backend_memory_contexts WHERE name = 'bulk_sync hash table'); END $$;
UPDATE documents SET d = '[]';
SET bulk_sync.matcher = 'hash';
SET bulk_sync.work_mem = '2MB';
SELECT * FROM bulk_sync('documents', 'documents_s', '{k}', scope => 'true', update_where => 'hash_table_is_small()');
RESET bulk_sync.matcher;
RESET bulk_sync.work_mem;

-- An old snapshot is noticed all the same, and does no harm where nothing has happened.
SELECT FROM run($$'t', 's', '{k}', scope => 'true', dry_run => true$$);
BEGIN ISOLATION LEVEL REPEATABLE READ;
SET LOCAL bulk_sync.matcher = 'filter';
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
COMMIT;
SELECT count(*) AS differences FROM (SELECT t::text FROM t EXCEPT SELECT s::text FROM s) d;

RESET search_path;
DROP SCHEMA equal_rows CASCADE;
