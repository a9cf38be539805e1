-- bulk_insert_changed where contrib modules or ICU are needed: keys of citext and of a nondeterministic collation, an order column with a
-- collation, a foreign table as history and as staged. Contract 5, 1.1.1, 1.1.6, 1.3.1
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
CREATE EXTENSION IF NOT EXISTS citext;
CREATE EXTENSION IF NOT EXISTS postgres_fdw;
RESET client_min_messages;
CREATE SCHEMA contrib_insert_changed;
SET search_path = contrib_insert_changed, public;

-- 1. citext: one key in several spellings, and compared by image: 'A' to 'a' is a change.
CREATE TABLE t (k citext, n int, v citext);
CREATE TABLE s (k text, n int, v text);
INSERT INTO t VALUES ('Apple', 1, 'Red');
INSERT INTO s VALUES ('apple', 2, 'Red'), ('APPLE', 3, 'red'), ('aPPLE', 4, 'red'), ('apples', 1, 'red'), ('APPLES', 2, 'red');
SELECT * FROM bulk_insert_changed('t', 's', '{k}', 'n');
SELECT * FROM t ORDER BY k, n;
-- as order column it is ordered as citext is: 'a' and 'A' are ties, in the order of staging
CREATE TABLE by_citext (k int, n citext, v text);
CREATE TABLE by_citext_staged (k int, n text, v text);
INSERT INTO by_citext_staged VALUES (1, 'B', 'z'), (1, 'a', 'x'), (1, 'A', 'y'), (1, 'a', 'y');
SELECT * FROM bulk_insert_changed('by_citext', 'by_citext_staged', '{k}', 'n');
SELECT n, v FROM by_citext ORDER BY n, v;

-- 2. A nondeterministic collation of the target's column decides what is one key and what is a tie, not that of the staged one.
CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE c (k text COLLATE ci, n text COLLATE ci, v text COLLATE ci);
CREATE TABLE c_staged (k text COLLATE "C", n text COLLATE "C", v text);
INSERT INTO c VALUES ('key', 'm', 'old'), ('KEY', 'M', 'newest');
INSERT INTO c_staged VALUES ('Key', 'm', 'newest'), ('kEY', 'n', 'NEWEST'), ('key', 'N', 'NEWEST'), ('key', 'a', 'late'), ('key', 'Z', 'NEWEST'), ('KEY', 'z', 'last');
SELECT * FROM bulk_insert_changed('c', 'c_staged', '{k}', 'n');
SELECT k COLLATE "C" AS k, n COLLATE "C" AS n, v COLLATE "C" AS v FROM c ORDER BY n COLLATE ci, v COLLATE "C";
-- the other way round
CREATE TABLE exact (k text COLLATE "C", n text COLLATE "C", v text);
CREATE TABLE loose (k text COLLATE ci, n text COLLATE ci, v text COLLATE ci);
INSERT INTO loose VALUES ('a', 'b', '1'), ('A', 'b', '1'), ('a', 'C', '2'), ('A', 'B', '1');
SELECT * FROM bulk_insert_changed('exact', 'loose', '{k}', 'n');
SELECT * FROM exact ORDER BY k, n;

-- 3. Against a model: keys and order of nondeterministic text, NULL among them.
CREATE TABLE many (tag int, k text COLLATE ci, n text COLLATE ci, v text);
CREATE TABLE many_staged (tag int, k text, n text, v text);
CREATE TABLE model (LIKE many, position serial);
CREATE FUNCTION run(cases int) RETURNS TABLE (calls bigint, wrong bigint, both_happen boolean) LANGUAGE plpgsql AS $$
DECLARE
	r record;
	inserted bigint := 0;
	unchanged bigint := 0;
	counts record;
BEGIN
	calls := 0;
	wrong := 0;
	FOR number IN 1 .. cases LOOP
		TRUNCATE many, model;
		FOR turn IN 1 .. 3 LOOP
			TRUNCATE many_staged;
			INSERT INTO many_staged SELECT turn * 100 + i, ('{a,A,b,B,NULL}'::text[])[1 + floor(random() * 5)], ('{a,A,b,B,c,NULL}'::text[])[1 + floor(random() * 6)],
				('{x,X}'::text[])[1 + floor(random() * 2)] FROM generate_series(1, 1 + floor(random() * 20)::int) i;
			FOR r IN SELECT * FROM many_staged ORDER BY n COLLATE ci NULLS FIRST, tag LOOP
				INSERT INTO model (tag, k, n, v) SELECT r.tag, r.k, r.n, r.v
				 WHERE r.v COLLATE "C" IS DISTINCT FROM (SELECT v FROM model WHERE model.k IS NOT DISTINCT FROM r.k COLLATE ci ORDER BY n DESC NULLS LAST, position DESC LIMIT 1);
			END LOOP;
			SELECT * INTO counts FROM bulk_insert_changed('many', 'many_staged', '{k}', 'n', '{v}');
			inserted := inserted + counts.inserted;
			unchanged := unchanged + counts.unchanged;
			calls := calls + 1;
			wrong := wrong + (SELECT ((SELECT array_agg(tag ORDER BY tag) FROM many) IS DISTINCT FROM (SELECT array_agg(tag ORDER BY tag) FROM model))::int);
		END LOOP;
	END LOOP;
	both_happen := inserted > 100 AND unchanged > 100;
	RETURN NEXT;
END $$;
DO 'BEGIN PERFORM setseed(0.25); END';
SELECT * FROM run(40);

-- 4. Foreign tables, in a second database of the same server
SELECT current_database() AS here, left(current_database(), 50) || '_history' AS remote, current_user AS me \gset
\getenv host PGHOST
\getenv port PGPORT
\if :{?host}
\else
  \set host /tmp
\endif
\if :{?port}
\else
  \set port 5432
\endif
SET client_min_messages = warning;
DROP DATABASE IF EXISTS :"remote";
RESET client_min_messages;
CREATE DATABASE :"remote";
\c :"remote"
CREATE TABLE far (val text CHECK (val <> 'bad'), at int, id int);
INSERT INTO far VALUES ('a', 1, 1), ('b', 2, 1), ('a', 1, NULL);
CREATE TABLE far_staged (k int, n int, v text);
INSERT INTO far_staged VALUES (1, 5, 'a'), (1, 4, 'b'), (1, 3, 'b'), (NULL, 9, 'a'), (2, 1, 'a');
\c :"here"
SET search_path = contrib_insert_changed, public;
CREATE SERVER regress_bulk_sync_history FOREIGN DATA WRAPPER postgres_fdw OPTIONS (dbname :'remote', host :'host', port :'port');
CREATE USER MAPPING FOR CURRENT_USER SERVER regress_bulk_sync_history OPTIONS (user :'me');
CREATE FOREIGN TABLE near (k int OPTIONS (column_name 'id'), n int OPTIONS (column_name 'at'), v text OPTIONS (column_name 'val')) SERVER regress_bulk_sync_history OPTIONS (schema_name 'public', table_name 'far');
CREATE FOREIGN TABLE near_staged (v text, n int, k int) SERVER regress_bulk_sync_history OPTIONS (schema_name 'public', table_name 'far_staged');
-- both far
SELECT * FROM bulk_insert_changed('near', 'near_staged', '{k}', 'n');
SELECT * FROM near ORDER BY k, n;
-- the history far
CREATE TABLE near_by AS SELECT * FROM (VALUES (1, 6, 'a'), (1, 8, 'c'), (1, 7, 'c'), (3, 1, 'x')) x (k, n, v);
SELECT * FROM bulk_insert_changed('near', 'near_by', '{k}', 'n');
SELECT * FROM near ORDER BY k, n;
-- a row that is refused there: nothing stays
INSERT INTO near_by VALUES (4, 1, 'good'), (4, 2, 'bad');
\set VERBOSITY sqlstate
SELECT * FROM bulk_insert_changed('near', 'near_by', '{k}', 'n');
\set VERBOSITY default
SELECT count(*) AS of_4 FROM near WHERE k = 4;
-- staged far, and a history here
CREATE TABLE here (k int, n int, v text);
SELECT * FROM bulk_insert_changed('here', 'near_staged', '{k}', 'n');
SELECT * FROM here ORDER BY k, n;
-- a foreign partition of the history
CREATE TABLE parted (k int, n int, v text) PARTITION BY RANGE (n);
CREATE TABLE parted_new PARTITION OF parted FOR VALUES FROM (10) TO (MAXVALUE);
ALTER TABLE parted ATTACH PARTITION near FOR VALUES FROM (MINVALUE) TO (10);
TRUNCATE near_by;
INSERT INTO near_by VALUES (1, 11, 'c'), (1, 12, 'd'), (1, 9, 'd'), (5, 1, 'e'), (5, 11, 'f');
SELECT * FROM bulk_insert_changed('parted', 'near_by', '{k}', 'n');
SELECT tableoid::regclass AS part, k, n, v FROM parted WHERE k = 5 OR n > 8 ORDER BY k, n;

SET client_min_messages = warning;
DROP SCHEMA contrib_insert_changed CASCADE;
DROP SERVER regress_bulk_sync_history CASCADE;
DROP DATABASE :"remote" WITH (FORCE);
