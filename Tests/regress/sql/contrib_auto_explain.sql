-- Every inner statement of a call is explained and logged (to the server's log): that changes no result, and no call
-- fails for it. What such a log shows of the staged rows is not looked at here.
-- Contract 1.5; case 188
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
LOAD 'auto_explain';
RESET client_min_messages;
CREATE SCHEMA contrib_auto_explain;
SET search_path = contrib_auto_explain, public;
SET auto_explain.log_min_duration = 0;
SET auto_explain.log_nested_statements = on;
SET auto_explain.log_analyze = on;
SET auto_explain.log_buffers = on;
SET auto_explain.log_wal = on;
SET auto_explain.log_triggers = on;
SET auto_explain.log_verbose = on;
SET auto_explain.log_settings = on;

CREATE TABLE t (k int PRIMARY KEY, g int, v text, up int REFERENCES t, gone timestamptz);
CREATE TABLE s (k int, g int, v text, up text);
CREATE TABLE p (k int, g int, v text, up int, gone timestamptz) PARTITION BY LIST (g);
CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
CREATE TABLE p2 PARTITION OF p DEFAULT;
CREATE VIEW vt AS SELECT * FROM t;
CREATE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM count(*) FROM t;
  IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
  RETURN NEW;
END $$;
INSERT INTO t SELECT i, i % 3, 'old' FROM generate_series(1, 30) i;
INSERT INTO p TABLE t;
INSERT INTO s SELECT i, i % 2, CASE WHEN i % 4 > 0 THEN 'old' ELSE 'new' END, i FROM generate_series(11, 40) i;

-- the same calls with and without, each undone again
CREATE TABLE calls (n int, call text);
INSERT INTO calls VALUES
  (1, $$'t', 's', scope => 'true'$$),
  (2, $$'t', 's', scope => 'g = 1', columns => '{v}', actions => '{update,delete}'$$),
  (3, $$'t', 's', scope => 'true', soft_delete_column => 'gone'$$),
  (4, $$'p', 's', '{k}', scope => 'true', scope_columns => '{g}'$$),
  (5, $$'vt', 's', '{k}', scope => 'true'$$),
  (6, $$'t', 's', scope => 'true', dry_run => true$$),
  (7, $$'t', 's', actions => '{insert}', ignore_conflicts => true$$),
  (8, $$'t', 's', scope => 'true', max_deletes => 1$$),
  (9, $$'t', 's', '{g}', scope => 'true'$$),
  (10, $$'t', 's', scope => 'true', update_where => 'target.k IN (SELECT k FROM s)'$$);
CREATE FUNCTION outcome(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  counts text;
BEGIN
  EXECUTE format('SELECT r::text FROM bulk_sync(%s) AS r', call) INTO counts;
  RAISE SQLSTATE 'UNDO0';
EXCEPTION
  WHEN SQLSTATE 'UNDO0' THEN RETURN counts;
  WHEN OTHERS THEN RETURN SQLSTATE;
END $$;
CREATE TABLE explained AS SELECT n, outcome(call) AS outcome FROM calls;
CREATE TRIGGER pass BEFORE INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION pass();
CREATE TABLE explained_with_trigger AS SELECT n, outcome(call) AS outcome FROM calls;
DROP TRIGGER pass ON t;
SET auto_explain.log_min_duration = -1;
SELECT n, outcome(call) AS outcome, outcome(call) = e.outcome AS same, e.outcome = t.outcome AS same_with_trigger
  FROM calls JOIN explained AS e USING (n) JOIN explained_with_trigger AS t USING (n) ORDER BY n;

SET client_min_messages = warning;
DROP SCHEMA contrib_auto_explain CASCADE;
