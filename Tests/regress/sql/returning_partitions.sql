-- bulk_sync_returning on partitioned tables and on tables with inheritance children: rows are returned in the shape of the named table,
-- whatever order the partition has its columns in; a row that moves to another partition is one update.
-- Contract 3, 1.1.3, 1.3.8, 1.3.10, 1.5
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA returning_partitions;
SET search_path = returning_partitions, public;
\getenv abs_srcdir PG_ABS_SRCDIR
\set returned :abs_srcdir '/include/returning.sql'
\set ECHO none
\i :returned
\set ECHO all

-- 1. List and range below it; partitions with dropped columns and another order of columns
CREATE TABLE t (k int, g text DEFAULT 'a', v text, d int, n int DEFAULT 5, twice int GENERATED ALWAYS AS (n * 2) STORED) PARTITION BY LIST (g);
ALTER TABLE t DROP d;
CREATE TABLE t_a PARTITION OF t FOR VALUES IN ('a', NULL);
CREATE TABLE t_b (n int DEFAULT 6, x int, twice int GENERATED ALWAYS AS (n * 2) STORED, v text, k int, g text);
ALTER TABLE t_b DROP x;
ALTER TABLE t ATTACH PARTITION t_b FOR VALUES IN ('b');
CREATE TABLE t_c PARTITION OF t FOR VALUES IN ('c') PARTITION BY RANGE (k);
CREATE TABLE t_c_low PARTITION OF t_c FOR VALUES FROM (MINVALUE) TO (10);
CREATE TABLE t_c_high (v text, g text, n int, k int, twice int GENERATED ALWAYS AS (n * 2) STORED);
ALTER TABLE t_c ATTACH PARTITION t_c_high FOR VALUES FROM (10) TO (MAXVALUE);
INSERT INTO t (k, g, v) VALUES (1, 'a', 'stale'), (2, 'b', 'stale'), (11, 'c', 'stale'), (3, 'a', 'moves'), (4, 'b', 'moves'), (12, 'c', 'moves'),
	(5, 'a', 'stays'), (6, 'b', 'stays'), (13, 'c', 'stays'), (7, NULL, 'moves'), (8, 'b', 'same');
CREATE TABLE s (v text, g text, k int);
INSERT INTO s VALUES ('new', 'c', 14), ('moved', 'b', 3), ('moved', 'c', 4), ('moved', 'a', 12), ('stayed', 'a', 5), ('stayed', 'b', 6), ('stayed', 'c', 13),
	('moved', 'b', 7), ('new', 'b', 9), ('new', NULL, 10), ('same', 'b', 8);
SELECT * FROM returned('t', 's', $$'{k}', scope => 'true', include_unchanged => true$$);
SELECT tableoid::regclass, * FROM t ORDER BY k;

-- BEFORE triggers on partitions: rewritten rows (also of the rows that move in), suppressed rows; staged_row stays right
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN RETURN CASE WHEN OLD.k <> 6 THEN OLD END; END IF;
  IF NEW.k = 9 THEN RETURN NULL; END IF;
  NEW.n := 100 + NEW.k; NEW.v := TG_OP || ' ' || TG_TABLE_NAME;
  RETURN NEW;
END $$;
CREATE TRIGGER f BEFORE INSERT OR UPDATE OR DELETE ON t_b FOR EACH ROW EXECUTE FUNCTION f();
CREATE TRIGGER f BEFORE INSERT OR UPDATE OR DELETE ON t_c_high FOR EACH ROW EXECUTE FUNCTION f();
TRUNCATE s;
INSERT INTO s VALUES ('x', 'b', 20), ('x', 'a', 9), ('x', 'b', 10), ('x', 'c', 21), ('x', 'c', 8), ('x', 'c', 12), ('x', 'b', 13), ('x', 'a', 22);
SELECT action, staged_row, key, changed_columns, old->'g' AS old_g, new->'g' AS g, new->'v' AS v, new->'twice' AS twice
	FROM returned('t', 's', $$'{k}', scope => 'true'$$);
SELECT tableoid::regclass, * FROM t ORDER BY k;
DROP TRIGGER f ON t_b;
DROP TRIGGER f ON t_c_high;

-- AFTER triggers that move the row just written to another partition: it is returned as it is stored there
CREATE FUNCTION move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF pg_trigger_depth() = 1 THEN UPDATE t SET g = 'b', n = n + 1 WHERE k = NEW.k; END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER move AFTER INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION move();
TRUNCATE s;
INSERT INTO s VALUES ('y', 'a', 31), ('y', 'c', 12), ('y', 'b', 32), ('y', 'a', 10);
SELECT * FROM returned('t', 's', $$'{k}', actions => '{insert,update}'$$);
SELECT tableoid::regclass, k, g FROM t WHERE v = 'y' ORDER BY k;
DROP TRIGGER move ON t;

-- 2. Hash, with a BEFORE trigger on the whole table and generated ids; ids are paired with the rows sent although each partition inserts its own
CREATE TABLE h (id bigint DEFAULT 0, k int, v text, PRIMARY KEY (k)) PARTITION BY HASH (k);
CREATE SEQUENCE h_ids;
ALTER TABLE h ALTER id SET DEFAULT nextval('h_ids');
CREATE TABLE h_0 PARTITION OF h FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE h_1 (v text, k int NOT NULL, id bigint DEFAULT 0);
ALTER TABLE h ATTACH PARTITION h_1 FOR VALUES WITH (MODULUS 3, REMAINDER 1);
CREATE TABLE h_2 PARTITION OF h FOR VALUES WITH (MODULUS 3, REMAINDER 2);
CREATE FUNCTION h() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.k % 7 = 0 THEN RETURN NULL; END IF; NEW.v := NEW.v || NEW.k; RETURN NEW; END $$;
CREATE TRIGGER h BEFORE INSERT OR UPDATE ON h FOR EACH ROW EXECUTE FUNCTION h();
CREATE TABLE h_staged (k int, v text);
INSERT INTO h_staged SELECT i * 37 % 1009, 'v' FROM generate_series(1, 1000) AS i;
SELECT action, count(*), bool_and(new->>'k' = (staged_row * 37 % 1009)::text) AS paired, bool_and(new->>'v' = 'v' || (new->>'k')) AS rewritten,
       count(DISTINCT new->'id') AS ids
	FROM returned('h', 'h_staged', $$scope => 'true'$$, same => $$to_jsonb(t) - 'id'$$) GROUP BY action;
UPDATE h_staged SET v = 'w', k = k + (k % 2) * 5000;
SELECT r.action, count(*), bool_and(new->>'k' = s.k::text) AS paired, bool_and(new->>'v' = 'w' || (new->>'k')) AS rewritten
	FROM returned('h', 'h_staged', $$scope => 'true'$$, same => $$to_jsonb(t) - 'id'$$) AS r
	LEFT JOIN (SELECT row_number() OVER (ORDER BY ctid) AS staged_row, k FROM h_staged) AS s USING (staged_row) GROUP BY r.action ORDER BY r.action;

-- 3. A partition of a partitioned table as target: its own columns and defaults
TRUNCATE s;
INSERT INTO s VALUES ('z', 'b', 50);
SELECT * FROM returned('t_b', 's', $$'{k}', scope => 'k > 40'$$);

-- 4. Inheritance children take part, in the shape of the parent
CREATE TABLE parent (k int, v text);
CREATE TABLE child (more text DEFAULT 'child''s own') INHERITS (parent);
CREATE TABLE other (v text, extra int, k int);
ALTER TABLE other INHERIT parent;
INSERT INTO parent VALUES (1, 'stale'), (2, 'old');
INSERT INTO child VALUES (3, 'stale'), (4, 'old');
INSERT INTO other VALUES ('stale', 1, 5), ('old', 1, 6), ('same', 1, 7);
CREATE TABLE parent_staged (k int, v text);
INSERT INTO parent_staged VALUES (8, 'new'), (6, 'new'), (4, 'new'), (2, 'new'), (7, 'same');
SELECT * FROM returned('parent', 'parent_staged', $$'{k}', scope => 'true', include_unchanged => true$$);
SELECT tableoid::regclass, * FROM parent ORDER BY k;
-- the same address in parent and child: old and new belong to each other
TRUNCATE parent_staged;
INSERT INTO parent_staged SELECT k, 'newer' FROM parent ORDER BY k DESC;
SELECT staged_row, key, old, new FROM returned('parent', 'parent_staged', $$'{k}', scope => 'true'$$);
-- ... with a trigger on the child that suppresses and rewrites
CREATE FUNCTION child() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.k = 6 THEN RETURN NULL; END IF; NEW.v := 'child'; RETURN NEW; END $$;
CREATE TRIGGER x BEFORE UPDATE ON child FOR EACH ROW EXECUTE FUNCTION child();
CREATE TRIGGER x BEFORE UPDATE ON other FOR EACH ROW EXECUTE FUNCTION child();
UPDATE parent_staged SET v = 'newest';
SELECT action, staged_row, key, old->'v' AS old, new->'v' AS new FROM returned('parent', 'parent_staged', $$'{k}', scope => 'true'$$);

SET client_min_messages = warning;
DROP SCHEMA returning_partitions CASCADE;
