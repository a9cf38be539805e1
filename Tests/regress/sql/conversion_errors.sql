-- Values that cannot be converted: the code is the type's own, the context names column and position, nothing is
-- written. Columns that never can are refused before any row is read. Contract 1.1.2, 1.4; cases 41, 71
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA conversion_errors;
SET search_path = conversion_errors, public;

CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE DOMAIN even AS int CHECK (VALUE % 2 = 0);
CREATE DOMAIN needed AS int NOT NULL;
CREATE TABLE t (k int PRIMARY KEY, i2 smallint, n numeric(4,2), vc varchar(3), ch char(3), d date, m mood, e even,
	a int[], j json, b bit(3), nd needed DEFAULT 0);
INSERT INTO t (k) VALUES (1), (2);
CREATE TABLE before AS SELECT t.ctid AS old_ctid, t.xmin AS old_xmin, k FROM t;

-- Stages one row that can be converted and one that cannot: the code, the message and where it happened.
CREATE FUNCTION refused(name text, type text, value text, OUT code text, OUT message text, OUT context text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE TEMPORARY TABLE staged (k int, %I %s)', name, type);
	EXECUTE format('INSERT INTO staged VALUES (1, NULL), (3, %L)', value);
	PERFORM bulk_sync('t', 'staged', '{k}', scope => 'true', dry_run => true);
	code := 'none';
	DROP TABLE staged;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, context = PG_EXCEPTION_CONTEXT;
	context := split_part(context, E'\n', 1);
END $$;
\x on
SELECT * FROM refused('i2', 'int', '70000');
SELECT * FROM refused('i2', 'text', '70000');
SELECT * FROM refused('i2', 'text', '1.5');
SELECT * FROM refused('i2', 'text', '');
SELECT * FROM refused('n', 'numeric', '123.4');
SELECT * FROM refused('n', 'float8', '1e10');
SELECT * FROM refused('n', 'text', '123.4');
\x off
-- Strings that are too long are refused, never cut; blanks at the end are.
SELECT * FROM refused('vc', 'text', 'abcd');
SELECT * FROM refused('vc', 'varchar', 'abcd');
SELECT * FROM refused('vc', 'varchar(10)', 'abcd');
SELECT * FROM refused('vc', 'bpchar', 'abcd');
SELECT * FROM refused('vc', 'name', 'abcd');
SELECT * FROM refused('vc', 'int', '1234');
SELECT * FROM refused('vc', 'text', 'abc   ');
SELECT * FROM refused('ch', 'text', 'abcd');
SELECT * FROM refused('ch', 'char(4)', 'abcd');
SELECT * FROM refused('b', 'bit(4)', '0101');
SELECT * FROM refused('b', 'text', '01');
-- Codes only: native wording differs between versions.
SELECT name, type, value, (refused(name, type, value)).code FROM (VALUES
	('d', 'text', '2024-02-30'), ('d', 'text', 'soon'), ('d', 'timestamp', '2024-01-01 12:00'), ('m', 'text', 'Happy'),
	('e', 'text', '3'), ('e', 'int', '3'), ('e', 'numeric', '3.4'), ('e', 'int', '4'), ('a', 'text', '{1,x}'),
	('a', 'text', '1'), ('a', 'text[]', '{1}'), ('j', 'text', '{'), ('j', 'jsonb', '{}'), ('nd', 'int', NULL),
	('nd', 'text', '1')) v (name, type, value);
-- The NULL of a domain that refuses NULL is refused as such (row 1 above has one): even from a string.
\set VERBOSITY sqlstate
CREATE TEMPORARY TABLE nulls (k int, nd text);
INSERT INTO nulls VALUES (1, NULL);
SELECT * FROM bulk_sync('t', 'nulls', '{k}', scope => 'true');
\set VERBOSITY default

-- The position is that of the row in the order of staging; the first column that fails is named; a column name of
-- any kind is named as it is.
CREATE TABLE odd (k int, "Größe ""x"", y" int);
CREATE TEMPORARY TABLE odd_staged (k text, "Größe ""x"", y" text);
INSERT INTO odd_staged SELECT i, i FROM generate_series(1, 2000) i;
INSERT INTO odd_staged VALUES (2001, '2001x'), ('2002x', 2002);
SELECT * FROM bulk_sync('odd', 'odd_staged', '{k}', scope => 'true');
DELETE FROM odd_staged WHERE k = '2001';
DELETE FROM odd_staged WHERE k = '1';
SELECT * FROM bulk_sync('odd', 'odd_staged', '{k}', scope => 'true');
-- All rows are converted: those that change nothing, those that no action will touch, insert-only and kept
-- columns, and before duplicates are looked for. Columns that are not synced are not converted.
CREATE TEMPORARY TABLE s (k text, i2 text, vc text);
INSERT INTO s VALUES ('1', '1', 'a'), ('1', '1', 'a'), ('5', '1', 'long');
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true', duplicates => 'last');
DELETE FROM s WHERE k = '1';
SELECT * FROM bulk_sync('t', 's', '{k}', actions => '{update}');
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true', insert_only_columns => '{vc}');
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true', keep_columns => '{vc}');
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'k = 99');
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true', dry_run => true);
-- ... but those that update_where reads are.
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true', columns => '{k,i2}', update_where => 'staged.vc <> ''''');
-- The guards of the counts come before.
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true', expected_rows => 7);
\set VERBOSITY default
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true', columns => '{k,i2}', dry_run => true);
-- Nothing of all this has touched the target.
SELECT count(*) AS rows, bool_and(t.ctid = old_ctid AND t.xmin = old_xmin) AS untouched FROM t JOIN before USING (k);

-- No conversion at all: 42804 with no row staged, and before the guards, for keys and for other columns.
CREATE FUNCTION impossible(name text, type text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE TEMPORARY TABLE staged (k int, %I %s)', name, type);
	PERFORM bulk_sync('t', 'staged', '{k}', scope => 'true', expected_rows => 7);
	RETURN 'none';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE;
END $$;
SELECT name, type, impossible(name, type) FROM (VALUES ('i2', 'boolean'), ('i2', 'date'), ('d', 'int'), ('m', 'int'),
	('a', 'int'), ('i2', 'int[]'), ('a', 'date[]'), ('j', 'int'), ('j', 'xml'), ('b', 'numeric'), ('d', 'time'),
	('i2', 'text'), ('vc', 'json'), ('vc', 'int[]')) v (name, type);
CREATE TEMPORARY TABLE dates (k date, i2 int);
SELECT * FROM bulk_sync('t', 'dates', '{k}', scope => 'true');

SET client_min_messages = warning;
DROP SCHEMA conversion_errors CASCADE;
DROP TABLE nulls, odd_staged, s, dates;
