-- Triggers that change, empty or drop the relations of the very call that fired them: that is refused as in any statement
-- (55006), and all is as before. What they do to other tables is done.
-- Contract 1.3.8, 1.4 (what the writes raise); case 286
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA ddl_in_triggers;
SET search_path = ddl_in_triggers, public;

CREATE TABLE t (k int PRIMARY KEY, v text);
CREATE TABLE s (k int, v text);
CREATE VIEW vt AS SELECT * FROM t;
CREATE TABLE other (a int);
INSERT INTO t VALUES (1, 'goes'), (2, 'old'), (3, 'same');
INSERT INTO s VALUES (2, 'new'), (3, 'same'), (4, 'comes');
CREATE TABLE before AS SELECT ctid AS old_ctid, xmin AS old_xmin, k FROM t;
CREATE FUNCTION run() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN EXECUTE TG_ARGV[0]; IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END $$;

-- Each of the statements, in a trigger of each kind: the SQLSTATE of the call on the table and through a view, or its counts.
CREATE FUNCTION attempt(target regclass) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  counts text;
BEGIN
  SELECT r::text INTO counts FROM bulk_sync(target, 's', '{k}', 'true') AS r;
  RAISE SQLSTATE 'UNDO0';
EXCEPTION
  WHEN SQLSTATE 'UNDO0' THEN RETURN counts;
  WHEN OTHERS THEN RETURN SQLSTATE;
END $$;
CREATE FUNCTION with_trigger(statement text, kind text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  outcome text;
BEGIN
  EXECUTE format('CREATE TRIGGER run %s EXECUTE FUNCTION run(%L)', kind, statement);
  outcome := attempt('t') || ' ' || attempt('vt');
  DROP TRIGGER run ON t;
  RETURN outcome;
END $$;
SET client_min_messages = warning;
SELECT statement, with_trigger(statement, 'BEFORE DELETE ON t FOR EACH STATEMENT') AS before_statement,
       with_trigger(statement, 'BEFORE UPDATE ON t FOR EACH ROW') AS before_row
  FROM unnest(ARRAY['ALTER TABLE t ADD z int', 'ALTER TABLE t DROP v', 'ALTER TABLE t ALTER v TYPE varchar(3)', 'ALTER TABLE t ADD CHECK (k > 0)', 'TRUNCATE t',
       'DROP TABLE t CASCADE', 'CREATE INDEX ON t (v)', 'DROP TRIGGER run ON t', 'ALTER TABLE other ADD b int', 'DROP TABLE other', 'CREATE TEMPORARY TABLE made (k int)'])
       WITH ORDINALITY AS u (statement, n) ORDER BY n;
RESET client_min_messages;
-- nothing of it has stayed
SELECT count(*) AS rows, bool_and(t.ctid = old_ctid AND t.xmin = old_xmin) AS untouched FROM t JOIN before USING (k);
SELECT * FROM bulk_sync('t', 's', scope => 'true');

SET client_min_messages = warning;
DROP SCHEMA ddl_in_triggers CASCADE;
