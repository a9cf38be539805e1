-- What each argument of bulk_sync accepts and what it refuses, whatever the tables hold: NULL, empty, repeated and
-- unknown values, and numbers out of range.
-- Contract 1.0.1, 1.0.2, 1.0.5, 1.2.1, 1.4 (negative numbers); case 23
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA arguments;
SET search_path = arguments, public;

CREATE TABLE t (k int PRIMARY KEY, v text, w text, gone boolean);
CREATE TABLE s (k int, v text, w text);
INSERT INTO t VALUES (1, 'a', 'a', false), (2, 'b', 'b', false), (3, 'c', 'c', false);
INSERT INTO s VALUES (2, 'b', 'b'), (3, 'changed', 'c'), (4, 'd', 'd');
CREATE TABLE before AS SELECT ctid AS old_ctid, xmin AS old_xmin, k FROM t;

-- Makes the call and undoes it: the SQLSTATE of its refusal, or the counts (inserted, updated, unchanged, skipped, deleted).
CREATE FUNCTION outcome(arguments text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	counts text;
BEGIN
	EXECUTE format('SELECT format(''i%%s u%%s n%%s s%%s d%%s'', inserted, updated, unchanged, skipped, deleted)
		FROM bulk_sync(%s)', arguments) INTO counts;
	RAISE SQLSTATE 'UNDO0';
EXCEPTION
	WHEN SQLSTATE 'UNDO0' THEN RETURN counts;
	WHEN OTHERS THEN RETURN SQLSTATE;
END $$;

-- The same with arguments added to the everyday call.
CREATE FUNCTION outcome_with(arguments text) RETURNS text LANGUAGE sql AS $$
	SELECT outcome('''t'', ''s'', scope => ''true'', ' || arguments)
$$;

-- NULL for an optional argument means its default: one at a time, then all of them.
SELECT outcome('''t'', ''s'', scope => ''true''') AS default;
SELECT name, outcome_with(format('%s => NULL', name)) AS outcome
  FROM unnest('{key_columns,scope_values,scope_columns,actions,columns,insert_only_columns,touch_columns,fill_columns,
	keep_columns,update_where,soft_delete_column,duplicates,order_column,ignore_conflicts,expected_rows,allow_empty,
	max_deletes,max_delete_fraction,lock_mode}'::text[]) WITH ORDINALITY AS n (name, position)
 ORDER BY position;
SELECT outcome('''t'', ''s'', NULL, ''true'', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
	NULL, NULL, NULL, NULL, NULL, NULL, false') AS all_null;
-- A NULL scope is no scope, and the default actions need one.
SELECT outcome('''t'', ''s'', scope => NULL') AS no_scope;

-- Not so for the target, the staged table and dry_run, where a NULL is a mistake that must not pass for a default.
SELECT outcome('NULL, ''s'', scope => ''true''') AS target,
	   outcome('''t'', NULL, scope => ''true''') AS staged,
	   outcome('NULL, NULL, scope => ''true''') AS both,
	   outcome('''t'', ''s'', scope => ''true'', dry_run => NULL') AS dry_run;

-- A NULL inside a list is never a name. An empty list is refused where it could only be a mistake, and allowed for the
-- roles. A name twice is 42701.
SELECT name,
	   outcome_with(name || ' => ''{NULL}''') AS null_alone,
	   outcome_with(format('%s => ''{%s,NULL}''', name, good)) AS null_beside,
	   outcome_with(name || ' => ''{}''') AS empty,
	   outcome_with(name || ' => ''{""}''') AS empty_name,
	   outcome_with(format('%s => ''{%s,%s}''', name, good, good)) AS twice
  FROM (VALUES (1, 'key_columns', 'k'), (2, 'scope_columns', 'w'), (3, 'actions', 'insert'), (4, 'columns', 'v'),
			   (5, 'insert_only_columns', 'v'), (6, 'touch_columns', 'v'), (7, 'fill_columns', 'v'), (8, 'keep_columns', 'v'))
	   AS lists (position, name, good)
 ORDER BY position;
-- An action twice is one also when it is spelt in two ways; a column is not.
SELECT outcome_with('actions => ''{insert,delete,INSERT}''') AS actions,
	   outcome_with('touch_columns => ''{v,V}''') AS columns;

-- An empty string or object is 22023: it says neither "the default" nor anything else.
SELECT name, outcome_with(format('%s => ''''', name)) AS outcome
  FROM unnest('{update_where,soft_delete_column,duplicates,order_column,lock_mode}'::text[]) WITH ORDINALITY AS n (name, position)
 ORDER BY position;
SELECT outcome('''t'', ''s'', scope => ''''') AS scope,
	   outcome('''t'', ''s'', scope_values => ''{}''') AS scope_values,
	   outcome('''t'', ''s'', scope => '''', actions => ''{insert}''') AS scope_unneeded;

-- scope_values is an object and nothing else; JSON null is not SQL NULL.
SELECT value, outcome(format('''t'', ''s'', scope_values => %L', value)) AS outcome
  FROM unnest(ARRAY['[]', '[{"w": "a"}]', '1', '"w"', 'true', 'null']) WITH ORDINALITY AS v (value, position)
 ORDER BY position;

-- Actions, policies and lock modes are matched without regard to case ...
SELECT call, outcome_with(call) AS outcome
  FROM unnest(ARRAY[
	'actions => ''{INSERT}''', 'actions => ''{Update,dElEtE}''',
	'duplicates => ''ERROR''', 'duplicates => ''First''', 'duplicates => ''LAST''',
	'lock_mode => ''row exclusive''', 'lock_mode => ''Row Exclusive''', 'lock_mode => ''SHARE UPDATE EXCLUSIVE''',
	'lock_mode => ''share row exclusive''', 'lock_mode => ''exclusive''', 'lock_mode => ''ACCESS exclusive''']) WITH ORDINALITY AS c (call, position)
 ORDER BY position;

-- ... and an unknown one is 22023; so are the lock modes that would not make two calls follow each other, or are no use.
SELECT call, outcome_with(call) AS outcome
  FROM unnest(ARRAY[
	'actions => ''{upsert}''', 'actions => ''{insert,truncate}''', 'actions => ''{"insert "}''', 'actions => ''{"insert,update"}''',
	'duplicates => ''newest''', 'duplicates => ''firs''', 'duplicates => ''lastly''',
	'lock_mode => ''access share''', 'lock_mode => ''ROW SHARE''', 'lock_mode => ''share''', 'lock_mode => ''none''',
	'lock_mode => ''ExclusiveLock''', 'lock_mode => ''share update exclusive; drop table t''']) WITH ORDINALITY AS c (call, position)
 ORDER BY position;

-- Numbers: a guard that can never hold is a mistake. Zero and one are good.
SELECT call, outcome_with(call) AS outcome
  FROM unnest(ARRAY[
	'expected_rows => -1', 'expected_rows => -9223372036854775808', 'expected_rows => 3',
	'max_deletes => -1', 'max_deletes => -9223372036854775808', 'max_deletes => 9223372036854775807',
	'max_delete_fraction => -0.0001', 'max_delete_fraction => 1.0001', 'max_delete_fraction => ''NaN''',
	'max_delete_fraction => ''Infinity''', 'max_delete_fraction => ''-Infinity''', 'max_delete_fraction => 1',
	'max_delete_fraction => ''-0'', actions => ''{insert}''', 'max_deletes => 0, actions => ''{insert}''']) WITH ORDINALITY AS c (call, position)
 ORDER BY position;
-- They are refused also where the call has no use for them: arguments are judged by themselves.
SELECT outcome_with('actions => ''{insert}'', max_deletes => -1') AS max_deletes,
	   outcome_with('actions => ''{insert}'', max_delete_fraction => 2') AS max_delete_fraction;

-- No scope is the whole table unless rows could be deleted. There is no such default for deletes.
SELECT actions, outcome(format('''t'', ''s'', actions => %L', actions)) AS outcome
  FROM unnest(ARRAY['{insert}', '{update}', '{insert,update}', '{delete}', '{insert,update,delete}']) WITH ORDINALITY AS a (actions, position)
 ORDER BY position;

-- Without key columns nothing matches: for inserts alone, and then every staged row is new (the unique index decides here).
CREATE TABLE log (v text);
SELECT actions, outcome(format('''log'', ''s'', ''{}'', ''true'', columns => ''{v}'', actions => %L', actions)) AS outcome
  FROM unnest(ARRAY['{insert}', '{update}', '{delete}', '{insert,update}', '{insert,delete}', '{insert,update,delete}'])
	   WITH ORDINALITY AS a (actions, position)
 ORDER BY position;
SELECT outcome('''t'', ''s'', ''{}'', actions => ''{insert}''') AS unique_violation,
	   outcome('''log'', ''s'', ''{}'', columns => ''{v}''') AS no_scope_either,
	   outcome('''log'', ''s'', columns => ''{v}'', actions => ''{insert}''') AS no_primary_key;

-- Nothing of all this has touched the target.
SELECT count(*) AS rows, bool_and(t.ctid = old_ctid AND t.xmin = old_xmin) AS untouched
  FROM t JOIN before USING (k);

SET client_min_messages = warning;
DROP SCHEMA arguments CASCADE;
