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
