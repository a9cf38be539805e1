-- What the extension shows of itself: comments, properties and arguments of its functions, its version; that any user with
-- CREATE on the database can install it, and that it can be moved to another schema and works there.
-- Contract 1, 4 (signatures), 6 (caller's rights, trusted, relocatable); cases 22, 326
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
DROP ROLE IF EXISTS regress_bulk_sync_installer;
CREATE ROLE regress_bulk_sync_installer;
RESET client_min_messages;
CREATE SCHEMA documentation;
SET search_path = documentation, public;

CREATE VIEW functions AS
	SELECT p.* FROM pg_proc AS p
	  JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
	  JOIN pg_extension AS e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND e.extname = 'bulk_sync';

-- As \dx+ shows it: functions, and nothing else (no table, no type, no operator that could be in the way of the user's).
SELECT DISTINCT classid::regclass AS kind FROM pg_depend AS d JOIN pg_extension AS e ON d.refobjid = e.oid AND d.deptype = 'e'
 WHERE d.refclassid = 'pg_extension'::regclass AND e.extname = 'bulk_sync' ORDER BY 1;

-- As \df+ shows them. All functions run with the caller's rights. Those that write are volatile and parallel unsafe, are
-- called with NULL arguments too, and have no settings of their own: the caller's search_path stays in force.
SELECT proname, CASE provolatile WHEN 'v' THEN 'volatile' WHEN 's' THEN 'stable' ELSE 'immutable' END AS volatility,
	   CASE proparallel WHEN 'u' THEN 'unsafe' WHEN 's' THEN 'safe' ELSE 'restricted' END AS parallel,
	   prosecdef AS definer, proisstrict AS strict, proleakproof AS leakproof, proretset AS rows, proconfig
  FROM functions WHERE proname IN ('bulk_sync', 'bulk_stage', 'bulk_sync_version') ORDER BY proname;
SELECT proname FROM functions WHERE prosecdef OR proisstrict OR proleakproof OR proconfig IS NOT NULL ORDER BY proname;
SELECT proname FROM functions WHERE proname <> 'bulk_sync_version' AND (provolatile, proparallel) <> ('v', 'u') ORDER BY proname;
-- PUBLIC may execute them, as it may any function: they give nobody a right that he has not got.
SELECT proname, proacl FROM functions WHERE proacl IS NOT NULL ORDER BY proname;

-- Every function has a comment: one line, lower case, no period, as those of PostgreSQL's own functions.
SELECT proname, obj_description(oid, 'pg_proc') AS comment FROM functions
 WHERE proname IN ('bulk_sync', 'bulk_stage', 'bulk_sync_version') ORDER BY proname;
SELECT proname FROM functions WHERE obj_description(oid, 'pg_proc') IS NULL OR obj_description(oid, 'pg_proc') ~ '[.]$|^[A-Z]|\n' ORDER BY proname;
SELECT obj_description(oid, 'pg_extension') <> '' AS has_comment FROM pg_extension WHERE extname = 'bulk_sync';

-- The arguments with their defaults, as the documentation gives them. A default of a role list is the empty list.
SELECT proname, trim(argument) AS argument
  FROM functions, regexp_split_to_table(pg_get_function_arguments(oid), ', (?=[A-Z]*[a-z_ ]+(?: DEFAULT|$|[a-z\[\]]))') WITH ORDINALITY AS a (argument, position)
 WHERE proname IN ('bulk_sync', 'bulk_stage', 'bulk_sync_version')
 ORDER BY proname, position;
SELECT proname, pg_get_function_result(oid) AS result FROM functions WHERE proname IN ('bulk_sync', 'bulk_stage', 'bulk_sync_version') ORDER BY proname;
SELECT proname, pronargs, pronargdefaults FROM functions WHERE proname IN ('bulk_sync', 'bulk_stage', 'bulk_sync_version') ORDER BY proname;

-- One function of each name: no overload makes a call with untyped literals ambiguous.
SELECT proname, count(*) FROM functions GROUP BY proname HAVING count(*) > 1;

-- The version is that of the extension.
SELECT bulk_sync_version() = extversion AS same, pg_typeof(bulk_sync_version()) FROM pg_extension WHERE extname = 'bulk_sync';
SELECT name, default_version = bulk_sync_version() AS is_default FROM pg_available_extensions WHERE name = 'bulk_sync';
SELECT superuser, trusted, relocatable, schema, requires FROM pg_available_extension_versions
 WHERE name = 'bulk_sync' AND version = bulk_sync_version();

-- Moved to another schema, its functions do what they did.
CREATE TABLE t (k int PRIMARY KEY, v text);
CREATE SCHEMA documentation_new_home;
SELECT extnamespace::regnamespace AS home FROM pg_extension WHERE extname = 'bulk_sync' \gset
ALTER EXTENSION bulk_sync SET SCHEMA documentation_new_home;
SELECT bulk_sync_version();
\echo :LAST_ERROR_SQLSTATE
SELECT documentation_new_home.bulk_sync_version() = (SELECT extversion FROM pg_extension WHERE extname = 'bulk_sync') AS same;
SELECT documentation_new_home.bulk_stage('t');
INSERT INTO t_staged VALUES (1, 'a');
SELECT * FROM documentation_new_home.bulk_sync('t', 't_staged', scope => 'true');
SELECT * FROM documentation_new_home.bulk_sync('t', 't_staged', scope_values => '{"v": "a"}', scope_columns => '{k}', update_where => 'staged.k > 0');
SET search_path = '';
SELECT documentation_new_home.bulk_sync_version() <> '' AS with_an_empty_path;
SELECT * FROM documentation_new_home.bulk_sync('documentation.t', 'pg_temp.t_staged', scope => 'true');
SET search_path = documentation, public;
ALTER EXTENSION bulk_sync SET SCHEMA :home;
SELECT unchanged FROM bulk_sync('t', 't_staged', scope => 'true');

-- What uses it keeps it from being dropped.
CREATE VIEW uses_it AS SELECT bulk_sync_version() AS version;
\set VERBOSITY sqlstate
DROP EXTENSION bulk_sync;
\set VERBOSITY default

-- Trusted: who may create in the database may create it, and drop it, and owns it; the functions belong to the superuser
-- that runs the script of a trusted extension.
DROP VIEW uses_it;
BEGIN;
DROP EXTENSION bulk_sync;
GRANT USAGE, CREATE ON SCHEMA documentation TO regress_bulk_sync_installer;
SELECT current_database() AS database \gset
GRANT CREATE ON DATABASE :"database" TO regress_bulk_sync_installer;
SET LOCAL ROLE regress_bulk_sync_installer;
CREATE EXTENSION bulk_sync SCHEMA documentation;
SELECT extowner::regrole AS owner FROM pg_extension WHERE extname = 'bulk_sync';
SELECT documentation.bulk_sync_version() <> '' AS works;
DROP EXTENSION bulk_sync;
ROLLBACK;
SELECT unchanged FROM bulk_sync('t', 't_staged', scope => 'true');

SET client_min_messages = warning;
DROP SCHEMA documentation, documentation_new_home CASCADE;
DROP TABLE t_staged;
DROP ROLE regress_bulk_sync_installer;
