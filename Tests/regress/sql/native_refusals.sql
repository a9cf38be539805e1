-- What types, indexes and constraints of the target raise in the midst of a call keeps its own code and undoes the call: an
-- index whose expression fails, an exclusion constraint in the way, an enum value that may not be used yet. And a NaN that
-- is another NaN to its bytes is stored once.
-- Contract 1.1.1, 1.1.2, 1.3.1, 1.3.7 (exclusion constraints), 1.3.8, 1.4 (what the writes raise); cases 49, 79, 103, 164
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA native_refusals;
SET search_path = native_refusals, public;

-- An index on an expression that fails for some values: those that are written, and no others, are computed.
CREATE TABLE t (k int PRIMARY KEY, v int);
CREATE TABLE s (k int, v int);
INSERT INTO t VALUES (1, 1), (2, 2), (3, 3);
CREATE INDEX ON t ((100 / (v - 5)));
CREATE INDEX ON t (k) WHERE 100 / (v - 7) > 0;
INSERT INTO s VALUES (1, 10), (2, 2), (4, 4);
CREATE TABLE before AS SELECT ctid AS old_ctid, xmin AS old_xmin, k FROM t;
CREATE FUNCTION untouched() RETURNS boolean LANGUAGE sql AS $$
  SELECT count(*) = 3 AND bool_and(t.ctid = old_ctid AND t.xmin = old_xmin) FROM t FULL JOIN before USING (k) $$;
\set VERBOSITY sqlstate
-- in an update, in an insert, in the predicate
UPDATE s SET v = 5 WHERE k = 2;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT untouched();
UPDATE s SET v = k + 1;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT untouched();
UPDATE s SET v = CASE k WHEN 4 THEN 7 ELSE k END;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT untouched();
-- ignore_conflicts is about conflicts
SELECT * FROM bulk_sync('t', 's', actions => '{insert}', ignore_conflicts => true);
SELECT untouched();
\set VERBOSITY default
UPDATE s SET v = k;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
TABLE t ORDER BY k;

-- Intervals that all move by five, each onto the place that its neighbour still has: as in an ordinary UPDATE, unless the
-- constraint is deferrable (which is in exclusion_constraints).
CREATE TABLE e (k int PRIMARY KEY, r int4range, EXCLUDE USING gist (r WITH &&));
INSERT INTO e SELECT i, int4range(10 * i, 10 * i + 10) FROM generate_series(1, 5) i;
CREATE TABLE e_staged AS SELECT k, int4range(lower(r) + 5, upper(r) + 5) AS r FROM e;
CREATE TABLE e_before AS SELECT ctid AS old_ctid, xmin AS old_xmin, k FROM e;
\set VERBOSITY sqlstate
UPDATE e SET r = s.r FROM e_staged s WHERE s.k = e.k;
SELECT * FROM bulk_sync('e', 'e_staged', scope => 'true');
\set VERBOSITY default
SELECT count(*), bool_and(e.ctid = old_ctid AND e.xmin = old_xmin) AS untouched FROM e JOIN e_before USING (k);

-- A value added to an enum in this very transaction cannot be used before it ends, as text or in a scope.
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TABLE moods (m mood PRIMARY KEY, v int);
CREATE TABLE moods_staged (m text, v int);
INSERT INTO moods VALUES ('sad', 1);
INSERT INTO moods_staged VALUES ('sad', 2), ('content', 3);
\set VERBOSITY sqlstate
-- no such value
SELECT * FROM bulk_sync('moods', 'moods_staged', scope => 'true');
BEGIN;
ALTER TYPE mood ADD VALUE 'content';
SAVEPOINT a;
SELECT * FROM bulk_sync('moods', 'moods_staged', scope => 'true');
ROLLBACK TO a;
SELECT * FROM bulk_sync('moods', 'moods_staged', scope => $$m = 'content'$$);
ROLLBACK TO a;
SELECT * FROM bulk_sync('moods', 'moods_staged', columns => '{v}', scope_values => '{"m": "content"}');
ROLLBACK TO a;
COMMIT;
\set VERBOSITY default
TABLE moods;
SELECT * FROM bulk_sync('moods', 'moods_staged', scope => 'true');
TABLE moods ORDER BY m;

-- Two NaNs of different bytes are one key, and as a value they are a change, once.
CREATE TABLE nan (k float8, v float8);
CREATE TABLE nan_staged (k float8, v float8);
INSERT INTO nan VALUES ('NaN', 'NaN'), (1, 'NaN');
INSERT INTO nan_staged VALUES ('NaN', 'NaN'), (1, - 'NaN'::float8);
SELECT float8send('NaN') <> float8send(- 'NaN'::float8) AS other_bytes, 'NaN'::float8 = - 'NaN'::float8 AS equal;
SELECT * FROM bulk_sync('nan', 'nan_staged', '{k}', scope => 'true');
SELECT * FROM bulk_sync('nan', 'nan_staged', '{k}', scope => 'true');
UPDATE nan_staged SET k = - 'NaN'::float8 WHERE k = 'NaN';
SELECT * FROM bulk_sync('nan', 'nan_staged', '{k}', scope => 'true');
SELECT * FROM bulk_sync('nan', 'nan_staged', '{k}', scope => 'true');
SELECT k, v FROM nan ORDER BY k;
INSERT INTO nan_staged VALUES ('NaN', 0);
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('nan', 'nan_staged', '{k}', scope => 'true');
\set VERBOSITY default

SET client_min_messages = warning;
DROP SCHEMA native_refusals CASCADE;
