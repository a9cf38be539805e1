-- Thousands of calls that make no sense: every relation of every kind on both sides, and for every argument NULLs, empty and
-- endless strings, arrays of every shape, names with quotes, SQL that is no expression. Whatever is wrong with a call, it is
-- refused with a code that a program can act upon: no internal error (XX000), no crash, and nothing written.
-- Contract 1.0, 1.2.2, 1.2.3, 1.7, 4; cases 23, 157, 220
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA wrong_calls;
SET search_path = wrong_calls, public;

CREATE TABLE t (k int PRIMARY KEY, "V""x" text, a int[], c money, " " text, gone boolean);
CREATE TABLE s (k int, "V""x" text, a int[], c money, " " text);
INSERT INTO t VALUES (1, 'a', '{1}', 1, 'x'), (2, NULL, NULL, NULL, NULL);
INSERT INTO s VALUES (1, 'b', '{{1}}', 1, 'x'), (3, NULL, NULL, NULL, NULL);
CREATE TABLE before AS SELECT ctid AS old_ctid, xmin AS old_xmin, * FROM t;

CREATE INDEX an_index ON t (c);
CREATE SEQUENCE a_sequence;
CREATE TYPE a_type AS (k int);
CREATE MATERIALIZED VIEW a_matview AS TABLE t;
CREATE TABLE parted (k int PRIMARY KEY, v text) PARTITION BY RANGE (k);
CREATE TABLE part PARTITION OF parted DEFAULT;
CREATE INDEX a_partitioned_index ON parted (v);
CREATE TABLE no_columns ();
CREATE VIEW a_view_of_none AS SELECT;
CREATE TABLE dropped_all (a int);
ALTER TABLE dropped_all DROP COLUMN a;
CREATE TABLE gone_table (k int);
SELECT 'gone_table'::regclass::oid AS gone_table \gset
DROP TABLE gone_table;

-- Makes a call and undoes it; returns its SQLSTATE, or 00000.
CREATE FUNCTION attempt(call text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE call;
	RAISE SQLSTATE 'UNDO0';
EXCEPTION
	WHEN SQLSTATE 'UNDO0' THEN RETURN '00000';
	WHEN OTHERS THEN RETURN SQLSTATE;
END $$;
CREATE TABLE calls (call text, sqlstate text);

CREATE TABLE relations AS SELECT unnest(ARRAY['NULL', '0', '4294967295', :'gone_table', '''t''', '''s''', '''an_index''', '''a_sequence''', '''a_type''',
	'''a_matview''', '''parted''', '''part''', '''a_partitioned_index''', '''no_columns''', '''a_view_of_none''', '''dropped_all''', '''pg_class''',
	'''pg_toast.pg_toast_1255''', '''pg_stat_activity''', '''information_schema.sql_features''']) AS relation;
CREATE TABLE lists AS SELECT unnest(ARRAY['NULL', '''{}''', '''{NULL}''', '''{k}''', '''{k,k}''', '''{""}''', '''{"  "}''', '''{{k,c},{a,c}}''', '''{{{k}}}''',
	'''[5:5]={k}''', '''[-2:-1]={k,c}''', '''{k,NULL,c}''', '''{ctid}''', '''{"V\"x"}''', '''{"\"V\"\"x\""}''', '''{" "}''', '''{insert}''', '''{insert,update,delete}''',
	'ARRAY[repeat(''x'', 10000)]', 'array_fill(''k''::text, ARRAY[0])', 'array_fill(NULL::text, ARRAY[2,2])',
	'(SELECT array_agg(''c'' || i) FROM generate_series(1, 3000) AS i)', 'ARRAY[E''k\n'', ''k;--'', ''$1'', ''%s'']']) AS list;
CREATE TABLE texts AS SELECT unnest(ARRAY['NULL', '''''', ''' ''', '''true''', '''k''', '''c''', '''" "''', '''"V""x"''', '''V"x''', '''gone''', '''first''', '''exclusive''',
	'repeat(''x'', 10000)', 'repeat(''('', 5000)', 'repeat(''('', 500) || ''true'' || repeat('')'', 500)', 'repeat(''not '', 5000) || ''true''', 'E''\\x''', '''--''', '''/*''',
	'''k = 1''', '''k = 1 OR''', '''1/0 = 1''', '''true; SELECT 1''', '''true) OR (true''', '''true FROM t''', '''true LIMIT 1''', '''true, true''', '''true AS x''',
	'''true UNION SELECT true''', '''DISTINCT true''', '''(SELECT true INTO x)''', '''(WITH x AS (DELETE FROM t RETURNING 1) SELECT true)''', '''DEFAULT''', '''$1''', '''$1 = 1''',
	'''target''', '''target.*''', '''target.* IS NULL''', '''(target).k = 1''', '''staged.k = target.k''', '''t.k = 1''', '''wrong_calls.t.k = 1''', '''a.b.c.d.e = 1''', '''target.k.x''',
	'''ctid IS NULL''', '''tableoid > 0''', '''count(*) > 1''', '''row_number() OVER () = 1''', '''GROUPING(k) = 1''', '''generate_series(1, 2) = 1''', '''nextval(''''a_sequence'''') > 0''',
	'''(k, c)''', '''ROW()''', '''ARRAY[]''', '''(SELECT)''', '''EXISTS (SELECT)''', '''missing_function(k)''', '''pg_temp.f()''', '''k = ANY (a)''', '''k COLLATE "C" = 1''',
	'''(SELECT max(target.k) FROM s) = 1''', '''k IN (SELECT k FROM t)''', '''current_setting(''''no.such'''') = ''''1''''''', '''NULL''', '''*''']) AS text;
CREATE TABLE objects AS SELECT unnest(ARRAY['NULL', '''{}''', '''[]''', '''null''', '''1''', '''"k"''', '''{"k": 1}''', '''{"k": null}''', '''{"k": "x"}''', '''{"k": 1.5}''', '''{"k": 1e400}''',
	'''{"k": [1]}''', '''{"k": {"k": 1}}''', '''{"k": ""}''', '''{"a": [1, 2]}''', '''{"a": "{1}"}''', '''{"a": [[1], [2, 3]]}''', '''{"c": "1e400"}''', '''{"c": true}''', '''{"V\"x": []}''',
	'''{" ": " "}''', '''{"": 1}''', '''{"ctid": "(0,1)"}''', '''{"missing": null}''', '''{"gone": "maybe"}''', 'jsonb_build_object(repeat(''x'', 10000), 1)',
	'jsonb_build_object(''V"x'', repeat(''x'', 100000))', '(SELECT jsonb_object_agg(''c'' || i, i) FROM generate_series(1, 3000) AS i)']) AS object;

-- Every pair of relations.
INSERT INTO calls SELECT format('SELECT bulk_sync(%s, %s, %s, scope => ''true'', dry_run => %s)', a.relation, b.relation, key, dry)
  FROM relations AS a, relations AS b, (VALUES ('NULL', true), ('''{k}''', false)) AS c (key, dry);
-- Every value of every argument, with deletes and without.
INSERT INTO calls SELECT format('SELECT bulk_sync(''t'', ''s'', %s => %s, actions => ''{insert,update%s}''%s)', argument, list, more,
								CASE WHEN argument <> 'scope_columns' THEN ', scope => ''true''' END)
  FROM lists, unnest('{key_columns,scope_columns,columns,insert_only_columns,touch_columns,fill_columns,keep_columns}'::text[]) AS argument, unnest('{"",",delete"}'::text[]) AS more;
INSERT INTO calls SELECT format('SELECT bulk_sync(''t'', ''s'', actions => %s, scope => ''true'')', list) FROM lists;
INSERT INTO calls SELECT format('SELECT bulk_sync(''t'', ''s'', %s => %s, actions => ''{insert,update%s}''%s)', argument, text, more,
								CASE WHEN argument <> 'scope' THEN ', scope => ''true''' END)
  FROM texts, unnest('{scope,update_where,soft_delete_column,duplicates,order_column,lock_mode}'::text[]) AS argument, unnest('{"",",delete"}'::text[]) AS more;
INSERT INTO calls SELECT format('SELECT bulk_sync(''t'', ''s'', scope_values => %s, actions => ''{insert,update%s}'')', object, more)
  FROM objects, unnest('{"",",delete"}'::text[]) AS more;
-- Two lists at once: key and role, key and columns, key and groups.
INSERT INTO calls SELECT format('SELECT bulk_sync(''t'', ''s'', %s, actions => ''{insert,update}'', %s => %s)', a.list, argument, b.list)
  FROM lists AS a, lists AS b, unnest('{columns,touch_columns,scope_columns}'::text[]) AS argument;
-- The staging table.
INSERT INTO calls SELECT format('SELECT bulk_stage(%s)', relation) FROM relations;
INSERT INTO calls SELECT format('SELECT bulk_stage(''t'', %s)', list) FROM lists;
INSERT INTO calls SELECT format('SELECT bulk_stage(''t'', staged_name => %s)', text) FROM texts;
INSERT INTO calls SELECT format('SELECT bulk_stage(%s, %s, %s, NULL)', relation, list, text)
  FROM relations, (TABLE lists LIMIT 4) AS l, (TABLE texts LIMIT 4) AS x;

SET client_min_messages = error;
UPDATE calls SET sqlstate = attempt(call);
RESET client_min_messages;
SELECT count(*) > 3000 AS thousands, count(*) FILTER (WHERE sqlstate = '00000') > 100 AS some_good FROM calls;
-- None but the documented codes, those of SQL that is none, and those of values that do not fit.
SELECT sqlstate, left(call, 200) AS call FROM calls
 WHERE sqlstate NOT IN ('00000', '22004', '22023', '42701', '42703', '42809', '42501', '42P01', '55000', '44000', '21000', '42602', '42P07', '42804', '42883', 'SY002',
						'42601', '42702', '42803', '42P02', '42P18', '42P20', '42704', '3F000', '0A000', '22012', '22P02', '22003', '54001', '23502', '23505')
 ORDER BY sqlstate, call LIMIT 20;
SELECT k, t.ctid = old_ctid AND t.xmin = old_xmin AS untouched FROM t FULL JOIN before USING (k) ORDER BY k;
SELECT count(*) AS left_behind FROM pg_class WHERE relnamespace = pg_my_temp_schema() AND relname NOT LIKE 'pg_toast%';

SET client_min_messages = warning;
DROP SCHEMA wrong_calls CASCADE;
