-- Which columns take part: paired by name whatever their order, a subset, the rest kept or defaulted, columns dropped or
-- added in the middle, and what is refused. Then which columns an UPDATE sets.
-- Contract 1.3.4, 1.3.8 (what an UPDATE sets), 1.0.3, 1.0.4; cases 128, 130, 131, 136
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA columns;
SET search_path = columns, public;

-- Another order, and an extra staged column: refused unless columns leaves it out or it ranks the duplicates.
CREATE TABLE t (a int, k int PRIMARY KEY, b int, c int DEFAULT 9);
CREATE TABLE s (zz int, c int, b int, k int, a int);
INSERT INTO t VALUES (1, 10, 100, 1000), (2, 20, 200, 2000);
INSERT INTO s VALUES (7, 1000, 100, 10, 1), (7, 2001, 201, 20, 21), (7, 3000, 300, 30, 3);
CREATE TABLE before AS SELECT ctid AS old_ctid, xmin AS old_xmin, * FROM t;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT * FROM bulk_sync('t', 's', scope => 'true', columns => '{zz,b}');
SELECT count(*) AS rows, bool_and(t.ctid = old_ctid AND t.xmin = old_xmin) AS untouched FROM t JOIN before USING (k);
BEGIN;
SELECT * FROM bulk_sync('t', 's', scope => 'true', order_column => 'zz');
TABLE t ORDER BY k;
ROLLBACK;
BEGIN;
SELECT * FROM bulk_sync('t', 's', scope => 'true', columns => '{c,k,a}');
-- b is kept on update, NULL on insert
TABLE t ORDER BY k;
ROLLBACK;
BEGIN;
-- the key takes part without being named; c is kept, or takes its default
SELECT * FROM bulk_sync('t', 's', scope => 'true', columns => '{b}');
TABLE t ORDER BY k;
SELECT * FROM bulk_sync('t', 's', scope => 'true', columns => '{b}');
ROLLBACK;
-- the key alone: nothing can change
BEGIN;
SELECT * FROM bulk_sync('t', 's', scope => 'true', columns => '{k}');
TABLE t ORDER BY k;
ROLLBACK;
-- a column that is not synced needs no conversion
ALTER TABLE s ALTER c TYPE text USING 'no number', ADD d point;
SELECT * FROM bulk_sync('t', 's', scope => 'true', columns => '{a,b}', dry_run => true);

\set VERBOSITY sqlstate
-- the lists: empty, a name twice, NULL, a column only the target has, a system column, a name in another case
SELECT * FROM bulk_sync('t', 's', scope => 'true', columns => '{}');
SELECT * FROM bulk_sync('t', 's', scope => 'true', columns => '{a,a}');
SELECT * FROM bulk_sync('t', 's', scope => 'true', columns => '{a,NULL}');
SELECT * FROM bulk_sync('t', 's', scope => 'true', columns => '{nonesuch}');
SELECT * FROM bulk_sync('t', 's', scope => 'true', columns => '{ctid}');
SELECT * FROM bulk_sync('t', 's', scope => 'true', columns => '{A}');
SELECT * FROM bulk_sync('t', 's', scope => 'true', columns => '{"\"a\""}');
ALTER TABLE s DROP c;
SELECT * FROM bulk_sync('t', 's', scope => 'true', columns => '{c}');
-- the key is not staged; the key is not among the target's columns
SELECT * FROM bulk_sync('t', 's', '{c}', scope => 'true');
SELECT * FROM bulk_sync('t', 's', '{zz}', scope => 'true', columns => '{a}');
-- a dropped column is none
ALTER TABLE t DROP b;
SELECT * FROM bulk_sync('t', 's', scope => 'true', columns => '{b}');
SELECT * FROM bulk_sync('t', 's', '{........pg.dropped.3........}', scope => 'true');
SELECT * FROM bulk_sync('t', 's', scope => 'true', columns => '{........pg.dropped.3........}');
\set VERBOSITY default

-- Columns dropped in the middle on both sides, and columns added with a default that no row stores.
CREATE TABLE d (x int, k int, gone text, v text, gone2 int, w int, PRIMARY KEY (k));
INSERT INTO d VALUES (0, 1, 'g', 'a', 1, 11), (0, 2, 'g', 'b', 2, 22), (0, 3, 'g', 'c', 3, 33);
ALTER TABLE d DROP x, DROP gone, DROP gone2, ADD added int NOT NULL DEFAULT 5, ADD added_text text DEFAULT 'five';
CREATE TABLE ds (x text, w int, y text, k int, v text);
INSERT INTO ds VALUES ('x', 11, 'y', 1, 'a'), ('x', 22, 'y', 2, 'B'), ('x', 44, 'y', 4, 'd');
ALTER TABLE ds DROP x, DROP y, ADD added_text text DEFAULT 'five';
BEGIN;
SELECT * FROM bulk_sync('d', 'ds', scope => 'true');
TABLE d ORDER BY k;
SELECT * FROM bulk_sync('d', 'ds', scope => 'true');
ROLLBACK;
-- staged and stored, the value of the added column is equal where the rows lack it
ALTER TABLE ds ADD added int DEFAULT 5;
INSERT INTO ds VALUES (33, 3, 'c', 'six', 6);
SELECT * FROM bulk_sync('d', 'ds', scope => $$added_text = 'five' OR k = 3$$);
TABLE d ORDER BY k;
SELECT * FROM bulk_sync('d', 'ds', scope => 'true');

-- One column that is the key: rows come and go.
CREATE TABLE one (k text PRIMARY KEY);
CREATE TABLE one_s (k text);
INSERT INTO one VALUES ('a'), ('b');
INSERT INTO one_s VALUES ('b'), ('c');
SELECT * FROM bulk_sync('one', 'one_s', scope => 'true');
TABLE one ORDER BY k;
-- all columns are the key
CREATE TABLE pair (a int, b int);
CREATE TABLE pair_s (b int, a int);
INSERT INTO pair VALUES (1, NULL), (1, 2);
INSERT INTO pair_s VALUES (NULL, 1), (3, 1);
SELECT * FROM bulk_sync('pair', 'pair_s', '{a,b}', scope => 'true');
TABLE pair ORDER BY a, b;

-- 1,600 columns, the most a table can have, the changed one last.
DO $$BEGIN
  EXECUTE (SELECT format('CREATE TABLE wide (%s)', string_agg(format('c%s int', i), ', ')) FROM generate_series(1, 1600) i);
END $$;
CREATE TABLE wide_s (LIKE wide);
INSERT INTO wide (c1, c2, c1600) VALUES (1, 2, 3), (2, 2, 3);
INSERT INTO wide_s (c1, c2, c1600) VALUES (1, 2, 4), (2, 2, 3), (3, 2, 3);
SELECT * FROM bulk_sync('wide', 'wide_s', '{c1}', scope => 'true');
SELECT c1, c2, c1599, c1600 FROM wide ORDER BY c1;

-- What an UPDATE sets, as triggers on single columns see it: the synced columns that the call may write, changed or not;
-- a generated column with what it is made of; not insert-only columns, not the rest; the key only when its image changes.
CREATE TABLE u (k numeric PRIMARY KEY, plain int, ins int, touch int, fill int, keep int, aside int,
                made int GENERATED ALWAYS AS (plain + 1) STORED, made_aside int GENERATED ALWAYS AS (aside + 1) STORED);
CREATE TABLE us (k numeric, plain int, ins int, touch int, fill int, keep int);
CREATE TABLE fired (name text);
CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS
  $$BEGIN INSERT INTO fired VALUES (replace(TG_NAME, 'of_', '')); RETURN NEW; END $$;
DO $$DECLARE c text; BEGIN
  FOREACH c IN ARRAY '{k,plain,ins,touch,fill,keep,aside,made,made_aside}'::text[] LOOP
    EXECUTE format('CREATE TRIGGER of_%1$s AFTER UPDATE OF %1$s ON u FOR EACH ROW EXECUTE FUNCTION fire()', c);
  END LOOP;
END $$;
INSERT INTO u VALUES (1.0, 1, 1, 1, 1, 1, 1);
INSERT INTO us VALUES (1.0, 2, 2, 2, 2, NULL);
BEGIN;
SELECT * FROM bulk_sync('u', 'us', scope => 'true', insert_only_columns => '{ins}', touch_columns => '{touch}',
                        fill_columns => '{fill}', keep_columns => '{keep}');
SELECT name, count(*) FROM fired GROUP BY name ORDER BY name;
TABLE u;
ROLLBACK;
-- the image of the key differs, and nothing else
UPDATE us SET k = 1.00, plain = 1;
BEGIN;
SELECT * FROM bulk_sync('u', 'us', scope => 'true', columns => '{plain}');
SELECT name, count(*) FROM fired GROUP BY name ORDER BY name;
SELECT k, plain, made FROM u;
ROLLBACK;
-- only what is synced
UPDATE us SET k = 1.0;
BEGIN;
SELECT * FROM bulk_sync('u', 'us', scope => 'true', columns => '{touch,keep,fill}', fill_columns => '{fill}');
SELECT name, count(*) FROM fired GROUP BY name ORDER BY name;
ROLLBACK;

-- The image of one part of a key differs in one row: every update of the call sets that part. Where none differs, none is set.
CREATE TABLE parts (a numeric, b int, v int, PRIMARY KEY (a, b));
CREATE TABLE parts_s (LIKE parts);
INSERT INTO parts VALUES (1.0, 1, 1), (2.0, 2, 2);
INSERT INTO parts_s VALUES (1.00, 1, 10), (2.0, 2, 20);
CREATE TRIGGER of_a AFTER UPDATE OF a ON parts FOR EACH ROW EXECUTE FUNCTION fire();
CREATE TRIGGER of_b AFTER UPDATE OF b ON parts FOR EACH ROW EXECUTE FUNCTION fire();
BEGIN;
SELECT * FROM bulk_sync('parts', 'parts_s', scope => 'true');
SELECT name, count(*) FROM fired GROUP BY name ORDER BY name;
ROLLBACK;
UPDATE parts_s SET a = 1.0 WHERE b = 1;
BEGIN;
SELECT * FROM bulk_sync('parts', 'parts_s', scope => 'true');
SELECT name, count(*) FROM fired GROUP BY name ORDER BY name;
ROLLBACK;

SET client_min_messages = warning;
DROP SCHEMA columns CASCADE;
