-- Inheritance parents: children take part as in an UPDATE without ONLY, each row in its own table,
-- even where rows of several tables have one ctid; a child is a target of its own
-- Contract 1.1.3, 1.1.5, 1.3.8; cases 53, 128, 146, 152
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA inheritance;
SET search_path = inheritance, public;
\set VERBOSITY sqlstate

-- The life of a synced table, a line for each step: see the file
\getenv abs_srcdir PG_ABS_SRCDIR
\set life :abs_srcdir '/include/life.sql'
\set ECHO none
\i :life
\set ECHO all

CREATE TABLE parent (k int, g int, v text CONSTRAINT good CHECK (v <> 'bad'));
-- a child with columns of its own, in another order, with dropped ones
CREATE TABLE child_1 (d1 text, own text DEFAULT 'own', v text CONSTRAINT good CHECK (v <> 'bad'), d2 int, g int, k int);
ALTER TABLE child_1 DROP d1, DROP d2;
ALTER TABLE child_1 INHERIT parent;
-- and one with a child of its own
CREATE TABLE child_2 (extra int NOT NULL DEFAULT 5) INHERITS (parent);
CREATE TABLE grandchild () INHERITS (child_2);

-- new rows go to the parent
SELECT * FROM life('parent', 'life_staged');
SELECT count(*) FROM ONLY parent;

-- rows of all four tables with equal ctids; by k % 4 they are deleted (0), changed (1), moved to
-- another group (2) or equal (3)
TRUNCATE parent;
INSERT INTO parent SELECT k, 1, 'parent' FROM generate_series(1, 40) AS k;
INSERT INTO child_1 (k, g, v, own) SELECT k, 1, 'child_1', 'own ' || k FROM generate_series(101, 140) AS k;
INSERT INTO child_2 SELECT k, 1, 'child_2', k FROM generate_series(201, 240) AS k;
INSERT INTO grandchild SELECT k, 1, 'grandchild', k FROM generate_series(301, 340) AS k;
SELECT count(DISTINCT ctid) AS ctids, count(*) AS rows FROM parent;
CREATE TEMPORARY TABLE before AS SELECT tableoid AS t, ctid AS c, xmin AS x, * FROM parent;
CREATE TEMPORARY TABLE s (v text, k int, g int);
INSERT INTO s SELECT CASE k % 4 WHEN 1 THEN 'changed' ELSE v END, k, CASE k % 4 WHEN 2 THEN NULL ELSE g END FROM parent WHERE k % 4 > 0;
INSERT INTO s VALUES ('new', 401, 1), ('new', 402, 1);
SELECT * FROM bulk_sync('parent', 's', '{k}', scope => 'true', dry_run => true);
SELECT * FROM bulk_sync('parent', 's', '{k}', scope => 'true');
SELECT (SELECT count(*) FROM (SELECT ROW(k, g, v)::text FROM parent EXCEPT ALL SELECT ROW(k, g, v)::text FROM s) AS a) AS surplus,
       (SELECT count(*) FROM (SELECT ROW(k, g, v)::text FROM s EXCEPT ALL SELECT ROW(k, g, v)::text FROM parent) AS b) AS missing;
-- each row is in the table it was in, the equal ones are the versions they were
SELECT p.tableoid::regclass AS in_table, min(p.k), max(p.k), count(*), count(b.k) AS same_table, count(*) FILTER (WHERE b.c = p.ctid AND b.x = p.xmin) AS untouched
  FROM parent p LEFT JOIN before AS b ON b.k = p.k AND b.t = p.tableoid GROUP BY 1 ORDER BY 2;
-- what only the children have is as it was
SELECT count(*) FILTER (WHERE own = 'own ' || k) AS own FROM child_1;
SELECT count(*) FILTER (WHERE extra = k) AS extra FROM child_2;
SELECT * FROM bulk_sync('parent', 's', '{k}', scope => 'true');

-- a scope, and a row that would leave it: nothing of any table is written
SELECT inserted, updated, unchanged, deleted FROM bulk_sync('parent', 's', '{k}', scope => 'k BETWEEN 1 AND 500', columns => '{v}');
DROP TABLE before;
CREATE TEMPORARY TABLE before AS SELECT tableoid AS t, ctid AS c, xmin AS x, * FROM parent;
UPDATE s SET v = 'again', g = CASE WHEN k = 303 THEN 2 ELSE g END;
SELECT * FROM bulk_sync('parent', 's', '{k}', scope => 'g = 1 OR g IS NULL');
-- and a constraint that only a child has
ALTER TABLE grandchild ADD CHECK (v <> 'again' OR k <> 339);
SELECT * FROM bulk_sync('parent', 's', '{k}', scope => 'true');
SELECT count(*) = (SELECT count(*) FROM before) AS held, count(b.k) = count(*) AS untouched
  FROM parent p LEFT JOIN before b ON b.t = p.tableoid AND b.c = p.ctid AND b.x = p.xmin;

-- a child as the target: its rows and those of its own child
TRUNCATE s;
INSERT INTO s VALUES ('by the child', 201, 1), ('by the child', 301, 1), ('by the child', 501, 1);
SELECT * FROM bulk_sync('child_2', 's', '{k}', scope => 'true');
SELECT tableoid::regclass AS in_table, * FROM child_2 ORDER BY k;
SELECT count(*) AS others FROM parent WHERE k < 200;

-- one key in parent and child: matched twice; stale twice
TRUNCATE parent;
INSERT INTO parent VALUES (1, 1, 'parent'), (2, 1, 'parent');
INSERT INTO child_1 (k, g, v) VALUES (1, 1, 'child'), (3, 1, 'child');
TRUNCATE s;
INSERT INTO s VALUES ('staged', 1, 1), ('staged', 2, 1);
SELECT * FROM bulk_sync('parent', 's', '{k}', scope => 'true');
SELECT * FROM bulk_sync('child_1', 's', '{k}', scope => 'true');
DELETE FROM child_1 WHERE k = 2;
DELETE FROM s WHERE k = 1;
SELECT * FROM bulk_sync('parent', 's', '{k}', scope => 'true');
SELECT tableoid::regclass AS in_table, * FROM parent ORDER BY k;

-- the primary key of the parent says nothing about its children: a new key that only a child holds is matched
CREATE TABLE person (id int PRIMARY KEY, name text);
CREATE TABLE employee (salary int) INHERITS (person);
INSERT INTO person VALUES (1, 'Ann');
INSERT INTO employee VALUES (2, 'Bob', 100), (3, 'Cid', 200);
CREATE TEMPORARY TABLE person_staged (id int, name text);
INSERT INTO person_staged VALUES (1, 'Anna'), (2, 'Bobby'), (4, 'Dan');
SELECT * FROM bulk_sync('person', 'person_staged', scope => 'true');
SELECT tableoid::regclass AS in_table, * FROM person ORDER BY id;
SELECT * FROM employee ORDER BY id;

-- row triggers are those of the table that holds the row, statement triggers those of the named one
CREATE TABLE log (n int GENERATED ALWAYS AS IDENTITY, entry text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO log (entry) VALUES (concat_ws(' ', tg_when, tg_op, tg_level, 'on', tg_table_name));
  RETURN CASE tg_op WHEN 'DELETE' THEN old ELSE new END;
END $$;
CREATE TRIGGER r BEFORE INSERT OR UPDATE OR DELETE ON employee FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER s AFTER INSERT OR UPDATE OR DELETE ON employee FOR EACH STATEMENT EXECUTE FUNCTION note();
CREATE TRIGGER s AFTER INSERT OR UPDATE OR DELETE ON person FOR EACH STATEMENT EXECUTE FUNCTION note();
UPDATE person_staged SET name = 'Robert' WHERE id = 2;
SELECT * FROM bulk_sync('person', 'person_staged', scope => 'true');
DELETE FROM person_staged WHERE id = 2;
SELECT * FROM bulk_sync('person', 'person_staged', scope => 'true');
SELECT entry FROM log ORDER BY n;

-- a column added to the table: soft delete marks the children's rows too
ALTER TABLE person ADD gone timestamptz;
INSERT INTO employee VALUES (5, 'Eve', 300);
SELECT * FROM bulk_sync('person', 'person_staged', scope => 'true', soft_delete_column => 'gone');
SELECT id, name, gone IS NOT NULL AS gone, salary FROM employee;
INSERT INTO person_staged VALUES (5, 'Eve');
SELECT * FROM bulk_sync('person', 'person_staged', scope => 'true', soft_delete_column => 'gone');
SELECT id, name, gone IS NOT NULL AS gone, salary FROM employee;

SET client_min_messages = warning;
DROP SCHEMA inheritance CASCADE;
DROP TABLE life_staged, before, s, person_staged;
