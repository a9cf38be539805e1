-- Rows trade unique values with each other in one call, whatever kind of unique index it is: swaps, chains and cycles in
-- either direction. The counts, the rows afterwards, and that rows without a change keep their version.
-- Contract 1.3.7, 1.3.1, 1.1.3; the key of the call is another column
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA trade_kinds;
SET search_path = trade_kinds, public;

-- Row k of the target holds the value k, rows 1 to 5. A shape says what is staged for each of them.
CREATE TABLE shapes (n int, shape text, staged int[], updated int);
INSERT INTO shapes VALUES
  (1, 'swap',            '{2,1,3,4,5}', 2),
  (2, 'swap of the ends', '{5,2,3,4,1}', 2),
  (3, 'chain upwards',   '{2,3,4,9,5}', 4),
  (4, 'chain downwards', '{9,1,2,3,5}', 4),
  (5, 'cycle',           '{2,3,1,4,5}', 3),
  (6, 'cycle backwards', '{3,1,2,4,5}', 3),
  (7, 'two swaps',       '{2,1,3,5,4}', 4),
  (8, 'swap and cycle',  '{4,3,5,1,2}', 5);
CREATE TABLE s (k int, x int);

-- Each shape on a table of this definition: what came out otherwise than it must, or that nothing did.
CREATE FUNCTION trade(definition text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  it shapes;
  counts text;
  outcome int[];
  kept boolean;
  wrong text := '';
BEGIN
  FOR it IN SELECT * FROM shapes ORDER BY n LOOP
    DROP TABLE IF EXISTS t, before;
    CREATE TABLE t (k int, x int, y int NOT NULL DEFAULT 7, v text DEFAULT 'kept');
    EXECUTE definition;
    INSERT INTO t (k, x) SELECT i, i FROM generate_series(1, 5) i;
    CREATE TABLE before AS SELECT ctid AS old_ctid, xmin AS old_xmin, k, x FROM t;
    TRUNCATE s;
    INSERT INTO s SELECT i, it.staged[i] FROM generate_series(1, 5) i;
    BEGIN
      SELECT concat_ws(' ', r.staged_rows, r.inserted, r.updated, r.unchanged, r.skipped, r.deleted) INTO counts
        FROM bulk_sync('t', 's', '{k}', scope => 'true') r;
      SET CONSTRAINTS ALL IMMEDIATE;
    EXCEPTION WHEN unique_violation THEN
      counts := SQLSTATE;
    END;
    -- a row has its old version exactly if it has its old value
    SELECT array_agg(t.x ORDER BY t.k), bool_and((t.ctid = old_ctid AND t.xmin = old_xmin) = (t.x = before.x) AND t.v = 'kept')
      INTO outcome, kept FROM t LEFT JOIN before USING (k);
    IF counts <> format('5 0 %s %s 0 0', it.updated, 5 - it.updated) OR outcome <> it.staged OR kept IS NOT TRUE THEN
      wrong := wrong || format('%s: %s %s; ', it.shape, counts, outcome);
    END IF;
  END LOOP;
  RETURN CASE WHEN wrong = '' THEN 'as staged' ELSE wrong END;
END $$;

\pset tuples_only on
SET client_min_messages = warning;
SELECT trade('ALTER TABLE t ADD UNIQUE (x)');
SELECT trade('ALTER TABLE t ADD PRIMARY KEY (x)');
SELECT trade('ALTER TABLE t ADD PRIMARY KEY (k), ADD UNIQUE (x)');
SELECT trade('CREATE UNIQUE INDEX ON t (x)');
SELECT trade('CREATE UNIQUE INDEX ON t (x DESC NULLS FIRST) INCLUDE (k)');
SELECT trade('CREATE UNIQUE INDEX ON t (x) WHERE y = 7');
SELECT trade('CREATE UNIQUE INDEX ON t (x) WHERE x IN (1, 2, 4)');
SELECT trade('CREATE UNIQUE INDEX ON t ((-x))');
SELECT trade('CREATE UNIQUE INDEX ON t ((x % 100), y)');
SELECT trade('CREATE UNIQUE INDEX ON t (x) NULLS NOT DISTINCT');
SELECT trade('ALTER TABLE t ADD UNIQUE (y, x)');
SELECT trade('ALTER TABLE t ADD UNIQUE (x, v)');
-- a generated column takes its new values with the column that it comes from
SELECT trade('ALTER TABLE t ADD g int GENERATED ALWAYS AS (x * 10) STORED UNIQUE');
-- constraints that may be deferred, at the end of the call and of the transaction
SELECT trade('ALTER TABLE t ADD UNIQUE (x) DEFERRABLE INITIALLY IMMEDIATE');
SELECT trade('ALTER TABLE t ADD UNIQUE (x) DEFERRABLE INITIALLY DEFERRED');
SELECT trade('ALTER TABLE t ADD PRIMARY KEY (x) DEFERRABLE INITIALLY DEFERRED');
-- beside each other: one that may be deferred and one that may not, on the same and on other columns
SELECT trade('ALTER TABLE t ADD UNIQUE (x) DEFERRABLE; CREATE UNIQUE INDEX ON t (x); CREATE UNIQUE INDEX ON t ((x + y)) WHERE x > 1');
-- an index that is not valid, as a failed CREATE INDEX CONCURRENTLY leaves it, is kept up to date and forbids what it forbids
SELECT trade('CREATE UNIQUE INDEX left_over ON t (x); UPDATE pg_index SET indisvalid = false WHERE indexrelid = ''left_over''::regclass');
-- an index without anything to trade, and one that is not unique, change nothing
SELECT trade('CREATE UNIQUE INDEX ON t (k, x); CREATE INDEX ON t (x); CREATE INDEX ON t USING hash (x)');

SET client_min_messages = warning;
DROP SCHEMA trade_kinds CASCADE;
