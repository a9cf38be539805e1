-- Stale rows are marked instead of deleted, and a marked row whose key is staged again comes back.
-- Contract 1.3.9, 1.2.5, 1.3.2 (no touch column with a mark), 1.3.6 (one UPDATE statement), 1.4 (guards)
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA soft_delete;
SET search_path = soft_delete, public;

-- Every kind of row at once: live and equal, live and changed, live and stale, live with NULL for a mark, marked and
-- staged (equal and changed), marked and stale, new. The staged mark is ignored, whatever it says.
CREATE TABLE t (k int PRIMARY KEY, v text, touched text, first text, gone boolean DEFAULT false,
                live boolean GENERATED ALWAYS AS (gone IS NOT TRUE) STORED);
CREATE TABLE s (gone text, k int, v text, touched text, first text);
CREATE TABLE before (k int, old_ctid tid, old_xmin xid);
CREATE FUNCTION fill_tables() RETURNS void LANGUAGE sql AS $$
  TRUNCATE t, s;
  INSERT INTO t VALUES (1, 'equal', 'o', 'o', false), (2, 'changed', 'o', 'o', false), (3, 'stale', 'o', 'o', false),
    (4, 'equal', 'o', 'o', NULL), (5, 'stale', 'o', 'o', NULL), (6, 'equal', 'o', 'o', true),
    (7, 'changed', 'o', 'o', true), (8, 'stale', 'o', 'o', true);
  INSERT INTO s VALUES ('true', 1, 'equal', 'n', 'n'), (NULL, 2, 'CHANGED', 'n', 'n'), ('rubbish', 4, 'equal', 'n', 'n'),
    ('true', 6, 'equal', 'n', 'n'), ('true', 7, 'CHANGED', 'n', 'n'), ('true', 9, 'new', 'n', 'n');
  TRUNCATE before;
  INSERT INTO before SELECT k, ctid, xmin FROM t;
$$;
CREATE VIEW t_now AS SELECT t.*, t.ctid = old_ctid AND t.xmin = old_xmin AS untouched FROM t LEFT JOIN before USING (k);
SELECT fill_tables();

SELECT * FROM bulk_sync('t', 's', scope => 'true', soft_delete_column => 'gone', dry_run => true,
                        touch_columns => '{touched}', insert_only_columns => '{first}');
SELECT * FROM bulk_sync('t', 's', scope => 'true', soft_delete_column => 'gone',
                        touch_columns => '{touched}', insert_only_columns => '{first}');
-- 3 and 5 are marked and their touch column is as it was; 6 and 7 are revived, and touched with it; 8 is left alone
TABLE t_now ORDER BY k;
-- nothing is left to do
SELECT * FROM bulk_sync('t', 's', scope => 'true', soft_delete_column => 'gone',
                        touch_columns => '{touched}', insert_only_columns => '{first}');

-- Every set of actions: a revival is an update, a mark is a delete.
SELECT fill_tables();
BEGIN;
SELECT * FROM bulk_sync('t', 's', actions => '{insert,update}', soft_delete_column => 'gone');
SELECT k, v, gone FROM t ORDER BY k;
ROLLBACK;
BEGIN;
SELECT * FROM bulk_sync('t', 's', scope => 'true', actions => '{insert,delete}', soft_delete_column => 'gone');
SELECT k, v, gone FROM t ORDER BY k;
ROLLBACK;
BEGIN;
SELECT * FROM bulk_sync('t', 's', scope => 'true', actions => '{update,delete}', soft_delete_column => 'gone');
ROLLBACK;
BEGIN;
SELECT * FROM bulk_sync('t', 's', actions => '{insert}', soft_delete_column => 'gone');
ROLLBACK;
BEGIN;
SELECT * FROM bulk_sync('t', 's', actions => '{update}', soft_delete_column => 'gone');
ROLLBACK;
BEGIN;
SELECT * FROM bulk_sync('t', 's', scope => 'true', actions => '{delete}', soft_delete_column => 'gone');
ROLLBACK;
-- with delete among the actions a scope is needed, as for deletes that delete
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's', soft_delete_column => 'gone');
\set VERBOSITY default

-- update_where decides about a revival like about any update, and sees the mark as it is stored.
BEGIN;
SELECT * FROM bulk_sync('t', 's', scope => 'true', soft_delete_column => 'gone', update_where => 'target.gone IS NOT TRUE');
SELECT k, v, gone FROM t ORDER BY k;
ROLLBACK;
BEGIN;
SELECT * FROM bulk_sync('t', 's', scope => 'true', soft_delete_column => 'gone',
                        update_where => $$target.gone AND staged.v = 'equal'$$);
SELECT k, v, gone FROM t ORDER BY k;
ROLLBACK;

-- Guards count marks, and their part is of the live rows in scope: 2 of 5.
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's', scope => 'true', soft_delete_column => 'gone', max_deletes => 1);
SELECT * FROM bulk_sync('t', 's', scope => 'true', soft_delete_column => 'gone', max_delete_fraction => 0.39);
SELECT count(*) AS rows, bool_and(untouched) AS untouched FROM t_now;
\set VERBOSITY default
BEGIN;
SELECT * FROM bulk_sync('t', 's', scope => 'true', soft_delete_column => 'gone', max_deletes => 2, max_delete_fraction => 0.4);
ROLLBACK;
-- nothing staged: refused unless allowed; then all live rows are marked and the marked ones stay
CREATE TABLE nothing (LIKE s);
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 'nothing', scope => 'true', soft_delete_column => 'gone');
\set VERBOSITY default
BEGIN;
SELECT * FROM bulk_sync('t', 'nothing', scope => 'true', soft_delete_column => 'gone', allow_empty => true);
SELECT count(*) AS rows, count(*) FILTER (WHERE gone) AS marked FROM t;
-- a fraction of no live rows at all is no division by zero
SELECT * FROM bulk_sync('t', 'nothing', scope => 'true', soft_delete_column => 'gone', allow_empty => true, max_delete_fraction => 0);
ROLLBACK;

-- A scope that names the mark. Live rows alone: a marked row is outside, so its key is new, and taken.
SELECT fill_tables();
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's', scope => 'gone IS NOT TRUE', soft_delete_column => 'gone');
DELETE FROM s WHERE k IN (6, 7);
BEGIN;
-- that a mark takes the row out of the scope is no error: the row is not a staged one
SELECT * FROM bulk_sync('t', 's', scope => 'gone IS NOT TRUE', soft_delete_column => 'gone');
SELECT k, v, gone, untouched FROM t_now ORDER BY k;
ROLLBACK;
-- supplied to new rows like any value of a scope; NULL is not false, so 4 and 5 are outside and 4 is taken
SELECT * FROM bulk_sync('t', 's', scope_values => '{"gone": false}', soft_delete_column => 'gone');
DELETE FROM s WHERE k = 4;
BEGIN;
SELECT * FROM bulk_sync('t', 's', scope_values => '{"gone": false}', soft_delete_column => 'gone');
SELECT k, v, gone, untouched FROM t_now ORDER BY k;
ROLLBACK;
-- marked rows alone: a new row would leave the scope by its default, and so would a revival
DELETE FROM s WHERE k <> 9;
SELECT * FROM bulk_sync('t', 's', scope => 'gone', soft_delete_column => 'gone');
TRUNCATE s;
INSERT INTO s VALUES (NULL, 6, 'equal', 'o', 'o');
SELECT * FROM bulk_sync('t', 's', scope => 'gone', soft_delete_column => 'gone');
SELECT count(*) AS rows, bool_and(untouched) AS untouched FROM t_now;
\set VERBOSITY default

-- A key may have many marked rows and one live one. 1: live and marked twice, equal; 2: the same, changed; 3: stale, and
-- marked; 4: one marked; 5: two live and stale, not staged.
CREATE TABLE h (k int, v text, gone_at timestamptz);
CREATE TABLE hs (k int, v text);
INSERT INTO h VALUES (1, 'old', '2001-01-01'), (1, 'live', NULL), (1, 'older', '-infinity'),
  (2, 'live 2', NULL), (2, 'old', 'infinity'), (2, 'older', '2000-01-01'), (3, 'live 3', NULL), (3, 'old', '2001-01-01'),
  (4, 'old', '2001-01-01'), (5, 'a', NULL), (5, 'b', NULL);
INSERT INTO hs VALUES (1, 'live'), (2, 'new'), (4, 'new');
CREATE UNIQUE INDEX ON h (v) WHERE gone_at IS NULL;
BEGIN;
SELECT * FROM bulk_sync('h', 'hs', '{k}', scope => 'k <> 2', actions => '{delete}', soft_delete_column => 'gone_at');
SELECT k, v, CASE WHEN gone_at = now() THEN 'now' WHEN gone_at IS NULL THEN 'live' ELSE 'then' END AS mark
  FROM h ORDER BY k, v, mark;
ROLLBACK;
-- unique among the live rows: the revived 4 takes the value that 2 gives up
UPDATE hs SET v = 'live 2' WHERE k = 4;
BEGIN;
SELECT * FROM bulk_sync('h', 'hs', '{k}', scope => 'true', soft_delete_column => 'gone_at');
SELECT k, v, CASE WHEN gone_at = now() THEN 'now' WHEN gone_at IS NULL THEN 'live' ELSE 'then' END AS mark
  FROM h ORDER BY k, v, mark;
SELECT * FROM bulk_sync('h', 'hs', '{k}', scope => 'true', soft_delete_column => 'gone_at');
ROLLBACK;
-- a mark frees the unique value that a new row needs, in the same call
BEGIN;
INSERT INTO hs VALUES (6, 'b');
SELECT * FROM bulk_sync('h', 'hs', '{k}', scope => 'true', soft_delete_column => 'gone_at');
SELECT k, v, gone_at IS NULL AS live FROM h WHERE v = 'b' ORDER BY k;
ROLLBACK;
-- two live rows of a staged key, or none and two marked
\set VERBOSITY sqlstate
INSERT INTO hs VALUES (5, 'a');
SELECT * FROM bulk_sync('h', 'hs', '{k}', scope => 'true', soft_delete_column => 'gone_at');
SELECT * FROM bulk_sync('h', 'hs', '{k}', soft_delete_column => 'gone_at', actions => '{insert}');
DELETE FROM hs;
INSERT INTO hs VALUES (4, 'new');
INSERT INTO h VALUES (4, 'older', '2000-01-01');
SELECT * FROM bulk_sync('h', 'hs', '{k}', scope => 'true', soft_delete_column => 'gone_at');
-- unless the scope leaves one of them
BEGIN;
SELECT * FROM bulk_sync('h', 'hs', '{k}', scope => $$gone_at IS NULL OR gone_at > '2000-06-01'$$, actions => '{update}',
                        soft_delete_column => 'gone_at');
ROLLBACK;
\set VERBOSITY default

SET client_min_messages = warning;
DROP SCHEMA soft_delete CASCADE;
