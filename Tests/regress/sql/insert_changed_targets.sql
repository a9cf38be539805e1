-- bulk_insert_changed into every kind of target, and what takes effect there: partitions, inheritance, views, row-level security, triggers,
-- transition tables, constraints. A refused call leaves nothing behind.
-- Contract 5, 1.1.3 (children), 1.1.6, 1.3.8, 1.5 (rows that a trigger suppressed), 1.7
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
CREATE ROLE regress_bulk_sync_shop;
RESET client_min_messages;
CREATE SCHEMA insert_changed_targets;
SET search_path = insert_changed_targets, public;
GRANT USAGE ON SCHEMA insert_changed_targets TO regress_bulk_sync_shop;
CREATE TABLE s (k int, n int, v text);
GRANT SELECT ON s TO regress_bulk_sync_shop;

-- 1. Partitions by the order column: the newest row is the newest of all partitions, and each row goes where it belongs.
CREATE TABLE parted (v text, n int, k int) PARTITION BY RANGE (n);
CREATE TABLE parted_0 PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE TABLE parted_1 (k int, dropped int, n int, v text);
ALTER TABLE parted_1 DROP dropped;
ALTER TABLE parted ATTACH PARTITION parted_1 FOR VALUES FROM (10) TO (20);
INSERT INTO parted VALUES ('a', 9, 1), ('b', 10, 1), ('a', 3, 2);
INSERT INTO s VALUES (1, 8, 'b'), (1, 11, 'b'), (1, 7, 'c'), (1, 12, 'a'), (2, 4, 'a'), (2, 14, 'b'), (2, 15, 'b'), (3, 5, 'x'), (3, 15, 'y');
SELECT * FROM bulk_insert_changed('parted', 's', '{k}', 'n');
SELECT tableoid::regclass AS partition, k, n, v FROM parted ORDER BY k, n;
-- a partition by itself knows its own rows alone: of key 2 the value that the whole table has too, and of key 4 nothing
TRUNCATE s;
INSERT INTO s VALUES (2, 16, 'b'), (4, 16, 'z');
INSERT INTO parted VALUES ('z', 9, 4);
SELECT * FROM bulk_insert_changed('parted_1', 's', '{k}', 'n');
-- ties that lie in several partitions: the one inserted last is the newest, in later calls too
CREATE TABLE listed (k int, n int, v text, part int) PARTITION BY LIST (part);
CREATE TABLE listed_2 PARTITION OF listed FOR VALUES IN (2);
CREATE TABLE listed_1 PARTITION OF listed FOR VALUES IN (1);
CREATE TABLE ties AS SELECT * FROM (VALUES (1, 7, 'a', 1), (1, 7, 'b', 2), (1, 7, 'c', 1), (2, 7, 'a', 2), (2, 7, 'b', 1), (2, 7, 'c', 2)) x (k, n, v, part);
SELECT * FROM bulk_insert_changed('listed', 'ties', '{k}', 'n', '{v}');
DELETE FROM ties WHERE v <> 'c';
SELECT * FROM bulk_insert_changed('listed', 'ties', '{k}', 'n', '{v}');
-- no partition for a row: nothing is written at all
CREATE TABLE before AS SELECT tableoid AS part, ctid AS at, xmin AS by FROM parted;
\set untouched 'SELECT count(*) FILTER (WHERE at IS NULL) AS new, count(*) FILTER (WHERE p.ctid IS NULL) AS gone FROM (SELECT tableoid AS part, ctid, xmin FROM parted) p FULL JOIN before b ON p.part = b.part AND p.ctid = b.at AND p.xmin = b.by;'
TRUNCATE s;
INSERT INTO s VALUES (1, 13, 'new'), (1, 99, 'newer');
\set VERBOSITY sqlstate
SELECT * FROM bulk_insert_changed('parted', 's', '{k}', 'n');
\set VERBOSITY default
:untouched

-- 2. Inheritance: the newest row may be in a child; new ones go into the table that was named.
CREATE TABLE parent (k int, n int, v text);
CREATE TABLE child (extra int) INHERITS (parent);
INSERT INTO parent VALUES (1, 1, 'a'), (2, 9, 'a');
INSERT INTO child VALUES (1, 5, 'b'), (2, 5, 'b');
TRUNCATE s;
INSERT INTO s VALUES (1, 6, 'b'), (1, 7, 'a'), (2, 10, 'a'), (2, 11, 'b');
SELECT * FROM bulk_insert_changed('parent', 's', '{k}', 'n');
SELECT tableoid::regclass AS "table", k, n, v FROM parent ORDER BY k, n;

-- 3. Views: the history is what the view shows; one row that it does not show does not count.
CREATE TABLE base (shop int DEFAULT 7, k int, n int, v text);
CREATE VIEW shop_7 AS SELECT v AS value, n, k FROM base WHERE shop = 7;
INSERT INTO base VALUES (7, 1, 1, 'a'), (8, 1, 9, 'b');
CREATE VIEW staged_view AS SELECT k, n, v AS value FROM s;
TRUNCATE s;
INSERT INTO s VALUES (1, 2, 'a'), (1, 3, 'b'), (1, 4, 'b');
SELECT * FROM bulk_insert_changed('shop_7', 'staged_view', '{k}', 'n');
SELECT * FROM base ORDER BY shop, k, n;
CREATE VIEW low AS SELECT k, n, v FROM base WHERE n < 100 WITH CHECK OPTION;
TRUNCATE s;
INSERT INTO s VALUES (5, 2, 'a'), (5, 200, 'b');
\set VERBOSITY sqlstate
SELECT * FROM bulk_insert_changed('low', 's', '{k}', 'n');
\set VERBOSITY default
SELECT count(*) AS of_5 FROM base WHERE k = 5;
-- INSTEAD OF triggers: a row that one suppressed is not there, and counts as neither
CREATE VIEW joined AS SELECT k, n, v FROM base JOIN (VALUES (7)) x (shop) USING (shop);
CREATE FUNCTION instead() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF new.v = 'suppressed' THEN RETURN NULL; END IF;
	INSERT INTO base (k, n, v) VALUES (new.k, new.n, new.v);
	RETURN new;
END $$;
CREATE TRIGGER instead INSTEAD OF INSERT ON joined FOR EACH ROW EXECUTE FUNCTION instead();
UPDATE s SET n = 20 WHERE n = 200;
INSERT INTO s VALUES (5, 21, 'b'), (5, 22, 'suppressed'), (5, 23, 'b');
SELECT * FROM bulk_insert_changed('joined', 's', '{k}', 'n');
SELECT * FROM base WHERE k = 5 ORDER BY n;
-- staged is any relation: a query, a materialized view, a partitioned table
CREATE TABLE t (k int, n int, v text);
CREATE VIEW latest AS SELECT 1 AS k, n, chr(96 + n / 2) AS v FROM generate_series(6, 2, -1) n;
CREATE MATERIALIZED VIEW kept AS TABLE latest;
SELECT * FROM bulk_insert_changed('t', 'latest', '{k}', 'n');
SELECT * FROM t ORDER BY n;
TRUNCATE t;
SELECT * FROM bulk_insert_changed('t', 'kept', '{k}', 'n');
TRUNCATE t;
SELECT * FROM bulk_insert_changed('t', 'parted', '{k}', 'n');

-- 4. Row-level security: a row that the caller may not see is no part of the history, be it the newest; a row that a policy does not
-- allow is refused, and nothing is written.
CREATE TABLE guarded (shop text DEFAULT current_user, k int, n int, v text);
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON guarded USING (shop = current_user AND n < 1000);
INSERT INTO guarded VALUES ('regress_bulk_sync_shop', 1, 1, 'a'), ('other', 1, 5, 'b'), ('regress_bulk_sync_shop', 2, 2000, 'x');
GRANT SELECT, INSERT ON guarded TO regress_bulk_sync_shop;
TRUNCATE s;
INSERT INTO s VALUES (1, 6, 'a'), (1, 7, 'b'), (2, 1, 'x'), (2, 2, 'x');
SET ROLE regress_bulk_sync_shop;
SELECT * FROM bulk_insert_changed('guarded', 's', '{k}', 'n');
RESET ROLE;
SELECT * FROM guarded ORDER BY shop COLLATE "C", k, n;
INSERT INTO s VALUES (3, 1, 'good'), (3, 5000, 'not allowed');
SET ROLE regress_bulk_sync_shop;
\set VERBOSITY sqlstate
SELECT * FROM bulk_insert_changed('guarded', 's', '{k}', 'n');
SET row_security = off;
SELECT * FROM bulk_insert_changed('guarded', 's', '{k}', 'n');
RESET row_security;
\set VERBOSITY default
RESET ROLE;
SELECT count(*) AS of_3 FROM guarded WHERE k = 3;

-- 5. BEFORE triggers: what counts is the row as it is stored. Here 'B' becomes 'b', and 'none' is suppressed.
CREATE TABLE watched (k int, n int, v text);
CREATE FUNCTION rewrite() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF new.v = 'none' THEN RETURN NULL; END IF;
	new.v := lower(new.v);
	RETURN new;
END $$;
CREATE TRIGGER rewrite BEFORE INSERT ON watched FOR EACH ROW EXECUTE FUNCTION rewrite();
TRUNCATE s;
INSERT INTO s VALUES (1, 1, 'a'), (1, 2, 'B'), (1, 3, 'b'), (1, 4, 'B'), (1, 5, 'none'), (1, 6, 'b'), (1, 7, 'none'), (1, 8, 'c');
SELECT * FROM bulk_insert_changed('watched', 's', '{k}', 'n');
SELECT * FROM watched ORDER BY n;
-- The order column is as it is stored too: rows that are moved to the bottom of the history do not become its newest.
CREATE TABLE moved (k int, n int, v text);
CREATE FUNCTION to_bottom() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN new.n := -new.n; RETURN new; END';
CREATE TRIGGER to_bottom BEFORE INSERT ON moved FOR EACH ROW EXECUTE FUNCTION to_bottom();
TRUNCATE s;
INSERT INTO s VALUES (1, 1, 'a'), (1, 2, 'b'), (1, 3, 'a'), (1, 4, 'b');
SELECT * FROM bulk_insert_changed('moved', 's', '{k}', 'n');
SELECT * FROM moved ORDER BY n;

-- 6. To triggers the call is one INSERT: statement triggers once if a row is planned, and not at all if none is; AFTER triggers see them all.
CREATE TABLE logged (id int GENERATED ALWAYS AS IDENTITY, k int, n int, v text);
CREATE FUNCTION say() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_WHEN = 'AFTER' AND TG_LEVEL = 'STATEMENT' THEN
		RAISE NOTICE 'AFTER statement: %', (SELECT string_agg(k || v, ' ' ORDER BY k, n) FROM new_rows);
	ELSIF TG_LEVEL = 'STATEMENT' THEN
		RAISE NOTICE 'BEFORE statement';
	ELSE
		RAISE NOTICE 'AFTER row: %, of % rows', new.k || new.v, (SELECT count(*) FROM logged);
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER a BEFORE INSERT ON logged EXECUTE FUNCTION say();
CREATE TRIGGER b AFTER INSERT ON logged FOR EACH ROW EXECUTE FUNCTION say();
CREATE TRIGGER c AFTER INSERT ON logged REFERENCING NEW TABLE AS new_rows EXECUTE FUNCTION say();
TRUNCATE s;
INSERT INTO s VALUES (1, 1, 'a'), (1, 2, 'a'), (1, 3, 'b');
SELECT * FROM bulk_insert_changed('logged', 's', '{k}', 'n');
DELETE FROM s WHERE n < 3;
SELECT * FROM bulk_insert_changed('logged', 's', '{k}', 'n');
-- also where the database assigns the order
CREATE TABLE s_unordered AS SELECT 1 AS k, v FROM unnest('{b,c,c,b}'::text[]) v;
SELECT * FROM bulk_insert_changed('logged', 's_unordered', '{k}', 'id');

-- 7. A unique constraint on key and order column: a second value for one moment is 23505, and nothing is written.
CREATE TABLE constrained (k int, n int, v text, UNIQUE (k, n));
INSERT INTO constrained VALUES (1, 1, 'a');
TRUNCATE s;
INSERT INTO s VALUES (1, 1, 'a'), (1, 2, 'b'), (1, 2, 'b');
SELECT * FROM bulk_insert_changed('constrained', 's', '{k}', 'n');
INSERT INTO s VALUES (1, 3, 'c'), (1, 3, 'd'), (2, 1, 'x');
\set VERBOSITY sqlstate
SELECT * FROM bulk_insert_changed('constrained', 's', '{k}', 'n');
SELECT * FROM constrained ORDER BY k, n;
-- late: another value for a moment that is known
TRUNCATE s;
INSERT INTO s VALUES (2, 1, 'x'), (1, 1, 'z');
SELECT * FROM bulk_insert_changed('constrained', 's', '{k}', 'n');
-- foreign keys are checked at the end of the call
CREATE TABLE article (k int PRIMARY KEY);
INSERT INTO article VALUES (1);
ALTER TABLE constrained ADD FOREIGN KEY (k) REFERENCES article;
TRUNCATE s;
INSERT INTO s VALUES (1, 9, 'z'), (2, 1, 'z');
SELECT * FROM bulk_insert_changed('constrained', 's', '{k}', 'n');
\set VERBOSITY default
SELECT * FROM constrained ORDER BY k, n;
-- a rule
CREATE TABLE ruled (k int, n int, v text);
CREATE TABLE audit (v text);
CREATE RULE also AS ON INSERT TO ruled DO ALSO INSERT INTO audit VALUES (new.v);
SELECT * FROM bulk_insert_changed('ruled', 's', '{k}', 'n');
SELECT (SELECT count(*) FROM ruled) AS ruled, (SELECT count(*) FROM audit) AS audit;
CREATE RULE nothing AS ON INSERT TO ruled DO INSTEAD NOTHING;
UPDATE s SET v = 'other';
SELECT * FROM bulk_insert_changed('ruled', 's', '{k}', 'n');
SELECT (SELECT count(*) FROM ruled) AS ruled;

-- 8. One lock, as bulk_sync takes by default, and no stronger one (1.6).
BEGIN;
SELECT inserted FROM bulk_insert_changed('t', 's', '{k}', 'n');
SELECT relation::regclass, mode FROM pg_locks WHERE pid = pg_backend_pid() AND relation IN ('t'::regclass, 's'::regclass) AND mode <> 'RowExclusiveLock' ORDER BY 1, 2;
ROLLBACK;

SET client_min_messages = warning;
DROP SCHEMA insert_changed_targets CASCADE;
DROP ROLE regress_bulk_sync_shop;
