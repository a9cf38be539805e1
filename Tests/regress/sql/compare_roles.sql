-- What bulk_compare shows of columns with a role, of supplied, assigned and generated values, of keys whose image changes and of
-- marked rows: "old" as stored, "new" as the sync would leave it, and only what would really change among the changed columns.
-- Contract 2, 1.0.4, 1.1.2, 1.2.3, 1.3.1, 1.3.2, 1.3.3, 1.3.4, 1.3.9
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA compare_roles;
SET search_path = compare_roles, public;
\pset null '(null)'

-- Makes the call on the tables t and s as they are, then the sync itself (undone again), and says whether each row is as it was
-- announced: of a new or changed row every member of "new" that the database need not assign, of every row "old".
CREATE FUNCTION holds(options text) RETURNS TABLE (announced bigint, as_written bigint, old_right bigint) LANGUAGE plpgsql AS $$
BEGIN
	CREATE TEMPORARY TABLE announced ON COMMIT DROP AS SELECT c.* FROM bulk_compare('t', 's') AS c LIMIT 0;
	EXECUTE 'INSERT INTO announced SELECT * FROM bulk_compare(''t'', ''s'', ' || options || ', include_unchanged => true)';
	SELECT count(*), count(*) FILTER (WHERE a.old IS NULL OR EXISTS (SELECT FROM t WHERE to_jsonb(t) @> a.old AND a.old @> a.key))
	  INTO announced, old_right FROM announced AS a;
	EXECUTE 'SELECT FROM bulk_sync(''t'', ''s'', ' || options || ')';
	SELECT count(*) INTO as_written FROM announced AS a
	 WHERE CASE WHEN a.new IS NULL THEN NOT EXISTS (SELECT FROM t WHERE to_jsonb(t) @> a.old)
	            ELSE EXISTS (SELECT FROM t WHERE to_jsonb(t) @> jsonb_strip_nulls(a.new)) END;
	RAISE SQLSTATE 'UNDO0';
EXCEPTION WHEN SQLSTATE 'UNDO0' THEN RETURN NEXT;
END $$;

-- 1. The roles. A row for each: equal; p changes; only the insert-only column differs; only the touch column differs; the fill
-- column holds NULL; it holds a value; the keep column is staged NULL, and with a value; all of them at once.
CREATE TABLE t (k int PRIMARY KEY, p text, first text, touched text, filled text, kept text, aside text DEFAULT 'default');
CREATE TABLE s (kept text, filled text, touched text, first text, p text, k int);
INSERT INTO t SELECT k, 'o', 'o', 'o', 'o', 'o', 'o' FROM generate_series(1, 11) AS k;
UPDATE t SET filled = NULL WHERE k IN (5, 9);
INSERT INTO s SELECT 'o', 'o', 'o', 'o', 'o', k FROM generate_series(1, 10) AS k;
UPDATE s SET filled = NULL WHERE k = 9;
UPDATE s SET p = 'n' WHERE k IN (2, 10);
UPDATE s SET first = 'n' WHERE k IN (3, 10);
UPDATE s SET touched = 'n' WHERE k IN (2, 4, 8, 10);
UPDATE s SET filled = 'n' WHERE k IN (5, 6, 10);
UPDATE s SET kept = NULL WHERE k IN (7, 10);
UPDATE s SET kept = 'n' WHERE k = 8;
INSERT INTO s VALUES (NULL, 'n', 'n', 'n', NULL, 12);
\set roles 'insert_only_columns => ''{first}'', touch_columns => ''{touched}'', fill_columns => ''{filled}'', keep_columns => ''{kept}'''
-- The touch column of 2, 8 and 10 changes with the row but is not compared, so that it is not named; the fill column of 5 is;
-- those of 6 and 10 hold a value, which stays. The column "aside" is not synced, and not shown.
SELECT * FROM bulk_compare('t', 's', scope => 'true', include_unchanged => true, :roles) ORDER BY (key -> 'k');
SELECT * FROM holds($$scope => 'true', insert_only_columns => '{first}', touch_columns => '{touched}', fill_columns => '{filled}', keep_columns => '{kept}'$$);
-- Without roles all columns are compared.
SELECT key, changed_columns FROM bulk_compare('t', 's', actions => '{update}') ORDER BY (key -> 'k');
-- The columns asked for are those shown.
SELECT * FROM bulk_compare('t', 's', scope => 'k > 7', actions => '{update,delete}', columns => '{kept,filled}', keep_columns => '{kept}', fill_columns => '{filled}')
 ORDER BY (key -> 'k');
-- the key alone: matched rows are equal, whatever else they hold
SELECT * FROM bulk_compare('t', 's', scope => 'true', columns => '{k}') ORDER BY (key -> 'k');

-- 2. update_where: a row where it is not true is skipped, and no row of the result, neither update nor unchanged.
SELECT action, key FROM bulk_compare('t', 's', scope => 'true', include_unchanged => true, update_where => 'staged.p = ''n''', :roles) ORDER BY (key -> 'k');
SELECT action, key FROM bulk_compare('t', 's', scope => 'k = 2', actions => '{update}', columns => '{p}', include_unchanged => true, update_where => 'NULL')
 ORDER BY (key -> 'k');
SELECT * FROM holds($$scope => 'true', update_where => 'staged.p = ''n'' AND target.kept IS NOT NULL'$$);

-- 3. Supplied values are those of new rows; a matched row has them, being in scope.
BEGIN;
ALTER TABLE s DROP kept;
SELECT action, key, changed_columns, old -> 'kept' AS old_kept, new -> 'kept' AS new_kept, (new ? 'aside') AS aside
  FROM bulk_compare('t', 's', scope_values => '{"kept": "o", "aside": "o"}', columns => '{p}') ORDER BY (key -> 'k');
SELECT * FROM holds($$scope_values => '{"kept": "o", "aside": "o"}', columns => '{p}'$$);
SELECT new FROM bulk_compare('t', 's', '{k}', scope_values => '{"kept": null}', columns => '{p}', actions => '{insert}') ORDER BY (key -> 'k') DESC LIMIT 1;
ROLLBACK;

-- 4. Values that the database assigns are null in "new"; one that is staged is shown; a matched row keeps its own.
DROP TABLE t, s;
CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY (START 100), k text PRIMARY KEY, n serial, v int NOT NULL DEFAULT 7, twice int GENERATED ALWAYS AS (v * 2) STORED);
CREATE TABLE s (twice int, v int, n int, k text, id int);
INSERT INTO t (k, v) VALUES ('a', 1), ('b', 2), ('c', 3);
INSERT INTO s (id, k, n, v) VALUES (100, 'a', 1, 1), (55, 'b', NULL, 20), (NULL, 'd', NULL, 4), (77, 'e', 78, 5), (NULL, 'a2', NULL, 1);
SELECT * FROM bulk_compare('t', 's', scope => 'true', columns => '{id,n,v}', include_unchanged => true) ORDER BY key;
SELECT last_value FROM t_id_seq;
SELECT * FROM holds($$scope => 'true', columns => '{id,n,v}'$$);
-- Staged values of a generated column are ignored: it is not synced, whatever is staged.
UPDATE s SET twice = 5;
SELECT action, key, changed_columns, new ? 'twice' AS shown FROM bulk_compare('t', 's', scope => 'true') ORDER BY key;
-- A column that is neither synced nor of the primary key is not shown, though a default fills it.
SELECT action, new FROM bulk_compare('t', 's', '{k}', actions => '{insert}', columns => '{n}') ORDER BY key;

-- 5. The identity is the key: a staged NULL asks for a new one, as often as it is staged.
DROP TABLE t, s;
CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text);
CREATE TABLE s (v text, id text);
INSERT INTO t (v) VALUES ('a'), ('b');
INSERT INTO s VALUES ('new', NULL), ('B', '02'), ('new', NULL), ('given', ' 50');
SELECT * FROM bulk_compare('t', 's', scope => 'true') ORDER BY staged_row;
SELECT last_value FROM t_id_seq;
SELECT * FROM holds($$scope => 'true'$$);
-- As part of a key, and beside NULL keys that ask for nothing.
DROP TABLE t, s;
CREATE TABLE t (g int, id int GENERATED BY DEFAULT AS IDENTITY, v text);
CREATE TABLE s (g int, id int, v text);
INSERT INTO t VALUES (NULL, 1, 'a'), (NULL, 2, 'b'), (3, 3, 'c');
INSERT INTO s VALUES (NULL, 1, 'A'), (NULL, NULL, 'x'), (3, 3, 'c'), (4, NULL, 'y');
SELECT * FROM bulk_compare('t', 's', '{g,id}', scope => 'true', include_unchanged => true) ORDER BY staged_row;
SELECT * FROM holds($$key_columns => '{id,g}', scope => 'true'$$);

-- 6. A key whose image changes is a change of its own: "key" and "new" as staged and converted, "old" as stored.
DROP TABLE t, s;
CREATE TABLE t (k numeric, j numeric(8,2), v float8, w text, PRIMARY KEY (k, j));
CREATE TABLE s (w text, v float8, j numeric, k text);
INSERT INTO t VALUES (1.0, 1, 0, 'same'), (2.0, 2, 0, 'same'), (3.0, 3, 0, 'same'), (4.00, 4, 0, 'stale');
INSERT INTO s VALUES ('same', 0, 1.001, '1.00'), ('same', '-0', 2, '2.0'), ('more', 0, 3, ' 3 '), ('new', 1, 5, '5.000');
SELECT * FROM bulk_compare('t', 's', scope => 'true') ORDER BY key;
SELECT * FROM holds($$scope => 'true'$$);
-- The primary key is shown where it is neither key nor synced: as it is stored, and null for a new row.
DROP TABLE t, s;
CREATE TABLE t (a int DEFAULT 1, b uuid DEFAULT '00000000-0000-0000-0000-000000000001', name text, v int, PRIMARY KEY (b, a));
CREATE TABLE s (name text, v text);
INSERT INTO t VALUES (5, DEFAULT, 'x', 1), (6, DEFAULT, 'y', 1);
INSERT INTO s VALUES ('x', '+2'), ('z', '3');
SELECT * FROM bulk_compare('t', 's', '{name}', scope => 'true') ORDER BY key;

-- A generated column as key is matched by its staged values, and never written: its image is no change, and that of a new row
-- is the database's to make.
DROP TABLE t, s;
CREATE TABLE t (name text, n numeric GENERATED ALWAYS AS (length(name) * 1.0) STORED, v int);
CREATE TABLE s (n numeric, name text, v int);
INSERT INTO t VALUES ('a', DEFAULT, 1), ('bb', DEFAULT, 1), ('ccc', DEFAULT, 1);
INSERT INTO s VALUES (1.00, 'a', 1), (2, 'bb', 2), (4, 'dddd', 2);
SELECT * FROM bulk_compare('t', 's', '{n}', scope => 'true', include_unchanged => true) ORDER BY coalesce(new, old) -> 'name';

-- 7. Soft delete. Live and equal, live and changed, live and stale; marked and staged, equal and changed; marked and stale; new.
DROP TABLE t, s;
CREATE TABLE t (k int PRIMARY KEY, v text, touched text DEFAULT 'o', gone timestamptz);
CREATE TABLE s (gone text, k int, v text, touched text DEFAULT 'n');
INSERT INTO t (k, v, gone) VALUES (1, 'equal', NULL), (2, 'old', NULL), (3, 'stale', NULL), (6, 'equal', '2024-01-01 00:00+00'), (7, 'old', '2024-01-01 00:00+00'), (8, 'stale', '2024-01-01 00:00+00');
INSERT INTO s VALUES ('rubbish', 1, 'equal'), (NULL, 2, 'NEW'), (NULL, 6, 'equal'), ('now', 7, 'NEW'), (NULL, 9, 'new');
-- A revived row is an update, in which the mark changes too; a stale one is a delete; row 8 counts nowhere.
SELECT action, staged_row, key, changed_columns, old - 'gone' AS old, new - 'gone' AS new
  FROM bulk_compare('t', 's', scope => 'true', soft_delete_column => 'gone', touch_columns => '{touched}', include_unchanged => true) ORDER BY key;
-- all but the stale row are written as announced: that one is marked, and still there
SELECT * FROM holds($$scope => 'true', soft_delete_column => 'gone', touch_columns => '{touched}'$$);
-- What is not synced is not shown: the mark is "never synced".
SELECT key, old ? 'gone' AS old_shows_mark, new ? 'gone' AS new_shows_mark
  FROM bulk_compare('t', 's', scope => 'true', soft_delete_column => 'gone', include_unchanged => true) WHERE action <> 'insert' ORDER BY key;
-- Without the update among the actions nothing is revived; update_where is asked for it.
SELECT action, key FROM bulk_compare('t', 's', scope => 'true', soft_delete_column => 'gone', touch_columns => '{touched}', actions => '{insert,delete}',
                                      include_unchanged => true) ORDER BY key;
SELECT action, key, changed_columns FROM bulk_compare('t', 's', soft_delete_column => 'gone', touch_columns => '{touched}', actions => '{update}', update_where => 'target.gone IS NULL')
 ORDER BY key;
-- A boolean mark that is NULL is live, and stays out of the changed columns.
CREATE TABLE b (k int PRIMARY KEY, v int, gone boolean);
CREATE TABLE b_s (k int, v int);
INSERT INTO b VALUES (1, 1, NULL), (2, 1, false), (3, 1, true), (4, 1, NULL);
INSERT INTO b_s VALUES (1, 2), (2, 2), (3, 2);
SELECT action, key, changed_columns, old ->> 'v' AS old_v, new ->> 'v' AS new_v FROM bulk_compare('b', 'b_s', scope => 'true', soft_delete_column => 'gone') ORDER BY key;

-- 8. BEFORE triggers are not asked: "new" is what the sync would write before them.
CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.v := 99; RAISE WARNING ''fired''; RETURN NEW; END';
CREATE TRIGGER shout BEFORE INSERT OR UPDATE ON b FOR EACH ROW EXECUTE FUNCTION shout();
SELECT action, key, new FROM bulk_compare('b', 'b_s', scope => 'true', columns => '{v}') ORDER BY key;

SET client_min_messages = warning;
DROP SCHEMA compare_roles CASCADE;
