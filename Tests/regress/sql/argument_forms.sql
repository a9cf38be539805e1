-- bulk_sync as a function among functions: several calls in one statement, in a target list, in a CTE, in PL/pgSQL, in a
-- cursor, in a prepared statement. It runs as often as it is called, never less.
-- Contract 1.5, 6; cases 22, 317
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA argument_forms;
SET search_path = argument_forms, public;

CREATE TABLE t (k int PRIMARY KEY, v text);
CREATE TABLE s (k int, v text);
CREATE TABLE result (staged_rows bigint, inserted bigint, updated bigint, unchanged bigint, skipped bigint, deleted bigint);
INSERT INTO s VALUES (2, 'b'), (3, 'c');

-- Counts the calls by a statement trigger, which fires once for each phase that has rows.
CREATE SEQUENCE phases;
CREATE FUNCTION count_phase() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM nextval('phases'); RETURN NULL; END$$;
CREATE TRIGGER count_phase AFTER INSERT OR UPDATE OR DELETE ON t EXECUTE FUNCTION count_phase();

-- Three calls in one statement: the second sees what the first one did, and finds nothing to do.
SELECT bulk_sync('t', 's', scope => 'true') FROM generate_series(1, 3);
TABLE t ORDER BY k;

-- One call is one row of six columns.
TRUNCATE t;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT inserted + updated AS written, deleted FROM bulk_sync('t', 's', scope => 'true');
SELECT (r).unchanged FROM (SELECT bulk_sync('t', 's', scope => 'true') AS r OFFSET 0) AS q;
-- ".*" in a target list is expanded to a call for each column; so the first column tells of another call than the others
TRUNCATE t;
SELECT (bulk_sync('t', 's', scope => 'true')).*;
SELECT last_value FROM phases;

-- LATERAL: targets from a list.
CREATE TABLE t2 (LIKE t INCLUDING ALL);
SELECT name, c.* FROM unnest('{t,t2}'::regclass[]) AS name, LATERAL bulk_sync(name, 's', scope => 'true') AS c ORDER BY name::text;

-- In a CTE, in INSERT ... SELECT, in CREATE TABLE AS, and as a condition.
TRUNCATE t;
WITH call AS MATERIALIZED (SELECT * FROM bulk_sync('t', 's', scope => 'true')) SELECT a.inserted, b.inserted FROM call AS a, call AS b;
INSERT INTO result SELECT * FROM bulk_sync('t', 's', scope => 'true');
TABLE result;
CREATE TABLE result_2 AS SELECT * FROM bulk_sync('t', 's', scope => 'true', dry_run => true);
TABLE result_2;
SELECT count(*) FROM t WHERE (SELECT unchanged FROM bulk_sync('t', 's', scope => 'true')) = 2;

-- LIMIT does not cut the work short.
TRUNCATE t;
SELECT inserted FROM bulk_sync('t', 's', scope => 'true') LIMIT 1;
SELECT count(*) FROM t;

-- In PL/pgSQL, where all NULL options are variables; and with the default for a variable that is NULL.
TRUNCATE t;
DO $$
DECLARE
	key text[]; guard bigint; c record;
BEGIN
	SELECT * INTO c FROM bulk_sync('t', 's', key, 'true', max_deletes => guard);
	RAISE NOTICE '% inserted', c.inserted;
	PERFORM bulk_sync('t', 's', key, 'true', max_deletes => guard);
END $$;
SELECT count(*) FROM t;

-- A prepared statement goes by its parameters, whichever plan it has.
SET plan_cache_mode = force_generic_plan;
PREPARE sync (text, bigint) AS SELECT * FROM bulk_sync('t', 's', scope => $1, expected_rows => $2);
EXECUTE sync ('k > 2', NULL);
EXECUTE sync ('k > 1', 2);
EXECUTE sync ('k > 1', 3);
\echo :LAST_ERROR_SQLSTATE
RESET plan_cache_mode;
-- ... also when the staged table was made anew since.
ALTER TABLE s RENAME TO s_old;
CREATE TABLE s (v text, k int);
INSERT INTO s VALUES ('z', 3);
EXECUTE sync ('true', 1);
TABLE t ORDER BY k;
DEALLOCATE sync;

-- A cursor runs it when it is fetched from.
BEGIN;
TRUNCATE t;
DECLARE c CURSOR FOR SELECT inserted FROM bulk_sync('t', 's', scope => 'true');
SELECT count(*) FROM t;
FETCH c;
SELECT count(*) FROM t;
COMMIT;

-- EXPLAIN does not run it.
TRUNCATE t;
EXPLAIN (COSTS off) SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT count(*) FROM t;

SET client_min_messages = warning;
DROP SCHEMA argument_forms CASCADE;
