-- Foreign keys from the target and to it: checked, and their actions done, when all three phases are over, before
-- the call returns. Cascades to other tables are no deletes of the call.
-- Contract 1.3.6, 1.3.8, 1.3.10, 1.5; cases 109, 110, 112, 113, 115, 116
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA foreign_keys;
SET search_path = foreign_keys, public;

CREATE TABLE company (id int PRIMARY KEY);
CREATE TABLE t (k int PRIMARY KEY, company int REFERENCES company, v text);
CREATE TABLE s (k int, company int, v text);
CREATE TABLE before (old_ctid tid, old_xmin xid, k int);
CREATE FUNCTION remember() RETURNS void LANGUAGE sql AS $$
  DELETE FROM before; INSERT INTO before SELECT ctid, xmin, k FROM t $$;
CREATE FUNCTION untouched() RETURNS boolean LANGUAGE sql AS $$
  SELECT count(*) = (SELECT count(*) FROM before)
     AND count(*) = count(*) FILTER (WHERE t.ctid = old_ctid AND t.xmin = old_xmin)
    FROM t LEFT JOIN before USING (k) $$;

-- from the target: a parent that is missing, for an inserted and for an updated row (case 113)
INSERT INTO company VALUES (1), (2);
INSERT INTO t VALUES (1, 1, 'a'), (2, 2, 'b'), (3, NULL, 'c');
SELECT remember();
INSERT INTO s VALUES (1, 1, 'a'), (4, 9, 'd');
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT untouched();
TRUNCATE s;
INSERT INTO s VALUES (1, 9, 'a');
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT untouched();
\set VERBOSITY default
TRUNCATE s;
INSERT INTO s VALUES (1, 2, 'a'), (2, NULL, 'b'), (4, 1, 'd'), (5, NULL, 'e');
SELECT * FROM bulk_sync('t', 's', scope => 'true');
TABLE t ORDER BY k;

-- to the target, NO ACTION: the row that others refer to cannot go; nothing is done
CREATE TABLE plain_child (id int PRIMARY KEY, t int REFERENCES t);
INSERT INTO plain_child VALUES (1, 5);
SELECT remember();
DELETE FROM s WHERE k = 5;
UPDATE s SET v = 'changed';
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's', scope => 'true');
\set VERBOSITY default
SELECT untouched();
-- nor with RESTRICT (whose SQLSTATE is a matter of the server's version)
DROP TABLE plain_child;
CREATE TABLE restrict_child (id int PRIMARY KEY, t int REFERENCES t ON DELETE RESTRICT);
INSERT INTO restrict_child VALUES (1, 5);
DO $$
BEGIN
  PERFORM bulk_sync('t', 's', scope => 'true');
EXCEPTION WHEN foreign_key_violation OR restrict_violation THEN
  RAISE NOTICE 'refused';
END $$;
SELECT untouched();
DROP TABLE restrict_child;

-- ON DELETE CASCADE: the children of the deleted row go, those of a changed row stay, since an update is an UPDATE;
-- deleted counts rows of the target (cases 109, 110)
CREATE TABLE child (id int PRIMARY KEY, t int REFERENCES t ON DELETE CASCADE);
INSERT INTO child VALUES (1, 1), (2, 1), (3, 5), (4, 5), (5, 4);
SELECT * FROM bulk_sync('t', 's', scope => 'true');
TABLE child ORDER BY id;
-- a mark is no delete
CREATE TABLE soft (k int PRIMARY KEY, v text, gone boolean NOT NULL DEFAULT false);
CREATE TABLE soft_child (id int PRIMARY KEY, t int REFERENCES soft ON DELETE CASCADE);
INSERT INTO soft VALUES (1, 'a'), (9, 'z');
INSERT INTO soft_child VALUES (1, 1), (9, 9);
SELECT * FROM bulk_sync('soft', 's', columns => '{v}', scope => 'true', soft_delete_column => 'gone');
TABLE soft_child ORDER BY id;

-- SET NULL and SET DEFAULT
CREATE TABLE null_child (id int PRIMARY KEY, t int REFERENCES t ON DELETE SET NULL);
CREATE TABLE default_child (id int PRIMARY KEY, t int DEFAULT 1 REFERENCES t ON DELETE SET DEFAULT);
INSERT INTO null_child VALUES (1, 1), (2, 2);
INSERT INTO default_child VALUES (1, 1), (2, 2);
DELETE FROM s WHERE k = 2;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
TABLE null_child ORDER BY id;
TABLE default_child ORDER BY id;

-- the default may be a row that this very call inserts
ALTER TABLE default_child ALTER t SET DEFAULT 77;
TRUNCATE s;
INSERT INTO s VALUES (4, 1, 'changed'), (77, 2, 'new');
SELECT * FROM bulk_sync('t', 's', scope => 'true');
TABLE default_child ORDER BY id;

-- INITIALLY DEFERRED: the call succeeds, the error is that of COMMIT (case 112)
DROP TABLE child, null_child, default_child;
CREATE TABLE late_child (id int PRIMARY KEY, t int REFERENCES t DEFERRABLE INITIALLY DEFERRED);
INSERT INTO late_child VALUES (1, 4);
DELETE FROM s WHERE k = 4;
SELECT remember();
BEGIN;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
\set VERBOSITY sqlstate
COMMIT;
SELECT untouched();
\set VERBOSITY default
-- and none, if the row is back by then
BEGIN;
SELECT deleted FROM bulk_sync('t', 's', scope => 'true');
INSERT INTO s VALUES (4, 1, 'back');
SELECT inserted FROM bulk_sync('t', 's', scope => 'true');
COMMIT;
TABLE late_child;

-- a referenced column that is not the key, changed: ON UPDATE CASCADE follows, NO ACTION refuses
CREATE TABLE coded (k int PRIMARY KEY, code text UNIQUE);
CREATE TABLE coded_child (id int PRIMARY KEY, code text REFERENCES coded (code) ON UPDATE CASCADE);
CREATE TABLE coded_s (k int, code text);
INSERT INTO coded VALUES (1, 'a'), (2, 'b');
INSERT INTO coded_child VALUES (1, 'a'), (2, 'b'), (3, 'a');
INSERT INTO coded_s VALUES (1, 'A'), (2, 'b');
SELECT * FROM bulk_sync('coded', 'coded_s', scope => 'true');
TABLE coded_child ORDER BY id;
CREATE TABLE strict_child (code text REFERENCES coded (code));
INSERT INTO strict_child VALUES ('b');
UPDATE coded_s SET code = 'B' WHERE k = 2;
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('coded', 'coded_s', scope => 'true');
\set VERBOSITY default
TABLE coded ORDER BY k;
-- a new row may bring the value that was referred to: the state after all phases decides
INSERT INTO coded_s VALUES (3, 'b');
SELECT * FROM bulk_sync('coded', 'coded_s', scope => 'true');
TABLE coded ORDER BY k;
-- the key itself, equal but of another image (case 115)
CREATE TABLE num (k numeric PRIMARY KEY);
CREATE TABLE num_child (id int PRIMARY KEY, k numeric REFERENCES num ON UPDATE CASCADE);
CREATE TABLE num_loose (id int PRIMARY KEY, k numeric REFERENCES num);
CREATE TABLE num_s (k numeric);
INSERT INTO num VALUES (1.0), (2.0);
INSERT INTO num_child VALUES (1, 1.0), (2, 2.0);
INSERT INTO num_loose VALUES (1, 1.0), (2, 2.0);
INSERT INTO num_s VALUES (1.00), (2.0);
SELECT * FROM bulk_sync('num', 'num_s', scope => 'true');
TABLE num ORDER BY k;
TABLE num_child ORDER BY id;
TABLE num_loose ORDER BY id;

-- partitioned: a row that moves is updated, for its children too
CREATE TABLE part (k int, area int, PRIMARY KEY (k, area)) PARTITION BY LIST (area);
CREATE TABLE part1 PARTITION OF part FOR VALUES IN (1);
CREATE TABLE part2 PARTITION OF part FOR VALUES IN (2);
CREATE TABLE part_child (id int PRIMARY KEY, k int, area int,
  FOREIGN KEY (k, area) REFERENCES part ON UPDATE CASCADE ON DELETE CASCADE);
CREATE TABLE part_s (k int, area int);
INSERT INTO part VALUES (1, 1), (2, 1), (3, 1);
INSERT INTO part_child VALUES (1, 1, 1), (2, 2, 1), (3, 3, 1);
INSERT INTO part_s VALUES (1, 1), (2, 2);
SELECT * FROM bulk_sync('part', 'part_s', '{k}', scope => 'true');
TABLE part_child ORDER BY id;

-- session_replication_role = replica: the caller switched the checks off, as for any DML (case 116)
TRUNCATE s;
INSERT INTO s VALUES (8, 888, 'no such company');
SET session_replication_role = replica;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
RESET session_replication_role;
TABLE t ORDER BY k;
TABLE late_child;

SET client_min_messages = warning;
DROP SCHEMA foreign_keys CASCADE;
