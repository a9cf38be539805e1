-- citext: keys match without regard to case, staged strings are converted by its input function, and a change of
-- case alone is a change. Contract 1.1.1, 1.1.2, 1.3.1; cases 37, 58
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
CREATE EXTENSION IF NOT EXISTS citext;
RESET client_min_messages;
CREATE SCHEMA contrib_citext;
SET search_path = contrib_citext, public;

-- A key of another case is the same key, and its new image is stored; then there is nothing to do.
CREATE TABLE t (k citext PRIMARY KEY, v citext);
CREATE TEMPORARY TABLE s (k citext, v citext);
INSERT INTO t VALUES ('Abc', 'x'), ('DEF', 'y'), ('ghi', 'z'), ('stale', 'z');
INSERT INTO s VALUES ('abc', 'x'), ('DEF', 'Y'), ('ghi', 'z'), ('New', 'z');
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
SELECT * FROM t ORDER BY k;
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
-- What is equal is a duplicate, and matches two rows where there are two.
INSERT INTO s VALUES ('ABC', 'x'), ('aBC', 'y');
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
\set VERBOSITY default
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true', duplicates => 'last');
SELECT * FROM t ORDER BY k;
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true', duplicates => 'first');
SELECT * FROM t ORDER BY k;
CREATE TABLE twice (k citext, v citext);
INSERT INTO twice VALUES ('a', ''), ('A', '');
TRUNCATE s;
INSERT INTO s VALUES ('a', '');
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('twice', 's', '{k}', scope => 'true');
\set VERBOSITY default

-- The type of the target decides: staged as text the key is citext, staged as citext for a text key it is text.
CREATE TEMPORARY TABLE as_text (k text, v varchar(10));
INSERT INTO as_text VALUES ('ABC', 'x'), ('def', 'y');
SELECT * FROM bulk_sync('t', 'as_text', '{k}', scope => 'true');
SELECT * FROM t ORDER BY k;
CREATE TABLE exact (k text, v text);
INSERT INTO exact VALUES ('abc', 'x'), ('DEF', 'y');
TRUNCATE s;
INSERT INTO s VALUES ('ABC', 'x'), ('DEF', 'y'), ('def', 'z');
SELECT * FROM bulk_sync('exact', 's', '{k}', scope => 'true', duplicates => 'error');
SELECT * FROM exact ORDER BY k COLLATE "C";

-- A staged citext is a string: it becomes any type by the input function of that type.
CREATE TABLE typed (k int, d date, n numeric(4,1), a int[], b boolean, c char(3));
CREATE TEMPORARY TABLE typed_staged (k citext, d citext, n citext, a citext, b citext, c citext);
INSERT INTO typed_staged VALUES ('1', '2024-01-02', '1.25', '{1,NULL}', 'YES', 'a ');
SELECT * FROM bulk_sync('typed', 'typed_staged', '{k}', scope => 'true');
SELECT k, d = '2024-01-02' AS d, n, a, b, c, octet_length(c) FROM typed;
SELECT * FROM bulk_sync('typed', 'typed_staged', '{k}', scope => 'true');
UPDATE typed_staged SET n = '1000';
SELECT * FROM bulk_sync('typed', 'typed_staged', '{k}', scope => 'true');
UPDATE typed_staged SET n = '1', c = 'abcd';
SELECT * FROM bulk_sync('typed', 'typed_staged', '{k}', scope => 'true');

-- In arrays, rows and domains of citext, and beside other key columns.
CREATE DOMAIN email AS citext CHECK (VALUE LIKE '%@%');
CREATE TYPE named AS (name citext, n int);
CREATE TABLE nested (k email, a citext[], r named, n int, v text);
CREATE TEMPORARY TABLE nested_staged (LIKE nested);
INSERT INTO nested VALUES ('Me@x.org', '{A,b}', '(Q,1)', 1, 'v'), ('you@x.org', '{A,b}', '(Q,1)', 1, 'v');
INSERT INTO nested_staged VALUES ('me@X.org', '{a,B}', '(q,1)', 1, 'v'), ('you@x.org', '{A,b}', '(Q,1)', 2, 'v');
SELECT * FROM bulk_sync('nested', 'nested_staged', '{k,a,r,n}', scope => 'true');
SELECT * FROM nested ORDER BY k;

-- The order column of a citext ranks without regard to case: 'b' before 'C', ties by the order of staging.
CREATE TEMPORARY TABLE ranked (k citext, v citext);
INSERT INTO ranked VALUES ('k', 'C'), ('K', 'b'), ('k', 'c'), ('K', 'B');
SELECT * FROM bulk_sync('t', 'ranked', '{k}', scope => 'true', duplicates => 'first', order_column => 'v');
TABLE t;
SELECT * FROM bulk_sync('t', 'ranked', '{k}', scope => 'true', duplicates => 'last', order_column => 'v');
TABLE t;

SET client_min_messages = warning;
DROP SCHEMA contrib_citext CASCADE;
DROP TABLE s, as_text, typed_staged, nested_staged, ranked;
