-- Transition tables hold every row of their phase, once: also with thousands of rows, soft delete, several triggers,
-- partitions and inheritance children, and not those of another phase or of a suppressed row.
-- Contract 1.3.6, 1.3.8, 1.3.9; case 172
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA transition_tables;
SET search_path = transition_tables, public;

CREATE TABLE t (k int PRIMARY KEY, v text, gone timestamptz);
CREATE TABLE s (k int, v text);
CREATE TABLE log (seq serial, what text, n bigint, keys bigint, lo int, hi int, vs text);
CREATE FUNCTION old_rows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO log (what, n, keys, lo, hi, vs)
  SELECT concat_ws(' ', TG_OP, TG_LEVEL, 'old'), count(*), count(DISTINCT k), min(k), max(k), string_agg(DISTINCT v, ',' ORDER BY v) FROM old_rows;
  RETURN NULL;
END $$;
CREATE FUNCTION new_rows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO log (what, n, keys, lo, hi, vs)
  SELECT concat_ws(' ', TG_OP, TG_LEVEL, 'new'), count(*), count(DISTINCT k), min(k), max(k), string_agg(DISTINCT v, ',' ORDER BY v) FROM new_rows;
  RETURN NULL;
END $$;
CREATE TRIGGER d AFTER DELETE ON t REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION old_rows();
CREATE TRIGGER u1 AFTER UPDATE ON t REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION old_rows();
CREATE TRIGGER u2 AFTER UPDATE ON t REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION new_rows();
CREATE TRIGGER i AFTER INSERT ON t REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION new_rows();

-- six inserts: the trigger sees six rows (case 172)
INSERT INTO s SELECT i, 'v' FROM generate_series(1, 6) i;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT * FROM log ORDER BY seq;

-- several thousand rows of each kind, unchanged ones among them
DELETE FROM t;
INSERT INTO t SELECT i, 'old' FROM generate_series(1, 9000) i;
TRUNCATE s;
INSERT INTO s SELECT i, CASE WHEN i <= 6000 THEN 'new' WHEN i <= 9000 THEN 'old' ELSE 'comes' END FROM generate_series(3001, 12500) i;
TRUNCATE log RESTART IDENTITY;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT * FROM log ORDER BY seq;

-- soft delete: the marked rows and the updated ones are one set, revived ones too, and no DELETE is seen
TRUNCATE t, s;
INSERT INTO t SELECT i, 'old', CASE WHEN i > 8000 THEN 'epoch'::timestamptz END FROM generate_series(1, 9000) i;
INSERT INTO s SELECT i, CASE WHEN i <= 4000 THEN 'new' ELSE 'old' END FROM generate_series(2001, 8500) i;
TRUNCATE log RESTART IDENTITY;
SELECT * FROM bulk_sync('t', 's', scope => 'true', soft_delete_column => 'gone');
SELECT * FROM log ORDER BY seq;

-- what the tables hold: the row before, and the row as a BEFORE trigger and a generated column left it; a suppressed row in neither
CREATE TABLE g (k int PRIMARY KEY, v text, twice text GENERATED ALWAYS AS (v || v) STORED, d text DEFAULT 'default');
CREATE TABLE g_log (seq serial, what text, k int, v text, twice text, d text);
CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.v = 'no' THEN RETURN NULL; END IF;
  NEW.v := upper(NEW.v);
  RETURN NEW;
END $$;
CREATE FUNCTION g_old() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO g_log (what, k, v, twice, d) SELECT TG_OP || ' old', k, v, twice, d FROM o ORDER BY k; RETURN NULL; END $$;
CREATE FUNCTION g_new() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO g_log (what, k, v, twice, d) SELECT TG_OP || ' new', k, v, twice, d FROM n ORDER BY k; RETURN NULL; END $$;
INSERT INTO g VALUES (1, 'a', DEFAULT, 'x'), (2, 'b', DEFAULT, 'x'), (3, 'c', DEFAULT, 'x');
CREATE TRIGGER b BEFORE INSERT OR UPDATE ON g FOR EACH ROW EXECUTE FUNCTION change();
CREATE TRIGGER d1 AFTER DELETE ON g REFERENCING OLD TABLE AS o FOR EACH STATEMENT EXECUTE FUNCTION g_old();
CREATE TRIGGER u1 AFTER UPDATE ON g REFERENCING OLD TABLE AS o FOR EACH STATEMENT EXECUTE FUNCTION g_old();
CREATE TRIGGER u2 AFTER UPDATE ON g REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION g_new();
CREATE TRIGGER i1 AFTER INSERT ON g REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION g_new();
TRUNCATE s;
INSERT INTO s VALUES (2, 'bb'), (3, 'no'), (4, 'dd'), (5, 'no');
SELECT * FROM bulk_sync('g', 's', scope => 'true');
SELECT what, k, v, twice, d FROM g_log ORDER BY seq;
-- nothing but suppressed rows: the triggers fire, the tables are empty
DELETE FROM s WHERE k <> 5;
INSERT INTO s VALUES (2, 'BB'), (3, 'no'), (4, 'DD');
TRUNCATE g_log;
SELECT * FROM bulk_sync('g', 's', scope => 'true');
SELECT what, k FROM g_log ORDER BY seq;

-- a row trigger may have transition tables too: at the end of the call each event sees the whole phase
CREATE TABLE r (k int PRIMARY KEY, v text);
CREATE TRIGGER i AFTER INSERT ON r REFERENCING NEW TABLE AS new_rows FOR EACH ROW EXECUTE FUNCTION new_rows();
CREATE TRIGGER u AFTER UPDATE ON r REFERENCING NEW TABLE AS new_rows FOR EACH ROW EXECUTE FUNCTION new_rows();
INSERT INTO r VALUES (1, 'old'), (2, 'old');
TRUNCATE s;
INSERT INTO s VALUES (1, 'new'), (2, 'new'), (3, 'comes'), (4, 'comes');
TRUNCATE log RESTART IDENTITY;
SELECT * FROM bulk_sync('r', 's', scope => 'true');
SELECT * FROM log ORDER BY seq;

-- partitions of another column order: the rows arrive in the shape of the named table; a moved row is one old and one new
CREATE TABLE p (k int, v text, PRIMARY KEY (k, v)) PARTITION BY LIST (v);
CREATE TABLE p_old (v text NOT NULL, junk int, k int NOT NULL);
ALTER TABLE p_old DROP COLUMN junk;
ALTER TABLE p ATTACH PARTITION p_old FOR VALUES IN ('old');
CREATE TABLE p_new PARTITION OF p DEFAULT;
CREATE TRIGGER d AFTER DELETE ON p REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION old_rows();
CREATE TRIGGER u1 AFTER UPDATE ON p REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION old_rows();
CREATE TRIGGER u2 AFTER UPDATE ON p REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION new_rows();
CREATE TRIGGER i AFTER INSERT ON p REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION new_rows();
INSERT INTO p SELECT i, 'old' FROM generate_series(1, 300) i;
TRUNCATE s;
INSERT INTO s SELECT i, CASE WHEN i <= 200 THEN 'new' ELSE 'old' END FROM generate_series(101, 400) i;
TRUNCATE log RESTART IDENTITY;
SELECT * FROM bulk_sync('p', 's', '{k}', scope => 'true');
SELECT * FROM log ORDER BY seq;
SELECT tableoid::regclass, count(*) FROM p GROUP BY tableoid ORDER BY tableoid::regclass::text;

-- inheritance children: their rows are in the tables of the parent's triggers
CREATE TABLE parent (k int, v text);
CREATE TABLE child (extra int) INHERITS (parent);
CREATE TRIGGER d AFTER DELETE ON parent REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION old_rows();
CREATE TRIGGER u AFTER UPDATE ON parent REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION new_rows();
INSERT INTO parent SELECT i, 'old' FROM generate_series(1, 10) i;
INSERT INTO child SELECT i, 'old', 7 FROM generate_series(11, 20) i;
TRUNCATE s;
INSERT INTO s SELECT i, 'new' FROM generate_series(6, 15) i;
TRUNCATE log RESTART IDENTITY;
SELECT * FROM bulk_sync('parent', 's', '{k}', scope => 'true');
SELECT * FROM log ORDER BY seq;
SELECT tableoid::regclass, count(*), min(k), max(k) FROM parent GROUP BY tableoid ORDER BY tableoid::regclass::text;

SET client_min_messages = warning;
DROP SCHEMA transition_tables CASCADE;
