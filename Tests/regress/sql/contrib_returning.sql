-- bulk_sync_returning with contrib: a foreign table as target, foreign partitions, and a key whose image changes while it stays equal (citext).
-- Contract 3, 2, 1.1.1, 1.3.1, 1.3.8, 1.5
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
CREATE EXTENSION IF NOT EXISTS citext;
RESET client_min_messages;
CREATE SCHEMA contrib_returning;
SET search_path = contrib_returning, public;

-- a second database of the same server
SELECT current_database() AS here, left(current_database(), 50) || '_returning' AS remote, current_user AS me \gset
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
CREATE TABLE far (val text, d int, id int PRIMARY KEY, n int DEFAULT 7, twice int GENERATED ALWAYS AS (n * 2) STORED);
ALTER TABLE far DROP d;
CREATE TABLE marked (k int PRIMARY KEY, v text, gone boolean);
CREATE TABLE part (g text, v text, k int);
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF tg_op = 'INSERT' AND new.id = 13 OR tg_op = 'UPDATE' AND new.id = 4 OR tg_op = 'DELETE' AND old.id = 5 THEN RETURN NULL; END IF;
  IF tg_op = 'DELETE' THEN RETURN old; END IF;
  new.val := new.val || ' there';
  RETURN new;
END $$;
\c :"here"
SET search_path = contrib_returning, public;
\getenv abs_srcdir PG_ABS_SRCDIR
\set returned :abs_srcdir '/include/returning.sql'
\set ECHO none
\i :returned
\set ECHO all
CREATE SERVER regress_bulk_sync_returning FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host :'host', port :'port', dbname :'remote');
CREATE USER MAPPING FOR CURRENT_USER SERVER regress_bulk_sync_returning OPTIONS (user :'me');
CREATE FOREIGN TABLE target (v text OPTIONS (column_name 'val'), k int OPTIONS (column_name 'id'), n int DEFAULT 8, twice int GENERATED ALWAYS AS (n * 2) STORED)
  SERVER regress_bulk_sync_returning OPTIONS (schema_name 'public', table_name 'far');
CREATE TABLE s (k int, v text);

-- A foreign target: what the other server stored. (The default is that of the foreign table, the generated column that of the table there.)
INSERT INTO target (k, v) VALUES (1, 'stale'), (2, 'old'), (3, 'same'), (4, 'old'), (5, 'stale');
INSERT INTO s VALUES (12, 'new'), (2, 'new'), (13, 'new'), (4, 'new'), (3, 'same'), (14, 'new');
BEGIN;
SELECT * FROM returned('target', 's', $$'{k}', scope => 'true', include_unchanged => true$$);
ROLLBACK;
-- a scope that the other server cannot evaluate
CREATE FUNCTION here(int) RETURNS boolean STABLE LANGUAGE sql AS 'SELECT $1 <> 1';
BEGIN;
SELECT action, staged_row, key FROM returned('target', 's', $$'{k}', scope => 'contrib_returning.here(k)'$$);
ROLLBACK;
-- triggers there rewrite and suppress
\c :"remote"
CREATE TRIGGER f BEFORE INSERT OR UPDATE OR DELETE ON far FOR EACH ROW EXECUTE FUNCTION f();
\c :"here"
SET search_path = contrib_returning, public;
BEGIN;
SELECT action, staged_row, key, changed_columns, old->'v' AS old, new->'v' AS new FROM returned('target', 's', $$'{k}', scope => 'true'$$);
ROLLBACK;
-- triggers here rewrite and suppress
CREATE FUNCTION local() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.k = 12 OR NEW.k = 2 THEN RETURN NULL; END IF;
  NEW.v := NEW.v || ' here';
  RETURN NEW;
END $$;
CREATE TRIGGER f BEFORE INSERT OR UPDATE ON target FOR EACH ROW EXECUTE FUNCTION local();
SELECT action, staged_row, key, changed_columns, old->'v' AS old, new->'v' AS new FROM returned('target', 's', $$'{k}', scope => 'true'$$);
SELECT * FROM target ORDER BY k;

-- marks there
CREATE FOREIGN TABLE marked (k int, v text, gone boolean) SERVER regress_bulk_sync_returning OPTIONS (schema_name 'public');
INSERT INTO marked VALUES (1, 'stale', NULL), (2, 'old', false), (3, 'back', true);
CREATE TABLE marked_staged (k int, v text);
INSERT INTO marked_staged VALUES (4, 'new'), (3, 'back'), (2, 'new');
SELECT * FROM bulk_sync_returning('marked', 'marked_staged', '{k}', scope => 'true', soft_delete_column => 'gone') ORDER BY action <> 'delete', staged_row, key;

-- a partition there, another here: rows in both
CREATE TABLE p (k int, g text, v text) PARTITION BY LIST (g);
CREATE TABLE p_here PARTITION OF p FOR VALUES IN ('here');
CREATE FOREIGN TABLE p_there PARTITION OF p FOR VALUES IN ('there') SERVER regress_bulk_sync_returning OPTIONS (schema_name 'public', table_name 'part');
INSERT INTO p VALUES (1, 'here', 'stale'), (2, 'there', 'stale'), (3, 'here', 'old'), (4, 'there', 'old');
CREATE TABLE p_staged (v text, k int, g text);
INSERT INTO p_staged VALUES ('new', 6, 'there'), ('new', 3, 'here'), ('new', 7, 'here'), ('new', 4, 'there');
SELECT * FROM returned('p', 'p_staged', $$'{k}', scope => 'true'$$);
SELECT tableoid::regclass, * FROM p ORDER BY k;

-- citext: the key that was staged, the key that was stored, and the change of the image
CREATE TABLE word (w citext PRIMARY KEY, v text);
INSERT INTO word VALUES ('Stale', 'a'), ('Old', 'a'), ('Same', 'a'), ('Case', 'a');
CREATE TABLE word_staged (w text, v text);
INSERT INTO word_staged VALUES ('NEW', 'b'), ('case', 'a'), ('Same', 'a'), ('OLD', 'b');
SELECT * FROM returned('word', 'word_staged', $$scope => 'true', include_unchanged => true$$);
SELECT * FROM word ORDER BY w;
-- the image of a key is not written where it is staged as it is stored
SELECT * FROM returned('word', 'word_staged', $$scope => 'true'$$);

SET client_min_messages = warning;
DROP SERVER regress_bulk_sync_returning CASCADE;
DROP SCHEMA contrib_returning CASCADE;
DROP DATABASE :"remote";
