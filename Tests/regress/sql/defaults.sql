-- Columns that are not synced take their default on insert and keep their value on update; a staged NULL is NULL, not the
-- default.
-- Contract 1.3.4; cases 125, 127
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA defaults;
SET search_path = defaults, public;

-- Defaults of every kind: constant, expression, function of the table owner, sequence, domain, a column default over that of
-- its domain, array, none. They are evaluated for each row.
CREATE SEQUENCE n;
CREATE DOMAIN five AS int DEFAULT 5 CHECK (VALUE < 100);
CREATE FUNCTION next_two() RETURNS int LANGUAGE sql AS 'SELECT 2 * nextval(''defaults.n'')::int';
CREATE TABLE t (k int PRIMARY KEY, v text, constant text DEFAULT 'c', expression text DEFAULT upper('e') || 1 + 1,
                at timestamptz NOT NULL DEFAULT now(), serial serial, drawn int DEFAULT next_two(), domain five,
                domain_over five DEFAULT 6, list int[] DEFAULT '{1,2}', none int, who name DEFAULT current_user);
CREATE TABLE s (k int, v text);
INSERT INTO t VALUES (1, 'a', 'o', 'o', '2000-01-01', 71, 72, 73, 74, '{}', 75, 'o'),
                     (2, 'b', NULL, NULL, '2000-01-01', 81, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO s VALUES (1, 'A'), (2, 'B'), (3, 'c'), (4, 'd');
BEGIN;
SELECT * FROM bulk_sync('t', 's', scope => 'true', dry_run => true);
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT k, v, constant, expression, at = now() AS now, serial > 0 AS serial, drawn > 0 AS drawn, domain, domain_over, list, none,
       who = current_user AS who FROM t ORDER BY k;
SELECT count(DISTINCT serial), count(DISTINCT drawn) FROM t WHERE k > 2;
-- the dry run evaluated none
SELECT t_serial_seq.last_value AS serial, n.last_value AS n FROM t_serial_seq, n;
ROLLBACK;

-- A staged NULL is a value: written on insert and on update.
ALTER TABLE s ADD constant text, ADD domain int, ADD list int[];
BEGIN;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT k, v, constant, domain, domain_over, list FROM t ORDER BY k;
ROLLBACK;
-- an insert writes it in every role, too
DELETE FROM s WHERE k < 3;
BEGIN;
SELECT * FROM bulk_sync('t', 's', actions => '{insert}', keep_columns => '{constant}', fill_columns => '{domain}',
                        insert_only_columns => '{list}');
SELECT k, v, constant, domain, list FROM t WHERE k > 2 ORDER BY k;
ROLLBACK;

-- No default on a NOT NULL column: the new row fails as in INSERT, and nothing is changed.
ALTER TABLE t ADD needed int;
UPDATE t SET needed = 0;
ALTER TABLE t ALTER needed SET NOT NULL;
INSERT INTO s VALUES (1, 'A');
CREATE TABLE before AS SELECT k, ctid AS old_ctid, xmin AS old_xmin FROM t;
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT count(*) AS rows, bool_and(t.ctid = old_ctid AND t.xmin = old_xmin) AS untouched FROM t JOIN before USING (k);
-- a default that the domain's constraint refuses
ALTER TABLE t ALTER needed SET DEFAULT 1, ALTER domain_over SET DEFAULT 100;
SELECT * FROM bulk_sync('t', 's', scope => 'true', columns => '{v}');
ALTER TABLE t ALTER domain_over DROP DEFAULT;
\set VERBOSITY default
-- with a default it goes; updates never needed one. Without a column default that of the domain is taken.
SELECT * FROM bulk_sync('t', 's', scope => 'true', columns => '{v}');
SELECT k, v, needed, domain, domain_over FROM t ORDER BY k;

-- A default decides about the scope as the row is written.
CREATE TABLE d (k int PRIMARY KEY, region int DEFAULT 1);
INSERT INTO d VALUES (1, 2), (2, 1);
BEGIN;
SELECT * FROM bulk_sync('d', 's', scope => 'region = 1', columns => '{k}', actions => '{insert,delete}', ignore_conflicts => true);
TABLE d ORDER BY k;
ROLLBACK;
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('d', 's', scope => 'region = 2', columns => '{k}');
-- the value of the scope comes before the default
\set VERBOSITY default
SELECT * FROM bulk_sync('d', 's', scope_values => '{"region": 2}', columns => '{k}');
TABLE d ORDER BY k;

-- Partitions and inheritance: the default is that of the named table.
CREATE TABLE p (k int, v text, w text DEFAULT 'parent') PARTITION BY RANGE (k);
CREATE TABLE p1 (w text DEFAULT 'partition', k int, v text);
ALTER TABLE p ATTACH PARTITION p1 DEFAULT;
INSERT INTO p VALUES (1, 'a', 'kept');
SELECT * FROM bulk_sync('p', 's', '{k}', scope => 'true', columns => '{v}');
TABLE p ORDER BY k;
DELETE FROM p WHERE k = 4;
SELECT * FROM bulk_sync('p1', 's', '{k}', scope => 'true', columns => '{v}');
TABLE p ORDER BY k;

-- a stable function sees the table as it was when the rows began to be inserted, a volatile one the rows before its own
CREATE TABLE counted (k int PRIMARY KEY, before_all bigint, before_this bigint, by_trigger bigint);
CREATE FUNCTION count_stable() RETURNS bigint LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN (SELECT count(*) FROM counted); END $$;
CREATE FUNCTION count_volatile() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT count(*) FROM counted); END $$;
ALTER TABLE counted ALTER before_all SET DEFAULT count_stable(), ALTER before_this SET DEFAULT count_volatile();
CREATE FUNCTION count_by_trigger() RETURNS trigger LANGUAGE plpgsql STABLE AS $$
BEGIN
  NEW.by_trigger := (SELECT count(*) FROM counted);
  RETURN NEW;
END $$;
CREATE TRIGGER count_by_trigger BEFORE INSERT ON counted FOR EACH ROW EXECUTE FUNCTION count_by_trigger();
INSERT INTO counted VALUES (0);
CREATE TABLE counted_staged AS SELECT k FROM generate_series(0, 3) k;
SELECT * FROM bulk_sync('counted', 'counted_staged', scope => 'true');
TABLE counted ORDER BY k;

SET client_min_messages = warning;
DROP SCHEMA defaults CASCADE;
