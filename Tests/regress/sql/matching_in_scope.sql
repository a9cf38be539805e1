-- Only target rows in scope are matched; what lies outside keeps its version and its locks. What is staged may
-- be any relation. Contract 1.1.3, 1.1.4, 1.1.6, 1.6
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA matching_in_scope;
SET search_path = matching_in_scope, public;

CREATE TABLE t (k int, v int, g int);
CREATE TABLE s (k int, v int, g int);
INSERT INTO t SELECT i % 10, i, i / 10 FROM generate_series(0, 39) i;
UPDATE t SET g = NULL WHERE g = 3;
CREATE TABLE before AS SELECT t.ctid AS old_ctid, t.xmin AS old_xmin, t.xmax AS old_xmax, * FROM t;

-- Group 1 of 0 to 3: of its keys 0 to 9 five stay (three equal, two changed), five go, two come. The same keys
-- exist in every other group, and in the rows whose scope is unknown.
INSERT INTO s SELECT k, CASE WHEN k < 2 THEN -1 ELSE v END, g FROM t WHERE g = 1 AND k < 5;
INSERT INTO s VALUES (10, 0, 1), (11, 0, 1);
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'g = 1');
SELECT count(*) AS outside, count(*) FILTER (WHERE t.ctid = old_ctid AND t.xmin = old_xmin AND t.xmax = old_xmax)
	AS untouched FROM before LEFT JOIN t USING (k, v) WHERE before.g IS DISTINCT FROM 1;
SELECT * FROM t WHERE g = 1 ORDER BY k;
-- The three equal rows in scope were not touched either.
SELECT count(*) FROM t JOIN before USING (k, v) WHERE t.g = 1 AND t.ctid = old_ctid AND t.xmin = old_xmin
	AND t.xmax = old_xmax;
-- The same for an empty scope, for the empty staged table, and for a call that inserts alone.
TRUNCATE before;
INSERT INTO before SELECT t.ctid, t.xmin, t.xmax, * FROM t;
UPDATE s SET g = 7;
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'g = 7', actions => '{insert}');
TRUNCATE s;
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'g = 7', allow_empty => true);
SELECT count(*) FROM t JOIN before ON t.ctid = old_ctid AND t.xmin = old_xmin AND t.xmax = old_xmax;
SELECT count(*) FROM before;

-- Where a unique index knows the key outside the scope, the new row breaks it: an ordinary 23505.
CREATE TABLE u (k int PRIMARY KEY, v int, g int);
INSERT INTO u VALUES (1, 1, 1), (2, 2, 2);
INSERT INTO s VALUES (1, 1, 1), (2, 5, 1);
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('u', 's', '{k}', scope => 'g = 1');
\set VERBOSITY default
SELECT * FROM u ORDER BY k;

-- No index is created on the target, none is needed on either side, and none that exists is in the way:
-- a partial one, one on an expression, one that is not unique.
CREATE TABLE indexed (k int, v int);
CREATE INDEX ON indexed (k) WHERE k > 1;
CREATE INDEX ON indexed ((k + 1));
CREATE UNIQUE INDEX ON indexed (v) WHERE v > 100;
INSERT INTO indexed VALUES (1, 1), (2, 2);
CREATE TEMPORARY TABLE indexed_staged (k int, v int);
INSERT INTO indexed_staged VALUES (2, 3), (3, 3);
SELECT * FROM bulk_sync('indexed', 'indexed_staged', '{k}', scope => 'true');
SELECT * FROM indexed ORDER BY k;
SELECT count(*) AS indexes FROM pg_index WHERE indrelid = 'indexed'::regclass;

-- Every kind of relation that can be selected from can be staged: a view, a stored view, a partitioned table,
-- a parent with its children, an unlogged table, the result of a join.
CREATE FUNCTION result(staged regclass) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	counts record;
BEGIN
	TRUNCATE indexed;
	INSERT INTO indexed VALUES (1, 1), (2, 2), (9, 9);
	SELECT * INTO counts FROM bulk_sync('indexed', staged, '{k}', scope => 'true');
	RETURN counts::text || ' ' || (SELECT string_agg(indexed::text, '' ORDER BY k) FROM indexed);
END $$;
CREATE TABLE plain AS SELECT * FROM (VALUES (1, 1), (2, 20), (3, 3)) v (k, v);
CREATE VIEW a_view AS SELECT v, k FROM plain;
CREATE VIEW a_join AS SELECT a.k, b.v FROM plain a JOIN plain b USING (k);
CREATE VIEW a_group AS SELECT k, max(v) AS v FROM (TABLE plain UNION ALL TABLE plain) u GROUP BY k;
CREATE VIEW a_series AS SELECT i AS k, CASE i WHEN 2 THEN 20 ELSE i END AS v FROM generate_series(1, 3) i;
CREATE MATERIALIZED VIEW stored AS SELECT * FROM plain;
CREATE UNLOGGED TABLE unlogged AS SELECT * FROM plain;
CREATE TABLE parted (v int, k int) PARTITION BY RANGE (k);
CREATE TABLE parted1 PARTITION OF parted FOR VALUES FROM (0) TO (2);
CREATE TABLE parted2 (k int, gone int, v int);
ALTER TABLE parted2 DROP gone;
ALTER TABLE parted ATTACH PARTITION parted2 FOR VALUES FROM (2) TO (9);
INSERT INTO parted (k, v) TABLE plain;
CREATE TABLE parent (k int, v int);
CREATE TABLE child () INHERITS (parent);
INSERT INTO parent SELECT * FROM plain WHERE k < 2;
INSERT INTO child SELECT * FROM plain WHERE k >= 2;
SELECT name, result(name::regclass)
	FROM unnest('{plain,a_view,a_join,a_group,a_series,stored,unlogged,parted,parted2,parent,child}'::text[]) name;
-- A view of the target itself is a view as any other: what it shows is what was there before.
CREATE VIEW shifted AS SELECT k, v + 1 AS v FROM indexed WHERE k <> 9;
SELECT result('shifted');
-- ... the target itself is refused, and so is what cannot be selected from.
CREATE SEQUENCE numbers;
CREATE INDEX plain_k ON plain (k);
CREATE TYPE composite AS (k int, v int);
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('indexed', 'indexed', '{k}', scope => 'true');
SELECT * FROM bulk_sync('indexed', 'plain_k', '{k}', scope => 'true');
SELECT * FROM bulk_sync('indexed', 'composite', '{k}', scope => 'true');
\set VERBOSITY default

SET client_min_messages = warning;
DROP SCHEMA matching_in_scope CASCADE;
DROP TABLE indexed_staged;
