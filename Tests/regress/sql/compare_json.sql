-- The values that bulk_compare returns are those that to_jsonb makes of the stored and the wanted row, for every kind of type:
-- nothing is lost or rounded on the way. A staged value is shown as it was converted.
-- Contract 2 ("as to_jsonb gives them"), 1.1.2, 1.3.1
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA compare_json;
SET search_path = compare_json, public;
SET timezone = 'Asia/Kolkata';
SET lc_monetary = 'C';
\pset null '(null)'

CREATE TYPE mood AS ENUM ('sad', 'Ok "so"', 'happy');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TYPE point3 AS (x numeric(6,2), y text, z positive);
CREATE DOMAIN code AS varchar(10);

-- One row, a column of each type; v1 is stored, v2 is staged as text, which takes the type's input function.
CREATE TABLE every_type (type text, v1 text, v2 text);
INSERT INTO every_type VALUES
  ('numeric', '1.0', '1.00'), ('numeric', '0.1', 'NaN'), ('numeric', '-Infinity', 'Infinity'),
  ('numeric', '123456789012345678901234567890.123456789012345678901234567890', '1e-20'), ('numeric(8,3)', '1', '-1.5'),
  ('bigint', '9007199254740993', '-9223372036854775808'), ('smallint', '1', '-32768'),
  ('float8', '0.1', '1e30'), ('float8', '-0', '0'), ('float8', 'NaN', '-Infinity'), ('float4', '0.1', '16777217'),
  ('money', '12.34', '-0.05'), ('boolean', 'no', 'on'), ('oid', '1', '4294967295'),
  ('text', '', '"quoted" \ \u0041 / and a tab: '|| chr(9)), ('text', 'null', 'true'), ('text', 'ö€𝄞', e'line\nline'),
  ('text', chr(1) || chr(31), chr(127)), ('varchar(5)', 'abc', 'abc  '), ('character(5)', 'abc', 'x'), ('"char"', 'a', 'b'), ('name', 'a', 'b'),
  ('bytea', '\x', '\x00ff27225c'), ('uuid', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', '{a0eebc999c0b4ef8bb6d6bb9bd380a12}'),
  ('date', '2024-02-29', '-infinity'), ('date', '0044-03-15 BC', 'infinity'), ('time', '24:00', '04:05:06.789'), ('timetz', '04:05:06+02', '04:05:06-08:30'),
  ('timestamp', '2024-01-01 00:00', '2024-01-01 00:00:00.000001'), ('timestamptz', '2024-06-01 12:00+00', '2024-06-01 12:00+01'),
  ('timestamptz(0)', '2024-06-01 12:00:00.4+00', 'infinity'), ('timestamptz', '4713-01-01 12:00+00 BC', '294276-01-01 12:00+00'),
  ('interval', '1 day', '24:00'), ('interval', '1 mon -1 days +02:03:04.5', 'P1Y2M3DT4H'),
  ('json', '{"b":1, "a":  2, "a": 3}', '{"a":1.0}'), ('json', 'null', '[]'), ('jsonb', '{"b":1, "a": [1, {}]}', 'null'), ('jsonb', '1.0', '1.00'),
  ('jsonb', '"text"', '{"a": null}'), ('jsonpath', '$.a', '$."b"'),
  ('int[]', '{}', '{1,NULL,3}'), ('int[]', '[0:1]={1,2}', '{{1,2},{3,4}}'), ('text[]', '{NULL,"NULL",""}', '{"a,b","{c}"}'),
  ('numeric(4,1)[]', '{1}', '{2.25}'), ('json[]', '{"{\"a\": 1}"}', '{NULL,null}'), ('mood[]', '{sad}', '{happy,sad}'), ('point3[]', '{}', '{"(1,a,1)",NULL}'),
  ('mood', 'sad', 'Ok "so"'), ('positive', '1', '2147483647'), ('code', 'a', '"b"'), ('point3', '(1,a,1)', '(,"",)'), ('point3', '(1,a,1)', '(1.5,"b,""c""",2)'),
  ('int4range', '[1,5]', 'empty'), ('tstzrange', '[2024-01-01 00:00+00,)', '(,)'), ('int4multirange', '{[1,3],[3,7]}', '{}'),
  ('point', '(1,2)', '(1e-7,3)'), ('box', '((0,0),(1,1))', '((0,0),(2,0.5))'), ('inet', '192.168.0.1/24', '::1'), ('cidr', '10/8', '10.0.0.0/8'),
  ('macaddr', '08:00:2b:01:02:03', '08002b:010204'), ('bit(4)', '0000', '1010'), ('varbit', '', '101'), ('tsvector', 'a:1 b', 'the fat'), ('tsquery', 'a & b', '!c'),
  ('pg_lsn', '0/0', 'FF/AB'), ('regclass', 'pg_class', '0');

CREATE FUNCTION compare_type(type text, v1 text, v2 text) RETURNS TABLE (
	old jsonb, new jsonb, changed text[], like_to_jsonb boolean, as_inserted boolean, as_written boolean)
LANGUAGE plpgsql AS $$
DECLARE
	c record;
	wanted jsonb;
	stored jsonb;
	inserted record;
BEGIN
	EXECUTE format('CREATE TABLE t (k int PRIMARY KEY, v %s)', type);
	CREATE TABLE s (k int, v text);
	EXECUTE format('INSERT INTO t VALUES (1, %L)', v1);
	INSERT INTO s VALUES (1, v2), (2, v2);
	SELECT * INTO STRICT c FROM bulk_compare('t', 's', actions => '{update}', include_unchanged => true);
	old := c.old -> 'v';
	new := c.new -> 'v';
	changed := c.changed_columns;
	EXECUTE format('SELECT to_jsonb(t) FROM t') INTO stored;
	EXECUTE format('SELECT to_jsonb(x) FROM (SELECT 1 AS k, %L::%s AS v) AS x', v2, type) INTO wanted;
	-- as text, for jsonb takes 1.0 and 1.00 for equal
	like_to_jsonb := c.old::text = stored::text AND c.new::text = wanted::text AND c.key = '{"k": 1}';
	SELECT * INTO STRICT inserted FROM bulk_compare('t', 's', actions => '{insert}');
	as_inserted := inserted.new::text = (wanted || '{"k": 2}')::text AND inserted.old IS NULL;
	PERFORM bulk_sync('t', 's', scope => 'true');
	SELECT count(*) = 2 AND bool_and(to_jsonb(t)::text = (c.new || jsonb_build_object('k', k))::text) INTO as_written FROM t;
	RETURN NEXT;
	DROP TABLE t, s;
END $$;
SELECT type, c.* FROM (SELECT row_number() OVER () AS n, * FROM every_type) AS e, LATERAL compare_type(type, v1, v2) AS c ORDER BY n;
-- None of them was other than to_jsonb makes it (no rows).
SELECT type, v1, v2 FROM every_type, LATERAL compare_type(type, v1, v2) WHERE (like_to_jsonb AND as_inserted AND as_written) IS NOT TRUE;
-- NULL on each side: the member is there, with the value null (no rows).
SELECT type FROM (SELECT DISTINCT type FROM every_type) AS e, LATERAL compare_type(type, NULL, NULL)
 WHERE (like_to_jsonb AND as_inserted AND as_written AND old = 'null' AND new = 'null' AND changed IS NULL) IS NOT TRUE;
SELECT type, v2 FROM every_type, LATERAL compare_type(type, NULL, v2) WHERE (like_to_jsonb AND as_inserted AND as_written AND changed = '{v}') IS NOT TRUE;
SELECT type, v1 FROM every_type, LATERAL compare_type(type, v1, NULL) WHERE (like_to_jsonb AND as_inserted AND as_written AND changed = '{v}') IS NOT TRUE;
-- As a key, where the type can be one: "key" holds what "new" does, and in a delete what "old" does.
CREATE FUNCTION compare_key(type text, v1 text, v2 text) RETURNS TABLE (staged text, stored text, right_key boolean) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE TABLE t (v %s)', type);
	CREATE TABLE s (v text);
	EXECUTE format('INSERT INTO t VALUES (%L)', v1);
	INSERT INTO s VALUES (v2);
	SELECT max(key ->> 'v') FILTER (WHERE action <> 'delete'), max(key ->> 'v') FILTER (WHERE action = 'delete'),
	       bool_and(key::text = coalesce(new, old)::text)
	  INTO staged, stored, right_key FROM bulk_compare('t', 's', '{v}', scope => 'true', include_unchanged => true);
	RETURN NEXT;
	DROP TABLE t, s;
EXCEPTION WHEN undefined_function THEN RETURN;
END $$;
SELECT count(*) > 40 AS many, bool_and(right_key) AS right_key FROM every_type, LATERAL compare_key(type, v1, v2);
SELECT type, c.* FROM every_type AS e, LATERAL compare_key(type, v1, v2) AS c
 WHERE (type, v1) IN (('bigint', '9007199254740993'), ('numeric', '1.0'), ('character(5)', 'abc'), ('bytea', '\x'), ('timestamptz', '2024-06-01 12:00+00'), ('int[]', '{}'))
 ORDER BY type COLLATE "C";

-- The settings of the session (time zone, styles of output) do to the values what they do to those of to_jsonb.
CREATE TABLE t (k int PRIMARY KEY, at timestamptz, day date, length interval, bytes bytea, f float8);
CREATE TABLE s (LIKE t);
INSERT INTO t VALUES (1, '2024-06-01 12:00+00', '2024-02-01', '1 day 2:00', '\xff', 0.1);
INSERT INTO s VALUES (1, '2024-06-01 12:00+01', '2024-02-02', '1 day 3:00', '\xfe', 0.3);
SELECT old, new FROM bulk_compare('t', 's', scope => 'true');
SET timezone = 'UTC';
SET datestyle = 'SQL, DMY';
SET intervalstyle = 'iso_8601';
SET bytea_output = 'escape';
SET extra_float_digits = 0;
SELECT old, new FROM bulk_compare('t', 's', scope => 'true');
SELECT (SELECT to_jsonb(t) FROM t) = old AND (SELECT to_jsonb(s) FROM s) = new AS same FROM bulk_compare('t', 's', scope => 'true');
RESET datestyle;
RESET intervalstyle;
RESET bytea_output;
RESET extra_float_digits;

-- A type with a cast to json of its own, a composite type and a domain over one go the way that to_jsonb goes.
CREATE TYPE pair AS (a int, b int);
CREATE TYPE level AS ENUM ('low', 'high');
CREATE FUNCTION level_to_json(level) RETURNS json LANGUAGE sql IMMUTABLE AS 'SELECT json_build_array($1::text)';
CREATE CAST (level AS json) WITH FUNCTION level_to_json(level);
CREATE DOMAIN ordered_pair AS pair CHECK ((VALUE).a <= (VALUE).b);
CREATE TABLE casts (k int PRIMARY KEY, l level, p pair, o ordered_pair, r point3[]);
CREATE TABLE casts_s (k int, l text, p pair, o pair, r point3[]);
INSERT INTO casts VALUES (1, 'low', (1, 2), (1, 2), '{"(1,a,1)"}');
INSERT INTO casts_s VALUES (1, 'high', (2, 1), (2, 2), '{"(1.10,a,1)"}');
SELECT old, new, changed_columns FROM bulk_compare('casts', 'casts_s', scope => 'true');
SELECT (SELECT to_jsonb(c) FROM casts AS c) = old AS same FROM bulk_compare('casts', 'casts_s', scope => 'true');

-- Values stored out of line and compressed come whole; one that is equal, kept out of line, is no change.
CREATE TABLE big (k int PRIMARY KEY, plain text, compressed text, kept text, j jsonb);
ALTER TABLE big ALTER plain SET STORAGE EXTERNAL, ALTER kept SET STORAGE EXTERNAL;
CREATE TABLE big_s (LIKE big);
INSERT INTO big SELECT k, repeat(md5(k::text), 3000), repeat('a', 200000), repeat('b', 100000), jsonb_build_object('x', repeat(md5(k::text), 1000)) FROM generate_series(1, 3) k;
INSERT INTO big_s SELECT k, plain, compressed, kept, j FROM big;
UPDATE big_s SET plain = plain || '!', j = j || '{"y": 1}' WHERE k = 1;
UPDATE big_s SET compressed = compressed || 'b', k = 4 WHERE k = 3;
SELECT action, key, changed_columns, length(old ->> 'plain') AS old_plain, length(new ->> 'plain') AS new_plain,
       md5(old ->> 'plain') = (SELECT md5(plain) FROM big WHERE k = (key ->> 'k')::int) AS old_right,
       md5(new ->> 'plain') = (SELECT md5(plain) FROM big_s WHERE k = (key ->> 'k')::int) AS new_right,
       length(old ->> 'compressed') AS old_compressed, length(new ->> 'compressed') AS new_compressed, length(new -> 'j' ->> 'x') AS new_j
  FROM bulk_compare('big', 'big_s', scope => 'true', include_unchanged => true) ORDER BY key;
-- through many batches as well
SET bulk_sync.work_mem = '64kB';
SELECT action, key, length(old ->> 'plain') AS old_plain, length(new ->> 'plain') AS new_plain
  FROM bulk_compare('big', 'big_s', scope => 'true', include_unchanged => true) ORDER BY key;
RESET bulk_sync.work_mem;

-- Names of columns are kept as they are, whatever they look like; a dropped column and one that was renamed are no trouble.
CREATE TABLE names ("k ""1""" int PRIMARY KEY, gone int, "Ünï" int, "action" text, "old" text, "a:b, {c}" int);
ALTER TABLE names DROP gone;
ALTER TABLE names RENAME "old" TO "new";
CREATE TABLE names_s ("a:b, {c}" int, more int, "new" text, "action" text, "Ünï" int, "k ""1""" int);
ALTER TABLE names_s DROP more;
INSERT INTO names VALUES (1, 1, 'x', 'y', 1);
INSERT INTO names_s VALUES (2, 'z', 'x', 2, 1);
SELECT * FROM bulk_compare('names', 'names_s', scope => 'true');

-- Two hundred columns, and a row whose every member is NULL but the key.
DO $$ BEGIN EXECUTE (SELECT format('CREATE TABLE wide (%s)', string_agg(format('c%s int', i), ', ')) FROM generate_series(1, 200) i); END $$;
CREATE TABLE wide_s (LIKE wide);
INSERT INTO wide (c1) VALUES (1);
INSERT INTO wide_s (c1, c200) VALUES (1, 5);
SELECT action, changed_columns, (SELECT count(*) FROM jsonb_object_keys(old)) AS old_members, (SELECT count(*) FROM jsonb_object_keys(new)) AS new_members,
       jsonb_strip_nulls(old) AS old, jsonb_strip_nulls(new) AS new FROM bulk_compare('wide', 'wide_s', '{c1}', scope => 'true');

-- The rows can be put back where they came from: the old rows less the deletes, plus what is new, are the wanted table.
CREATE TABLE replayed AS SELECT * FROM big WHERE false;
INSERT INTO replayed SELECT r.* FROM bulk_compare('big', 'big_s', scope => 'true', include_unchanged => true), LATERAL jsonb_populate_record(NULL::big, new) AS r
 WHERE action <> 'delete';
SELECT count(*) AS differences FROM ((TABLE replayed EXCEPT ALL TABLE big_s) UNION ALL (TABLE big_s EXCEPT ALL TABLE replayed)) AS d;

RESET timezone;
RESET lc_monetary;
SET client_min_messages = warning;
DROP SCHEMA compare_json CASCADE;
