-- Two staged rows with one key: an error that names the keys, or one of them is kept and the others are skipped.
-- It is decided before anything else about these rows. Contract 1.1.5, 1.1.6, 1.4, 1.5; cases 25, 26, 28
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA duplicates;
SET search_path = duplicates, public;

CREATE TABLE t (k int PRIMARY KEY, v int, g int DEFAULT 1);
CREATE TABLE s (k int, v int);
INSERT INTO t VALUES (1, 10), (2, 20), (9, 90);
CREATE TEMPORARY TABLE before AS SELECT ctid AS old_ctid, xmin AS old_xmin, k FROM t;

-- One key twice: nothing is written, whichever of the rows might have been equal to the stored one.
INSERT INTO s VALUES (1, 10), (2, 21), (1, 11);
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true', dry_run => true);
-- Rows that are the same in every column are duplicates too; so are those of a key that is new.
TRUNCATE s;
INSERT INTO s VALUES (2, 20), (1, 10), (1, 10);
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
TRUNCATE s;
INSERT INTO s VALUES (7, 1), (7, 1);
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true', actions => '{insert}');
-- The actions make no difference: that the rows would only be skipped is decided later.
SELECT * FROM bulk_sync('t', 's', '{k}', actions => '{update}');
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true', actions => '{delete}');
-- Ten such keys: up to five are named, in the order in which they are met.
TRUNCATE s;
INSERT INTO s SELECT i % 10, i FROM generate_series(0, 29) i;
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
-- Keys of several columns, of text, with NULL.
CREATE TABLE words (a text, "B c" int, v int);
CREATE TEMPORARY TABLE words_staged (a text, "B c" int, v int);
INSERT INTO words_staged VALUES ('x, (y)', NULL, 1), ('x, (y)', NULL, 2), ('', 1, 3), ('', 1, 4), (NULL, NULL, 5);
SELECT * FROM bulk_sync('words', 'words_staged', ARRAY['a', 'B c'], scope => 'true');
-- Equal only after conversion: '01' and '1' are one integer.
CREATE TEMPORARY TABLE s_text (k text, v text);
INSERT INTO s_text VALUES ('01', '1'), ('1', '2');
SELECT * FROM bulk_sync('t', 's_text', '{k}', scope => 'true');
SELECT t.ctid = old_ctid AND t.xmin = old_xmin AS untouched FROM t JOIN before USING (k) ORDER BY k;

-- The guards come first, then conversion, then the duplicates, then the scope.
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's_text', '{k}', scope => 'true', expected_rows => 3);
SELECT * FROM bulk_sync('t', 's_text', '{k}', scope => 'k > 100');
SELECT * FROM bulk_sync('t', 's_text', '{k}', scope => 'true', max_deletes => 0);
INSERT INTO s_text VALUES ('x', '');
SELECT * FROM bulk_sync('t', 's_text', '{k}', scope => 'true');
\set VERBOSITY default

-- 'first' and 'last': one row of each key by the order of staging; the rest are skipped.
TRUNCATE s;
INSERT INTO s VALUES (1, 11), (2, 20), (3, 31), (1, 10), (3, 32), (2, 22), (3, 30);
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true', duplicates => 'first', dry_run => true);
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true', duplicates => 'first');
SELECT * FROM t ORDER BY k;
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true', duplicates => 'First');
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true', duplicates => 'LAST');
SELECT * FROM t ORDER BY k;
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true', duplicates => 'last');
-- The row that is kept decides alone: it is dropped by update_where, not exchanged for one that passes.
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true', duplicates => 'first',
	update_where => 'staged.v < target.v');
SELECT * FROM t ORDER BY k;
-- Rows dropped are no duplicates to the scope check: (3, 32) would lie outside, but is not kept.
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'v <> 32', duplicates => 'last');
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'v <> 30', duplicates => 'last');
-- All rows are converted, though, those that are dropped too.
TRUNCATE s_text;
INSERT INTO s_text VALUES ('1', 'x'), ('1', '2');
SELECT * FROM bulk_sync('t', 's_text', '{k}', scope => 'true', duplicates => 'last');

-- Duplicates among the stored rows that no staged row matches, or that lie outside the scope, are no matter.
CREATE TABLE loose (k int, v int, g int);
INSERT INTO loose VALUES (1, 1, 1), (2, 2, 2), (2, 3, 2), (3, 3, 1), (3, 3, 1), (1, 5, 2), (1, 6, NULL);
CREATE TEMPORARY TABLE loose_staged (k int, v int, g int);
INSERT INTO loose_staged VALUES (1, 7, 1), (2, 7, 1);
SELECT * FROM bulk_sync('loose', 'loose_staged', '{k}', scope => 'g = 1');
SELECT * FROM loose ORDER BY k, v, g;

-- What is staged must be a plain table where the order of staging decides; an order column will do for a view.
CREATE VIEW s_view AS SELECT * FROM s;
SELECT * FROM bulk_sync('t', 's_view', '{k}', scope => 'true', duplicates => 'last');
SELECT * FROM bulk_sync('t', 's_view', '{k}', scope => 'true', duplicates => 'first');
SELECT * FROM bulk_sync('t', 's_view', '{k}', scope => 'true');
SELECT * FROM bulk_sync('t', 's_view', '{k}', scope => 'true', duplicates => 'last', order_column => 'v');
SELECT * FROM t ORDER BY k;
CREATE TABLE s_parted (k int, v int) PARTITION BY LIST (k);
CREATE TABLE s_part PARTITION OF s_parted DEFAULT;
CREATE MATERIALIZED VIEW s_stored AS SELECT * FROM s;
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's_parted', '{k}', scope => 'true', duplicates => 'last', allow_empty => true);
SELECT * FROM bulk_sync('t', 's_stored', '{k}', scope => 'true', duplicates => 'last');
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true', duplicates => 'newest');
\set VERBOSITY default

SET client_min_messages = warning;
DROP SCHEMA duplicates CASCADE;
DROP TABLE before, words_staged, s_text, loose_staged;
