-- bulk_sync_returning refuses what bulk_sync refuses, with the same SQLSTATE and message, and a refusal leaves nothing behind;
-- and however little of its result is read, the sync is done whole and once.
-- Contract 3, 1.0, 1.1.5, 1.2.1, 1.2.5, 1.4, 1.6, 1.7; case 316
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA returning_guards;
SET search_path = returning_guards, public;

CREATE TABLE t (k int PRIMARY KEY, g int, v text CHECK (v <> 'bad'), u int UNIQUE);
INSERT INTO t VALUES (1, 1, 'stale', 1), (2, 1, 'stale', 2), (3, 1, 'old', 3), (4, 1, 'same', 4), (9, 2, 'other', 9);
CREATE TABLE s (k int, g int, v text);
INSERT INTO s VALUES (3, 1, 'new'), (4, 1, 'same'), (5, 1, 'more');
CREATE TABLE nothing (k int, g int, v text);
CREATE TABLE twice (k int, g int, v text);
INSERT INTO twice VALUES (3, 1, 'a'), (4, 1, 'b'), (3, 1, 'c');
CREATE TABLE outside (k int, g int, v text);
INSERT INTO outside VALUES (7, 2, 'smuggled');
CREATE TABLE bad (k int, g int, v text);
INSERT INTO bad VALUES (3, 1, 'new'), (7, 1, 'bad');
CREATE TABLE words (k text, v text);
INSERT INTO words VALUES ('3', 'a'), ('three', 'b');
CREATE TABLE conflicts (k int, g int, v text, u int);
INSERT INTO conflicts VALUES (5, 1, 'a', 9), (6, 1, 'b', 6), (7, 1, 'c', 6), (3, 1, 'd', 3), (8, 1, 'e', 8);
CREATE TABLE keyless (k int, v text);
CREATE SEQUENCE a_sequence;
CREATE MATERIALIZED VIEW a_matview AS SELECT * FROM t;
CREATE VIEW not_writable AS SELECT k, count(*) AS n FROM t GROUP BY k;
CREATE INDEX an_index ON t (g);

-- The same arguments to both functions: what each says, and whether the table is as it was (its versions, not only its values).
CREATE FUNCTION refusal(arguments text) RETURNS TABLE (bulk_sync text, returning_says text, untouched boolean) LANGUAGE plpgsql AS $$
DECLARE before text := (SELECT string_agg(t.ctid::text || t.xmin::text || t::text, ',') FROM t);
BEGIN
  BEGIN EXECUTE format('SELECT * FROM bulk_sync(%s)', arguments); bulk_sync := 'done'; RAISE SQLSTATE 'ZZ000';
  EXCEPTION WHEN SQLSTATE 'ZZ000' THEN NULL; WHEN OTHERS THEN bulk_sync := SQLSTATE || ' ' || SQLERRM; END;
  BEGIN EXECUTE format('SELECT * FROM bulk_sync_returning(%s)', arguments); returning_says := 'done'; RAISE SQLSTATE 'ZZ000';
  EXCEPTION WHEN SQLSTATE 'ZZ000' THEN NULL; WHEN OTHERS THEN returning_says := SQLSTATE || ' ' || SQLERRM; END;
  IF returning_says = bulk_sync THEN returning_says := 'the same'; END IF;
  untouched := before = (SELECT string_agg(t.ctid::text || t.xmin::text || t::text, ',') FROM t);
  RETURN NEXT;
END $$;
SELECT bulk_sync, returning_says, untouched, arguments FROM (VALUES
  (1, $$'t', 's'$$),
  (2, $$NULL, 's', scope => 'true'$$),
  (3, $$'t', NULL, scope => 'true'$$),
  (4, $$'t', 's', '{}', scope => 'true'$$),
  (5, $$'t', 's', '{K}', scope => 'true'$$),
  (6, $$'t', 's', '{k,k}', scope => 'true'$$),
  (7, $$'keyless', 's', scope => 'true'$$),
  (8, $$'t', 's', scope => 'g = '$$),
  (9, $$'t', 's', scope => 'g = random()'$$),
  (10, $$'t', 's', scope => 'count(*) > 0'$$),
  (11, $$'t', 's', scope => ''$$),
  (12, $$'t', 's', scope_values => '[1]'$$),
  (13, $$'t', 's', scope_columns => '{u}'$$),
  (14, $$'t', 's', scope => 'true', actions => '{merge}'$$),
  (15, $$'t', 's', scope => 'true', actions => '{}'$$),
  (16, $$'t', 's', scope => 'true', duplicates => 'any'$$),
  (17, $$'t', 's', scope => 'true', lock_mode => 'access share'$$),
  (18, $$'t', 's', scope => 'true', touch_columns => '{v}', fill_columns => '{v}'$$),
  (19, $$'t', 's', scope => 'true', touch_columns => '{k}'$$),
  (20, $$'t', 's', scope => 'true', soft_delete_column => 'v'$$),
  (21, $$'t', 's', scope => 'true', columns => '{w}'$$),
  (22, $$'t', 's', scope => 'true', max_deletes => -1$$),
  (23, $$'t', 's', scope => 'true', max_delete_fraction => 1.5$$),
  (24, $$'t', 's', scope => 'true', max_delete_fraction => 'NaN'$$),
  (25, $$'t', 's', scope => 'true', expected_rows => -3$$),
  (26, $$'t', 's', scope => 'true', update_where => 'staged.nonsense'$$),
  (27, $$'t', 't', scope => 'true'$$),
  (28, $$'an_index', 's', '{k}', scope => 'true'$$),
  (29, $$'a_sequence', 's', '{k}', scope => 'true'$$),
  (30, $$'a_matview', 's', '{k}', scope => 'true'$$),
  (31, $$'not_writable', 's', '{k}', scope => 'true', columns => '{k}'$$),
  (32, $$'pg_catalog.pg_class', 's', '{oid}', scope => 'true'$$),
  (33, $$'t', 's', scope => 'g = 1', expected_rows => 4$$),
  (34, $$'t', 'nothing', scope => 'g = 1'$$),
  (35, $$'t', 's', scope => 'g = 1', max_deletes => 1$$),
  (36, $$'t', 's', scope => 'g = 1', max_delete_fraction => 0.49$$),
  (37, $$'t', 's', scope => 'g = 1', max_deletes => 1, max_delete_fraction => 0.49$$),
  (38, $$'t', 'twice', scope => 'g = 1'$$),
  (39, $$'t', 's', '{g}', scope => 'true', actions => '{update}', columns => '{g}', duplicates => 'last', order_column => 'k'$$),
  (40, $$'t', 'outside', scope => 'g = 1'$$),
  (41, $$'t', 'words', actions => '{insert,update}'$$),
  (42, $$'t', 'bad', scope => 'g = 1'$$),
  (43, $$'t', 'conflicts', scope => 'g = 1'$$),
  (44, $$'t', 'not_writable', scope => 'true', columns => '{k}', duplicates => 'first'$$)
  ) AS calls (n, arguments), refusal(arguments) ORDER BY n;
-- guards that let the call pass
SELECT bulk_sync, returning_says, arguments FROM (VALUES
  (1, $$'t', 's', scope => 'g = 1', expected_rows => 3$$),
  (2, $$'t', 's', scope => 'g = 1', max_deletes => 2$$),
  (3, $$'t', 's', scope => 'g = 1', max_delete_fraction => 0.5$$),
  (4, $$'t', 's', scope => 'g = 1', max_deletes => 1, max_delete_fraction => 0.5$$),
  (5, $$'t', 'nothing', scope => 'g = 1', allow_empty => true$$)
  ) AS calls (n, arguments), refusal(arguments) ORDER BY n;
-- dry_run is no argument of it: what would change is asked of bulk_compare
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync_returning('t', 's', scope => 'true', dry_run => true);
-- a read-only transaction
BEGIN READ ONLY;
SELECT * FROM bulk_sync_returning('t', 's', scope => 'true');
ROLLBACK;
\set VERBOSITY default
-- NULL for an optional argument is its default
BEGIN;
SELECT action, staged_row FROM bulk_sync_returning('t', 's', scope => 'g = 1', actions => NULL, duplicates => NULL, lock_mode => NULL, include_unchanged => NULL, allow_empty => NULL, ignore_conflicts => NULL, touch_columns => NULL) ORDER BY 1, 2;
ROLLBACK;

-- Locks: as bulk_sync, and rows are inserted in one order with 'row exclusive', too; positions stay those of staging
BEGIN;
SELECT action, staged_row FROM bulk_sync_returning('t', 's', scope => 'g = 1', lock_mode => 'Exclusive') ORDER BY 1, 2;
SELECT mode FROM pg_locks WHERE relation = 't'::regclass AND pid = pg_backend_pid() AND mode LIKE '%Exclusive%' ORDER BY mode;
ROLLBACK;
BEGIN;
SELECT action, staged_row, key, new->'v' AS v FROM bulk_sync_returning('t', 's', scope => 'g = 1', lock_mode => 'row exclusive') ORDER BY 1, 2;
SELECT mode FROM pg_locks WHERE relation = 't'::regclass AND pid = pg_backend_pid() AND mode LIKE '%Exclusive%' ORDER BY mode;
ROLLBACK;
CREATE TABLE many (id bigint GENERATED ALWAYS AS IDENTITY, k int PRIMARY KEY);
CREATE TABLE many_staged (k int);
INSERT INTO many_staged SELECT i * 611 % 1009 FROM generate_series(1, 1000) AS i;
SELECT count(*), bool_and(new->>'k' = (staged_row * 611 % 1009)::text) AS paired FROM bulk_sync_returning('many', 'many_staged', actions => '{insert}', lock_mode => 'row exclusive');

-- ignore_conflicts: rows that conflict are not returned, staged_row of the others is theirs
BEGIN;
SELECT action, staged_row, key, new FROM bulk_sync_returning('t', 'conflicts', scope => 'g = 1', ignore_conflicts => true) ORDER BY action <> 'delete', staged_row, key->'k';
ROLLBACK;
BEGIN;
SELECT action, staged_row, key, new FROM bulk_sync_returning('t', 'conflicts', scope => 'g = 1', ignore_conflicts => true, lock_mode => 'row exclusive') ORDER BY action <> 'delete', staged_row, key->'k';
ROLLBACK;

-- One call is one sync, whatever part of its result is read: LIMIT, a WHERE that lets nothing through, EXISTS, a cursor left after one row.
CREATE TABLE calls (n int);
CREATE FUNCTION called() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO calls VALUES (1); RETURN NULL; END $$;
CREATE TRIGGER called AFTER INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION called();
CREATE TEMPORARY VIEW state AS SELECT (SELECT string_agg(k || v, ' ' ORDER BY k) FROM t) AS t, (SELECT count(*) FROM calls) AS calls;
BEGIN;
SELECT action FROM bulk_sync_returning('t', 's', scope => 'g = 1') LIMIT 1;
TABLE state;
ROLLBACK;
BEGIN;
SELECT action FROM bulk_sync_returning('t', 's', scope => 'g = 1') WHERE action = 'none';
TABLE state;
ROLLBACK;
BEGIN;
SELECT EXISTS (SELECT FROM bulk_sync_returning('t', 's', scope => 'g = 1'));
TABLE state;
ROLLBACK;
-- ... in the SELECT list
BEGIN;
SELECT (r).action, (r).staged_row, (r).key FROM (SELECT bulk_sync_returning('t', 's', scope => 'g = 1') AS r OFFSET 0) AS x ORDER BY (r).action <> 'delete', (r).staged_row, (r).key;
TABLE state;
ROLLBACK;
BEGIN;
SELECT (bulk_sync_returning('t', 's', scope => 'g = 1')).action LIMIT 1;
TABLE state;
ROLLBACK;
-- ... in a cursor: nothing before the first FETCH, everything with it
BEGIN;
DECLARE c CURSOR FOR SELECT action FROM bulk_sync_returning('t', 's', scope => 'g = 1');
TABLE state;
FETCH 1 FROM c;
TABLE state;
CLOSE c;
ROLLBACK;
BEGIN;
DECLARE h CURSOR WITH HOLD FOR SELECT action, staged_row FROM bulk_sync_returning('t', 's', scope => 'g = 1') ORDER BY action <> 'delete', staged_row;
COMMIT;
FETCH ALL FROM h;
CLOSE h;
TABLE state;

-- An audit trail in one statement; a JOIN with what was sent; a CTE
CREATE TABLE audit (n int GENERATED ALWAYS AS IDENTITY, action text, key jsonb, old jsonb, new jsonb);
INSERT INTO s VALUES (6, 1, 'six'), (7, 1, 'seven');
UPDATE s SET v = 'newer' WHERE k = 3;
INSERT INTO audit (action, key, old, new) SELECT action, key, old, new FROM bulk_sync_returning('t', 's', scope => 'g = 1');
SELECT action, key, old, new FROM audit ORDER BY action, key->'k';
DELETE FROM s WHERE k IN (5, 6);
UPDATE s SET v = v || '!';
WITH r AS (SELECT * FROM bulk_sync_returning('t', 's', scope => 'g = 1')), a AS (INSERT INTO audit (action) SELECT action FROM r RETURNING action)
SELECT action, count(*) FROM a GROUP BY action ORDER BY action;
SELECT count(*) FROM audit;

-- PL/pgSQL: a loop over the rows, left early; one call after another; a subtransaction that is undone
DO $$
DECLARE r record; seen int := 0;
BEGIN
  FOR i IN 1..3 LOOP
    UPDATE s SET v = 'round ' || i;
    FOR r IN SELECT * FROM bulk_sync_returning('t', 's', scope => 'g = 1') LOOP
      seen := seen + 1;
      EXIT WHEN i = 2;
    END LOOP;
    ASSERT (SELECT bool_and(v = 'round ' || i) FROM t WHERE g = 1), 'written whole';
  END LOOP;
  BEGIN
    UPDATE s SET v = 'undone';
    PERFORM * FROM bulk_sync_returning('t', 's', scope => 'g = 1');
    RAISE SQLSTATE 'ZZ000';
  EXCEPTION WHEN SQLSTATE 'ZZ000' THEN NULL;
  END;
  RAISE NOTICE 'rows seen: %, %', seen, (SELECT array_agg(DISTINCT v) FROM t WHERE g = 1);
END $$;
-- a loop whose body writes to the rows that it is given
DO $$
DECLARE r record;
BEGIN
  UPDATE s SET v = 'loop';
  FOR r IN SELECT * FROM bulk_sync_returning('t', 's', scope => 'g = 1') LOOP
    UPDATE t SET v = v || ' ' || r.staged_row WHERE k = (r.new->>'k')::int;
  END LOOP;
END $$;
SELECT k, v FROM t WHERE g = 1 ORDER BY k;
-- prepared; and nested: a call whose arguments come from the rows of another
PREPARE p (text) AS SELECT action, staged_row, key FROM bulk_sync_returning('t', 's', scope => $1) ORDER BY staged_row;
EXECUTE p ('g = 1');
EXECUTE p ('g = 1');
DEALLOCATE p;
UPDATE s SET v = 'nested';
SELECT g, r.action, r.staged_row, r.key FROM (VALUES (1), (1)) AS groups (g), bulk_sync_returning('t', 's', scope => 'g = ' || g) AS r ORDER BY r.staged_row;

SET client_min_messages = warning;
DROP SCHEMA returning_guards CASCADE;
