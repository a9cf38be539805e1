-- Published tables: a sync is published, and refused, as the DML that it is. What the replica identity cannot tell a
-- subscriber is refused as for UPDATE and DELETE; types without an equality operator are none of the sync's concern.
-- Contract 1.3.1, 1.3.8; cases 184, 185
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
CREATE SCHEMA replication_identity;
SET search_path = replication_identity, public;
CREATE TABLE t (k int NOT NULL, v text, j json, p point);
CREATE TABLE s (k int, v text, j json, p point);
-- (client_min_messages stays at error: a publication warns where wal_level is not logical)
CREATE PUBLICATION regress_bulk_sync_replication FOR TABLE t;
INSERT INTO t VALUES (1, 'goes', '{"a":1}', '(1,1)'), (2, 'old', '{"a":1}', '(1,1)'), (3, 'same', '{"a":1}', '(1,1)');
CREATE TABLE before AS SELECT ctid AS old_ctid, xmin AS old_xmin, k FROM t;
\set VERBOSITY sqlstate

-- no replica identity: rows to update or delete are refused (55000), unchanged and new ones are not
INSERT INTO s SELECT * FROM t WHERE k > 1;
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
INSERT INTO s VALUES (1, 'stays', '{"a":1}', '(1,1)');
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
SELECT k, t.ctid = old_ctid AND t.xmin = old_xmin AS untouched FROM t FULL JOIN before USING (k) ORDER BY k;
UPDATE s SET v = 'goes' WHERE k = 1;
INSERT INTO s VALUES (4, 'comes', '{"a":1}', '(1,1)');
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
-- soft delete and a stale row: an UPDATE, so refused
ALTER TABLE t ADD gone boolean;
DELETE FROM s WHERE k = 1;
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true', soft_delete_column => 'gone');
ALTER TABLE t DROP gone;

-- REPLICA IDENTITY FULL, with json and point, which have no default equality: all three phases work
ALTER TABLE t REPLICA IDENTITY FULL;
UPDATE s SET j = '{"a": 1}' WHERE k = 2;
UPDATE s SET p = '(1,2)' WHERE k = 3;
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
TABLE t ORDER BY k;
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');

-- a unique index as the identity, which is not the key of the call
ALTER TABLE t ADD id int GENERATED ALWAYS AS IDENTITY;
CREATE UNIQUE INDEX t_id ON t (id);
ALTER TABLE t REPLICA IDENTITY USING INDEX t_id;
DELETE FROM s WHERE k = 4;
UPDATE s SET v = 'new' WHERE k = 2;
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
TABLE t ORDER BY k;

-- published are inserts only: nothing else is any trouble
ALTER TABLE t REPLICA IDENTITY NOTHING;
UPDATE s SET v = 'newer' WHERE k = 2;
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
ALTER PUBLICATION regress_bulk_sync_replication SET (publish = 'insert');
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');

-- a row filter and a column list: rows may move across the filter; a filter that the identity does not hold is refused (42P10)
CREATE TABLE f (k int PRIMARY KEY, v int, w text);
CREATE TABLE f_s (k int, v int, w text);
ALTER PUBLICATION regress_bulk_sync_replication SET (publish = 'insert, update, delete');
ALTER PUBLICATION regress_bulk_sync_replication SET TABLE f (k, v) WHERE (k < 3);
INSERT INTO f VALUES (1, 1, 'a'), (2, 2, 'b'), (3, 3, 'c');
INSERT INTO f_s VALUES (2, 20, 'b'), (3, 30, 'c'), (4, 40, 'd');
SELECT * FROM bulk_sync('f', 'f_s', scope => 'true');
ALTER PUBLICATION regress_bulk_sync_replication SET TABLE f WHERE (v < 35);
UPDATE f_s SET v = v + 10;
SELECT * FROM bulk_sync('f', 'f_s', scope => 'true');
ALTER TABLE f REPLICA IDENTITY FULL;
SELECT * FROM bulk_sync('f', 'f_s', scope => 'true');
TABLE f ORDER BY k;

-- a partitioned target: its partitions need the identity
CREATE TABLE p (k int, v text) PARTITION BY RANGE (k);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20);
ALTER TABLE p1 REPLICA IDENTITY FULL;
INSERT INTO p VALUES (1, 'old'), (11, 'old');
ALTER PUBLICATION regress_bulk_sync_replication SET TABLE p;
TRUNCATE s;
INSERT INTO s (k, v) VALUES (1, 'new'), (11, 'new');
SELECT * FROM bulk_sync('p', 's', '{k}', scope => 'true', columns => '{v}');
TABLE p ORDER BY k;
ALTER TABLE p2 REPLICA IDENTITY FULL;
SELECT * FROM bulk_sync('p', 's', '{k}', scope => 'true', columns => '{v}');
TABLE p ORDER BY k;

DROP PUBLICATION regress_bulk_sync_replication;
DROP SCHEMA replication_identity CASCADE;
