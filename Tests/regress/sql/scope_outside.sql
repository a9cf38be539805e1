-- A staged row may not be written to a place outside the scope. Contract 1.2.2, 1.2.5, 1.4 (order), 1.5; cases 8, 11
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA scope_outside;
SET search_path = scope_outside, public;

CREATE TABLE t (k int PRIMARY KEY, g int DEFAULT 2, v text);
CREATE TEMPORARY TABLE s (k int, g int, v text);
CREATE TEMPORARY TABLE before (at tid, by xid, until xid, k int);
\set fill 'TRUNCATE t, before; INSERT INTO t VALUES (1, 1, \'a\'), (2, 1, \'b\'), (3, 2, \'c\'), (4, NULL, \'d\'); INSERT INTO before SELECT ctid, xmin, xmax, k FROM t;'
\set untouched 'SELECT array_agg(k ORDER BY k) AS untouched FROM t JOIN before USING (k) WHERE t.ctid = at AND t.xmin = by AND t.xmax = until;'

-- Inserted outside: refused before any write, the other rows' deletes and updates included, and the key is named.
:fill
INSERT INTO s VALUES (1, 1, 'A'), (9, 2, 'new');
SELECT * FROM bulk_sync('t', 's', scope => 'g = 1');
\echo :LAST_ERROR_SQLSTATE
:untouched
-- NULL is outside, on the staged side too
\set VERBOSITY sqlstate
UPDATE s SET g = NULL WHERE k = 9;
SELECT * FROM bulk_sync('t', 's', scope => 'g = 1');
SELECT * FROM bulk_sync('t', 's', scope => 'g <> 2');
-- Updated so that it would leave.
UPDATE s SET g = 2 WHERE k = 1;
DELETE FROM s WHERE k = 9;
SELECT * FROM bulk_sync('t', 's', scope => 'g = 1');
UPDATE s SET g = NULL WHERE k = 1;
SELECT * FROM bulk_sync('t', 's', scope => 'g = 1');
-- whatever other columns the condition reads
UPDATE s SET g = 1, v = 'z';
SELECT * FROM bulk_sync('t', 's', scope => 'v < ''m''');
-- The key of a row outside is no way to take it: it is not matched, so it is inserted, and the place is taken.
UPDATE s SET k = 3;
SELECT * FROM bulk_sync('t', 's', scope => 'g = 1', dry_run => true);
\set VERBOSITY default
:untouched
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's', scope => 'g = 1');
\set VERBOSITY default
SELECT * FROM t ORDER BY k;

-- A dry run refuses the same.
:fill
TRUNCATE s;
INSERT INTO s VALUES (9, 2, 'new');
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's', scope => 'g = 1', dry_run => true);
\set VERBOSITY default

-- What is not written is not smuggled: rows that an action, update_where or a duplicate leaves out, and columns that the
-- update does not write or that are kept. Rows are refused only where they would be inserted or updated.
SELECT * FROM bulk_sync('t', 's', scope => 'g = 1', actions => '{update}');
INSERT INTO s VALUES (1, 2, 'A');
DELETE FROM s WHERE k = 9;
SELECT * FROM bulk_sync('t', 's', scope => 'g = 1', actions => '{insert}');
SELECT * FROM bulk_sync('t', 's', scope => 'g = 1', actions => '{insert,update}', update_where => 'false');
:untouched
SELECT * FROM bulk_sync('t', 's', scope => 'g = 1', actions => '{insert,update}', insert_only_columns => '{g}');
SELECT * FROM t WHERE k = 1;
SELECT * FROM bulk_sync('t', 's', scope => 'g = 1', actions => '{insert,update}', fill_columns => '{g}');
UPDATE s SET g = NULL, v = 'B';
SELECT * FROM bulk_sync('t', 's', scope => 'g = 1', actions => '{insert,update}', keep_columns => '{g}');
SELECT * FROM t WHERE k = 1;
-- a touch column is written with an update that happens, and only then
UPDATE s SET g = 2;
SELECT * FROM bulk_sync('t', 's', scope => 'g = 1', actions => '{insert,update}', touch_columns => '{g}');
UPDATE s SET v = 'C';
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's', scope => 'g = 1', actions => '{insert,update}', touch_columns => '{g}');
-- keep_columns let a staged value through, on an insert also NULL
SELECT * FROM bulk_sync('t', 's', scope => 'g = 1', actions => '{insert,update}', keep_columns => '{g}');
UPDATE s SET k = 9, g = NULL;
SELECT * FROM bulk_sync('t', 's', scope => 'g = 1', actions => '{insert,update}', keep_columns => '{g}');
\set VERBOSITY default
-- dropped duplicates are not written
TRUNCATE s;
INSERT INTO s VALUES (1, 1, 'in'), (1, 2, 'out');
SELECT * FROM bulk_sync('t', 's', scope => 'g = 1', actions => '{insert,update}', duplicates => 'first');
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's', scope => 'g = 1', actions => '{insert,update}', duplicates => 'last');
\set VERBOSITY default
SELECT * FROM t WHERE k = 1;

-- The value before the update decides for what is matched, the value after it for what is refused: a column that is not
-- synced keeps its value.
TRUNCATE s;
CREATE TEMPORARY TABLE less (k int, v text);
INSERT INTO less VALUES (1, 'only v');
SELECT * FROM bulk_sync('t', 'less', scope => 'g = 1', actions => '{update}');

-- A default decides where an inserted row goes, as the row is written; then nothing is left of the call.
:fill
INSERT INTO less VALUES (9, 'default g');
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 'less', scope => 'g = 1');
\set VERBOSITY default
TABLE t ORDER BY k;
SELECT * FROM bulk_sync('t', 'less', scope => 'g = 2 OR k = 1', actions => '{insert}');
-- a volatile default, and one that is inside
ALTER TABLE t ALTER g SET DEFAULT (random() * 0)::int + 1;
UPDATE less SET k = 10 WHERE k = 9;
SELECT * FROM bulk_sync('t', 'less', scope => 'g = 1', actions => '{insert}');
ALTER TABLE t ALTER g SET DEFAULT (random() * 0)::int + 7;
UPDATE less SET k = 11 WHERE k = 10;
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 'less', scope => 'g = 1', actions => '{insert}');
\set VERBOSITY default
TABLE t ORDER BY k;

-- A generated column decides, on insert and update.
CREATE TABLE made (k int PRIMARY KEY, v int, g int GENERATED ALWAYS AS (v % 10) STORED);
CREATE TEMPORARY TABLE made_staged (k int, v int);
INSERT INTO made VALUES (1, 1), (2, 11), (3, 2);
INSERT INTO made_staged VALUES (1, 21), (9, 31);
SELECT * FROM bulk_sync('made', 'made_staged', scope => 'g = 1');
TABLE made ORDER BY k;
\set VERBOSITY sqlstate
UPDATE made_staged SET v = 22 WHERE k = 1;
SELECT * FROM bulk_sync('made', 'made_staged', scope => 'g = 1');
UPDATE made_staged SET v = 21 WHERE k = 1;
UPDATE made_staged SET k = 8, v = 32 WHERE k = 9;
SELECT * FROM bulk_sync('made', 'made_staged', scope => 'g = 1');
UPDATE made_staged SET v = NULL WHERE k = 8;
SELECT * FROM bulk_sync('made', 'made_staged', scope => 'g = 1');
\set VERBOSITY default
TABLE made ORDER BY k;

-- A BEFORE trigger decides: a row that it takes out is refused. One that it would bring in is refused before, by its
-- staged values.
:fill
ALTER TABLE t ALTER g SET DEFAULT 1;
CREATE FUNCTION moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.v = 'out' THEN NEW.g := 2; ELSIF NEW.v = 'in' THEN NEW.g := 1; ELSIF NEW.v = 'drop' THEN RETURN NULL; END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER moves BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION moves();
INSERT INTO s VALUES (1, 1, 'out');
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's', scope => 'g = 1');
SELECT * FROM bulk_sync('t', 's', scope_values => '{"g": 1}');
SELECT * FROM bulk_sync('t', 's', scope_columns => '{g}');
UPDATE s SET k = 9;
SELECT * FROM bulk_sync('t', 's', scope => 'g = 1');
SELECT * FROM bulk_sync('t', 's', scope_values => '{"g": 1}');
SELECT * FROM bulk_sync('t', 's', scope_columns => '{g}');
UPDATE s SET v = 'in', g = 2;
SELECT * FROM bulk_sync('t', 's', scope => 'g = 1');
\set VERBOSITY default
TABLE t ORDER BY k;
SELECT count(*) FROM t JOIN before USING (k) WHERE t.ctid = at AND t.xmin = by;
-- a row that the trigger suppresses goes nowhere
UPDATE s SET v = 'drop', g = 1;
SELECT * FROM bulk_sync('t', 's', scope => 'g = 1', actions => '{insert,update}');

-- Subqueries in the condition are asked about the new row as well; on the target, about the target before the call.
DROP TRIGGER moves ON t;
CREATE TABLE groups (g int);
INSERT INTO groups VALUES (1);
:fill
TRUNCATE s;
INSERT INTO s VALUES (1, 1, 'A'), (9, 3, 'new');
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's', scope => 'g IN (SELECT g FROM groups)');
SELECT * FROM bulk_sync('t', 's', scope => 'EXISTS (SELECT FROM groups AS x WHERE x.g = target.g)');
SELECT * FROM bulk_sync('t', 's', scope => 'k <= (SELECT max(k) FROM t)');
\set VERBOSITY default
:untouched
INSERT INTO groups VALUES (3);
SELECT * FROM bulk_sync('t', 's', scope => 'g IN (SELECT g FROM groups)');

-- On a partitioned table, and with the columns of a partition in another order.
CREATE TABLE p (k int, g int, v text) PARTITION BY LIST (g);
CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
CREATE TABLE p2 (v text, gone int, g int, k int);
ALTER TABLE p2 DROP COLUMN gone;
ALTER TABLE p ATTACH PARTITION p2 FOR VALUES IN (2);
INSERT INTO p VALUES (1, 1, 'a'), (2, 2, 'b');
TRUNCATE s;
INSERT INTO s VALUES (1, 2, 'moved');
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('p', 's', '{k}', scope => 'g = 1');
\set VERBOSITY default
SELECT * FROM bulk_sync('p', 's', '{k}', scope => 'k = 1');
CREATE TRIGGER moves BEFORE INSERT ON p2 FOR EACH ROW EXECUTE FUNCTION moves();
UPDATE s SET k = 5, v = 'x';
SELECT * FROM bulk_sync('p', 's', '{k}', scope => 'g = 2');
CREATE FUNCTION renames() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.v := 'other'; RETURN NEW; END $$;
CREATE TRIGGER renames BEFORE INSERT OR UPDATE ON p2 FOR EACH ROW EXECUTE FUNCTION renames();
UPDATE s SET k = 6;
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('p', 's', '{k}', scope => 'v = ''x''');
\set VERBOSITY default
SELECT tableoid::regclass, k, g, v FROM p ORDER BY k;

SET client_min_messages = warning;
DROP SCHEMA scope_outside CASCADE;
DROP TABLE s, before, less, made_staged;
