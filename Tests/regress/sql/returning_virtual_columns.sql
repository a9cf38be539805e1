-- bulk_sync_returning and virtual generated columns, from PostgreSQL 18 on: they are returned like the stored ones, computed from the row as it
-- is stored. Before 18 the same is asked of stored columns.
-- Contract 3, 1.3.4, 1.3.8
SELECT current_setting('server_version_num')::int >= 180000 AS has_virtual \gset
\if :has_virtual
\set virtual 'VIRTUAL'
\else
\set virtual 'STORED'
\endif
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA returning_virtual_columns;
SET search_path = returning_virtual_columns, public;
\getenv abs_srcdir PG_ABS_SRCDIR
\set returned :abs_srcdir '/include/returning.sql'
\set ECHO none
\i :returned
\set ECHO all

CREATE TABLE t (k int PRIMARY KEY, n int, twice int GENERATED ALWAYS AS (n * 2) :virtual, thrice int GENERATED ALWAYS AS (n * 3) STORED, gone boolean);
CREATE TABLE s (k int, n int, twice int);
INSERT INTO t (k, n) VALUES (1, 1), (2, 2), (3, 3);
INSERT INTO s VALUES (4, 40, 0), (2, 20, 0), (3, 3, 0);
SELECT * FROM returned('t', 's', $$scope => 'true', include_unchanged => true$$);

-- a BEFORE trigger that rewrites, and an AFTER trigger that changes the row just written
CREATE FUNCTION one_more() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.n := NEW.n + 1; RETURN NEW; END $$;
CREATE FUNCTION a_hundred_more() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF pg_trigger_depth() = 1 THEN UPDATE t SET n = n + 100 WHERE k = NEW.k; END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER one_more BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION one_more();
INSERT INTO s VALUES (5, 5, 0);
SELECT * FROM returned('t', 's', $$actions => '{insert,update}', update_where => 'target.k > 3'$$);
DELETE FROM s WHERE k <= 3;
CREATE TRIGGER a_hundred_more AFTER INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION a_hundred_more();
UPDATE s SET n = n + 1;
SELECT * FROM returned('t', 's', $$scope => 'k > 3'$$);
DROP TRIGGER one_more ON t;
DROP TRIGGER a_hundred_more ON t;

-- marks, and rows that move between partitions with another order of columns
DELETE FROM s WHERE k = 5;
SELECT * FROM returned('t', 's', $$scope => 'k > 3', soft_delete_column => 'gone'$$);
CREATE TABLE p (k int, g int, n int, twice int GENERATED ALWAYS AS (n * 2) :virtual) PARTITION BY LIST (g);
CREATE TABLE p_1 PARTITION OF p FOR VALUES IN (1);
CREATE TABLE p_2 (twice int GENERATED ALWAYS AS (n * 2) :virtual, dropped int, n int, g int, k int);
ALTER TABLE p_2 DROP dropped;
ALTER TABLE p ATTACH PARTITION p_2 FOR VALUES IN (2);
INSERT INTO p (k, g, n) VALUES (1, 1, 1), (2, 1, 2), (3, 2, 3), (4, 2, 4);
CREATE TABLE p_staged (k int, g int, n int);
INSERT INTO p_staged VALUES (2, 2, 20), (3, 1, 30), (4, 2, 40), (5, 2, 50);
SELECT * FROM returned('p', 'p_staged', $$'{k}', scope => 'true'$$);

SET client_min_messages = warning;
DROP SCHEMA returning_virtual_columns CASCADE;
