-- Rows that go to one partition after the other need no memory for each of the partitions, however many columns they have.
-- Contract 1.3.8
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA memory_partitions;
SET search_path = memory_partitions, public;

-- called for the last row, while it is written
CREATE FUNCTION memory_is_small() RETURNS boolean LANGUAGE sql STABLE AS
$$ SELECT sum(total_bytes) < 25e6 FROM pg_backend_memory_contexts $$;
DO $$
BEGIN
  EXECUTE format('CREATE TABLE t (k int CHECK (k < 39999 OR memory_is_small()), area int, %s) PARTITION BY LIST (area)',
                 (SELECT string_agg('c' || i || ' int', ', ') FROM generate_series(1, 100) i));
  FOR i IN 0 .. 39 LOOP
    EXECUTE format('CREATE TABLE t%s PARTITION OF t FOR VALUES IN (%s)', i, i);
  END LOOP;
END $$;
CREATE TABLE s AS SELECT k, k / 1000 AS area FROM generate_series(0, 39999) k;
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
-- partitions with a shape of their own
TRUNCATE t;
DO $$
BEGIN
  FOR i IN 0 .. 39 LOOP
    EXECUTE format('ALTER TABLE t DETACH PARTITION t%s', i);
    EXECUTE format('ALTER TABLE t%s ADD gone int', i);
    EXECUTE format('ALTER TABLE t%s DROP gone', i);
    EXECUTE format('ALTER TABLE t ATTACH PARTITION t%s FOR VALUES IN (%s)', i, i);
  END LOOP;
END $$;
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
SELECT inserted FROM (SELECT count(*) AS inserted FROM t) q;

SET client_min_messages = warning;
DROP SCHEMA memory_partitions CASCADE;
