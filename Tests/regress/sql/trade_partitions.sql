-- Rows of a partitioned table trade unique values: within a partition, by an index that one partition has for itself, and with
-- rows that move to another partition as they trade, which is one update.
-- Contract 1.3.7, 1.3.8
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA trade_partitions;
SET search_path = trade_partitions, public;
\set SHOW_CONTEXT never

-- unique in each area; the second partition was attached, with its columns in another order, the third is partitioned itself
CREATE TABLE t (k int NOT NULL, area int NOT NULL, x int, UNIQUE (area, x)) PARTITION BY LIST (area);
CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1);
CREATE TABLE t2 (gone text, x int, area int NOT NULL, k int NOT NULL);
ALTER TABLE t2 DROP gone;
ALTER TABLE t ATTACH PARTITION t2 FOR VALUES IN (2);
CREATE TABLE t3 PARTITION OF t FOR VALUES IN (3, 4) PARTITION BY RANGE (x, area);
CREATE TABLE t3_low PARTITION OF t3 FOR VALUES FROM (MINVALUE, MINVALUE) TO (10, MINVALUE);
CREATE TABLE t3_high PARTITION OF t3 FOR VALUES FROM (10, MINVALUE) TO (MAXVALUE, MAXVALUE);
CREATE TABLE s (k int, area int, x int);
CREATE TABLE before (k int, old_place text, x int);
-- key, area and value of each row of the target
CREATE PROCEDURE fill(target int[]) LANGUAGE sql AS $$
  TRUNCATE t, s, before;
  INSERT INTO t (k, area, x) SELECT target[i][1], target[i][2], target[i][3] FROM generate_subscripts(target, 1) i;
  INSERT INTO s (k, area, x) SELECT k, area, x FROM t;
  INSERT INTO before SELECT k, concat(t.tableoid, t.ctid, t.xmin), x FROM t $$;
CREATE VIEW t_now AS SELECT t.tableoid::regclass AS part, k, area, t.x, concat(t.tableoid, t.ctid, t.xmin) = old_place AS untouched FROM t LEFT JOIN before USING (k);
-- what fires on the named table
CREATE TABLE log (n serial, event text, rows bigint);
CREATE FUNCTION log_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO log (event, rows) SELECT TG_OP, count(*) FROM changed; RETURN NULL; END $$;
CREATE TRIGGER u AFTER UPDATE ON t REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION log_change();
CREATE TRIGGER d AFTER DELETE ON t REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION log_change();
CREATE TRIGGER i AFTER INSERT ON t REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION log_change();

-- within their partitions: a swap in the first, a cycle in the second, a chain in the third
CALL fill('{{1,1,1},{2,1,2},{3,1,3},{4,2,1},{5,2,2},{6,2,3},{7,3,1},{8,3,2},{9,4,1}}');
TRUNCATE log;
UPDATE s SET x = (ARRAY[2, 1, 3, 2, 3, 1, 2, 3, 1])[k];
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
TABLE t_now ORDER BY k;
SELECT event, rows FROM log ORDER BY n;
-- the key of the call may be one that the partitioning column belongs to
UPDATE s SET x = (ARRAY[1, 2, 3, 3, 1, 2, 1, 2, 1])[k];
SELECT * FROM bulk_sync('t', 's', '{area,k}', scope => 'true');
SELECT string_agg(x::text, ' ' ORDER BY k) AS x FROM t;

-- a row moves, in either direction, into a place that another one leaves within its partition
CALL fill('{{1,1,1},{2,1,2},{3,2,1},{4,2,2},{5,3,5}}');
TRUNCATE log;
UPDATE s SET (area, x) = (2, 1) WHERE k = 1;
UPDATE s SET x = 3 WHERE k = 3;
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
TABLE t_now ORDER BY k;
SELECT event, rows FROM log ORDER BY n;
UPDATE s SET (area, x) = (1, 2) WHERE k = 4;
UPDATE s SET x = 7 WHERE k = 2;
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
TABLE t_now ORDER BY k;
-- two rows move into each other's place, in the third they do so between its parts; three move round
CALL fill('{{1,1,1},{2,2,1},{3,3,5},{4,3,15},{5,1,9},{6,2,9},{7,4,9},{8,4,8}}');
TRUNCATE log;
UPDATE s SET (area, x) = (SELECT area, x FROM t WHERE t.k = (ARRAY[2, 1, 4, 3, 6, 7, 5, 8])[s.k]);
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
TABLE t_now ORDER BY k;
SELECT event, rows FROM log ORDER BY n;
-- a deleted row makes room for a moving one, and that for a new one
DELETE FROM s WHERE k = 8;
UPDATE s SET x = 8 WHERE k = 6;
INSERT INTO s VALUES (10, 4, 9);
TRUNCATE log;
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
SELECT k, area, x FROM t WHERE area = 4 ORDER BY k;
SELECT event, rows FROM log ORDER BY n;

-- violations: of a row that trades within its partition, and of one that moves; the place is that of a row that stays
CALL fill('{{1,1,1},{2,1,2},{3,1,3},{4,2,1},{5,2,2}}');
UPDATE s SET x = (ARRAY[2, 3, 3, 2, 1])[k];
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
SELECT bool_and(untouched) FROM t_now;
UPDATE s SET (area, x) = (SELECT area, x FROM t WHERE t.k = (ARRAY[4, 2, 1, 4, 5])[s.k]);
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
SELECT bool_and(untouched) FROM t_now;
-- ... of one whose partner is out of scope, and does not move away
DELETE FROM s WHERE k <> 1;
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'k = 1');
SELECT bool_and(untouched) FROM t_now;

-- indexes that partitions have for themselves: one of them on the value alone, the other on a part of the rows
CREATE UNIQUE INDEX t1_alone ON t1 (abs(x)) INCLUDE (k);
CREATE UNIQUE INDEX t2_alone ON t2 (x) WHERE k < 6;
CALL fill('{{1,1,1},{2,1,2},{3,1,3},{4,2,1},{5,2,2},{6,2,3}}');
UPDATE s SET x = (ARRAY[-2, 3, -1, 2, 1, 3])[k];
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
TABLE t_now ORDER BY k;

-- the partitioning column is the one that is unique: whoever trades across a bound moves
CREATE TABLE r (k int, x int UNIQUE, v text) PARTITION BY RANGE (x);
CREATE TABLE r1 PARTITION OF r FOR VALUES FROM (0) TO (10);
CREATE TABLE r2 PARTITION OF r FOR VALUES FROM (10) TO (20);
INSERT INTO r VALUES (1, 1, 'a'), (2, 2, 'b'), (3, 11, 'c'), (4, 12, 'd'), (5, 13, 'e');
CREATE TABLE r_staged (k int, x int);
INSERT INTO r_staged VALUES (1, 11), (2, 1), (3, 12), (4, 2), (5, 13);
SELECT * FROM bulk_sync('r', 'r_staged', '{k}', scope => 'true');
SELECT tableoid::regclass AS part, k, x, v FROM r ORDER BY k;
-- by hash
CREATE TABLE h (k int, x int UNIQUE, v text) PARTITION BY HASH (x);
CREATE TABLE h0 PARTITION OF h FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE h1 PARTITION OF h FOR VALUES WITH (MODULUS 3, REMAINDER 1);
CREATE TABLE h2 PARTITION OF h FOR VALUES WITH (MODULUS 3, REMAINDER 2);
INSERT INTO h SELECT i, i, 'v' || i FROM generate_series(1, 300) i;
CREATE TABLE h_staged AS SELECT k, CASE WHEN k > 290 THEN k ELSE k % 290 + 1 END AS x FROM h;
SELECT * FROM bulk_sync('h', 'h_staged', '{k}', scope => 'true');
SELECT count(*) AS wrong FROM h FULL JOIN h_staged USING (k) WHERE h.x IS DISTINCT FROM h_staged.x OR v IS DISTINCT FROM 'v' || k;

-- a row that moves to where another keeps the value: a violation, in whatever order the partitions are written
CREATE TABLE m (k int, area int, x int, v int) PARTITION BY LIST (area);
CREATE TABLE m2 PARTITION OF m FOR VALUES IN (2);
CREATE TABLE m1 PARTITION OF m FOR VALUES IN (1);
CREATE UNIQUE INDEX m1_x ON m1 (x);
CREATE UNIQUE INDEX m2_x ON m2 (x);
CREATE INDEX ON m (v);
INSERT INTO m VALUES (1, 1, 5, 0), (2, 2, 5, 0);
CREATE TABLE m_staged AS SELECT k, 1 AS area, x, 1 AS v FROM m;
SELECT * FROM bulk_sync('m', 'm_staged', '{k}', scope => 'true');
UPDATE m_staged SET area = 2;
SELECT * FROM bulk_sync('m', 'm_staged', '{k}', scope => 'true');
SELECT tableoid::regclass AS part, k, x, v FROM m ORDER BY k;

SET client_min_messages = warning;
DROP SCHEMA trade_partitions CASCADE;
