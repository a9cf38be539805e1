-- Stored generated columns are never written: staged values of them are ignored, and the table makes its own.
-- Contract 1.3.4, 1.2.5, 1.1.1 (as key); cases 118, 119
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA generated_columns;
SET search_path = generated_columns, public;

-- A staged value that disagrees, or could not even be converted, is ignored: no change, and no error.
CREATE TABLE t (k int PRIMARY KEY, twice int GENERATED ALWAYS AS (a * 2) STORED, a int, b text DEFAULT 'default',
                label text NOT NULL GENERATED ALWAYS AS (coalesce(b, '-') || '/' || k) STORED CHECK (label <> 'bad/3'));
CREATE TABLE s (label int[], k int, twice text, a int, b text);
INSERT INTO t (k, a, b) VALUES (1, 10, 'x'), (2, 20, 'y'), (3, 30, 'z'), (4, 40, NULL);
INSERT INTO s VALUES ('{1}', 1, 'rubbish', 10, 'x'), ('{1}', 2, NULL, 21, 'y'), ('{1}', 3, '1', 30, 'zz'), (NULL, 5, '7', 50, NULL);
CREATE TABLE before AS SELECT k, ctid AS old_ctid, xmin AS old_xmin FROM t;
SELECT * FROM bulk_sync('t', 's', scope => 'true', dry_run => true);
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT t.*, t.ctid = old_ctid AND t.xmin = old_xmin AS untouched FROM t LEFT JOIN before USING (k) ORDER BY k;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
-- what it is made of is not synced: it stays; on insert it is made of the default
DELETE FROM t WHERE k = 5;
UPDATE s SET a = a + 1, b = 'not synced';
SELECT * FROM bulk_sync('t', 's', scope => 'true', columns => '{a}');
TABLE t ORDER BY k;
-- a role that keeps the value keeps what is made of it
UPDATE s SET a = NULL, b = 'new' WHERE k = 1;
SELECT * FROM bulk_sync('t', 's', scope => 'k = 1', columns => '{a,b}', keep_columns => '{a}', touch_columns => '{b}',
                        actions => '{update}');
SELECT * FROM bulk_sync('t', 's', actions => '{update}', columns => '{a,b}', keep_columns => '{a}');
TABLE t ORDER BY k;

-- The constraints of the generated value hold.
\set VERBOSITY sqlstate
UPDATE s SET b = 'bad';
SELECT * FROM bulk_sync('t', 's', scope => 'true', columns => '{a,b}');
UPDATE s SET a = 2147483647, b = 'x';
SELECT * FROM bulk_sync('t', 's', scope => 'true', columns => '{a,b}');
\set VERBOSITY default

-- In a scope: the stored value of the target decides who takes part; the value of a written row is held against it as it
-- is written, whatever is staged for it.
TRUNCATE t, s;
INSERT INTO t (k, a) VALUES (1, 1), (2, 10), (3, 11);
INSERT INTO s (k, a, twice) VALUES (2, 10, '2'), (4, 12, '2');
BEGIN;
SELECT * FROM bulk_sync('t', 's', scope => 'twice >= 20', columns => '{a,twice}');
SELECT k, a, twice FROM t ORDER BY k;
ROLLBACK;
CREATE TABLE before_scope AS SELECT k, ctid AS old_ctid, xmin AS old_xmin FROM t;
\set VERBOSITY sqlstate
UPDATE s SET a = 9, twice = '100' WHERE k = 4;
SELECT * FROM bulk_sync('t', 's', scope => 'twice >= 20', columns => '{a,twice}');
UPDATE s SET a = CASE k WHEN 2 THEN 9 ELSE 12 END;
SELECT * FROM bulk_sync('t', 's', scope => 'twice >= 20', columns => '{a,twice}');
SELECT * FROM bulk_sync('t', 's', scope => 'twice = a * 2 AND twice >= 20', columns => '{a}');
SELECT count(*) AS rows, bool_and(t.ctid = old_ctid AND t.xmin = old_xmin) AS untouched FROM t JOIN before_scope USING (k);
\set VERBOSITY default

-- update_where sees it as stored.
BEGIN;
SELECT * FROM bulk_sync('t', 's', columns => '{a}', actions => '{update}', update_where => 'target.twice > staged.a * 2');
SELECT k, a, twice FROM t ORDER BY k;
ROLLBACK;

-- As a key the staged values are matched, and still the table makes its own.
CREATE TABLE account (id int GENERATED ALWAYS AS IDENTITY, mail text, folded text GENERATED ALWAYS AS (lower(mail)) STORED, v int);
CREATE TABLE account_s (folded text, mail text, v int);
CREATE UNIQUE INDEX ON account (folded);
INSERT INTO account (mail, v) VALUES ('Ann@x', 1), ('BOB@x', 2), ('Eve@x', 3);
INSERT INTO account_s VALUES ('ann@x', 'Ann@x', 1), ('bob@x', 'bob@x', 2), ('new@x', 'New@x', 4);
SELECT * FROM bulk_sync('account', 'account_s', '{folded}', scope => 'true');
TABLE account ORDER BY id;
SELECT * FROM bulk_sync('account', 'account_s', '{folded}', scope => 'true');
-- a staged row of such a key is a duplicate of another, as of any key
INSERT INTO account_s VALUES ('ann@x', 'ANN@X', 5);
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('account', 'account_s', '{folded}', scope => 'true');
-- a key column must be staged, generated or not
SELECT * FROM bulk_sync('account', 'account_s', '{id,folded}', scope => 'true');
ALTER TABLE account_s DROP folded;
SELECT * FROM bulk_sync('account', 'account_s', '{folded}', scope => 'true');
\set VERBOSITY default

-- The staged table may have generated columns of its own: their values are staged like any other.
CREATE TABLE made (k int PRIMARY KEY, v int);
CREATE TABLE made_s (half int, k int GENERATED ALWAYS AS (half * 2) STORED, v int GENERATED ALWAYS AS (half * 3) STORED);
INSERT INTO made VALUES (2, 3), (4, 0), (6, 9);
INSERT INTO made_s VALUES (1), (2), (4);
SELECT * FROM bulk_sync('made', 'made_s', scope => 'true', columns => '{v}');
TABLE made ORDER BY k;

-- Partitions with another order of columns, and a dropped one: each row is generated from its own.
CREATE TABLE p (k int, a int, g int GENERATED ALWAYS AS (a * 2) STORED) PARTITION BY RANGE (k);
CREATE TABLE p_low PARTITION OF p FOR VALUES FROM (0) TO (10);
CREATE TABLE p_high (g int GENERATED ALWAYS AS (a * 2) STORED, gone int, a int, k int);
ALTER TABLE p_high DROP gone;
ALTER TABLE p ATTACH PARTITION p_high FOR VALUES FROM (10) TO (20);
CREATE TABLE ps (k int, a int, g int);
INSERT INTO p (k, a) VALUES (1, 1), (2, 2), (11, 1), (12, 2);
INSERT INTO ps VALUES (1, 1, 0), (2, 3, 0), (3, 3, 0), (11, 1, 0), (12, 3, 0), (13, 3, 0);
SELECT * FROM bulk_sync('p', 'ps', '{k}', scope => 'true');
TABLE p ORDER BY k;
SELECT * FROM bulk_sync('p', 'ps', '{k}', scope => 'g >= 0');

SET client_min_messages = warning;
DROP SCHEMA generated_columns CASCADE;
