-- The extension made in a schema where an attacker has put things of the same names: it fails or is unharmed, and its functions are its own
-- wherever it stands; it is trusted, relocatable and needs no superuser; nothing of it may be replaced beforehand.
-- Contract 6 and the paragraphs at the end; cases 215, 217, 218
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
CREATE ROLE regress_bulk_sync_attacker;
CREATE ROLE regress_bulk_sync_owner;
RESET client_min_messages;
SELECT trusted, relocatable, superuser, schema IS NULL AS any_schema, requires IS NULL AS needs_nothing FROM pg_available_extension_versions WHERE name = 'bulk_sync' AND installed;

-- 1. A function of the same arguments stands there already: not replaced, not adopted.
BEGIN;
SET LOCAL client_min_messages = warning;
DROP EXTENSION bulk_sync;
CREATE SCHEMA extension_schema AUTHORIZATION regress_bulk_sync_attacker;
SET LOCAL ROLE regress_bulk_sync_attacker;
CREATE FUNCTION extension_schema.bulk_sync_version() RETURNS text LANGUAGE sql AS $$ SELECT 'evil' $$;
RESET ROLE;
\set VERBOSITY sqlstate
CREATE EXTENSION bulk_sync SCHEMA extension_schema;
ROLLBACK;
\set VERBOSITY default

-- 2. Operators, casts, types and functions of the attacker's do not get into what the script makes; and it works afterwards, in a schema of an odd name.
BEGIN;
SET LOCAL client_min_messages = warning;
DROP EXTENSION bulk_sync;
CREATE SCHEMA "extension ""schema"", $$" AUTHORIZATION regress_bulk_sync_attacker;
SET LOCAL ROLE regress_bulk_sync_attacker;
SET LOCAL search_path = "extension ""schema"", $$", pg_catalog;
CREATE FUNCTION evil(name, name) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'hijacked'; END $$;
CREATE OPERATOR = (LEFTARG = name, RIGHTARG = name, FUNCTION = evil);
CREATE FUNCTION evil(name, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'hijacked'; END $$;
CREATE OPERATOR = (LEFTARG = name, RIGHTARG = text, FUNCTION = evil);
CREATE DOMAIN regclass AS pg_catalog.text;
CREATE DOMAIN text AS pg_catalog.int4;
CREATE DOMAIN jsonb AS pg_catalog.int4;
CREATE DOMAIN bigint AS pg_catalog.int4;
CREATE DOMAIN int8 AS pg_catalog.int4;
CREATE DOMAIN bool AS pg_catalog.int4;
CREATE TABLE pg_extension (extname name, extversion pg_catalog.text);
RESET ROLE;
CREATE EXTENSION bulk_sync SCHEMA "extension ""schema"", $$";
SELECT bulk_sync_version() OPERATOR(pg_catalog.=) (SELECT extversion FROM pg_catalog.pg_extension WHERE extname OPERATOR(pg_catalog.=) 'bulk_sync'::pg_catalog.name) AS version;
-- Arguments and results are of the system's types.
SELECT p.proname, pg_catalog.count(*) AS functions FROM pg_catalog.pg_proc p, pg_catalog.unnest(pg_catalog.array_cat(p.proargtypes::pg_catalog.oid[], p.proallargtypes)) a JOIN pg_catalog.pg_type y ON y.oid OPERATOR(pg_catalog.=) a
 WHERE p.pronamespace OPERATOR(pg_catalog.=) '"extension ""schema"", $$"'::pg_catalog.regnamespace AND p.probin IS NOT NULL AND y.typnamespace OPERATOR(pg_catalog.<>) 'pg_catalog'::pg_catalog.regnamespace
 GROUP BY 1;
CREATE TABLE public.extension_schema (k pg_catalog.int4 PRIMARY KEY, v pg_catalog.text);
CREATE TABLE public.extension_schema_staged AS SELECT 1 AS k, 'x'::pg_catalog.text AS v;
SELECT * FROM bulk_sync('public.extension_schema', 'public.extension_schema_staged', scope => 'true');
ROLLBACK;

-- 3. An operator class, a type or a table named as something of the extension is no obstacle in another schema; moving it is none either.
BEGIN;
SET LOCAL client_min_messages = warning;
CREATE SCHEMA moved;
ALTER EXTENSION bulk_sync SET SCHEMA moved;
CREATE TABLE moved.t (k int PRIMARY KEY, v text);
CREATE TABLE moved.s AS SELECT 1 AS k, 'x'::text AS v;
SET LOCAL search_path = '';
SELECT * FROM moved.bulk_sync('moved.t', 'moved.s', scope => 'true');
SELECT moved.bulk_sync_version() = (SELECT extversion FROM pg_extension WHERE extname = 'bulk_sync') AS version;
ROLLBACK;

-- 4. Trusted: who may create in the database may create it, and owns nothing that runs with more than the caller's rights.
SELECT current_database() AS db \gset
BEGIN;
SET LOCAL client_min_messages = warning;
DROP EXTENSION bulk_sync;
GRANT CREATE ON DATABASE :"db" TO regress_bulk_sync_owner;
SET LOCAL ROLE regress_bulk_sync_owner;
CREATE SCHEMA owned;
CREATE EXTENSION bulk_sync SCHEMA owned;
SELECT extowner::regrole FROM pg_extension WHERE extname = 'bulk_sync';
SELECT count(*) FILTER (WHERE prosecdef) AS security_definer, count(*) FILTER (WHERE proacl IS NOT NULL) AS restricted FROM pg_proc WHERE pronamespace = 'owned'::regnamespace;
ROLLBACK;

-- 5. Nothing but functions belongs to it: no table, no type, no cast, no operator.
SELECT DISTINCT classid::regclass FROM pg_depend WHERE deptype = 'e' AND refclassid = 'pg_extension'::regclass AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'bulk_sync');

DROP ROLE regress_bulk_sync_attacker, regress_bulk_sync_owner;
