-- What the staged rows may come from: every relation the caller can select from, read once
-- Contract 1.1.5, 1.1.6, 1.3.4, 1.7; cases 53, 128, 130, 142, 157, 160
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA staged_kinds;
SET search_path = staged_kinds, public;
\set VERBOSITY sqlstate

CREATE TABLE t (k int PRIMARY KEY, v text);
CREATE TEMPORARY TABLE source (k int, v text);
INSERT INTO source VALUES (2, 'b'), (3, 'C'), (4, 'd');
-- syncs a fresh target (1, 2, 3) with the relation and tells the counts and the differences
CREATE FUNCTION from_staged(staged regclass, duplicates text DEFAULT 'error', order_column text DEFAULT NULL)
RETURNS TABLE (staged_rows bigint, inserted bigint, updated bigint, unchanged bigint, skipped bigint, deleted bigint, surplus bigint, missing bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  TRUNCATE t;
  INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c');
  SELECT * INTO staged_rows, inserted, updated, unchanged, skipped, deleted
    FROM bulk_sync('t', staged, scope => 'true', duplicates => $2, order_column => $3);
  surplus := (SELECT count(*) FROM (SELECT ROW(k, v)::text FROM t EXCEPT ALL SELECT ROW(k, v)::text FROM source) AS a);
  missing := (SELECT count(*) FROM (SELECT ROW(k, v)::text FROM source EXCEPT ALL SELECT ROW(k, v)::text FROM t) AS b);
  RETURN NEXT;
END $$;

-- temporary, permanent, unlogged
SELECT * FROM from_staged('source');
CREATE TABLE permanent AS SELECT v, k FROM source;
SELECT * FROM from_staged('permanent');
CREATE UNLOGGED TABLE unlogged AS SELECT * FROM source;
SELECT * FROM from_staged('unlogged');

-- with dropped columns, generated columns, and rows that are deleted or dead
CREATE TABLE worn (d1 text, v text, d2 int DEFAULT 5, k int);
INSERT INTO worn VALUES ('x', 'dead', 1, 9);
DELETE FROM worn;
INSERT INTO worn (v, k) SELECT v, k FROM source;
UPDATE worn SET v = v;
ALTER TABLE worn DROP d1, DROP d2;
SELECT * FROM from_staged('worn');
CREATE TABLE generated (half int, k int GENERATED ALWAYS AS (half * 2) STORED, v text);
INSERT INTO generated VALUES (1, DEFAULT, 'b');
SELECT * FROM bulk_sync('t', 'generated', scope => 'true', columns => '{v}', dry_run => true);

-- partitioned, with leaves of another column order
CREATE TABLE partitioned (k int, v text) PARTITION BY RANGE (k);
CREATE TABLE partitioned_low (v text, d int, k int);
ALTER TABLE partitioned_low DROP d;
ALTER TABLE partitioned ATTACH PARTITION partitioned_low FOR VALUES FROM (MINVALUE) TO (4);
CREATE TABLE partitioned_rest PARTITION OF partitioned DEFAULT;
INSERT INTO partitioned SELECT * FROM source;
SELECT * FROM from_staged('partitioned');
CREATE TABLE no_leaf (k int, v text) PARTITION BY LIST (k);
SELECT * FROM from_staged('no_leaf');

-- an inheritance parent: the children's rows are staged too, duplicates among them found
CREATE TABLE parent AS SELECT * FROM source WHERE k = 2;
CREATE TABLE child (own int) INHERITS (parent);
INSERT INTO child SELECT k, v FROM source WHERE k > 2;
SELECT * FROM from_staged('parent');
INSERT INTO child VALUES (2, 'again');
SELECT * FROM from_staged('parent');

-- views: plain, of values, with an order, as a barrier; materialized
CREATE VIEW plain_view AS SELECT v, k FROM permanent;
SELECT * FROM from_staged('plain_view');
CREATE VIEW of_values (k, v) AS VALUES (2, 'b'), (3, 'C'), (4, 'd');
SELECT * FROM from_staged('of_values');
CREATE VIEW joined WITH (security_barrier) AS SELECT a.k, b.v FROM permanent a JOIN permanent b USING (k) ORDER BY 1 DESC LIMIT 3;
SELECT * FROM from_staged('joined');
CREATE MATERIALIZED VIEW materialized AS SELECT * FROM permanent;
SELECT * FROM from_staged('materialized');
CREATE MATERIALIZED VIEW unpopulated AS SELECT * FROM permanent WITH NO DATA;
SELECT * FROM from_staged('unpopulated');
-- a name of the catalog is a string too
CREATE VIEW catalog AS SELECT attnum AS k, attname AS v FROM pg_attribute WHERE attrelid = 'permanent'::regclass AND attnum > 0;
SELECT * FROM bulk_sync('t', 'catalog', scope => 'true');
SELECT * FROM t ORDER BY k;

-- a view with a volatile function is read once: what is compared is what is written
CREATE SEQUENCE reads;
CREATE VIEW volatile AS SELECT k, v || nextval('reads') * 0 AS v FROM permanent;
SELECT staged_rows, inserted, updated, deleted FROM from_staged('volatile');
SELECT last_value AS read FROM reads;
SELECT * FROM t ORDER BY k;
CREATE VIEW random_rows AS SELECT k, CASE WHEN random() < 2 THEN gen_random_uuid()::text END AS v FROM permanent;
SELECT staged_rows, inserted, updated, unchanged, deleted FROM from_staged('random_rows');
SELECT count(DISTINCT v) AS values, count(*) AS rows FROM t;

-- a view of the target itself: read as it was before the call
CREATE VIEW next_of_t AS SELECT k + 1 AS k, v || '+' AS v FROM t;
TRUNCATE t;
INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c');
SELECT * FROM bulk_sync('t', 'next_of_t', scope => 'true');
SELECT * FROM t ORDER BY k;
-- and a leaf of the target
CREATE TABLE whole (k int, g int) PARTITION BY LIST (g);
CREATE TABLE whole_1 PARTITION OF whole FOR VALUES IN (1);
CREATE TABLE whole_2 PARTITION OF whole FOR VALUES IN (2);
INSERT INTO whole VALUES (1, 1), (2, 1), (3, 2);
SELECT * FROM bulk_sync('whole', 'whole_1', '{k}', scope => 'true');
SELECT * FROM whole ORDER BY k;

-- row-level security of the staged table: what the caller does not see is not staged
CREATE ROLE regress_bulk_sync_stager;
CREATE TABLE guarded AS SELECT * FROM source;
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
CREATE POLICY some_rows ON guarded USING (k > 2);
GRANT USAGE ON SCHEMA staged_kinds TO regress_bulk_sync_stager;
GRANT SELECT ON guarded TO regress_bulk_sync_stager;
GRANT ALL ON t TO regress_bulk_sync_stager;
CREATE TABLE secret AS SELECT * FROM source;
CREATE VIEW of_secret AS SELECT * FROM secret;
CREATE VIEW of_secret_as_invoker WITH (security_invoker) AS SELECT * FROM secret;
GRANT SELECT ON of_secret, of_secret_as_invoker TO regress_bulk_sync_stager;
TRUNCATE t;
SET ROLE regress_bulk_sync_stager;
SELECT * FROM bulk_sync('t', 'guarded', scope => 'true');
SELECT * FROM t ORDER BY k;
SET row_security = off;
SELECT * FROM bulk_sync('t', 'guarded', scope => 'true');
RESET row_security;
-- no right to read it; a view lends its owner's, unless it is the caller's
SELECT * FROM bulk_sync('t', 'secret', scope => 'true');
SELECT * FROM bulk_sync('t', 'of_secret', scope => 'true');
SELECT * FROM bulk_sync('t', 'of_secret_as_invoker', scope => 'true');
RESET ROLE;
-- reading the columns that are used is enough
GRANT SELECT (k, v) ON secret TO regress_bulk_sync_stager;
ALTER TABLE secret ADD hidden text;
SET ROLE regress_bulk_sync_stager;
SELECT * FROM bulk_sync('t', 'secret', scope => 'true', columns => '{k,v}');
RESET ROLE;

-- the order of staging exists only in a plain table; an order column ranks duplicates anywhere
CREATE TABLE twice (k int, v text, at int);
INSERT INTO twice VALUES (2, 'old', 1), (2, 'b', 2), (3, 'C', 5), (3, 'old', 4), (4, 'd', NULL);
CREATE VIEW twice_view AS SELECT * FROM twice;
CREATE MATERIALIZED VIEW twice_materialized AS SELECT * FROM twice;
CREATE TABLE twice_partitioned (LIKE twice) PARTITION BY LIST (at);
CREATE TABLE twice_leaf PARTITION OF twice_partitioned DEFAULT;
INSERT INTO twice_partitioned SELECT * FROM twice;
SELECT * FROM from_staged('twice', 'last', 'at');
SELECT * FROM from_staged('twice_view', 'last', 'at');
SELECT * FROM from_staged('twice_materialized', 'last', 'at');
SELECT * FROM from_staged('twice_partitioned', 'last', 'at');
SELECT * FROM bulk_sync('t', 'twice_view', scope => 'true', columns => '{k,v}', duplicates => 'last');
SELECT * FROM bulk_sync('t', 'twice_view', scope => 'true', columns => '{k,v}', duplicates => 'first');
SELECT * FROM bulk_sync('t', 'twice_materialized', scope => 'true', columns => '{k,v}', duplicates => 'first');
SELECT * FROM bulk_sync('t', 'twice_partitioned', scope => 'true', columns => '{k,v}', duplicates => 'first');
SELECT * FROM bulk_sync('t', 'twice', scope => 'true', columns => '{k,v}', duplicates => 'first');
SELECT * FROM t ORDER BY k;
SELECT * FROM bulk_sync('t', 'twice_leaf', scope => 'true', columns => '{k,v}', duplicates => 'last');
SELECT * FROM t ORDER BY k;

-- relations that hold no rows to stage
CREATE INDEX an_index ON twice (k);
CREATE TYPE composite AS (k int, v text);
SELECT * FROM bulk_sync('t', 'an_index', scope => 'true');
SELECT * FROM bulk_sync('t', 'composite', scope => 'true');
-- the target itself
SELECT * FROM bulk_sync('t', 't', scope => 'true');
-- one that is gone
BEGIN;
SAVEPOINT before;
CREATE TEMPORARY TABLE brief AS SELECT * FROM source;
SELECT 'brief'::regclass::oid AS brief \gset
ROLLBACK TO before;
SELECT * FROM bulk_sync('t', :brief::regclass, scope => 'true');
COMMIT;

SET client_min_messages = warning;
DROP SCHEMA staged_kinds CASCADE;
DROP TABLE source;
DROP ROLE regress_bulk_sync_stager;
