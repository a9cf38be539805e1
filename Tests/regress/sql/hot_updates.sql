-- An update writes only what the call may write, so that heap-only tuples stay possible: no index is touched by an update
-- of columns that are in no index. One update of a row is one update to the statistics.
-- Contract 1.3.8 (what an UPDATE sets), 1.3.9; case 139
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA hot_updates;
SET search_path = hot_updates, public;

CREATE TABLE t (k numeric PRIMARY KEY, indexed text, v text, w text, gone boolean,
                twice int GENERATED ALWAYS AS (length(v) * 2) STORED) WITH (fillfactor = 40, autovacuum_enabled = off);
ALTER TABLE t ALTER v SET STORAGE EXTERNAL;
CREATE INDEX ON t (indexed, lower(indexed));
CREATE INDEX ON t (k) WHERE indexed IS NOT NULL;
CREATE TABLE s (LIKE t);
ALTER TABLE s DROP gone, DROP twice;
CREATE FUNCTION fill_tables() RETURNS void LANGUAGE sql AS $$
  TRUNCATE t, s;
  INSERT INTO t SELECT i, 'i' || i, 'v' || i, 'w', false FROM generate_series(1, 20) i;
  INSERT INTO s SELECT i, 'i' || i, 'V' || i, NULL FROM generate_series(1, 20) i;
$$;
-- what the open transaction has done to a table
CREATE FUNCTION written(t regclass, OUT inserted bigint, OUT updated bigint, OUT hot bigint, OUT deleted bigint)
LANGUAGE sql AS $$
  SELECT pg_stat_get_xact_tuples_inserted(t), pg_stat_get_xact_tuples_updated(t), pg_stat_get_xact_tuples_hot_updated(t),
         pg_stat_get_xact_tuples_deleted(t);
$$;
-- Pages without dead rows; and the counts of earlier transactions are sent off after this, so that the next starts at zero.
CREATE PROCEDURE start() LANGUAGE sql AS 'SELECT hot_updates.fill_tables(); SELECT pg_stat_force_next_flush()';

-- an ordinary update: all hot
CALL start();
BEGIN;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT * FROM written('t');
ROLLBACK;
-- with an indexed column staged and equal in every role
CALL start();
BEGIN;
SELECT * FROM bulk_sync('t', 's', scope => 'true', keep_columns => '{indexed}', touch_columns => '{w}', fill_columns => '{v}');
SELECT * FROM written('t');
SELECT * FROM bulk_sync('t', 's', scope => 'true', keep_columns => '{w}', fill_columns => '{indexed}');
SELECT * FROM written('t');
ROLLBACK;
-- an insert-only column that differs is not written; a touch column that differs is, and here it is indexed
CALL start();
BEGIN;
UPDATE s SET indexed = 'other';
SELECT * FROM bulk_sync('t', 's', scope => 'true', insert_only_columns => '{indexed}');
SELECT * FROM written('t');
ROLLBACK;
CALL start();
BEGIN;
UPDATE s SET indexed = 'other' WHERE k <= 8;
SELECT * FROM bulk_sync('t', 's', scope => 'true', touch_columns => '{indexed}');
SELECT * FROM written('t');
ROLLBACK;
-- one key has another image: that row alone is not hot, the others are
CALL start();
BEGIN;
UPDATE s SET k = 7.00 WHERE k = 7;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT * FROM written('t');
SELECT k, v FROM t WHERE k = 7;
ROLLBACK;
-- marks and revivals
CALL start();
BEGIN;
SELECT * FROM bulk_sync('t', 's', scope => 'true', soft_delete_column => 'gone', columns => '{indexed}');
DELETE FROM s WHERE k > 12;
SELECT * FROM bulk_sync('t', 's', scope => 'true', soft_delete_column => 'gone', columns => '{indexed}');
SELECT * FROM written('t');
ROLLBACK;
CALL start();
BEGIN;
UPDATE t SET gone = true WHERE k <= 10;
SELECT hot FROM written('t');
SELECT * FROM bulk_sync('t', 's', scope => 'true', soft_delete_column => 'gone', columns => '{indexed}');
SELECT hot FROM written('t');
ROLLBACK;
-- a stored value outside the row stays where it is, and its row is hot
CALL start();
BEGIN;
SELECT updated, hot FROM written('t');
UPDATE t SET v = repeat('x', 10000) WHERE k <= 5;
UPDATE s SET v = repeat('x', 10000) WHERE k <= 5;
CREATE TEMPORARY TABLE toasted ON COMMIT DROP AS SELECT reltoastrelid::regclass AS name FROM pg_class WHERE oid = 't'::regclass;
SELECT w.* FROM toasted, written(name) w;
SELECT * FROM bulk_sync('t', 's', scope => 'k <= 5', actions => '{update}', columns => '{v,w}');
SELECT updated, hot FROM written('t');
SELECT w.* FROM toasted, written(name) w;
ROLLBACK;

SET client_min_messages = warning;
DROP SCHEMA hot_updates CASCADE;
