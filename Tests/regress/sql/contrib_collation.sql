-- Keys are matched under the collation of the target's column: a nondeterministic one of ICU makes one key of
-- several images. What is compared to find a change is the image, whatever the collation. Contract 1.1.1, 1.3.1;
-- cases 38, 58
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA contrib_collation;
SET search_path = contrib_collation, public;

CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE COLLATION ai (provider = icu, locale = 'und-u-ks-level1', deterministic = false);

-- The staged column has another collation: the default one, "C", or one that is nondeterministic itself.
CREATE TABLE t (k text COLLATE ci PRIMARY KEY, v text COLLATE ci);
CREATE TEMPORARY TABLE s (k text, v text COLLATE "C");
INSERT INTO t VALUES ('Abc', 'x'), ('DEF', 'Y'), ('ghi', 'z'), ('é', 'z');
INSERT INTO s VALUES ('abc', 'x'), ('DEF', 'y'), ('ghi', 'z'), ('e', 'z');
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
SELECT * FROM t ORDER BY k COLLATE "C";
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
-- Equal under the target's collation is a duplicate.
INSERT INTO s VALUES ('ABC', 'x');
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
\set VERBOSITY default
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true', duplicates => 'last');
SELECT * FROM t ORDER BY k COLLATE "C";
-- The other way round: a nondeterministic staged column for an exact key keeps 'a' and 'A' apart.
CREATE TABLE exact (k text PRIMARY KEY, v text);
CREATE TEMPORARY TABLE loose (k text COLLATE ai, v text COLLATE ai);
INSERT INTO exact VALUES ('a', ''), ('B', 'b');
INSERT INTO loose VALUES ('a', ''), ('A', ''), ('á', ''), ('B', 'B');
SELECT * FROM bulk_sync('exact', 'loose', '{k}', scope => 'true');
SELECT * FROM exact ORDER BY k COLLATE "C";
SELECT * FROM bulk_sync('exact', 'loose', '{k}', scope => 'true');
-- Two nondeterministic collations that differ: the target's counts.
CREATE TABLE accents (k text COLLATE ai, v text);
INSERT INTO accents VALUES ('Ä', '1'), ('b', '2');
CREATE TEMPORARY TABLE accents_staged (k text COLLATE ci, v text COLLATE "C");
INSERT INTO accents_staged VALUES ('a', '1'), ('c', '3');
SELECT * FROM bulk_sync('accents', 'accents_staged', '{k}', scope => 'true');
SELECT * FROM accents ORDER BY v;

-- Arrays, rows, domains and varchar of such a collation, many rows, little memory.
CREATE DOMAIN word AS varchar(20) COLLATE ci;
CREATE TABLE nested (w word, a text[] COLLATE ci, n int, v int);
CREATE TEMPORARY TABLE nested_staged (w text, a text[], n int, v int);
INSERT INTO nested SELECT 'Word ' || i % 100, ARRAY['Eins', NULL, 'Zwei ' || i % 7], i / 100, i
	FROM generate_series(0, 4999) i;
INSERT INTO nested_staged SELECT upper(w), ARRAY[lower(a[1]), a[2], upper(a[3])], n, v FROM nested ORDER BY md5(v::text);
SET bulk_sync.work_mem = '64kB';
SELECT * FROM bulk_sync('nested', 'nested_staged', '{w,a,n}', scope => 'true');
SELECT * FROM bulk_sync('nested', 'nested_staged', '{w,a,n}', scope => 'true');
RESET bulk_sync.work_mem;
SELECT count(*) FROM nested WHERE w = upper(w) COLLATE "C";

-- The groups of scope_columns, too, are those of the target's collation.
CREATE TABLE grouped (g text COLLATE ci, k int, v int);
INSERT INTO grouped VALUES ('One', 1, 1), ('ONE', 2, 2), ('two', 3, 3);
CREATE TEMPORARY TABLE grouped_staged (g text, k int, v int);
INSERT INTO grouped_staged VALUES ('one', 1, 10);
SELECT * FROM bulk_sync('grouped', 'grouped_staged', '{k}', scope_columns => '{g}');
SELECT * FROM grouped ORDER BY k;

SET client_min_messages = warning;
DROP SCHEMA contrib_collation CASCADE;
DROP TABLE s, loose, accents_staged, nested_staged, grouped_staged;
