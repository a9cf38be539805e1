-- How the target is read: rows in scope as a whole by one scan, a part of it by an index on the scope, and a few staged keys by
-- an index on the key where nothing is deleted. No way changes the result.
-- Issue 6; contract 1.1.3 (rows outside the scope are not touched), 1.6 (a transaction with one snapshot)
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA reading_ways;
SET search_path = reading_ways, public;
SET bulk_sync.matcher = 'auto';
SET bulk_sync.applier = 'direct';

CREATE TABLE t (k int PRIMARY KEY, company int, v text);
INSERT INTO t SELECT i, i / 100, 'value ' || i FROM generate_series(1, 20000) i;
CREATE INDEX ON t (company);
VACUUM ANALYZE t;
CREATE TABLE s (k int, company int, v text);
INSERT INTO s VALUES (5, 0, 'value 5'), (150, 1, 'new'), (20001, 200, 'new'), (19999, 199, 'value 19999');

-- What a call gives, how often it scans the table, and whether it uses an index
CREATE PROCEDURE tell(call text, read regclass DEFAULT 't', key_index regclass DEFAULT 't_pkey') LANGUAGE plpgsql AS $$
DECLARE
	table_scans bigint := pg_stat_get_xact_numscans(read);
	index_scans bigint := pg_stat_get_xact_numscans(key_index) + pg_stat_get_xact_numscans('t_company_idx'::regclass);
	counts text;
BEGIN
	EXECUTE 'SELECT string_agg(r::text, '' '') FROM ' || call || ' r' INTO counts;
	RAISE NOTICE '% table scans %, by index %', counts, pg_stat_get_xact_numscans(read) - table_scans,
		pg_stat_get_xact_numscans(key_index) + pg_stat_get_xact_numscans('t_company_idx'::regclass) > index_scans;
END $$;

-- With deletes all rows are read; without, those with the four staged keys.
BEGIN;
CALL tell($$bulk_sync('t', 's', scope => 'true')$$);
ROLLBACK;
BEGIN;
CALL tell($$bulk_sync('t', 's', actions => '{insert,update}')$$);
ROLLBACK;
BEGIN;
CALL tell($$bulk_sync('t', 's', actions => '{insert,update}', scope => 'company >= 0')$$);
ROLLBACK;
BEGIN;
CALL tell($$bulk_sync('t', 's', actions => '{update}', dry_run => true)$$);
ROLLBACK;
-- A part of the table, by the index on the scope: the staged rows outside are not in it
DELETE FROM s WHERE company <> 1;
BEGIN;
CALL tell($$bulk_sync('t', 's', scope => 'company = 1')$$);
ROLLBACK;

-- All rows are read where a setting says so, in a transaction that works on one snapshot, for a key with a NULL, and for keys
-- that no index finds.
BEGIN;
SET LOCAL bulk_sync.matcher = 'hash';
CALL tell($$bulk_sync('t', 's', actions => '{insert,update}')$$);
ROLLBACK;
BEGIN ISOLATION LEVEL REPEATABLE READ;
CALL tell($$bulk_sync('t', 's', actions => '{insert,update}')$$);
ROLLBACK;
BEGIN;
CALL tell($$bulk_sync('t', 's', '{v}', actions => '{insert,update}', dry_run => true)$$);
ROLLBACK;
INSERT INTO s VALUES (7, NULL, 'value 7');
BEGIN;
CALL tell($$bulk_sync('t', 's', '{k,company}', actions => '{insert,update}', dry_run => true)$$);
ROLLBACK;

-- An index that the planner may not use is not used.
DELETE FROM s WHERE company IS NULL;
BEGIN;
SET LOCAL enable_indexscan = off;
SET LOCAL enable_bitmapscan = off;
CALL tell($$bulk_sync('t', 's', actions => '{insert,update}')$$);
ROLLBACK;

-- bulk_compare and bulk_insert_changed look up keys as well.
BEGIN;
CALL tell($$bulk_compare('t', 's', actions => '{insert,update}')$$);
ROLLBACK;
CREATE TABLE history (k int, at int, v text);
INSERT INTO history SELECT i % 5000, i / 5000, 'value ' || i FROM generate_series(1, 20000) i;
CREATE INDEX history_k ON history (k);
ANALYZE history;
CREATE TABLE history_staged (k int, at int, v text);
INSERT INTO history_staged VALUES (1, 9, 'value 15001'), (2, 9, 'new');
BEGIN;
CALL tell($$bulk_insert_changed('history', 'history_staged', '{k}', 'at')$$, 'history', 'history_k');
ROLLBACK;

SET client_min_messages = warning;
DROP SCHEMA reading_ways CASCADE;
