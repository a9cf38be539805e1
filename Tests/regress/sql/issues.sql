-- A block for each bug that was found in use, named for what must hold. The clauses are those of the contract.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
CREATE ROLE regress_bulk_sync_issues;
RESET client_min_messages;
CREATE SCHEMA issues;
GRANT USAGE ON SCHEMA issues TO regress_bulk_sync_issues;
SET search_path = issues, public;

-- Rows behind a view with and without NULL in their key are locked by two statements; what the first one found out outlives it.
CREATE TABLE below (j json, a varchar(2), k numeric(4,1), b varchar(2));
CREATE INDEX ON below (a, b);
CREATE VIEW above AS SELECT k, j, b, a FROM below;
INSERT INTO below VALUES ('[1,2]', 'ab', '1.04', NULL), ('[1,2]', 'a ', '1', 'a ');
CREATE TEMPORARY TABLE above_staged (k numeric(4,1), a varchar(2), b varchar(2), j text);
INSERT INTO above_staged VALUES ('1.04', 'ab', 'ab', '{"a": 1}');
SELECT * FROM bulk_sync('above', 'above_staged', '{a,b}', scope => 'true');
SELECT a, k, b, j FROM below;

-- A new row that its writer will not see may be inserted, as by a plain INSERT, also when the scope is checked on the written row (1.3.8, 1.2.5).
CREATE TABLE letters (id int PRIMARY KEY, v text, box int DEFAULT 5);
ALTER TABLE letters ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON letters FOR SELECT USING (v <> 'secret');
CREATE POLICY written ON letters FOR INSERT WITH CHECK (true);
CREATE TABLE letters_staged AS SELECT 1 AS id, 'secret' AS v;
GRANT SELECT, INSERT ON letters, letters_staged TO regress_bulk_sync_issues;
SET ROLE regress_bulk_sync_issues;
SELECT * FROM bulk_sync('letters', 'letters_staged', actions => '{insert}', scope => 'box = 6');
SELECT * FROM bulk_sync('letters', 'letters_staged', actions => '{insert}', scope => 'box = 5');
TABLE letters;
RESET ROLE;
TABLE letters;

-- A condition with a subquery that is planned as a bitmap scan is checked for its privileges without being run.
CREATE TABLE many AS SELECT i AS k, i % 10 AS v FROM generate_series(1, 2000) i;
CREATE INDEX ON many (v);
ANALYZE many;
CREATE TABLE few (k int PRIMARY KEY, v int);
CREATE TABLE few_staged AS SELECT 1 AS k, 2 AS v;
SET enable_seqscan = off;
SET enable_indexscan = off;
CREATE FUNCTION few_scope() RETURNS int STABLE LANGUAGE sql RETURN 3;
SELECT * FROM bulk_sync('few', 'few_staged', scope => 'EXISTS (SELECT FROM many m WHERE m.v = few_scope())');
RESET enable_seqscan;
RESET enable_indexscan;

-- A row that a trigger suppressed is not looked for again, though it was written earlier in the same transaction (1.3.10).
CREATE TABLE parted (k int, area int, v text) PARTITION BY LIST (area);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
CREATE TABLE parted_staged AS SELECT 1 AS k, 'new' AS v;
CREATE TABLE calls (k int);
CREATE FUNCTION suppress() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO calls VALUES (old.k); RETURN NULL; END$$;
CREATE TRIGGER suppress BEFORE UPDATE ON parted FOR EACH ROW EXECUTE FUNCTION suppress();
BEGIN;
INSERT INTO parted VALUES (1, 1, 'old');
SELECT * FROM bulk_sync('parted', 'parted_staged', '{k}', scope => 'true');
SELECT count(*) AS calls FROM calls;
COMMIT;

-- Without a key an error names the staged row, and where only the written row decides, that there is no key (1.0.5, 1.2.5).
CREATE TABLE keyless (a int, area int DEFAULT 2);
CREATE TABLE keyless_staged (a int, area int);
INSERT INTO keyless_staged VALUES (1, 1), (2, 1), (3, 2);
SELECT * FROM bulk_sync('keyless', 'keyless_staged', '{}', actions => '{insert}', scope => 'area = 1');
SELECT * FROM bulk_sync('keyless', 'keyless_staged', '{}', actions => '{insert}', scope => 'area = 1', columns => '{a}');
SELECT * FROM bulk_sync('keyless', 'keyless_staged', '{}', actions => '{insert}', scope => 'area < 3');
TABLE keyless ORDER BY a;

-- New rows get their ids in the order of staging, also when the match went in batches.
CREATE TABLE numbered (id int GENERATED ALWAYS AS IDENTITY, k int PRIMARY KEY);
CREATE TABLE numbered_staged AS SELECT 10000 - i AS k FROM generate_series(1, 5000) i;
SET bulk_sync.work_mem = '64kB';
SELECT inserted FROM bulk_sync('numbered', 'numbered_staged', scope => 'true');
RESET bulk_sync.work_mem;
SELECT count(*) FROM numbered WHERE id + k <> 10000;

SET client_min_messages = warning;
DROP SCHEMA issues CASCADE;
DROP TABLE above_staged;
DROP ROLE regress_bulk_sync_issues;
