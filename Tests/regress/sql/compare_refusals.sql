-- bulk_compare refuses what bulk_sync refuses, with the same code and message and in the same order, but asks no guard; SELECT is
-- all the privilege it needs, and a row that row-level security hides is no part of the target.
-- Contract 2 ("the same refusals as bulk_sync, without the guards"), 1.0, 1.1, 1.2, 1.3.8, 1.4 (order), 1.7
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
CREATE ROLE regress_bulk_sync_compare;
RESET client_min_messages;
CREATE SCHEMA compare_refusals;
SET search_path = compare_refusals, public;
GRANT USAGE ON SCHEMA compare_refusals TO regress_bulk_sync_compare;

CREATE TABLE t (k int PRIMARY KEY, v text, id int GENERATED ALWAYS AS IDENTITY, n numeric(3,1), gone boolean, at timestamptz, p point);
CREATE TABLE s (k int, v text, n text);
CREATE TABLE twice (k int, v text);
CREATE TABLE wrong (k text, n text);
CREATE TABLE unconvertible (k int, n point);
CREATE TABLE more (k int, v text, extra int);
CREATE TABLE no_key (k int, v text, p point);
CREATE TABLE same_keys (k int, v text);
CREATE VIEW grouped AS SELECT k, count(*) AS v FROM t GROUP BY k;
CREATE MATERIALIZED VIEW stored AS SELECT k, v FROM t;
CREATE SEQUENCE numbers;
CREATE INDEX v_index ON t (v);
CREATE TYPE pair AS (k int, v text);
INSERT INTO t (k, v, n) VALUES (1, 'a', 1), (2, 'b', 2), (3, 'c', 3);
INSERT INTO s VALUES (1, 'a', '1'), (2, 'B', '2.5'), (4, 'd', '4');
INSERT INTO twice VALUES (1, 'a'), (2, 'b'), (2, 'c');
INSERT INTO wrong VALUES ('1', '1'), ('x', '2');
INSERT INTO more VALUES (1, 'a', 1);
INSERT INTO no_key VALUES (1, 'a', '(1,1)');
INSERT INTO same_keys VALUES (1, 'a'), (1, 'b'), (2, 'b');

-- Each refusal: the code, and whether bulk_sync says the same in all (code, message, detail, hint).
CREATE FUNCTION refusal(call text) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  message text;
  detail text;
  hint text;
BEGIN
  EXECUTE 'SELECT count(*) FROM ' || call;
  RETURN '{none}';
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
  RETURN ARRAY[SQLSTATE, message, detail, hint];
END $$;
CREATE TABLE refused (n int GENERATED ALWAYS AS IDENTITY, arguments text);
-- arguments (1.0)
INSERT INTO refused (arguments) VALUES
  ($$NULL, 's', scope => 'true'$$), ($$'t', NULL, scope => 'true'$$), ($$'t', 's', '{k,NULL}', scope => 'true'$$), ($$'t', 's', scope => 'true', columns => '{NULL}'$$),
  ($$'t', 's', scope => 'true', actions => '{}'$$), ($$'t', 's', scope => 'true', columns => '{}'$$), ($$'t', 's', scope => ''$$), ($$'t', 's', scope_values => '{}'$$),
  ($$'t', 's', scope_columns => '{}'$$), ($$'t', 's', scope => 'true', update_where => ''$$), ($$'t', 's', scope => 'true', soft_delete_column => ''$$),
  ($$'t', 's', scope => 'true', duplicates => ''$$), ($$'t', 's', scope => 'true', order_column => ''$$), ($$'t', 's', scope => 'true', duplicates => 'newest'$$),
  ($$'t', 's', scope => 'true', actions => '{merge}'$$), ($$'t', 's', scope_values => '[1]'$$), ($$'t', 's', '{k,k}', scope => 'true'$$), ($$'t', 's', scope => 'true', columns => '{v,v}'$$),
  ($$'t', 's', '{kk}', scope => 'true'$$), ($$'t', 's', '{K}', scope => 'true'$$), ($$'t', 's', '{ctid}', scope => 'true'$$), ($$'t', 's', scope => 'true', columns => '{w}'$$),
  ($$'t', 's', scope => 'true', touch_columns => '{v}', keep_columns => '{v}'$$), ($$'t', 's', scope => 'true', fill_columns => '{k}'$$), ($$'t', 's', scope => 'true', columns => '{v}', touch_columns => '{n}'$$),
  ($$'no_key', 's', scope => 'true', columns => '{v}'$$), ($$'t', 's', '{}', scope => 'true'$$), ($$'t', 's', '{}', actions => '{insert,update}'$$);
-- kinds of relation, columns, conversions, expressions (1.7, 1.1, 1.2)
INSERT INTO refused (arguments) VALUES
  ($$'v_index', 's', '{k}', scope => 'true'$$), ($$'numbers', 's', '{k}', scope => 'true'$$), ($$'pair', 's', '{k}', scope => 'true'$$), ($$'stored', 's', '{k}', scope => 'true', columns => '{v}'$$),
  ($$'grouped', 's', '{k}', scope => 'true', columns => '{v}'$$), ($$'pg_class', 's', '{oid}', scope => 'true'$$), ($$'t', 't', scope => 'true'$$), ($$'t', 'v_index', scope => 'true'$$),
  ($$'t', 'pair', scope => 'true'$$), ($$'t', 's', '{id}', scope => 'true'$$), ($$'t', 'more', scope => 'true'$$), ($$'t', 'unconvertible', scope => 'true'$$), ($$'no_key', 'no_key', '{k}', scope => 'true'$$),
  ($$'t', 'no_key', '{p}', columns => '{p}', scope => 'true'$$), ($$'t', 's', scope => 'k >'$$), ($$'t', 's', scope => 'k'$$), ($$'t', 's', scope => 'true; DROP TABLE t'$$), ($$'t', 's', scope => 'w = 1'$$),
  ($$'t', 's', scope => 'count(*) > 0'$$), ($$'t', 's', scope => 'row_number() OVER () = 1'$$), ($$'t', 's', scope => 'random() < 2'$$), ($$'t', 's', scope => 'staged.k = 1'$$),
  ($$'t', 's', scope => 'true', update_where => 'k > 1'$$), ($$'t', 's', scope => 'true', update_where => 'staged.k'$$), ($$'t', 's', scope_values => '{"w": 1}'$$), ($$'t', 's', scope_values => '{"k": "x"}'$$),
  ($$'t', 's', scope_columns => '{gone}'$$), ($$'t', 's', scope => 'true', soft_delete_column => 'v'$$), ($$'t', 's', scope => 'true', soft_delete_column => 'k'$$),
  ($$'t', 's', scope => 'true', duplicates => 'last', order_column => 'w'$$), ($$'t', 's'$$), ($$'t', 's', actions => '{delete}'$$);
-- what the rows say (1.1.2, 1.1.5, 1.2.5), also where there is nothing to do for any action
INSERT INTO refused (arguments) VALUES
  ($$'t', 'wrong', scope => 'true'$$), ($$'t', 'wrong', actions => '{delete}', scope => 'true'$$), ($$'t', 'twice', scope => 'true'$$), ($$'t', 'twice', actions => '{insert}'$$),
  ($$'same_keys', 's', '{k}', columns => '{v}', scope => 'true'$$), ($$'same_keys', 's', '{k}', columns => '{v}', actions => '{insert}'$$), ($$'t', 's', scope => 'k < 4'$$), ($$'t', 's', scope => 'v <> ''B'''$$),
  ($$'t', 's', scope_values => '{"v": "a"}'$$), ($$'t', 's', scope => 'k / 0 = 1'$$), ($$'t', 's', scope => 'true', update_where => 'staged.k / 0 = target.k'$$);
SELECT n, c[1] AS code, c = y AS same, arguments FROM refused, LATERAL refusal('bulk_compare(' || arguments || ')') AS c,
       LATERAL refusal('bulk_sync(' || arguments || ', dry_run => true)') AS y ORDER BY n;
-- They are the same with other switches of its own, and before anything of its rows is returned.
SELECT count(*) AS other FROM refused, LATERAL refusal('bulk_compare(' || arguments || ', include_unchanged => true)') AS c, LATERAL refusal('bulk_compare(' || arguments || ')') AS p WHERE c <> p;
SELECT count(*) AS other FROM refused, LATERAL refusal('(SELECT FROM bulk_compare(' || arguments || ') LIMIT 1) AS c') AS c, LATERAL refusal('bulk_compare(' || arguments || ')') AS p WHERE c <> p;
-- A few in full.
SELECT * FROM bulk_compare('t', 'twice', scope => 'true');
SELECT * FROM bulk_compare('t', 'wrong', scope => 'true');
SELECT * FROM bulk_compare('same_keys', 's', '{k}', columns => '{v}', scope => 'true');
SELECT * FROM bulk_compare('t', 's', scope => 'k < 4');
SELECT * FROM bulk_compare('t', 's', scope => 'true', columns => '{vv}');

-- NULL is the default of an optional argument, of include_unchanged as well.
SELECT action, key FROM bulk_compare('t', 's', NULL, 'true', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) ORDER BY key;
-- The empty key is asked with inserts alone.
SELECT action, staged_row, key, new FROM bulk_compare('t', 's', '{}', actions => '{insert}', columns => '{v}') ORDER BY staged_row;
-- Arguments of bulk_sync that it has not: those of the guards and of the writing.
\set VERBOSITY sqlstate
SELECT bulk_compare('t', 's', scope => 'true', expected_rows => 3);
SELECT bulk_compare('t', 's', scope => 'true', max_deletes => 3);
SELECT bulk_compare('t', 's', scope => 'true', ignore_conflicts => true);
SELECT bulk_compare('t', 's', scope => 'true', lock_mode => 'exclusive');
SELECT bulk_compare('t', 's', scope => 'true', dry_run => true);
SELECT bulk_compare('t');
\set VERBOSITY default
-- No guard: nothing staged makes every row stale.
CREATE TABLE empty AS SELECT * FROM s LIMIT 0;
SELECT action, key FROM bulk_compare('t', 'empty', scope => 'true') ORDER BY key;

-- Privileges: SELECT alone, on the columns that are read or shown, on both sides. Without it 42501, be there a row or not.
CREATE FUNCTION as_user(call text, OUT code text, OUT rows text) LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('role', 'regress_bulk_sync_compare', true);
  EXECUTE 'SELECT count(*) FROM ' || call INTO rows;
  PERFORM set_config('role', 'none', true);
EXCEPTION WHEN OTHERS THEN code := SQLSTATE;
END $$;
\set all 'bulk_compare(''t'', ''s'', scope => ''true'')'
\set some 'bulk_compare(''t'', ''s'', scope => ''n > 0'', columns => ''{v}'', update_where => ''target.at IS NULL'')'
SELECT 'nothing' AS granted, * FROM as_user(:'all');
GRANT SELECT ON s TO regress_bulk_sync_compare;
SELECT 'staged alone' AS granted, * FROM as_user(:'all');
GRANT INSERT, UPDATE, DELETE ON t TO regress_bulk_sync_compare;
SELECT 'all but select' AS granted, * FROM as_user(:'all');
REVOKE ALL ON t FROM regress_bulk_sync_compare;
GRANT SELECT ON t TO regress_bulk_sync_compare;
SELECT 'select' AS granted, * FROM as_user(:'all');
SELECT 'select' AS granted, * FROM as_user('bulk_sync(''t'', ''s'', scope => ''true'', dry_run => true)');
SELECT 'select' AS granted, * FROM as_user('bulk_compare(''t'', ''s'', scope => ''true'', soft_delete_column => ''gone'')');
SELECT 'select' AS granted, * FROM as_user('bulk_compare(''t'', ''empty'', scope => ''true'')');
REVOKE SELECT ON s FROM regress_bulk_sync_compare;
SELECT 'target alone' AS granted, * FROM as_user(:'all');
GRANT SELECT (k, v, n) ON s TO regress_bulk_sync_compare;
SELECT 'columns staged' AS granted, * FROM as_user(:'all');
REVOKE SELECT (n) ON s FROM regress_bulk_sync_compare;
SELECT 'not all columns staged' AS granted, * FROM as_user(:'all');
SELECT 'not all columns staged' AS granted, * FROM as_user('bulk_compare(''t'', ''s'', scope => ''true'', columns => ''{v}'')');
-- of the target: key and synced columns, those of the scope and of update_where, the primary key where it is shown
REVOKE SELECT ON t FROM regress_bulk_sync_compare;
GRANT SELECT (k, v, n, at) ON t TO regress_bulk_sync_compare;
SELECT 'k, v, n, at' AS granted, * FROM as_user(:'some');
REVOKE SELECT (v) ON t FROM regress_bulk_sync_compare;
SELECT 'k, n, at' AS granted, * FROM as_user(:'some');
-- (an insert-only or touch column is shown, too: its value cannot be had without the right to read it)
SELECT 'k, n, at' AS granted, * FROM as_user('bulk_compare(''t'', ''s'', scope => ''true'', columns => ''{v}'', insert_only_columns => ''{v}'')');
SELECT 'k, n, at' AS granted, * FROM as_user('bulk_compare(''t'', ''s'', scope => ''true'', columns => ''{v}'', touch_columns => ''{v}'')');
GRANT SELECT (v) ON t TO regress_bulk_sync_compare;
REVOKE SELECT (n) ON t FROM regress_bulk_sync_compare;
SELECT 'k, v, at' AS granted, * FROM as_user(:'some');
GRANT SELECT (n) ON t TO regress_bulk_sync_compare;
REVOKE SELECT (at) ON t FROM regress_bulk_sync_compare;
SELECT 'k, v, n' AS granted, * FROM as_user(:'some');
REVOKE SELECT (k) ON t FROM regress_bulk_sync_compare;
SELECT 'v, n' AS granted, * FROM as_user('bulk_compare(''t'', ''s'', ''{v}'', columns => ''{v}'', scope => ''true'')');
SELECT 'v, n' AS granted, * FROM as_user('bulk_compare(''t'', ''s'', ''{v}'', columns => ''{v}'', actions => ''{insert}'')');
-- supplied columns are shown
GRANT SELECT (k) ON t TO regress_bulk_sync_compare;
SELECT 'k, v, n' AS granted, * FROM as_user('bulk_compare(''t'', ''s'', scope_values => ''{"gone": null}'', columns => ''{v}'')');
GRANT SELECT (gone) ON t TO regress_bulk_sync_compare;
SELECT 'k, v, n, gone' AS granted, * FROM as_user('bulk_compare(''t'', ''s'', scope_values => ''{"gone": null}'', columns => ''{v}'')');
-- A view is read with its owner's rights.
CREATE VIEW of_t AS SELECT k, v FROM t;
GRANT SELECT ON of_t TO regress_bulk_sync_compare;
SELECT * FROM as_user('bulk_compare(''of_t'', ''s'', ''{k}'', columns => ''{v}'', scope => ''true'')');

-- Row-level security: hidden rows of the target are not compared, hidden staged rows are not staged. A row that a policy lets the
-- caller see but not write is skipped, as by the sync; the privilege to write is not asked for.
CREATE TABLE secured (k int PRIMARY KEY, v text);
CREATE TABLE secured_s (k int, v text);
INSERT INTO secured VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'secret'), (5, 'secret');
INSERT INTO secured_s VALUES (1, 'A'), (2, 'b'), (4, 'mine'), (6, 'new'), (7, 'secret');
ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
ALTER TABLE secured_s ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON secured FOR SELECT USING (v <> 'secret');
CREATE POLICY visible ON secured_s FOR SELECT USING (v <> 'secret');
GRANT SELECT ON secured, secured_s TO regress_bulk_sync_compare;
CREATE FUNCTION tell(text) RETURNS boolean LANGUAGE plpgsql STABLE COST 0.0001 AS 'BEGIN IF $1 = ''secret'' THEN RAISE INFO ''saw it''; END IF; RETURN true; END';
SET ROLE regress_bulk_sync_compare;
-- no policy to write: nothing of the target can be changed
SELECT * FROM bulk_compare('secured', 'secured_s', scope => 'true', include_unchanged => true) ORDER BY key;
RESET ROLE;
CREATE POLICY changed ON secured FOR UPDATE USING (true);
CREATE POLICY deleted ON secured FOR DELETE USING (k > 3);
CREATE POLICY inserted ON secured FOR INSERT WITH CHECK (true);
DELETE FROM secured_s WHERE k = 4;
SET ROLE regress_bulk_sync_compare;
SELECT * FROM bulk_compare('secured', 'secured_s', scope => 'true', include_unchanged => true) ORDER BY key;
RESET ROLE;
ALTER POLICY deleted ON secured USING (true);
GRANT INSERT, UPDATE, DELETE ON secured TO regress_bulk_sync_compare;
SET ROLE regress_bulk_sync_compare;
SELECT action, key FROM bulk_compare('secured', 'secured_s', scope => 'true', include_unchanged => true) ORDER BY key;
BEGIN;
SELECT * FROM bulk_sync('secured', 'secured_s', scope => 'true');
ROLLBACK;
-- a function of the caller's in the scope does not get to see what is hidden
SELECT count(*) FROM bulk_compare('secured', 'secured_s', scope => 'compare_refusals.tell(v)', columns => '{k}');
SET row_security = off;
\set VERBOSITY sqlstate
SELECT * FROM bulk_compare('secured', 'secured_s', scope => 'true');
\set VERBOSITY default
RESET row_security;
RESET ROLE;
-- a superuser is not bound
SELECT action, key FROM bulk_compare('secured', 'secured_s', scope => 'true') ORDER BY key;

SET client_min_messages = warning;
DROP SCHEMA compare_refusals CASCADE;
DROP ROLE regress_bulk_sync_compare;
