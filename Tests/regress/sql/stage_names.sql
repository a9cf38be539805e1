-- What bulk_stage calls its table, and what it does where that name is taken. The name is taken as it is; a permanent
-- table is never touched, whatever the search path says; the result names the temporary table.
-- Contract 4 (names), 6 (hostile search_path)
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA stage_names;
SET search_path = stage_names, public;
\set long '''abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk'''

CREATE TABLE t (k int PRIMARY KEY, v text);

-- Stages, says what the table is called and whether it is where it ought to be, and drops it; or the SQLSTATE.
CREATE FUNCTION staged_as(target regclass, name text DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	made regclass; called text;
BEGIN
	made := bulk_stage(target, staged_name => name);
	SELECT relname || CASE WHEN relnamespace = pg_my_temp_schema() AND relpersistence = 't' THEN '' ELSE ' (NOT temporary)' END
	  INTO called FROM pg_class WHERE oid = made;
	EXECUTE format('DROP TABLE pg_temp.%I', (SELECT relname FROM pg_class WHERE oid = made));
	RETURN called;
EXCEPTION
	WHEN OTHERS THEN RETURN SQLSTATE;
END $$;

-- The default name is that of the target with _staged: no folding, quotes where they must be.
CREATE TABLE "T" (k int);
CREATE TABLE "with ""quotes""" (k int);
CREATE TABLE "dotted.name" (k int);
CREATE TABLE "select" (k int);
CREATE TABLE "naïve" (k int);
SELECT staged_as('t') AS plain, staged_as('"T"') AS upper_case, staged_as('"with ""quotes"""') AS quotes,
	   staged_as('"select"') AS reserved, staged_as('"naïve"') AS accent;
SELECT bulk_stage('"T"'), bulk_stage('"with ""quotes"""'), bulk_stage('"select"'), bulk_stage('"naïve"');
-- The dot of a default name is not the caller's doing: it is a name like any other.
SELECT staged_as('"dotted.name"') AS dotted;

-- A given name is taken as it is.
SELECT name, staged_as('t', name) FROM unnest(ARRAY['s', 'S', '"s"', 'with space', 'sel"ect', 'ünï', 'pg_temp', 'select', '%I', '$1', E'two\nlines', ' ',
	'; DROP TABLE t', E'back\\slash', '''quoted''']) WITH ORDINALITY AS n (name, i) ORDER BY i;
SELECT bulk_stage('t', staged_name => 'My "own"');
-- A dot would look like a schema, and what is over 63 bytes would be cut silently: both are 42602. Empty is 22023.
SELECT name, staged_as('t', name) FROM unnest(ARRAY['a.b', 'pg_temp.s', 'stage_names.s', '.', '']) WITH ORDINALITY AS n (name, i) ORDER BY i;
SELECT length(name) AS characters, octet_length(name) AS bytes, staged_as('t', name)
  FROM unnest(ARRAY[:long, :long || 'x', repeat('ü', 31), repeat('ü', 32), repeat('𝄞', 15), repeat('𝄞', 16), repeat('x', 10000)]) WITH ORDINALITY AS n (name, i)
 ORDER BY i;

-- Where 63 bytes are too few for the default name, the part of the table is cut, at a character: never _staged.
SELECT format('CREATE TABLE %I (k int)', name) FROM unnest(ARRAY[repeat('x', 56), repeat('x', 57), repeat('x', 63), repeat('ü', 28), repeat('ü', 31),
	'x' || repeat('ü', 31), repeat('日', 19), repeat('日', 21), 'x' || repeat('𝄞', 15)]) AS names (name) \gexec
SELECT staged_as(oid::regclass) AS name, octet_length(staged_as(oid::regclass)) AS bytes
  FROM pg_class WHERE relnamespace = 'stage_names'::regnamespace AND relkind = 'r' AND octet_length(relname) > 50
 ORDER BY relname COLLATE "C";

-- A temporary table left from before is replaced, whatever its columns are and whatever hangs on it.
CREATE TEMPORARY TABLE s (something int PRIMARY KEY, else_ text);
INSERT INTO s VALUES (1, 'x');
SELECT bulk_stage('t', staged_name => 's');
TABLE s;
SELECT count(*) AS indexes FROM pg_index WHERE indrelid = 's'::regclass;
DROP TABLE s;

-- A permanent one is never touched: not where it comes first in the search path, and not where it is the only one.
CREATE TABLE t_staged (precious int);
INSERT INTO t_staged VALUES (42);
SELECT bulk_stage('t') IS NOT NULL AS made;
SELECT bulk_stage('t') IS NOT NULL AS made_again;
TABLE stage_names.t_staged;
TABLE t_staged;
DROP TABLE pg_temp.t_staged;
-- The result names the temporary table wherever the search path puts it: first as is usual, last, or in the middle.
SET search_path = stage_names, pg_temp, public;
SELECT bulk_stage('t') AS staged \gset
SELECT :'staged'::regclass = (SELECT oid FROM pg_class WHERE relname = 't_staged' AND relnamespace = pg_my_temp_schema()) AS temporary,
	   :'staged' LIKE 'pg_temp%.t_staged' AS qualified;
INSERT INTO :staged VALUES (1, 'a');
SELECT * FROM bulk_sync('t', :'staged', scope => 'true');
TABLE t_staged;
SELECT bulk_stage('t') IS NOT NULL AS replaced;
TABLE stage_names.t_staged;
SELECT count(*) FROM :staged;
SET search_path = stage_names, public;

-- A temporary object of another kind is in the way: 42809, and it stays.
CREATE TEMPORARY VIEW a_view AS SELECT 1 AS one;
CREATE TEMPORARY SEQUENCE a_sequence;
CREATE TYPE pg_temp.a_type AS (a int);
CREATE TEMPORARY TABLE indexed (a int);
CREATE INDEX an_index ON indexed (a);
CREATE TEMPORARY TABLE parted (a int) PARTITION BY LIST (a);
CREATE TYPE pg_temp.an_enum AS ENUM ('a');
SELECT name, staged_as('t', name) FROM unnest('{a_view,a_sequence,a_type,an_index,parted,an_enum}'::text[]) WITH ORDINALITY AS n (name, i) ORDER BY i;
SELECT one, (SELECT last_value FROM a_sequence) FROM a_view;
-- A permanent object of another kind is not in the way at all.
CREATE VIEW permanent_view AS SELECT 1 AS one;
CREATE SEQUENCE permanent_sequence;
SELECT staged_as('t', 'permanent_view'), staged_as('t', 'permanent_sequence');

-- The target's own name is 42P07: the table would hide the target that the next call means. So it is for a temporary target,
-- which must not be replaced either.
SELECT staged_as('t', 't') AS own_name;
CREATE TEMPORARY TABLE temporary_target (k int PRIMARY KEY, v text);
INSERT INTO temporary_target VALUES (1, 'x');
SELECT staged_as('temporary_target', 'temporary_target') AS own_name;
SELECT bulk_stage('temporary_target');
TABLE temporary_target;
-- The default name can be the target's own where it is cut; and it is the name that counts, not the schema.
SELECT repeat('y', 56) || '_staged' AS own_name_when_cut \gset
CREATE TABLE :"own_name_when_cut" (k int);
SELECT staged_as(:'own_name_when_cut') AS own_name;
SET client_min_messages = warning;
CREATE SCHEMA stage_names_other;
CREATE TABLE stage_names_other.elsewhere (k int);
SELECT staged_as('stage_names_other.elsewhere', 'elsewhere') AS own_name;
DROP SCHEMA stage_names_other CASCADE;
RESET client_min_messages;
-- A temporary table that a cursor reads is not taken away from it.
CREATE TEMPORARY TABLE in_use AS SELECT 1 AS a;
BEGIN;
DECLARE c CURSOR FOR TABLE in_use;
FETCH c;
SELECT staged_as('t', 'in_use') AS in_use;
COMMIT;
-- Nor one that other objects depend on from under them.
CREATE TEMPORARY VIEW on_it AS TABLE in_use;
SELECT staged_as('t', 'in_use') AS depended_on;
DROP VIEW on_it;
SELECT staged_as('t', 'in_use') AS free;

-- A name that hides a permanent table which is not the target is the caller's choice, and does no harm to it.
SELECT staged_as('t', 'T') AS another_name;

-- What a hostile schema puts before pg_catalog: operators, functions, types and tables of the same names.
CREATE SCHEMA stage_names_hostile;
SET search_path = stage_names_hostile, pg_catalog, stage_names;
CREATE TYPE stage_names_hostile.text AS ENUM ('not', 'text');
CREATE DOMAIN stage_names_hostile.int4 AS pg_catalog.int8;
CREATE TABLE stage_names_hostile.pg_class (oid pg_catalog.oid, relname pg_catalog.name);
CREATE TABLE stage_names_hostile.pg_attribute (attrelid pg_catalog.oid);
CREATE FUNCTION stage_names_hostile.format_type(pg_catalog.oid, pg_catalog.int4) RETURNS pg_catalog.text LANGUAGE sql AS 'SELECT ''boolean; DROP TABLE stage_names.t''::pg_catalog.text';
CREATE FUNCTION stage_names_hostile.quote_ident(pg_catalog.text) RETURNS pg_catalog.text LANGUAGE sql AS 'SELECT ''hacked''::pg_catalog.text';
CREATE FUNCTION stage_names_hostile.always_false(pg_catalog.name, pg_catalog.name) RETURNS boolean LANGUAGE sql AS 'SELECT false';
CREATE OPERATOR stage_names_hostile.= (LEFTARG = pg_catalog.name, RIGHTARG = pg_catalog.name, FUNCTION = stage_names_hostile.always_false);
SELECT public.bulk_stage('stage_names.t');
SELECT public.bulk_sync_version() OPERATOR(pg_catalog.<>) '' AS has_version;
SET search_path = pg_catalog;
SELECT attname, atttypid::regtype FROM pg_attribute WHERE attrelid = 'pg_temp.t_staged'::regclass AND attnum > 0 ORDER BY attnum;
SELECT count(*) FROM stage_names.t;
-- An empty search path is as good as any.
SET search_path = '';
SELECT public.bulk_stage('stage_names.t', staged_name => 'with_empty_path');

SET client_min_messages = warning;
DISCARD TEMP;
DROP SCHEMA stage_names_hostile CASCADE;
DROP SCHEMA stage_names CASCADE;
