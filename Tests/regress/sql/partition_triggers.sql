-- Triggers of a partitioned table: those of a moving row fire as in an UPDATE, those of the leaf
-- decide what is written there, statement triggers fire on the named table and not on the leaves
-- Contract 1.3.6, 1.3.8, 1.5; cases 145, 166, 172
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA partition_triggers;
SET search_path = partition_triggers, public;
\set VERBOSITY sqlstate

CREATE TABLE log (n int GENERATED ALWAYS AS IDENTITY, entry text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO log (entry) VALUES (concat_ws(' ', tg_when, tg_op, tg_level, 'on', tg_table_name,
    CASE WHEN tg_level = 'ROW' THEN CASE tg_op WHEN 'INSERT' THEN to_jsonb(new)->>'k' ELSE to_jsonb(old)->>'k' END END));
  RETURN CASE tg_op WHEN 'DELETE' THEN old ELSE new END;
END $$;
-- triggers of the parent, which every leaf has, and some of the leaves' own
CREATE TABLE t (k int, g text, v text) PARTITION BY LIST (g);
CREATE TABLE t_a PARTITION OF t FOR VALUES IN ('a');
CREATE TABLE t_b (v text, d int, g text, k int);
ALTER TABLE t_b DROP d;
ALTER TABLE t ATTACH PARTITION t_b FOR VALUES IN ('b');
CREATE TRIGGER r_before BEFORE INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER r_after AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER s_before BEFORE INSERT OR UPDATE OR DELETE ON t FOR EACH STATEMENT EXECUTE FUNCTION note();
CREATE TRIGGER s_after AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH STATEMENT EXECUTE FUNCTION note();
CREATE TRIGGER leaf_statement AFTER INSERT OR UPDATE OR DELETE ON t_a FOR EACH STATEMENT EXECUTE FUNCTION note();
CREATE TRIGGER leaf_row BEFORE INSERT OR UPDATE OR DELETE ON t_b FOR EACH ROW EXECUTE FUNCTION note();
CREATE TEMPORARY TABLE s (k int, g text, v text);

-- first load
INSERT INTO s VALUES (1, 'a', 'x'), (2, 'b', 'x');
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
SELECT entry FROM log ORDER BY n;

-- nothing to do: no trigger at all, no statement trigger either
TRUNCATE log;
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
SELECT entry FROM log ORDER BY n;

-- one row moves: as an UPDATE does it
UPDATE s SET g = 'b' WHERE k = 1;
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
CREATE TEMPORARY TABLE by_sync AS SELECT row_number() OVER (ORDER BY n) AS n, entry FROM log;
SELECT entry FROM by_sync ORDER BY n;
UPDATE t SET g = 'a' WHERE k = 1;
TRUNCATE log;
UPDATE t SET k = 1, g = 'b', v = 'x' WHERE k = 1;
CREATE TEMPORARY TABLE by_update AS SELECT row_number() OVER (ORDER BY n) AS n, entry FROM log;
SELECT n, s.entry AS by_sync, u.entry AS by_update
  FROM by_sync s FULL JOIN by_update u USING (n) WHERE s.entry IS DISTINCT FROM u.entry ORDER BY n;

-- a row is deleted, one moves, one is new: BEFORE triggers in their phase; AFTER triggers when all
-- phases are done, the rows' in the order of the phases, then the statements'
TRUNCATE log;
DELETE FROM s WHERE k = 2;
UPDATE s SET g = 'a' WHERE k = 1;
INSERT INTO s VALUES (3, 'b', 'x');
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
SELECT entry FROM log ORDER BY n;
SELECT tableoid::regclass AS leaf, * FROM t ORDER BY k;

-- transition tables of the named table hold the rows of all leaves, in the parent's columns: a
-- moved row is in the OLD and NEW TABLE of the update (its leaf's delete and insert are no statements)
DROP TRIGGER r_before ON t;
DROP TRIGGER r_after ON t;
DROP TRIGGER s_before ON t;
DROP TRIGGER s_after ON t;
DROP TRIGGER leaf_statement ON t_a;
DROP TRIGGER leaf_row ON t_b;
CREATE FUNCTION note_table() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  held text := '';
BEGIN
  IF tg_op <> 'INSERT' THEN held := held || ' old ' || (SELECT string_agg(old_table::text, ' ' ORDER BY k) FROM old_table); END IF;
  IF tg_op <> 'DELETE' THEN held := held || ' new ' || (SELECT string_agg(new_table::text, ' ' ORDER BY k) FROM new_table); END IF;
  INSERT INTO log (entry) VALUES (tg_op || held);
  RETURN NULL;
END $$;
CREATE TRIGGER i AFTER INSERT ON t REFERENCING NEW TABLE AS new_table FOR EACH STATEMENT EXECUTE FUNCTION note_table();
CREATE TRIGGER u AFTER UPDATE ON t REFERENCING OLD TABLE AS old_table NEW TABLE AS new_table FOR EACH STATEMENT EXECUTE FUNCTION note_table();
CREATE TRIGGER d AFTER DELETE ON t REFERENCING OLD TABLE AS old_table FOR EACH STATEMENT EXECUTE FUNCTION note_table();
INSERT INTO t VALUES (5, 'a', 'x'), (6, 'b', 'x');
TRUNCATE log, s;
INSERT INTO s VALUES (1, 'b', 'moved'), (3, 'b', 'changed'), (5, 'a', 'x'), (7, 'a', 'new'), (8, 'b', 'new');
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
SELECT entry FROM log ORDER BY n;
DROP TRIGGER i ON t;
DROP TRIGGER u ON t;
DROP TRIGGER d ON t;

-- BEFORE triggers of a leaf change what is stored there, also for rows that move in
CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.v := upper(new.v); RETURN new; END $$;
CREATE TRIGGER shout BEFORE INSERT ON t_a FOR EACH ROW EXECUTE FUNCTION shout();
TRUNCATE s;
INSERT INTO s VALUES (1, 'a', 'in'), (3, 'b', 'changed'), (5, 'a', 'x'), (7, 'a', 'new'), (8, 'b', 'new'), (9, 'a', 'in');
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
SELECT tableoid::regclass AS leaf, * FROM t ORDER BY k;
DROP TRIGGER shout ON t_a;

-- and they suppress rows: a leaf that keeps its rows, and takes no new ones, makes skipped rows
CREATE FUNCTION suppress() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER keep BEFORE DELETE ON t_b FOR EACH ROW EXECUTE FUNCTION suppress();
CREATE TRIGGER refuse BEFORE INSERT ON t_b FOR EACH ROW EXECUTE FUNCTION suppress();
TRUNCATE s;
-- 1 and 9 come in changed; 3 would leave the leaf, 8 would be deleted, 10 would be new in it; 11 is new elsewhere
INSERT INTO s VALUES (1, 'a', 'changed'), (3, 'a', 'moved'), (5, 'a', 'x'), (7, 'a', 'new'), (9, 'a', 'changed'), (10, 'b', 'new'), (11, 'a', 'new');
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
SELECT tableoid::regclass AS leaf, * FROM t ORDER BY k;
DROP TRIGGER keep ON t_b;
DROP TRIGGER refuse ON t_b;

-- a trigger that sends a row out of its leaf is PostgreSQL's own error, all as before: 23514 for a
-- leaf's trigger, 0A000 for one of the parent
CREATE FUNCTION divert() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.g := 'b'; RETURN new; END $$;
CREATE TRIGGER divert BEFORE INSERT ON t_a FOR EACH ROW EXECUTE FUNCTION divert();
CREATE TEMPORARY TABLE before AS SELECT tableoid AS t, ctid AS c, xmin AS x, * FROM t;
TRUNCATE s;
INSERT INTO s VALUES (1, 'a', 'again'), (12, 'a', 'new');
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
DROP TRIGGER divert ON t_a;
CREATE TRIGGER divert BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION divert();
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
DROP TRIGGER divert ON t;
SELECT count(*) = (SELECT count(*) FROM before) AS held, count(b.k) = count(*) AS untouched
  FROM t LEFT JOIN before b ON b.t = t.tableoid AND b.c = t.ctid AND b.x = t.xmin;

-- a foreign key to a partitioned table follows the row that moves; its action takes the deleted one
CREATE TABLE parent (k int, g text, v text, PRIMARY KEY (k, g)) PARTITION BY LIST (g);
CREATE TABLE parent_a PARTITION OF parent FOR VALUES IN ('a');
CREATE TABLE parent_b PARTITION OF parent FOR VALUES IN ('b');
CREATE TABLE child (k int, g text, FOREIGN KEY (k, g) REFERENCES parent ON UPDATE CASCADE ON DELETE CASCADE);
INSERT INTO parent VALUES (1, 'a', 'x'), (2, 'a', 'x'), (3, 'b', 'x');
INSERT INTO child VALUES (1, 'a'), (2, 'a'), (3, 'b');
TRUNCATE s;
INSERT INTO s VALUES (1, 'b', 'x'), (3, 'b', 'changed');
SELECT * FROM bulk_sync('parent', 's', '{k}', scope => 'true');
SELECT tableoid::regclass AS leaf, * FROM parent ORDER BY k;
SELECT * FROM child ORDER BY k;

SET client_min_messages = warning;
DROP SCHEMA partition_triggers CASCADE;
DROP TABLE s, by_sync, by_update, before;
