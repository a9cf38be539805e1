-- Two key values are equal when the default operator class of the target column's type says so, as GROUP BY
-- decides; a staged value of an equal but different image is matched, and stored. Each block stages values
-- that meet some of the stored ones, and shows what the sync did beside what SQL computes.
-- Contract 1.1.1, 1.3.1; cases 40, 43, 44, 46, 50, 52
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA key_equality;
SET search_path = key_equality, public;
SET timezone = 'UTC';

-- Makes target and staged table with a key of this type and syncs them: how many staged keys GROUP BY would put
-- into a group with a stored one, and what the sync counted; then the stored keys, and whether the call converges.
CREATE FUNCTION meet(type text, stored text[], staged text[],
	OUT equal bigint, OUT inserted bigint, OUT updated bigint, OUT unchanged bigint, OUT deleted bigint,
	OUT keys text, OUT converges boolean)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE TABLE target (k %1$s, v int); CREATE TABLE staged (k %1$s, v int)', type);
	EXECUTE format('INSERT INTO target SELECT u::%s, 1 FROM unnest($1) u', type) USING stored;
	EXECUTE format('INSERT INTO staged SELECT u::%s, 1 FROM unnest($1) u', type) USING staged;
	SELECT count(*) INTO equal FROM (
		SELECT FROM (SELECT k, 1 AS side FROM target UNION ALL SELECT k, 2 FROM staged) AS both_sides
		GROUP BY k HAVING count(DISTINCT side) = 2) AS pairs;
	SELECT r.inserted, r.updated, r.unchanged, r.deleted INTO inserted, updated, unchanged, deleted
		FROM bulk_sync('target', 'staged', '{k}', scope => 'true') r;
	SELECT string_agg(coalesce(k::text, 'NULL'), ' ' ORDER BY k::text COLLATE "C") INTO keys FROM target;
	SELECT (r.inserted, r.updated, r.deleted) = (0, 0, 0) INTO converges
		FROM bulk_sync('target', 'staged', '{k}', scope => 'true') r;
	DROP TABLE target, staged;
END $$;

-- numeric: the scale is no part of the value (two updates), NaN and the infinities equal themselves.
SELECT * FROM meet('numeric', '{1.0,2,NaN,Infinity,0.10}', '{1.00,2,NaN,-Infinity,0.1}');
SELECT * FROM meet('numeric(8,2)', '{1.0,2}', '{1.00,2.001}');
-- float: -0 is 0 (with another image), NaN is NaN. Staged together, values that are equal are duplicates.
SELECT * FROM meet('float8', '{0,NaN,1.5,Infinity}', '{-0,NaN,1.5,-Infinity}');
SELECT * FROM meet('float4', '{-0,NaN,1.5,Infinity}', '{0,NaN,1.5,Infinity}');
\set VERBOSITY sqlstate
SELECT * FROM meet('float8', '{}', '{-0,0}');
SELECT * FROM meet('float8', '{}', '{NaN,NaN}');
SELECT * FROM meet('char(3)', '{}', '{a,"a "}');
SELECT * FROM meet('interval', '{}', '{"1 month","30 days"}');
SELECT * FROM meet('jsonb', '{}', '{1.0,1.00}');
SELECT * FROM meet('int[]', '{}', ARRAY['{NULL}', '{NULL}']);
\set VERBOSITY default
-- char(n): trailing blanks do not count and are not stored; in text they do count.
SELECT * FROM meet('char(3)', '{a,bc}', '{"a  ","bc "}');
SELECT * FROM meet('bpchar', '{a,bc}', '{"a  ",bc}');
SELECT * FROM meet('text', '{a,b}', '{"a ",b}');
SELECT * FROM meet('varchar(3)', '{a,b}', '{"a ",b}');
SELECT * FROM meet('name', '{a,B}', '{a,b}');
SELECT * FROM meet('"char"', '{a,""}', '{A,""}');
-- dates and times: the instant decides, not how it was written; the months of an interval are 30 days.
SELECT * FROM meet('date', '{2024-02-29,infinity,"0044-03-15 BC"}', '{2024-02-29,infinity,0044-03-15}');
SELECT * FROM meet('timestamptz', '{"2024-01-01 12:00+00","2024-01-01 12:00+02"}',
	'{"2024-01-01 13:00+01","2024-01-01 12:00+01"}');
SELECT * FROM meet('timestamp(0)', '{"2024-01-01 00:00:01"}', '{"2024-01-01 00:00:00.6"}');
SELECT * FROM meet('timetz', '{"12:00+00"}', '{"13:00+01"}');
SELECT * FROM meet('interval', '{"1 month","1 day","2 hours"}', '{"30 days","24 hours","120 minutes"}');
-- jsonb: the order of the keys and blanks are lost at input, the scale of a number is kept.
SELECT * FROM meet('jsonb', ARRAY['{"a": 1.0}', '{"b": 1, "a": 2}', 'null'],
	ARRAY['{"a": 1.00}', '{"a":2,"b":1}', '"null"']);
-- enum: by the label's identity.
CREATE TYPE size AS ENUM ('small', 'large');
SELECT * FROM meet('size', '{small}', '{large}');
SELECT * FROM meet('size', '{small,large}', '{large,small}');
-- arrays: NULL elements are equal, the lower bound counts, and so do the dimensions.
SELECT * FROM meet('int[]', ARRAY['{1,NULL}', '{1,2}', '{}', '{{1,2}}'], ARRAY['{1,NULL}', '[2:3]={1,2}', '{}', '{1,2}']);
SELECT * FROM meet('numeric[]', ARRAY['{1.0,NULL}'], ARRAY['{1.00,NULL}']);
SELECT * FROM meet('text[]', ARRAY['{a,""}', '{NULL}'], ARRAY['{a,NULL}', '{NULL}']);
-- ranges and multiranges: a discrete one has one form, a continuous one keeps the scale of its bounds.
SELECT * FROM meet('int4range', '{"[1,2]",empty}', '{"[1,3)","(5,5)"}');
SELECT * FROM meet('numrange', '{"[1.0,2)","[3,4)"}', '{"[1.00,2)","[3,4]"}');
SELECT * FROM meet('int4multirange', ARRAY['{[1,3),[3,5)}'], ARRAY['{[1,5)}']);
-- records: field by field, NULL fields are equal, a row of NULLs is no NULL.
CREATE TYPE pair AS (a numeric, b text);
SELECT * FROM meet('pair', '{"(1.0,x)","(1,)","(,)"}', '{"(1.00,x)","(1,)","(,)"}');
SELECT * FROM meet('pair', '{"(1,x)",NULL}', '{"(1,)","(,)"}');
SELECT * FROM meet('pair[]', ARRAY['{"(1.0,x)",NULL}'], ARRAY['{"(1.00,x)",NULL}']);
-- domains: as their base type; a domain over numeric, over an array.
CREATE DOMAIN amount AS numeric CHECK (VALUE >= 0);
CREATE DOMAIN amounts AS numeric[];
SELECT * FROM meet('amount', '{1.0,2}', '{1.00,2}');
SELECT * FROM meet('amounts', ARRAY['{1.0}'], ARRAY['{1.00}']);
SELECT * FROM meet('amount[]', ARRAY['{1.0}'], ARRAY['{1.00}']);
-- what else has a hash operator class
SELECT * FROM meet('bool', '{t,NULL}', '{f,NULL}');
SELECT * FROM meet('uuid', '{00000000-0000-0000-0000-00000000000A}', '{00000000000000000000-00000000000a}');
SELECT * FROM meet('inet', '{10.0.0.1,10.0.0.0/8}', '{10.0.0.1/32,10.0.0.0/16}');
SELECT * FROM meet('bytea', '{"\\x","\\x00"}', '{"\\x","\\x0000"}');
SELECT * FROM meet('oid', '{1,4294967295}', '{1,4294967294}');
SELECT * FROM meet('oidvector', '{"1 2",3}', '{"1 2","2 1"}');
SELECT * FROM meet('tid', '{"(0,1)","(1,1)"}', '{"(0,1)","(1,2)"}');
SELECT * FROM meet('pg_lsn', '{0/0,1/0}', '{0/00,1/1}');
SELECT * FROM meet('xid8', '{1,18446744073709551615}', '{1,18446744073709551614}');
SELECT * FROM meet('macaddr8', '{08:00:2b:01:02:03}', '{08-00-2b-ff-fe-01-02-03}');

SET client_min_messages = warning;
DROP SCHEMA key_equality CASCADE;
