-- ignore_conflicts: a new row that conflicts with a unique or exclusion constraint is skipped; everything else is as ever.
-- Contract 1.3.5, 1.5, 1.3.6 (deletes and updates free values first)
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA ignore_conflicts;
SET search_path = ignore_conflicts, public;

-- Each staged row meets another kind of constraint: the primary key (outside the scope), a unique column, an index on an
-- expression, a partial index, NULLS NOT DISTINCT, an exclusion constraint. 10 is free of conflicts; 17 conflicts with
-- nothing, for the partial index does not hold it.
CREATE TABLE t (k int PRIMARY KEY, region int, u int UNIQUE, e text, p int, n int, r int4range,
                EXCLUDE USING gist (r WITH &&));
CREATE UNIQUE INDEX ON t (lower(e));
CREATE UNIQUE INDEX ON t (p) WHERE p < 100;
CREATE UNIQUE INDEX ON t (n) NULLS NOT DISTINCT WHERE region = 1 AND k > 4;
CREATE TABLE s (LIKE t);
INSERT INTO t VALUES (1, 1, 1, 'a', 1, 1, '[1,10)'), (2, 2, 2, 'b', 2, 2, '[10,20)'), (5, 1, 5, 'e', 500, NULL, NULL);
INSERT INTO s VALUES (1, 1, 1, 'A', 1, 1, '[1,10)'), (5, 1, 5, 'e', 500, NULL, NULL),
  (10, 1, 10, 'x', 10, 10, '[30,40)'), (2, 1, 11, 'y', 11, 11, NULL), (12, 1, 2, NULL, 12, 12, NULL), (13, 1, 13, 'B', 13, 13, NULL),
  (14, 1, 14, NULL, 2, 14, NULL), (15, 1, 15, NULL, 15, NULL, NULL), (16, 1, 16, NULL, 16, 16, '[15,16)'), (17, 1, 17, NULL, 500, 17, NULL);
-- which of two kinds of violations is reported is for the order of the indexes to decide: each for itself
\set VERBOSITY sqlstate
DELETE FROM s WHERE k = 16;
SELECT bulk_sync('t', 's', scope => 'region = 1');
CREATE TABLE others AS SELECT * FROM s WHERE k NOT IN (1, 5, 10, 17);
DELETE FROM s WHERE k IN (SELECT k FROM others);
INSERT INTO s VALUES (16, 1, 16, NULL, 16, 16, '[15,16)');
SELECT bulk_sync('t', 's', scope => 'region = 1');
INSERT INTO s TABLE others;
\set VERBOSITY default
-- a dry run does not see conflicts
SELECT * FROM bulk_sync('t', 's', scope => 'region = 1', ignore_conflicts => true, dry_run => true);
SELECT * FROM bulk_sync('t', 's', scope => 'region = 1', ignore_conflicts => true);
TABLE t ORDER BY k;
-- the same again: the skipped ones are tried, and skipped, again
SELECT * FROM bulk_sync('t', 's', scope => 'region = 1', ignore_conflicts => true);

-- New rows that conflict with each other: one of them is in.
CREATE TABLE mail (k int PRIMARY KEY, mail text UNIQUE);
CREATE TABLE mail_s (LIKE mail);
INSERT INTO mail_s VALUES (1, 'a'), (2, 'a'), (3, 'a'), (4, 'b'), (5, NULL), (6, NULL);
SELECT * FROM bulk_sync('mail', 'mail_s', scope => 'true', ignore_conflicts => true);
SELECT mail, count(*) FROM mail GROUP BY mail ORDER BY mail;
-- two staged rows of one key are refused all the same
INSERT INTO mail_s VALUES (4, 'c');
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('mail', 'mail_s', scope => 'true', ignore_conflicts => true);
\set VERBOSITY default

-- What the call itself frees is no conflict: 1 is deleted, 2 gives its value up, and 3 and 4 take them.
TRUNCATE mail, mail_s;
INSERT INTO mail VALUES (1, 'a'), (2, 'b');
INSERT INTO mail_s VALUES (2, 'c'), (3, 'a'), (4, 'b');
SELECT * FROM bulk_sync('mail', 'mail_s', scope => 'true', ignore_conflicts => true);
TABLE mail ORDER BY k;
-- a new row that conflicts with what an update takes is skipped; the update stays
TRUNCATE mail_s;
INSERT INTO mail_s VALUES (2, 'd'), (3, 'a'), (4, 'b'), (5, 'd');
SELECT * FROM bulk_sync('mail', 'mail_s', scope => 'true', ignore_conflicts => true);
TABLE mail ORDER BY k;

-- Of new rows only: an update that conflicts is an error, and so is any other failure of a new row.
TRUNCATE mail_s;
INSERT INTO mail_s VALUES (2, 'a');
CREATE TABLE before AS SELECT k, ctid AS old_ctid, xmin AS old_xmin FROM mail;
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('mail', 'mail_s', actions => '{insert,update}', ignore_conflicts => true);
ALTER TABLE mail ADD CHECK (mail <> 'bad'), ADD parent int REFERENCES mail, ALTER mail SET NOT NULL;
ALTER TABLE mail_s ADD parent int;
UPDATE mail_s SET k = 7, mail = 'bad';
SELECT * FROM bulk_sync('mail', 'mail_s', actions => '{insert}', ignore_conflicts => true);
UPDATE mail_s SET mail = NULL;
SELECT * FROM bulk_sync('mail', 'mail_s', actions => '{insert}', ignore_conflicts => true);
UPDATE mail_s SET mail = 'good', parent = 99;
SELECT * FROM bulk_sync('mail', 'mail_s', actions => '{insert}', ignore_conflicts => true);
SELECT count(*) AS rows, bool_and(t.ctid = old_ctid AND t.xmin = old_xmin) AS untouched FROM mail t JOIN before USING (k);
\set VERBOSITY default
-- a reference to a row that was skipped finds nothing
UPDATE mail_s SET mail = 'a', parent = NULL;
INSERT INTO mail_s VALUES (8, 'eight', 7);
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('mail', 'mail_s', actions => '{insert}', ignore_conflicts => true);
\set VERBOSITY default

-- Triggers are those of ON CONFLICT DO NOTHING: BEFORE INSERT fires for the skipped row too and may change what conflicts,
-- AFTER INSERT for written rows alone; the statement triggers once.
CREATE TABLE tg (k int PRIMARY KEY, u int UNIQUE);
CREATE TABLE tg_s (LIKE tg);
CREATE TABLE seen (what text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO seen VALUES (concat_ws(' ', TG_WHEN, TG_OP, CASE WHEN TG_LEVEL = 'ROW' THEN NEW.k ELSE NULL END));
  IF TG_LEVEL = 'ROW' AND TG_WHEN = 'BEFORE' AND NEW.u > 100 THEN NEW.u := NEW.u - 100; END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER a BEFORE INSERT OR UPDATE ON tg FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER b AFTER INSERT OR UPDATE ON tg FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER c BEFORE INSERT OR UPDATE ON tg FOR EACH STATEMENT EXECUTE FUNCTION note();
CREATE TRIGGER d AFTER INSERT OR UPDATE ON tg FOR EACH STATEMENT EXECUTE FUNCTION note();
INSERT INTO tg VALUES (1, 1);
TRUNCATE seen;
INSERT INTO tg_s VALUES (2, 1), (3, 101), (4, 4);
SELECT * FROM bulk_sync('tg', 'tg_s', actions => '{insert}', ignore_conflicts => true);
TABLE tg ORDER BY k;
SELECT what, count(*) FROM seen GROUP BY what ORDER BY what COLLATE "C";

-- Partitioned, with the unique columns of each partition.
CREATE TABLE p (k int, u int, PRIMARY KEY (k)) PARTITION BY RANGE (k);
CREATE TABLE p1 (u int UNIQUE, k int NOT NULL);
ALTER TABLE p ATTACH PARTITION p1 FOR VALUES FROM (0) TO (10);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20);
CREATE TABLE p_s (k int, u int);
INSERT INTO p VALUES (1, 1), (11, 1);
INSERT INTO p_s VALUES (2, 1), (3, 3), (12, 1);
SELECT * FROM bulk_sync('p', 'p_s', actions => '{insert}', ignore_conflicts => true);
SELECT k, u, tableoid::regclass AS partition FROM p ORDER BY k;

-- With no key every row is new, and those that are there are skipped.
INSERT INTO p_s VALUES (13, 1);
SELECT * FROM bulk_sync('p', 'p_s', '{}', actions => '{insert}', ignore_conflicts => true);

SET client_min_messages = warning;
DROP SCHEMA ignore_conflicts CASCADE;
