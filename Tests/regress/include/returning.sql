-- returned(target, staged, arguments): makes the call bulk_sync_returning(target, staged, arguments) and returns its rows, deletes first,
-- then by staged row. What must hold of every such call is checked on the way; a WARNING says what does not:
-- the rows of each action are as many as bulk_sync counts for the same call (made first, and undone; not of sequences: both may draw ids),
-- and leave the same rows behind (compared by "same", an expression over the row t, so that such ids can be left out);
-- deletes come before all other rows; staged_row is NULL for deletes and else one position of the staged table each;
-- old is NULL for inserts, new for hard deletes, both hold exactly the columns of the target;
-- and replaying the rows in their order on a copy of the old table gives the new one (unless "replays" is false: triggers wrote to other rows).
CREATE FUNCTION returned(target regclass, staged regclass, arguments text DEFAULT '', replays boolean DEFAULT true, same text DEFAULT 'to_jsonb(t)')
RETURNS TABLE (action text, staged_row bigint, key jsonb, changed_columns text[], old jsonb, new jsonb)
LANGUAGE plpgsql AS $$
DECLARE
  call text := format('(%L, %L%s)', target, staged, ', ' || nullif(arguments, ''));
  contents text := format('SELECT coalesce(array_agg(to_jsonb(t)), ''{}'') FROM %s AS t', target);
  comparable text := format('SELECT coalesce(array_agg(x ORDER BY x::text), ''{}'') FROM (SELECT %s AS x FROM %s AS t) AS t', same, target);
  soft boolean := arguments ~ 'soft_delete_column';
  counted record;
  got record;
  copy jsonb[];
  rest jsonb[];
  counted_rows jsonb[];
  after jsonb[];
  names text[];
  r record;
  position int;
  others_seen boolean := false;
BEGIN
  EXECUTE contents INTO copy;
  BEGIN
    EXECUTE 'SELECT * FROM bulk_sync' || replace(replace(call, ', include_unchanged => true', ''), ', include_unchanged => false', '') INTO counted;
    EXECUTE comparable INTO counted_rows;
    RAISE EXCEPTION SQLSTATE 'ZZ000';
  EXCEPTION WHEN SQLSTATE 'ZZ000' THEN NULL;
  END;
  names := (SELECT array_agg(attname ORDER BY attname) FROM pg_attribute WHERE attrelid = target AND attnum > 0 AND NOT attisdropped);
  CREATE TEMPORARY TABLE returned_rows (n int GENERATED ALWAYS AS IDENTITY, action text, staged_row bigint, key jsonb, changed_columns text[], old jsonb, new jsonb);
  EXECUTE 'INSERT INTO returned_rows (action, staged_row, key, changed_columns, old, new) SELECT * FROM bulk_sync_returning' || call;
  EXECUTE contents INTO after;

  SELECT count(*) FILTER (WHERE f.action = 'insert') AS inserted, count(*) FILTER (WHERE f.action = 'update') AS updated,
         count(*) FILTER (WHERE f.action = 'delete') AS deleted, count(*) FILTER (WHERE f.action = 'unchanged') AS unchanged,
         count(f.staged_row) - count(DISTINCT f.staged_row) AS repeated, count(*) FILTER (WHERE f.staged_row NOT BETWEEN 1 AND counted.staged_rows) AS beyond
    INTO got FROM returned_rows AS f;
  IF (got.inserted, got.updated, got.deleted, got.unchanged) IS DISTINCT FROM
     (counted.inserted, counted.updated, counted.deleted, CASE WHEN arguments ~ 'include_unchanged => true' THEN counted.unchanged ELSE 0 END) THEN
    RAISE WARNING 'counted %, returned %', counted, got;
  END IF;
  IF got.repeated + got.beyond > 0 THEN RAISE WARNING 'staged rows that are returned twice: %, or do not exist: %', got.repeated, got.beyond; END IF;
  EXECUTE comparable INTO rest;
  IF rest IS DISTINCT FROM counted_rows THEN RAISE WARNING 'bulk_sync would have left %', counted_rows; END IF;

  FOR r IN SELECT * FROM returned_rows ORDER BY n LOOP
    IF r.action = 'delete' AND others_seen THEN RAISE WARNING 'a delete after other rows: %', r; END IF;
    others_seen := others_seen OR r.action <> 'delete';
    IF (r.action = 'delete') <> (r.staged_row IS NULL) OR (r.action = 'insert') <> (r.old IS NULL) OR (r.action = 'delete' AND NOT soft) <> (r.new IS NULL)
       OR r.action <> 'update' AND r.changed_columns IS NOT NULL OR r.key IS NULL THEN
      RAISE WARNING 'a column that should be NULL or should not: %', r;
    END IF;
    IF (SELECT array_agg(k ORDER BY k COLLATE "C") FROM jsonb_object_keys(r.old) AS k) <> names
       OR (SELECT array_agg(k ORDER BY k COLLATE "C") FROM jsonb_object_keys(r.new) AS k) <> names THEN
      RAISE WARNING 'not all columns: %', r;
    END IF;
    IF replays THEN
      IF r.old IS NOT NULL THEN
        position := array_position(copy, r.old);
        IF position IS NULL THEN
          RAISE WARNING 'no such row to replay this on: %', r;
        ELSE
          copy := copy[:position - 1] || copy[position + 1:];
        END IF;
      END IF;
      IF r.new IS NOT NULL THEN copy := copy || r.new; END IF;
    END IF;
  END LOOP;
  IF replays THEN
    FOR r IN SELECT 'replayed, not stored' AS what, x FROM (SELECT unnest(copy) EXCEPT ALL SELECT unnest(after)) AS d (x)
       UNION ALL SELECT 'stored, not replayed', x FROM (SELECT unnest(after) EXCEPT ALL SELECT unnest(copy)) AS d (x) LOOP
      RAISE WARNING '%: %', r.what, r.x USING DETAIL = call;
    END LOOP;
  END IF;
  RETURN QUERY SELECT f.action, f.staged_row, f.key, f.changed_columns, f.old, f.new FROM returned_rows AS f
    ORDER BY f.action <> 'delete', f.staged_row, f.key::text COLLATE "C", f.old::text COLLATE "C";
  DROP TABLE returned_rows;
END $$;
