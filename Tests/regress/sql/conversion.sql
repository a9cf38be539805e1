-- Staged strings become the target's types by their input functions, as COPY does it; other staged types by
-- assignment casts. What is stored is the converted value, so the second call changes nothing.
-- Contract 1.1.2, 1.3.1; cases 40, 70, 71, 73, 74, 83
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA conversion;
SET search_path = conversion, public;
SET timezone = 'UTC';
SET datestyle = 'ISO, DMY';

CREATE TYPE mood AS ENUM ('sad', 'happy day');
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN even AS int CHECK (VALUE % 2 = 0);
CREATE DOMAIN some_json AS json;
CREATE TABLE typed (i2 smallint, i8 bigint, n numeric(6,2), f float8, b boolean, d date, ts timestamp(0),
	tz timestamptz, tm time, iv interval, u uuid, ip inet, by bytea, j json, jb jsonb, a int[], ta text[],
	m mood, c pair, e even, es even[], sj some_json, r int4range, pt point, ch char(5), vc varchar(4), nm name, cc "char",
	bt bit(4), vb varbit(6), o oid, rc regclass, x text);
-- One text for each of them ...
CREATE TABLE texts (name text, input text);
INSERT INTO texts VALUES ('i2', ' -32768 '), ('i8', '9007199254740993'), ('n', '1.005'), ('f', '-Infinity'),
	('b', 'yes'), ('d', '03/02/2024'), ('ts', '2024-01-01 00:00:00.6'), ('tz', '2024-01-01 12:00 Europe/Berlin'),
	('tm', '04:05 PM'), ('iv', '1 mon 36:00'), ('u', '{A0EEBC999C0B4EF8BB6D6BB9BD380A11}'), ('ip', '10.1.0.0/16'),
	('by', '\x00ff'), ('j', '{ "b": 1, "a": 2, "b": 3 }'), ('jb', '{ "b": 1, "a": 2, "b": 3 }'),
	('a', '[0:1]={1, NULL}'), ('ta', '{"a b",NULL,""}'), ('m', 'happy day'), ('c', '(1,"x, y")'), ('e', '4'),
	('es', '{2,4}'), ('sj', '[1,  2]'), ('r', '[1,3]'), ('pt', '(1,2)'), ('ch', 'ab  '), ('vc', 'abcd  '), ('nm', 'Name'),
	('cc', 'Q'), ('bt', '0101'), ('vb', '01'), ('o', '42'), ('rc', 'pg_catalog.pg_class'), ('x', '');
CREATE TABLE staged (k text);
-- (k is the number of the row in both; key and all)
ALTER TABLE typed ADD k int PRIMARY KEY;
SELECT format('ALTER TABLE staged %s; INSERT INTO staged (k, %s) VALUES (''1'', %s), (''2'', %s), (''3'', %s)',
		string_agg(format('ADD %I text', name), ', '), string_agg(quote_ident(name), ', '),
		string_agg(quote_literal(input), ', '), string_agg('NULL', ', '), string_agg(quote_literal(input), ', '))
	AS command FROM texts \gset
:command;
SELECT format('INSERT INTO typed (k, %s) VALUES (3, %s)', string_agg(quote_ident(name), ', '),
	string_agg(quote_literal(input), ', ')) AS command FROM texts \gset
:command;
CREATE TABLE before AS SELECT ctid AS old_ctid, xmin AS old_xmin FROM typed;

-- ... from text: row 3, which INSERT made of the same literals, is equal in every column.
SELECT * FROM bulk_sync('typed', 'staged', '{k}', scope => 'true');
SELECT t.ctid = old_ctid AND t.xmin = old_xmin AS untouched FROM typed t, before WHERE k = 3;
SELECT name, to_jsonb(t) ->> name AS stored FROM texts, typed t WHERE k = 1 ORDER BY texts.ctid;
SELECT octet_length(ch) AS ch, octet_length(vc) AS vc, j::text, sj::text FROM typed WHERE k = 1;
SELECT num_nulls(VARIADIC (SELECT array_agg(value) FROM jsonb_each_text(to_jsonb(t)))) AS nulls
	FROM typed t WHERE k = 2;
-- ... from the other string types: all of them say the same. (What the padding of char(n) is to a column that
-- holds strings itself is left out.)
CREATE FUNCTION as_type(type text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result record;
BEGIN
	EXECUTE (SELECT format('CREATE TEMPORARY TABLE strings AS SELECT k::int, %s FROM staged',
		string_agg(format('%I::%s', name, type), ', ')) FROM texts);
	SELECT * INTO result FROM bulk_sync('typed', 'strings', '{k}', scope => 'true', columns => CASE
		WHEN type = 'char(60)' THEN (SELECT array_agg(name) FROM texts WHERE name NOT IN ('x', 'nm', 'vc', 'cc')) END);
	DROP TABLE strings;
	RETURN result;
END $$;
CREATE DOMAIN words AS text;
SELECT type, as_type(type) FROM unnest('{text,varchar,varchar(60),bpchar,char(60),name,words}'::text[]) AS type;
SELECT name, to_jsonb(t) ->> name AS stored FROM texts, typed t WHERE k = 1 AND name IN ('ts', 'iv', 'c', 'ta');

-- Assignment casts from other types: rounding as in INSERT, each stored value is what INSERT stores.
CREATE TABLE cast_to (k int, i2 smallint, n numeric(10,2), ts timestamp(0), d date, tx text, vc varchar(3),
	ch char(5), jb jsonb, f float4, en even, na numeric(10,1)[], i8 bigint);
CREATE TABLE cast_from (k bigint, i2 numeric, n numeric, ts timestamp, d timestamp, tx int, vc varchar,
	ch bpchar, jb json, f float8, en smallint, na float8[], i8 smallint);
INSERT INTO cast_from VALUES
	(1, 1.5, 1.005, '2024-01-01 00:00:00.6', '2024-02-03 23:59', 70000, 'abc  ', 'ab', '{"b":1,"a":1.0}', 0.1, 2, '{0.05,NULL}', 7),
	(2, -2.5, -1.005, '2024-12-31 23:59:59.5', 'infinity', -1, 'a', 'ab   ', '[ 1 ]', 1e-40, NULL, '{}', NULL);
CREATE TABLE inserted (LIKE cast_to);
INSERT INTO inserted TABLE cast_from;
SELECT * FROM bulk_sync('cast_to', 'cast_from', '{k}', scope => 'true');
SELECT * FROM cast_to ORDER BY k;
SELECT count(*) AS same FROM cast_to t JOIN inserted i ON t::text = i::text;
SELECT * FROM bulk_sync('cast_to', 'cast_from', '{k}', scope => 'true');
-- A value that differs only before conversion is no change.
UPDATE cast_from SET n = n + 0.0001, ts = ts + interval '0.1 s', vc = vc || '  ', d = d + interval '1 s' WHERE k = 1;
SELECT * FROM bulk_sync('cast_to', 'cast_from', '{k}', scope => 'true');

-- Keys are converted before they are compared.
CREATE TABLE keyed (k char(3), d date, v int, PRIMARY KEY (k, d));
CREATE TEMPORARY TABLE keyed_staged (k text, d text, v text);
INSERT INTO keyed VALUES ('a', '2024-01-02', 1);
INSERT INTO keyed_staged VALUES ('a  ', '2024-1-2', ' 1 ');
SELECT * FROM bulk_sync('keyed', 'keyed_staged', '{k,d}', scope => 'true');
INSERT INTO keyed_staged VALUES ('a', '02.01.2024', '1');
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('keyed', 'keyed_staged', '{k,d}', scope => 'true');
\set VERBOSITY default

-- A cast of the user's own applies when it is declared for assignment; for a string type the input function does.
CREATE TYPE celsius AS (degrees numeric);
CREATE FUNCTION to_celsius(numeric) RETURNS celsius LANGUAGE sql IMMUTABLE RETURN ROW(round($1))::celsius;
CREATE FUNCTION to_celsius(text) RETURNS celsius LANGUAGE sql IMMUTABLE RETURN ROW(-1)::celsius;
CREATE CAST (numeric AS celsius) WITH FUNCTION to_celsius(numeric) AS ASSIGNMENT;
CREATE CAST (text AS celsius) WITH FUNCTION to_celsius(text) AS ASSIGNMENT;
CREATE TABLE weather (k int, c celsius);
CREATE TABLE weather_staged AS SELECT 1 AS k, 20.6 AS c;
SELECT * FROM bulk_sync('weather', 'weather_staged', '{k}', scope => 'true');
TABLE weather;
ALTER TABLE weather_staged ALTER c TYPE text USING '(7)';
SELECT * FROM bulk_sync('weather', 'weather_staged', '{k}', scope => 'true');
TABLE weather;

SET client_min_messages = warning;
DROP SCHEMA conversion CASCADE;
DROP TABLE keyed_staged;
