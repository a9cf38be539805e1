-- Foreign tables of postgres_fdw as target and as staged, in a second database
-- Contract 1.1.1, 1.1.6, 1.3.6, 1.3.8, 1.3.9, 1.5; cases 29, 154, 160
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA contrib_foreign_tables;
SET search_path = contrib_foreign_tables, public;
\set VERBOSITY sqlstate

-- The life of a synced table, a line for each step: see the file
\getenv abs_srcdir PG_ABS_SRCDIR
\set life :abs_srcdir '/include/life.sql'
\set ECHO none
\i :life
\set ECHO all

-- a second database of the same server
SELECT current_database() AS here, left(current_database(), 50) || '_remote' AS remote, current_user AS me \gset
\getenv host PGHOST
\getenv port PGPORT
\if :{?host}
\else
  \set host /tmp
\endif
\if :{?port}
\else
  \set port 5432
\endif

SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS postgres_fdw;
DROP DATABASE IF EXISTS :"remote";
RESET client_min_messages;
CREATE DATABASE :"remote";
\c :"remote"
CREATE TABLE far (val text CHECK (val <> 'bad'), d int, id int, grp int, w int DEFAULT 7);
ALTER TABLE far DROP d;
CREATE TABLE far_staged (k int, g int, v text);
CREATE TABLE marked (k int PRIMARY KEY, v text, gone timestamptz);
CREATE TABLE with_unique (k int, x int UNIQUE);
CREATE TABLE log (n int GENERATED ALWAYS AS IDENTITY, entry text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO public.log (entry) VALUES (concat_ws(' ', tg_op, CASE WHEN tg_op <> 'INSERT' THEN old END, CASE WHEN tg_op <> 'DELETE' THEN new END));
  IF tg_op = 'INSERT' AND new.id = 13 OR tg_op = 'UPDATE' AND new.id = 2 OR tg_op = 'DELETE' AND old.id = 3 THEN RETURN NULL; END IF;
  RETURN CASE tg_op WHEN 'DELETE' THEN old ELSE new END;
END $$;
\c :"here"
SET search_path = contrib_foreign_tables, public;
\set VERBOSITY sqlstate
CREATE TEMPORARY TABLE life_staged (k int, g int, v text);
CREATE SERVER regress_bulk_sync_remote FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host :'host', port :'port', dbname :'remote');
CREATE USER MAPPING FOR CURRENT_USER SERVER regress_bulk_sync_remote OPTIONS (user :'me');
CREATE FOREIGN TABLE target (v text OPTIONS (column_name 'val'), k int OPTIONS (column_name 'id'), g int OPTIONS (column_name 'grp'))
  SERVER regress_bulk_sync_remote OPTIONS (schema_name 'public', table_name 'far');
CREATE FOREIGN TABLE remote_log (n int, entry text) SERVER regress_bulk_sync_remote OPTIONS (schema_name 'public', table_name 'log');

-- a foreign target, its columns renamed and reordered
SELECT * FROM life('target', 'life_staged', 'ctid, ');
-- a scope that the other server could not evaluate, and one that it can
CREATE FUNCTION half(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 / 2';
TRUNCATE life_staged;
INSERT INTO life_staged VALUES (2, 1, 'two'), (3, 1, 'three');
SELECT * FROM bulk_sync('target', 'life_staged', '{k}', scope => 'contrib_foreign_tables.half(k) = 1');
TRUNCATE life_staged;
INSERT INTO life_staged VALUES (5, NULL, 'five');
SELECT * FROM bulk_sync('target', 'life_staged', '{k}', scope_values => '{"g": null}');
SELECT * FROM target ORDER BY k;

-- NULL keys and equal rows
DELETE FROM target;
INSERT INTO target (k, g, v) VALUES (NULL, 1, 'null'), (1, NULL, 'one'), (2, 2, 'stale'), (2, 2, 'stale');
TRUNCATE life_staged;
INSERT INTO life_staged VALUES (NULL, 1, 'NULL'), (1, NULL, 'ONE'), (NULL, NULL, 'both');
SELECT * FROM bulk_sync('target', 'life_staged', '{k,g}', scope => 'true');
SELECT * FROM target ORDER BY k, g;
SELECT * FROM bulk_sync('target', 'life_staged', '{k,g}', scope => 'true');
SELECT * FROM bulk_sync('target', 'life_staged', '{k}', scope => 'true');
INSERT INTO target (k, g, v) VALUES (NULL, NULL, 'both again');
SELECT * FROM bulk_sync('target', 'life_staged', '{k,g}', scope => 'true');

-- triggers of the remote table fire there; rows they suppress are skipped
DELETE FROM target;
INSERT INTO target (k, g, v) VALUES (1, 1, 'a'), (2, 1, 'b'), (3, 1, 'c'), (4, 1, 'd');
\c :"remote"
CREATE TRIGGER note BEFORE INSERT OR UPDATE OR DELETE ON far FOR EACH ROW EXECUTE FUNCTION note();
\c :"here"
SET search_path = contrib_foreign_tables, public;
\set VERBOSITY sqlstate
CREATE TEMPORARY TABLE life_staged (k int, g int, v text);
INSERT INTO life_staged VALUES (1, 1, 'A'), (2, 1, 'B'), (13, 1, 'new'), (14, 1, 'new');
SELECT * FROM bulk_sync('target', 'life_staged', '{k}', scope => 'true');
SELECT * FROM target ORDER BY k;
SELECT entry FROM remote_log ORDER BY n;
-- a local trigger of the foreign table that suppresses, and statement triggers
CREATE TABLE local_log (n int GENERATED ALWAYS AS IDENTITY, entry text);
CREATE FUNCTION local_note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO local_log (entry) VALUES (concat_ws(' ', tg_when, tg_op, tg_level));
  IF tg_when = 'BEFORE' AND tg_level = 'ROW' AND tg_op <> 'INSERT' THEN RETURN NULL; END IF;
  RETURN new;
END $$;
CREATE TRIGGER r BEFORE INSERT OR UPDATE OR DELETE ON target FOR EACH ROW EXECUTE FUNCTION local_note();
CREATE TRIGGER ar AFTER INSERT OR UPDATE OR DELETE ON target FOR EACH ROW EXECUTE FUNCTION local_note();
CREATE TRIGGER s AFTER INSERT OR UPDATE OR DELETE ON target FOR EACH STATEMENT EXECUTE FUNCTION local_note();
TRUNCATE life_staged;
INSERT INTO life_staged VALUES (1, 1, 'again'), (15, 1, 'new');
SELECT * FROM bulk_sync('target', 'life_staged', '{k}', scope => 'true');
SELECT entry FROM local_log ORDER BY n;
SELECT * FROM target ORDER BY k;

-- soft delete
CREATE FOREIGN TABLE marked (k int, v text, gone timestamptz) SERVER regress_bulk_sync_remote OPTIONS (schema_name 'public');
INSERT INTO marked VALUES (1, 'a', NULL), (2, 'b', NULL), (3, 'c', '2020-01-01');
CREATE TEMPORARY TABLE s (k int, v text);
INSERT INTO s VALUES (2, 'b'), (3, 'c'), (4, 'd');
SELECT * FROM bulk_sync('marked', 's', '{k}', scope => 'true', soft_delete_column => 'gone');
SELECT k, v, gone IS NOT NULL AS gone FROM marked ORDER BY k;
SELECT * FROM bulk_sync('marked', 's', '{k}', scope => 'true', soft_delete_column => 'gone');
-- a new row that breaks a unique constraint of the other server, which alone knows it: a plain
-- unique violation, after which the session goes on; or a skipped row
ALTER FOREIGN TABLE marked DROP gone;
CREATE FOREIGN TABLE with_unique (k int, x int) SERVER regress_bulk_sync_remote OPTIONS (schema_name 'public');
INSERT INTO with_unique VALUES (1, 10), (2, 20);
CREATE TEMPORARY TABLE u (k int, x int);
INSERT INTO u VALUES (1, 10), (2, 21), (3, 10), (4, 40);
SELECT * FROM bulk_sync('with_unique', 'u', '{k}', scope => 'true');
SELECT * FROM with_unique ORDER BY k;
SELECT * FROM bulk_sync('with_unique', 'u', '{k}', scope => 'true', ignore_conflicts => true);
SELECT * FROM with_unique ORDER BY k;

-- an error of the other server undoes what is done there
\c :"remote"
ALTER TABLE marked ADD CHECK (k <> 6);
\c :"here"
SET search_path = contrib_foreign_tables, public;
\set VERBOSITY sqlstate
CREATE TEMPORARY TABLE s (k int, v text);
INSERT INTO s VALUES (2, 'B'), (5, 'five'), (6, 'six');
SELECT * FROM bulk_sync('marked', 's', '{k}', scope => 'true');
SELECT * FROM marked ORDER BY k;
-- an aborted transaction undoes it there too
BEGIN;
DELETE FROM s WHERE k = 6;
SELECT * FROM bulk_sync('marked', 's', '{k}', scope => 'true');
ROLLBACK;
SELECT * FROM marked ORDER BY k;

-- a foreign table as staged: read once, by name; without an order of staging
CREATE FOREIGN TABLE far_staged (v text, k int) SERVER regress_bulk_sync_remote OPTIONS (schema_name 'public');
INSERT INTO far_staged VALUES ('b', 2), ('C', 3), ('d', 4);
CREATE TABLE local (k int PRIMARY KEY, v text);
INSERT INTO local VALUES (1, 'a'), (2, 'b'), (3, 'c');
SELECT * FROM bulk_sync('local', 'far_staged', scope => 'true');
SELECT * FROM local ORDER BY k;
INSERT INTO far_staged VALUES ('again', 2);
SELECT * FROM bulk_sync('local', 'far_staged', scope => 'true');
SELECT * FROM bulk_sync('local', 'far_staged', scope => 'true', duplicates => 'last');
SELECT * FROM bulk_sync('local', 'far_staged', scope => 'true', duplicates => 'first', order_column => 'v');
SELECT * FROM local ORDER BY k;
-- both foreign
SELECT * FROM bulk_sync('marked', 'far_staged', '{k}', scope => 'true', duplicates => 'first', order_column => 'v');
SELECT * FROM marked ORDER BY k;

-- a foreign table that may not be written: 55000, and a server that cannot be reached: its own error
ALTER FOREIGN TABLE marked OPTIONS (updatable 'false');
SELECT * FROM bulk_sync('marked', 's', '{k}', scope => 'true');
ALTER FOREIGN TABLE marked OPTIONS (DROP updatable);
ALTER SERVER regress_bulk_sync_remote OPTIONS (SET dbname 'regress_bulk_sync_no_such_database');
SELECT * FROM bulk_sync('marked', 's', '{k}', scope => 'true');

SET client_min_messages = warning;
DROP SERVER regress_bulk_sync_remote CASCADE;
DROP SCHEMA contrib_foreign_tables CASCADE;
DROP TABLE s;
DROP DATABASE :"remote" WITH (FORCE);
