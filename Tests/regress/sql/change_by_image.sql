-- A matched row is updated when the image of a compared column differs, and only then: what the type's own "="
-- holds for the same is a change, what has no "=" can be compared. Contract 1.3.1; cases 55, 56, 59, 61, 62, 76,
-- 77, 79, 80, 82, 83
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA change_by_image;
SET search_path = change_by_image, public;
SET timezone = 'UTC';

-- Syncs one row whose column of this type holds "stored" to one with "staged": update or not, what is stored then,
-- whether it is what INSERT stores, whether an untouched row kept its version, and whether a second call is done.
CREATE FUNCTION change(type text, stored text, staged text,
	OUT updated bigint, OUT unchanged bigint, OUT value text, OUT "right" boolean, OUT converges boolean)
LANGUAGE plpgsql AS $$
DECLARE
	version text;
BEGIN
	EXECUTE format('CREATE TABLE target (k int, v %1$s); CREATE TABLE source (k int, v %1$s)', type);
	EXECUTE format('INSERT INTO target VALUES (1, $1::%s)', type) USING stored;
	EXECUTE format('INSERT INTO source VALUES (1, $1::%s)', type) USING staged;
	SELECT ctid || ' ' || xmin INTO version FROM target;
	SELECT r.updated, r.unchanged INTO updated, unchanged
		FROM bulk_sync('target', 'source', '{k}', scope => 'true') r;
	SELECT target.v::text, target.v::text IS NOT DISTINCT FROM source.v::text
			AND (unchanged = 0 OR target.ctid || ' ' || target.xmin = version)
		INTO value, "right" FROM target, source;
	SELECT (r.inserted, r.updated, r.deleted) = (0, 0, 0) INTO converges
		FROM bulk_sync('target', 'source', '{k}', scope => 'true') r;
	DROP TABLE target, source;
END $$;

-- box and circle: "=" compares areas. All these are changes.
SELECT * FROM change('box', '(2,2),(0,0)', '(12,12),(10,10)');
SELECT * FROM change('circle', '<(0,0),1>', '<(5,5),1>');
SELECT * FROM change('path', '[(0,0),(1,1)]', '[(5,5),(6,6)]');
SELECT * FROM change('lseg', '[(0,0),(1,1)]', '[(0,0),(1,1.0000001)]');
SELECT * FROM change('point', '(0,0)', '(0,0.00000001)');
SELECT * FROM change('polygon', '((0,0),(1,0),(1,1))', '((1,0),(1,1),(0,0))');
-- ... and these are none.
SELECT * FROM change('box', '(2,2),(0,0)', '(0,0),(2,2)');
SELECT * FROM change('point', '(1,2)', '(1.0,2.0)');
-- The scale of a numeric, the sign of a zero, the parts of an interval.
SELECT * FROM change('numeric', '1.0', '1.00');
SELECT * FROM change('numeric', '1.00', '1.00');
SELECT * FROM change('numeric(5,2)', '1.0', '1.00');
SELECT * FROM change('numeric', '0', '-0.0');
SELECT * FROM change('float8', '0', '-0');
SELECT * FROM change('float8', 'NaN', 'NaN');
SELECT * FROM change('float4', '0.1', '0.10000001');
SELECT * FROM change('interval', '1 month', '30 days');
SELECT * FROM change('interval', '1 day', '24 hours');
SELECT * FROM change('interval', '90 minutes', '1:30');
SELECT * FROM change('timetz', '12:00+00', '13:00+01');
SELECT * FROM change('timestamptz', '2024-01-01 12:00+00', '2024-01-01 13:00+01');
-- json is its text; jsonb is normalised at input, but keeps the scale of numbers.
SELECT * FROM change('json', '{"a":1}', '{"a": 1}');
SELECT * FROM change('json', '{"a": 1}', '{"a": 1}');
SELECT * FROM change('jsonb', '{"b":1,"a":2}', '{"a":2, "b":1}');
SELECT * FROM change('jsonb', '{"a":1.0}', '{"a":1.00}');
SELECT * FROM change('jsonpath', '$.a', '$ . a');
-- Strings: blanks at the end, padding, case.
SELECT * FROM change('text', 'a', 'a ');
SELECT * FROM change('char(5)', 'ab', 'ab   ');
SELECT * FROM change('varchar(2)', 'ab', 'AB');
SELECT * FROM change('name', 'ab', 'ab');
SELECT * FROM change('"char"', 'a', 'b');
-- NULL and the values that are close to it.
SELECT * FROM change('text', NULL, '');
SELECT * FROM change('text', '', NULL);
SELECT * FROM change('text', NULL, NULL);
SELECT * FROM change('int', NULL, '0');
SELECT * FROM change('int[]', '{}', NULL);
SELECT * FROM change('int[]', '{NULL}', '{}');
-- Inside ranges, arrays and rows the same holds.
SELECT * FROM change('numrange', '[1.0,2)', '[1.00,2)');
SELECT * FROM change('int4range', '[1,3)', '[1,2]');
SELECT * FROM change('box[]', '{(2,2),(0,0)}', '{(12,12),(10,10)}');
SELECT * FROM change('json[]', '{"{}"}', '{"{ }"}');
SELECT * FROM change('int[]', '{1,2}', '[0:1]={1,2}');
SELECT * FROM change('numeric[]', '{1.0,NULL}', '{1.00,NULL}');
CREATE TYPE thing AS (b box, n numeric, j json);
SELECT * FROM change('thing', '("(2,2),(0,0)",1.0,{})', '("(12,12),(10,10)",1.0,{})');
SELECT * FROM change('thing', '("(2,2),(0,0)",1.0,{})', '("(2,2),(0,0)",1.00,{})');
SELECT * FROM change('thing', '("(2,2),(0,0)",1.0,{})', '("(0,0),(2,2)",1.0,{})');
SELECT * FROM change('thing', '(,,)', NULL);
SELECT * FROM change('thing[]', '{"(,1.0,)"}', '{"(,1.00,)"}');
-- Domains, fixed lengths by value and by reference.
CREATE DOMAIN some_json AS json;
CREATE DOMAIN area AS box CHECK (area(VALUE) < 10);
SELECT * FROM change('some_json', '[]', '[ ]');
SELECT * FROM change('area', '(2,2),(0,0)', '(12,12),(10,10)');
SELECT * FROM change('oid', '4294967295', '4294967294');
SELECT * FROM change('pg_lsn', '0/1', '1/0');
SELECT * FROM change('xid8', '18446744073709551615', '18446744073709551615');
SELECT * FROM change('tid', '(0,1)', '(1,0)');
SELECT * FROM change('uuid', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11');
SELECT * FROM change('macaddr', '08:00:2b:01:02:03', '08002b010203');
SELECT * FROM change('inet', '10.0.0.1', '10.0.0.1/32');
SELECT * FROM change('bool', 'true', 'false');
SELECT * FROM change('bit(9)', '101010101', '101010100');
SELECT * FROM change('tsvector', 'a:1 b', 'b a:1');
SELECT * FROM change('tsvector', 'a:1', 'a:1A');

-- A key column is equal by definition, but its image may differ: that is an update of the key.
CREATE TABLE keyed (k numeric PRIMARY KEY, f float8, v int DEFAULT 0);
CREATE TEMPORARY TABLE keyed_staged (k numeric, f float8);
INSERT INTO keyed VALUES (1.0, 0), (2.0, 1), (3.0, 1);
INSERT INTO keyed_staged VALUES (1.00, 0), (2.0, 1), (3.000, 1);
SELECT * FROM bulk_sync('keyed', 'keyed_staged', '{k}', scope => 'true');
SELECT * FROM keyed ORDER BY k;
SELECT * FROM bulk_sync('keyed', 'keyed_staged', '{k}', scope => 'true');
INSERT INTO keyed_staged VALUES (4, '-0');
INSERT INTO keyed VALUES (4, '0');
SELECT * FROM bulk_sync('keyed', 'keyed_staged', '{k,f}', scope => 'true');
SELECT * FROM keyed WHERE k = 4;

-- Enum values are compared by identity: a new name for the same value is no change.
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TABLE moods (k int, m mood);
CREATE TEMPORARY TABLE moods_staged (k int, m mood);
INSERT INTO moods VALUES (1, 'sad'), (2, 'happy');
INSERT INTO moods_staged VALUES (1, 'sad'), (2, 'sad');
ALTER TYPE mood RENAME VALUE 'sad' TO 'sorrowful';
SELECT * FROM bulk_sync('moods', 'moods_staged', '{k}', scope => 'true');
SELECT * FROM moods ORDER BY k;

-- A row stored before a column was added has the column's default as its value, without having it on disk.
CREATE TABLE added (k int, v text);
INSERT INTO added VALUES (1, 'a'), (2, 'b');
ALTER TABLE added ADD w text DEFAULT 'new', ADD n int;
CREATE TEMPORARY TABLE added_staged (k int, n int, w text, v text);
INSERT INTO added_staged VALUES (1, NULL, 'new', 'a'), (2, NULL, NULL, 'b');
SELECT * FROM bulk_sync('added', 'added_staged', '{k}', scope => 'true');
SELECT * FROM added ORDER BY k;

-- Untouched means: no row version, no trigger, no lock, and no index entry.
CREATE TABLE quiet (k int PRIMARY KEY, v box);
CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	RAISE INFO '% % %', TG_WHEN, TG_OP, coalesce(NEW.k, OLD.k); RETURN NEW; END $$;
INSERT INTO quiet SELECT i, box(point(i, i)) FROM generate_series(1, 100) i;
CREATE TRIGGER before_row BEFORE UPDATE ON quiet FOR EACH ROW EXECUTE FUNCTION shout();
CREATE TRIGGER after_row AFTER UPDATE ON quiet FOR EACH ROW EXECUTE FUNCTION shout();
CREATE TEMPORARY TABLE quiet_staged AS SELECT * FROM quiet ORDER BY k DESC;
CREATE TEMPORARY TABLE before AS SELECT ctid AS old_ctid, xmin AS old_xmin, xmax AS old_xmax, k FROM quiet;
UPDATE quiet_staged SET v = box(point(0, 0)) WHERE k = 7;
SELECT * FROM bulk_sync('quiet', 'quiet_staged', '{k}', scope => 'true');
SELECT k FROM quiet JOIN before USING (k)
	WHERE quiet.ctid <> old_ctid OR quiet.xmin <> old_xmin OR quiet.xmax <> old_xmax;

SET client_min_messages = warning;
DROP SCHEMA change_by_image CASCADE;
DROP TABLE keyed_staged, moods_staged, added_staged, quiet_staged, before;
