-- The widest table there is, 1600 columns: no select list, argument list or row of ours is wider than the target.
-- Contract 1.3.1; case 85
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA wide_table;
SET search_path = wide_table, public;

SELECT format('CREATE TABLE wide (%s)', string_agg('c' || i || ' smallint', ', ' ORDER BY i)) AS command
	FROM generate_series(1, 1600) i \gset
:command;
CREATE TABLE staged (LIKE wide);
CREATE FUNCTION fill(t regclass, key int) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
	EXECUTE (SELECT format('INSERT INTO %s VALUES (%s)', t, string_agg(
		CASE WHEN i = 1 THEN key ELSE i % 100 END::text, ', ' ORDER BY i)) FROM generate_series(1, 1600) i);
END $$;
SELECT fill('wide', 1), fill('wide', 2), fill('wide', 3);
SELECT fill('staged', 2), fill('staged', 3), fill('staged', 4);

-- The last of the columns changes in one row; one row is new and one is stale.
UPDATE staged SET c1600 = -1 WHERE c1 = 3;
CREATE TEMPORARY TABLE before AS SELECT ctid AS old_ctid, xmin AS old_xmin, c1 FROM wide;
SELECT * FROM bulk_sync('wide', 'staged', '{c1}', scope => 'true', dry_run => true);
SELECT * FROM bulk_sync('wide', 'staged', '{c1}', scope => 'true');
SELECT c1, c2, c1599, c1600 FROM wide ORDER BY c1;
SELECT count(*) AS differences FROM wide FULL JOIN staged USING (c1) WHERE wide::text IS DISTINCT FROM staged::text;
SELECT wide.ctid = old_ctid AND wide.xmin = old_xmin AS untouched FROM wide JOIN before USING (c1) WHERE c1 = 2;
SELECT * FROM bulk_sync('wide', 'staged', '{c1}', scope => 'true');

-- One thousand of them are the key.
UPDATE staged SET c1000 = 0, c1001 = 0 WHERE c1 = 2;
SELECT * FROM bulk_sync('wide', 'staged', (SELECT array_agg('c' || i) FROM generate_series(1, 1000) i), scope => 'true');
SELECT c1, c1000, c1001 FROM wide ORDER BY c1;
-- All of them are the key: rows are equal, or new and stale.
UPDATE staged SET c1001 = 2 WHERE c1 = 3;
SELECT * FROM bulk_sync('wide', 'staged', (SELECT array_agg('c' || i) FROM generate_series(1, 1600) i), scope => 'true');
SELECT * FROM bulk_sync('wide', 'staged', (SELECT array_agg('c' || i) FROM generate_series(1, 1600) i), scope => 'true');

-- Every column has a role, or none has one; conditions see both rows whole.
UPDATE staged SET c2 = 77, c500 = 77, c900 = 77, c1300 = NULL;
SELECT * FROM bulk_sync('wide', 'staged', '{c1}', scope => 'true', scope_columns => '{c3}',
	insert_only_columns => (SELECT array_agg('c' || i) FROM generate_series(2, 400) i),
	touch_columns => (SELECT array_agg('c' || i) FROM generate_series(401, 800) i),
	fill_columns => (SELECT array_agg('c' || i) FROM generate_series(801, 1200) i),
	keep_columns => (SELECT array_agg('c' || i) FROM generate_series(1201, 1600) i),
	update_where => 'staged.c500 <> target.c500');
UPDATE staged SET c1600 = 5;
SELECT * FROM bulk_sync('wide', 'staged', '{c1}', scope => 'true',
	insert_only_columns => (SELECT array_agg('c' || i) FROM generate_series(2, 400) i),
	touch_columns => (SELECT array_agg('c' || i) FROM generate_series(401, 800) i),
	fill_columns => (SELECT array_agg('c' || i) FROM generate_series(801, 1200) i),
	keep_columns => (SELECT array_agg('c' || i) FROM generate_series(1201, 1600) i),
	update_where => 'staged.c500 <> target.c500 AND (staged.*)::text <> (target.*)::text');
SELECT c1, c2, c500, c900, c1300, c1600 FROM wide ORDER BY c1;

-- Staged as text, 1600 conversions a row; duplicates, and the error of the last column.
SELECT format('CREATE TEMPORARY TABLE texts (%s)', string_agg('c' || i || ' text', ', ' ORDER BY i DESC)) AS command
	FROM generate_series(1, 1600) i \gset
:command;
CREATE FUNCTION text_of(key int) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
	EXECUTE (SELECT format('INSERT INTO texts (%s) VALUES (%s)', string_agg('c' || i, ', ' ORDER BY i),
		string_agg(quote_literal(CASE WHEN i = 1 THEN key ELSE i % 10 END), ', ' ORDER BY i))
		FROM generate_series(1, 1600) i);
END $$;
SELECT text_of(3), text_of(5), text_of(5);
SELECT * FROM bulk_sync('wide', 'texts', '{c1}', scope => 'true', duplicates => 'last', order_column => 'c1600');
SELECT c1, c2, c1600 FROM wide ORDER BY c1;
UPDATE texts SET c1600 = 'x' WHERE c1 = '3';
DELETE FROM texts WHERE c1 = '5';
SELECT * FROM bulk_sync('wide', 'texts', '{c1}', scope => 'true');

-- Returned rows are whole rows beside the staged one: three times 1600 columns.
UPDATE texts SET c1600 = '8', c7 = '70';
INSERT INTO texts SELECT (jsonb_populate_record(t, '{"c1": "6"}')).* FROM texts t;
SELECT action, key, changed_columns, old -> 'c1600' AS old, new -> 'c1600' AS new
	FROM bulk_compare('wide', 'texts', '{c1}', scope => 'true') ORDER BY action, key;
SELECT action, key, changed_columns, old -> 'c1600' AS old, new -> 'c1600' AS new
	FROM bulk_sync_returning('wide', 'texts', '{c1}', scope => 'true') ORDER BY action, key;
-- Read again after a trigger, they are as wide.
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	UPDATE wide SET c2 = 1000 WHERE c1 = NEW.c1;
	RETURN NULL;
END $$;
CREATE TRIGGER touch AFTER UPDATE OF c1600 ON wide FOR EACH ROW EXECUTE FUNCTION touch();
UPDATE texts SET c1600 = '9';
SELECT action, key, changed_columns, old -> 'c2' AS old, new -> 'c2' AS new
	FROM bulk_sync_returning('wide', 'texts', '{c1}', scope => 'true') ORDER BY action, key;

SET client_min_messages = warning;
DROP SCHEMA wide_table CASCADE;
DROP TABLE before, texts;
