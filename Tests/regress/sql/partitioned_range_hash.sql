-- Several levels of partitions: range, then hash or list, leaves with their columns elsewhere and
-- with dropped columns, DEFAULT partitions, and a thousand rows that stay, change, move, come and go
-- Contract 1.1.4, 1.3.1, 1.3.8, 1.5; cases 1, 2, 53, 128, 145, 146, 148, 151
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA partitioned_range_hash;
SET search_path = partitioned_range_hash, public;
\set VERBOSITY sqlstate

CREATE TABLE event (id int NOT NULL, at date, kind text, note text, amount numeric DEFAULT 7) PARTITION BY RANGE (at);
-- by hash below the first range
CREATE TABLE event_2024 PARTITION OF event FOR VALUES FROM ('2024-01-01') TO ('2025-01-01') PARTITION BY HASH (id);
CREATE TABLE event_2024_0 PARTITION OF event_2024 FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE event_2024_1 (amount numeric, note text, d1 text, kind text, at date, id int NOT NULL);
ALTER TABLE event_2024_1 DROP d1;
ALTER TABLE event_2024 ATTACH PARTITION event_2024_1 FOR VALUES WITH (MODULUS 3, REMAINDER 1);
CREATE TABLE event_2024_2 (d1 int, id int NOT NULL, d2 int, note text, kind text, at date, amount numeric);
ALTER TABLE event_2024_2 DROP d1, DROP d2;
ALTER TABLE event_2024 ATTACH PARTITION event_2024_2 FOR VALUES WITH (MODULUS 3, REMAINDER 2);
-- by list below the second, whose own columns are elsewhere, then by range again
CREATE TABLE event_2025 (kind text, d1 text, note text, id int NOT NULL, amount numeric, at date) PARTITION BY LIST (kind);
ALTER TABLE event_2025 DROP d1;
CREATE TABLE event_2025_a (note text, kind text, amount numeric, at date, id int NOT NULL) PARTITION BY RANGE (id);
CREATE TABLE event_2025_a_low PARTITION OF event_2025_a FOR VALUES FROM (MINVALUE) TO (500);
CREATE TABLE event_2025_a_high (at date, id int NOT NULL, amount numeric, note text, kind text);
ALTER TABLE event_2025_a ATTACH PARTITION event_2025_a_high FOR VALUES FROM (500) TO (MAXVALUE);
ALTER TABLE event_2025 ATTACH PARTITION event_2025_a FOR VALUES IN ('a');
CREATE TABLE event_2025_other PARTITION OF event_2025 DEFAULT;
ALTER TABLE event ATTACH PARTITION event_2025 FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE event_rest PARTITION OF event DEFAULT;

-- rows of a partition that do not satisfy its bound (must be 0)
CREATE FUNCTION misplaced(parent regclass) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  leaf regclass;
  n bigint;
  total bigint := 0;
BEGIN
  FOR leaf IN SELECT relid FROM pg_partition_tree(parent) WHERE isleaf LOOP
    EXECUTE format('SELECT count(*) FROM %s WHERE NOT (%s)', leaf, pg_get_partition_constraintdef(leaf)) INTO n;
    total := total + n;
  END LOOP;
  RETURN total;
END $$;
CREATE TABLE feed (id int, note text, at date, kind text);
-- rows in which target and staged differ, in both directions (must be 0)
CREATE VIEW difference AS
  SELECT (SELECT count(*) FROM (SELECT ROW(id, at, kind, note)::text FROM event EXCEPT ALL SELECT ROW(id, at, kind, note)::text FROM feed) AS a)::int
       + (SELECT count(*) FROM (SELECT ROW(id, at, kind, note)::text FROM feed EXCEPT ALL SELECT ROW(id, at, kind, note)::text FROM event) AS b)::int AS differs;

-- first load: rows into every leaf, a column that is not staged takes its default
INSERT INTO feed
  SELECT i, CASE WHEN i % 10 > 0 THEN 'note ' || i END,
         CASE WHEN i % 50 > 0 THEN date '2024-01-01' + (i % 900) END, CASE i % 3 WHEN 0 THEN 'a' WHEN 1 THEN 'b' END
    FROM generate_series(1, 1000) AS i;
SELECT * FROM bulk_sync('event', 'feed', '{id}', scope => 'true');
SELECT * FROM difference;
SELECT misplaced('event'), count(*) AS rows, count(DISTINCT tableoid) AS leaves, count(*) FILTER (WHERE amount = 7) AS defaults FROM event;
UPDATE event SET amount = id;

-- a mixed feed: by the last digit of its id a row is gone (1), has a new note (2), moves to
-- another year (3), to another kind (4) or to no year at all (5), or is new (id above 1000)
CREATE TEMPORARY TABLE before AS SELECT tableoid AS t, ctid AS c, xmin AS x, * FROM event;
DELETE FROM feed WHERE id % 10 = 1;
UPDATE feed SET note = 'changed' WHERE id % 10 = 2;
UPDATE feed SET at = CASE WHEN at >= '2025-01-01' THEN date '2024-06-01' ELSE date '2025-06-01' END WHERE id % 10 = 3;
UPDATE feed SET kind = CASE kind WHEN 'a' THEN 'c' ELSE 'a' END WHERE id % 10 = 4;
UPDATE feed SET at = NULL WHERE id % 10 = 5 AND id % 50 > 0;
INSERT INTO feed SELECT i, 'new', date '2024-03-01' + i - 1000, 'a' FROM generate_series(1001, 1100) AS i;
-- what a dry run plans is what is done, and it writes nothing
SELECT * FROM bulk_sync('event', 'feed', '{id}', scope => 'true', dry_run => true);
SELECT count(*) AS untouched FROM event e JOIN before b ON b.t = e.tableoid AND b.c = e.ctid AND b.x = e.xmin;
SELECT * FROM bulk_sync('event', 'feed', '{id}', scope => 'true');
SELECT * FROM difference;
SELECT misplaced('event'), count(*) AS rows FROM event;
-- the column that is not staged went along with each row, new rows have the default
SELECT count(*) AS kept FROM event WHERE amount = CASE WHEN id > 1000 THEN 7 ELSE id END;
-- every equal row is the version it was
SELECT count(*) AS equal, count(e.id) AS untouched
  FROM before b LEFT JOIN event e ON b.t = e.tableoid AND b.c = e.ctid AND b.x = e.xmin WHERE b.id % 10 NOT BETWEEN 1 AND 5;

-- the same again: nothing
SELECT * FROM bulk_sync('event', 'feed', '{id}', scope => 'true');

-- the middle of the tree as the target: its own rows only, its bound holds
CREATE TEMPORARY TABLE s (id int, note text, at date, kind text);
INSERT INTO s SELECT id, note, at, kind FROM event_2025 WHERE id > 10;
UPDATE s SET kind = 'a' WHERE id % 7 = 0;
SELECT (SELECT count(*) FROM event_2025 WHERE id <= 10) AS stale,
       (SELECT count(*) FROM event_2025 AS e JOIN s USING (id) WHERE e.kind IS DISTINCT FROM s.kind) AS changed \gset
SELECT inserted, updated = :changed AS changed, skipped, deleted = :stale AS stale FROM bulk_sync('event_2025', 's', '{id}', scope => 'true');
SELECT misplaced('event'), count(*) FILTER (WHERE id % 7 = 0 AND kind = 'a') = count(*) FILTER (WHERE id % 7 = 0) AS moved FROM event_2025;
UPDATE s SET at = '2024-05-05' WHERE id = (SELECT max(id) FROM s);
DELETE FROM s WHERE id = 12;
SELECT * FROM bulk_sync('event_2025', 's', '{id}', scope => 'true');
SELECT * FROM bulk_sync('event_2025', 's', '{id}', scope => 'true', actions => '{insert}');

-- a scope that is one leaf of the tree, by a function of the caller
CREATE FUNCTION year(date) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT extract(year FROM $1)::int';
TRUNCATE s;
INSERT INTO s VALUES (5000, 'only one', '2024-02-29', 'b');
SELECT count(*) AS others FROM event WHERE year(at) IS DISTINCT FROM 2024 \gset
SELECT staged_rows, inserted, updated, unchanged FROM bulk_sync('event', 's', '{id}', scope => 'year(at) = 2024');
SELECT count(*) FILTER (WHERE year(at) = 2024) AS of_2024, count(*) FILTER (WHERE year(at) IS DISTINCT FROM 2024) = :others AS others_stay FROM event;

-- an error in the last phase, when deletes and moves are done: all as it was
DROP TABLE before;
CREATE TEMPORARY TABLE before AS SELECT tableoid AS t, ctid AS c, xmin AS x, * FROM event;
DELETE FROM feed WHERE id > 1000;
UPDATE feed SET at = date '2025-01-01' + (id % 300), note = 'again';
INSERT INTO feed VALUES (NULL, 'no id', '2024-01-01', 'a');
SELECT * FROM bulk_sync('event', 'feed', '{id}', scope => 'true');
SELECT count(*) = (SELECT count(*) FROM event) AS held, count(e.id) = count(*) AS untouched
  FROM before b LEFT JOIN event e ON b.t = e.tableoid AND b.c = e.ctid AND b.x = e.xmin;

-- two hundred leaves: every row moves to the next one
CREATE TABLE wide (k int, slot int, v text) PARTITION BY LIST (slot);
DO $$ BEGIN
  FOR i IN 0 .. 199 LOOP
    EXECUTE format('CREATE TABLE wide_%s PARTITION OF wide FOR VALUES IN (%s)', i, i);
  END LOOP;
END $$;
CREATE TEMPORARY TABLE wide_staged (v text, slot int, k int);
INSERT INTO wide_staged SELECT 'v' || i, i % 200, i FROM generate_series(1, 2000) AS i;
SELECT * FROM bulk_sync('wide', 'wide_staged', '{k}', scope => 'true');
UPDATE wide_staged SET slot = (slot + 1) % 200;
SELECT * FROM bulk_sync('wide', 'wide_staged', '{k}', scope => 'true');
SELECT count(*), count(DISTINCT w.tableoid) AS leaves, misplaced('wide') FROM wide w JOIN wide_staged s USING (k, slot, v);
SELECT * FROM bulk_sync('wide', 'wide_staged', '{k}', scope => 'true');

SET client_min_messages = warning;
DROP SCHEMA partitioned_range_hash CASCADE;
DROP TABLE before, s, wide_staged;
