-- A call leaves the session as it found it: every setting, the role, the temporary tables, cursors and prepared statements, after success, after an
-- error and after one caught in an EXCEPTION block; and it works under any settings, which stay in force for the triggers and conversions it runs.
-- Contract, the paragraph at the end; case 223
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
CREATE ROLE regress_bulk_sync_user;
RESET client_min_messages;
CREATE SCHEMA settings_restored;
SET search_path = settings_restored, public;
GRANT USAGE ON SCHEMA settings_restored TO regress_bulk_sync_user;

CREATE TABLE t (k int PRIMARY KEY, v text UNIQUE, at date, seen text);
CREATE TABLE s (k int, v text, at text);
CREATE TABLE bad (k text, v text);
INSERT INTO bad VALUES ('1', 'a'), ('no number', 'b');
CREATE TABLE taken (k int, v text);
INSERT INTO taken VALUES (7, 'b'), (2, 'b');
CREATE TABLE refused (k int, v text);
INSERT INTO refused VALUES (2, 'b'), (66, 'refused by the trigger');
CREATE TABLE twice (k int, v text);
INSERT INTO twice VALUES (2, 'b'), (2, 'b');
CREATE TABLE elsewhere (k int, v text);
INSERT INTO elsewhere VALUES (2000, 'b');
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.k = 66 THEN RAISE EXCEPTION 'refused by the trigger'; END IF;
	NEW.seen := concat_ws(' ', NEW.at, current_setting('search_path'), current_setting('work_mem'), current_setting('enable_seqscan'),
		current_setting('row_security'), current_setting('session_replication_role'), current_setting('transform_null_equals'));
	RETURN NEW;
END $$;
CREATE TRIGGER tell BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION tell();
GRANT ALL ON ALL TABLES IN SCHEMA settings_restored TO regress_bulk_sync_user;
CREATE PROCEDURE reset_tables() LANGUAGE sql BEGIN ATOMIC
	DELETE FROM t;
	DELETE FROM s;
	INSERT INTO t VALUES (1, 'a', '2024-02-01'), (2, 'b', '2024-02-02'), (3, 'c', NULL);
	INSERT INTO s VALUES (2, 'B', '02.03.2024'), (3, 'c', NULL), (4, 'd', '02.03.2024');
END;

-- What the session is like: all settings but those that count time or transactions, and whatever could have been left behind.
CREATE VIEW session AS
	SELECT name, setting, source, boot_val, reset_val FROM pg_settings WHERE name !~ '^(transaction_|in_hot_standby|client_min_messages)'
	UNION ALL SELECT 'role', current_user || ' of ' || session_user, NULL, NULL, NULL
	UNION ALL SELECT 'temporary tables', string_agg(relname, ',' ORDER BY relname), NULL, NULL, NULL FROM pg_class WHERE relnamespace = pg_my_temp_schema()
	UNION ALL SELECT 'prepared statements', count(*)::text, NULL, NULL, NULL FROM pg_prepared_statements
	UNION ALL SELECT 'cursors', count(*)::text, NULL, NULL, NULL FROM pg_cursors
	UNION ALL SELECT 'advisory locks', count(*)::text, NULL, NULL, NULL FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()
	UNION ALL SELECT 'schemas on the path', current_schemas(true)::text, NULL, NULL, NULL;
CREATE TABLE kept AS TABLE session LIMIT 0;
CREATE FUNCTION left_different() RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(string_agg(format('%s: %s, was %s', name, s.setting, k.setting), '; ' ORDER BY name), 'nothing')
	  FROM kept k FULL JOIN session s USING (name) WHERE (k.setting, k.source, k.boot_val, k.reset_val) IS DISTINCT FROM (s.setting, s.source, s.boot_val, s.reset_val)
$$;
-- Makes a call and catches its error.
CREATE FUNCTION caught(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text;
BEGIN
	EXECUTE 'SELECT r::text FROM bulk_sync(' || call || ') r' INTO result;
	RETURN result;
EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE;
END $$;

-- 1. Every way out, in one transaction and caught, with the settings looked at after each.
CALL reset_tables();
CREATE TEMPORARY TABLE mine (i int);
-- (The first call of a session loads the library, and with it what settings the extension may have.)
SELECT deleted FROM bulk_sync('t', 's', scope => 'true', columns => '{v}', dry_run => true);
INSERT INTO kept TABLE session;
CREATE TABLE calls (n int, call text);
INSERT INTO calls VALUES
	(1, $$'t', 's', scope => 'true', columns => '{v}', dry_run => true$$),
	(2, $$'t', 's', columns => '{v}'$$),
	(3, $$'t', 's', scope => 'no such column', columns => '{v}'$$),
	(4, $$'t', 's', scope => '1/(k-2) > 0', columns => '{v}'$$),
	(5, $$'t', 's', scope => 'true', columns => '{v}', update_where => '1/(target.k-2) > 0'$$),
	(6, $$'t', 's', scope => 'true', columns => '{v}', expected_rows => 99$$),
	(7, $$'t', 's', scope => 'true', columns => '{v}', max_deletes => 0$$),
	(8, $$'t', 'bad', scope => 'true'$$),
	(9, $$'t', 'taken', scope => 'true'$$),
	(10, $$'t', 'refused', scope => 'true'$$),
	(11, $$'t', 'twice', scope => 'true'$$),
	(12, $$'t', 'elsewhere', scope => 'k < 1000'$$),
	(13, $$'t', 's', scope => 'true', columns => '{v}', lock_mode => 'share'$$),
	(14, $$'pg_class', 's', scope => 'true'$$),
	(15, $$'t', 'refused', scope => 'true', ignore_conflicts => true, lock_mode => 'access exclusive'$$),
	(16, $$'t', 's', scope => 'true', columns => '{v}', duplicates => 'last'$$);
CREATE FUNCTION all_calls() RETURNS TABLE (n int, result text, different text) LANGUAGE plpgsql AS $$
DECLARE one text;
BEGIN
	n := 0;
	FOREACH one IN ARRAY (SELECT array_agg(c.call ORDER BY c.n) FROM calls c) LOOP
		n := n + 1;
		result := caught(one);
		different := left_different();
		RETURN NEXT;
	END LOOP;
END $$;
SELECT * FROM all_calls();

-- The same with settings of one's own, each as far from the default as it goes; the results must not change.
CALL reset_tables();
SET enable_seqscan = off; SET enable_hashagg = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_nestloop = off; SET enable_sort = off;
SET enable_tidscan = off; SET enable_indexscan = off; SET enable_bitmapscan = off; SET enable_material = off; SET jit = off;
SET work_mem = '64kB'; SET plan_cache_mode = force_generic_plan; SET constraint_exclusion = on; SET transform_null_equals = on; SET array_nulls = off;
SET quote_all_identifiers = on; SET bytea_output = escape; SET extra_float_digits = -15; SET IntervalStyle = sql_standard; SET DateStyle = 'SQL, DMY'; SET TimeZone = 'Asia/Kathmandu';
SET row_security = off; SET synchronous_commit = off; SET default_transaction_isolation = serializable; SET cursor_tuple_fraction = 1; SET from_collapse_limit = 1;
SET join_collapse_limit = 1; SET geqo = on; SET geqo_threshold = 2; SET check_function_bodies = off; SET max_parallel_workers_per_gather = 8; SET min_parallel_table_scan_size = 0;
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET backslash_quote = on; SET escape_string_warning = off; SET default_toast_compression = pglz; SET xmloption = document;
SET temp_tablespaces = ''; SET default_tablespace = ''; SET statement_timeout = '10min'; SET lock_timeout = '10min'; SET "regress.own" = 'mine';
TRUNCATE kept;
INSERT INTO kept TABLE session;
SELECT * FROM all_calls();
-- In force inside: dates come as the session writes them, and the trigger sees the session's settings and nothing else.
SELECT caught($$'t', 's', scope => 'true'$$);
SELECT k, v, at = '2024-03-02'::date AS second_of_march, seen FROM t ORDER BY k;
SELECT left_different();

-- 2. Errors that end the transaction, as another role, with settings of the transaction on top.
BEGIN;
SET LOCAL ROLE regress_bulk_sync_user;
SET LOCAL work_mem = '1MB';
SELECT * FROM bulk_sync('t', 'refused', scope => 'true');
ROLLBACK;
SELECT left_different();
BEGIN;
SET LOCAL work_mem = '1MB';
SAVEPOINT a;
SELECT * FROM bulk_sync('t', 'bad', scope => 'true');
ROLLBACK TO a;
SELECT left_different();
SELECT updated FROM bulk_sync('t', 's', actions => '{update}');
SELECT left_different();
COMMIT;
SELECT left_different();
RESET ALL;
SET search_path = settings_restored, public;

-- 3. What a trigger of the target sets is set: it is not the call's to undo.
CREATE FUNCTION set_something() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('regress.by_trigger', TG_OP, false); RETURN NULL; END $$;
CREATE TRIGGER set_something AFTER INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION set_something();
INSERT INTO s VALUES (5, 'e', NULL);
SELECT inserted FROM bulk_sync('t', 's', actions => '{insert}');
SELECT current_setting('regress.by_trigger');

-- 4. A call in a function with settings of its own.
CREATE FUNCTION with_own() RETURNS text LANGUAGE sql SET work_mem = '2MB' SET search_path = public, pg_temp AS $$
	SELECT r::text FROM bulk_sync('settings_restored.t', 'settings_restored.s', scope => 'true') r $$;
DELETE FROM t WHERE k = 5;
SELECT with_own(), current_setting('work_mem') = reset_val || 'kB' OR current_setting('work_mem') = '4MB' AS work_mem, current_setting('search_path') FROM pg_settings WHERE name = 'work_mem';
SELECT seen LIKE '%public, pg_temp 2MB%' AS seen_by_the_trigger FROM t WHERE k = 5;

SET client_min_messages = warning;
DROP SCHEMA settings_restored CASCADE;
DROP TABLE mine;
DROP ROLE regress_bulk_sync_user;
