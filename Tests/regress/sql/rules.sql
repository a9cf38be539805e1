-- Rewrite rules on the target take effect as with ordinary DML, for planned rows only, and the counts are of what was
-- really written to the target: what a rule does instead is skipped, or not counted as deleted.
-- Contract 1.3.6, 1.3.8, 1.3.10, 1.5; cases 179, 181
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA rules;
SET search_path = rules, public;

CREATE TABLE t (k int PRIMARY KEY, v text, gone boolean NOT NULL DEFAULT false);
CREATE TABLE s (k int, v text);
CREATE TABLE log (what text, k int, v text);
CREATE TABLE other (k int, v text);
-- 1 is stale, 2 differs, 3 is equal, 4 is new
CREATE FUNCTION fresh() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  ALTER TABLE t DISABLE RULE r;
  DELETE FROM t; DELETE FROM s; DELETE FROM log; DELETE FROM other;
  INSERT INTO t VALUES (1, 'goes'), (2, 'old'), (3, 'same');
  INSERT INTO s VALUES (2, 'new'), (3, 'same'), (4, 'comes');
  ALTER TABLE t ENABLE RULE r;
END $$;

-- INSTEAD NOTHING: nothing is written, nothing counted, and the next call plans it again (case 179)
CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING;
SELECT fresh();
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT k, v FROM t ORDER BY k;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
-- a dry run plans, and asks no rule
SELECT * FROM bulk_sync('t', 's', scope => 'true', dry_run => true);
DROP RULE r ON t;
CREATE RULE r AS ON UPDATE TO t DO INSTEAD NOTHING;
SELECT fresh();
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT k, v FROM t ORDER BY k;
-- a mark is an UPDATE, so that rule holds it up as well
SELECT * FROM bulk_sync('t', 's', scope => 'k < 3', soft_delete_column => 'gone', columns => '{k}', actions => '{delete}');
DROP RULE r ON t;
CREATE RULE r AS ON INSERT TO t DO INSTEAD NOTHING;
SELECT fresh();
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT k, v FROM t ORDER BY k;
DROP RULE r ON t;

-- a table that once had rules is a table like any other (case 181)
SELECT * FROM bulk_sync('t', 's', scope => 'true');

-- DO ALSO: for the rows written, with their old and new values; the equal row is none of them
CREATE RULE r AS ON DELETE TO t DO ALSO INSERT INTO log VALUES ('delete', OLD.k, OLD.v);
SELECT fresh();
CREATE RULE r2 AS ON UPDATE TO t DO ALSO INSERT INTO log VALUES ('update', NEW.k, OLD.v || '>' || NEW.v);
CREATE RULE r3 AS ON INSERT TO t DO ALSO INSERT INTO log VALUES ('insert', NEW.k, NEW.v);
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT * FROM log ORDER BY k;
SELECT k, v FROM t ORDER BY k;
DELETE FROM log;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT * FROM log ORDER BY k;
DROP RULE r ON t;
DROP RULE r2 ON t;
DROP RULE r3 ON t;

-- INSTEAD something else: it happens, and the target's rows do not count
CREATE RULE r AS ON INSERT TO t DO INSTEAD INSERT INTO other VALUES (NEW.k, NEW.v);
SELECT fresh();
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT * FROM other ORDER BY k;
SELECT k, v FROM t ORDER BY k;
DROP RULE r ON t;
-- also if it happens many times over, or to many rows of another table: the sum of the counts is that of the staged rows
CREATE RULE r AS ON INSERT TO t DO INSTEAD INSERT INTO other SELECT NEW.k, NEW.v FROM generate_series(1, 3);
SELECT fresh();
SELECT * FROM bulk_sync('t', 's', scope => 'true');
DROP RULE r ON t;
CREATE RULE r AS ON UPDATE TO t DO INSTEAD UPDATE other SET v = NEW.v;
SELECT fresh();
INSERT INTO other SELECT i, 'old' FROM generate_series(1, 5) i;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
DROP RULE r ON t;
CREATE RULE r AS ON DELETE TO t DO INSTEAD DELETE FROM other;
SELECT fresh();
INSERT INTO other SELECT i, 'old' FROM generate_series(1, 5) i;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT k, v FROM t ORDER BY k;
DROP RULE r ON t;
-- the old way to a soft delete
CREATE RULE r AS ON DELETE TO t DO INSTEAD UPDATE t SET gone = true WHERE t.k = OLD.k;
SELECT fresh();
SELECT * FROM bulk_sync('t', 's', scope => 'NOT gone');
TABLE t ORDER BY k;
SELECT * FROM bulk_sync('t', 's', scope => 'NOT gone');
DROP RULE r ON t;
CREATE RULE r AS ON UPDATE TO t DO INSTEAD INSERT INTO other VALUES (NEW.k, OLD.v || '>' || NEW.v);
SELECT fresh();
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT * FROM other ORDER BY k;
SELECT k, v FROM t ORDER BY k;
DROP RULE r ON t;

-- conditional rules: only the rows that the condition holds for
CREATE RULE r AS ON DELETE TO t WHERE OLD.v = 'keep' DO INSTEAD NOTHING;
SELECT fresh();
CREATE RULE r2 AS ON UPDATE TO t WHERE NEW.v = 'no' DO INSTEAD INSERT INTO other VALUES (NEW.k, NEW.v);
CREATE RULE r3 AS ON INSERT TO t WHERE NEW.v = 'no' DO INSTEAD INSERT INTO other VALUES (NEW.k, NEW.v);
CREATE RULE r4 AS ON INSERT TO t WHERE NEW.v = 'log' DO ALSO INSERT INTO log VALUES ('insert', NEW.k, NEW.v);
INSERT INTO t VALUES (11, 'keep'), (12, 'goes'), (13, 'old');
INSERT INTO s VALUES (13, 'no'), (14, 'no'), (15, 'log');
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT k, v FROM t ORDER BY k;
SELECT * FROM other ORDER BY k;
SELECT * FROM log ORDER BY k;
DROP RULE r ON t;
DROP RULE r2 ON t;
DROP RULE r3 ON t;
DROP RULE r4 ON t;

-- a rule that changes a row planned for later: it is updated in its new version all the same (1.3.10), not passed over
CREATE RULE r AS ON DELETE TO t DO ALSO UPDATE t SET gone = true, v = 'rule' WHERE t.k = 2;
SELECT fresh();
SELECT * FROM bulk_sync('t', 's', scope => 'true');
TABLE t ORDER BY k;
DROP RULE r ON t;

-- a rule may notify; several actions in one rule; a trigger on top: it fires for what reaches the table
CREATE RULE r AS ON UPDATE TO t DO ALSO (NOTIFY rules; INSERT INTO log VALUES ('rule', NEW.k, NEW.v));
SELECT fresh();
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO log VALUES ('trigger', NEW.k, NEW.v); RETURN NEW; END $$;
CREATE TRIGGER x AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION note();
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT * FROM log ORDER BY what;
DROP RULE r ON t;
DROP TRIGGER x ON t;

-- guards come first: a refused call leaves the rule's table alone; and what a rule raises undoes the call
CREATE RULE r AS ON DELETE TO t DO ALSO INSERT INTO log VALUES ('delete', OLD.k, (1 / (OLD.k - 1))::text);
SELECT fresh();
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's', scope => 'true', max_deletes => 0);
SELECT * FROM bulk_sync('t', 's', scope => 'true');
\set VERBOSITY default
SELECT k, v FROM t ORDER BY k;
SELECT count(*) FROM log;
DROP RULE r ON t;

-- thousands of rows through rules, half of them suppressed
CREATE RULE r AS ON INSERT TO t WHERE NEW.k % 2 = 0 DO INSTEAD NOTHING;
SELECT fresh();
CREATE RULE r2 AS ON UPDATE TO t WHERE NEW.k % 2 = 0 DO INSTEAD NOTHING;
CREATE RULE r3 AS ON DELETE TO t WHERE OLD.k % 2 = 0 DO INSTEAD NOTHING;
ALTER TABLE t DISABLE RULE r;
INSERT INTO t SELECT i, 'old' FROM generate_series(1001, 3000) i;
ALTER TABLE t ENABLE RULE r;
DELETE FROM s;
INSERT INTO s SELECT i, 'new' FROM generate_series(2001, 4000) i;
SELECT * FROM bulk_sync('t', 's', scope => 'k > 1000');
SELECT v, count(*), sum(k % 2) AS odd FROM t WHERE k > 1000 GROUP BY v ORDER BY v;

-- rules or not, AFTER triggers and foreign keys wait for all three phases: a boss leaves, the people get a new one
CREATE TABLE emp (k int PRIMARY KEY, boss int CONSTRAINT boss REFERENCES emp, v text);
CREATE TABLE emp_s (k int, boss int, v text);
CREATE TABLE emp_log (seq serial, what text);
CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO emp_log (what)
  SELECT format('%s %s sees %s', TG_OP, TG_LEVEL, string_agg(k::text, ' ' ORDER BY k)) FROM emp;
  RETURN NULL;
END $$;
INSERT INTO emp VALUES (1, NULL, 'old boss'), (2, 1, 'stays'), (3, 1, 'stays');
INSERT INTO emp_s VALUES (2, 9, 'stays'), (3, 2, 'stays'), (9, NULL, 'new boss');
CREATE RULE r AS ON DELETE TO emp DO ALSO INSERT INTO log VALUES ('delete', OLD.k, OLD.v);
CREATE RULE r2 AS ON UPDATE TO emp WHERE NEW.k < 0 DO INSTEAD NOTHING;
CREATE RULE r3 AS ON INSERT TO emp DO ALSO INSERT INTO log VALUES ('insert', NEW.k, NEW.v);
CREATE TRIGGER a AFTER INSERT OR UPDATE OR DELETE ON emp FOR EACH ROW EXECUTE FUNCTION look();
CREATE TRIGGER b AFTER INSERT OR UPDATE OR DELETE ON emp FOR EACH STATEMENT EXECUTE FUNCTION look();
SELECT * FROM bulk_sync('emp', 'emp_s', scope => 'true');
TABLE emp ORDER BY k;
SELECT what FROM emp_log ORDER BY seq;
-- so do foreign-key actions: no kept row is taken by the cascade
ALTER TABLE emp DROP CONSTRAINT boss, ADD CONSTRAINT boss FOREIGN KEY (boss) REFERENCES emp ON DELETE CASCADE;
TRUNCATE emp_s;
INSERT INTO emp_s VALUES (2, 10, 'stays'), (3, 2, 'stays'), (10, NULL, 'newest boss');
SELECT * FROM bulk_sync('emp', 'emp_s', scope => 'true');
TABLE emp ORDER BY k;

SET client_min_messages = warning;
DROP SCHEMA rules CASCADE;
