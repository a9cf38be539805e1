-- Naming a relation by its OID is no way around the rights on its schema: without USAGE there neither target nor staged rows are to be had, be they read by
-- a statement or by a scan.
-- Contract 1.7, 1.3.8; cases 191, 196
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
CREATE ROLE regress_bulk_sync_user;
RESET client_min_messages;
CREATE SCHEMA privileges_on_schemas;
CREATE SCHEMA privileges_closed;
SET search_path = privileges_on_schemas, public;
GRANT USAGE ON SCHEMA privileges_on_schemas TO regress_bulk_sync_user;

CREATE TABLE t (k int PRIMARY KEY, v text);
CREATE TABLE s AS SELECT 1 AS k, 'x'::text AS v;
CREATE TABLE privileges_closed.t (k int PRIMARY KEY, v text);
CREATE TABLE privileges_closed.s AS SELECT 2 AS k, 'secret'::text AS v;
CREATE VIEW privileges_closed.w AS TABLE privileges_closed.s;
CREATE VIEW around AS TABLE privileges_closed.s;
GRANT ALL ON ALL TABLES IN SCHEMA privileges_on_schemas, privileges_closed TO regress_bulk_sync_user;
SELECT 'privileges_closed.t'::regclass::oid AS t, 'privileges_closed.s'::regclass::oid AS s, 'privileges_closed.w'::regclass::oid AS w \gset

SET ROLE regress_bulk_sync_user;
\set VERBOSITY terse
SELECT * FROM bulk_sync('t', :s, scope => 'true');
SELECT * FROM bulk_sync('t', :s, scope => 'true', dry_run => true);
SELECT * FROM bulk_compare('t', :s, scope => 'true');
SELECT * FROM bulk_sync_returning('t', :s, scope => 'true');
SELECT * FROM bulk_insert_changed('t', :s, '{k}', 'v');
SELECT * FROM bulk_sync('t', :w, scope => 'true');
SELECT * FROM bulk_sync(:t, 's', scope => 'true');
SELECT * FROM bulk_compare(:t, 's', scope => 'true');
SELECT * FROM bulk_sync(:t, 's', '{}', actions => '{insert}', dry_run => true);
SELECT * FROM bulk_insert_changed(:t, 's', '{k}', 'v');
-- What a view reads is its owner's business.
SELECT * FROM bulk_sync('t', 'around', scope => 'true');
RESET ROLE;
GRANT USAGE ON SCHEMA privileges_closed TO regress_bulk_sync_user;
SET ROLE regress_bulk_sync_user;
SELECT * FROM bulk_sync(:t, :s, scope => 'true');
-- A temporary table is in a schema, too.
CREATE TEMPORARY TABLE temporary AS SELECT 3 AS k, 'y'::text AS v;
SELECT * FROM bulk_sync('t', 'temporary', scope => 'true');
DROP TABLE temporary;
RESET ROLE;

SET client_min_messages = warning;
DROP SCHEMA privileges_on_schemas, privileges_closed CASCADE;
DROP ROLE regress_bulk_sync_user;
