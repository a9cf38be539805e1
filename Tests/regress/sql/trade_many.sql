-- Thousands of rows trade unique values: each gets the value of the next, or that of some other row, with little memory and with
-- as much as there is by default. Beside each other: a plain index, a partial one, one on an expression.
-- Contract 1.3.7, 1.3.1, 1.5
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA trade_many;
SET search_path = trade_many, public;
-- The first call loads the library, so that the setting is known and checked.
CREATE TABLE one (k int);
CREATE TABLE one_staged (k int);
SELECT * FROM bulk_sync('one', 'one_staged', '{k}', scope => 'true', allow_empty => true);

-- 4,000 rows whose order in the table is neither that of the key nor that of the value; wide enough for a hundred pages
CREATE TABLE t (k int PRIMARY KEY, x int UNIQUE, code text NOT NULL, pad text);
CREATE UNIQUE INDEX t_code ON t (lower(code));
CREATE UNIQUE INDEX t_odd ON t (x) WHERE x % 2 = 1;
CREATE TABLE s (k int, x int, code text);
CREATE TABLE before (k int, old_ctid tid, old_xmin xid, x int);
-- new_x: an expression, what is staged for the row that has the value x
CREATE PROCEDURE fill(new_x text) LANGUAGE plpgsql AS $$
BEGIN
  TRUNCATE t, s, before;
  INSERT INTO t SELECT i, i, 'Code ' || i, repeat('x', 200) FROM generate_series(1, 4000) i ORDER BY md5(i::text);
  EXECUTE 'INSERT INTO s SELECT k, new_x, ''Code '' || new_x FROM (SELECT x AS k, ' || new_x || ' AS new_x FROM generate_series(1, 4000) n (x)) n ORDER BY md5(k || ''s'')';
  INSERT INTO before SELECT k, ctid, xmin, x FROM t;
END $$;
-- what is not as staged; rows that have their old version without their old value, or the other way about
CREATE VIEW wrong AS SELECT
  (SELECT count(*) FROM t FULL JOIN s USING (k) WHERE (t.x, t.code) IS DISTINCT FROM (s.x, s.code)) AS differing,
  (SELECT count(*) FROM t JOIN before USING (k) WHERE (t.ctid = old_ctid AND t.xmin = old_xmin) <> (t.x = before.x)) AS versions,
  (SELECT count(*) FROM t) - (SELECT count(DISTINCT x) FROM t) AS doubles;

-- 1 to 2, 2 to 3, ..., 4,000 to 1
CALL fill('x % 4000 + 1');
SELECT * FROM bulk_sync('t', 's', scope => 'true');
TABLE wrong;
SET bulk_sync.work_mem = '64kB';
CALL fill('x % 4000 + 1');
SELECT * FROM bulk_sync('t', 's', scope => 'true');
TABLE wrong;
-- the other way round
CALL fill('(x + 3998) % 4000 + 1');
SELECT * FROM bulk_sync('t', 's', scope => 'true');
TABLE wrong;
RESET bulk_sync.work_mem;

-- a permutation in which the multiples of 3 stay as they are (1,333 rows), and the others go to a place that a hash decides
CREATE TABLE permutation AS SELECT a.x, b.x AS new_x
  FROM (SELECT x, row_number() OVER (ORDER BY x) AS n FROM generate_series(1, 4000) x WHERE x % 3 <> 0) a
  JOIN (SELECT x, row_number() OVER (ORDER BY md5(x::text)) AS n FROM generate_series(1, 4000) x WHERE x % 3 <> 0) b USING (n);
DELETE FROM permutation WHERE x = new_x;
ALTER TABLE permutation ADD PRIMARY KEY (x);
CALL fill('COALESCE((SELECT p.new_x FROM permutation p WHERE p.x = n.x), n.x)');
SELECT (r).staged_rows, (r).updated = (SELECT count(*) FROM permutation) AS updated, (r).updated + (r).unchanged AS all_rows
  FROM bulk_sync('t', 's', scope => 'true') r;
TABLE wrong;
SET bulk_sync.work_mem = '64kB';
CALL fill('COALESCE((SELECT p.new_x FROM permutation p WHERE p.x = n.x), n.x)');
SELECT (r).staged_rows, (r).updated = (SELECT count(*) FROM permutation) AS updated, (r).updated + (r).unchanged AS all_rows
  FROM bulk_sync('t', 's', scope => 'true') r;
TABLE wrong;
RESET bulk_sync.work_mem;

-- 1,000 rows go, 2,000 take values of others, those that went among them, 1,000 are as they were, 1,000 new ones take what is left
CALL fill('CASE WHEN x <= 3000 THEN x - 1000 ELSE x END');
DELETE FROM s WHERE k <= 1000;
INSERT INTO s SELECT i, i - 2000, 'Code ' || i - 2000 FROM generate_series(4001, 5000) i;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
TABLE wrong;
SET bulk_sync.work_mem = '64kB';
CALL fill('CASE WHEN x <= 3000 THEN x - 1000 ELSE x END');
DELETE FROM s WHERE k <= 1000;
INSERT INTO s SELECT i, i - 2000, 'Code ' || i - 2000 FROM generate_series(4001, 5000) i;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
TABLE wrong;

\set VERBOSITY sqlstate
-- one value that two of the rows get, among all that trade: nothing has changed
CALL fill('CASE x WHEN 1700 THEN 2 ELSE x % 4000 + 1 END');
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT count(*) AS rows, bool_and(t.ctid = old_ctid AND t.xmin = old_xmin AND t.x = before.x) AS untouched FROM t JOIN before USING (k);
RESET bulk_sync.work_mem;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT count(*) AS rows, bool_and(t.ctid = old_ctid AND t.xmin = old_xmin AND t.x = before.x) AS untouched FROM t JOIN before USING (k);

-- each index finds each row afterwards, by its value alone
CALL fill('x % 4000 + 1');
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SET enable_seqscan = off;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SELECT count(*) AS by_x FROM s JOIN LATERAL (SELECT k FROM t WHERE t.x = s.x OFFSET 0) f ON f.k = s.k;
SELECT count(*) AS by_code FROM s JOIN LATERAL (SELECT k FROM t WHERE lower(t.code) = lower(s.code) OFFSET 0) f ON f.k = s.k;
RESET enable_seqscan;
RESET enable_hashjoin;
RESET enable_mergejoin;

SET client_min_messages = warning;
DROP SCHEMA trade_many CASCADE;
