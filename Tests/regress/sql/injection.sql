-- No name and no value can become SQL: every text argument is data but for scope and update_where, and these are one expression;
-- tables, columns, schemas and indexes may have any name that PostgreSQL lets them have.
-- Contract 1.0.3, 1.2.2, 1.2.3, the paragraph at the end; cases 188, 211, 221
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA injection;
SET search_path = injection, public;

CREATE TABLE t (k int PRIMARY KEY, v text, gone boolean NOT NULL DEFAULT false);
CREATE TABLE s (k int, v text);
CREATE TABLE victim AS SELECT 1 AS alive;
INSERT INTO t VALUES (1, 'a'), (2, 'b');
INSERT INTO s VALUES (1, 'A'), (3, 'c');
CREATE TABLE just_three AS SELECT 3 AS k;

-- Says the SQLSTATE and message, or the counts, and undoes the call.
CREATE FUNCTION attempt(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text;
BEGIN
	EXECUTE 'SELECT r::text FROM bulk_sync(' || call || ') r' INTO result;
	RAISE EXCEPTION USING ERRCODE = 'ZZ000', MESSAGE = result;
EXCEPTION
	WHEN SQLSTATE 'ZZ000' THEN RETURN SQLERRM;
	WHEN OTHERS THEN RETURN SQLSTATE;
END $$;

-- 1. A hostile text in each argument that takes a name or a word: unknown, and nothing more.
SELECT argument, evil, attempt(format($$'t', 's', %s, %s => %s$$, CASE WHEN argument LIKE 'scope%' THEN 'dry_run => false' ELSE $$scope => 'true'$$ END, argument,
		CASE WHEN argument = 'scope_values' THEN format('jsonb_build_object(%L, 1)', evil)
			 WHEN argument ~ '(columns|actions)$' THEN format('ARRAY[%L]', evil)
			 ELSE format('%L', evil) END))
  FROM unnest('{key_columns,scope_values,scope_columns,actions,columns,insert_only_columns,touch_columns,fill_columns,keep_columns,soft_delete_column,duplicates,order_column,lock_mode}'::text[])
	   WITH ORDINALITY a (argument, n),
       unnest(ARRAY['v"; DROP TABLE victim; --', 'v'') OR true --', E'v\\', 'V', '"v"', 't.v', 'v ', 'target', '$1', '*', 'ctid']) WITH ORDINALITY e (evil, m)
 WHERE argument IN ('key_columns', 'scope_values', 'scope_columns', 'columns', 'soft_delete_column') OR m < 3
 ORDER BY n, m;
-- Names are not cut to 63 bytes: one that begins as a column of 63 bytes is another.
CREATE TABLE long (k int PRIMARY KEY, a23456789012345678901234567890123456789012345678901234567890123 text);
CREATE TABLE long_staged (k int, a23456789012345678901234567890123456789012345678901234567890123 text);
SELECT attempt($$'long', 'long_staged', columns => ARRAY[repeat('x', 0) || 'a23456789012345678901234567890123456789012345678901234567890123'], actions => '{insert}'$$) AS all_63,
       attempt($$'long', 'long_staged', columns => ARRAY['a234567890123456789012345678901234567890123456789012345678901234'], actions => '{insert}'$$) AS one_more,
       attempt($$'long', 'long_staged', scope_values => '{"a234567890123456789012345678901234567890123456789012345678901234": "x"}'$$) AS as_a_scope_value,
       attempt($$'long', 'long_staged', scope => 'true', lock_mode => 'exclusive', soft_delete_column => repeat('a', 100000)$$) AS a_very_long_one;

-- 2. Values of scope_values are values.
SELECT value, attempt(format($$'t', 's', scope_values => jsonb_build_object('v', %L)$$, value)) AS as_text, attempt(format($$'t', 'just_three', scope_values => jsonb_build_object('v', %L)$$, value)) AS supplied,
       attempt(format($$'t', 's', scope_values => jsonb_build_object('k', %L)$$, value)) AS as_int
  FROM unnest(ARRAY['a', ''' OR true --', '$$; DROP TABLE victim; $$', E'\\'' OR 1 = 1 --', E'new\nline', 'NULL', 'true', '{}', '%s %I $1', repeat('''', 7)]) WITH ORDINALITY u (value, n)
 ORDER BY n;
-- The value arrives as it is.
BEGIN;
SELECT inserted FROM bulk_sync('t', 'just_three', actions => '{insert}', scope_values => jsonb_build_object('v', E'''; DROP TABLE victim; -- $1 \\ "\n%s'));
SELECT v = E'''; DROP TABLE victim; -- $1 \\ "\n%s' AS as_it_is FROM t WHERE k = 3;
ROLLBACK;

-- 3. A condition is one boolean expression, whatever it tries to be.
SELECT condition, attempt(format($$'t', 's', actions => '{insert,update}', scope => %L$$, condition)) AS scope, attempt(format($$'t', 's', scope => 'true', update_where => %L$$, condition)) AS update_where
  FROM unnest(ARRAY['true; DROP TABLE victim', 'true) OR (true', 'true)', '(true', 'true /*', 'true */', 'true, false', 'true UNION SELECT true', 'SELECT true', 'true FROM victim', 'true WHERE true', 'true AS x',
		'true ORDER BY 1', 'true FOR UPDATE', 'true LIMIT 1', '1', '''true', '$$true', '"true', '$1', '', ' ', '-- true', 'DELETE FROM victim', ';', E'true\\', ':x', 'true INTO victim2',
		'(WITH gone AS (DELETE FROM victim RETURNING 1) SELECT true)', '*', 'target.*', 'DEFAULT', 'CURRENT OF c', 'true WINDOW w AS ()']) WITH ORDINALITY u (condition, n)
 ORDER BY n;
-- White space and comments do not matter.
SELECT attempt(E'''t'', ''s'', actions => ''{insert,update}'', scope => ''\n\ttrue -- all of it''') AS a_comment_at_the_end, attempt($$'t', 's', actions => '{insert,update}', scope => '/* all */ true /* of it */'$$) AS around;
TABLE victim;
SELECT count(*) FROM t;

-- 4. Tables, columns and schemas of any name: all roles, scopes and guards on them, and a round that finds nothing more to do.
CREATE PROCEDURE named(schema_name text, table_name text, key_name text, value_name text) LANGUAGE plpgsql AS $f$
DECLARE
	target regclass;
	staged regclass;
	first text;
	again text;
	seen text;
BEGIN
	EXECUTE format('CREATE SCHEMA %I', schema_name);
	EXECUTE format('CREATE TABLE %1$I.%2$I (%3$I int PRIMARY KEY, %4$I text UNIQUE, gone boolean NOT NULL DEFAULT false, tenant int DEFAULT 7)', schema_name, table_name, key_name, value_name);
	target := format('%I.%I', schema_name, table_name)::regclass;
	EXECUTE format('INSERT INTO %s VALUES (1, ''stale''), (2, ''old''), (3, ''same'')', target);
	staged := bulk_stage(target, ARRAY[key_name, value_name], 'wanted rows; "new" '' $$');
	EXECUTE format('INSERT INTO %s VALUES (2, ''new''), (3, ''same''), (4, ''more'')', staged);
	SELECT r::text INTO first FROM bulk_sync(target, staged, ARRAY[key_name], scope_values => '{"tenant": 7}', scope => format('target.%1$I = %1$I AND %2$I IS NOT NULL', key_name, value_name),
		columns => ARRAY[value_name], keep_columns => ARRAY[value_name], update_where => format('target.%1$I <> staged.%1$I', value_name), soft_delete_column => 'gone', duplicates => 'last') r;
	SELECT r::text INTO again FROM bulk_sync(target, staged, NULL, scope => 'NOT gone') r;
	EXECUTE format('SELECT string_agg(concat_ws('':'', %1$I, %2$I, gone), '' '' ORDER BY %1$I) FROM %3$s', key_name, value_name, target) INTO seen;
	RAISE NOTICE '%, %, %, %: % % %', to_jsonb(schema_name), to_jsonb(table_name), to_jsonb(key_name), to_jsonb(value_name), first, again, seen;
	EXECUTE format('DROP TABLE %s', staged);
	EXECUTE format('DROP TABLE %s', target);
	EXECUTE format('DROP SCHEMA %I', schema_name);
END $f$;
SET client_min_messages = notice;
\set VERBOSITY terse
CALL named('in"ject', 'ta"ble', 'k"', '"');
CALL named('in.ject', 'ta.ble', 'k.v', '.');
CALL named('$$', '$$;--', '$1', '$body$');
CALL named(E'in\\ject', E'ta\\''ble', E'k\\', E'\\''');
CALL named(E'in\nject', E'ta\nble', E'k\n', E'\t');
CALL named('a23456789012345678901234567890123456789012345678901234567890123', 'b23456789012345678901234567890123456789012345678901234567890123',
	'c23456789012345678901234567890123456789012345678901234567890123', 'c23456789012345678901234567890123456789012345678901234567890124');
CALL named('select', 'table', 'from', 'where');
CALL named('Injection', 'Target', 'OLD', 'Excluded');
CALL named('staged', 'target', 'target', 'staged');
CALL named('target', 'staged', 'old', 'new');
CALL named('%s', '%I %L', '%', '%1$s');
CALL named(' ', ' t', 'k ', '-- v');
CALL named('x); DROP TABLE victim; --', 'y''); DROP TABLE victim; --', '/*', '*/');
\set VERBOSITY default

-- 5. Such names in messages are shown as they are.
CREATE TABLE "ta""ble; --" ("k""; DROP" int PRIMARY KEY, "v'" text);
CREATE TABLE "sta""ged" ("k""; DROP" text, "v'" text);
INSERT INTO "sta""ged" VALUES ('1', 'x'), ('1', 'y');
SELECT * FROM bulk_sync('"ta""ble; --"', '"sta""ged"', scope => 'true');
SELECT * FROM bulk_sync('"ta""ble; --"', '"sta""ged"', scope => 'true', columns => '{"k\"; DROP ("}');
UPDATE "sta""ged" SET "k""; DROP" = '''; DROP TABLE victim';
SELECT * FROM bulk_sync('"ta""ble; --"', '"sta""ged"', scope => 'true');

TABLE victim;
SET client_min_messages = warning;
DROP SCHEMA injection CASCADE;
