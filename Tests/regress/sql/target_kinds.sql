-- Relations that cannot be a target are refused before a row is read, by real and dry runs, whoever calls
-- Contract 1.4, 1.7; cases 143, 157, 158
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA target_kinds;
SET search_path = target_kinds, public;
\set VERBOSITY sqlstate

CREATE TEMPORARY TABLE s (k int, v text);
INSERT INTO s VALUES (1, 'a');
CREATE TABLE t (k int PRIMARY KEY, v text);
CREATE INDEX plain_index ON t (v);
CREATE TABLE parted (k int PRIMARY KEY, v text) PARTITION BY RANGE (k);
CREATE INDEX parted_index ON parted (v);
CREATE SEQUENCE seq;
CREATE TYPE composite AS (k int, v text);
CREATE MATERIALIZED VIEW materialized AS SELECT * FROM t;

-- every kind that holds no rows of its own to change
SELECT * FROM bulk_sync('plain_index', 's', '{k}', scope => 'true');
SELECT * FROM bulk_sync('parted_index', 's', '{k}', scope => 'true');
SELECT * FROM bulk_sync('t_pkey', 's', '{k}', scope => 'true');
SELECT * FROM bulk_sync('seq', 's', '{k}', scope => 'true');
SELECT * FROM bulk_sync('composite', 's', '{k}', scope => 'true');
SELECT * FROM bulk_sync('materialized', 's', '{k}', scope => 'true');
SELECT * FROM bulk_sync('materialized', 's', '{k}', scope => 'true', dry_run => true);
-- a TOAST table is one of the two: no such kind, or part of the system
DO $$
BEGIN
  PERFORM bulk_sync((SELECT reltoastrelid FROM pg_class WHERE oid = 't'::regclass)::regclass, 's', '{k}', scope => 'true');
EXCEPTION WHEN wrong_object_type OR insufficient_privilege THEN
  RAISE NOTICE 'refused';
END $$;

-- a system catalog is refused to the superuser too
SELECT * FROM bulk_sync('pg_description', 's', '{objoid}', scope => 'true');
SELECT * FROM bulk_sync('pg_class', 's', '{oid}', scope => 'true', dry_run => true);
SET allow_system_table_mods = on;
SELECT * FROM bulk_sync('pg_description', 's', '{objoid}', scope => 'true');
RESET allow_system_table_mods;

-- the same relation twice
SELECT * FROM bulk_sync('t', 't', scope => 'true');
SELECT * FROM bulk_sync('s', 's', '{k}', scope => 'true');

-- one that is no relation at all
SELECT * FROM bulk_sync(0::oid::regclass, 's', '{k}', scope => 'true');
SELECT * FROM bulk_sync(4294967295::oid::regclass, 's', '{k}', scope => 'true');
SELECT * FROM bulk_sync('t', 0::oid::regclass, '{k}', scope => 'true');
SELECT * FROM bulk_sync('no_such_table', 's', '{k}', scope => 'true');

-- a partitioned table without partitions is a target, to which nothing can be added
SELECT * FROM bulk_sync('parted', 's', scope => 'true');
TRUNCATE s;
SELECT * FROM bulk_sync('parted', 's', scope => 'true', allow_empty => true);

-- an empty target, and nothing staged: nothing to do
SELECT * FROM bulk_sync('t', 's', scope => 'true', allow_empty => true);

-- the kind is looked at before the columns, the columns before the rights
INSERT INTO s VALUES (1, 'a');
SELECT * FROM bulk_sync('materialized', 's', '{no_such_column}', scope => 'true');
SELECT * FROM bulk_sync('materialized', 's', '{k}', scope => 'no_such_column');
CREATE ROLE regress_bulk_sync_kinds;
GRANT USAGE ON SCHEMA target_kinds TO regress_bulk_sync_kinds;
SET ROLE regress_bulk_sync_kinds;
SELECT * FROM bulk_sync('materialized', 't', '{k}', scope => 'true');
SELECT * FROM bulk_sync('t', 'materialized', '{no_such_column}', scope => 'true');
SELECT * FROM bulk_sync('t', 'materialized', '{k}', scope => 'true');
RESET ROLE;

SET client_min_messages = warning;
DROP SCHEMA target_kinds CASCADE;
DROP TABLE s;
DROP ROLE regress_bulk_sync_kinds;
