-- Triggers of rows that trade unique values: each row is one UPDATE with its old and its new values, to row triggers and to
-- transition tables, and no row is deleted and inserted again to get there. Also where a BEFORE trigger decides what is traded.
-- Contract 1.3.7, 1.3.6, 1.3.8
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA trade_triggers;
SET search_path = trade_triggers, public;

CREATE TABLE t (k int PRIMARY KEY, x int UNIQUE, v text DEFAULT 'v');
CREATE TABLE s (k int, x int);
CREATE TABLE log (n serial, line text);
-- A row event, with what the table holds as an AFTER trigger sees it: the state that the call ends in.
CREATE FUNCTION row_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO log (line) VALUES (concat_ws(' ', TG_WHEN, TG_OP, COALESCE(OLD.k, NEW.k) || ':', COALESCE(OLD.x::text, '-'), 'to', COALESCE(NEW.x::text, '-'),
    CASE TG_WHEN WHEN 'AFTER' THEN (SELECT 'of ' || string_agg(k || '=' || x, ' ' ORDER BY k) FROM t) END));
  RETURN COALESCE(NEW, OLD);
END $$;
CREATE FUNCTION statement_event() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  old_line text := '-';
  new_line text := '-';
BEGIN
  IF TG_OP <> 'INSERT' AND TG_WHEN = 'AFTER' THEN SELECT string_agg(k || '=' || x, ' ' ORDER BY k) INTO old_line FROM old_rows; END IF;
  IF TG_OP <> 'DELETE' AND TG_WHEN = 'AFTER' THEN SELECT string_agg(k || '=' || x, ' ' ORDER BY k) INTO new_line FROM new_rows; END IF;
  INSERT INTO log (line) VALUES (concat_ws(' ', TG_WHEN, TG_OP, 'statement:', old_line, 'to', new_line));
  RETURN NULL;
END $$;
CREATE TRIGGER au AFTER UPDATE ON t REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION statement_event();
CREATE TRIGGER ai AFTER INSERT ON t REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION statement_event();
CREATE TRIGGER ad AFTER DELETE ON t REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION statement_event();
CREATE TRIGGER bs BEFORE INSERT OR UPDATE OR DELETE ON t FOR EACH STATEMENT EXECUTE FUNCTION statement_event();

-- With statement triggers alone: 1, 2 and 3 in a circle, 4 unchanged, 5 goes, 6 comes with its value.
INSERT INTO t SELECT i, i FROM generate_series(1, 5) i;
TRUNCATE log RESTART IDENTITY;
INSERT INTO s VALUES (1, 2), (2, 3), (3, 1), (4, 4), (6, 5);
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT line FROM log ORDER BY n;
-- With row triggers after the fact: all of them see the table as the call leaves it.
CREATE TRIGGER ar AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION row_event();
TRUNCATE log RESTART IDENTITY;
UPDATE s SET x = (ARRAY[1, 2, 3, 4, NULL, 5])[k];
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT line FROM log WHERE line LIKE 'AFTER%' AND line NOT LIKE '%statement%' ORDER BY line;
SELECT line FROM log WHERE line LIKE '%statement%' ORDER BY n;
-- And before: one event for each row, with its old and its new value.
CREATE TRIGGER br BEFORE INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION row_event();
TRUNCATE log RESTART IDENTITY;
UPDATE s SET x = (ARRAY[2, 1, 3, 5, NULL, 4])[k];
INSERT INTO s VALUES (7, 7);
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT line FROM log WHERE line NOT LIKE '%statement%' ORDER BY line COLLATE "C" DESC;
-- OF the traded column and WHEN it changes: as in any UPDATE that sets it
DROP TRIGGER ar ON t;
CREATE TRIGGER ar AFTER UPDATE OF x ON t FOR EACH ROW WHEN (OLD.x > NEW.x) EXECUTE FUNCTION row_event();
DROP TRIGGER br ON t;
TRUNCATE log RESTART IDENTITY;
UPDATE s SET x = (ARRAY[1, 2, 3, 4, NULL, 5, 7])[k];
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT line FROM log WHERE line NOT LIKE '%statement%' ORDER BY line;
-- a constraint trigger that is deferred fires at the end of the transaction, for each row once
CREATE CONSTRAINT TRIGGER later AFTER INSERT OR UPDATE OR DELETE ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION row_event();
DROP TRIGGER ar ON t;
TRUNCATE log RESTART IDENTITY;
UPDATE s SET x = (ARRAY[2, 1, 3, 4, NULL, 5, 7])[k];
BEGIN;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT count(*) FROM log WHERE line NOT LIKE '%statement%';
COMMIT;
SELECT line FROM log WHERE line NOT LIKE '%statement%' ORDER BY line;

-- A BEFORE trigger decides what is traded. In upper case the staged names are those of the other row, as they are they are not.
CREATE TABLE names (k int PRIMARY KEY, name text UNIQUE, slot int UNIQUE, n int NOT NULL DEFAULT 0);
CREATE TABLE names_staged (k int, name text);
CREATE FUNCTION shape() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.name := upper(NEW.name);
  NEW.slot := ascii(NEW.name);
  NEW.n := NEW.n + 1;
  RETURN NEW;
END $$;
INSERT INTO names VALUES (1, 'A', 65), (2, 'B', 66), (3, 'C', 67), (4, 'D', 68);
INSERT INTO names_staged VALUES (1, 'b'), (2, 'a'), (3, 'C'), (4, 'e');
CREATE TRIGGER shape BEFORE UPDATE ON names FOR EACH ROW EXECUTE FUNCTION shape();
SELECT * FROM bulk_sync('names', 'names_staged', scope => 'true');
TABLE names ORDER BY k;
-- The column that is traded is not synced: nothing but the trigger sets it.
ALTER TABLE names DROP CONSTRAINT names_name_key;
UPDATE names_staged SET name = (ARRAY['A', 'B', 'E', 'C'])[k];
SELECT * FROM bulk_sync('names', 'names_staged', scope => 'true');
TABLE names ORDER BY k;
-- What the trigger makes of two rows must not be the same: the state after it decides.
UPDATE names_staged SET name = (ARRAY['b', 'B', 'c', 'e'])[k];
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('names', 'names_staged', scope => 'true');
\set VERBOSITY default
TABLE names ORDER BY k;
-- And a staged violation that the trigger mends is none.
ALTER TABLE names ADD UNIQUE (name);
CREATE FUNCTION mend() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.name := (ARRAY['B', 'A', 'C', 'E'])[NEW.k];
  RETURN NEW;
END $$;
CREATE TRIGGER mend BEFORE UPDATE ON names FOR EACH ROW EXECUTE FUNCTION mend();
UPDATE names_staged SET name = 'X';
SELECT * FROM bulk_sync('names', 'names_staged', scope => 'true');
SELECT k, name FROM names ORDER BY k;
-- A trigger that is fired for a row sees the rows that were written before it, and those alone: as in an UPDATE. It may look up
-- a value, in the index that is being changed, and finds it in one row or in none, or in two that pass it on at this moment.
CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('enable_seqscan', 'off', true);
  INSERT INTO log (line) SELECT 'looked' FROM names WHERE name = NEW.name HAVING count(*) BETWEEN 0 AND 2;
  RETURN NEW;
END $$;
DROP TRIGGER mend ON names;
DROP TRIGGER shape ON names;
CREATE TRIGGER look BEFORE UPDATE ON names FOR EACH ROW EXECUTE FUNCTION look();
TRUNCATE log;
UPDATE names_staged SET name = (ARRAY['A', 'B', 'E', 'C'])[k];
SELECT * FROM bulk_sync('names', 'names_staged', scope => 'true');
SELECT k, name FROM names ORDER BY k;
SELECT count(*) FROM log;

-- A trigger may change a row that has its new value already, in a version that shares the entries of the one before.
CREATE TABLE notes (k int PRIMARY KEY, x int UNIQUE, note text) WITH (fillfactor = 50);
INSERT INTO notes SELECT i, i, '' FROM generate_series(1, 3) i;
CREATE FUNCTION touch_first() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.k = 2 THEN
    UPDATE notes SET note = 'touched' WHERE k = 1;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER touch_first BEFORE UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION touch_first();
CREATE TABLE notes_staged AS SELECT k, x + 10 AS x FROM notes;
SELECT * FROM bulk_sync('notes', 'notes_staged', scope => 'true');
TABLE notes ORDER BY k;
UPDATE notes_staged SET x = 11 WHERE k = 3;
SELECT * FROM bulk_sync('notes', 'notes_staged', scope => 'true');

SET client_min_messages = warning;
DROP SCHEMA trade_triggers CASCADE;
