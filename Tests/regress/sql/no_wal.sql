-- What does not change costs nothing: a call that finds all rows equal writes no WAL, takes no transaction id and no row
-- lock, and one that changes a few rows of many writes for these alone.
-- Contract 1.3.1; case 2
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA no_wal;
SET search_path = no_wal, public;

-- The number of WAL records of a statement, as EXPLAIN counts it: those of this session alone. The least of some tries,
-- because any statement may come upon a page of a catalog that it prunes.
CREATE FUNCTION wal_records(statement text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  plan json;
  least_of_all bigint;
BEGIN
  FOR i IN 1 .. 5 LOOP
    EXECUTE 'EXPLAIN (ANALYZE, WAL, FORMAT json) ' || statement INTO plan;
    least_of_all := least(least_of_all, (plan->0->'Plan'->>'WAL Records')::bigint);
  END LOOP;
  RETURN least_of_all;
END $$;

CREATE TABLE t (k int PRIMARY KEY, v text, n numeric, gone boolean DEFAULT false) WITH (autovacuum_enabled = off);
CREATE TABLE s (k int, v text, n text) WITH (autovacuum_enabled = off);
CREATE TABLE p (LIKE t) PARTITION BY RANGE (k);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (1000) WITH (autovacuum_enabled = off);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (1000) TO (9000) WITH (autovacuum_enabled = off);
CREATE VIEW vt AS SELECT * FROM t;
INSERT INTO t SELECT i, 'v' || i, i / 7.0, i % 100 = 0 FROM generate_series(1, 2000) i;
INSERT INTO p TABLE t;
INSERT INTO s SELECT k, v, n::text FROM t WHERE NOT gone ORDER BY k DESC;
-- hint bits are set now, not by what is measured
VACUUM FREEZE t, p1, p2, s;

-- that EXPLAIN does count
CREATE TABLE other (k int);
SELECT wal_records('INSERT INTO no_wal.other VALUES (1)') > 0 AS counted;

-- nothing to do, on every kind of target, by every way to state the scope; in a dry run too
SELECT call, wal_records('SELECT bulk_sync(' || call || ')') AS wal FROM (VALUES
  (1, $$'t', 's', scope => 'NOT gone'$$),
  (2, $$'t', 's', scope => 'true', soft_delete_column => 'gone', actions => '{insert,delete}'$$),
  (3, $$'t', 's', actions => '{insert,update}', columns => '{v}'$$),
  (4, $$'t', 's', scope_values => '{"gone": false}'$$),
  (5, $$'t', 's', scope_columns => '{v}'$$),
  (6, $$'t', 's', scope => 'NOT gone', lock_mode => 'exclusive'$$),
  (7, $$'p', 's', '{k}', scope => 'NOT gone'$$),
  (8, $$'vt', 's', '{k}', scope => 'NOT gone'$$),
  (9, $$'t', 's', scope => 'true', update_where => 'false', dry_run => true$$)) AS c (n, call)
 ORDER BY n;

-- and takes no transaction id
BEGIN;
SELECT unchanged FROM bulk_sync('t', 's', scope => 'NOT gone');
SELECT pg_current_xact_id_if_assigned() IS NULL AS no_transaction_id;
COMMIT;

-- Three rows of two thousand change: some records for each of them (its lock, the row, index entries, hints), none for the
-- others. Each of the tries finds other values staged.
CREATE SEQUENCE try;
CREATE VIEW changing AS SELECT k, CASE WHEN k IN (1, 1001, 1999) THEN v || nextval('try') ELSE v END AS v, n FROM s;
SELECT wal_records($$SELECT bulk_sync('t', 'changing', scope => 'NOT gone')$$) BETWEEN 3 AND 60 AS a_few;
SELECT count(*) FROM t JOIN s USING (k) WHERE t.v <> s.v;

SET client_min_messages = warning;
DROP SCHEMA no_wal CASCADE;
