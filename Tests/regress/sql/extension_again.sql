-- DROP EXTENSION, CREATE again and SET SCHEMA in the session that uses it: plans that were kept (prepared statements, PL/pgSQL, SQL
-- functions) find the functions of the new extension, and what the library keeps for the session stays right. Case 326
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
CREATE SCHEMA extension_again;
CREATE SCHEMA extension_again_home;
SET search_path = extension_again, extension_again_home, public;
ALTER EXTENSION bulk_sync SET SCHEMA extension_again;
CREATE TABLE t (k int PRIMARY KEY, g int, v text);
CREATE TABLE s (k int, v text);
INSERT INTO s SELECT k, 'v' || k FROM generate_series(1, 5) AS k;

-- Every way to keep a plan, each used often enough to be a generic one.
PREPARE synced (text) AS SELECT * FROM bulk_sync('t', 's', scope => $1, scope_values => '{"g": 1}');
PREPARE compared AS SELECT action, count(*) FROM bulk_compare('t', 's', scope => 'true', scope_values => '{"g": 1}', include_unchanged => true) GROUP BY action ORDER BY action;
CREATE FUNCTION in_plpgsql() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	counts record;
BEGIN
	SELECT * INTO counts FROM bulk_sync('t', 's', scope => 'true', scope_values => '{"g": 1}', update_where => 'staged.v > target.v');
	RETURN counts;
END $$;
CREATE FUNCTION in_sql() RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM bulk_sync_returning('t', 's', scope => 'true', scope_values => '{"g": 1}') $$;
CREATE FUNCTION all_ways() RETURNS TABLE (plpgsql text, sql bigint, version boolean) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1..6 LOOP
		plpgsql := in_plpgsql();
		sql := in_sql();
		version := bulk_sync_version() = extversion FROM pg_extension WHERE extname = 'bulk_sync';
	END LOOP;
	RETURN NEXT;
END $$;
EXECUTE synced('true');
EXECUTE compared;
SELECT * FROM all_ways();
SET bulk_sync.work_mem = '2MB';

-- Another schema: first one that is also in the path, then one that is not.
ALTER EXTENSION bulk_sync SET SCHEMA extension_again_home;
EXECUTE synced('true');
EXECUTE compared;
SELECT * FROM all_ways();
CREATE SCHEMA extension_again_away;
ALTER EXTENSION bulk_sync SET SCHEMA extension_again_away;
\set VERBOSITY sqlstate
EXECUTE synced('true');
SELECT * FROM all_ways();
SET search_path = extension_again, extension_again_away;
EXECUTE synced('true');
SELECT * FROM all_ways();

-- Gone: what called it says so, and nothing is left to be called.
DROP EXTENSION bulk_sync;
EXECUTE synced('true');
SELECT * FROM all_ways();
SELECT count(*) FROM pg_proc WHERE probin LIKE '%bulk_sync%';
-- The library is still loaded, and so is its setting.
SHOW bulk_sync.work_mem;

-- Made again: with other functions, to PostgreSQL, in another place.
CREATE EXTENSION bulk_sync SCHEMA extension_again_home;
SET search_path = extension_again, extension_again_home, public;
EXECUTE synced('true');
EXECUTE compared;
SELECT * FROM all_ways();
SHOW bulk_sync.work_mem;
RESET bulk_sync.work_mem;

-- In one transaction, with calls before and after, and rolled back in the end: the first extension is there again.
UPDATE s SET v = 'w' || k;
SELECT oid AS extension FROM pg_extension WHERE extname = 'bulk_sync' \gset
BEGIN;
EXECUTE synced('true');
SAVEPOINT dropped;
DROP EXTENSION bulk_sync;
EXECUTE compared;
ROLLBACK TO dropped;
EXECUTE compared;
DROP EXTENSION bulk_sync;
CREATE EXTENSION bulk_sync SCHEMA extension_again;
EXECUTE compared;
SELECT * FROM all_ways();
ROLLBACK;
SELECT oid = :extension AS the_first FROM pg_extension WHERE extname = 'bulk_sync';
EXECUTE compared;
SELECT * FROM all_ways();
TABLE t ORDER BY k;

-- Nothing locks a function that runs. A call whose extension is dropped or updated meanwhile (here by a trigger) ends as if it were not.
CREATE FUNCTION drop_it() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DROP EXTENSION bulk_sync; RETURN NULL; END $$;
CREATE TRIGGER drop_it AFTER UPDATE ON t FOR EACH STATEMENT EXECUTE FUNCTION drop_it();
UPDATE s SET v = 'x' || k WHERE k = 5;
BEGIN;
SELECT * FROM bulk_sync('t', 's', scope => 'true', scope_values => '{"g": 1}');
SELECT count(*) FROM pg_extension WHERE extname = 'bulk_sync';
ROLLBACK;
BEGIN;
SELECT action, key FROM bulk_sync_returning('t', 's', scope => 'true', scope_values => '{"g": 1}');
SELECT count(*) FROM pg_extension WHERE extname = 'bulk_sync';
ROLLBACK;
CREATE TABLE history (k int, v text, at int GENERATED ALWAYS AS IDENTITY);
CREATE TRIGGER drop_it AFTER INSERT ON history FOR EACH STATEMENT EXECUTE FUNCTION drop_it();
SELECT * FROM bulk_insert_changed('history', 's', '{k}', 'at');
SELECT count(*) FROM pg_extension WHERE extname = 'bulk_sync';

CREATE EXTENSION IF NOT EXISTS bulk_sync SCHEMA public;
ALTER EXTENSION bulk_sync SET SCHEMA public;
DEALLOCATE ALL;
SET client_min_messages = warning;
DROP SCHEMA extension_again, extension_again_home, extension_again_away CASCADE;
