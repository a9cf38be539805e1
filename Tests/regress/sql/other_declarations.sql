-- The functions as another version of the extension would declare them, on this library: what an older one lacks has its default; an
-- argument or a result column that this library does not know (a session that loaded it before ALTER EXTENSION UPDATE, or files that
-- were put back) is refused before a row is read, because it could be a guard. Case 325
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA other_declarations;
SET search_path = other_declarations, public;
CREATE TABLE t (k int PRIMARY KEY, v text);
CREATE TABLE s (k int, v text);
CREATE TABLE history (k int, at int, v text);
CREATE TABLE versions (k int, at int, v text);
INSERT INTO t VALUES (1, 'a'), (2, 'b');
INSERT INTO s VALUES (1, 'x');

-- 1. An older extension: fewer arguments, in another order, and fewer columns.
CREATE FUNCTION old_sync(scope text, staged regclass, target regclass, OUT staged_rows bigint, OUT inserted bigint)
AS '$libdir/bulk_sync', 'bulk_sync' LANGUAGE C;
CREATE FUNCTION old_compare(target regclass, staged regclass, scope text) RETURNS TABLE (action text, staged_row bigint, key jsonb)
AS '$libdir/bulk_sync', 'bulk_sync_compare' LANGUAGE C;
CREATE FUNCTION old_insert_changed(target regclass, staged regclass, key_columns text[], order_column text, OUT staged_rows bigint, OUT inserted bigint)
AS '$libdir/bulk_sync', 'bulk_sync_insert_changed' LANGUAGE C;
CREATE FUNCTION old_stage(target regclass) RETURNS regclass AS '$libdir/bulk_sync', 'bulk_sync_stage' LANGUAGE C;
SELECT * FROM old_compare('t', 's', scope => 'true') ORDER BY action;
SELECT * FROM old_sync(scope => 'k < 2', staged => 's', target => 't');
SELECT old_stage('t');
INSERT INTO versions VALUES (1, 1, 'a'), (1, 2, 'b');
SELECT * FROM old_insert_changed('history', 'versions', '{k}', 'at');
TABLE t ORDER BY k;

-- 2. A newer one: an argument more, given or not, NULL or not.
CREATE FUNCTION new_sync(target regclass, staged regclass, key_columns text[] DEFAULT NULL, scope text DEFAULT NULL, max_updates bigint DEFAULT NULL,
	OUT staged_rows bigint, OUT inserted bigint, OUT updated bigint, OUT unchanged bigint, OUT skipped bigint, OUT deleted bigint)
AS '$libdir/bulk_sync', 'bulk_sync' LANGUAGE C;
CREATE FUNCTION new_compare(target regclass, staged regclass, scope text, shape text DEFAULT NULL)
RETURNS TABLE (action text, staged_row bigint, key jsonb, changed_columns text[], old jsonb, new jsonb) AS '$libdir/bulk_sync', 'bulk_sync_compare' LANGUAGE C;
CREATE FUNCTION new_returning(target regclass, staged regclass, scope text, shape text DEFAULT NULL)
RETURNS TABLE (action text, staged_row bigint, key jsonb, changed_columns text[], old jsonb, new jsonb) AS '$libdir/bulk_sync', 'bulk_sync_returning' LANGUAGE C;
CREATE FUNCTION new_insert_changed(target regclass, staged regclass, key_columns text[], order_column text, scope text DEFAULT NULL, OUT staged_rows bigint, OUT inserted bigint, OUT unchanged bigint)
AS '$libdir/bulk_sync', 'bulk_sync_insert_changed' LANGUAGE C;
CREATE FUNCTION new_stage(target regclass, logged boolean DEFAULT NULL) RETURNS regclass AS '$libdir/bulk_sync', 'bulk_sync_stage' LANGUAGE C;
\set VERBOSITY terse
SELECT * FROM new_sync('t', 's', scope => 'true', max_updates => 0);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM new_sync('t', 's', scope => 'true');
-- The version of the library is named; it is not repeated here.
DO $$
DECLARE
	detail text;
	hint text;
BEGIN
	PERFORM new_sync('t', 's', scope => 'true');
EXCEPTION WHEN object_not_in_prerequisite_state THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RAISE NOTICE '%', replace(detail, bulk_sync_version(), 'VERSION');
	RAISE NOTICE '%', hint;
END
$$;
SELECT * FROM new_compare('t', 's', 'true');
SELECT * FROM new_returning('t', 's', 'true', 'flat');
SELECT * FROM new_insert_changed('history', 'versions', '{k}', 'at');
SELECT new_stage('s');
SELECT to_regclass('pg_temp.s_staged');

-- 3. A result column more, which this library could not fill.
CREATE FUNCTION wide_sync(target regclass, staged regclass, scope text, OUT staged_rows bigint, OUT inserted bigint, OUT updated bigint,
	OUT unchanged bigint, OUT skipped bigint, OUT deleted bigint, OUT revived bigint)
AS '$libdir/bulk_sync', 'bulk_sync' LANGUAGE C;
CREATE FUNCTION wide_compare(target regclass, staged regclass, scope text)
RETURNS TABLE (action text, staged_row bigint, key jsonb, changed_columns text[], old jsonb, new jsonb, place text) AS '$libdir/bulk_sync', 'bulk_sync_compare' LANGUAGE C;
CREATE FUNCTION wide_returning(target regclass, staged regclass, scope text)
RETURNS TABLE (action text, staged_row bigint, key jsonb, changed_columns text[], old jsonb, new jsonb, place text) AS '$libdir/bulk_sync', 'bulk_sync_returning' LANGUAGE C;
CREATE FUNCTION wide_insert_changed(target regclass, staged regclass, key_columns text[], order_column text, OUT staged_rows bigint, OUT inserted bigint, OUT unchanged bigint, OUT late bigint)
AS '$libdir/bulk_sync', 'bulk_sync_insert_changed' LANGUAGE C;
SELECT * FROM wide_sync('t', 's', 'true');
SELECT * FROM wide_compare('t', 's', 'true');
SELECT * FROM wide_returning('t', 's', 'true');
SELECT * FROM wide_insert_changed('history', 'versions', '{k}', 'at');

-- 4. A function that the library does not have cannot even be declared.
\set VERBOSITY sqlstate
CREATE FUNCTION added(target regclass) RETURNS text AS '$libdir/bulk_sync', 'bulk_sync_added' LANGUAGE C;
\set VERBOSITY default

-- Nothing of all that was written.
TABLE t ORDER BY k;
TABLE history ORDER BY at;

SET client_min_messages = warning;
DROP SCHEMA other_declarations CASCADE;
DROP TABLE t_staged;
