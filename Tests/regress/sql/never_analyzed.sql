-- Nobody has run ANALYZE: the planner takes both tables for small ones. A hundred thousand rows are matched and written
-- all the same, by every way of writing, within seconds; a plan that compares each row with each would take hours.
-- Contract 1.1.4, 1.3.8, 1.5; case 190
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA never_analyzed;
SET search_path = never_analyzed, public;
-- Far more than is needed, and far less than the wrong plan takes.
SET statement_timeout = '60s';

-- 100,000 rows are staged for 100,000: a tenth goes, a tenth changes, a tenth comes. Without any index, with a key,
-- through a view, with a trigger, partitioned; the staged key is text in the one and a number in the other.
CREATE TABLE s (k text, g int, v text) WITH (autovacuum_enabled = off);
INSERT INTO s SELECT i, i % 50, CASE WHEN i % 10 = 0 THEN 'new' ELSE 'v' || i END FROM generate_series(10001, 110000) i;
CREATE TABLE bare (k int, g int, v text) WITH (autovacuum_enabled = off);
CREATE TABLE keyed (k int PRIMARY KEY, g int, v text) WITH (autovacuum_enabled = off);
CREATE TABLE triggered (k int PRIMARY KEY, g int, v text) WITH (autovacuum_enabled = off);
CREATE TABLE parted (k int, g int, v text) PARTITION BY LIST (g);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1, 2, 3, 4, 5, 6, 7, 8, 9) WITH (autovacuum_enabled = off);
CREATE TABLE parted_rest PARTITION OF parted DEFAULT WITH (autovacuum_enabled = off);
CREATE TABLE below_bare (k int, g int, v text) WITH (autovacuum_enabled = off);
CREATE VIEW of_bare AS SELECT * FROM below_bare;
CREATE TABLE soft (k int, g int, v text, gone boolean NOT NULL DEFAULT false) WITH (autovacuum_enabled = off);
INSERT INTO bare SELECT i, i % 50, 'v' || i FROM generate_series(1, 100000) i;
INSERT INTO keyed TABLE bare;
INSERT INTO triggered TABLE bare;
INSERT INTO parted TABLE bare;
INSERT INTO below_bare TABLE bare;
INSERT INTO soft TABLE bare;
CREATE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END $$;
CREATE TRIGGER pass BEFORE UPDATE OR DELETE ON triggered FOR EACH ROW EXECUTE FUNCTION pass();

SELECT * FROM bulk_sync('bare', 's', '{k}', scope => 'true');
SELECT * FROM bulk_sync('keyed', 's', scope_columns => '{g}');
SELECT * FROM bulk_sync('triggered', 's', scope => 'true');
SELECT * FROM bulk_sync('parted', 's', '{k}', scope => 'true', lock_mode => 'exclusive');
SELECT * FROM bulk_sync('of_bare', 's', '{k}', scope => 'true');
SELECT * FROM bulk_sync('soft', 's', '{k}', scope => 'true', soft_delete_column => 'gone');
-- a key of two columns, one of them with fifty values
SELECT * FROM bulk_sync('bare', 's', '{g,k}', scope => 'true');
-- a handful of rows against the many
CREATE TEMPORARY TABLE few AS SELECT k::int, g, 'few' AS v FROM s WHERE k IN ('20000', '30000', '40000');
SELECT * FROM bulk_sync('keyed', 'few', actions => '{insert,update}');
SELECT * FROM bulk_sync('of_bare', 'few', '{k}', actions => '{insert,update}');
-- all of it is as staged
SELECT count(*) AS differences FROM ((TABLE bare EXCEPT ALL SELECT k::int, g, v FROM s) UNION ALL (SELECT k::int, g, v FROM s EXCEPT ALL TABLE bare)) d;

RESET statement_timeout;
SET client_min_messages = warning;
DROP SCHEMA never_analyzed CASCADE;
DROP TABLE few;
