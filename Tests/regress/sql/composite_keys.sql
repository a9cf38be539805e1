-- Keys of several columns are matched column by column and by name: never joined into one string, never by
-- position. Contract 1.1.1, 1.1.4; cases 32, 53
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA composite_keys;
SET search_path = composite_keys, public;

-- '1' || '1a' is '11' || 'a', and '' || 'ab' is 'ab' || '': these are four different keys.
CREATE TABLE words (a text, b text, v int);
CREATE TEMPORARY TABLE words_staged (a text, b text, v int);
INSERT INTO words VALUES ('1', '1a', 1), ('', 'ab', 2);
INSERT INTO words_staged VALUES ('11', 'a', 1), ('ab', '', 2);
SELECT * FROM bulk_sync('words', 'words_staged', '{a,b}', scope => 'true');
SELECT * FROM words ORDER BY v;

-- (1,2) is not (2,1), though any hash that merely adds up says so.
CREATE TABLE pairs (a int, b int, v int);
CREATE TEMPORARY TABLE pairs_staged (a int, b int, v int);
INSERT INTO pairs SELECT a, b, a * 10 + b FROM generate_series(0, 9) a, generate_series(0, 9) b;
INSERT INTO pairs_staged SELECT b, a, v FROM pairs;
-- The ten rows of the diagonal are equal, ninety change.
SELECT * FROM bulk_sync('pairs', 'pairs_staged', '{a,b}', scope => 'true');
SELECT count(*) FROM pairs WHERE v <> b * 10 + a;
-- The order in which the key columns are named makes no difference.
SELECT * FROM bulk_sync('pairs', 'pairs_staged', '{b,a}', scope => 'true');

-- Columns are paired by name: another order, a dropped column in between on either side, more columns.
CREATE TABLE t (gone1 int, a int, gone2 text, b text, v numeric, kept text DEFAULT 'default');
ALTER TABLE t DROP gone1, DROP gone2;
ALTER TABLE t ADD w int;
CREATE TEMPORARY TABLE s (w int, v numeric, gone3 int, b text, gone4 text, a int);
ALTER TABLE s DROP gone3, DROP gone4;
INSERT INTO t VALUES (1, 'x', 1.0, 'kept', 1), (2, 'y', 2.0, 'kept', 2), (3, 'z', 3.0, 'kept', 3);
INSERT INTO s (a, b, v, w) VALUES (2, 'y', 2.5, 2), (3, 'z', 3.0, 3), (3, 'y', 4.0, 4);
SELECT * FROM bulk_sync('t', 's', '{b,a}', scope => 'true');
SELECT * FROM t ORDER BY a, b;
SELECT * FROM bulk_sync('t', 's', '{a,b}', scope => 'true');

-- The same with two columns of one type, which a match by position would pair without complaint.
CREATE TABLE same_type (a int, b int, v int);
CREATE TEMPORARY TABLE same_type_staged (v int, b int, a int);
INSERT INTO same_type VALUES (1, 2, 3);
INSERT INTO same_type_staged (a, b, v) VALUES (1, 2, 3);
SELECT * FROM bulk_sync('same_type', 'same_type_staged', '{a,b}', scope => 'true');

-- A key of part of the columns is as good as any: no unique index is needed, and none appears.
CREATE TABLE no_index (a int, b int, c int);
INSERT INTO no_index VALUES (1, 1, 1), (1, 2, 2);
CREATE TEMPORARY TABLE no_index_staged (a int, b int, c int);
INSERT INTO no_index_staged VALUES (1, 2, 3), (1, 3, 3);
SELECT * FROM bulk_sync('no_index', 'no_index_staged', '{a,b}', scope => 'true');
SELECT * FROM no_index ORDER BY a, b;
SELECT count(*) AS indexes FROM pg_index WHERE indrelid = 'no_index'::regclass;
-- key_columns need not be the primary key, nor one of the unique keys.
CREATE TABLE other_key (id int PRIMARY KEY, code text, v int);
INSERT INTO other_key VALUES (1, 'a', 1), (2, 'b', 2);
CREATE TEMPORARY TABLE other_key_staged (id int, code text, v int);
INSERT INTO other_key_staged VALUES (7, 'b', 2), (8, 'c', 3);
SELECT * FROM bulk_sync('other_key', 'other_key_staged', '{code}', scope => 'true');
SELECT * FROM other_key ORDER BY id;

-- NULL for the key means the primary key, in whatever order it names its columns.
CREATE TABLE pk (v text, b int, a text, PRIMARY KEY (a, b));
CREATE TEMPORARY TABLE pk_staged (a text, v text, b int);
INSERT INTO pk VALUES ('v', 1, 'x'), ('v', 2, 'x');
INSERT INTO pk_staged VALUES ('x', 'w', 2), ('y', 'v', 1);
SELECT * FROM bulk_sync('pk', 'pk_staged', NULL, scope => 'true');
SELECT * FROM pk ORDER BY a, b;
-- Nothing but key columns: there is nothing to update.
CREATE TABLE keys_only (a int, b text, PRIMARY KEY (a, b));
CREATE TEMPORARY TABLE keys_only_staged (b text, a int);
INSERT INTO keys_only VALUES (1, 'a'), (1, 'b');
INSERT INTO keys_only_staged VALUES ('b', 1), ('c', 1);
SELECT * FROM bulk_sync('keys_only', 'keys_only_staged', scope => 'true');
SELECT * FROM keys_only ORDER BY a, b;

-- A key of thirty-three columns, one more than an index can have, each of which decides.
SELECT format('CREATE TABLE broad (%s, v int); CREATE TEMPORARY TABLE broad_staged (LIKE broad)',
	string_agg('k' || i || ' int', ', ')) FROM generate_series(1, 33) i \gexec
SELECT format('INSERT INTO broad VALUES (%s, 0); INSERT INTO broad_staged TABLE broad',
	string_agg(i::text, ', ')) FROM generate_series(1, 33) i \gexec
SELECT format('INSERT INTO broad_staged SELECT %s, %s FROM broad WHERE v = 0',
	string_agg(CASE WHEN i = changed THEN 'k' || i || ' + 1000' ELSE 'k' || i END, ', ' ORDER BY i), changed)
	FROM generate_series(1, 33) i, generate_series(1, 33) changed GROUP BY changed ORDER BY changed \gexec
SELECT * FROM bulk_sync('broad', 'broad_staged',
	(SELECT array_agg('k' || i) FROM generate_series(1, 33) i), scope => 'true');
SELECT count(*), count(DISTINCT v) FROM broad;

SET client_min_messages = warning;
DROP SCHEMA composite_keys CASCADE;
DROP TABLE words_staged, pairs_staged, s, same_type_staged, no_index_staged, other_key_staged, pk_staged,
	keys_only_staged, broad_staged;
