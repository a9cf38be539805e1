-- How a table is stored makes no difference: values out of line or compressed are compared by their
-- content, whatever the settings of target and staged table, and updates are HOT where they can be
-- Contract 1.3.1, 1.3.8; cases 2, 139, 140
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA table_access;
SET search_path = table_access, public;
\set VERBOSITY sqlstate

-- values of every size in columns of every storage: in line, compressed, out of line
CREATE TABLE t (k int PRIMARY KEY, plain text, main text, external text, extended text) WITH (fillfactor = 70, toast_tuple_target = 128);
ALTER TABLE t ALTER plain SET STORAGE PLAIN, ALTER main SET STORAGE MAIN, ALTER external SET STORAGE EXTERNAL,
  ALTER extended SET STORAGE EXTENDED, ALTER extended SET COMPRESSION pglz;
CREATE TABLE s (extended text, external text, main text, plain text, k int);
ALTER TABLE s ALTER extended SET STORAGE EXTERNAL, ALTER external SET STORAGE MAIN, ALTER main SET STORAGE EXTERNAL, ALTER plain SET STORAGE EXTERNAL;
CREATE FUNCTION noise(n int, seed int) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT string_agg(md5(seed || ' ' || i), '') FROM generate_series(1, n / 32 + 1) AS i $$;
INSERT INTO s (k, plain, main, external, extended)
  SELECT i, noise(10 * i, i), repeat('m', 300 * i), noise(500 * i, i), CASE i % 3 WHEN 0 THEN noise(700 * i, i) WHEN 1 THEN repeat('e', 1000 * i) END
    FROM generate_series(1, 40) AS i;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT bool_or(pg_column_compression(main) IS NOT NULL) AS main_is_compressed, bool_or(pg_column_compression(extended) = 'pglz') AS extended_is_compressed,
       bool_or(pg_column_compression(external) IS NOT NULL) AS external_is_compressed FROM t;
SELECT (SELECT count(*) FROM (SELECT ROW(k, plain, main, external, extended)::text FROM t EXCEPT ALL SELECT ROW(k, plain, main, external, extended)::text FROM s) AS a) AS surplus,
       (SELECT count(*) FROM (SELECT ROW(k, plain, main, external, extended)::text FROM s EXCEPT ALL SELECT ROW(k, plain, main, external, extended)::text FROM t) AS b) AS missing;
SELECT * FROM bulk_sync('t', 's', scope => 'true');

-- one byte in the middle of a long value makes the difference
CREATE TEMPORARY TABLE before AS SELECT ctid AS c, xmin AS x, k FROM t;
UPDATE s SET external = overlay(external PLACING '?' FROM 5000) WHERE k = 20;
UPDATE s SET extended = overlay(extended PLACING '?' FROM 9000) WHERE k = 30;
UPDATE s SET main = main || '?' WHERE k = 10;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT string_agg(k::text, ' ' ORDER BY k) AS rewritten FROM t LEFT JOIN before b USING (k) WHERE (b.c, b.x) IS DISTINCT FROM (t.ctid, t.xmin);
SELECT count(*) AS equal FROM t JOIN s USING (k, plain, main, external) WHERE t.extended IS NOT DISTINCT FROM s.extended;

-- an update of a short column leaves the long values of the row where they are, out of line: not copied
SELECT reltoastrelid::regclass AS toast FROM pg_class WHERE oid = 't'::regclass \gset
CREATE TEMPORARY TABLE chunks AS SELECT chunk_id, ctid AS c FROM :toast;
UPDATE s SET plain = 'short' WHERE k > 30;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT count(*) AS new_chunks FROM :toast AS n WHERE NOT EXISTS (SELECT FROM chunks WHERE chunks.chunk_id = n.chunk_id AND c = n.ctid);

-- the storage is changed later, the old values are as they were: equal
ALTER TABLE t ALTER main SET STORAGE EXTERNAL, ALTER external SET STORAGE EXTENDED;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
-- long values as keys
SELECT * FROM bulk_sync('t', 's', '{external}', scope => 'true');
SELECT * FROM bulk_sync('t', 's', '{extended,plain,k}', scope => 'true', columns => '{main}');

-- an update that changes no indexed column is HOT where the page has room
CREATE TABLE roomy (k int PRIMARY KEY, a int, b int) WITH (fillfactor = 50);
CREATE INDEX ON roomy (a);
INSERT INTO roomy SELECT i, i, i FROM generate_series(1, 100) AS i;
CREATE TEMPORARY TABLE roomy_staged AS SELECT k, a, b + 1 AS b FROM roomy;
CREATE FUNCTION updates(OUT updated bigint, OUT hot bigint) LANGUAGE sql AS $$
  SELECT pg_stat_get_xact_tuples_updated('roomy'::regclass), pg_stat_get_xact_tuples_hot_updated('roomy'::regclass) $$;
BEGIN;
SELECT updated AS updated_before, hot AS hot_before FROM updates() \gset
SELECT updated FROM bulk_sync('roomy', 'roomy_staged', scope => 'true');
SELECT updated - :updated_before AS updated, hot - :hot_before AS hot FROM updates();
COMMIT;
UPDATE roomy_staged SET a = a + 1 WHERE k <= 10;
BEGIN;
SELECT updated AS updated_before, hot AS hot_before FROM updates() \gset
SELECT updated FROM bulk_sync('roomy', 'roomy_staged', scope => 'true');
SELECT updated - :updated_before AS updated, hot - :hot_before AS hot FROM updates();
COMMIT;

-- many columns, more than a NULL bitmap's byte, of fixed and variable width, NULL in turn
SELECT format('CREATE TABLE broad (k int PRIMARY KEY, %s)', string_agg(format('c%s %s', i, (ARRAY['int', 'text', 'bool', 'numeric', 'float8', '"char"'])[i % 6 + 1]), ', ')) AS create FROM generate_series(1, 200) AS i \gset
:create;
CREATE TEMPORARY TABLE broad_staged AS TABLE broad;
SELECT format('INSERT INTO broad_staged SELECT k, %s FROM generate_series(1, 50) AS k', string_agg(format('CASE WHEN (k + %s) %% 5 > 0 THEN %s END', i, (ARRAY['k', 'k::text', 'k > 9', 'k / 7.0', 'k / 3.0', '''x''::"char"'])[i % 6 + 1]), ', ')) AS fill FROM generate_series(1, 200) AS i \gset
:fill;
SELECT * FROM bulk_sync('broad', 'broad_staged', scope => 'true');
SELECT count(*) AS equal FROM (SELECT broad::text FROM broad INTERSECT SELECT broad_staged::text FROM broad_staged) AS same;
UPDATE broad_staged SET c199 = NULL WHERE c199 IS NOT NULL AND k % 2 = 0;
SELECT count(*) AS to_change FROM broad_staged JOIN broad USING (k) WHERE broad_staged.c199 IS DISTINCT FROM broad.c199;
SELECT * FROM bulk_sync('broad', 'broad_staged', scope => 'true');
SELECT count(*) AS equal FROM (SELECT broad::text FROM broad INTERSECT SELECT broad_staged::text FROM broad_staged) AS same;

SET client_min_messages = warning;
DROP SCHEMA table_access CASCADE;
DROP TABLE before, chunks, roomy_staged, broad_staged;
