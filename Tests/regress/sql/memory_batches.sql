-- The same numbers and the same rows whatever memory there is: with a budget far too small for the rows on
-- each side, and with plenty. Contract 1.1, 1.3.9, 1.5
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA memory_batches;
SET search_path = memory_batches, public;
-- The first call loads the library, so that the setting is known and checked.
CREATE TABLE one (k int);
CREATE TABLE one_staged (k int);
SELECT * FROM bulk_sync('one', 'one_staged', '{k}', scope => 'true', allow_empty => true);

-- 8,000 rows on both sides. Keys 801 to 8,000 are in both; every seventh value of these differs. The order of the
-- rows is another on each side; they are one megabyte and more.
CREATE TABLE source (k int, code text, v text);
INSERT INTO source SELECT i, 'code ' || i % 200, repeat(md5(i::text), 3) FROM generate_series(1, 8000) i;
CREATE TABLE staged (k int, code text, v text);
INSERT INTO staged SELECT k + 800, 'code ' || (k + 800) % 200, CASE WHEN k % 7 = 0 THEN 'changed ' ELSE '' END ||
	repeat(md5((k + 800)::text), 3) FROM source ORDER BY md5(k::text);

-- Runs a call on a fresh copy of the stored rows once with a small budget and once with a large one: the counts of
-- both, and the number of rows in which the results differ (from each other, and from the wanted rows).
CREATE FUNCTION run(budget text, call text, OUT counts text, OUT rows bigint, OUT digest text) LANGUAGE plpgsql AS $$
DECLARE
	result record;
BEGIN
	PERFORM set_config('bulk_sync.work_mem', budget, false);
	DROP TABLE IF EXISTS target;
	CREATE TABLE target AS TABLE stored;
	EXECUTE 'SELECT * FROM bulk_sync(''target'', ''staged'', ' || call || ') r' INTO result;
	counts := result;
	SELECT count(*), md5(string_agg(t::text, '' ORDER BY t::text COLLATE "C")) INTO rows, digest FROM target t;
EXCEPTION WHEN cardinality_violation OR with_check_option_violation THEN
	counts := SQLSTATE;
	rows := 0;
END $$;
CREATE PROCEDURE compare(call text) LANGUAGE plpgsql AS $$
DECLARE
	small record;
	large record;
BEGIN
	SET client_min_messages = warning;
	small := run('64kB', call);
	large := run('256MB', call);
	RESET client_min_messages;
	RAISE INFO '% % %', small.counts, small.rows,
		CASE WHEN small = large THEN 'either way' ELSE 'but ' || large.counts || ' ' || large.rows END;
END $$;
CREATE TABLE stored AS TABLE source;
CREATE VIEW wanted AS SELECT count(*) FILTER (WHERE t.k IS NULL) AS inserted,
	count(*) FILTER (WHERE t.v <> s.v) AS updated, count(*) FILTER (WHERE t.v = s.v) AS unchanged,
	count(*) FILTER (WHERE s.k IS NULL) AS deleted FROM stored t FULL JOIN staged s USING (k);

SELECT * FROM wanted;
CALL compare('''{k}'', scope => ''true''');
CALL compare('''{code,k}'', scope => ''true''');
-- What the last call left is what is staged.
SELECT count(*) AS differences FROM ((TABLE target EXCEPT ALL TABLE staged) UNION ALL
	(TABLE staged EXCEPT ALL TABLE target)) d;
SELECT * FROM bulk_sync('target', 'staged', '{k}', scope => 'true');
SET bulk_sync.work_mem = '64kB';
SELECT * FROM bulk_sync('target', 'staged', '{k}', scope => 'true');
SELECT * FROM bulk_sync('target', 'staged', '{k}', scope => 'true', dry_run => true);

-- A scope, some of the actions, conditions on both rows.
CALL compare('''{k}'', scope => ''k > 800''');
CALL compare('''{k}'', actions => ''{insert}''');
CALL compare('''{k}'', scope => ''true'', actions => ''{update,delete}'', update_where => ''staged.k % 2 = 0''');
CALL compare('''{k}'', scope => ''k < 8799''');
CALL compare('''{k}'', scope_columns => ''{code}''');
DELETE FROM staged WHERE code < 'code 15';
CALL compare('''{k}'', scope_columns => ''{code}''');
-- Few staged rows against many, and many against few.
DELETE FROM staged WHERE k % 100 <> 50;
CALL compare('''{k}'', scope => ''true''');
TRUNCATE stored;
INSERT INTO stored SELECT * FROM source WHERE k % 200 = 0;
TRUNCATE staged;
INSERT INTO staged SELECT k, code, v FROM source ORDER BY md5(k::text);
CALL compare('''{k}'', scope => ''true''');
TRUNCATE stored;
CALL compare('''{k}'', scope => ''true''');

-- Duplicates: 3,200 keys two to three times each, by the order of staging and by a column.
INSERT INTO stored SELECT * FROM source WHERE k <= 4000;
UPDATE staged SET k = k % 3200 + 1;
CALL compare('''{k}'', scope => ''true''');
CALL compare('''{k}'', scope => ''true'', duplicates => ''first''');
CALL compare('''{k}'', scope => ''true'', duplicates => ''last''');
SELECT count(*) AS wrong FROM target t WHERE v <> (SELECT v FROM staged s WHERE s.k = t.k ORDER BY s.ctid DESC LIMIT 1);
CALL compare('''{k}'', scope => ''true'', duplicates => ''first'', order_column => ''v''');
SELECT count(*) AS wrong FROM target t JOIN (SELECT k, min(v) AS v FROM staged GROUP BY k) s USING (k) WHERE t.v <> s.v;
CALL compare('''{k}'', scope => ''true'', duplicates => ''last'', order_column => ''v''');
-- One duplicate among thousands of keys is found and named, in whichever part of the work it lies.
DELETE FROM staged s WHERE EXISTS (SELECT FROM staged o WHERE o.k = s.k AND o.ctid < s.ctid);
INSERT INTO staged VALUES (777, '', 'again');
SET bulk_sync.work_mem = '64kB';
SELECT * FROM bulk_sync('target', 'staged', '{k}', scope => 'true');
-- One key in 8,000 rows: no division into parts makes this smaller.
TRUNCATE stored, staged;
INSERT INTO staged SELECT 1, code, v FROM source;
INSERT INTO stored VALUES (1, '', '');
CALL compare('''{k}'', scope => ''true''');
CALL compare('''{k}'', scope => ''true'', duplicates => ''last''');
TABLE target;

-- NULL keys among the others, and in each of two columns.
TRUNCATE stored, staged;
INSERT INTO stored SELECT nullif(k, 100), nullif(code, 'code 1'), v FROM source;
INSERT INTO staged SELECT nullif(k, 100), nullif(code, 'code 1'), left(v, 95 + k % 2) FROM source WHERE k % 3 > 0;
CALL compare('''{k}'', scope => ''true''');
CALL compare('''{k,code}'', scope => ''true''');
CALL compare('''{code}'', scope => ''true'', duplicates => ''last''');
-- A row matched twice, far apart.
INSERT INTO stored VALUES (1, 'twice', '');
CALL compare('''{k}'', scope => ''true''');

-- Soft delete: live, marked, revived and marked anew.
TRUNCATE stored, staged;
ALTER TABLE stored ADD gone boolean;
INSERT INTO stored SELECT k, code, v, k % 5 = 0 FROM source;
INSERT INTO stored SELECT k, code, 'older', true FROM source WHERE k % 10 = 1;
INSERT INTO staged SELECT k, code, v FROM source WHERE k % 4 > 0;
SELECT count(*) FILTER (WHERE k % 5 = 0) AS revived FROM staged;
SELECT count(*) AS marked FROM stored WHERE NOT gone AND k NOT IN (SELECT k FROM staged);
CALL compare('''{k}'', scope => ''true'', soft_delete_column => ''gone''');
SELECT gone, count(*) FROM target GROUP BY gone ORDER BY gone;
CALL compare('''{k}'', scope => ''k <= 1600'', soft_delete_column => ''gone'', actions => ''{delete}''');

-- Keys that cannot be hashed, keys as text of which the conversion is part.
TRUNCATE stored, staged;
DROP VIEW wanted;
ALTER TABLE stored DROP gone;
ALTER TABLE stored ALTER k TYPE money USING k::money;
ALTER TABLE staged ALTER k TYPE text;
INSERT INTO stored SELECT k::money, code, v FROM source;
INSERT INTO staged SELECT (k + 800)::text, code, v FROM source ORDER BY md5(k::text);
CALL compare('''{k}'', scope => ''true''');
CALL compare('''{k}'', scope => ''true'', duplicates => ''last''');
CALL compare('''{k,code}'', scope => ''true'', actions => ''{insert,delete}''');

-- 50,000 rows on both sides, some megabytes, every key of which is in both.
TRUNCATE stored, staged;
INSERT INTO stored SELECT k::money, 'code', repeat(md5(k::text), 3) FROM generate_series(1, 50000) k;
ALTER TABLE stored ALTER k TYPE int USING k::numeric::int;
INSERT INTO staged SELECT k, code, CASE WHEN k % 5 = 0 THEN '' ELSE v END FROM stored ORDER BY md5(k::text);
CALL compare('''{k}'', scope => ''true''');

-- A budget that is none is refused; the default is maintenance_work_mem.
\set VERBOSITY sqlstate
SET bulk_sync.work_mem = '-5kB';
\set VERBOSITY default
RESET bulk_sync.work_mem;
SHOW bulk_sync.work_mem;

-- Batches follow one another in the same memory, and do not go far beyond the budget.
CREATE TABLE many (k int, v text);
CREATE TABLE many_staged (k int, v text);
INSERT INTO many SELECT i, 'old' FROM generate_series(1, 100000) i;
INSERT INTO many_staged SELECT i, 'new' FROM generate_series(1, 100000) i;
-- asked while rows are matched; PL/pgSQL, so that it is not taken into the condition
CREATE FUNCTION hash_table_is_small() RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN RETURN (SELECT coalesce(sum(total_bytes), 0) < 1.5 * 1024 * 1024 FROM pg_backend_memory_contexts WHERE name = 'bulk_sync hash table'); END $$;
SET bulk_sync.work_mem = '1MB';
SELECT * FROM bulk_sync('many', 'many_staged', '{k}', scope => 'true', update_where => 'staged.k % 100 > 0 OR hash_table_is_small()');
RESET bulk_sync.work_mem;

SET client_min_messages = warning;
DROP SCHEMA memory_batches CASCADE;
