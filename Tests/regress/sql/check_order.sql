-- The order in which a call is checked. Of two faults in one call the earlier check is reported, so that a program can rely
-- on which one it hears of: arguments, kinds of relation, columns, privileges, read-only, (lock,) expected_rows, empty,
-- conversion, duplicates, rows matched twice, scope, deletes, and then what the writes raise.
-- Contract 1.4, 1.6 (a key outside the scope); the lock is in the isolation spec of this name
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
DROP ROLE IF EXISTS regress_bulk_sync_order;
CREATE ROLE regress_bulk_sync_order;
RESET client_min_messages;
CREATE SCHEMA check_order;
SET search_path = check_order, public;
GRANT USAGE, CREATE ON SCHEMA check_order TO regress_bulk_sync_order;

-- A target with two rows for one key, and no unique index on it; v is checked as it is written.
CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY, k int, g int, v varchar(3) CHECK (v <> 'bad'));
INSERT INTO t (k, g, v) VALUES (1, 1, 'a'), (2, 1, 'b'), (2, 1, 'c'), (3, 1, 'd'), (9, 2, 'z');
CREATE TABLE before AS SELECT ctid AS old_ctid, xmin AS old_xmin, xmax AS old_xmax, id FROM t;

-- One staged table for each fault of rows; a row 3 that is equal goes along, so that none is empty.
CREATE TABLE s_none (k int, g int, v text);
CREATE TABLE s_good AS SELECT 3 AS k, 1 AS g, 'd' AS v;
CREATE TABLE s_unconvertible AS TABLE s_good UNION ALL SELECT 4, 1, 'too long';
CREATE TABLE s_duplicate AS TABLE s_good UNION ALL SELECT 5, 1, 'e' UNION ALL SELECT 5, 1, 'f';
CREATE TABLE s_twice AS TABLE s_good UNION ALL SELECT 2, 1, 'x';
CREATE TABLE s_outside AS TABLE s_good UNION ALL SELECT 6, 2, 'g';
CREATE TABLE s_bad AS TABLE s_good UNION ALL SELECT 7, 1, 'bad';
CREATE TABLE s_extra AS SELECT k, g, v, 0 AS extra FROM s_good;

-- Makes the call and undoes it: its SQLSTATE, or "accepted".
CREATE FUNCTION outcome(arguments text, OUT outcome text) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('SELECT bulk_sync(%s)', arguments);
	RAISE SQLSTATE 'UNDO0';
EXCEPTION
	WHEN SQLSTATE 'UNDO0' THEN outcome := 'accepted';
	WHEN OTHERS THEN outcome := SQLSTATE;
END $$;

-- Each fault alone.
SELECT fault, outcome(call) FROM (VALUES
	(1, 'argument', '''t'', ''s_good'', ''{k}'', ''g = 1'', max_deletes => -1'),
	(2, 'kind', '''t_id_seq'', ''s_good'', ''{k}'', ''true'''),
	(3, 'column', '''t'', ''s_extra'', ''{k}'', ''g = 1'''),
	(4, 'expected_rows', '''t'', ''s_good'', ''{k}'', ''g = 1'', expected_rows => 5'),
	(5, 'empty', '''t'', ''s_none'', ''{k}'', ''g = 1'''),
	(6, 'conversion', '''t'', ''s_unconvertible'', ''{k}'', ''g = 1'''),
	(7, 'duplicates', '''t'', ''s_duplicate'', ''{k}'', ''g = 1'''),
	(8, 'matched twice', '''t'', ''s_twice'', ''{k}'', ''g = 1'''),
	(9, 'scope', '''t'', ''s_outside'', ''{k}'', ''g = 1'''),
	(10, 'deletes', '''t'', ''s_good'', ''{k}'', ''g = 1'', max_deletes => 0'),
	(11, 'write', '''t'', ''s_bad'', ''{k}'', ''g = 1'''),
	(12, 'none', '''t'', ''s_good'', ''{k}'', ''g = 1''')) AS f (position, fault, call)
 ORDER BY position;

-- Arguments before kinds: an unknown lock mode and an index.
SELECT outcome('''t_id_seq'', ''s_good'', ''{k}'', ''true'', lock_mode => ''none''') AS "argument, kind",
	   outcome('''t_id_seq'', ''s_good'', ''{k,k}'', ''true''') AS "name twice, kind",
	   outcome('''t_id_seq'', ''s_good'', ''{k}''') AS "no scope, kind",
	   outcome('0, ''s_good'', ''{k}'', ''true'', scope_values => ''[]''') AS "argument, no relation",
	   outcome('''pg_description'', ''s_good'', ''{k}'', ''true'', dry_run => NULL') AS "argument, catalog";
-- Kinds before columns: neither the columns of a sequence nor those of the wrong staged table are looked at.
SELECT outcome('''t_id_seq'', ''s_good'', ''{missing}'', ''true''') AS "kind, key",
	   outcome('''t_id_seq'', ''s_good'', ''{k}'', ''missing = 1''') AS "kind, scope",
	   outcome('''t'', ''t'', ''{missing}'', ''true''') AS "same relation, key",
	   outcome('''pg_description'', ''s_good'', ''{missing}'', ''true''') AS "catalog, key";

-- Columns before privileges; scope and update_where are parsed and conversions found with the columns. A caller without
-- any privilege thus hears of a wrong name first.
CREATE TABLE s_untyped (k int, g point, v text);
GRANT SELECT ON s_good, s_none, s_extra, s_untyped TO regress_bulk_sync_order;
SET ROLE regress_bulk_sync_order;
SELECT outcome('''t'', ''s_good'', ''{k}'', ''g = 1''') AS privilege,
	   outcome('''t'', ''s_good'', ''{missing}'', ''g = 1''') AS "column, privilege",
	   outcome('''t'', ''s_extra'', ''{k}'', ''g = 1''') AS "staged column, privilege",
	   outcome('''t'', ''s_good'', ''{k}'', ''missing = 1''') AS "scope, privilege",
	   outcome('''t'', ''s_good'', ''{k}'', ''g = ''') AS "scope syntax, privilege",
	   outcome('''t'', ''s_good'', ''{k}'', ''g = 1'', update_where => ''missing''') AS "update_where, privilege",
	   outcome('''t'', ''s_untyped'', ''{k}'', ''g = 1''') AS "conversion, privilege",
	   outcome('''t'', ''s_good'', ''{k}'', scope_values => ''{"missing": 1}''') AS "scope_values, privilege",
	   outcome('''t_id_seq'', ''s_good'', ''{k}'', ''true''') AS "kind, privilege",
	   outcome('''t'', ''s_good'', ''{k}'', ''g = 1'', max_deletes => -1') AS "argument, privilege";
-- Privileges before read-only and before the guards, of rows that need none of them: they follow from the arguments.
SELECT outcome('''t'', ''s_good'', ''{k}'', ''g = 1'', expected_rows => 7') AS "privilege, expected_rows",
	   outcome('''t'', ''s_none'', ''{k}'', ''g = 1''') AS "privilege, empty";
BEGIN READ ONLY;
SELECT outcome('''t'', ''s_good'', ''{k}'', ''g = 1''') AS "privilege, read-only";
ROLLBACK;
RESET ROLE;
GRANT SELECT, INSERT, UPDATE ON t TO regress_bulk_sync_order;
SET ROLE regress_bulk_sync_order;
SELECT outcome('''t'', ''s_good'', ''{k}'', ''g = 2 AND g = 3''') AS "no DELETE though nothing is stale",
	   outcome('''t'', ''s_good'', ''{k}'', ''g = 1'', actions => ''{insert,update}''') AS "enough";
RESET ROLE;

-- Read-only before the guards, after the columns.
BEGIN READ ONLY;
SELECT outcome('''t'', ''s_good'', ''{missing}'', ''g = 1''') AS "column, read-only",
	   outcome('''t'', ''s_good'', ''{k}'', ''g = 1'', expected_rows => 5') AS "read-only, expected_rows",
	   outcome('''t'', ''s_none'', ''{k}'', ''g = 1''') AS "read-only, empty",
	   outcome('''t'', ''s_unconvertible'', ''{k}'', ''g = 1''') AS "read-only, conversion";
-- A dry run is not held up there, and meets the next check.
SELECT outcome('''t'', ''s_good'', ''{k}'', ''g = 1'', expected_rows => 5, dry_run => true') AS "expected_rows",
	   outcome('''t'', ''s_none'', ''{k}'', ''g = 1'', dry_run => true') AS "empty",
	   outcome('''t'', ''s_outside'', ''{k}'', ''g = 1'', dry_run => true') AS "scope",
	   outcome('''t'', ''s_good'', ''{k}'', ''g = 1'', max_deletes => 0, dry_run => true') AS "deletes";
ROLLBACK;

-- Rows: each fault beside the next one, and beside all that follow.
CREATE FUNCTION outcome_of(staged text, more text DEFAULT '') RETURNS text LANGUAGE sql AS $$
	SELECT outcome(format('%L, %L, ''{k}'', ''g = 1''%s', 't', staged, more))
$$;
CREATE TABLE s_conversion_duplicate AS TABLE s_unconvertible UNION ALL TABLE s_duplicate;
CREATE TABLE s_duplicate_twice AS TABLE s_duplicate;
INSERT INTO s_duplicate_twice VALUES (2, 1, 'x');
CREATE TABLE s_twice_outside AS TABLE s_twice;
INSERT INTO s_twice_outside VALUES (6, 2, 'g');
CREATE TABLE s_outside_bad AS TABLE s_outside;
INSERT INTO s_outside_bad VALUES (7, 1, 'bad');
CREATE TABLE s_all AS SELECT DISTINCT ON (k, v) * FROM (TABLE s_unconvertible UNION ALL TABLE s_duplicate UNION ALL TABLE s_twice
	UNION ALL TABLE s_outside UNION ALL TABLE s_bad) AS a;
SELECT outcome_of('s_none', ', expected_rows => 5') AS "expected_rows, empty",
	   outcome_of('s_all', ', expected_rows => 5') AS "expected_rows, all else",
	   outcome_of('s_conversion_duplicate') AS "conversion, duplicates",
	   outcome_of('s_all') AS "conversion, all else",
	   outcome_of('s_none', ', max_deletes => 0') AS "empty, deletes",
	   outcome_of('s_none', ', max_deletes => 0, allow_empty => true') AS "deletes",
	   outcome_of('s_outside', ', max_deletes => 0') AS "scope, deletes",
	   outcome_of('s_outside_bad') AS "scope, write",
	   outcome_of('s_bad', ', max_deletes => 0') AS "deletes, write";
-- Duplicates and rows matched twice share their code: the message tells.
SELECT * FROM bulk_sync('t', 's_duplicate_twice', '{k}', 'g = 1');
SELECT * FROM bulk_sync('t', 's_twice_outside', '{k}', 'g = 1');
-- A dropped duplicate is never converted the less: all staged rows are.
CREATE TABLE s_dropped AS SELECT 3 AS k, 1 AS g, 'd' AS v UNION ALL SELECT 3, 1, 'too long';
SELECT outcome_of('s_dropped', ', duplicates => ''first''') AS first;

-- A key that exists outside the scope comes to light in the writing, as an ordinary 23505 however the scope is stated: to
-- call it a serialization failure would make programs try again for ever.
CREATE TABLE u (k int PRIMARY KEY, g int);
CREATE TABLE s_u (k int, g int);
INSERT INTO u VALUES (1, 1);
INSERT INTO s_u VALUES (1, 2);
SELECT outcome('''u'', ''s_u'', scope => ''g = 2''') AS scope,
	   outcome('''u'', ''s_u'', scope_values => ''{"g": 2}''') AS scope_values,
	   outcome('''u'', ''s_u'', scope_columns => ''{g}''') AS scope_columns,
	   outcome('''u'', ''s_u'', scope_columns => ''{g}'', actions => ''{insert}''') AS insert_alone,
	   outcome('''u'', ''s_u'', scope => ''g > 1'', scope_columns => ''{g}''') AS both;

-- Nothing of all this has touched the target: s_bad alone came to the writes, and had nothing to update or delete there.
CREATE TABLE after AS SELECT ctid AS new_ctid, xmin AS new_xmin, id FROM t;
SELECT id, new_ctid = old_ctid AND new_xmin = old_xmin AS untouched FROM before FULL JOIN after USING (id) ORDER BY id;

SET client_min_messages = warning;
DROP SCHEMA check_order CASCADE;
DROP ROLE regress_bulk_sync_order;
