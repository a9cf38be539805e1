-- bulk_sync_returning with soft_delete_column: a mark is a delete whose old row is the live one and whose new row is the marked one,
-- as it is stored; a revived row is an update; rows that were marked before appear nowhere.
-- Contract 3, 2, 1.3.9, 1.3.6, 1.5
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA returning_soft_delete;
SET search_path = returning_soft_delete, public;
\getenv abs_srcdir PG_ABS_SRCDIR
\set returned :abs_srcdir '/include/returning.sql'
\set ECHO none
\i :returned
\set ECHO all

-- boolean: 1 and 2 are stale, 3 differs, 4 is equal, 5 comes back, 6 stays away, 7 is new
CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY, k int PRIMARY KEY, v text, gone boolean NOT NULL DEFAULT false, word text GENERATED ALWAYS AS (CASE WHEN gone THEN 'gone' ELSE 'here' END) STORED);
INSERT INTO t (k, v, gone) VALUES (1, 'a', false), (2, 'a', false), (3, 'a', false), (4, 'a', false), (5, 'a', true), (6, 'a', true), (8, 'same', true);
CREATE TABLE s (k int, v text, gone boolean);
-- (staged values of the mark are ignored)
INSERT INTO s VALUES (7, 'b', true), (3, 'b', true), (5, 'b', true), (4, 'a', true), (8, 'same', true);
SELECT * FROM returned('t', 's', $$scope => 'true', soft_delete_column => 'gone', include_unchanged => true$$, same => $$to_jsonb(t) - 'id'$$);
SELECT k, v, gone FROM t ORDER BY k;
-- once more: nothing
SELECT * FROM returned('t', 's', $$scope => 'true', soft_delete_column => 'gone'$$);
-- marking and updating are one UPDATE, the marks are returned first all the same, however the rows lie in the table
UPDATE s SET v = 'c' WHERE k < 8;
DELETE FROM s WHERE k IN (5, 8);
SELECT action, staged_row FROM bulk_sync_returning('t', 's', scope => 'true', soft_delete_column => 'gone');
-- actions: no mark without delete, no revival without update
DELETE FROM s;
INSERT INTO s VALUES (1, 'back'), (3, 'changed');
SELECT action, staged_row, key FROM returned('t', 's', $$scope => 'true', soft_delete_column => 'gone', actions => '{insert}', include_unchanged => true$$);
SELECT action, staged_row, key, new->'gone' AS gone FROM returned('t', 's', $$scope => 'true', soft_delete_column => 'gone', actions => '{delete}', include_unchanged => true$$);
SELECT action, staged_row, key, changed_columns FROM returned('t', 's', $$scope => 'true', soft_delete_column => 'gone', actions => '{insert,update}'$$);
-- update_where decides on revivals, too
INSERT INTO s VALUES (2, 'back'), (5, 'back');
SELECT action, staged_row, key, changed_columns FROM returned('t', 's', $$scope => 'true', soft_delete_column => 'gone', update_where => 'target.k <> 2'$$);
-- touch columns are written with a revival, not with a mark
UPDATE t SET gone = true WHERE k = 1;
DELETE FROM s WHERE k = 3;
SELECT action, staged_row, key, changed_columns, old->'v' AS old, new->'v' AS new FROM returned('t', 's', $$scope => 'true', soft_delete_column => 'gone', touch_columns => '{v}'$$);

-- timestamptz and timestamp: the time of the mark is now()
CREATE TABLE at (k int PRIMARY KEY, v text, gone timestamptz);
INSERT INTO at VALUES (1, 'a', NULL), (2, 'a', NULL), (3, 'a', '2020-01-01'), (4, 'a', '2020-01-01');
CREATE TABLE at_staged (k int, v text);
INSERT INTO at_staged VALUES (2, 'b'), (3, 'a'), (5, 'b');
BEGIN;
SELECT action, staged_row, key, changed_columns, old->>'v' AS old, old->'gone' <> 'null' AS was_marked, new->>'v' AS new, new->'gone' = to_jsonb(now()) AS marked_now
	FROM returned('at', 'at_staged', $$scope => 'true', soft_delete_column => 'gone'$$);
ROLLBACK;
ALTER TABLE at ALTER gone TYPE timestamp;
BEGIN;
SELECT action, staged_row, key, changed_columns, new->'gone' = to_jsonb(now()::timestamp) AS marked_now FROM returned('at', 'at_staged', $$scope => 'true', soft_delete_column => 'gone'$$);
ROLLBACK;

-- Marked rows are partners of staged rows only where no live row is; several rows of a key: the one that is returned is the one that was written.
CREATE TABLE many (id int PRIMARY KEY, k int, v text, gone boolean NOT NULL);
INSERT INTO many VALUES (1, 1, 'marked', true), (2, 1, 'live', false), (3, 2, 'marked', true), (4, 3, 'marked', true), (5, 3, 'live', false);
CREATE TABLE many_staged (k int, v text);
INSERT INTO many_staged VALUES (1, 'new'), (2, 'new');
SELECT * FROM returned('many', 'many_staged', $$'{k}', scope => 'true', soft_delete_column => 'gone'$$);

-- Triggers: a mark that is suppressed is not returned, one that is rewritten is returned as it is stored, one that an AFTER trigger changes, too.
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.gone AND NEW.k = 1 THEN RETURN NULL; END IF;
  IF NEW.gone AND NEW.k = 2 THEN NEW.gone := false; NEW.v := 'stays'; END IF;
  IF NEW.k = 5 THEN NEW.v := 'rewritten'; END IF;
  RETURN NEW;
END $$;
CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF pg_trigger_depth() = 1 AND NEW.k > 2 THEN UPDATE t SET v = v || ' after' WHERE k = NEW.k; END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER f BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f();
CREATE TRIGGER g AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION g();
ALTER TABLE t DISABLE TRIGGER USER;
UPDATE t SET gone = k > 3, v = 'a';
ALTER TABLE t ENABLE TRIGGER USER;
DELETE FROM s;
INSERT INTO s VALUES (5, 'b');
SELECT action, staged_row, key, changed_columns, old->'v' AS old_v, old->'gone' AS old_gone, new->'v' AS v, new->'gone' AS gone
	FROM returned('t', 's', $$scope => 'true', soft_delete_column => 'gone'$$);

-- A mark that moves the row to the partition of marked rows
CREATE TABLE p (k int, v text, gone boolean NOT NULL DEFAULT false) PARTITION BY LIST (gone);
CREATE TABLE p_live PARTITION OF p FOR VALUES IN (false);
CREATE TABLE p_gone (gone boolean NOT NULL DEFAULT false, d int, v text, k int);
ALTER TABLE p_gone DROP d;
ALTER TABLE p ATTACH PARTITION p_gone FOR VALUES IN (true);
INSERT INTO p VALUES (1, 'a', false), (2, 'a', false), (3, 'a', true), (4, 'a', true);
CREATE TABLE p_staged (v text, k int);
INSERT INTO p_staged VALUES ('b', 2), ('b', 3), ('b', 5);
SELECT * FROM returned('p', 'p_staged', $$'{k}', scope => 'true', soft_delete_column => 'gone'$$);
SELECT tableoid::regclass, k, v FROM p ORDER BY k;

SET client_min_messages = warning;
DROP SCHEMA returning_soft_delete CASCADE;
