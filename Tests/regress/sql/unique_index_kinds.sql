-- Every kind of unique index on the target: deferrable and deferred constraints, expressions, partial indexes,
-- NULLS NOT DISTINCT, invalid indexes, none at all. The call itself needs none of them.
-- Contract 1.1.4, 1.3.6, 1.3.7, 1.3.8; cases 91, 92, 100, 101
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA unique_index_kinds;
SET search_path = unique_index_kinds, public;
CREATE TABLE s (k int, x int);

-- the key itself is a deferrable constraint, which ON CONFLICT could not use (case 92)
CREATE TABLE def_key (k int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, x int);
INSERT INTO def_key VALUES (1, 1), (2, 2);
INSERT INTO s VALUES (2, 20), (3, 30);
SELECT * FROM bulk_sync('def_key', 's', scope => 'true');
TABLE def_key ORDER BY k;
-- ignore_conflicts works as ON CONFLICT DO NOTHING does, which refuses a deferrable constraint (55000)
TRUNCATE s;
INSERT INTO s VALUES (2, 20), (3, 31), (4, 40);
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('def_key', 's', scope => 'true', ignore_conflicts => true);
\set VERBOSITY default
TABLE def_key ORDER BY k;
-- but only where a row is to be inserted
DELETE FROM s WHERE k = 4;
SELECT * FROM bulk_sync('def_key', 's', scope => 'true', ignore_conflicts => true);
TABLE def_key ORDER BY k;

-- DEFERRABLE INITIALLY IMMEDIATE: checked at the end of the statement, so rows may pass a value on in any order
CREATE TABLE def_imm (k int PRIMARY KEY, x int UNIQUE DEFERRABLE INITIALLY IMMEDIATE);
INSERT INTO def_imm VALUES (1, 1), (2, 2), (3, 3);
TRUNCATE s;
INSERT INTO s VALUES (1, 2), (2, 3), (3, 1);
SELECT * FROM bulk_sync('def_imm', 's', scope => 'true');
TABLE def_imm ORDER BY k;
-- a final state that is not valid is refused by the call itself
TRUNCATE s;
INSERT INTO s VALUES (1, 2), (2, 2), (3, 1);
CREATE TABLE before AS SELECT ctid AS old_ctid, xmin AS old_xmin, k FROM def_imm;
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('def_imm', 's', scope => 'true');
SELECT bool_and(d.ctid = old_ctid AND d.xmin = old_xmin) AS untouched FROM def_imm d JOIN before USING (k);
-- one that only a new row breaks is refused too
TRUNCATE s;
INSERT INTO s VALUES (1, 2), (2, 3), (3, 1), (4, 1);
SELECT * FROM bulk_sync('def_imm', 's', scope => 'true');
SELECT bool_and(d.ctid = old_ctid AND d.xmin = old_xmin) AS untouched FROM def_imm d JOIN before USING (k);
\set VERBOSITY default

-- INITIALLY DEFERRED: the call succeeds, COMMIT does not (case 91)
CREATE TABLE def_def (k int PRIMARY KEY, x int UNIQUE DEFERRABLE INITIALLY DEFERRED);
INSERT INTO def_def VALUES (1, 1), (2, 2);
TRUNCATE s;
INSERT INTO s VALUES (1, 1), (2, 1), (3, 1);
BEGIN;
SELECT * FROM bulk_sync('def_def', 's', scope => 'true');
TABLE def_def ORDER BY k;
\set VERBOSITY sqlstate
COMMIT;
\set VERBOSITY default
TABLE def_def ORDER BY k;
-- mended before COMMIT, all is well
BEGIN;
SELECT * FROM bulk_sync('def_def', 's', scope => 'true');
TRUNCATE s;
INSERT INTO s VALUES (1, 2), (2, 1), (3, 3);
SELECT * FROM bulk_sync('def_def', 's', scope => 'true');
COMMIT;
TABLE def_def ORDER BY k;
-- SET CONSTRAINTS decides for the call as for any statement
TRUNCATE s;
INSERT INTO s VALUES (1, 1), (2, 1), (3, 3);
BEGIN;
SET CONSTRAINTS ALL IMMEDIATE;
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('def_def', 's', scope => 'true');
\set VERBOSITY default
ROLLBACK;

-- an index on an expression is computed anew: only the case differs (case 100)
CREATE TABLE mail (k int PRIMARY KEY, email text);
CREATE UNIQUE INDEX ON mail (lower(email));
CREATE TABLE mail_s (k int, email text);
INSERT INTO mail VALUES (1, 'Ann@x'), (2, 'Bob@x'), (3, 'Cay@x');
INSERT INTO mail_s VALUES (1, 'ann@X'), (2, 'Bob@x'), (4, 'CAY@x');
SELECT * FROM bulk_sync('mail', 'mail_s', scope => 'true');
SELECT k, email COLLATE "C" AS email FROM mail ORDER BY k;
SET enable_seqscan = off;
SELECT k FROM mail WHERE lower(email) IN ('ann@x', 'bob@x', 'cay@x') ORDER BY k;
RESET enable_seqscan;
TRUNCATE mail_s;
INSERT INTO mail_s VALUES (1, 'ann@X'), (2, 'Bob@x'), (4, 'CAY@x'), (5, 'BOB@X');
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('mail', 'mail_s', scope => 'true');
\set VERBOSITY default
SELECT k, email COLLATE "C" AS email FROM mail ORDER BY k;

-- a partial index: a row that leaves its predicate frees the value, and rows outside the predicate never conflict
CREATE TABLE part (k int PRIMARY KEY, x int, live boolean);
CREATE UNIQUE INDEX ON part (x) WHERE live;
CREATE TABLE part_s (k int, x int, live boolean);
INSERT INTO part VALUES (1, 1, true), (2, 2, true), (3, 1, false);
INSERT INTO part_s VALUES (1, 1, false), (2, 2, true), (3, 1, false), (4, 1, true);
SELECT * FROM bulk_sync('part', 'part_s', scope => 'true');
TABLE part ORDER BY k;
TRUNCATE part_s;
INSERT INTO part_s VALUES (1, 1, false), (2, 2, true), (3, 1, false), (4, 1, true), (5, 1, true);
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('part', 'part_s', scope => 'true');
\set VERBOSITY default

-- NULLs conflict only where the index says so, and a delete frees the NULL like a value
CREATE TABLE one_null (k int PRIMARY KEY, x int UNIQUE NULLS NOT DISTINCT);
INSERT INTO one_null VALUES (1, NULL), (2, 2);
TRUNCATE s;
INSERT INTO s VALUES (2, 2), (3, NULL);
SELECT * FROM bulk_sync('one_null', 's', scope => 'true');
TABLE one_null ORDER BY k;
INSERT INTO s VALUES (4, NULL);
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('one_null', 's', scope => 'true');
\set VERBOSITY default
-- with the unique NULL as the key, NULL matches NULL and is updated
CREATE TABLE null_key (k int UNIQUE NULLS NOT DISTINCT, x int);
INSERT INTO null_key VALUES (NULL, 1), (1, 1);
TRUNCATE s;
INSERT INTO s VALUES (NULL, 2), (1, 1);
SELECT * FROM bulk_sync('null_key', 's', '{k}', scope => 'true');
TABLE null_key ORDER BY k;

-- an invalid index, as a failed CREATE INDEX CONCURRENTLY leaves it: kept up to date, but no help in finding rows (case 101)
CREATE TABLE inv (k int NOT NULL, x int);
INSERT INTO inv VALUES (1, 1), (2, 2), (2, 3);
\set VERBOSITY sqlstate
CREATE UNIQUE INDEX CONCURRENTLY inv_k ON inv (k);
\set VERBOSITY default
SELECT indisvalid FROM pg_index WHERE indexrelid = 'inv_k'::regclass;
DELETE FROM inv WHERE x = 3;
TRUNCATE s;
INSERT INTO s VALUES (2, 20), (3, 30);
SELECT * FROM bulk_sync('inv', 's', '{k}', scope => 'true');
TABLE inv ORDER BY k;
SELECT * FROM bulk_sync('inv', 's', '{k}', scope => 'true', ignore_conflicts => true);

-- no index at all: none is needed, none is made (1.1.4)
CREATE TABLE bare (k int, x int);
INSERT INTO bare VALUES (1, 1), (2, 2);
SELECT * FROM bulk_sync('bare', 's', '{k}', scope => 'true');
TABLE bare ORDER BY k;
SELECT count(*) FROM pg_index WHERE indrelid = 'bare'::regclass;

SET client_min_messages = warning;
DROP SCHEMA unique_index_kinds CASCADE;
