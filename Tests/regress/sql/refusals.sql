-- Relations that cannot be a target or a staged table, and sessions that cannot write: refused before any row is read,
-- with the target as it was, down to the row versions.
-- Contract 1.1.6, 1.4 (target untouched), 1.5 (dry run in a read-only transaction), 1.7; cases 143, 157, 158, 163, 220
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA refusals;
SET search_path = refusals, public;

CREATE TABLE t (k int PRIMARY KEY, v text);
CREATE TABLE s (k int, v text);
INSERT INTO t VALUES (1, 'a'), (2, 'b');
INSERT INTO s VALUES (2, 'changed'), (3, 'c');
CREATE TABLE before AS SELECT ctid AS old_ctid, xmin AS old_xmin, k FROM t;

-- Makes the call and undoes it: the SQLSTATE of its refusal, or "accepted".
CREATE FUNCTION outcome(target regclass, staged regclass, is_dry boolean DEFAULT false, scope text DEFAULT 'true') RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM bulk_sync(target, staged, '{k}', scope, dry_run => is_dry);
	RAISE SQLSTATE 'UNDO0';
EXCEPTION
	WHEN SQLSTATE 'UNDO0' THEN RETURN 'accepted';
	WHEN OTHERS THEN RETURN SQLSTATE;
END $$;

-- One relation of each kind.
CREATE INDEX t_v ON t (v);
CREATE SEQUENCE seq;
CREATE TYPE pair AS (k int, v text);
CREATE MATERIALIZED VIEW mv AS TABLE t;
CREATE VIEW joined AS SELECT k, t.v FROM t JOIN s USING (k);
CREATE VIEW counted AS SELECT count(*)::int AS k, max(v) AS v FROM t;
CREATE VIEW updatable AS TABLE t;
CREATE TABLE parted (k int PRIMARY KEY, v text) PARTITION BY RANGE (k);
CREATE TABLE part PARTITION OF parted DEFAULT;
CREATE INDEX parted_v ON parted (v);
SELECT reltoastrelid::regclass AS toast FROM pg_class WHERE oid = 't'::regclass \gset
SELECT indexrelid::regclass AS toast_index FROM pg_index WHERE indrelid = :'toast'::regclass \gset

-- As target: 42809 for what is no table at all, 55000 for a view that cannot be written, also in a dry run.
SELECT kind, outcome(relation, 's') AS outcome, outcome(relation, 's', is_dry => true) AS dry_run
  FROM (VALUES (1, 'index', 't_v'::regclass), (2, 'sequence', 'seq'), (3, 'composite type', 'pair'), (4, 'materialized view', 'mv'),
			   (5, 'partitioned index', 'parted_v'), (6, 'index of a partition', 'part_v_idx'), (7, 'TOAST table', :'toast'),
			   (8, 'index of a TOAST table', :'toast_index'), (9, 'view of a join', 'joined'), (10, 'view of an aggregate', 'counted'),
			   (11, 'partitioned table', 'parted'), (12, 'partition', 'part')) AS r (position, kind, relation)
 ORDER BY position;

-- As staged: whatever can be selected from. From a sequence one can, but it has no such columns.
CREATE TABLE t2 (LIKE t INCLUDING ALL);
INSERT INTO parted VALUES (1, 'p');
SELECT kind, outcome('t2', relation) AS outcome
  FROM (VALUES (1, 'index', 't_v'::regclass), (2, 'sequence', 'seq'), (3, 'composite type', 'pair'), (4, 'materialized view', 'mv'),
			   (5, 'partitioned index', 'parted_v'), (6, 'index of a TOAST table', :'toast_index'), (7, 'view of a join', 'joined'),
			   (8, 'view of an aggregate', 'counted'), (9, 'partitioned table', 'parted'), (10, 'TOAST table', :'toast')) AS r (position, kind, relation)
 ORDER BY position;

-- The same relation on both sides would be a table read while it is written. A view of the target is another relation.
SELECT outcome('t', 't') AS same, outcome('t', 't', is_dry => true) AS dry_run, outcome('parted', 'parted') AS partitioned,
	   outcome('t', 'updatable', is_dry => true) AS view_of_it;

-- A system catalog is never a target, not even for a superuser; to read one as staged rows is fine.
SELECT relation, outcome(relation, 's') AS outcome, outcome(relation, 's', is_dry => true) AS dry_run
  FROM unnest('{pg_description,pg_class,pg_database,pg_largeobject,pg_statistic}'::regclass[]) WITH ORDINALITY AS r (relation, position)
 ORDER BY position;
SET allow_system_table_mods = on;
SELECT outcome('pg_description', 's') AS still_refused;
RESET allow_system_table_mods;
-- Nor is one through a view, or a view of a view; reading through it is fine.
CREATE VIEW attributes AS SELECT attrelid, attnum, attname FROM pg_attribute WHERE attrelid = 'refusals.attributes_staged'::text::regclass;
CREATE VIEW more_attributes AS TABLE attributes;
CREATE TABLE attributes_staged (attrelid oid, attnum smallint, attname name);
SELECT * FROM bulk_sync('attributes', 'attributes_staged', '{attrelid,attnum}', scope => 'true', allow_empty => true);
SELECT * FROM bulk_sync('more_attributes', 'attributes_staged', '{attrelid,attnum}', scope => 'attnum > 0', allow_empty => true, dry_run => true);
SELECT action, old->>'attname' AS attname FROM bulk_compare('more_attributes', 'attributes_staged', '{attrelid,attnum}', scope => 'attnum > 0') ORDER BY old->'attnum';
DROP VIEW more_attributes, attributes;
DROP TABLE attributes_staged;
CREATE TABLE of_catalog (oid oid PRIMARY KEY, relname name);
SELECT inserted > 100 AS many FROM bulk_sync('of_catalog', 'pg_class', columns => '{oid,relname}', actions => '{insert}');

-- An OID that names no relation, or none any more: 42P01, never a failed cache lookup.
SELECT name,
	   outcome(oid, 's') AS target, outcome('t', oid) AS staged
  FROM (VALUES (1, 'zero', 0::oid), (2, 'highest', 4294967295), (3, 'a type', 'int4'::regtype::oid), (4, 'a function', 'now'::regproc::oid),
			   (5, 'a database', (SELECT oid FROM pg_database WHERE datname = current_database()))) AS r (position, name, oid)
 ORDER BY position;
CREATE TABLE short_lived (k int PRIMARY KEY, v text);
SELECT 'short_lived'::regclass::oid AS short_lived \gset
DROP TABLE short_lived;
SELECT outcome(:short_lived, 's') AS target, outcome('t', :short_lived) AS staged;
SELECT bulk_stage(0);
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY sqlstate
SELECT bulk_stage(:short_lived);
-- A staged table of a savepoint that was rolled back, by name and by the OID that the client kept.
BEGIN;
SAVEPOINT before_staging;
CREATE TEMPORARY TABLE undone (k int, v text);
SELECT 'undone'::regclass::oid AS undone \gset
ROLLBACK TO before_staging;
SELECT bulk_sync('t', 'undone', scope => 'true');
ROLLBACK TO before_staging;
SELECT bulk_sync('t', :undone, scope => 'true');
ROLLBACK;
\set VERBOSITY default

-- In a read-only transaction nothing is written and nothing created; a dry run is welcome, and a staged table filled there.
SELECT bulk_stage('t');
BEGIN READ ONLY;
INSERT INTO t_staged VALUES (1, 'a'), (3, 'c');
SELECT * FROM bulk_sync('t', 't_staged', scope => 'true', dry_run => true);
SELECT outcome('t', 's') AS sync, outcome('t', 's', is_dry => true) AS dry_run;
SELECT * FROM bulk_sync('t', 's', scope => 'true', dry_run => true);
SELECT bulk_sync('t', 's', scope => 'true');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;
BEGIN READ ONLY;
\set VERBOSITY sqlstate
SELECT bulk_stage('t');
\set VERBOSITY default
ROLLBACK;
SET default_transaction_read_only = on;
SELECT outcome('t', 's') AS sync, outcome('t', 's', is_dry => true) AS dry_run;
RESET default_transaction_read_only;

-- Nothing of all this has touched the target: no version, no lock, no mark of an attempt that was undone.
CREATE TABLE after AS SELECT ctid AS new_ctid, xmin AS new_xmin, xmax AS new_xmax, k FROM t;
SELECT k, new_ctid = old_ctid AND new_xmin = old_xmin AND new_xmax = '0' AS untouched FROM before FULL JOIN after USING (k) ORDER BY k;

SET client_min_messages = warning;
DROP SCHEMA refusals CASCADE;
DROP TABLE t_staged;
