-- order_column ranks the staged rows of one key: ascending, NULL lowest, ties by the order of staging. It need
-- not be a column of the target. Contract 1.1.5, 1.1.6, 1.3.4
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA duplicates_order;
SET search_path = duplicates_order, public;

CREATE TABLE t (k int PRIMARY KEY, v text);
CREATE TEMPORARY TABLE s (k int, v text, n int, d timestamptz, x text, m numeric, f float8, b boolean, y money);
INSERT INTO s (k, v, n) VALUES (1, 'two', 2), (1, 'three', 3), (1, 'one', 1),
	(2, 'null', NULL), (2, 'minus', -1), (3, 'only', NULL),
	(4, 'null first', NULL), (4, 'null last', NULL), (5, 'tie first', 5), (5, 'low', 1), (5, 'tie last', 5);

-- NULL is lowest: 'first' takes it, 'last' only where there is nothing else; ties go by the order of staging.
SELECT * FROM bulk_sync('t', 's', '{k}', columns => '{k,v}', scope => 'true', duplicates => 'first',
	order_column => 'n');
SELECT * FROM t ORDER BY k;
SELECT * FROM bulk_sync('t', 's', '{k}', columns => '{k,v}', scope => 'true', duplicates => 'last',
	order_column => 'n');
SELECT * FROM t ORDER BY k;
-- SQL agrees, ties apart.
SELECT k, v FROM t EXCEPT
	SELECT k, v FROM (SELECT *, rank() OVER (PARTITION BY k ORDER BY n DESC NULLS LAST) FROM s) r WHERE rank = 1;
-- Ordered twice the same way there is nothing to do.
SELECT * FROM bulk_sync('t', 's', '{k}', columns => '{k,v}', scope => 'true', duplicates => 'last',
	order_column => 'n');
-- With the policy 'error' an order column decides nothing.
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's', '{k}', columns => '{k,v}', scope => 'true', order_column => 'n');
\set VERBOSITY default

-- The order column is the one staged column that the target may lack when all columns are synced.
CREATE TEMPORARY TABLE lone AS SELECT k, v, n AS revision FROM s;
SELECT * FROM bulk_sync('t', 'lone', '{k}', scope => 'true', duplicates => 'first', order_column => 'revision');
SELECT * FROM t ORDER BY k;
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 'lone', '{k}', scope => 'true', duplicates => 'first');
SELECT * FROM bulk_sync('t', 'lone', '{k}', scope => 'true', duplicates => 'first', order_column => 'revisions');
SELECT * FROM bulk_sync('t', 'lone', '{k}', scope => 'true', duplicates => 'first', order_column => 'ctid');
SELECT * FROM bulk_sync('t', 'lone', '{k}', scope => 'true', duplicates => 'first', order_column => '');
\set VERBOSITY default
-- It may be a key column or any other synced column as well.
SELECT * FROM bulk_sync('t', 's', '{k}', columns => '{k,v}', scope => 'true', duplicates => 'last',
	order_column => 'v');
SELECT * FROM t ORDER BY k;
SELECT * FROM bulk_sync('t', 's', '{k}', columns => '{k,v}', scope => 'true', duplicates => 'last',
	order_column => 'k');
SELECT * FROM t ORDER BY k;

-- Order columns of other types: the type's own order, not that of its text or its bytes.
TRUNCATE s;
INSERT INTO s (k, v, d, x, m, f, b, y) VALUES
	(1, 'a', '2024-01-01 12:00+02', '9', 9.50, '-Infinity', false, 9),
	(1, 'b', '2024-01-01 11:30+00', '10', 10, '0', true, 10),
	(1, 'c', '2024-01-01 10:00-01', 'B', 'NaN', 'NaN', NULL, -11);
CREATE FUNCTION kept(by text) RETURNS text LANGUAGE sql BEGIN ATOMIC
	SELECT bulk_sync('t', 's', '{k}', columns => '{k,v}', scope => 'true', duplicates => 'first',
		order_column => by);
	SELECT v FROM t;
END;
CREATE FUNCTION kept_last(by text) RETURNS text LANGUAGE sql BEGIN ATOMIC
	SELECT bulk_sync('t', 's', '{k}', columns => '{k,v}', scope => 'true', duplicates => 'last',
		order_column => by);
	SELECT v FROM t;
END;
SELECT by, kept(by) AS first, kept_last(by) AS last FROM unnest('{d,x,m,f,b,y}'::text[]) AS by;
SELECT (SELECT v FROM s ORDER BY d LIMIT 1) AS d, (SELECT v FROM s ORDER BY x LIMIT 1) AS x,
	(SELECT v FROM s ORDER BY m LIMIT 1) AS m, (SELECT v FROM s ORDER BY f LIMIT 1) AS f,
	(SELECT v FROM s ORDER BY b NULLS FIRST LIMIT 1) AS b, (SELECT v FROM s ORDER BY y LIMIT 1) AS y;
-- The column is ranked as it is staged: text stays text where the target has a number of that name.
CREATE TABLE numbers (k int, n int);
CREATE TEMPORARY TABLE numbers_staged (k int, n text);
INSERT INTO numbers_staged VALUES (1, '9'), (1, '10');
SELECT * FROM bulk_sync('numbers', 'numbers_staged', '{k}', scope => 'true', duplicates => 'last',
	order_column => 'n');
TABLE numbers;
-- A type that has no order cannot rank.
CREATE TEMPORARY TABLE unranked (k int, v text, j json);
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 'unranked', '{k}', scope => 'true', duplicates => 'last', order_column => 'j',
	allow_empty => true);
\set VERBOSITY default

-- Many rows of many keys, in no order: each key keeps what SQL says.
TRUNCATE t, s;
INSERT INTO s (k, v, n) SELECT i % 97, i::text, nullif((i * 7919) % 1009, 0) FROM generate_series(1, 5000) i;
SELECT * FROM bulk_sync('t', 's', '{k}', columns => '{k,v}', scope => 'true', duplicates => 'last',
	order_column => 'n');
SELECT count(*) AS wrong FROM t WHERE v::int <> (SELECT max(v::int) FROM s WHERE s.k = t.k
	AND n = (SELECT max(n) FROM s WHERE s.k = t.k));
SELECT * FROM bulk_sync('t', 's', '{k}', columns => '{k,v}', scope => 'true', duplicates => 'first',
	order_column => 'n');
SELECT count(*) AS wrong FROM t WHERE v::int <> (SELECT v::int FROM s WHERE s.k = t.k
	ORDER BY n NULLS FIRST, v::int LIMIT 1);
-- The order of staging over many pages.
SELECT * FROM bulk_sync('t', 's', '{k}', columns => '{k,v}', scope => 'true', duplicates => 'last');
SELECT count(*) AS wrong FROM t WHERE v::int <> (SELECT max(v::int) FROM s WHERE s.k = t.k);
-- A view and its order column.
CREATE TEMPORARY VIEW s_view AS SELECT k, v, n FROM s;
SELECT * FROM bulk_sync('t', 's_view', '{k}', scope => 'true', duplicates => 'last', order_column => 'n');

-- A later command may fill a hole that an earlier one left, so that its row lies before older ones: it is the last all the same.
CREATE TABLE holes (k int PRIMARY KEY, n int);
CREATE TEMPORARY TABLE holes_staged (k int, n int, pad text);
INSERT INTO holes_staged SELECT CASE i WHEN 10 THEN 99 ELSE i END, i, repeat('x', 1500) FROM generate_series(1, 10) i;
INSERT INTO holes_staged VALUES (50, 11, repeat('x', 200));
INSERT INTO holes_staged VALUES (99, 12, repeat('x', 200));
SELECT n, n = (SELECT n FROM holes_staged ORDER BY ctid DESC LIMIT 1) AS lies_last FROM holes_staged WHERE k = 99 ORDER BY n;
SELECT * FROM bulk_sync('holes', 'holes_staged', scope => 'true', columns => '{k,n}', duplicates => 'last');
SELECT * FROM holes WHERE k = 99;
SELECT * FROM bulk_sync('holes', 'holes_staged', scope => 'true', columns => '{k,n}', duplicates => 'first');
SELECT * FROM holes WHERE k = 99;
DROP TABLE holes_staged;

SET client_min_messages = warning;
DROP SCHEMA duplicates_order CASCADE;
DROP VIEW s_view;
DROP TABLE s, lone, numbers_staged, unranked;
