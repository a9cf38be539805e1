-- Ordinary tables of every persistence and past are synced alike: permanent, unlogged, temporary,
-- with dropped columns, with columns added later, typed, without a key index
-- Contract 1.1.4, 1.3.1, 1.3.8; cases 1, 2, 5, 10, 53, 128, 136, 142
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA plain_tables;
SET search_path = plain_tables, public;

-- The life of a synced table, a line for each step: the counts; in how many rows target and
-- staged then differ, in both directions (must be 0); how many row versions are gone and new
-- since the step before (must be updated + deleted and inserted + updated: no equal row is
-- rewritten). A refused step shows its SQLSTATE and must leave every version as it was.
CREATE TABLE step (n int, step text, scope text, dry_run boolean);
INSERT INTO step VALUES
  (1, 'first load', 'true', false), (2, 'mixed', 'true', false), (3, 'again', 'true', false),
  (4, 'one group', 'g = 1', false), (5, 'dry run', 'true', true),
  (6, 'out of the group', 'g = 1', false), (7, 'bad row', 'true', false);
CREATE TABLE feed (n int, k int, g int, v text);
INSERT INTO feed VALUES
  (1, 1, 1, 'a'), (1, 2, 1, 'b'), (1, 3, 2, 'c'), (1, 4, 2, 'd'), (1, 5, NULL, 'e'), (1, 6, NULL, NULL),
  (2, 2, 1, 'b'), (2, 3, 2, 'C'), (2, 4, 1, 'd'), (2, 5, NULL, 'e'), (2, 6, 2, NULL), (2, 7, 1, 'g'),
  (3, 2, 1, 'b'), (3, 3, 2, 'C'), (3, 4, 1, 'd'), (3, 5, NULL, 'e'), (3, 6, 2, NULL), (3, 7, 1, 'g'),
  (4, 2, 1, 'B'), (4, 7, 1, 'g'), (4, 8, 1, 'h'),
  (5, 2, 1, 'B'), (5, 3, 2, 'c'), (5, 9, 2, 'i'),
  (6, 2, 2, 'B'), (6, 7, 1, 'G'), (6, 8, 1, 'h'),
  (7, 2, 1, 'X'), (7, 10, 2, 'j'), (7, 11, 1, 'bad');
CREATE FUNCTION life(target regclass, staged regclass, version text DEFAULT 'tableoid, ctid, ')
RETURNS TABLE (step text, staged_rows bigint, inserted bigint, updated bigint, unchanged bigint,
               skipped bigint, deleted bigint, differ bigint, gone bigint, new bigint)
LANGUAGE plpgsql AS $$
DECLARE
  s record;
  versions text := format('SELECT array_agg(ROW(%sk, g, v)::text) FROM %s', version, target);
  wanted text[];
  held text[];
  before text[];
  after text[];
BEGIN
  FOR s IN SELECT * FROM step AS f ORDER BY n LOOP
    EXECUTE format('DELETE FROM %s', staged);
    EXECUTE format('INSERT INTO %s (k, g, v) SELECT k, g, v FROM feed WHERE n = $1', staged) USING s.n;
    EXECUTE versions INTO before;
    staged_rows := NULL; inserted := NULL; updated := NULL; unchanged := NULL;
    skipped := NULL; deleted := NULL; differ := NULL; step := s.step;
    BEGIN
      SELECT * INTO staged_rows, inserted, updated, unchanged, skipped, deleted
        FROM bulk_sync(target, staged, '{k}', scope => s.scope, dry_run => s.dry_run);
      EXECUTE format('SELECT array_agg(ROW(k, g, v)::text) FROM %s', staged) INTO wanted;
      EXECUTE format('SELECT array_agg(ROW(k, g, v)::text) FROM %s WHERE %s', target, s.scope) INTO held;
      IF NOT s.dry_run THEN
        differ := (SELECT count(*) FROM (SELECT unnest(wanted) EXCEPT ALL SELECT unnest(held)) AS d)
                + (SELECT count(*) FROM (SELECT unnest(held) EXCEPT ALL SELECT unnest(wanted)) AS d);
      END IF;
    EXCEPTION WHEN OTHERS THEN
      step := s.step || ': ' || sqlstate;
    END;
    EXECUTE versions INTO after;
    gone := (SELECT count(*) FROM (SELECT unnest(before) EXCEPT ALL SELECT unnest(after)) AS d);
    new := (SELECT count(*) FROM (SELECT unnest(after) EXCEPT ALL SELECT unnest(before)) AS d);
    RETURN NEXT;
  END LOOP;
END $$;
CREATE TEMPORARY TABLE life_staged (k int, g int, v text);

\set VERBOSITY sqlstate

-- a permanent table
CREATE TABLE permanent (k int PRIMARY KEY, g int, v text CHECK (v <> 'bad'));
SELECT * FROM life('permanent', 'life_staged');

-- an unlogged one, without any index on the key
CREATE UNLOGGED TABLE unlogged (k int, g int, v text CHECK (v <> 'bad'));
SELECT * FROM life('unlogged', 'life_staged');

-- a temporary one
CREATE TEMPORARY TABLE temporary_target (k int PRIMARY KEY, g int, v text CHECK (v <> 'bad'));
SELECT * FROM life('temporary_target', 'life_staged');

-- columns dropped before, between and after the living ones, of types of every width
CREATE TABLE with_dropped (d1 text, v text CHECK (v <> 'bad'), d2 bigint, d3 "char", k int PRIMARY KEY, d4 numeric, g int, d5 int NOT NULL);
ALTER TABLE with_dropped DROP d1, DROP d2, DROP d3, DROP d4, DROP d5;
SELECT * FROM life('with_dropped', 'life_staged');

-- dropped columns in the staged table, in another order
CREATE TABLE staged_dropped (g int, d1 text DEFAULT 'gone', v text, d2 int DEFAULT 7, k int);
INSERT INTO staged_dropped VALUES (9, 'x', 'x', 9, 9);
ALTER TABLE staged_dropped DROP d1, DROP d2;
TRUNCATE with_dropped;
SELECT * FROM life('with_dropped', 'staged_dropped');

-- a typed table
CREATE TYPE row_type AS (k int, g int, v text);
CREATE TABLE typed OF row_type (PRIMARY KEY (k), CHECK (v <> 'bad'));
SELECT * FROM life('typed', 'life_staged');

-- a temporary table that shadows a permanent one: each name means its own table, also inside
-- the call, and the other of the two is untouched
CREATE TABLE shadowed (k int PRIMARY KEY, v text);
INSERT INTO shadowed VALUES (1, 'permanent'), (2, 'permanent');
CREATE TEMPORARY TABLE shadowed (k int PRIMARY KEY, v text);
INSERT INTO shadowed VALUES (1, 'temporary'), (3, 'temporary');
CREATE TEMPORARY TABLE s (k int, v text);
INSERT INTO s VALUES (1, 'staged'), (4, 'staged');
SELECT * FROM bulk_sync('shadowed', 's', scope => 'true');
SELECT * FROM pg_temp.shadowed ORDER BY k;
SELECT * FROM plain_tables.shadowed ORDER BY k;
SELECT * FROM bulk_sync('plain_tables.shadowed', 's', scope => 'target.k > 1');
DELETE FROM s WHERE k = 1;
SELECT * FROM bulk_sync('plain_tables.shadowed', 's', scope => 'target.k > 1');
SELECT * FROM pg_temp.shadowed ORDER BY k;
SELECT * FROM plain_tables.shadowed ORDER BY k;
-- a temporary target synced from the permanent table of its own name
SELECT * FROM bulk_sync('shadowed', 'plain_tables.shadowed', scope => 'true');
SELECT * FROM pg_temp.shadowed ORDER BY k;
DROP TABLE pg_temp.shadowed;

-- a column added later with a default exists only in the catalog for old rows: equal is equal
CREATE TABLE grown (k int PRIMARY KEY);
INSERT INTO grown VALUES (1), (2), (3);
ALTER TABLE grown ADD a text DEFAULT 'later', ADD b numeric DEFAULT 1.0, ADD c int;
CREATE TEMPORARY TABLE grown_before AS SELECT ctid AS old_ctid, xmin AS old_xmin, k FROM grown;
CREATE TEMPORARY TABLE grown_staged (k int, a text, b numeric, c int);
INSERT INTO grown_staged VALUES (1, 'later', 1.0, NULL), (2, 'changed', 1.0, NULL), (3, 'later', 1.00, NULL), (4, 'new', 2, 2);
SELECT * FROM bulk_sync('grown', 'grown_staged', scope => 'true');
SELECT g.*, g.ctid = old_ctid AND g.xmin = old_xmin AS untouched
  FROM grown g LEFT JOIN grown_before USING (k) ORDER BY k;
-- and a staged table whose own columns were added later
ALTER TABLE grown_staged DROP a, DROP c;
ALTER TABLE grown_staged ADD a text DEFAULT 'from the catalog';
SELECT * FROM bulk_sync('grown', 'grown_staged', scope => 'true');
TABLE grown ORDER BY k;

-- a single column that is the key: rows come and go, nothing is ever updated
CREATE TABLE lone (k int PRIMARY KEY);
CREATE TEMPORARY TABLE lone_staged (k int);
INSERT INTO lone VALUES (1), (2);
INSERT INTO lone_staged VALUES (2), (3);
SELECT * FROM bulk_sync('lone', 'lone_staged', scope => 'true');
TABLE lone ORDER BY k;

-- a staged table that empties itself at commit
BEGIN;
CREATE TEMPORARY TABLE brief (k int) ON COMMIT DELETE ROWS;
INSERT INTO brief VALUES (5);
SELECT * FROM bulk_sync('lone', 'brief', scope => 'true');
COMMIT;
TABLE lone ORDER BY k;
SELECT * FROM bulk_sync('lone', 'brief', scope => 'true');
TABLE lone ORDER BY k;

SET client_min_messages = warning;
DROP SCHEMA plain_tables CASCADE;
DROP TABLE life_staged, temporary_target, s, grown_before, grown_staged, lone_staged, brief;
