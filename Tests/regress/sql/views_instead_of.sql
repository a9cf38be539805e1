-- Views whose INSTEAD OF triggers do the writing: what they do is what happens, rows that they
-- suppress are skipped, and rows are matched by NULL-safe keys as anywhere
-- Contract 1.1.1, 1.3.6, 1.3.8, 1.5, 1.7; cases 29, 155, 166
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA views_instead_of;
SET search_path = views_instead_of, public;
\set VERBOSITY sqlstate

-- The life of a synced table, a line for each step: see the file
\getenv abs_srcdir PG_ABS_SRCDIR
\set life :abs_srcdir '/include/life.sql'
\set ECHO none
\i :life
\set ECHO all

-- a join that nothing but its triggers can write
CREATE TABLE head (k int PRIMARY KEY, g int);
CREATE TABLE tail (k int PRIMARY KEY, v text CHECK (v <> 'bad'));
CREATE VIEW whole AS SELECT v, k, g FROM head JOIN tail USING (k);
CREATE TABLE log (n int GENERATED ALWAYS AS IDENTITY, entry text);
CREATE FUNCTION write_whole() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO log (entry) VALUES (concat_ws(' ', tg_when, tg_op, CASE WHEN tg_op <> 'INSERT' THEN old END, CASE WHEN tg_op <> 'DELETE' THEN new END));
  IF tg_op <> 'INSERT' THEN
    DELETE FROM head WHERE k = old.k;
    DELETE FROM tail WHERE k = old.k;
  END IF;
  IF tg_op <> 'DELETE' THEN
    INSERT INTO head VALUES (new.k, new.g);
    INSERT INTO tail VALUES (new.k, new.v);
    RETURN new;
  END IF;
  RETURN old;
END $$;
CREATE TRIGGER write INSTEAD OF INSERT OR UPDATE OR DELETE ON whole FOR EACH ROW EXECUTE FUNCTION write_whole();
SELECT * FROM life('whole', 'life_staged', '');

-- each row is a call of its trigger, with the row as it was and as it is to be; columns that are
-- not synced keep their values
TRUNCATE head, tail, log;
INSERT INTO head VALUES (1, 1), (2, 2), (3, 3);
INSERT INTO tail VALUES (1, 'a'), (2, 'b'), (3, 'c');
CREATE TEMPORARY TABLE s (v text, k int);
INSERT INTO s VALUES ('a', 1), ('B', 2), ('d', 4);
SELECT * FROM bulk_sync('whole', 's', '{k}', scope => 'true', dry_run => true);
SELECT count(*) FROM log;
SELECT * FROM bulk_sync('whole', 's', '{k}', scope => 'true');
SELECT entry FROM log ORDER BY n;
SELECT * FROM whole ORDER BY k;
-- nothing is called for what is equal
TRUNCATE log;
SELECT * FROM bulk_sync('whole', 's', '{k}', scope => 'true');
SELECT count(*) FROM log;

-- statement triggers of the view: one for each phase that has rows
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO log (entry) VALUES (concat_ws(' ', tg_when, tg_op, tg_level));
  RETURN NULL;
END $$;
CREATE TRIGGER before_statement BEFORE INSERT OR UPDATE OR DELETE ON whole FOR EACH STATEMENT EXECUTE FUNCTION note();
CREATE TRIGGER after_statement AFTER INSERT OR UPDATE OR DELETE ON whole FOR EACH STATEMENT EXECUTE FUNCTION note();
TRUNCATE s;
INSERT INTO s VALUES ('A', 1), ('D', 4), ('e', 5);
SELECT * FROM bulk_sync('whole', 's', '{k}', scope => 'true');
SELECT entry FROM log ORDER BY n;
TRUNCATE log;
SELECT * FROM bulk_sync('whole', 's', '{k}', scope => 'true');
SELECT count(*) FROM log;

-- rows that the trigger suppresses are skipped, or not deleted
CREATE FUNCTION suppress() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER a_suppress INSTEAD OF INSERT OR UPDATE OR DELETE ON whole FOR EACH ROW EXECUTE FUNCTION suppress();
TRUNCATE s;
INSERT INTO s VALUES ('A', 1), ('changed', 4), ('new', 6);
SELECT * FROM bulk_sync('whole', 's', '{k}', scope => 'true');
SELECT * FROM whole ORDER BY k;
DROP TRIGGER a_suppress ON whole;

-- an error in the last row undoes all
TRUNCATE s;
INSERT INTO s VALUES ('changed', 1), ('new', 7), ('bad', 8);
SELECT * FROM bulk_sync('whole', 's', '{k}', scope => 'true');
SELECT * FROM whole ORDER BY k;

-- NULL keys and composite keys, in a view over no unique key at all
CREATE TABLE loose (a int, b text, v int);
CREATE VIEW loose_view AS SELECT a, b, v FROM loose OFFSET 0;
CREATE FUNCTION write_loose() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  CASE tg_op
    WHEN 'INSERT' THEN INSERT INTO loose VALUES (new.a, new.b, new.v);
    WHEN 'UPDATE' THEN UPDATE loose SET v = new.v WHERE a IS NOT DISTINCT FROM old.a AND b IS NOT DISTINCT FROM old.b;
    WHEN 'DELETE' THEN DELETE FROM loose WHERE a IS NOT DISTINCT FROM old.a AND b IS NOT DISTINCT FROM old.b;
  END CASE;
  RETURN CASE tg_op WHEN 'DELETE' THEN old ELSE new END;
END $$;
CREATE TRIGGER write INSTEAD OF INSERT OR UPDATE OR DELETE ON loose_view FOR EACH ROW EXECUTE FUNCTION write_loose();
INSERT INTO loose VALUES (NULL, NULL, 1), (NULL, 'x', 2), (1, NULL, 3), (2, 'gone', 4), (NULL, 'gone', 5);
CREATE TEMPORARY TABLE loose_staged (v int, b text, a int);
INSERT INTO loose_staged VALUES (10, NULL, NULL), (2, 'x', NULL), (30, NULL, 1), (40, '', NULL);
SELECT * FROM bulk_sync('loose_view', 'loose_staged', '{a,b}', scope => 'true');
SELECT * FROM loose ORDER BY v;
SELECT * FROM bulk_sync('loose_view', 'loose_staged', '{a,b}', scope => 'true');
-- one staged row, two rows of the view
INSERT INTO loose VALUES (NULL, 'x', 99);
SELECT * FROM bulk_sync('loose_view', 'loose_staged', '{a,b}', scope => 'true');
SELECT count(*) FROM loose;

-- only the actions that are asked for need their triggers; without them the view cannot be written
CREATE VIEW only_insert AS SELECT a, b, v FROM loose OFFSET 0;
CREATE TRIGGER write INSTEAD OF INSERT ON only_insert FOR EACH ROW EXECUTE FUNCTION write_loose();
DELETE FROM loose WHERE v = 99;
INSERT INTO loose_staged VALUES (50, 'new', 5);
SELECT * FROM bulk_sync('only_insert', 'loose_staged', '{a,b}', scope => 'true');
SELECT * FROM bulk_sync('only_insert', 'loose_staged', '{a,b}', actions => '{insert,update}');
SELECT * FROM bulk_sync('only_insert', 'loose_staged', '{a,b}', actions => '{insert}');
SELECT * FROM loose ORDER BY v;

-- a trigger that writes somewhere else: the next call finds the same to do
CREATE VIEW mirror AS SELECT 1 AS k, 'fixed' AS v;
CREATE FUNCTION write_log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO log (entry) VALUES (concat_ws(' ', tg_op, new)); RETURN new; END $$;
CREATE TRIGGER write INSTEAD OF INSERT OR UPDATE ON mirror FOR EACH ROW EXECUTE FUNCTION write_log();
TRUNCATE log, s;
INSERT INTO s VALUES ('changed', 1), ('new', 2);
SELECT * FROM bulk_sync('mirror', 's', '{k}', actions => '{insert,update}');
SELECT * FROM bulk_sync('mirror', 's', '{k}', actions => '{insert,update}');
SELECT entry FROM log ORDER BY n;

SET client_min_messages = warning;
DROP SCHEMA views_instead_of CASCADE;
DROP TABLE life_staged, s, loose_staged;
