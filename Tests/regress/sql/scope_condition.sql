-- The argument "scope": which rows of the target a call may touch. Contract 1.1.3, 1.2.1, 1.2.2; cases 7, 10, 13, 14
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA scope_condition;
SET search_path = scope_condition, public;

CREATE TABLE t (k int PRIMARY KEY, g int, v text);
CREATE TEMPORARY TABLE s (k int, g int, v text);
CREATE TEMPORARY TABLE before (at tid, by xid, until xid, k int, g int, v text);
-- Fills both tables anew and remembers every row version of the target.
\set fill 'TRUNCATE t, before; INSERT INTO t VALUES (1, 1, \'a\'), (2, 1, \'b\'), (3, 2, \'c\'), (4, 2, \'d\'), (5, NULL, \'e\'); INSERT INTO before SELECT ctid, xmin, xmax, * FROM t;'
-- The keys of the rows whose version is what it was, never updated or locked.
\set untouched 'SELECT array_agg(k ORDER BY k) AS untouched FROM t JOIN before USING (k) WHERE t.ctid = at AND t.xmin = by AND t.xmax = until;'

-- Only the rows in scope take part: the rows of group 2 and of no group (NULL is outside) are not touched.
:fill
INSERT INTO s VALUES (1, 1, 'A');
SELECT * FROM bulk_sync('t', 's', scope => 'g = 1');
TABLE t ORDER BY k;
:untouched

-- the complement: g <> 1 does not hold for NULL either
:fill
TRUNCATE s;
SELECT * FROM bulk_sync('t', 's', scope => 'g <> 1', allow_empty => true);
:untouched
:fill
SELECT * FROM bulk_sync('t', 's', scope => 'NOT (g = 1)', allow_empty => true);
:untouched
-- no row at all, by false and by NULL
:fill
SELECT * FROM bulk_sync('t', 's', scope => 'false', allow_empty => true);
SELECT * FROM bulk_sync('t', 's', scope => 'NULL', allow_empty => true);
SELECT * FROM bulk_sync('t', 's', scope => 'NULL::boolean', allow_empty => true);
:untouched
SELECT * FROM bulk_sync('t', 's', scope => 'g IS NULL', allow_empty => true);
:untouched

-- Columns are named bare, by "target", with any case as in SQL; the staged table is not there.
:fill
INSERT INTO s VALUES (1, 1, 'A');
SELECT * FROM bulk_sync('t', 's', scope => 'target.g = 1', dry_run => true);
SELECT * FROM bulk_sync('t', 's', scope => 'TARGET.G = 1 and Target."k" > 0', dry_run => true);
SELECT * FROM bulk_sync('t', 's', scope => 'target.* IS NOT NULL AND g = 1', dry_run => true);
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's', scope => 'staged.g = 1');
SELECT * FROM bulk_sync('t', 's', scope => 's.g = 1');
SELECT * FROM bulk_sync('t', 's', scope => 'nope = 1');
\set VERBOSITY default
:untouched

-- Without a scope nothing may be deleted, and the hint says how the whole table is meant.
SELECT * FROM bulk_sync('t', 's');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM bulk_sync('t', 's', actions => '{delete}');
-- An empty text is no scope either.
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's', scope => '');
SELECT * FROM bulk_sync('t', 's', scope => '  ');
SELECT * FROM bulk_sync('t', 's', scope => '-- true');
\set VERBOSITY default
:untouched
-- Without deletes no scope is the whole table, and with a scope that alone.
INSERT INTO s VALUES (3, 2, 'C');
SELECT * FROM bulk_sync('t', 's', actions => '{insert,update}');
:untouched
:fill
DELETE FROM s WHERE k = 3;
SELECT * FROM bulk_sync('t', 's', scope => 'g = 1', actions => '{insert,update}');
:untouched

-- Subqueries: on another table, correlated, and on the target itself, whose answer is that before the call.
CREATE TABLE groups (g int, mine boolean);
INSERT INTO groups VALUES (1, true), (2, false);
:fill
SELECT * FROM bulk_sync('t', 's', scope => 'g IN (SELECT g FROM groups WHERE mine)');
:untouched
:fill
SELECT * FROM bulk_sync('t', 's', scope => 'EXISTS (SELECT FROM groups AS x WHERE x.g = target.g AND x.mine)');
:untouched
:fill
TRUNCATE s;
SELECT * FROM bulk_sync('t', 's', scope => 'k = (SELECT max(k) FROM t)', allow_empty => true);
TABLE t ORDER BY k;
:fill
SELECT * FROM bulk_sync('t', 's', scope => 'k > (SELECT avg(k) FROM t)', allow_empty => true);
TABLE t ORDER BY k;
-- inside a subquery aggregates, window functions and row sources are ordinary SQL
:fill
SELECT * FROM bulk_sync('t', 's', allow_empty => true,
                        scope => 'k IN (SELECT k FROM (SELECT k, row_number() OVER (ORDER BY k) AS n FROM t) AS x WHERE n <= 2)');
:untouched
:fill
SELECT * FROM bulk_sync('t', 's', scope => 'k IN (WITH w AS (SELECT generate_series(2, 3) AS k) TABLE w)', allow_empty => true);
:untouched

-- What depends on the moment, or on more than one row, is no condition on a row.
:fill
INSERT INTO s VALUES (1, 1, 'A');
CREATE FUNCTION any_time() RETURNS boolean LANGUAGE sql VOLATILE AS 'SELECT true';
CREATE FUNCTION this_query() RETURNS boolean LANGUAGE plpgsql STABLE AS 'BEGIN RETURN true; END';
CREATE SEQUENCE numbers;
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's', scope => 'random() < 0.5');
SELECT * FROM bulk_sync('t', 's', scope => 'g = 1 OR random() < 0.5');
SELECT * FROM bulk_sync('t', 's', scope => 'any_time()');
SELECT * FROM bulk_sync('t', 's', scope => 'nextval(''numbers'') > 0');
SELECT * FROM bulk_sync('t', 's', scope => 'g IN (SELECT g FROM groups WHERE clock_timestamp() IS NOT NULL)');
SELECT * FROM bulk_sync('t', 's', scope => 'count(*) > 0');
SELECT * FROM bulk_sync('t', 's', scope => 'max(k) = k');
SELECT * FROM bulk_sync('t', 's', scope => 'row_number() OVER () = 1');
SELECT * FROM bulk_sync('t', 's', scope => 'max(k) OVER () = k');
SELECT * FROM bulk_sync('t', 's', scope => 'generate_series(1, 2) = 1');
-- it must be a condition
SELECT * FROM bulk_sync('t', 's', scope => 'g');
SELECT * FROM bulk_sync('t', 's', scope => '''g = 1''');
SELECT * FROM bulk_sync('t', 's', scope => 'target');
-- parameters do not exist
SELECT * FROM bulk_sync('t', 's', scope => 'g = $1');
\set VERBOSITY default
SELECT nextval('numbers');
:untouched
-- stable functions are allowed, and the current time
SELECT * FROM bulk_sync('t', 's', scope => 'this_query() AND g = 1 AND now() IS NOT NULL', dry_run => true);

-- The condition is the caller's: it is parsed with the caller's search_path.
CREATE SCHEMA scope_condition_other;
CREATE FUNCTION scope_condition_other.mine(int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 = 1';
SET search_path = scope_condition_other;
SELECT * FROM public.bulk_sync('scope_condition.t', 's', scope => 'mine(g)', dry_run => true);
SET search_path = scope_condition, public;

-- An error while a row is tested ends the call with its own code, and nothing is changed.
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's', scope => '1 / (g - 2) < 5');
\set VERBOSITY default
:untouched

-- Inheritance children and partitions are rows of the target.
CREATE TABLE p (k int, g int, v text) PARTITION BY LIST (g);
CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
CREATE TABLE p2 (v text, k int, g int);
ALTER TABLE p ATTACH PARTITION p2 FOR VALUES IN (2);
INSERT INTO p SELECT k, g, v FROM t WHERE g IS NOT NULL;
SELECT * FROM bulk_sync('p', 's', '{k}', scope => 'k IN (1, 3, 4)');
SELECT tableoid::regclass, k, g, v FROM p ORDER BY k;
CREATE TABLE parent (k int, g int, v text);
CREATE TABLE child (extra int) INHERITS (parent);
INSERT INTO parent VALUES (1, 1, 'a'), (2, 2, 'b');
INSERT INTO child VALUES (3, 1, 'c'), (4, 2, 'd');
SELECT * FROM bulk_sync('parent', 's', '{k}', scope => 'g = 1');
SELECT tableoid::regclass, k, g, v FROM parent ORDER BY k;

SET client_min_messages = warning;
DROP SCHEMA scope_condition, scope_condition_other CASCADE;
DROP TABLE s, before;
